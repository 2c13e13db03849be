"""Ask the source of installed packages what their classes hand down. Nothing is imported."""

from __future__ import annotations

from functools import lru_cache

import griffe

from prefect_integration_docs.discovery import find_package

_MAX_HOPS = 10


@lru_cache(maxsize=256)
def _module(path: str) -> griffe.Module | None:
    """Read one module; the whole of a package such as Prefect takes seconds."""
    parts = path.split(".")
    folder = find_package(parts[0])
    if folder is None:
        return None
    place = folder.joinpath(*parts[1:])
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not file.is_file():
        return None
    parent: griffe.Module | None = None  # griffe resolves relative imports by it
    for depth, part in enumerate(parts[:-1]):
        parent = griffe.Module(part, filepath=folder.joinpath(*parts[1 : depth + 1], "__init__.py"), parent=parent)
    code = file.read_text(encoding="utf-8")
    return griffe.visit(parts[-1], filepath=file, code=code, parent=parent, extensions=griffe.Extensions())


def _class(path: str, hops: int = _MAX_HOPS) -> griffe.Class | None:
    name = path.rpartition(".")[2]
    module = _module(path.rpartition(".")[0]) if "." in path else None
    found = None if module is None else module.members.get(name)
    if isinstance(found, griffe.Alias):
        return _class(found.target_path, hops - 1) if hops else None
    return found if isinstance(found, griffe.Class) else None


def inherits(base: str, name: str, hops: int = _MAX_HOPS) -> bool:
    """Say whether a class has a member, itself or from above; or, of a dotted path, whether it inherits from it.

    Args:
        base: Dotted path of a class of another package.
        name: Name of a member, or dotted path of a class.
        hops: How far up to look.
    """
    found = _class(base)
    if found is None or not hops:
        return False
    if name in found.members or name in (base, found.path):
        return True
    above = [(each if isinstance(each, str) else each.canonical_path).partition("[")[0] for each in found.bases]
    return name in above or any(inherits(each, name, hops - 1) for each in above)
