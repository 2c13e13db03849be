"""Write `llms.txt`: what pages the site has, for programs that read it (https://llmstxt.org)."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from prefect_integration_docs.navigation import Entry, walk

_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def describe(text: str) -> tuple[str, str]:
    """Find title and description of a page.

    Args:
        text: The whole page. A generated page of the reference is titled by its module, and described by the first
            paragraph of that.
    """
    front: dict[str, str] = {}
    lines = text.split("\n")
    start = 0
    if lines[0] == "---" and "---" in lines[1:]:
        start = lines.index("---", 1) + 1
        for line in lines[1 : start - 1]:
            key, colon, value = line.partition(":")
            if colon and not key.startswith((" ", "#")):
                front[key] = _plain(value.strip())
    title, description = front.get("title", ""), front.get("description", "")
    heading = next((number for number, line in enumerate(lines[start:], start) if line.startswith("# `")), None)
    if heading is not None:
        title = lines[heading][2:].strip("` ")
        paragraph: list[str] = []
        for line in lines[heading + 2 :]:
            if not line.strip() or line.startswith(("#", "```", "**", "<")):
                break
            paragraph.append(line.strip())
        description = _LINK.sub(r"\1", " ".join(paragraph)).replace("\\", "")
    return title, description


def _plain(value: str) -> str:
    if value[:1] in {'"', "'"}:
        try:
            return str(ast.literal_eval(value))
        except (ValueError, SyntaxError):
            return value.strip("\"'")
    return value


def render(site: Entry, title: str, description: str, base: str, page: Callable[[str], str | None]) -> str:
    """Render the file: a section for each tab, and one for the reference of each package.

    Args:
        site: Content of `docs.json`.
        title: Name of the site.
        description: What the site is about.
        base: Address of the site.
        page: Gives the text of a page by its address, or None.
    """
    parts = [f"# {title}"]
    if description:
        parts.append(f"> {description}")
    tabs: list[dict[str, Any]] = site.get("navigation", {}).get("tabs", [])
    for tab in tabs:
        guides: list[str] = []
        references: dict[str, list[str]] = {}
        for address in walk(tab):
            package, slash, _ = address.partition("/api-ref/")
            target = references.setdefault(package.rpartition("/")[2], []) if slash else guides
            text = page(address)
            if text is None:
                continue
            name, about = describe(text)
            target.append(f"- [{name}]({base}/{address}.md)" + (f": {about}" if about else ""))
        if guides:
            parts += [f"## {tab.get('tab')}", "\n".join(guides)]
        for package, lines in references.items():
            if lines:
                parts += [f"## API reference of {package}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"
