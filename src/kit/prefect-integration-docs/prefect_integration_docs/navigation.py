"""Put generated pages into the navigation of `docs.json`, and leave everything else as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from prefect_integration_docs.discovery import Source

Entry = dict[str, Any]


class NavigationError(Exception):
    """`docs.json` cannot be read, or lacks a place for pages; the message says which.

    Attributes:
        line: The line of the file, counted from 1.
    """

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def read(file: Path) -> Entry:
    """Read a `docs.json`.

    Raises:
        NavigationError: If it is missing or no JSON.
    """
    try:
        return cast("Entry", json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NavigationError("there is no such file; it holds the navigation of the site") from None
    except json.JSONDecodeError as exc:
        raise NavigationError(f"not valid JSON: {exc.msg}", exc.lineno) from exc


def dump(site: Entry) -> str:
    """Write a `docs.json` as this repository formats it: lists of one text on one line."""
    dumped = json.dumps(site, indent=2, ensure_ascii=False)
    return re.sub(r"\[\n\s+(\"[^\"\n]*\")\n\s+\]", r"[\1]", dumped) + "\n"


def _groups(node: object) -> Iterator[Entry]:
    """Yield every group of a navigation."""
    if isinstance(node, list):
        for item in cast("list[object]", node):
            yield from _groups(item)
    elif isinstance(node, dict):
        entry = cast("Entry", node)
        if "group" in entry:
            yield entry
        for value in entry.values():
            yield from _groups(value)


def set_reference(site: Entry, distribution: str, pages: list[str | Entry]) -> None:
    """Put the pages of a reference into its group.

    Args:
        site: Content of `docs.json`; changed in place.
        distribution: Name of the distribution.
        pages: The entries, as `reference` makes them.

    Raises:
        NavigationError: If the navigation has no group for them.
    """
    anchor = f"{distribution}-sdk-reference"
    for group in _groups(site.get("navigation")):
        if group.get("anchor") == anchor:
            group["pages"] = pages
            return
    raise NavigationError(
        f'the navigation has no group for {distribution}; add {{"group": "SDK Reference", "anchor": "{anchor}", '
        f'"pages": []}} to its group'
    )


def set_examples(site: Entry, pages: list[str]) -> None:
    """Put the example pages into the group `Examples` of the tab `Examples`.

    Args:
        site: Content of `docs.json`; changed in place.
        pages: Addresses of the pages, in their order.

    Raises:
        NavigationError: If the navigation has no such group.
    """
    tabs: list[Entry] = site.get("navigation", {}).get("tabs", [])
    for tab in tabs:
        if tab.get("tab") == "Examples":
            for group in _groups(tab):
                if group["group"] == "Examples":
                    group["pages"] = pages
                    return
    raise NavigationError('the navigation has no group "Examples" in a tab "Examples"; add it, with `"pages": []`')


def reference(base: str, package: str, sources: list[Source]) -> list[str | Entry]:
    """Order the pages of a package: modules at its root, then a group for each subpackage.

    Args:
        base: Address of the folder that the pages are in, without a slash at the ends.
        package: Name of the package.
        sources: The modules that have a page.
    """
    return _level(base, package, sources, depth=0)


def _level(base: str, package: str, sources: list[Source], depth: int) -> list[str | Entry]:
    here: list[Source] = []
    below: dict[str, list[Source]] = {}
    for source in sources:
        if source.module == package:
            here.insert(0, source)
            continue
        child = source.module.removeprefix(f"{package}.").partition(".")[0]
        is_module = source.module == f"{package}.{child}" and not source.page.endswith("-__init__")
        (here if is_module else below.setdefault(child, [])).append(source)
    first = [source for source in here if source.module == package]
    rest = sorted((source for source in here if source.module != package), key=lambda source: source.module)
    entries: list[str | Entry] = [f"{base}/{source.page}" for source in (*first, *rest)]
    for child in sorted(below):
        dotted = f"{package}.{child}"
        name = dotted if depth == 0 else child
        entries.append({"group": name, "pages": _level(base, dotted, below[child], depth + 1)})
    return entries


def set_redirect(site: Entry, address: str, destination: str) -> None:
    """Leave a redirect where a page was, and lead those there that led to it.

    Args:
        site: Content of `docs.json`; changed in place.
        address: Address of the page that is gone.
        destination: Where to go instead.
    """
    redirects: list[Entry] = site.setdefault("redirects", [])
    for redirect in redirects:
        if redirect.get("destination") == address:
            redirect["destination"] = destination
    if not any(redirect.get("source") == address for redirect in redirects):
        redirects.append({"source": address, "destination": destination})


def drop_redirects(site: Entry, addresses: set[str]) -> None:
    """Remove the redirects of pages that exist: the page would never be seen.

    Args:
        site: Content of `docs.json`; changed in place.
        addresses: Addresses of generated pages.
    """
    redirects: list[Entry] = site.get("redirects", [])
    kept = [redirect for redirect in redirects if redirect.get("source") not in addresses]
    if len(kept) != len(redirects):
        site["redirects"] = kept


def walk(node: object) -> Iterator[str]:
    """Yield the address of every page of a navigation, in order."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in cast("list[object]", node):
            yield from walk(item)
    elif isinstance(node, dict):
        for key, value in cast("Entry", node).items():
            if key in {"tabs", "anchors", "dropdowns", "groups", "pages", "root"}:
                yield from walk(value)
