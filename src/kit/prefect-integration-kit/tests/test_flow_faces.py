"""An async flow is awaited where one can await, and runs at once in sync runs."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any

import cloudpickle
import pytest
from prefect import Flow as PrefectFlow
from prefect import flow, task

from prefect_integration_kit.flow_faces import Flow, async_flow

pytestmark = pytest.mark.usefixtures("prefect_harness")


@async_flow(name="add numbers")
async def add(first: int, second: int = 1) -> dict[str, int]:
    """Add two numbers."""
    await asyncio.sleep(0)
    return {"sum": first + second}


def test_it_is_a_coroutine_in_plain_code() -> None:
    assert asyncio.run(add(1)) == {"sum": 2}


async def test_it_is_awaited_in_an_async_flow() -> None:
    @flow
    async def outer() -> list[Any]:
        return [await add(1), await add.with_options(name="other")(2, second=3)]

    assert await outer() == [{"sum": 2}, {"sum": 5}]


def test_a_sync_flow_and_a_sync_task_have_the_result_at_once() -> None:
    @task
    def inner() -> Any:
        return add(2)

    @flow
    def outer() -> list[Any]:
        return [add(1)["sum"], inner()["sum"], add.with_options(name="other")("4", second=5)["sum"]]  # type: ignore[index,arg-type]

    assert outer() == [2, 3, 9]


def test_a_sync_flow_may_still_run_what_the_call_gives() -> None:
    @flow
    def outer() -> Any:
        return asyncio.run(add(1))

    assert outer() == {"sum": 2}


def test_the_caller_may_decide_by_hand() -> None:
    @flow
    def outer() -> Any:
        found: Any = add(1, _sync=False)  # type: ignore[call-arg]
        assert inspect.iscoroutine(found)
        return asyncio.run(found)

    assert outer() == {"sum": 2}
    assert add(1, _sync=True) == {"sum": 2}  # type: ignore[call-arg,comparison-overlap]


def test_a_state_can_be_asked_for_in_a_sync_flow() -> None:
    @flow
    def outer() -> str:
        return add(1, return_state=True).name  # type: ignore[call-arg,attr-defined,return-value]

    assert outer() == "Completed"


def test_options_hold_for_both_faces() -> None:
    tries: list[str] = []

    @async_flow()
    async def flaky() -> dict[str, int]:
        tries.append(threading.current_thread().name)
        if len(tries) % 2:
            raise ConnectionError
        return {"tries": len(tries)}

    @flow
    def outer() -> Any:
        return flaky.with_options(retries=1)()

    assert outer() == {"tries": 2}
    assert asyncio.run(flaky.with_options(retries=1)()) == {"tries": 4}


def test_a_failure_is_the_callers_to_see() -> None:
    @async_flow()
    async def broken() -> None:
        raise LookupError("broken")

    @flow
    def outer() -> None:
        broken()

    with pytest.raises(LookupError, match=r"^broken$"):
        outer()


def test_it_looks_like_any_other_flow() -> None:
    assert isinstance(add, PrefectFlow)
    assert (add.name, add.__doc__, add.isasync) == ("add numbers", "Add two numbers.", True)
    assert list(inspect.signature(add).parameters) == ["first", "second"]
    assert asyncio.run(add.fn(1)) == {"sum": 2}


def test_it_travels_to_another_process() -> None:
    again = cloudpickle.loads(cloudpickle.dumps(add.with_options(name="other")))
    assert isinstance(again, Flow)
    assert again.name == "other"
    assert asyncio.run(again(1)) == {"sum": 2}
