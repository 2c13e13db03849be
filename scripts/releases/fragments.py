"""News fragments: one file for each change, until a release moves them into the changelog.

    news/12.fixed.md             the change closes issue 12
    news/+late-token.fixed.md    no issue; the words only keep names apart
    news/12.fixed.1.md           a second one of the same kind

The names are those of towncrier, so that what people know of it holds here. It is not used itself: with a configuration
for each package it would render them, but it can neither check their text, nor add to a section that is there already,
nor write the changelog together with the version or not at all. What it would take over is shorter than that.

The text is one paragraph of Markdown, made of whole sentences.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.releases.errors import ReleaseError

FOLDER = "news"
TYPES = {
    "breaking": "Breaking",
    "added": "Added",
    "changed": "Changed",
    "deprecated": "Deprecated",
    "removed": "Removed",
    "fixed": "Fixed",
    "security": "Security",
}
"""The kinds of change, in the order of the changelog, and their headings there."""
MAX_WIDTH = 118
"""A line of the changelog has at most 120 characters; the bullet takes two."""

_NAME = re.compile(r"(?P<stem>[1-9][0-9]*|\+[a-z0-9]+(?:-[a-z0-9]+)*)\.(?P<type>[a-z]+)(?:\.(?P<number>[0-9]+))?\.md")
_NO_PARAGRAPH = re.compile(r"(?:[-*+>]|#+|[0-9]+[.)])(?:\s|$)|```|~~~")
_MAX_SLUG = 40


@dataclass(frozen=True)
class Fragment:
    """One change, told to users.

    Attributes:
        path: The file.
        stem: The number of the issue, or words after a plus sign.
        type: One of `TYPES`.
        text: The paragraph, without white space around it.
    """

    path: Path
    stem: str
    type: str
    text: str

    @property
    def issue(self) -> int | None:
        """The number of the issue that the change closes."""
        return int(self.stem) if self.stem.isdigit() else None

    def entry(self) -> str:
        """The change as an item of the changelog."""
        lines = self.text.splitlines()
        if self.issue is not None:
            reference = f"(#{self.issue})"
            if len(lines[-1]) + 1 + len(reference) <= MAX_WIDTH:
                lines[-1] += f" {reference}"
            else:
                lines.append(reference)
        return "- " + "\n  ".join(line.strip() for line in lines)


def files(package: Path) -> list[Path]:
    """List whatever lies in the package's folder of fragments, by name."""
    folder = package / FOLDER
    return sorted(folder.iterdir()) if folder.is_dir() else []


def problems_of_name(name: str) -> Iterator[str]:
    """Say what is wrong with the name of a fragment."""
    match = _NAME.fullmatch(name)
    if match is None:
        yield "is no name of a fragment; call it ISSUE.TYPE.md or +SOME-WORDS.TYPE.md, such as +late-token.fixed.md"
    elif match["type"] not in TYPES:
        yield f"has the unknown type {match['type']!r}; there are: {', '.join(TYPES)}"


def problems_of_text(text: str) -> Iterator[str]:
    """Say what is wrong with the text of a fragment."""
    body = text.strip()
    if not body:
        yield "is empty; say in a sentence what a user will notice"
        return
    lines = body.splitlines()
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_WIDTH:
            yield f"has a line of {len(line)} characters, line {number}; at most {MAX_WIDTH} are allowed"
    if not all(line.strip() for line in lines):
        yield "has more than one paragraph; write a fragment for each"
    if any(_NO_PARAGRAPH.match(line.strip()) for line in lines):
        yield "has a list, a heading, a quotation or a block of code; write plain sentences, and no bullet"
    if not body.endswith("."):
        yield "does not end with a full stop"


def look(package: Path) -> tuple[list[Fragment], list[str]]:
    """Read the fragments of a package, issues by number, then the others by name, and what is wrong with the rest.

    Args:
        package: The package's folder.
    """
    found: list[Fragment] = []
    problems: list[str] = []
    for path in files(package):
        wrong = list(problems_of_name(path.name)) if path.is_file() else ["is no file"]
        text = "" if wrong else path.read_text(encoding="utf-8", errors="replace")
        if "\N{REPLACEMENT CHARACTER}" in text:
            wrong = ["is not UTF-8"]
        elif not wrong:
            wrong = list(problems_of_text(text))
        problems += [f"{package.name}/{FOLDER}/{path.name} {problem}" for problem in wrong]
        if not wrong:
            stem, kind, *_ = path.name.split(".")
            found.append(Fragment(path, stem, kind, text.strip()))
    return sorted(found, key=lambda each: (each.issue is None, each.issue or 0, each.path.name)), problems


def read(package: Path) -> list[Fragment]:
    """Read the fragments of a package.

    Args:
        package: The package's folder.

    Raises:
        ReleaseError: If one is not as it should be; the message has a line for each problem.
    """
    found, problems = look(package)
    if problems:
        raise ReleaseError("\n".join(problems))
    return found


def by_type(fragments: Iterable[Fragment]) -> dict[str, list[Fragment]]:
    """Group fragments by type, in the order of the changelog; types without any are left out."""
    every = list(fragments)
    groups = {kind: [fragment for fragment in every if fragment.type == kind] for kind in TYPES}
    return {kind: group for kind, group in groups.items() if group}


def write(package: Path, kind: str, text: str, issue: int | None = None) -> Path:
    """Write a new fragment.

    Args:
        package: The package's folder.
        kind: One of `TYPES`.
        text: Whole sentences; they are wrapped.
        issue: The issue that the change closes.

    Returns:
        The file.

    Raises:
        ReleaseError: If type or text are not as they should be. Nothing is written then.
    """
    wrapped = "\n".join(textwrap.wrap(text, MAX_WIDTH, break_long_words=False, break_on_hyphens=False))
    stem = str(issue) if issue is not None else f"+{slug(text)}"
    problems = [*problems_of_name(f"{stem}.{kind}.md"), *problems_of_text(wrapped)]
    if problems:
        raise ReleaseError("\n".join(f"the fragment {problem}" for problem in problems))
    folder = package / FOLDER
    folder.mkdir(exist_ok=True)
    names = [f"{stem}.{kind}.md", *(f"{stem}.{kind}.{number}.md" for number in range(1, 1000))]
    for name in names:
        try:
            with (folder / name).open("x", encoding="utf-8", newline="\n") as file:
                file.write(f"{wrapped}\n")
        except FileExistsError:
            continue
        return folder / name
    raise ReleaseError(f"{package.name} has too many fragments named {stem}.{kind}; release it")


def slug(text: str) -> str:
    """Make a name of the first words of a text."""
    chosen = ""
    for word in re.findall(r"[a-z0-9]+", text.lower()):
        longer = f"{chosen}-{word}".strip("-")
        if chosen and len(longer) > _MAX_SLUG:
            break
        chosen = longer[:_MAX_SLUG]
    return chosen or "change"
