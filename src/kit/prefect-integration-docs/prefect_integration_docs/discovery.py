"""Find packages and their modules on disk, without importing them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path

from prefect_integration_docs.names import is_public, page_name

_NOT_A_PACKAGE = frozenset({"tests", "docs", "examples", "benches", "build", "dist"})


class DiscoveryError(Exception):
    """A package cannot be found; the message says where it was looked for."""


@dataclass(frozen=True)
class Source:
    """A source file.

    Attributes:
        module: Dotted path of the module.
        path: The file.
        is_package: Whether it is an `__init__.py`.
        page: Name of the module's page, without extension.
    """

    module: str
    path: Path
    is_package: bool
    page: str

    @property
    def title(self) -> str:
        """What the site calls the page: the last component of the page's name."""
        return self.page.rsplit("-", 1)[-1]


@dataclass(frozen=True)
class Distribution:
    """A distribution and the one package that it holds.

    Attributes:
        name: Its name, with hyphens.
        folder: The folder that links to the source are relative to.
        package: The folder of the package.
        sources: Its modules, private ones included, in order of their names.
    """

    name: str
    folder: Path
    package: Path
    sources: list[Source] = field(default_factory=list[Source], compare=False)

    @property
    def lacks_init(self) -> bool:
        """Whether the package's own folder has no `__init__.py`."""
        return not (self.package / "__init__.py").is_file()

    def public(self) -> Iterator[Source]:
        """Yield the modules that may have a page."""
        return (source for source in self.sources if is_public(source.module))


def _python_files(folder: str, dotted: str) -> Iterator[tuple[str, str]]:
    """Yield dotted path and file of every module below a folder, folders without `__init__.py` included."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        stem, dot, suffix = entry.name.rpartition(".")
        if entry.is_dir():
            if entry.name.isidentifier() and entry.name != "__pycache__":
                yield from _python_files(entry.path, f"{dotted}.{entry.name}")
        elif dot and suffix == "py" and stem.isidentifier():
            yield (dotted if stem == "__init__" else f"{dotted}.{stem}"), entry.path


def sources(package: Path) -> list[Source]:
    """List the modules of a package, in order of their names.

    Args:
        package: Folder of the package; its name is the name of the package.
    """
    files = list(_python_files(str(package), package.name))
    # `a.b.c` makes `a.b` and `a` packages that hold something.
    holders = {dotted.rpartition(".")[0] for dotted, _ in files}
    found: list[Source] = []
    for dotted, file in files:
        path = Path(file)
        is_package = path.name == "__init__.py"
        page = page_name(dotted, is_package=is_package, holds_modules=dotted in holders)
        found.append(Source(dotted, path, is_package, page))
    return sorted(found, key=lambda source: (source.module, source.path.name != "__init__.py"))


def _package_of(folder: Path) -> Path:
    """Find the one package in the folder of a distribution."""
    expected = folder.name.replace("-", "_")
    for parent in (folder, folder / "src"):
        if (parent / expected).is_dir():
            return parent / expected
    candidates = [
        path
        for path in sorted(folder.glob("*/"))
        if path.name.isidentifier() and path.name not in _NOT_A_PACKAGE and any(path.glob("*.py"))
    ]
    if len(candidates) == 1:
        return candidates[0]
    listed = ", ".join(path.name for path in candidates) or "none"
    raise DiscoveryError(f"{folder}: expected one package, {expected}; found {listed}")


def distribution(folder: Path) -> Distribution:
    """Describe the distribution in a folder, or the package that the folder itself is.

    Args:
        folder: A folder with a `pyproject.toml`, or that of a package.

    Raises:
        DiscoveryError: If there is no such folder, or not one package in it.
    """
    if not folder.is_dir():
        raise DiscoveryError(f"{folder}: there is no such folder")
    if (folder / "pyproject.toml").is_file():
        package = _package_of(folder)
        return Distribution(folder.name, folder, package, sources(package))
    if not folder.name.isidentifier() or not any(folder.rglob("*.py")):
        raise DiscoveryError(f"{folder}: neither a package nor a folder with a pyproject.toml")
    return Distribution(folder.name.replace("_", "-"), folder.parent, folder, sources(folder))


def find_package(name: str, search: Iterable[Path] = ()) -> Path | None:
    """Find the folder of a top-level package, without importing it.

    Args:
        name: Name of the package.
        search: Folders to look in before `sys.path`.
    """
    spec = PathFinder.find_spec(name, [*map(str, search), *sys.path])
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
