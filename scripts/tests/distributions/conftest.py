"""All packages, built once for all test processes, an index that has them, and what runs before pip does."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.distributions.building import Built, build_all, built, uv
from scripts.distributions.environments import resolution
from scripts.distributions.index import Index, serving
from scripts.workspace import Package, packages


@pytest.fixture(scope="session")
def members() -> list[Package]:
    """The packages of the workspace."""
    return packages()


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "distributions"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def distributions(common: Path, members: list[Package]) -> dict[str, Built]:
    """Wheels and source distributions of all packages, by package."""
    with (common / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first process builds, the others wait
        if not (common / "built").exists():
            build_all(common / "draft")
            (common / "draft").rename(common / "built")
    return {each.package.name: each for each in built(common / "built", members)}


@pytest.fixture(scope="session")
def index(distributions: dict[str, Built]) -> Iterator[Index]:
    """An index that holds our packages and nothing else."""
    files = [file for each in distributions.values() for file in (each.wheel, each.sdist)]
    with serving(files) as served:
        yield served


@pytest.fixture(scope="session")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace's resolution, so that a release of today does not fail a test of yesterday."""
    file = tmp_path_factory.mktemp("resolution") / "constraints.txt"
    file.write_text(resolution(), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with `build` and `twine`, which only these tests need."""
    folder = tmp_path_factory.mktemp("tools") / "environment"
    uv("venv", "--quiet", folder)
    uv("pip", "install", "--quiet", "--python", folder / "bin" / "python", "build", "hatchling", "twine")
    return folder / "bin" / "python"
