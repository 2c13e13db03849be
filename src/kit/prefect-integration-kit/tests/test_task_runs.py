"""Task runs that travel: packed in one process, run in another, reported by a third when they are lost."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from hashlib import blake2b
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.futures import PrefectConcurrentFuture
from prefect.states import Completed
from prefect.utilities.annotations import allow_failure, quote

from prefect_integration_kit import task_run_orders
from prefect_integration_kit.task_run_environments import drain, in_settings, run_order
from prefect_integration_kit.task_run_losses import Submitted, crashed_state, not_ready_state, report, started
from prefect_integration_kit.task_run_orders import INLINE_BYTES, Packer, Upstream, Waits, one_batch, with_results
from prefect_integration_kit.task_run_parcels import SharedParcels
from prefect_integration_kit.task_run_pickles import dumps, dumps_context


class Handle:
    """Of other work."""


class CannotBeSent(TypeError):
    """What the packer raises here."""


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
async def aadd(x: int, y: int = 1) -> int:
    return x + y


@task
def size(content: bytes) -> int:
    return len(content)


def _task_that_holds(value: Any) -> Any:
    return task(lambda: value, name="held")


@pytest.fixture
def packer() -> Packer:
    return Packer("", "a worker", CannotBeSent, lambda item: Waits(item) if isinstance(item, Handle) else None)


def test_work_that_is_waited_for_is_a_placeholder_at_any_depth(packer: Packer):
    one, two = Handle(), Handle()
    packed = packer.pack(size, uuid4(), {"content": {"a": [one], "b": allow_failure(two)}}, [one], None, "state")
    assert packed.upstream == [one, two, one]
    sent: Any = pickle.loads(packed.order.parameters["content"])
    assert with_results(sent, [1, 2, 3])["a"] == [1]
    assert with_results(sent, [1, 2, 3])["b"].unwrap() == 2
    assert isinstance(sent["a"][0], Upstream)


def test_what_is_quoted_is_left_alone(packer: Packer):
    packed = packer.pack(size, uuid4(), {"content": quote([1, 2])}, None, None, "state")
    assert packed.upstream == []
    assert pickle.loads(packed.order.parameters["content"]).unwrap() == [1, 2]


def test_large_arguments_are_parcels(packer: Packer):
    packed = packer.pack(size, uuid4(), {"content": b"x" * (INLINE_BYTES + 1)}, None, None, "state")
    assert packed.order.parameters == {"content": 1}
    assert pickle.loads(packed.parcels[1]) == b"x" * (INLINE_BYTES + 1)
    assert packed.order.first_upstream == 2


def test_what_many_calls_share_is_pickled_once(packer: Packer):
    class Counted:
        count = 0

        def __reduce__(self) -> tuple[Any, ...]:
            Counted.count += 1
            return int, (0,)

    shared = Counted()
    with one_batch():
        for _ in range(3):
            packer.pack(size, uuid4(), {"content": shared}, None, None, "state")
    assert Counted.count == 1


def test_what_many_calls_share_is_digested_once(packer: Packer, monkeypatch: pytest.MonkeyPatch):
    digested: list[int] = []

    def digest(content: bytes, **options: Any) -> Any:
        digested.append(len(content))
        return blake2b(content, **options)

    monkeypatch.setattr(task_run_orders, "blake2b", digest)
    shared: SharedParcels[Handle] = SharedParcels(lambda _: Handle())
    content = b"x" * 100_000

    def handles(number: int) -> set[Handle]:
        packed = packer.pack(add, uuid4(), {"x": number, "y": content}, None, None, "state")
        return {shared.send(each) for each in packed.parcels}

    with one_batch():
        held = [handles(number) for number in range(3)]
    assert held[0] == held[1] == held[2]
    assert len([size for size in digested if size >= len(content)]) == 1
    assert handles(4) == held[0]  # an equal one that is pickled later
    assert len([size for size in digested if size >= len(content)]) == 2


@pytest.mark.parametrize(
    ("each", "parameters", "words"),
    [
        (size, {"content": threading.Lock()}, "'content' of type 'lock' cannot be sent to a worker"),
        (_task_that_holds(threading.Lock()), {}, "'held' cannot be sent to a worker"),
    ],
    ids=["argument", "task"],
)
def test_what_cannot_be_pickled_is_named(packer: Packer, each: Any, parameters: dict[str, Any], words: str):
    with pytest.raises(CannotBeSent, match=words):
        packer.pack(each, uuid4(), parameters, None, None, "state")


def test_futures_of_other_task_runners_are_waited_for(packer: Packer):
    from concurrent.futures import Future

    inner: Future[Any] = Future()
    inner.set_result(Completed(data=3))
    packed = packer.pack(size, uuid4(), {"content": PrefectConcurrentFuture(uuid4(), inner)}, None, None, "state")
    assert pickle.loads(packed.order.parameters["content"]).is_completed()


def test_a_flow_whose_function_cannot_be_pickled_travels_without_it():
    lock = threading.Lock()

    @flow(name="holds a lock")
    def holds() -> Any:
        return lock

    sent = pickle.loads(dumps_context({"flow_run_context": {"flow": holds}}))
    assert sent["flow_run_context"]["flow"].name == "holds a lock"
    with pytest.raises(RuntimeError, match="stayed with the flow run"):
        sent["flow_run_context"]["flow"].fn()
    with pytest.raises(TypeError, match="lock"):
        dumps_context({"other": lock})


@pytest.mark.parametrize("each", [add, aadd], ids=["sync", "async"])
def test_a_task_run_that_was_packed_is_run(prefect_harness: None, packer: Packer, each: Any):
    prepared: list[str] = []

    @flow
    def outer() -> tuple[Any, Any]:
        from prefect.settings.context import get_current_settings

        packed = packer.pack(each, uuid4(), {"x": Handle(), "y": 2}, None, None, "state")
        received = (*packed.parcels, 40)
        url = in_settings(packed.order, received, lambda: get_current_settings().api.url)
        states: list[Any] = []

        def work() -> None:
            states.append(run_order(packed.order, received, prepare=lambda task: prepared.append(task.name)))

        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        drain(timeout_seconds=10)
        return states[0].result(), url == get_current_settings().api.url

    assert outer() == (42, True)
    assert prepared == [each.name]


def test_a_lost_task_run_is_reported_once(prefect_harness: None):
    task_run_id = uuid4()

    @flow
    def outer() -> str | None:
        submitted = Submitted(add, FlowRunContext.get(), TaskRunContext.get(), None)
        report(submitted, task_run_id, crashed_state(task_run_id, RuntimeError("The worker died.")))
        drain(timeout_seconds=10)
        _eventually(lambda: task_run_id in started([task_run_id, uuid4()]))
        _eventually(lambda: _state(task_run_id).is_crashed())
        # One that is final stays as it is.
        report(submitted, task_run_id, not_ready_state(task_run_id, uuid4()))
        drain(timeout_seconds=10)
        return _state(task_run_id).message

    assert outer() == "The worker died."


def test_without_a_flow_run_nothing_is_reported():
    state = crashed_state(uuid4(), RuntimeError("no"))
    assert report(Submitted(add, None, None, None), uuid4(), state) is state


def test_annotations_come_back_whole():
    assert pickle.loads(dumps(quote([1]))).unwrap() == [1]


def _state(task_run_id: UUID) -> Any:
    with get_client(sync_client=True) as client:
        return client.read_task_run(task_run_id).state


def _eventually(look: Callable[[], bool]) -> None:
    import time

    deadline = time.monotonic() + 30
    while not look():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.05)
