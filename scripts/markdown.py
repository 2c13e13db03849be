"""Read the parts of a Markdown page that the checks look at: front matter, fences, text, links, anchors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_SPAN = re.compile(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*\]\(\s*<?([^()\s<>]*(?:\([^()\s]*\)[^()\s]*)?)>?[^)]*\)")
_ATTRIBUTE_LINK = re.compile(r"\b(?:href|src)=\"([^\"]*)\"")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*$")


@dataclass(frozen=True)
class Problem:
    """Something wrong at one place of one file."""

    path: Path
    line: int
    message: str

    def within(self, root: Path) -> str:
        """Say it in one line, with the path relative to `root`."""
        path = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        return f"{path.as_posix()}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Fence:
    """A fenced block of code: its language, its code without common indent, the line where the code starts."""

    language: str
    code: str
    line: int


@dataclass
class Page:
    """A Markdown file, taken apart.

    Attributes:
        path: The file.
        front: Its front matter; empty when it has none.
        fences: Its fenced blocks.
        text: The file with front matter and all code blanked out, line for line.
        headings: Level, text and line of each heading.
        problems: What kept the file from being read whole.
    """

    path: Path
    front: dict[str, Any] = field(default_factory=dict[str, Any])
    fences: list[Fence] = field(default_factory=list[Fence])
    text: str = ""
    headings: list[tuple[int, str, int]] = field(default_factory=list[tuple[int, str, int]])
    problems: list[Problem] = field(default_factory=list[Problem])

    def links(self) -> Iterator[tuple[str, int]]:
        """Yield the target and line of each link, image and `href` or `src` attribute."""
        for pattern in (_LINK, _ATTRIBUTE_LINK):
            for match in pattern.finditer(self.text):
                yield match[1], self.text.count("\n", 0, match.start()) + 1

    def anchors(self) -> set[str]:
        """Collect the anchors of the headings."""
        return {anchor(text) for _, text, _ in self.headings}


def anchor(heading: str) -> str:
    """Make the anchor that the site gives a heading: lower case, words joined by hyphens."""
    plain = re.sub(r"<[^>]*>", "", heading)
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", plain).replace("`", "")
    plain = unicodedata.normalize("NFKC", plain).strip().lower()
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", plain)).strip("-")


def _front_matter(page: Page, lines: list[str]) -> int:
    """Read the front matter into `page` and return the number of lines that it takes."""
    if not lines or lines[0].strip() != "---":
        return 0
    end = next((n for n, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        page.problems.append(Problem(page.path, 1, "the front matter has no closing `---`"))
        return 0
    try:
        front: object = yaml.safe_load("\n".join(lines[1:end])) or {}
    except yaml.MarkedYAMLError as exc:
        line = (exc.problem_mark.line if exc.problem_mark else 0) + 2
        page.problems.append(Problem(page.path, line, f"front matter: {exc.problem}"))
        return end + 1
    if isinstance(front, dict):
        page.front = cast("dict[str, Any]", front)
    else:
        page.problems.append(Problem(page.path, 2, "the front matter is no list of `key: value`"))
    return end + 1


def _without_indent(lines: list[str], width: int) -> str:
    """Remove up to `width` leading blanks of each line, as Markdown does for an indented fence."""
    return "\n".join(line[min(width, len(line) - len(line.lstrip())) :] for line in lines)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def read(path: Path) -> Page:
    """Take a Markdown file apart."""
    page = Page(path)
    lines = path.read_text(encoding="utf-8").split("\n")
    start = _front_matter(page, lines)
    text = [""] * start
    opening: re.Match[str] | None = None
    opened = 0
    for number, line in enumerate(lines[start:], start + 1):
        match = _FENCE.match(line)
        if opening is None and match is not None:
            opening, opened = match, number
            text.append("")
        elif opening is not None:
            text.append("")
            closes = match is not None and match["mark"].startswith(opening["mark"]) and not match["info"].strip()
            if closes:
                code = _without_indent(lines[opened : number - 1], len(opening["indent"]))
                language = (opening["info"].split() or [""])[0].lower()
                page.fences.append(Fence(language, code, opened + 1))
                opening = None
        else:
            text.append(line)
            if (heading := _HEADING.match(line)) is not None:
                page.headings.append((len(heading[1]), heading[2], number))
    if opening is not None:
        page.problems.append(Problem(path, opened, "this fence is never closed"))
    page.text = _SPAN.sub(_blank, "\n".join(text))
    return page
