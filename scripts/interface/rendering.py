"""Make the snapshots of many packages, on two processors."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from scripts.interface import reading, snapshot
from scripts.interface.reading import Library
from scripts.workspace import Package

_PROCESSES = 2
_FEW = 3
"""So many packages are read sooner than a process has started."""


def snapshots(wanted: list[Package], members: list[Package]) -> dict[str, str]:
    """Write the interfaces of packages as text, by the packages' names.

    Args:
        wanted: The packages.
        members: All packages of the workspace.
    """
    if len(wanted) <= _FEW:
        return _rendered(wanted, members)
    # The largest first, each to the process that has less. What both need, each of them reads.
    halves: list[list[Package]] = [[] for _ in range(_PROCESSES)]
    sizes = [0] * _PROCESSES
    for package in sorted(wanted, key=_size, reverse=True):
        least = sizes.index(min(sizes))
        halves[least].append(package)
        sizes[least] += _size(package)
    with ProcessPoolExecutor(_PROCESSES) as pool:
        found = pool.map(_rendered, halves, [members] * _PROCESSES)
        return {name: text for half in found for name, text in half.items()}


def _rendered(wanted: Iterable[Package], members: list[Package]) -> dict[str, str]:
    was_enabled = gc.isenabled()
    gc.disable()  # trees of griffe are large and stay; collecting them takes longer than reading
    try:
        read = reading.read(wanted, Library(members))
        return {each.interface.name: snapshot.render(each.interface) for each in read}
    finally:
        if was_enabled:
            gc.enable()


def _size(package: Package) -> int:
    return sum(file.stat().st_size for file in (package.path / package.module).rglob("*.py"))
