"""List and run the examples: the `examples/*.py` that begin with front matter.

    python -m scripts.examples list             title and file of each
    python -m scripts.examples run              run all of them, one after the other
    python -m scripts.examples run tour         run one, by the name of its file

The front matter is YAML in comments between two `# ---` lines at the top of the file. An example ends with exit code 0
within its time, offline, on the packages of the `examples` group of the root `pyproject.toml`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from scripts import workspace

FOLDER = workspace.ROOT / "examples"
TIMEOUT_SECONDS = 180.0
GRACE_SECONDS = 10.0

_FENCE = "# ---"
_REQUIRED = ("title", "description")
# Each key with what its value must be, in words and as a test.
_TEXT = "a line of text"
_LIST = "a list of texts"
_KEYS = {
    "title": _TEXT,
    "description": _TEXT,
    "icon": _TEXT,
    "keywords": _LIST,
    "dependencies": _LIST,
    "cmd": _LIST,
    "order": "a whole number",
    "draft": "true or false",
    "github_url": _TEXT,
    "tags": _LIST,
}


class ExampleError(Exception):
    """The front matter of an example is not what it should be; the message begins with file and line."""


@dataclass(frozen=True)
class Example:
    """An example and what its front matter says.

    Attributes:
        path: The file.
        title: Title of its page.
        description: One line on what it shows.
        dependencies: What it needs installed, as requirements.
        cmd: The command that runs it, from the root of the repository.
        order: Its place in the list; those without come last, by name.
        draft: Whether it has no page yet.
    """

    path: Path
    title: str
    description: str
    dependencies: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    order: int | None = None
    draft: bool = False


def _is_a(kind: str, value: object) -> bool:
    if kind == _TEXT:
        return isinstance(value, str) and bool(value.strip())
    if kind == _LIST:
        items = cast("list[object]", value)
        return isinstance(value, list) and all(isinstance(item, str) for item in items)
    # A bool is an int to Python, but not to the one who wrote `order: true`.
    return isinstance(value, bool) if kind == "true or false" else type(value) is int


def front_matter(path: Path) -> dict[str, tuple[Any, int]] | None:
    """Read the front matter of a file: each value with its line, or None when it has no front matter.

    Raises:
        ExampleError: If the block does not end, is no valid YAML, or holds unknown, missing, double or wrong keys.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].rstrip() != _FENCE:
        return None
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise ExampleError(f"{path}:1: the front matter has no closing {_FENCE!r}")
    for number, line in enumerate(lines[1:end], 2):
        if not line.startswith("#"):
            raise ExampleError(f"{path}:{number}: a line of front matter begins with '#'")
    text = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines[1:end])
    try:
        node = cast("object", yaml.compose(text, yaml.SafeLoader))
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:
        line = (exc.problem_mark.line if exc.problem_mark else 0) + 2
        raise ExampleError(f"{path}:{line}: {exc.problem}") from exc
    if not isinstance(node, yaml.MappingNode):
        raise ExampleError(f"{path}:2: the front matter is no list of `key: value`")
    found: dict[str, tuple[Any, int]] = {}
    for key_node, _ in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        key, line = str(key_node.value), key_node.start_mark.line + 2
        if key not in _KEYS:
            known = ", ".join(_KEYS)
            raise ExampleError(f"{path}:{line}: unknown key {key!r}; known are {known}")
        if key in found:
            raise ExampleError(f"{path}:{line}: {key!r} is given twice")
        if not _is_a(_KEYS[key], values[key]):
            raise ExampleError(f"{path}:{line}: {key!r} must be {_KEYS[key]}, not {values[key]!r}")
        found[key] = (values[key], line)
    for key in _REQUIRED:
        if key not in found:
            raise ExampleError(f"{path}:1: the front matter lacks {key!r}")
    return found


def read(path: Path) -> Example | None:
    """Read an example, or return None when the file has no front matter and so is none.

    Raises:
        ExampleError: If the front matter is not what it should be.
    """
    found = front_matter(path)
    if found is None:
        return None
    values = {key: value for key, (value, _) in found.items()}
    try:
        _ = [Requirement(dependency) for dependency in values.get("dependencies", [])]
    except InvalidRequirement as exc:
        raise ExampleError(f"{path}:{found['dependencies'][1]}: {exc}") from exc
    return Example(
        path=path,
        title=values["title"],
        description=values["description"],
        dependencies=tuple(values.get("dependencies", [])),
        cmd=tuple(values.get("cmd", ["python", str(path)])),
        order=values.get("order"),
        draft=values.get("draft", False),
    )


def examples(folder: Path = FOLDER) -> list[Example]:
    """Read all examples of a folder, in the order of their pages.

    Raises:
        ExampleError: If the front matter of one is not what it should be.
    """
    found = [example for path in sorted(folder.glob("*.py")) if (example := read(path)) is not None]
    return sorted(found, key=lambda example: (example.order is None, example.order or 0, example.path.name))


def missing(example: Example) -> list[str]:
    """List the dependencies of an example that this environment lacks, or has in a wrong version."""
    lacking: list[str] = []
    for dependency in example.dependencies:
        requirement = Requirement(dependency)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            lacking.append(dependency)
        else:
            if not requirement.specifier.contains(installed, prereleases=True):
                lacking.append(f"{dependency} (installed: {installed})")
    return lacking


def run(example: Example, timeout_seconds: float = TIMEOUT_SECONDS) -> str | None:
    """Run an example and return what went wrong, or None.

    Args:
        example: The example.
        timeout_seconds: Seconds after which it is ended, with everything that it started.
    """
    if lacking := missing(example):
        return f"needs {', '.join(lacking)}; add it to the `examples` group of the root pyproject.toml"
    command = [sys.executable if part == "python" else part for part in example.cmd]
    try:
        process = subprocess.Popen(command, cwd=workspace.ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as exc:
        return f"cannot start {command[0]!r}: {exc.strerror}"
    try:
        code = process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        return f"still ran after {timeout_seconds:g} s"
    finally:
        _end_group(process)
    return None if code == 0 else f"ended with exit code {code}"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a process and its children: politely first, since it may have servers to stop."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)


def run_all(chosen: list[Example], timeout_seconds: float) -> int:
    """Run examples one after the other, say how each ended, and return 1 when one failed."""
    failed = 0
    for example in chosen:
        print(f"--- {example.path.name}: {example.title}", flush=True)
        begin = time.monotonic()
        wrong = run(example, timeout_seconds)
        failed += wrong is not None
        print(f"--- {example.path.name}: {wrong or 'passed'} ({time.monotonic() - begin:.1f} s)", flush=True)
    return min(failed, 1)


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Run one of the commands that the module's docstring lists."""
    parser = argparse.ArgumentParser(prog="examples.py", description="List and run the examples.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="title and file of each")
    runner = commands.add_parser("run", help="run all, or those that are named")
    runner.add_argument("names", nargs="*", metavar="NAME", help="name of the file, without .py")
    runner.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds for each")
    options = parser.parse_args(arguments)
    try:
        found = examples(folder)
    except ExampleError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    if options.command == "list":
        for example in found:
            print(f"{example.path.name:20} {example.title}{' (draft)' if example.draft else ''}")
        return 0
    if unknown := sorted(set(options.names) - {example.path.stem for example in found}):
        names = ", ".join(example.path.stem for example in found)
        print(f"error: no example is named {unknown[0]!r}; there are: {names}", file=sys.stderr)
        return 2
    chosen = [e for e in found if not options.names or e.path.stem in options.names]
    return run_all(chosen, options.timeout)


if __name__ == "__main__":
    raise SystemExit(main())
