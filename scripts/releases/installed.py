"""A pytest plugin: what the tests import is the wheel that the environment names, and nothing else.

It is loaded into the environment under test, and its names by a program without pytest: it imports the standard library
only, and pytest when that calls it.
"""

from __future__ import annotations

import os
import re
import sys
import zipfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

WHEEL = "WHEEL_UNDER_TEST"
MODULE = "MODULE_UNDER_TEST"


def problems(wheel: Path, module: str) -> list[str]:
    """Compare what is installed, file by file, with what a wheel holds.

    Args:
        wheel: The wheel.
        module: Name of the import package in it.
    """
    name = wheel.name.split("-")[0].replace("_", "-")
    try:
        site = Path(str(distribution(name).locate_file("")))
    except PackageNotFoundError:
        return [f"{name} is not installed"]
    found: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(f"{module}/") and not name.endswith("/")]
        for name in names:
            path = site / name
            if not path.is_file():
                found.append(f"{path} is missing")
            elif path.read_bytes() != archive.read(name):
                found.append(f"{path} is not as in {wheel.name}")
    if not names:
        found.append(f"{wheel.name} has no package {module}")
    more = {path.relative_to(site).as_posix() for path in (site / module).rglob("*.py")} - set(names)
    return [*found, *(f"{site / name} is not in {wheel.name}" for name in sorted(more))]


def strangers(module: str) -> list[str]:
    """List modules of a package that were imported from elsewhere than its installed distribution."""
    folder = Path(str(distribution(module.replace("_", "-")).locate_file(module))).resolve()
    found: list[str] = []
    for name, loaded in list(sys.modules.items()):
        if name == module or name.startswith(f"{module}."):
            file = getattr(loaded, "__file__", None)
            if file is not None and folder not in Path(file).resolve().parents:
                found.append(f"{name} comes from {file}, not from {folder}")
    return found


def pytest_configure() -> None:
    """Refuse to run tests when something else than the wheel is installed."""
    import pytest

    if found := problems(Path(os.environ[WHEEL]), os.environ[MODULE]):
        raise pytest.UsageError("; ".join(found))


def versions(module: str) -> dict[str, str]:
    """Which versions of what a package requires are installed. Requirements of extras may be missing."""
    found: dict[str, str] = {}
    for line in distribution(module.replace("_", "-")).requires or ():
        if (name := re.match(r"[A-Za-z0-9._-]+", line)) is not None:
            with suppress(PackageNotFoundError):
                found[name[0]] = version(name[0])
    return found


def pytest_report_header() -> list[str]:
    """Say what is tested, and with what."""
    module = os.environ[MODULE]
    return [
        f"wheel: {Path(os.environ[WHEEL]).name}, every file of {module} is installed as it is there",
        "with: " + ", ".join(f"{name} {number}" for name, number in versions(module).items()),
    ]


def pytest_runtest_teardown() -> None:
    """Fail a test after which a module of the package is loaded that is not the wheel's."""
    import pytest

    if found := strangers(os.environ[MODULE]):
        pytest.fail("; ".join(found), pytrace=False)
