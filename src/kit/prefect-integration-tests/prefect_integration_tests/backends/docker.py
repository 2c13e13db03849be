"""A real Docker engine: one that runs on this machine, or one that is started for the tests and ends with them.

An engine of our own needs root and the program `dockerd`. Every pytest process and every worker of a run shares it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from ._lifetime import Stopped
from ._sharing import Shared, file_lock
from .processes import ServerError

if TYPE_CHECKING:
    from typing_extensions import Self

BUSYBOX = "busybox:dev"
"""Tag of the image that `DockerEngine.import_busybox` makes."""

_PROGRAM = "dockerd"
_DEFAULT_HOST = "unix:///var/run/docker.sock"
_MAX_PATH = 60  # containerd's own socket lies 44 characters deeper, and may have 104
_START_SECONDS = 90
_STOP_SECONDS = 60
_INSTALL = "Install it (Debian: apt-get install docker.io), or start an engine and set DOCKER_HOST."


@contextlib.contextmanager
def machine_lock(name: str) -> Generator[None]:
    """Let one process of this user at a time do what is inside.

    Args:
        name: What the lock is for; part of a file's name.
    """
    with file_lock(_shared().place / f"{name}.lock"):
        yield


def _shared() -> Shared:
    from . import _docker_keeper

    return Shared("docker", _docker_keeper.__name__, _is_up, start_seconds=_START_SECONDS, stop_seconds=_STOP_SECONDS)


def _is_up(folder: Path) -> bool:
    from ._docker_keeper import SOCKET

    return _answers(f"unix://{folder / SOCKET}")


class DockerEngine(Stopped):
    """A Docker engine, and what tests need of it.

    ```python
    with DockerEngine.start() as engine:
        engine.import_busybox()
        print(engine.client().containers.run("busybox:dev", ["echo", "hello"], remove=True))
    ```
    """

    def __init__(self, socket_url: str, users: IO[str] | None = None) -> None:
        """Describe a running engine; `start` finds or starts one.

        Args:
            socket_url: Where it listens, as `unix://` and a path.
            users: The lock that keeps an engine of our own running.
        """
        self.socket_url = socket_url
        self._users = users

    @property
    def is_ours(self) -> bool:
        """Whether it was started for the tests, and so holds nothing else."""
        return self._users is not None

    @classmethod
    def start(cls) -> Self:
        """Use the engine of `DOCKER_HOST` or of the machine, else one of our own (about 2 s to start).

        Raises:
            ServerError: If there is neither. The message says why, and what to do.
        """
        host = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
        if not host.startswith("unix://"):
            raise ServerError(f"DOCKER_HOST is {host}, but containers must run on this machine: set a unix:// address.")
        if _answers(host):
            return cls(host)
        return cls._start_own(host)

    @classmethod
    def _start_own(cls, missing: str) -> Self:
        from ._docker_keeper import SOCKET

        none = f"No Docker engine answers at {missing}"
        program = shutil.which(_PROGRAM, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))
        if program is None:
            raise ServerError(f"{none}, and there is no program 'dockerd' to start one. {_INSTALL}")
        if os.getuid() != 0:
            raise ServerError(f"{none}, and only root may start one: this is user {os.getuid()}. Start one.")
        shared = _shared()
        if len(str(shared.place)) > _MAX_PATH:
            raise ServerError(f"{none}, and {shared.place} is too long a path for the sockets of one. Set TMPDIR.")
        folder, users = shared.join(program)
        return cls(f"unix://{folder / SOCKET}", users)

    def stop(self) -> None:
        """Give the engine back. One of our own ends, with all that is in it, when this was its last user."""
        users, self._users = self._users, None
        vars(self).pop("_own_client", None)
        if users is not None:
            _shared().leave(users)

    def client(self, **options: Any) -> Any:
        """Open a client of the `docker` package.

        Args:
            options: Further arguments of `docker.DockerClient`.
        """
        import docker

        return docker.DockerClient(**{"base_url": self.socket_url, "timeout": 120, **options})

    @cached_property
    def _own_client(self) -> Any:
        return self.client()

    @cached_property
    def bridge_address(self) -> str:
        """Address of this machine in the default network of containers, such as `172.17.0.1`.

        A server that containers of that network are to reach must listen there. Containers with the network mode
        `host` share this machine's loopback address and need nothing of the kind.
        """
        config = self._own_client.networks.get("bridge").attrs["IPAM"]["Config"][0]
        return config.get("Gateway") or str(next(ip_network(config["Subnet"]).hosts()))

    def has_image(self, tag: str) -> bool:
        """Say whether the engine has an image, without asking any registry."""
        from docker.errors import ImageNotFound

        try:
            self._own_client.api.inspect_image(tag)
        except ImageNotFound:
            return False
        return True

    def import_image(self, tag: str, archive: Iterable[bytes], changes: Sequence[str] = ()) -> None:
        """Make an image of one layer from a tar archive of its files.

        Args:
            tag: Name of the image, such as `tool:dev`.
            archive: The archive, in pieces; it is streamed.
            changes: Lines of a Dockerfile that need no build, such as `ENV PATH=/bin`.
        """
        self._own_client.api.import_image_from_data(archive, repository=tag, changes=list(changes))

    def import_busybox(self, tag: str = BUSYBOX) -> str:
        """Make an image of busybox alone (2 MB, below 1 s), unless there is one, and return its tag.

        Raises:
            ServerError: If the program `busybox` is missing.
        """
        from .docker_images import busybox_files, pack

        with machine_lock("image"):
            if not self.has_image(tag):
                self.import_image(tag, pack(busybox_files()), ["ENV PATH=/bin", 'CMD ["sh"]'])
        return tag

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.socket_url}>"


def _answers(url: str) -> bool:
    import docker
    from docker.errors import DockerException

    try:
        client: Any = docker.DockerClient(base_url=url, timeout=10)
        with contextlib.closing(client):
            return client.ping()
    except DockerException:
        return False


@contextlib.contextmanager
def skipped_when_missing() -> Generator[None]:
    """Skip the test when what is inside cannot be had here. On CI it fails: `CI` is set there."""
    try:
        yield
    except ServerError as exc:
        if "CI" in os.environ:
            raise
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A Docker engine for the whole session; see `DockerEngine` for what it offers.

    Without one the test is skipped, except on CI, where it fails: `CI` is set there.
    """
    with skipped_when_missing():
        engine = DockerEngine.start()
    with engine:
        yield engine


@pytest.fixture(scope="session")
def busybox_image(docker_engine: DockerEngine) -> str:
    """Tag of an image of busybox alone, which has a shell and starts in no time."""
    with skipped_when_missing():
        return docker_engine.import_busybox()
