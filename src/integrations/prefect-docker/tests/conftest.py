"""An engine to talk to, and nothing of the developer's own Docker configuration."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def docker_config(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder in place of `~/.docker`, and no variable that names an engine."""
    for name in os.environ:
        if name.startswith("DOCKER_"):
            monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("docker-config")
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


@pytest.fixture(scope="session")
def image_distributions() -> list[str]:
    """What the image of `prefect_image` has."""
    return ["prefect-docker"]


@pytest.fixture
def engine(docker_engine: Any, docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The real engine, as the environment names it."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.socket_url)
    return docker_engine


@pytest.fixture(scope="session")
def docker_client(docker_engine: Any) -> Iterator[Any]:
    """A plain client of the engine, to look at what was done."""
    client = docker_engine.client()
    yield client
    client.close()


@pytest.fixture
def new_container(docker_client: Any, busybox_image: str) -> Iterator[Callable[..., Any]]:
    """A maker of containers that are removed at the end; it takes a command and further options of the SDK."""
    made: list[Any] = []

    def make(command: list[str], **options: Any) -> Any:
        container = docker_client.containers.create(busybox_image, command, name=f"test-{uuid.uuid4().hex}", **options)
        made.append(container)
        return container

    yield make
    for container in made:
        try:
            container.remove(force=True, v=True)
        except Exception as exc:
            if type(exc).__name__ not in ("NotFound", "APIError"):  # gone, or on its way
                raise


@pytest.fixture
def local_image(docker_engine: Any, docker_client: Any) -> Iterator[Callable[[str], str]]:
    """A maker of small images, each another one, under a given name; the names are removed at the end."""
    made: list[str] = []

    def make(name: str) -> str:
        docker_engine.import_image(name, iter([b"\0" * 10240]), [f"LABEL test={uuid.uuid4().hex}"])
        made.append(name)
        return name

    yield make
    for name in made:
        try:
            docker_client.images.remove(name)
        except Exception as exc:
            if type(exc).__name__ != "ImageNotFound":
                raise
