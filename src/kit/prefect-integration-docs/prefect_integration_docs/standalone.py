"""Document one package that belongs to no site of ours: a folder, or any installed package."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

from prefect_integration_docs import navigation
from prefect_integration_docs.builder import Builder, Places
from prefect_integration_docs.cache import Cache, generator_key
from prefect_integration_docs.discovery import DiscoveryError, Distribution, distribution, find_package
from prefect_integration_docs.freshness import Hashes
from prefect_integration_docs.problems import Problem


def document(options: Namespace) -> list[Problem]:
    """Write the reference of a package.

    Args:
        options: What the command line says: `packages`, `out`, `url`, `source`, `navigation`, `check`, `no_cache`,
            `root`.

    Returns:
        What is wrong with its sources; with `check`, also each page that is not current.

    Raises:
        DiscoveryError: If not exactly one package is named, or it cannot be found.
    """
    if len(options.packages) != 1:
        raise DiscoveryError("--out takes exactly one package: a folder, or the name of an installed package")
    found = _find(options.packages[0])
    out: Path = options.out
    cache = None if options.no_cache else options.root / ".cache" / "prefect-integration-docs" / found.name
    places = Places(out, options.url.rstrip("/"), options.source.rstrip("/"))
    kept = Cache(cache, generator_key(repr(places)))
    builder = Builder(
        {found: places},
        elsewhere={},
        search=(),
        published=frozenset(),
        cache=kept,
        hashes=Hashes(),
    )
    pages = list(builder.pages(found))
    problems: list[Problem] = []
    for page in pages:
        if page.text is None or page.is_current:
            continue
        if options.check:
            problems.append(Problem(page.path, 1, "not current"))
            continue
        out.mkdir(parents=True, exist_ok=True)
        page.path.write_text(page.text, encoding="utf-8", newline="\n")
    expected = {page.path for page in pages}
    for path in sorted(out.glob("*.mdx")):
        if path in expected:
            continue
        if options.check:
            problems.append(Problem(path, 1, "orphaned: nothing makes this page"))
        elif path.name.startswith(found.package.name):
            path.unlink()
    if options.navigation is not None and not options.check:
        entries = navigation.reference(options.url.strip("/"), found.package.name, [page.source for page in pages])
        options.navigation.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    if not options.check:
        kept.keep_pages(builder.used())
        print(f"{len(pages)} pages in {out}", file=sys.stderr)
    return [*problems, *builder.problems, *builder.library.problems]


def _find(name: str) -> Distribution:
    folder = Path(name)
    if folder.is_dir():
        return distribution(folder.resolve())
    package = find_package(name) if name.isidentifier() else None
    if package is None:
        raise DiscoveryError(f"{name!r} is neither a folder nor an installed package")
    return distribution(package)
