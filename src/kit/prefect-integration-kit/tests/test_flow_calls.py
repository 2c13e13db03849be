"""A call of a flow is known again in each attempt of the run that makes it."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import flow, task

from prefect_integration_kit.flow_calls import FlowCall, current_call, forget, remember_caller
from prefect_integration_kit.flow_faces import async_flow

pytestmark = pytest.mark.usefixtures("prefect_harness")

seen: list[FlowCall] = []


@async_flow(name="bake")
async def bake(cake: str) -> None:
    """Note which call this is, twice, and burn the first cake."""
    call = current_call(cake)
    assert call is not None
    assert current_call(cake) == call
    seen.append(call)
    if len(seen) == 1:
        raise RuntimeError("burnt")


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def test_there_is_no_call_outside_of_a_flow_run() -> None:
    remember_caller()
    assert current_call("plum") is None


async def test_a_flow_that_is_retried_itself_is_one_run() -> None:
    await bake.with_options(retries=1)("plum")
    first, second = seen
    assert first.scope == first.flow_run_id == second.flow_run_id
    assert (first.number, second.number) == (1, 1)
    assert (first.is_retry, second.is_retry) == (False, True)


def test_a_flow_that_a_retried_flow_calls_is_known_by_its_caller() -> None:
    @flow(retries=1)
    def outer() -> None:
        bake("plum")

    outer()
    first, second = seen
    assert first.scope == second.scope != first.flow_run_id != second.flow_run_id
    assert (first.number, second.number) == (1, 1)
    assert (first.is_retry, second.is_retry) == (False, True)


def test_a_flow_that_a_retried_task_calls_is_known_by_the_task() -> None:
    @task(retries=1)
    def inner() -> None:
        bake("plum")

    @flow
    def outer() -> None:
        inner()
        inner()

    outer()
    first, second, other = seen
    assert first.scope == second.scope != other.scope
    assert [call.is_retry for call in seen] == [False, True, False]


@pytest.mark.parametrize("forgets", [False, True], ids=["same-process", "another-process"])
def test_the_same_calls_of_one_attempt_are_told_apart_by_their_order(forgets: bool) -> None:
    attempts: list[Any] = []

    @flow(retries=1)
    def outer() -> None:
        attempts.append(None)
        if len(attempts) == 2 and forgets:
            forget()
        for cake in ("plum", "plum", "apple"):
            try:
                bake(cake)
            except RuntimeError:
                continue
        if len(attempts) == 1:
            raise RuntimeError("once more")

    outer()
    assert [call.number for call in seen] == [1, 2, 1] * 2
    assert len({call.scope for call in seen}) == 1
    for attempt in (seen[:3], seen[3:]):  # older versions of Prefect take up runs of the attempt before
        assert len({call.flow_run_id for call in attempt}) == 3
