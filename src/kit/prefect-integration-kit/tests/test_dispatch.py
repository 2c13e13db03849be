"""Each face runs where the published packages run it, whoever calls."""

from __future__ import annotations

import asyncio
import copy as copier
import inspect
import threading
import time
from typing import Any

import cloudpickle
import pytest
from prefect import Task as PrefectTask
from prefect import flow, task
from prefect.context import get_run_context

from prefect_integration_kit.dispatch import (
    Task,
    async_dispatch,
    async_task,
    is_in_async_context,
    is_in_sync_run,
    run_coro_as_sync,
    run_stoppable,
    sync_task,
)

pytestmark = pytest.mark.usefixtures("prefect_harness")


class Box:
    """A block in small: one body, two faces."""

    def __init__(self) -> None:
        self.threads: list[bool] = []

    async def aread(self, key: str, suffix: str = "") -> str:
        """Async form of `read`."""
        return f"async {key}{suffix}"

    @async_dispatch(aread)
    def read(self, key: str, suffix: str = "") -> str:
        """Read a key."""
        return f"sync {key}{suffix}"


@task
async def acopy(source: str, target: str = "t") -> str:
    """Async form of `copy`."""
    return f"async {source}->{target}"


@sync_task(acopy, name="copy things", tags=["kit"])
def copy(source: str, target: str = "t") -> str:
    """Copy an object."""
    return f"sync {source}->{target}"


def _send(subject: str, retries_left: int = 0) -> str:
    return f"sync {subject}"


@async_task(_send, name="send things")
async def send(subject: str, retries_left: int = 0) -> str:
    """Send a mail."""
    return f"async {subject}"


# A method


def test_a_dispatched_method_is_sync_in_plain_code():
    assert Box().read("k", suffix="!") == "sync k!"


def test_a_dispatched_method_is_sync_in_a_sync_flow_and_a_sync_task():
    @task
    def inner() -> str:
        return Box().read("task")

    @flow
    def outer() -> tuple[str, str]:
        return Box().read("flow"), inner()

    assert outer() == ("sync flow", "sync task")


async def test_a_dispatched_method_is_async_on_a_running_loop():
    found = Box().read("k", "!")
    assert inspect.iscoroutine(found)
    assert await found == "async k!"  # type: ignore[misc]


async def test_a_dispatched_method_is_async_in_an_async_flow_and_task():
    @task
    async def inner() -> str:
        return await Box().read("task")  # type: ignore[misc]

    @flow
    async def outer() -> tuple[str, str]:
        return await Box().read("flow"), await inner()  # type: ignore[misc]

    assert await outer() == ("async flow", "async task")


async def test_a_sync_task_in_an_async_flow_gets_the_sync_face():
    @task
    def inner() -> str:
        return Box().read("task")

    @flow
    async def outer() -> str:
        return inner()

    assert await outer() == "sync task"


async def test_the_caller_may_decide_by_hand():
    assert Box().read("k", _sync=True) == "sync k"  # type: ignore[call-arg]
    assert await Box().read.aio(Box(), "k") == "async k"  # type: ignore[attr-defined]


def test_the_caller_may_ask_for_a_coroutine():
    assert asyncio.run(Box().read("k", _sync=False)) == "async k"  # type: ignore[call-arg,arg-type]


def test_a_dispatched_name_keeps_its_signature_and_docstring():
    assert Box.read.__doc__ == "Read a key."
    assert list(inspect.signature(Box.read).parameters) == ["self", "key", "suffix"]


def test_only_coroutine_functions_can_be_the_async_face():
    with pytest.raises(TypeError, match="async"):
        async_dispatch(lambda: None)  # type: ignore[arg-type,return-value]


# A task with a sync name


def test_a_sync_task_runs_in_plain_code():
    assert copy("a") == "sync a->t"


def test_a_sync_task_runs_submits_and_maps_in_a_sync_flow():
    @flow
    def outer() -> list[Any]:
        return [
            copy("a", target="b"),
            copy.submit("c").result(),
            copy.map(["d", "e"]).result(),
            copy.with_options(name="other")("f"),
            copy.with_options(name="other").submit("g").result(),
        ]

    assert outer() == ["sync a->b", "sync c->t", ["sync d->t", "sync e->t"], "sync f->t", "sync g->t"]


async def test_a_sync_task_is_awaited_in_an_async_flow_and_submitted_as_itself():
    @flow
    async def outer() -> list[Any]:
        direct = copy("a", target="b")
        assert inspect.iscoroutine(direct)
        return [
            await direct,
            copy.submit("c").result(),
            await copy.with_options(name="other")("f"),
            copy("x", _sync=True),
        ]

    assert await outer() == ["async a->b", "sync c->t", "async f->t", "sync x->t"]


async def test_a_sync_task_is_awaited_on_a_running_loop():
    assert await copy("a") == "async a->t"
    assert copy("a", _sync=True) == "sync a->t"


def test_a_sync_task_gives_a_coroutine_when_asked():
    assert asyncio.run(copy("a", _sync=False)) == "async a->t"


async def test_aio_is_the_async_task():
    assert copy.aio is acopy
    assert await copy.aio("a") == "async a->t"


def test_options_reach_both_faces():
    other = copy.with_options(name="other", retries=3, tags=["more"])
    assert isinstance(other, Task)
    for face in (other, other._sibling(), other.aio):
        assert (face.name, face.retries, face.tags) == ("other", 3, {"more"})
    assert (copy.name, copy.retries, copy.tags) == ("copy things", 0, {"kit"})


async def test_retries_hold_for_the_face_that_runs():
    runs: list[str] = []

    @task
    async def aflaky() -> str:
        runs.append("async")
        if len(runs) < 3:
            raise ConnectionError
        return "done"

    @sync_task(aflaky)
    def flaky() -> str:
        raise AssertionError("the wrong face")

    @flow
    async def outer() -> str:
        return await flaky.with_options(retries=2)()

    assert await outer() == "done"
    assert runs == ["async"] * 3


async def test_a_state_can_be_asked_for_in_both_faces():
    @flow
    async def outer() -> tuple[Any, Any]:
        return await copy("a", return_state=True), copy("a", return_state=True, _sync=True)

    states = await outer()
    assert [await states[0].result(), await states[1].result()] == ["async a->t", "sync a->t"]


def test_a_failure_is_the_callers_to_see():
    @task
    async def abroken() -> None:
        raise LookupError("async")

    @sync_task(abroken)
    def broken() -> None:
        raise LookupError("sync")

    @flow
    def outer() -> None:
        broken()

    @flow
    async def aouter() -> None:
        await broken()

    with pytest.raises(LookupError, match=r"^sync$"):
        outer()
    with pytest.raises(LookupError, match=r"^async$"):
        asyncio.run(aouter())


def test_a_task_looks_like_any_other():
    assert isinstance(copy, PrefectTask)
    assert copy.__name__ == "copy"
    assert copy.__doc__ == "Copy an object."
    assert copy.fn("a") == "sync a->t"
    assert not copy.isasync
    assert list(inspect.signature(copy).parameters) == ["source", "target"]


def test_a_task_travels_to_another_process():
    for each, expected in ((copy, "sync a->t"), (send.with_options(name="x"), None)):
        again = cloudpickle.loads(cloudpickle.dumps(each))
        assert isinstance(again, Task)
        assert again.name == each.name
        if expected:
            assert again("a") == expected


# A task that callers await


def test_an_async_task_is_awaited_in_plain_code():
    assert asyncio.run(send("a")) == "async a"


async def test_an_async_task_is_awaited_in_an_async_flow():
    @flow
    async def outer() -> list[str]:
        return [await send("a"), send.submit("b").result(), await send.with_options(name="x")("c")]

    assert await outer() == ["async a", "async b", "async c"]


def test_an_async_task_without_a_sync_body_runs_its_coroutine_in_a_sync_flow():
    @async_task(name="count things")
    async def count(word: str, *, times: int = 1) -> int:
        await asyncio.sleep(0)
        return len(word) * times

    @flow
    def outer() -> list[Any]:
        return [count("ab"), count("ab", times=2), count.submit("abc").result()]

    assert outer() == [2, 4, 3]
    assert asyncio.run(count("abcd")) == 4
    assert count.name == "count things"


def test_an_async_task_runs_at_once_in_a_sync_flow_and_in_functions_that_it_calls():
    def helper() -> str:
        return send("b")  # type: ignore[return-value]

    @flow
    def outer() -> list[Any]:
        return [
            send("a"),
            helper(),
            send.submit("c").result(),
            *send.map(["d"]).result(),
            send.with_options(name="x")("e"),
        ]

    assert outer() == ["sync a", "sync b", "async c", "async d", "sync e"]


async def test_a_sync_flow_on_a_running_loop_still_gets_the_sync_face():
    @flow
    def outer() -> Any:
        return send("a")

    assert outer() == "sync a"


def test_a_coroutine_that_a_sync_flow_runs_can_await():
    async def main() -> list[str]:
        first = await send("a")
        return [first, *await asyncio.gather(*(send(name) for name in "bc"))]

    @flow
    def outer() -> list[str]:
        return asyncio.run(main())

    assert outer() == ["async a", "async b", "async c"]


def test_an_async_task_obeys_the_caller():
    @flow
    def outer() -> tuple[Any, Any]:
        return send("a", _sync=True), asyncio.run(send("b", _sync=False))

    assert outer() == ("sync a", "async b")
    assert send("c", _sync=True) == "sync c"


@async_task()
async def give(value: Any) -> Any:
    """Give a value."""
    return value


@async_task()
async def tell(seen: list[str]) -> None:
    """Give nothing, ever."""
    seen.append("told")


@pytest.mark.parametrize("value", ["text", b"bytes", {"a": 1}, [1], (1,), {1}, 7, 2.5], ids=repr)
def test_a_sync_flow_may_run_the_result_of_an_async_task(value: Any):
    @flow
    def outer() -> list[Any]:
        found = asyncio.run(give(value)), asyncio.run(give.with_options(name="x")(value)), give(value, _sync=True)
        assert [type(each) for each in found] == [type(value)] * 3
        return [*found, give(value), task(lambda: asyncio.run(give(value)))()]

    assert outer() == [value] * 5


@pytest.mark.parametrize("value", [None, True, Box()], ids=["none", "true", "object"])
def test_what_cannot_be_awaited_is_given_as_it_is(value: Any):
    @flow
    def outer() -> Any:
        return give(value) is value

    assert outer()


def test_a_sync_flow_may_run_an_async_task_that_gives_nothing():
    seen: list[str] = []

    @flow
    def outer() -> Any:
        assert asyncio.run(tell(seen)) is None  # type: ignore[func-returns-value]
        assert not tell(seen)  # type: ignore[func-returns-value]
        return tell(seen)  # type: ignore[func-returns-value]

    assert outer() is None
    assert len(seen) == 3


def test_a_sync_flow_may_gather_results_of_async_tasks():
    async def gathered(*results: Any) -> list[Any]:
        return await asyncio.gather(*results)

    @flow
    def outer() -> list[Any]:
        return asyncio.run(gathered(*[give(number) for number in range(3)], tell([])))

    assert outer() == [0, 1, 2, None]


@pytest.mark.parametrize("value", ["text", [1], {1: 2}], ids=repr)
def test_prefect_knows_which_task_gave_a_result(value: Any):
    makers: list[Any] = []

    @async_task()
    async def make() -> Any:
        makers.append(get_run_context().task_run.id)  # type: ignore[union-attr]
        return copier.copy(value)

    @task
    def use(found: Any) -> Any:
        return [each.id for each in get_run_context().task_run.task_inputs["found"]]  # type: ignore[union-attr]

    @flow
    def outer() -> list[Any]:
        called, run = make(), asyncio.run(make())
        return [use(called), use(run)]

    assert outer() == [[maker] for maker in makers]


async def test_aio_of_an_async_task_is_its_function():
    assert await send.aio("a") == "async a"


def test_both_faces_are_one_task_to_prefect():
    assert send._sibling().name == send.name == "send things"
    assert send._sibling().task_key == send.task_key
    assert send.isasync


# Prefect's own order of decorators


async def test_a_dispatched_function_below_a_task_is_sync_everywhere_as_in_prefect():
    @task
    @async_dispatch(acopy.fn)
    def inner(source: str, target: str = "t") -> str:
        return f"sync {source}"

    @flow
    async def outer() -> Any:
        return inner("a")

    assert await outer() == "sync a"


# Where we are


def test_the_context_is_told():
    seen: dict[str, tuple[bool, bool]] = {}

    @flow
    def sync_flow() -> None:
        seen["sync"] = is_in_async_context(), is_in_sync_run()

    @flow
    async def async_flow() -> None:
        seen["async"] = is_in_async_context(), is_in_sync_run()

    sync_flow()
    asyncio.run(async_flow())
    assert seen == {"sync": (False, True), "async": (True, False)}
    assert (is_in_async_context(), is_in_sync_run()) == (False, False)


async def test_a_coroutine_can_be_run_from_a_worker_thread():
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert await asyncio.to_thread(run_coro_as_sync, answer()) == 42


# Cancellation


class Body:
    """A long body that ends when told, and takes a moment to tidy up."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.tidied = False

    def __call__(self, stop: threading.Event) -> str:
        self.started.set()
        if not stop.wait(20):
            raise AssertionError("never told to stop")
        time.sleep(0.05)
        self.tidied = True
        raise RuntimeError("stopped")


async def until_started(body: Body) -> None:
    while not body.started.is_set():
        await asyncio.sleep(0.001)


async def test_a_stoppable_body_gives_its_result_and_its_error():
    assert await run_stoppable(lambda stop: stop.is_set()) is False

    def fail(stop: threading.Event) -> None:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        await run_stoppable(fail)


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancelled_body_has_ended_when_the_cancellation_arrives(times: int):
    body = Body()
    work = asyncio.create_task(run_stoppable(body))
    await asyncio.wait_for(until_started(body), 10)
    for _ in range(times):
        work.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await work
    assert body.tidied


async def test_a_time_out_ends_the_body():
    body = Body()
    with pytest.raises((asyncio.TimeoutError, TimeoutError)):
        await asyncio.wait_for(run_stoppable(body), 0.05)
    assert body.tidied or not body.started.is_set()


async def test_a_flow_that_times_out_ends_the_body():
    body = Body()

    @flow(timeout_seconds=1, retries=0)
    async def outer() -> None:
        await run_stoppable(body)

    state = await outer(return_state=True)
    assert state.name == "TimedOut"
    assert body.tidied
