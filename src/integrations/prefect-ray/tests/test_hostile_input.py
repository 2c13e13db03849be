"""Addresses from outside: what is none of a Ray cluster is refused by name, before Ray is asked."""

from __future__ import annotations

import pytest

from prefect_integration_tests import hostile
from prefect_ray._connection import check_address
from prefect_ray.errors import RayConfigurationError


@pytest.mark.parametrize(
    "text", [text for text in hostile.NO_NAMES if "::" not in text and "://" not in text], ids=ascii
)
def test_nothing_hostile_is_an_address(text: str) -> None:
    with pytest.raises(RayConfigurationError, match="is not one of a Ray cluster"):
        check_address(text)


@pytest.mark.parametrize("host", ["..", "x" * 64, "."], ids=["dots", "long", "dot"])
@pytest.mark.parametrize("form", ["{}:6379", "ray://{}:10001"])
def test_what_no_host_is_called_is_refused(form: str, host: str) -> None:
    with pytest.raises(RayConfigurationError, match="is not one of a Ray cluster"):
        check_address(form.format(host))
