"""A retried task finds what it has started before by the names of its key."""

from __future__ import annotations

import uuid
from typing import Any

from prefect import flow, task

from prefect_integration_kit.run_keys import digest_of, key_text, run_key


def test_outside_of_a_task_each_call_has_its_own_key() -> None:
    assert run_key({"a": 1}).text != run_key({"a": 1}).text
    assert list(run_key({"a": 1}).names())[1:] == []


def test_retries_of_a_task_run_have_the_same_key_and_one_name_more(prefect_harness: None) -> None:
    keys: list[Any] = []

    @task(name=f"task-{uuid.uuid4().hex[:8]}", retries=1)
    def ask() -> None:
        once, again = {"a": 1}, {"a": 1}
        keys.append((run_key(once), run_key(again), run_key({"a": 2})))
        keys.append((run_key(once, counts_calls=True), run_key(again, counts_calls=True)))
        if len(keys) == 2:
            raise ValueError("once more")

    @flow(name=f"flow-{uuid.uuid4().hex[:8]}")
    def asking() -> None:
        ask()

    asking()
    (same, also, other), (first, second), (retried, _, _), (first_again, second_again) = keys
    assert same == also != other
    assert first.text == same.text != second.text
    assert (retried.text, retried.attempts) == (same.text, 2)
    assert [first_again.text, second_again.text] == [first.text, second.text]
    assert len(list(retried.names())) == 2
    assert all(len(name) <= 63 for name in retried.names())


def test_a_key_can_be_made_for_any_run() -> None:
    run_id, digest = uuid.uuid4(), digest_of({"a": 1, "b": 2})
    assert digest == digest_of({"b": 2, "a": 1}) != digest_of({"a": 1})
    texts = [key_text(run_id, digest, number) for number in (1, 2, 3)]
    assert texts[0] == f"prefect-{run_id}-{digest}"
    assert len(set(texts)) == 3
    assert {len(text) for text in texts} == {53}
