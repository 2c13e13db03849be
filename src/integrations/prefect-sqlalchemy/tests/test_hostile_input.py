"""Addresses with passwords that are not encoded, and drivers that are none: refused or shown without the password."""

from __future__ import annotations

import pytest

from prefect_integration_tests import hostile
from prefect_sqlalchemy._urls import is_async, read_url, shown
from prefect_sqlalchemy.errors import DatabaseUrlUnsupported

MARK = "q7Zx"


@pytest.mark.parametrize("password", [*hostile.PASSWORDS, "pa?a=b"], ids=ascii)
def test_a_password_that_is_not_encoded_is_not_said(password: str) -> None:
    text = f"postgresql://u:{MARK}{password}{MARK}@h/d"
    try:
        url = read_url(text)
    except DatabaseUrlUnsupported as exc:
        assert MARK not in f"{exc} {exc.__cause__}"  # noqa: PT017 - not all of them are refused
        return
    if MARK not in (url.host or ""):
        assert MARK not in shown(url)


def test_a_driver_with_two_signs_is_none() -> None:
    with pytest.raises(DatabaseUrlUnsupported, match="no dialect"):
        is_async(read_url("postgresql+psycopg2+x://u:p@h/d"))
