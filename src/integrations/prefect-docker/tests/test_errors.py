"""Errors are this package's and the SDK's at once, and say what to do."""

from __future__ import annotations

import pickle
from typing import Any

import docker
import docker.errors
import pytest
import requests

from prefect_docker.errors import (
    DockerAccessDenied,
    DockerConflict,
    DockerEngineFailed,
    DockerError,
    DockerImageNotFound,
    DockerInvalidRequest,
    DockerNotFound,
    DockerTimeout,
    DockerUnavailable,
    docker_errors,
)


def answer(status: int, message: str = "said the engine", cls: Any = docker.errors.APIError) -> Exception:
    """What the SDK raises for an answer of the engine."""
    response = requests.Response()
    response.status_code = status
    response.url = "http+docker://localhost/v1.41/containers/web"
    response.reason = "Reason"
    return cls("error", response=response, explanation=message)


@pytest.mark.parametrize(
    ("error", "ours", "word"),
    [
        (answer(400), DockerInvalidRequest, ValueError),
        (answer(403), DockerAccessDenied, PermissionError),
        (answer(404, cls=docker.errors.NotFound), DockerNotFound, LookupError),
        (answer(404, cls=docker.errors.ImageNotFound), DockerImageNotFound, LookupError),
        (answer(409), DockerConflict, DockerError),
        (answer(500), DockerEngineFailed, DockerError),
        (answer(418), DockerError, DockerError),
        (requests.exceptions.ReadTimeout("read timed out"), DockerTimeout, TimeoutError),
        (requests.exceptions.ConnectionError("gone"), DockerUnavailable, ConnectionError),
        (requests.exceptions.ConnectionError("gone"), DockerUnavailable, RuntimeError),
        (requests.exceptions.ConnectTimeout("slow"), DockerUnavailable, ConnectionError),
        (docker.errors.InvalidArgument("no"), DockerInvalidRequest, ValueError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_each_failure_of_the_sdk_has_its_class(error: Exception, ours: type, word: type) -> None:
    with pytest.raises(DockerError) as caught, docker_errors("Container 'web'"):
        raise error
    assert caught.value.__class__.__name__ == ours.__name__
    assert isinstance(caught.value, ours)
    assert isinstance(caught.value, word)
    assert isinstance(caught.value, type(error))
    assert caught.value.__cause__ is error
    assert str(caught.value).startswith("Container 'web': ")


def test_the_engines_words_and_answer_are_kept() -> None:
    with pytest.raises(docker.errors.APIError) as caught, docker_errors("Container 'web'"):
        raise answer(409, "name is in use")
    assert str(caught.value) == "Container 'web': name is in use."
    assert caught.value.status_code == 409
    assert caught.value.explanation == "name is in use"


def test_an_error_survives_the_way_to_another_process() -> None:
    with pytest.raises(DockerError) as caught, docker_errors("Image 'shop'"):
        raise answer(404, cls=docker.errors.ImageNotFound)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy, DockerImageNotFound)
    assert isinstance(copy, docker.errors.ImageNotFound)
    assert str(copy) == str(caught.value)
    assert copy.reason == "said the engine"


def test_secrets_are_masked_in_the_message_and_in_what_stands_behind_it() -> None:
    with pytest.raises(DockerError) as caught, docker_errors("Login", secrets=["hunter2-secret"]):
        raise answer(500, "no user with hunter2-secret")
    assert "hunter2-secret" not in f"{caught.value} {caught.value.__cause__} {caught.value.reason}"


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), docker_errors("Container 'web'"):
        raise ZeroDivisionError
