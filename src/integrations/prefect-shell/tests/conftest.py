"""What the tests of this package share: looking at processes, and at what Prefect logged."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.fixture(scope="session")
def is_running() -> Callable[[int], bool]:
    """Says whether a process runs; a zombie does not."""
    return _is_running


@pytest.fixture
def pid_in(eventually: Callable[[Callable[[], object]], None]) -> Callable[[Path], int]:
    """Reads the process id that a command writes to a file."""

    def read(path: Path) -> int:
        eventually(lambda: path.exists() and path.read_text().strip())
        return int(path.read_text())

    return read


@pytest.fixture(params=["bash", "sh"])
def shell(request: pytest.FixtureRequest) -> str:
    """Each shell that is on the machine."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture
def script_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which scripts are written, empty at first."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == [], "A script was left behind."
