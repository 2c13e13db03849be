"""Addresses with passwords that are not encoded: refused, and nothing of the password is said."""

from __future__ import annotations

import traceback

import pytest

from prefect_integration_tests import hostile
from prefect_redis._urls import parse, public
from prefect_redis.errors import RedisUrlInvalid

MARK = "q7Zx"
FORMS = (
    "redis://:{}@h:1/0",
    "redis://u:{}@h:x/y",
    "redis+sentinel://:{}@a:1",
    "redis+cluster://:{}@a:1/3",
    "nope://:{}@a",
)


@pytest.mark.parametrize("password", [*hostile.PASSWORDS, "pa@/ss"], ids=ascii)
@pytest.mark.parametrize("form", FORMS)
def test_a_password_that_is_not_encoded_is_not_said(form: str, password: str) -> None:
    url = form.format(f"{MARK}{password}{MARK}")
    assert MARK not in public(url)
    try:
        parse(url)
    except RedisUrlInvalid as exc:
        said = [line for line in traceback.format_exception(exc) if not line.startswith("  File")]
        assert MARK not in "".join(said)


def test_an_address_that_cannot_be_read_is_refused_as_one() -> None:
    with pytest.raises(RedisUrlInvalid, match="host:port"):
        parse("redis://[")


def test_a_timeout_of_sentinels_is_a_number() -> None:
    with pytest.raises(RedisUrlInvalid, match="sentinel_socket_timeout is 'soon'"):
        parse("redis+sentinel://a:1/mymaster?sentinel_socket_timeout=soon")
