"""Check the pages under `docs/` and the READMEs without a browser and without the network.

    python -m scripts.docs_check

Each page has a title (guides also a description), its Python compiles, its YAML, JSON and TOML parse, its links lead
somewhere, its MDX holds no accidental JavaScript and only the components that the preview knows. `docs.json` and the
files agree, and every integration has a guide.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import tomli
import yaml

from scripts import markdown, workspace
from scripts.markdown import Page, Problem

COMPONENTS = frozenset(
    [
        "Accordion",
        "AccordionGroup",
        "Card",
        "CardGroup",
        "CodeGroup",
        "Frame",
        "Icon",
        "Info",
        "Note",
        "Step",
        "Steps",
        "Tab",
        "Tabs",
        "Tip",
        "Warning",
    ]
)
ELEMENTS = frozenset({"a", "br", "img", "kbd", "sub", "sup"})
_VOID = frozenset({"br", "img"})

_COMMENT = re.compile(r"\{/\*.*?\*/\}", re.DOTALL)
_VALUE = r"(?:\"[^\"]*\"|'[^']*'|\{\{[^{}]*\}\}|\{[^{}]*\})"
_ELEMENT = re.compile(rf"<(?P<close>/?)(?P<name>[A-Za-z][\w.]*)(?:\s+[A-Za-z][\w:-]*(?:={_VALUE})?)*\s*(?P<alone>/?)>")
_STRAY = re.compile(r"(?<!\\)(?:[{}]|<(?![ \t\n]))")
_OUTSIDE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
_EXAMPLE = re.compile(r"^v3/examples/(?P<slug>[a-z0-9-]+)$")
_REFERENCE = re.compile(r"^integrations/(?P<name>[a-z0-9-]+)/api-ref/(?P<module>\w+(?:-\w+)*)$")


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


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


def check_code(page: Page) -> Iterator[Problem]:
    """Find fenced blocks that do not parse as the language that they name."""
    for fence in page.fences:
        if not fence.language:
            yield Problem(page.path, fence.line - 1, "this fence names no language; `text` is one")
        elif fence.language in _LANGUAGES:
            name, parse = _LANGUAGES[fence.language]
            if (wrong := parse(fence.code)) is not None:
                line, message = wrong
                yield Problem(page.path, fence.line + line - 1, f"not valid {name}: {message}")


# --- MDX -------------------------------------------------------------------------------------------------------------


def check_mdx(page: Page) -> Iterator[Problem]:
    """Find braces and angle brackets that MDX would take for JavaScript, and unknown or unbalanced components."""
    text = _COMMENT.sub(_spaces, page.text)
    opened: list[tuple[str, int]] = []
    for match in _ELEMENT.finditer(text):
        name, line = match["name"], _line(text, match.start())
        if name not in COMPONENTS | ELEMENTS:
            yield Problem(page.path, line, f"<{name}> is not a component that the site knows")
        elif match["close"]:
            if not opened or opened[-1][0] != name:
                inside = f" inside <{opened[-1][0]}>" if opened else ""
                yield Problem(page.path, line, f"</{name}> closes nothing{inside}")
            else:
                opened.pop()
        elif not match["alone"]:
            if name in _VOID:
                yield Problem(page.path, line, f"write <{name} />: MDX wants every element closed")
            else:
                opened.append((name, line))
    for name, line in opened:
        yield Problem(page.path, line, f"<{name}> is never closed")
    rest = _ELEMENT.sub(_spaces, text)
    for match in _STRAY.finditer(rest):
        message = f"`{match[0]}` outside of code is JavaScript to MDX; put it in code or escape it"
        yield Problem(page.path, _line(rest, match.start()), message)


def _spaces(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


# --- front matter and headings ---------------------------------------------------------------------------------------


def check_front(page: Page) -> Iterator[Problem]:
    """Find a missing title or description, and a heading that would be a second title."""
    generated = "api-ref" in page.path.parts
    for key in ("title",) if generated else ("title", "description"):
        value = page.front.get(key)
        if not isinstance(value, str) or not value.strip():
            yield Problem(page.path, 1, f"the front matter has no `{key}`")
    if not generated:
        for level, text, line in page.headings:
            if level == 1:
                message = f"`# {text}`: the site shows the title as first heading; start at `##`"
                yield Problem(page.path, line, message)


# --- links -----------------------------------------------------------------------------------------------------------


class Site:
    """The files that links may lead to.

    Args:
        root: Folder of the repository.
        pages: Every page of `docs/`, taken apart.
    """

    def __init__(self, root: Path, pages: list[Page]) -> None:
        self.root = root
        self.docs = root / "docs"
        self.pages = {page.path: page for page in pages}

    def url(self, path: Path) -> str:
        """Give the address of a page, from the site's root, without extension."""
        return path.relative_to(self.docs).with_suffix("").as_posix()

    def page(self, url: str) -> Path | None:
        """Find the page of an address; `a/b` may be `a/b.mdx` or `a/b/index.mdx`."""
        for path in (self.docs / f"{url}.mdx", self.docs / url / "index.mdx"):
            if path in self.pages:
                return path
        return None

    def is_missing(self, destination: str) -> bool:
        """Say whether a redirect leads to an address of this site that has no page."""
        if not destination.startswith("/") or ":" in destination:  # elsewhere, or with a wildcard
            return False
        return self.page(destination.partition("#")[0].strip("/") or "index") is None

    def is_generated(self, url: str) -> bool:
        """Say whether an address is that of the page of a module or an example that exists.

        These pages are generated; a link may be older than the page, but not than its source.
        """
        if (match := _EXAMPLE.match(url)) is not None:
            return (self.root / "examples" / f"{match['slug'].replace('-', '_')}.py").is_file()
        if (match := _REFERENCE.match(url)) is None:
            return False
        folder = self.root / "src" / "integrations" / match["name"]
        module = folder.joinpath(*match["module"].split("-"))
        return module.with_suffix(".py").is_file() or module.is_dir()

    def check(self, page: Page, target: str, line: int) -> Problem | None:
        """Find out what is wrong with one link of one page."""
        where, _, fragment = target.partition("#")
        if _OUTSIDE.match(target):
            return None
        if not where:
            found = page.path
        elif where.startswith("/"):
            url = where.strip("/") or "index"
            if (self.docs / url).is_file() or self.is_generated(url):
                return None
            found = self.page(url)
        else:
            return self._check_relative(page, where, line)
        if found is None:
            hint = "; pages that are not in this repository need their full address" if "v3/" in where else ""
            return Problem(page.path, line, f"link to {target}: there is no such page{hint}")
        if fragment and fragment not in self.pages.get(found, page).anchors():
            return Problem(page.path, line, f"link to {target}: the page has no such heading")
        return None

    def _check_relative(self, page: Page, where: str, line: int) -> Problem | None:
        target = (page.path.parent / where).resolve()
        if not target.is_relative_to(self.root):
            return Problem(page.path, line, f"link to {where}: leads out of the repository")
        if target.exists() or (target.with_suffix(".mdx") in self.pages):
            return None
        return Problem(page.path, line, f"link to {where}: there is no such file")


def check_links(page: Page, site: Site) -> Iterator[Problem]:
    """Find links to pages, files and headings that are not there."""
    for target, line in page.links():
        if (problem := site.check(page, target, line)) is not None:
            yield problem


# --- docs.json -------------------------------------------------------------------------------------------------------


def navigation(node: object) -> Iterator[str]:
    """Yield every page that a part of the navigation names, in order."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in cast("list[object]", node):
            yield from navigation(item)
    elif isinstance(node, dict):
        for key, value in cast("dict[str, object]", node).items():
            if key in {"tabs", "anchors", "dropdowns", "groups", "pages"}:
                yield from navigation(value)
            elif key == "root":
                yield cast("str", value)


def check_navigation(site: Site) -> Iterator[Problem]:
    """Find pages without an entry, entries without a page, double entries and redirects to nowhere."""
    file = site.docs / "docs.json"
    try:
        settings = cast("dict[str, Any]", json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        yield Problem(file, 1, "there is no docs.json")
        return
    except json.JSONDecodeError as exc:
        yield Problem(file, exc.lineno, f"not valid JSON: {exc.msg}")
        return
    listed = Counter(navigation(settings.get("navigation", {})))
    for url, times in listed.items():
        if site.docs / f"{url}.mdx" not in site.pages:
            yield Problem(file, 1, f"the navigation names {url}, which is no page")
        if times > 1:
            yield Problem(file, 1, f"the navigation names {url} {times} times")
    for path, page in site.pages.items():
        if site.url(path) not in listed and page.front.get("hidden") is not True:
            yield Problem(path, 1, "no entry in docs.json; add one, or `hidden: true` above")
    redirects = {r["source"]: r["destination"] for r in settings.get("redirects", [])}
    for source, destination in redirects.items():
        if destination in redirects:
            yield Problem(file, 1, f"redirect of {source}: {destination} is itself redirected")
        elif site.is_missing(destination):
            yield Problem(file, 1, f"redirect of {source}: {destination} is no page")


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
    ]
    site = Site(root, pages)
    problems: list[Problem] = []
    for page in pages:
        problems += [*page.problems, *check_front(page), *check_mdx(page)]
    for page in readmes:
        problems += page.problems
    for page in [*pages, *readmes]:
        problems += [*check_code(page), *check_links(page, site)]
    problems += [*check_navigation(site), *check_guides(root)]
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
