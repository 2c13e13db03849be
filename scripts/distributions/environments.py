"""Environments into which pip installs as it does for a user, from an index of ours first."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bytecode import share
from scripts.distributions.building import uv

_FOREIGN = ("PREFECT_", "AWS_", "AZURE_", "DBT_", "UV_", "VIRTUAL_ENV", "PYTHON", "COVERAGE_", "PYTEST_")
_DEFAULT_INDEX = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"


class InstallError(Exception):
    """pip or a program in the environment failed; the message holds what it said."""


@dataclass(frozen=True)
class Installed:
    """One distribution that pip has installed.

    Attributes:
        name: Its name.
        version: Its version.
        url: Where it came from.
        sha256: Checksum of the file that it came in.
    """

    name: str
    version: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own, with pip.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        """Where its distributions are."""
        return self.folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"

    @classmethod
    def create(cls, folder: Path) -> Environment:
        """Make an environment that holds pip alone."""
        uv("venv", "--quiet", "--seed", "--python", sys.executable, folder)
        return cls(folder)

    def prepare(self, constraints: Path, *requirements: str) -> None:
        """Install what is there before, in a moment: uv links it from its cache, and bytecode from this environment.

        Args:
            constraints: File of the versions to take.
            requirements: What to install.
        """
        uv("pip", "install", "--quiet", "--python", self.python, "--constraint", constraints, *requirements)
        share(Path(sys.prefix), self.folder)

    def pip_install(self, *requirements: str, index_url: str, constraints: Path) -> dict[str, Installed]:
        """Install with pip, by an index first and by those that pip is configured for.

        Args:
            requirements: What to install.
            index_url: The first index.
            constraints: File of the versions to take of everything else.

        Returns:
            What pip has installed, by name.

        Raises:
            InstallError: If pip fails.
        """
        report = self.folder / "report.json"
        options = ["--quiet", "--no-input", "--no-compile", "--report", str(report), "--constraint", str(constraints)]
        indexes = ["--index-url", index_url, "--extra-index-url", self.configured_index()]
        self.run(str(self.python), "-m", "pip", "install", *options, *indexes, *requirements)
        installed = [_installed(item) for item in json.loads(report.read_text("utf-8"))["install"]]
        return {item.name: item for item in installed}

    def configured_index(self) -> str:
        """The index that pip asks when nobody tells it another one."""
        if address := os.environ.get("PIP_INDEX_URL"):
            return address
        listed = self.run(str(self.python), "-m", "pip", "config", "list").splitlines()
        settings = dict(line.split("=", 1) for line in listed if "=" in line)
        if (address := settings.get("global.index-url")) is not None:
            return address.strip("'")
        return self.run(str(self.python), "-c", _DEFAULT_INDEX).strip()

    def run(self, *command: str, environ: Mapping[str, str] | None = None, timeout_seconds: float = 900) -> str:
        """Run a program in the environment, away from this repository, and return what it prints.

        Args:
            command: Program and arguments; a program of the environment goes by its name.
            environ: Variables to add. Those of Prefect, of clouds and of Python are taken out of what is inherited.
            timeout_seconds: How long it may take.

        Raises:
            InstallError: If it fails.
        """
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        path = os.pathsep.join([str(self.folder / "bin"), os.environ.get("PATH", "")])
        answer = subprocess.run(
            command,
            cwd=home,
            env={
                **inherited,
                "PATH": path,
                "PREFECT_HOME": str(home / "prefect"),
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "DO_NOT_TRACK": "1",
                **(environ or {}),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
            executable=shutil.which(command[0], path=path),
        )
        if answer.returncode != 0:
            said = f"{answer.stdout[-3000:]}\n{answer.stderr[-6000:]}".strip()
            raise InstallError(f"{' '.join(command[:4])} failed with {answer.returncode}:\n{said}")
        return answer.stdout

    def files_of(self, name: str, version: str) -> dict[str, bytes]:
        """Read the files of an installed distribution, by name, as its record lists them."""
        info = f"{name.replace('-', '_')}-{version}.dist-info"
        record = (self.site_packages / info / "RECORD").read_text("utf-8").splitlines()
        names = [line.rsplit(",", 2)[0].strip('"') for line in record]
        return {name: (self.site_packages / name).read_bytes() for name in names if not name.endswith(".pyc")}


def _installed(item: dict[str, Any]) -> Installed:
    archive: dict[str, Any] = item["download_info"].get("archive_info", {})
    metadata = item["metadata"]
    sha256 = archive.get("hashes", {}).get("sha256", "")
    return Installed(metadata["name"], metadata["version"], item["download_info"]["url"], sha256)


def resolution() -> str:
    """The versions of everything but the workspace's own packages, as the workspace resolves them: constraints."""
    options = ["--quiet", "--no-hashes", "--no-header", "--no-annotate", "--all-packages", "--all-extras"]
    return uv("export", *options, "--all-groups", "--no-emit-workspace")
