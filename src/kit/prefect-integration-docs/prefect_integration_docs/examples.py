"""Read examples: Python files whose front matter and comments are the text of a page, and whose rest is its code.

The front matter is YAML in comments between two `# ---` lines at the top of the file. Below it a comment line at the
left margin, outside of any statement, is Markdown; every other line is code.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from prefect_integration_docs.example_bodies import Block, NotPython, split
from prefect_integration_docs.problems import Problem

_FENCE = "# ---"
_REQUIRED = ("title", "description")
# What the value of each key must be.
_TEXT = "a line of text"
_LIST = "a list of texts"
_COMMAND = "a list of texts that begins with a program"
_NUMBER = "a whole number"
_SWITCH = "true or false"
_KEYS = {
    "title": _TEXT,
    "description": _TEXT,
    "icon": _TEXT,
    "keywords": _LIST,
    "dependencies": _LIST,
    "cmd": _COMMAND,
    "order": _NUMBER,
    "draft": _SWITCH,
    "github_url": _TEXT,
    "tags": _LIST,
}

# The stem becomes an address, so it holds what an address shows as it is.
_STEM = re.compile(r"[a-z0-9]+(?:[_-]+[a-z0-9]+)*")


@dataclass(frozen=True)
class Example:
    """An example: what its front matter says, and what its page shows.

    Attributes:
        path: The file.
        title: Title of its page.
        description: One line on what it shows.
        icon: Name of the icon of its page.
        keywords: Words by which the site's search finds it.
        dependencies: What it needs installed, as requirements.
        cmd: The command that runs it.
        order: Its place in the list; those without come last, by name.
        draft: Whether it has no page yet.
        github_url: Where its whole project is, when it is more than this file.
        tags: Labels that no page shows.
        blocks: Text and code below the front matter, in the order of the file.
    """

    path: Path
    title: str
    description: str
    icon: str | None = None
    keywords: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    order: int | None = None
    draft: bool = False
    github_url: str | None = None
    tags: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def slug(self) -> str:
        """The last part of the address of its page."""
        return _slug(self.path)


class _Unreadable(Exception):
    """The file cannot be read as an example: line and reason."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read_examples(folder: Path) -> tuple[list[Example], list[Problem]]:
    """Read all examples of a folder, those with a draft's mark included.

    Args:
        folder: The folder; folders in it are not looked into.

    Returns:
        The examples without fault in the order of their pages, and what is wrong with the others. A file without front
        matter is no example: it gives a problem that is not fatal, unless its name begins with `_`.
    """
    examples: list[Example] = []
    problems: list[Problem] = []
    taken: dict[str, Path] = {}
    for path in sorted(path for path in folder.glob("*.py") if path.is_file()):
        example, wrong = _read(path)
        problems += sorted(wrong, key=lambda problem: problem.line)
        if example is None:
            continue
        if (first := taken.setdefault(example.slug, path)) is not path:
            message = f"{first.name} has the same address, {example.slug!r}; rename one of the two files"
            problems.append(Problem(path, 1, message))
        else:
            examples.append(example)
    examples.sort(key=lambda example: (example.order is None, example.order or 0, example.path.name))
    return examples, problems


def _slug(path: Path) -> str:
    return path.stem.replace("_", "-")


def _read(path: Path) -> tuple[Example | None, list[Problem]]:
    """Read one file; with a problem that is fatal there is no example."""
    try:
        text = _decoded(path)
        lines = text.split("\n")
        end = _end_of_front_matter(lines)
        if end == 0:
            return None, list(_without_front_matter(path, lines))
        values, problems = _front_matter(path, lines[1:end])
        blocks, wrong = split(path, text, end + 2)
    except (_Unreadable, NotPython) as exc:
        return None, [Problem(path, exc.line, str(exc))]
    problems += wrong
    if _STEM.fullmatch(path.stem) is None or _slug(path) == "index":
        message = "an example's name is lower-case letters and digits, with `_` between them, and not `index`"
        problems.append(Problem(path, 1, f"the page cannot have the address {_slug(path)!r}: {message}"))
    if problems:
        return None, problems
    for key in ("keywords", "dependencies", "cmd", "tags"):
        values[key] = tuple(values.get(key, ()))
    values["cmd"] = values["cmd"] or ("python", str(path))
    return Example(path=path, blocks=tuple(blocks), **values), []


def _decoded(path: Path) -> str:
    """Read a file as Python does: UTF-8, also with a mark at its start, and any kind of line end."""
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise _Unreadable(1, f"cannot be read: {exc.strerror}") from exc
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _Unreadable(content.count(b"\n", 0, exc.start) + 1, "is not UTF-8 here; save it as UTF-8") from exc
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --- front matter ----------------------------------------------------------------------------------------------------


def _end_of_front_matter(lines: list[str]) -> int:
    """Find the index of the closing line; 0 when the first line opens none."""
    if lines[0].rstrip() != _FENCE:
        return 0
    for index, line in enumerate(lines[1:], 1):
        if line.rstrip() == _FENCE:
            return index
        if not line.startswith("#"):
            if any(later.rstrip() == _FENCE for later in lines[index:]):
                raise _Unreadable(index + 1, f"every line of front matter begins with '#', up to {_FENCE!r}")
            break
    raise _Unreadable(1, f"the front matter has no closing {_FENCE!r}")


def _without_front_matter(path: Path, lines: list[str]) -> Iterator[Problem]:
    """Say of a file without front matter why it is no example, unless its name says so."""
    above = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    for number, (line, after) in enumerate(itertools.pairwise(lines[:above]), 1):
        if line.rstrip() == _FENCE and re.match(r"#\s*\w+\s*:", after):
            message = "front matter begins in the first line of the file; remove what stands above it"
            yield Problem(path, number, message)
            return
    if not path.name.startswith("_"):
        message = (
            f"no front matter, so this is no example and has no page; begin it with {_FENCE!r}, '# title: …',"
            f" '# description: …', {_FENCE!r}, or let its name begin with '_'"
        )
        yield Problem(path, 1, message, fatal=False)


def _front_matter(path: Path, comments: list[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Read the lines between the two fences: the values of its keys, and what is wrong with them."""
    text = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in comments)
    try:
        loader: Any = yaml.SafeLoader(text)  # refuses control characters at once
        node: object = loader.get_single_node()
    except yaml.YAMLError as exc:
        raise _Unreadable(*_yaml_fault(exc)) from exc
    if not isinstance(node, yaml.MappingNode):
        raise _Unreadable(2, "the front matter is no list of `key: value`")
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    meant: set[str] = set()  # by keys that are misspelled
    for key_node, value_node in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        key, line = str(key_node.value), key_node.start_mark.line + 2
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            meant.update(near)
            remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_KEYS)}"
            problems.append(Problem(path, line, f"unknown key {key!r}; {remedy}"))
        elif key in values:
            problems.append(Problem(path, line, f"{key!r} is given twice"))
        else:
            values[key], wrong = _value(key, value_node)
            if wrong is not None:
                problems.append(Problem(path, line, wrong))
    lacking = [key for key in _REQUIRED if key not in values and key not in meant]
    problems += [Problem(path, 1, f"the front matter lacks {key!r}") for key in lacking]
    return values, problems


def _yaml_fault(exc: yaml.YAMLError) -> tuple[int, str]:
    """Give the line of a fault of YAML in the file, and what it is."""
    if isinstance(exc, yaml.MarkedYAMLError) and exc.problem_mark is not None:
        return exc.problem_mark.line + 2, f"the front matter is no valid YAML: {exc.problem}"
    return 1, f"the front matter is no valid YAML: {str(exc).splitlines()[0]}"


def _value(key: str, node: yaml.Node) -> tuple[Any, str | None]:
    """Make the value of a key, and say what is wrong with it."""
    loader: Any = yaml.SafeLoader("")
    try:
        value: object = loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as exc:  # `2026-02-30` looks like a date, and is none
        return None, f"{key!r} must be {_KEYS[key]}: {exc}"
    if not _is_a(_KEYS[key], value):
        is_scalar = isinstance(node, yaml.ScalarNode) and value is not None and not isinstance(value, str)
        remedy = "; put it in quotes" if _KEYS[key] == _TEXT and is_scalar else ""
        return value, f"{key!r} must be {_KEYS[key]}, not {value!r}{remedy}"
    if isinstance(value, str):
        value = value.strip()
    return value, _wrong_content(key, value)


def _is_a(kind: str, value: object) -> bool:
    if kind == _TEXT:
        return isinstance(value, str) and bool(value.strip()) and "\n" not in value.strip()
    if kind in (_LIST, _COMMAND):
        items = cast("list[object]", value)
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in items)
        return is_list and (kind == _LIST or (bool(items) and bool(items[0])))
    # A bool is an int to Python, but not to the one who wrote `order: true`.
    return isinstance(value, bool) if kind == _SWITCH else type(value) is int


def _wrong_content(key: str, value: object) -> str | None:
    """Say what is wrong with a value that is of the right type."""
    if key == "dependencies":
        return next(filter(None, map(_wrong_requirement, cast("list[str]", value))), None)
    if key == "github_url" and not _is_web_address(str(value)):
        return f"'github_url' must be an address that begins with https:// or http://, not {value!r}"
    return None


def _wrong_requirement(text: str) -> str | None:
    try:
        Requirement(text)
    except InvalidRequirement as exc:
        return f"{text!r} is no requirement: {str(exc).splitlines()[0]}"
    return None


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and re.search(r"\s", text) is None
