"""Futures of task runs on a service that loses some, and what is kept and shared for them."""

from __future__ import annotations

import gc
import pickle
import threading
from concurrent.futures import Future
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.states import Completed, Failed
from prefect.utilities.annotations import quote

from prefect_integration_kit.task_run_environments import drain
from prefect_integration_kit.task_run_futures import RemoteTaskRunFuture, futures_in
from prefect_integration_kit.task_run_ledgers import KEPT_BYTES, lost_text, persisted, small
from prefect_integration_kit.task_run_losses import Submitted, ended, known_runs
from prefect_integration_kit.task_run_orders import all_inputs
from prefect_integration_kit.task_run_parcels import SharedParcels


@task
def one() -> int:
    return 1


class Answer:
    """What a service has returned, or raised; it can be pickled."""

    def __init__(self, outcome: Any = None) -> None:
        self.outcome = outcome


class Remote(RemoteTaskRunFuture[Any, Answer]):
    """Of a service that answers at once, or not at all."""

    def belongs_to(self, submitted: Submitted | None, *upstream: Remote) -> Remote:
        self._submitted, self._upstream = submitted, upstream
        return self

    def _settle(self, timeout: float | None) -> bool:
        outcome = self._wrapped_future.outcome
        if outcome is None:
            return False
        if isinstance(outcome, Exception):
            self._end_as_lost(outcome, is_reported=True, has_ended=isinstance(outcome, LookupError))
        else:
            self._end_as(outcome)
        return True

    def _has_come_to_an_end(self) -> bool:
        return self._wrapped_future.outcome is not None

    @property
    def lost_state(self) -> Any:
        return self._lost_state()


def remote(outcome: Any = None) -> Remote:
    return Remote(uuid4(), Answer(outcome))


@pytest.mark.parametrize("outcome", [7, Completed(data=7)], ids=["result", "state"])
def test_what_the_service_returns_is_the_result(outcome: Any):
    future = remote(outcome)
    assert not future.is_settled
    future.wait()
    assert future.is_settled
    assert future.result() == 7
    assert future.state.is_completed()
    assert future.lost_state is None


def test_one_that_has_not_ended_in_time_says_so():
    future = remote()
    future.wait(timeout=0.1)
    assert not future.is_settled
    with pytest.raises(TimeoutError, match=r"did not complete within 0\.1 seconds"):
        future.result(timeout=0.1)
    assert not future.is_lost_too()


def test_the_error_of_the_task_is_raised_or_returned():
    future = remote(Failed(data=ValueError("no")))
    with pytest.raises(ValueError, match="no"):
        future.result()
    assert isinstance(future.result(raise_on_failure=False), ValueError)


def test_a_lost_one_crashes_and_what_waited_for_it_is_not_ready():
    lost = remote(RuntimeError("The worker died."))
    after = remote(RuntimeError("It needs what is gone.")).belongs_to(None, remote(1), lost)
    later = remote(RuntimeError("So does this.")).belongs_to(None, after)
    later.wait()
    assert (later.state.name, after.state.name, lost.state.name) == ("NotReady", "NotReady", "Crashed")
    assert str(lost.task_run_id) in str(after.state.message)
    assert lost.lost_state is lost.state
    with pytest.raises(RuntimeError, match="The worker died"):
        lost.result()


def test_a_pickled_one_waits_elsewhere():
    future = pickle.loads(pickle.dumps(remote(7).belongs_to(None, remote(1))))
    assert type(future) is Remote
    assert future.result() == 7


def test_futures_are_found_at_any_depth():
    first, second = remote(1), remote(2)
    assert futures_in({"a": [first], "b": ({"c": second},), "d": 1}, Remote) == [first, second]


def test_losses_are_reported_but_not_of_what_has_ended(prefect_harness: None, seen: Any):
    found: dict[str, UUID] = {}

    @flow
    def outer() -> None:
        submitted = Submitted(one, FlowRunContext.get(), TaskRunContext.get(), None)
        futures = {
            "lost": remote(RuntimeError("The worker died.")).belongs_to(submitted),
            "result lost": remote(LookupError("Only the result is gone.")).belongs_to(submitted),
        }
        for name, future in futures.items():
            future.wait()
            assert future.state.is_crashed()
            found[name] = future.task_run_id
        drain(timeout_seconds=10)
        seen.final_state(found["lost"])

    outer()
    assert ended(found.values()) == {found["lost"]}
    assert [each.id for each in known_runs(found.values())] == [found["lost"]]
    with get_client(sync_client=True) as client:
        assert client.read_task_run(found["lost"]).name.startswith("one")


def test_inputs_that_were_found_before_stay(prefect_harness: None):
    @flow
    def outer() -> tuple[Any, ...]:
        first, second = one.submit(), one.submit()
        first.wait()
        found = all_inputs({"x": [first], "y": 1, "z": quote(1)}, [second], {"x": set(), "old": set()})
        return Completed(data=(found, first.task_run_id, second.task_run_id))  # pyright: ignore[reportReturnType]

    found, first, second = outer()
    assert {name: [each.id for each in inputs] for name, inputs in found.items()} == {
        "x": [first],
        "old": [],
        "wait_for": [second],
    }


@pytest.mark.parametrize("outcome", [bytes(KEPT_BYTES), threading.Lock()], ids=["large", "not picklable"])
def test_what_is_large_or_cannot_be_pickled_is_not_kept(outcome: Any):
    assert small(outcome) is None


def test_a_persisted_result_is_read_from_where_it_is(prefect_harness: None):
    @task(persist_result=True)
    def large() -> bytes:
        return bytes(3 * KEPT_BYTES)

    @flow
    def outer() -> Any:
        state = large(return_state=True)
        return Completed(data=(state, small(state), small(persisted(state))))

    state, whole, elsewhere = outer()
    assert whole is None
    again = pickle.loads(elsewhere)
    assert (again.id, again.timestamp) == (state.id, state.timestamp)
    assert again.result() == bytes(3 * KEPT_BYTES)


def test_a_lost_result_is_told_with_the_remedy():
    task_run_id = uuid4()
    text = lost_text(task_run_id, "Acme worker")
    assert text.startswith(f"Task run '{task_run_id}' has ended, but its result was lost with the Acme worker")
    assert "persist_result=True" in text


def test_equal_parcels_are_sent_once_while_somebody_holds_them():
    sent: list[bytes] = []

    def send(content: bytes) -> Future[bytes]:
        sent.append(content)
        return Future()

    parcels = SharedParcels(send, is_lost=lambda handle: handle.cancelled())
    held = parcels.send(b"a")
    assert parcels.send(bytes(bytearray(b"a"))) is held
    parcels.send(b"b")
    gc.collect()
    assert parcels.send(b"b") is not held
    assert sent == [b"a", b"b", b"b"]
    held.cancel()
    assert parcels.send(b"a") is not held
