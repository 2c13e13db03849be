"""Divide the body of an example into the text and the code of its page."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from prefect_integration_docs.problems import Problem

# Comments for programs and for the reader of the source, which would be no sentence on a page.
_PRAGMA = re.compile(
    r"(?:fmt|yapf|isort|ruff|flake8|pylint|mypy|(?:based)?pyright|pragma|cspell|codespell|vim?):"
    r"|type:\s*ignore\b|noqa(?:$|[:\s])|nosec\b|%%|-\*-"
)
_BANNER = re.compile(r"(?:-{3,}|={3,}|#{7,}|[─━═]{3,})[^|]*")  # with a `|` it is a row of a table
_RULE = re.compile(r"(?:-{3,}|={3,}|#{7,}|[─━═]{3,})\s*")
# https://packaging.python.org/en/latest/specifications/inline-script-metadata/
_SCRIPT_METADATA = re.compile(r"(?m)^# /// [a-zA-Z0-9-]+$\s(?:^#(?:| .*)$\s)+^# ///$")

_OPENING = re.compile(r"[\s>]*(?:(?:[-*+]|\d+[.)])\s+)?(?P<mark>`{3,}(?=[^`]*$)|~{3,})")
_CLOSING = re.compile(r"[\s>]*(?P<mark>`{3,}|~{3,})\s*")
_TITLE = re.compile(r"\s*#(?:\s|$)")
_TITLE_UNDERLINE = re.compile(r"\s*=+\s*")

_BESIDES = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER})


@dataclass(frozen=True)
class Markdown:
    """Text of a page.

    Attributes:
        line: The line of the file where it begins, counted from 1.
        text: Comment lines without their `#`, and the empty lines between them.
    """

    line: int
    text: str


@dataclass(frozen=True)
class Code:
    """Code of a page.

    Attributes:
        line: The line of the file where it begins, counted from 1.
        text: Lines as they stand in the file.
    """

    line: int
    text: str


Block: TypeAlias = "Markdown | Code"


class NotPython(Exception):
    """The file is no valid Python: line and reason."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _statement_lines(path: Path, text: str) -> set[int]:
    """Number the lines that belong to a statement, with what stands between decorators, brackets and branches.

    Raises:
        NotPython: If the text is no valid Python.
    """
    text += "\n"  # at the very end of a file, a comment after a backslash is no line to the tokenizer
    try:
        tree = ast.parse(text, str(path))
        compile(tree, str(path), "exec", dont_inherit=True)  # finds a `return` outside of a function, too
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except SyntaxError as exc:
        raise NotPython(exc.lineno or 1, f"no valid Python: {exc.msg}") from exc
    except (ValueError, RecursionError, tokenize.TokenError) as exc:
        raise NotPython(1, f"no valid Python: {exc}") from exc
    lines: set[int] = set()
    for statement in tree.body:
        decorators = cast("list[ast.expr]", getattr(statement, "decorator_list", []))
        begin = min(node.lineno for node in (statement, *decorators))
        lines.update(range(begin, (statement.end_lineno or begin) + 1))
    # The tree does not know about brackets around a decorator, nor about a backslash before a comment.
    begin = 0
    for token in tokens:
        if token.type == tokenize.NEWLINE:
            lines.update(range(begin or token.start[0], token.start[0] + 1))
            begin = 0
        elif begin == 0 and token.type not in _BESIDES:
            begin = token.start[0]
    # Nor do they agree on a backslash that stands alone, which also takes the next line with it.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() == "\\":
            lines.update((number, number + 1))
    return lines


def _metadata_lines(text: str) -> set[int]:
    """Number the lines of inline script metadata, which are comments for a program."""
    found: set[int] = set()
    for match in _SCRIPT_METADATA.finditer(text):
        begin = text.count("\n", 0, match.start()) + 1
        found.update(range(begin, begin + match[0].count("\n") + 1))
    return found


class _Splitter:
    """Divides the lines of a body into text and code.

    Args:
        path: The file.
        text: All of it.
        first: Number of the line where the body begins.
    """

    def __init__(self, path: Path, text: str, first: int) -> None:
        self._path = path
        self._lines = text.split("\n")
        self._first = first
        self._statements = _statement_lines(path, text)
        self._metadata = _metadata_lines(text)
        self._fence = ""  # of the Markdown, while it is open
        self._fence_line = 0
        self.blocks: list[Block] = []
        self.problems: list[Problem] = []

    def split(self) -> None:
        """Fill `blocks` and `problems`."""
        kind: type[Markdown | Code] = Code
        numbers: list[int] = []
        for number in range(self._first, len(self._lines) + 1):
            if number not in self._statements and not self._line(number).strip():
                if numbers:
                    numbers.append(number)
                continue
            this = Markdown if self._is_markdown(number) else Code
            if this is not kind:
                self._end_block(kind, numbers)
                kind, numbers = this, []
            if this is Markdown:
                self._look_at(number)
            numbers.append(number)
        self._end_block(kind, numbers)

    def _line(self, number: int) -> str:
        """The line of this number; empty outside of the body."""
        return self._lines[number - 1] if self._first <= number <= len(self._lines) else ""

    def _comment(self, number: int) -> str | None:
        """What a comment at the left margin says; None where there is none, or none of the form `# …`."""
        line = self._line(number)
        if number in self._statements or not (line.startswith("# ") or line.rstrip() == "#"):
            return None
        return "" if line.rstrip() == "#" else line[2:]

    def _is_markdown(self, number: int) -> bool:
        comment = self._comment(number)
        if comment is None:
            return False
        if self._fence:
            return True
        return not (number in self._metadata or _PRAGMA.match(comment) or self._is_banner(number, comment))

    def _is_banner(self, number: int, comment: str) -> bool:
        """Whether a comment is drawn, or stands alone between two lines that are."""
        around = (self._comment(number - 1), self._comment(number + 1))
        return _BANNER.fullmatch(comment) is not None or all(
            beside is not None and _RULE.fullmatch(beside) for beside in around
        )

    def _look_at(self, number: int) -> None:
        """Follow the fences of a line of Markdown, and find a heading that would be a second title."""
        comment = self._comment(number) or ""
        if self._fence:
            closing = _CLOSING.fullmatch(comment)
            if closing is not None and closing["mark"].startswith(self._fence):
                self._fence = ""
            return
        opening = _OPENING.match(comment)
        if opening is not None:
            self._fence, self._fence_line = opening["mark"], number
            return
        is_underline = _TITLE_UNDERLINE.fullmatch(comment) is not None and (self._comment(number - 1) or "").strip()
        if is_underline or _TITLE.match(comment) is not None:
            message = f"heading `{comment.strip()}`: the page has its title already; begin at `##`"
            self.problems.append(Problem(self._path, number, message))

    def _end_block(self, kind: type[Markdown | Code], numbers: list[int]) -> None:
        if self._fence:
            self.problems.append(Problem(self._path, self._fence_line, "this fence is never closed"))
            self._fence = ""
        lines = [(self._comment(number) or "") if kind is Markdown else self._line(number) for number in numbers]
        # A line without ink may still belong to a statement: after a backslash, for one.
        inked = [n for n, line in zip(numbers, lines, strict=True) if line.strip() or n in self._statements]
        if inked:
            kept = lines[inked[0] - numbers[0] : inked[-1] - numbers[0] + 1]
            self.blocks.append(kind(inked[0], "\n".join(kept)))


def split(path: Path, text: str, first: int) -> tuple[list[Block], list[Problem]]:
    """Divide what follows the front matter into text and code.

    Args:
        path: The file.
        text: All of it.
        first: Number of the line where the body begins.

    Returns:
        The blocks, and what is wrong with the text.

    Raises:
        NotPython: If the file is no valid Python.
    """
    splitter = _Splitter(path, text, first)
    splitter.split()
    return splitter.blocks, splitter.problems
