"""A real image registry on this machine: the program `docker-registry` of Debian and Ubuntu, with a login or without.

Engines take a registry on the loopback address for one that needs no TLS, so they push there and pull from there as
they do anywhere else.
"""

from __future__ import annotations

import re
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ._lifetime import Stopped, started
from .docker import skipped_when_missing
from .processes import HOST, LocalServer, ServerError, answers_http, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

    from .docker import DockerEngine

USERNAME = "testing"
PASSWORD = "registry-secret"  # of a server that lives on loopback for one test run
# As `htpasswd -nbB testing registry-secret` makes it; the registry reads no other kind of hash.
_HTPASSWD = f"{USERNAME}:$2y$05$abcdefghijklmnopqrstuubNCCgMNqYiQA5BMGxm7McAPft53drSm\n"

_PROGRAM = "docker-registry"
_INSTALL = "Install it (Debian: apt-get install docker-registry)."
_REQUEST = re.compile(r'"([A-Z]+ /v2/\S*) HTTP/1')


class DockerRegistry(Stopped):
    """A registry with one user, or for everybody, in a temporary folder.

    ```python
    with DockerRegistry.start() as registry:
        name = registry.push(engine, "busybox:dev", registry.new_name())
    ```
    """

    def __init__(self, folder: Path, *, login: bool = True) -> None:
        """Describe the registry; `start` starts it.

        Args:
            folder: Empty folder for its data.
            login: Whether it asks for user name and password.
        """
        self.username = USERNAME if login else ""
        self.password = PASSWORD if login else ""
        self._folder = folder
        self._login = login
        self._port = free_port()
        self.process = LocalServer(
            [_program(), "serve", str(self._write_config())],
            lambda: answers_http(f"http://{self.host}/v2/"),
            name="docker-registry",
            log_path=folder / "registry.log",
            stop_signal=signal.SIGKILL,  # its data are thrown away
        )

    @classmethod
    def start(cls, *, login: bool = True) -> Self:
        """Start a registry on a free port (0.1 s) and wait until it answers.

        Args:
            login: Whether it asks for user name and password.

        Raises:
            ServerError: If the program is missing or does not start.
        """
        _program()  # before a folder is made
        return started(lambda: cls(Path(tempfile.mkdtemp(prefix="docker-registry-")), login=login))

    def _write_config(self) -> Path:
        # A file of JSON is one of YAML: https://distribution.github.io/distribution/about/configuration/
        auth = ""
        if self._login:
            users = self._folder / "htpasswd"
            users.write_text(_HTPASSWD, encoding="utf-8")
            auth = f"auth:\n  htpasswd:\n    realm: tests\n    path: {users}\n"
        config = self._folder / "config.yml"
        config.write_text(
            "version: 0.1\n"
            f"storage:\n  filesystem:\n    rootdirectory: {self._folder / 'data'}\n  delete:\n    enabled: true\n"
            f"http:\n  addr: {self.host}\n  secret: tests\n{auth}",
            encoding="utf-8",
        )
        return config

    @property
    def host(self) -> str:
        """Host and port, as the names of its images begin."""
        return f"{HOST}:{self._port}"

    @property
    def auth_config(self) -> dict[str, Any]:
        """The user's credentials as the SDK takes them."""
        return {"username": self.username, "password": self.password} if self._login else {}

    def new_name(self, tag: str = "1") -> str:
        """Name an image that nobody has pushed yet.

        Args:
            tag: Its tag.
        """
        return f"{self.host}/tests/{uuid.uuid4().hex}:{tag}"

    def push(self, engine: DockerEngine, image: str, name: str, *, keep: bool = False) -> str:
        """Put an image of an engine into the registry.

        Args:
            engine: The engine that has the image.
            image: Its name there; it may be `name` already.
            name: What to call it in the registry, from `new_name`.
            keep: Whether the engine keeps the image under that name.

        Returns:
            Its digest, as `sha256:…`.

        Raises:
            ServerError: If it is refused.
        """
        client = engine.client()
        repository, _, tag = name.rpartition(":")
        if image != name:
            client.images.get(image).tag(repository, tag)
        digest = ""
        for event in client.api.push(repository, tag=tag, stream=True, decode=True, auth_config=self.auth_config):
            if "error" in event:
                raise ServerError(f"{name} could not be pushed: {event['error']}")
            digest = event.get("aux", {}).get("Digest") or digest
        if not keep:
            client.images.remove(name)
        return digest

    def requests(self) -> list[str]:
        """The requests so far, as method and path: `GET /v2/`."""
        log = (self._folder / "registry.log").read_text(encoding="utf-8", errors="replace")
        return _REQUEST.findall(log)

    def stop(self) -> None:
        """End it and remove its data."""
        self.process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.host}>"


def _program() -> str:
    program = shutil.which(_PROGRAM)
    if program is None:
        raise ServerError(f"There is no program {_PROGRAM!r}. {_INSTALL}")
    return program


@pytest.fixture(scope="session")
def docker_registry() -> Iterator[DockerRegistry]:
    """A registry that asks for a login, for the whole session; see `DockerRegistry` for what it offers.

    Without the program the test is skipped, except on CI, where it fails: `CI` is set there.
    """
    with skipped_when_missing():
        registry = DockerRegistry.start()
    with registry:
        yield registry
