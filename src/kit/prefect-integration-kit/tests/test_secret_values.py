"""Values of secrets, as text and as JSON."""

from __future__ import annotations

import pytest

from prefect_integration_kit.secret_values import as_text, parsed


def test_bytes_are_text_only_if_they_are_utf8() -> None:
    assert as_text("schlüssel".encode()) == "schlüssel"
    assert as_text(b"\xff\xfe") is None


def test_json_is_parsed() -> None:
    assert parsed(b'{"user": "shop"}') == ({"user": "shop"}, "")


@pytest.mark.parametrize(
    ("value", "fault"), [(b'{"password": hunter2}', "line 1, column 14"), (b"\xff\x00hunter2", "not UTF-8 text")]
)
def test_a_fault_says_where_but_not_what(value: bytes, fault: str) -> None:
    found, said = parsed(value)
    assert found is None
    assert fault in said
    assert "hunter2" not in said
