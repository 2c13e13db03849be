"""A git host on this machine: real git over HTTP with authentication, over TLS with a private authority, over SSH."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from ._git.authorization import basic
from ._git.http_server import GitHttpServer, GitRequest
from ._git.repositories import BareRepository, Executable, Link, Submodule, run_git
from ._git.ssh_server import GitSshServer, find_sshd
from .certificates import PrivateCA
from .processes import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

__all__ = [
    "BareRepository",
    "Executable",
    "GitRequest",
    "GitServer",
    "GitSshServer",
    "Link",
    "Submodule",
    "basic",
    "run_git",
]


class GitServer(GitHttpServer):
    """Repositories over HTTP.

    Attributes:
        requests: Every request so far, in order.
        accepted: Values of the `Authorization` header that may read; `None` lets everybody read.
        accepted_by_proxy: Values of the `Proxy-Authorization` header that may ask, when the server is used as a proxy;
            `None` lets everybody.
        forbidden: Values of the header that are known, but may not read.
        on_request: Told of each request before it is answered, while the client waits.
        redirects: Beginnings of paths that have moved, and the address that takes their place.
        pages: Beginnings of paths that are answered by a sign-in page.
        lfs: What is kept in Git LFS.
        endpoint: `http://127.0.0.1:port`, or https.
    """

    def repository(self, name: str = "org/project/_git/repo", branch: str = "main") -> BareRepository:
        """Make a repository.

        Args:
            name: Its path on the server.
            branch: The default branch.
        """
        return BareRepository(self.root / name, branch)

    def url(self, repository: BareRepository | str) -> str:
        """The address of a repository, escaped as URLs must be.

        Args:
            repository: The repository, or its path on the server.
        """
        name = repository if isinstance(repository, str) else repository.path.relative_to(self.root).as_posix()
        return f"{self.endpoint}/{quote(name)}"

    def require(self, *authorizations: str) -> None:
        """Let only those read who send one of these headers.

        Args:
            authorizations: Values of the `Authorization` header; `basic` writes one.
        """
        self.accepted = set(authorizations)

    def clear(self) -> None:
        """Forget everything, repositories included."""
        self.reset()
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@pytest.fixture(scope="session")
def _git_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("git-http")) as server:
        yield server


@pytest.fixture
def git_server(_git_http: GitServer) -> GitServer:
    """A git host over HTTP, without repositories; everybody may read until `require` says who."""
    _git_http.clear()
    return _git_http


@pytest.fixture(scope="session")
def git_authority(tmp_path_factory: pytest.TempPathFactory) -> PrivateCA:
    """The authority that has signed the certificate of `git_tls_server`."""
    return PrivateCA(tmp_path_factory.mktemp("git-ca"))


@pytest.fixture(scope="session")
def _git_https(tmp_path_factory: pytest.TempPathFactory, git_authority: PrivateCA) -> Iterator[GitServer]:
    certificate = git_authority.issue("git", HOST, "localhost")
    with GitServer(tmp_path_factory.mktemp("git-https"), certificate) as server:
        yield server


@pytest.fixture
def git_tls_server(_git_https: GitServer) -> GitServer:
    """A git host over TLS, without repositories; `git_authority.ca_file` is what to trust."""
    _git_https.clear()
    return _git_https


@pytest.fixture(scope="session")
def git_ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitSshServer]:
    """A real sshd that lets one key in; repositories are wherever `BareRepository` makes them."""
    if find_sshd() is None:
        pytest.skip("sshd is not installed: apt-get install openssh-server")
    server = GitSshServer(Path(tmp_path_factory.mktemp("git-ssh")))
    server.start()
    yield server
    server.stop()
