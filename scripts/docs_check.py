"""Check what pages under `docs/` and READMEs say, without rendering them.

    python -m scripts.docs_check

Each page has a title (guides also a description), its Python compiles, its YAML, JSON and TOML parse. The links of
READMEs lead somewhere, and every integration has a guide. Whether pages render, and whether their links and the
navigation hold, is found out by `scripts.site check`.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import tomli
import yaml

from scripts import markdown, workspace
from scripts.markdown import Page, Problem

_OUTSIDE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


# --- code ------------------------------------------------------------------------------------------------------------


def _python(code: str) -> tuple[int, str] | None:
    try:
        compile(code, "<page>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    except SyntaxError as exc:
        return exc.lineno or 1, exc.msg
    return None


def _yaml(code: str) -> tuple[int, str] | None:
    try:
        # Only the shape counts: placeholders such as `{{ step.output }}` compose, but make no value.
        deque(cast("Iterator[object]", yaml.compose_all(code, yaml.SafeLoader)), maxlen=0)
    except yaml.MarkedYAMLError as exc:
        return (exc.problem_mark.line + 1 if exc.problem_mark else 1), str(exc.problem)
    return None


def _json(code: str) -> tuple[int, str] | None:
    try:
        json.loads(code)
    except json.JSONDecodeError as exc:
        return exc.lineno, exc.msg
    return None


def _toml(code: str) -> tuple[int, str] | None:
    try:
        tomli.loads(code)
    except tomli.TOMLDecodeError as exc:
        return 1, str(exc)
    return None


_LANGUAGES: dict[str, tuple[str, Callable[[str], tuple[int, str] | None]]] = {
    "json": ("JSON", _json),
    "py": ("Python", _python),
    "python": ("Python", _python),
    "toml": ("TOML", _toml),
    "yaml": ("YAML", _yaml),
    "yml": ("YAML", _yaml),
}


def _is_signature(code: str) -> bool:
    """Whether it is what a page of the reference shows first of a function."""
    is_async = code.startswith("async ")
    return _python(f"{'async def' if is_async else 'def'} {code.removeprefix('async ')}: ...") is None


def check_code(page: Page) -> Iterator[Problem]:
    """Find fenced blocks that do not parse as the language that they name."""
    is_reference = "api-ref" in page.path.parts
    for fence in page.fences:
        if is_reference and fence.language == "python" and _is_signature(fence.code):
            continue
        if not fence.language:
            yield Problem(page.path, fence.line - 1, "this fence names no language; `text` is one")
        elif fence.language in _LANGUAGES:
            name, parse = _LANGUAGES[fence.language]
            if (wrong := parse(fence.code)) is not None:
                line, message = wrong
                yield Problem(page.path, fence.line + line - 1, f"not valid {name}: {message}")


# --- front matter ----------------------------------------------------------------------------------------------------


def check_front(page: Page) -> Iterator[Problem]:
    """Find a missing title or description."""
    generated = "api-ref" in page.path.parts
    for key in ("title",) if generated else ("title", "description"):
        value = page.front.get(key)
        if not isinstance(value, str) or not value.strip():
            yield Problem(page.path, 1, f"the front matter has no `{key}`")


# --- links -----------------------------------------------------------------------------------------------------------


def check_links(readme: Page, root: Path) -> Iterator[Problem]:
    """Find links of a README to files and headings that are not there."""
    for target, line in readme.links():
        where, _, fragment = target.partition("#")
        if _OUTSIDE.match(target):
            continue
        path = (readme.path.parent / where).resolve() if where else readme.path
        if not path.is_relative_to(root):
            yield Problem(readme.path, line, f"link to {where}: leads out of the repository")
        elif not path.exists():
            yield Problem(readme.path, line, f"link to {where}: there is no such file")
        elif fragment and path.suffix == ".md" and fragment not in markdown.read(path).anchors():
            yield Problem(readme.path, line, f"link to {target}: the page has no such heading")


# --- guides ----------------------------------------------------------------------------------------------------------


def check_guides(root: Path) -> Iterator[Problem]:
    """Find integrations without a guide."""
    for metadata in sorted(root.glob("src/integrations/*/pyproject.toml")):
        guide = root / "docs" / "integrations" / metadata.parent.name / "index.mdx"
        if not guide.is_file():
            yield Problem(guide, 1, f"{metadata.parent.name} has no guide")


# --- all of it -------------------------------------------------------------------------------------------------------


def check(root: Path) -> list[Problem]:
    """Check a repository and return what is wrong, file by file."""
    pages = [markdown.read(path) for path in sorted(root.glob("docs/**/*.mdx"))]
    readmes = [
        markdown.read(path)
        for pattern in ("*.md", "*/README.md", "src/**/README.md")
        for path in sorted(root.glob(pattern))
        if "node_modules" not in path.parts
    ]
    problems: list[Problem] = []
    for page in pages:
        problems += check_front(page)
    for page in readmes:
        problems += [*page.problems, *check_links(page, root)]
    for page in [*pages, *readmes]:
        problems += check_code(page)
    problems += check_guides(root)
    return sorted(problems, key=lambda problem: (problem.path.as_posix(), problem.line))


def main(root: Path = workspace.ROOT) -> int:
    """Print what is wrong, one problem a line; return 1 when there is any."""
    problems = check(root)
    for problem in problems:
        print(problem.within(root), file=sys.stderr)
    if problems:
        print(f"docs-check: {len(problems)} problem(s)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
