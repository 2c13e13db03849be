"""Sizes, volumes, images and identifiers from outside: legal, or refused by a `ValueError` that names them."""

from __future__ import annotations

import pytest

from prefect_docker._references import parse_image
from prefect_docker._worker.identifiers import parse_identifier
from prefect_docker._worker.labels import container_name
from prefect_docker._worker.sizes import size_in_bytes
from prefect_docker.types import assert_volume_str
from prefect_integration_tests import hostile


@pytest.mark.parametrize("size", ["9" * 400, "9" * 30 + "t", "8388608t"], ids=["infinite", "huge", "limit"])
def test_a_size_that_no_machine_has_is_refused(size: str) -> None:
    with pytest.raises(ValueError, match="more than any machine has"):
        size_in_bytes(size)


@pytest.mark.parametrize("text", hostile.NO_NAMES, ids=ascii)
def test_nothing_hostile_is_an_image_or_a_container(text: str) -> None:
    with pytest.raises(ValueError, match="Image name"):
        parse_image(text)
    with pytest.raises(ValueError, match="does not name a Docker container"):
        parse_identifier(text)


@pytest.mark.parametrize("text", [*hostile.SHELL, *hostile.OPTIONS, *hostile.HEADERS], ids=ascii)
def test_nothing_hostile_is_a_volume(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid volume string"):
        assert_volume_str(text)


@pytest.mark.parametrize("text", hostile.ALL, ids=ascii)
def test_a_container_has_a_legal_name_whatever_its_run_is_called(text: str) -> None:
    name = container_name(text)
    assert name is None or (name[0].isalnum() and name.replace("-", "").replace("_", "").replace(".", "").isalnum())
