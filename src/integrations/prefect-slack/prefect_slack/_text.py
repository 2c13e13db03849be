"""Cut texts that are longer than Slack takes, so that nothing breaks in the middle."""

from __future__ import annotations

import unicodedata

MAX_TEXT = 40_000
"""Characters of a message; Slack cuts off the rest (https://docs.slack.dev/reference/methods/chat.postMessage)."""

MAX_CHANGED_TEXT = 4_000
"""Characters of a message that is changed or seen by one person (https://docs.slack.dev/reference/methods/chat.update)."""

MAX_SECTION = 3_000
MAX_HEADER = 150
"""Characters of these blocks (https://docs.slack.dev/reference/block-kit/blocks)."""

_FENCE = "```"
_CLOSE, _REOPEN = f"\n{_FENCE}", f"{_FENCE}\n"
_JOINER = "\u200d"
_LONGEST_ENTITY = 2_000  # a link with its label; what is longer is no link


def split_text(text: str, limit: int) -> list[str]:
    """Split a text at lines, else at words, and never within a link, an escaped character or an emoji.

    A block of code that does not fit is closed at the end of a part, and opened again in the next.

    Args:
        text: Any text, in Slack's markup or without.
        limit: The most characters of a part; at least 50.

    Returns:
        The parts, in order. What stood between two parts, a line break or a space, is left out.
    """
    parts: list[str] = []
    while len(text) > limit:
        end = _end_of_part(text, limit - len(_CLOSE))
        part, rest = text[:end].rstrip(), text[end:]
        rest = rest.removeprefix("\n") if rest.startswith("\n") else rest.removeprefix(" ")
        if part.count(_FENCE) % 2:
            part, rest = part + _CLOSE, _REOPEN + rest
        if part:
            parts.append(part)
        text = rest
    if text or not parts:
        parts.append(text)
    return parts


def truncate_text(text: str, limit: int) -> str:
    """Shorten a text as `split_text` cuts it, and end it with an ellipsis.

    Args:
        text: Any text.
        limit: The most characters of the result; at least 50.
    """
    if len(text) <= limit:
        return text
    part = split_text(text, limit - 2)[0]
    return f"{part}\n…" if part.endswith(_CLOSE) else f"{part} …"


def header_text(subject: str) -> str:
    """Make a subject fit into a header, which is one line of plain text."""
    line = " ".join(subject.split())
    return line if len(line) <= MAX_HEADER else line[: MAX_HEADER - 1].rstrip() + "…"


def _end_of_part(text: str, limit: int) -> int:
    """Find where to cut: at most at `limit`, and not far before it."""
    # Code that is opened again makes the rest longer: a cut behind its first characters makes sure that we get on.
    least = max(limit // 2, len(_REOPEN) + 1)
    for mark in ("\n", " "):
        end = text.rfind(mark, least, limit + 1)
        if end > 0 and _whole(text, end) == end:
            return end
    end = _whole(text, limit)
    return end if end >= least else limit


def _whole(text: str, end: int) -> int:
    """Move a cut to before the link, the escaped character, the emoji or the fence that it would break."""
    for opening, closing, longest in (("<", ">", _LONGEST_ENTITY), ("&", ";", 6)):
        start = text.rfind(opening, max(0, end - longest), end)
        stop = text.find(closing, start, start + longest) if start >= 0 else -1
        if stop >= end and "\n" not in text[start:stop]:
            end = start
    while end > 0 and (text[end - 1] == "`" == text[end : end + 1] or _belongs_before(text, end)):
        end -= 1
    return end


def _belongs_before(text: str, index: int) -> bool:
    """Say whether the character at `index` is one with the character before it."""
    if index >= len(text):
        return False
    char = text[index]
    if char == _JOINER or text[index - 1] == _JOINER:
        return True
    return unicodedata.combining(char) != 0 or "\ufe00" <= char <= "\ufe0f" or "\U0001f3fb" <= char <= "\U0001f3ff"
