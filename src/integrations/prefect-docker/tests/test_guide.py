"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import asyncio
import builtins
import getpass
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prefect_docker import DockerHost, DockerRegistryCredentials, containers
from prefect_docker._engine import connect, open_engine
from prefect_docker._references import parse_image
from prefect_docker.images import pull_docker_image
from prefect_docker.types import assert_volume_str
from prefect_integration_tests.suites import GuideSuite


@pytest.fixture(scope="session")
def alpine(docker_engine: Any) -> str:
    """The image of the guide, which has no more than busybox here."""
    return docker_engine.import_busybox("alpine:3.20")


class Opened(DockerHost):
    """A host of the user's own that opens its client without asking the engine whether it is there."""

    def get_client(self) -> Any:
        return connect(self, timeout_seconds=0.5)


class TestGuide(GuideSuite):
    distribution = "prefect-docker"

    @pytest.fixture
    def surroundings(
        self,
        page_folder: Path,
        prefect_harness: None,
        engine: Any,
        alpine: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An engine with the image, and a reader who answers what he is asked."""
        monkeypatch.setattr(builtins, "input", lambda prompt="": "shop")
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": "shop-token")

    @pytest.fixture
    def deaf(self) -> Iterator[str]:
        """An address that takes connections and never answers."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    @pytest.fixture
    def provocations(
        self,
        engine: Any,
        docker_registry: Any,
        docker_tls_front: Any,
        deaf: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Mapping[str, Callable[[], object]]:
        name = docker_registry.new_name()
        user = DockerRegistryCredentials(
            username="testing", password=docker_registry.password, registry_url=docker_registry.host
        )

        def with_variable(variable: str, value: str) -> object:
            monkeypatch.setenv(variable, value)
            if variable != "DOCKER_HOST":
                monkeypatch.delenv("DOCKER_HOST")
            return open_engine()

        def distrusting() -> object:
            tls = {"ca_cert": str(docker_tls_front.stranger_folder / "ca.pem")}
            return open_engine(DockerHost(base_url=docker_tls_front.base_url, client_kwargs={"tls": tls}))

        def slow() -> object:
            # A client that was opened while the engine still answered.
            host = Opened(base_url=deaf, version="1.40")
            return asyncio.run(containers.start_docker_container.fn("shop-cache", host))

        def pull(credentials: DockerRegistryCredentials | None) -> object:
            return asyncio.run(pull_docker_image.fn(name, docker_registry_credentials=credentials))

        def login() -> object:
            wrong = user.model_copy(update={"password": type(user.password)("wrong")})
            with connect() as client:
                return asyncio.run(wrong.login(client))

        return {
            "There is no socket": partial(with_variable, "DOCKER_HOST", "unix:///run/shop/docker.sock"),
            "Nothing listens": lambda: open_engine(DockerHost(base_url="tcp://127.0.0.1:9")),
            "The context does not exist": partial(with_variable, "DOCKER_CONTEXT", "colma"),
            "The engine speaks TLS": lambda: open_engine(DockerHost(base_url=docker_tls_front.base_url)),
            "The certificate is not trusted": distrusting,
            "A call took too long": slow,
            "A container is not found": lambda: asyncio.run(containers.start_docker_container.fn("shop-cach")),
            "An image is not on the engine": lambda: asyncio.run(
                containers.create_docker_container.fn("shop/converter:2")
            ),
            "The name of an image is wrong": lambda: parse_image("Shop/labels"),
            "A volume is wrong": lambda: assert_volume_str("/srv/labels"),
            "A pull is denied": lambda: pull(None),
            "A pull finds nothing": lambda: pull(user),
            "A login is refused": login,
        }
