"""Values are made once for equal content, however many threads ask, and keys tell nothing about secrets."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prefect.types import SecretDict
from pydantic import BaseModel, SecretStr

from prefect_integration_kit.kept import Only, SharedValues, changed_at, fingerprint


class Credentials(BaseModel):
    user: str = "shop"
    password: SecretStr = SecretStr("p")
    key: SecretDict | None = None


def test_a_value_is_made_once_by_many_threads():
    values: SharedValues[object] = SharedValues(2)
    ready, made = threading.Barrier(8), []

    def build() -> object:
        made.append(1)
        return object()

    def ask() -> object:
        ready.wait(10)
        return values.get("a", build)

    with ThreadPoolExecutor(8) as pool:
        found = {id(ask.result(10)) for ask in [pool.submit(ask) for _ in range(8)]}
    assert (len(found), len(made)) == (1, 1)


def test_an_error_is_raised_and_not_kept():
    values: SharedValues[int] = SharedValues(2)
    with pytest.raises(ZeroDivisionError):
        values.get("a", lambda: 1 // 0)
    assert values.get("a", lambda: 1) == 1


def test_the_value_that_was_not_used_for_longest_is_dropped():
    values: SharedValues[int] = SharedValues(2)
    for key in ("a", "b", "a", "c"):
        values.get(key, lambda: 1)
    assert [values.get(key, lambda: 2) for key in ("a", "b")] == [1, 2]


def test_a_value_is_forgotten_only_if_it_is_that_one():
    values: SharedValues[list[int]] = SharedValues(2)
    first = values.get("a", lambda: [1])
    values.forget("a", [1])
    assert values.get("a", lambda: [2]) is first
    values.forget("a", first)
    assert values.get("a", lambda: [2]) == [2]


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (Credentials(), Credentials(), True),
        (Credentials(), Credentials(password=SecretStr("q")), False),
        (Credentials(key=SecretDict({"a": 1})), Credentials(key=SecretDict({"a": 1})), True),
        (Credentials(key=SecretDict({"a": 1})), Credentials(key=SecretDict({"a": 2})), False),
        ({"a": {"b": [1]}, "c": 2}, {"c": 2, "a": {"b": [1]}}, True),
        ({"a": {"b": [1]}}, {"a": {"b": [2]}}, False),
        ({1, 2}, {2, 1}, True),
    ],
)
def test_a_fingerprint_is_one_of_the_content(one, other, are_equal):
    assert (fingerprint(one) == fingerprint(other)) is are_equal


def test_a_changed_file_is_noticed(tmp_path):
    path = tmp_path / "key.json"
    assert changed_at([path]) == [0]
    path.write_text("{}")
    assert changed_at([path])[0] > 0


def test_a_part_of_a_key_that_equals_itself_alone():
    equal, other = Credentials(user="u"), Credentials(user="u")
    assert equal == other
    assert Only(equal) == Only(equal) != Only(other)
    assert len({Only(equal), Only(equal), Only(other)}) == 2
