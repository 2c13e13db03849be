"""What the suite of git repositories asks of a package: a block for an address, and how it says who asks."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.backends._git.repositories import BareRepository, Executable, Link

from .base import Suite

if TYPE_CHECKING:
    from prefect_integration_tests.backends.git_server import GitServer

TREE = {
    "flow.py": b"print('flow')\n",
    "empty": b"",
    "run.sh": Executable(b"#!/bin/sh\n"),
    "flows/etl/main.py": b"print('etl')\n",
    "flows/etl/\xc3\xbc +%.bin".encode("latin-1").decode(): bytes(range(256)),
    "flows/.hidden": b"h",
    "flows/inside": Link("etl/main.py"),
    "flows/shared.py": Link("../lib/shared.py"),
    "lib/shared.py": b"SHARED = 1\n",
    "up": Link("flows/etl"),
}
"""What the repository of the suite holds."""


class GitHostSuite(Suite):
    """Fixtures of the suite for git repositories.

    Attributes:
        repository_path: Path of a repository at this host.
        reference_field: The field that says what to pull.
        depth_field: The field that limits the history.
        other_fields: Names of the fields that all such blocks have, where a block calls them otherwise.
    """

    repository_path: ClassVar[str] = "org/repo"
    reference_field: ClassVar[str] = "reference"
    depth_field: ClassVar[str] = "git_depth"
    other_fields: ClassVar[dict[str, str]] = {}

    @abstractmethod
    def make_block(self, url: str, token: str | None, **fields: Any) -> Any:
        """Make a block.

        Args:
            url: Address of the repository.
            token: What proves who asks; `None` for nobody.
            fields: Further fields, as the block calls them.
        """

    @abstractmethod
    def authorization(self, token: str) -> str:
        """Write the `Authorization` header that the host gets for a token.

        Args:
            token: As in `make_block`.
        """

    @pytest.fixture(autouse=True)
    def _own_configuration(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        """Leave the configuration of whoever runs the tests out."""
        home = tmp_path_factory.mktemp("home")
        for name in [name for name in os.environ if name.startswith(("GIT_", "SSH_AUTH_SOCK"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)

    @pytest.fixture
    def remote(self, git_server: GitServer) -> BareRepository:
        """A repository at the host, with one commit on its default branch."""
        repository = git_server.repository(self.repository_path)
        repository.commit(TREE)
        return repository

    def block(self, url: str, token: str | None = None, *, reference: str | None = None, **options: Any) -> Any:
        """Make a block with options under the names that all such blocks have.

        Args:
            url: Address of the repository.
            token: What proves who asks.
            reference: What to pull.
            options: `depth`, `directories`, `include_submodules`, `lfs`, `ca_bundle` and so on.
        """
        fields = {self.other_fields.get(name, name): value for name, value in options.items() if name != "depth"}
        if "depth" in options:
            fields[self.depth_field] = options["depth"]
        if reference is not None:
            fields[self.reference_field] = reference
        return self.make_block(url, token, **fields)


def read_tree(folder: Path) -> dict[str, Any]:
    """Read what a pull has brought, but for git's own folder: links as `Link`, what may be executed as `Executable`."""
    found: dict[str, Any] = {}
    for top, folders, files in os.walk(folder):
        for name in [*files, *(each for each in folders if (Path(top) / each).is_symlink())]:
            path = Path(top) / name
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                found[relative] = Link(os.readlink(path))  # noqa: PTH115 - as text
            else:
                content = path.read_bytes()
                found[relative] = Executable(content) if os.access(path, os.X_OK) else content
        if ".git" in folders:
            folders.remove(".git")
    return found


def configure_user(text: str) -> None:
    """Write the user's own configuration of git, which the suite has emptied."""
    (Path(os.environ["HOME"]) / ".gitconfig").write_text(text, encoding="utf-8")


def git_processes(mark: str) -> list[str]:
    """Find running processes, other than this one, that have a text in their arguments."""
    return [text for _, text in _processes("cmdline") if mark in text]


def said_by_processes() -> str:
    """Read arguments and environment of every process that may be read, other than this one."""
    return "\n".join(text for name in ("cmdline", "environ") for _, text in _processes(name))


def _processes(name: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for path in Path("/proc").glob(f"[0-9]*/{name}"):
        if path.parent.name == str(os.getpid()):
            continue
        try:
            text = path.read_bytes().replace(b"\0", b"\n").decode("utf-8", "replace")
        except OSError:  # it has ended, or is none of our business
            continue
        found.append((path.parent.name, text))
    return found
