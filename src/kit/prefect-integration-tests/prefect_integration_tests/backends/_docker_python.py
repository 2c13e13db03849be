"""Which files of this interpreter and its environment a copy needs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .processes import ServerError

_STANDARD_LIBRARY_LESS = {
    *("site-packages", "test", "tests", "idlelib", "idle_test", "tkinter", "turtledemo", "lib2to3", "ensurepip"),
    *("pydoc_data", "distutils", "__pycache__"),
}
_LESS = {"tests", "__pycache__"}

_IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
"""
_IMPORTED_BY_RUNS = (
    "prefect.cli.flow_run",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.runner",
    "prefect.deployments",
)

# Served to browsers alone.
_SERVER_PAGES = ("prefect/server/ui", "prefect/server/ui_build", "prefect/server/ui-v2", "prefect/server/ui_v2_build")


def needed_distributions(requirements: Iterable[str]) -> list[Distribution]:
    """Return the installed distributions that requirements name, and all that those require, in order of name.

    Raises:
        ServerError: If one is not installed.
    """
    waiting = [Requirement(text) for text in requirements]
    extras_seen: dict[str, set[str]] = {}
    found: dict[str, Distribution] = {}
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        extras = {"", *requirement.extras} - extras_seen.setdefault(name, set())
        if not extras:
            continue
        extras_seen[name] |= extras
        try:
            found[name] = distribution(requirement.name)
        except PackageNotFoundError:
            raise ServerError(f"{requirement.name} is not installed here, so it cannot be copied.") from None
        for text in found[name].requires or []:
            wanted = Requirement(text)
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(wanted)
    return [found[name] for name in sorted(found)]


def distribution_files(item: Distribution) -> Iterator[tuple[str, Path]]:
    """Yield the files of a distribution: path below `site-packages`, and where it is.

    Of one that is installed as editable, these are its metadata and its import packages.
    """
    for file in item.files or []:
        path, source = file.as_posix(), Path(str(file.locate()))
        if (
            path.startswith(("..", "/"))
            or path.startswith(_SERVER_PAGES)
            or source.suffix == ".pyc"
            or not source.is_file()
        ):
            continue
        if source.suffix == ".pth":
            for line in source.read_text(encoding="utf-8").splitlines():
                folder = Path(line)
                if line and folder.is_absolute() and folder.is_dir():
                    yield from _import_packages(folder)
        else:
            yield path, source


def _import_packages(folder: Path) -> Iterator[tuple[str, Path]]:
    for package in sorted(folder.iterdir()):
        if package.name not in _LESS and (package / "__init__.py").exists():
            for path, source in _walk(package, _LESS):
                yield f"{package.name}/{path}", source


def compiled_modules() -> Path | None:
    """Compile what a flow run imports, beside the sources or in a cache; return the cache's folder.

    A container without compiled modules takes some 5 s longer to start.
    """
    from ..harness import bytecode_variables, cache_folder

    variables = bytecode_variables(cache_folder())
    argv = [sys.executable, "-c", _IMPORT, *_IMPORTED_BY_RUNS]
    subprocess.run(argv, env={**os.environ, **variables}, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    return Path(variables["PYTHONPYCACHEPREFIX"]) if variables else None


def standard_library() -> Iterator[tuple[str, Path]]:
    """Yield the files of the standard library that a flow run may need: path below its folder, and where it is."""
    return _walk(Path(sysconfig.get_path("stdlib")), _STANDARD_LIBRARY_LESS)


def _walk(root: Path, less: set[str]) -> Iterator[tuple[str, Path]]:
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in less and not name.startswith("config-"))
        for name in sorted(files):
            source = Path(folder, name)
            if source.is_file():
                yield source.relative_to(root).as_posix(), source
