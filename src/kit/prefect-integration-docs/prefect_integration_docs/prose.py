"""Turn the text of docstrings into MDX that says the same: nothing in it becomes JavaScript, JSX or a heading."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

Linker = Callable[[str], "str | None"]
"""Gives the address of what a piece of code names, or None."""

_FENCE = re.compile(r"^(?P<indent>\s*)(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)$")
_HEADING = re.compile(r"^ {0,3}(?P<marks>#{1,6})(?P<text>\s+.*)$")
_UNDERLINE = re.compile(r"^ {0,3}(?:=+|-+)\s*$")
_BREAK = re.compile(r"[ \t]*\n[ \t]*")
_RULE = re.compile(r"^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_EMPTY_ITEM = re.compile(r"^\s*(?:[-*+]|\d{1,9}[.)])\s*$")
_EMPTY_HEADING = re.compile(r"^ {0,3}#{1,6}\s*$")
_LANGUAGE = re.compile(r"^[A-Za-z][\w+#.-]*$")
_LIST_ITEM = re.compile(r"^(?P<indent>\s*)(?:[-*+]|\d{1,9}[.)])(?P<gap>\s+)\S")
_ESM = re.compile(r"^(?P<first>[ie])(?=(?:mport|xport)\b)")
_DOCTEST = re.compile(r"^\s*>>>(?: |$)")
_LOWEST_HEADING = 6
_INDENTED_CODE = 4

_INLINE = re.compile(
    r"""
      (?P<escaped>\\[\\`*_{}\[\]<>()#+\-.!|$~])
    | :(?:[a-z]+:)*[a-z]+:`(?P<role>[^`]+)`(?!`)
    | (?P<code>(?<!`)(?P<ticks>`+)(?!`)(?:.*?[^`])(?P=ticks)(?!`))
    | (?P<tick>`+)
    | <(?P<address>(?:https?://|mailto:)[^\s<>]+|[\w.+-]+@[\w-]+\.[\w.-]+)>
    | (?P<link>!?\[(?P<label>(?:[^\[\]\\`]|\\.|`[^`]*`|\[[^\[\]]*\])*)\]\((?P<target>(?:[^()\s]|\([^()\s]*\))*)
        (?P<title>\s+"[^"]*")?\))
    | (?P<url>(?<!`)https?://[^\s<>)\]`'"]+)
    | (?P<special>[{}<$])
    | (?P<stars>(?<![\w*`])\*{1,2}(?:args|\w*kwargs)\b(?!`))
    | (?P<name>(?<![\w./@`-])(?:[A-Za-z_]\w*\.)*(?=\w*_)(?=_*[A-Za-z])\w+(?:\.[A-Za-z_]\w*)*(?:\(\))?(?![\w/@`-]))
    """,
    re.VERBOSE | re.DOTALL,
)
# `_so_` is emphasis in Markdown; `_so` and `__so__` are names.
_EMPHASIS = re.compile(r"^_[^_]+_$")
_ROLE_TARGET = re.compile(r"^(?P<text>.*?)\s*<(?P<target>[^<>]+)>$", re.DOTALL)


def code(text: str) -> str:
    """Write a piece of code as a span, however many backticks it holds."""
    ticks = "`"
    while ticks in text:
        ticks += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def linked(text: str, link: Linker) -> str:
    """Write a name as code, with a link if it names something that has one."""
    address = link(text)
    return f"[{code(text)}]({address})" if address else code(text)


def no_links(name: str) -> None:
    """Link nothing."""
    del name


def escape(text: str) -> str:
    """Escape what MDX would take for JavaScript or JSX in text that holds no markup."""
    return re.sub(r"[\\`*_{}\[\]<>$]", r"\\\g<0>", text)


# --- inline ----------------------------------------------------------------------------------------------------------


def inline(text: str, link: Linker = no_links) -> str:
    """Render a paragraph.

    Args:
        text: Markdown, possibly with Sphinx roles.
        link: Finds the address of a name in code.
    """
    if not _MAY_CHANGE.search(text):
        return text
    return _INLINE.sub(lambda match: _replace(match, link), text)


_MAY_CHANGE = re.compile(r"[`{}<$_\\\[]|\*\w*args|://")


def _replace(match: re.Match[str], link: Linker) -> str:
    kind = match.lastgroup
    if kind == "title" or match["link"]:
        return _link(match)
    if match["escaped"] is not None:
        return match[0]
    if match["role"] is not None:
        return _role(match["role"], link)
    if match["code"] is not None:
        return _span(match[0], match["ticks"], link)
    if match["tick"] is not None:
        return "".join(f"\\{tick}" for tick in match[0])  # one that pairs with nothing must not pair with ours
    if match["address"] is not None:
        address = match["address"]
        target = address if ":" in address else f"mailto:{address}"
        return f"[{escape(address.removeprefix('mailto:'))}]({target})"
    if match["url"] is not None:
        # A brace in a bare address would be JavaScript.
        return code(match[0]) if "{" in match[0] else match[0].replace("}", "\\}")
    if match["special"] is not None:
        return f"\\{match[0]}"
    if match["name"] is not None and _EMPHASIS.match(match[0]):
        return match[0]
    return linked(match[0], link)


def _link(match: re.Match[str]) -> str:
    mark = "!" if match["link"].startswith("!") else ""
    target = match["target"].replace("{", "%7B").replace("}", "%7D")
    return f"{mark}[{inline(match['label'])}]({target}{match['title'] or ''})"


def _role(content: str, link: Linker) -> str:
    """Reduce a Sphinx role to code: `~a.b.C` shows its last component, `text <target>` its text."""
    if (named := _ROLE_TARGET.match(content)) is not None:
        content, target = named["text"], named["target"].lstrip("~!")
    else:
        target = content.lstrip("~!")
        content = target.rpartition(".")[2] if content.startswith("~") else target
    address = link(target)
    return f"[{code(content)}]({address})" if address else code(content)


def _span(span: str, ticks: str, link: Linker) -> str:
    # A line in it that begins with a brace or `<` would end the paragraph for MDX; to Markdown a break is a blank.
    span = _BREAK.sub(" ", span)
    content = span[len(ticks) : -len(ticks)]
    address = link(content)
    return f"[{span}]({address})" if address else span


# --- blocks ----------------------------------------------------------------------------------------------------------


def render(text: str, *, below: int, link: Linker = no_links) -> str:
    """Render a text of several blocks.

    Args:
        text: Markdown as docstrings hold it: with doctest prompts, literal blocks and headings of any level.
        below: Level of the heading that the text belongs to; its own headings are put below that.
        link: Finds the address of a name in code.
    """
    return "\n".join(_Blocks(text, below, link).rendered()).strip("\n")


def headings(text: str, *, below: int) -> list[tuple[int, str]]:
    """List the headings that `render` makes of a text: the level and the plain text of each."""
    if "#" not in text and not _MAY_UNDERLINE.search(text):
        return []
    blocks = _Blocks(text, below, no_links)
    blocks.rendered()
    return [(level, re.sub(r"[`\\\\]|\\[|\\]\\([^)]*\\)", "", made)) for level, made in blocks.headings]


_MAY_UNDERLINE = re.compile(r"^ {0,3}(?:=+|-+)\s*$", re.MULTILINE)


class _Blocks:
    def __init__(self, text: str, below: int, link: Linker) -> None:
        self._lines = text.split("\n")
        self._below = below
        self._link = link
        self.headings: list[tuple[int, str]] = []
        self._made: list[str] = []
        self._paragraph: list[str] = []
        self._list_indent = -1  # where the text of the current list item begins; -1 outside of lists

    def rendered(self) -> list[str]:
        number = 0
        while number < len(self._lines):
            number = self._block(number)
        self._flush()
        return self._made

    def _block(self, number: int) -> int:
        """Take the block that begins on a line, or one more line of a paragraph; return the line behind it."""
        line = self._lines[number]
        if line[:1].isalpha():  # most lines are plain text
            self._text(line)
            return number + 1
        if (fence := _FENCE.match(line)) is not None:
            return self._fence(number, fence)
        if _DOCTEST.match(line):
            return self._doctest(number)
        if not line.strip():
            self._flush()
            self._made.append("")
            return number + 1
        if self._is_indented_code(number):
            return self._indented(number)
        if (heading := _HEADING.match(line)) is not None:
            self._flush()
            self._heading(len(heading["marks"]), heading["text"].strip())
        elif _RULE.match(line) and not self._paragraph:
            self._made.append(line)
        elif _EMPTY_HEADING.match(line):
            self._paragraph.append(f"\\{line.strip()}")
        elif _UNDERLINE.match(line) and self._paragraph:
            if len(self._paragraph) == 1 and self._list_indent < 0:
                title = self._paragraph.pop()
                self._heading(1 if "=" in line else 2, title.strip())
            else:  # the end of a text that was not meant as a title
                self._paragraph.append(line.replace(line.strip(), f"\\{line.strip()}"))
        elif _EMPTY_ITEM.match(line):
            self._flush()
            self._made.append(line)
        else:
            if _LIST_ITEM.match(line) or line.lstrip().startswith(("|", ">")):
                self._flush()  # a code span does not reach over items, rows and quoted lines
            self._track_list(line)
            self._paragraph.append(line)
        return number + 1

    def _text(self, line: str) -> None:
        """Take a line of a paragraph that begins at the margin."""
        if not self._paragraph:
            self._list_indent = -1
            line = _ESM.sub(lambda match: f"&#{ord(match['first'])};", line)
        self._paragraph.append(line)

    def _flush(self) -> None:
        if self._paragraph:
            self._made += inline("\n".join(self._paragraph), self._link).split("\n")
            self._paragraph = []

    def _heading(self, level: int, text: str) -> None:
        depth, made = min(_LOWEST_HEADING, self._below + level), inline(text, no_links)
        self.headings.append((depth, made))
        self._made.append(f"{'#' * depth} {made}")

    def _track_list(self, line: str) -> None:
        item = _LIST_ITEM.match(line)
        indent = len(line) - len(line.lstrip())
        if item is not None:
            self._list_indent = item.end() - 1
        elif indent < self._list_indent and not self._paragraph:
            self._list_indent = -1

    def _fence(self, number: int, opening: re.Match[str]) -> int:
        """Copy a fenced block as it stands; one that is never closed is closed at the end of the text."""
        self._flush()
        info = " ".join(word for word in opening["info"].split() if word != "runnable")
        if not _LANGUAGE.match(info.partition(" ")[0]):
            info = ""
        self._made.append(f"{opening['indent']}{opening['mark']}{info}")
        for position in range(number + 1, len(self._lines)):
            line = self._lines[position]
            self._made.append(line)
            closing = _FENCE.match(line)
            if closing is not None and closing["mark"].startswith(opening["mark"]) and not closing["info"].strip():
                return position + 1
        self._made.append(f"{opening['indent']}{opening['mark']}")
        return len(self._lines)

    def _doctest(self, number: int) -> int:
        """Put a doctest, up to the next blank line, into a fence."""
        self._flush()
        end = number
        while end < len(self._lines) and self._lines[end].strip():
            end += 1
        self._add_fence("python", self._lines[number:end])
        return end

    def _is_indented_code(self, number: int) -> bool:
        """Say whether Markdown would take a line for code by its indent; MDX would not, and run it together."""
        line = self._lines[number]
        if self._paragraph or self._list_indent >= 0:
            return False
        return line.startswith((" " * _INDENTED_CODE, "\t"))

    def _indented(self, number: int) -> int:
        end = number
        while end < len(self._lines) and (not self._lines[end].strip() or self._lines[end].startswith((" ", "\t"))):
            end += 1
        lines = self._lines[number:end]
        while not lines[-1].strip():
            lines.pop()
        self._drop_double_colon()
        self._add_fence("", lines)
        return number + len(lines)

    def _drop_double_colon(self) -> None:
        """Take the second colon from the `::` that announces a literal block."""
        for position in range(len(self._made) - 1, -1, -1):
            if self._made[position].strip():
                if self._made[position].endswith("::"):
                    self._made[position] = self._made[position][:-1]
                return

    def _add_fence(self, language: str, lines: list[str]) -> None:
        indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        lines = [line[indent:] for line in lines]
        body = "\n".join(lines)
        marks = "```"
        while marks in body:
            marks += "`"
        pad = " " * indent if language else ""  # a doctest in a list item stays in it
        language = language or ("python" if _is_python(body) else "text")
        self._made += [f"{pad}{line}".rstrip() for line in (f"{marks}{language}", *lines, marks)]


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True
