"""Deployment steps take the client that a test puts in the place of the SDK's, and no engine is needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, call

import docker
import pytest
from prefect.utilities.dockerutils import BuildError, PushError

from prefect_docker.deployments import steps

NAME = "registry.acme.io/shop"
IMAGE_ID = "sha256:c0ffee"


@pytest.fixture(
    params=["docker.from_env", "docker.DockerClient.from_env", "prefect_docker.deployments.steps.docker_client"]
)
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    client = MagicMock(spec=docker.DockerClient)
    client.api = MagicMock()
    client.api.build.return_value = [{"stream": "Step 1/1 : FROM busybox\n"}, {"aux": {"ID": IMAGE_ID}}]
    client.api.push.return_value = [{"status": "Pushed"}]
    client.images.get.return_value.id = IMAGE_ID
    is_managed = request.param.endswith("docker_client")
    monkeypatch.setattr(request.param, lambda: contextlib.nullcontext(client) if is_managed else client)
    monkeypatch.chdir(tmp_path)
    steps.STEP_OUTPUT_CACHE.clear()
    yield client
    steps.STEP_OUTPUT_CACHE.clear()


def test_an_image_is_built_and_tagged(client: Any) -> None:
    output = steps.build_docker_image(NAME, tag="1", additional_tags=["stable"], buildargs={"A": "1"})
    assert output == {
        "image_name": NAME,
        "tag": "1",
        "image": f"{NAME}:1",
        "image_id": IMAGE_ID,
        "additional_tags": ["stable"],
    }
    options = client.api.build.call_args.kwargs
    assert (options["path"], options["dockerfile"]) == (os.getcwd(), "Dockerfile")
    assert (options["buildargs"], options["decode"]) == ({"A": "1"}, True)
    assert client.images.get.return_value.tag.call_args_list == [
        call(repository=NAME, tag="1"),
        call(repository=NAME, tag="stable"),
    ]


def test_a_dockerfile_can_be_made(client: Any) -> None:
    assert steps.build_docker_image(NAME, dockerfile="auto")["image_id"] == IMAGE_ID
    client.api.build.assert_called_once()


def test_the_same_is_built_once_and_again_when_asked_for(client: Any) -> None:
    for _ in range(2):
        steps.build_docker_image(NAME, tag="1")
    client.api.build.assert_called_once()
    steps.build_docker_image(NAME, tag="1", ignore_cache=True)
    assert client.api.build.call_count == 2


def test_a_build_that_fails_is_an_error(client: Any) -> None:
    client.api.build.return_value = [{"error": "no such base"}]
    with pytest.raises(BuildError, match="no such base"):
        steps.build_docker_image(NAME, tag="1")


def test_an_image_is_pushed_with_its_credentials(client: Any) -> None:
    login = {"username": "ann", "password": "pw", "registry_url": "registry.acme.io"}
    output = steps.push_docker_image(NAME, "1", login, ["stable"])
    assert (output["image"], output["additional_tags"]) == (f"{NAME}:1", ["stable"])
    client.login.assert_called_once_with(username="ann", password="pw", registry="registry.acme.io", reauth=True)
    assert client.api.push.call_args_list == [
        call(repository=NAME, tag=tag, stream=True, decode=True) for tag in ("1", "stable")
    ]


def test_credentials_without_a_registry_are_those_of_docker_hub(client: Any) -> None:
    assert steps.push_docker_image("acme/app", "1", credentials={"username": "ann", "password": "pw"}) == {
        "image_name": "acme/app",
        "tag": "1",
        "image": "acme/app:1",
        "additional_tags": [],
    }
    client.login.assert_called_once_with(username="ann", password="pw", registry="docker.io", reauth=True)


def test_a_push_that_fails_is_an_error(client: Any) -> None:
    client.api.push.return_value = [{"error": "denied"}]
    with pytest.raises(PushError, match="denied"):
        steps.push_docker_image(NAME, "1")
