"""What has ended is known to the cluster, and its result as long as it is small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from prefect import flow, task
from prefect.states import Completed

from prefect_integration_kit.task_run_ledgers import small
from prefect_ray import _ledger
from prefect_ray.errors import RayResultLost

if TYPE_CHECKING:
    from prefect_integration_tests.backends.ray import RayCluster


@pytest.mark.parametrize("outcome", [b"x" * 100_000, (each for each in ())], ids=["large", "generator"])
def test_what_is_kept_is_small(outcome: Any) -> None:
    assert small(outcome) is None


def test_how_a_run_has_ended_is_kept_until_the_flow_has(ray_cluster: RayCluster, prefect_harness: None) -> None:
    name = uuid4().hex
    small, large, begun = (_ledger.Ledger(name, uuid4()) for _ in range(3))
    assert small.outcome() == (False, None)
    for each in (small, large, begun):
        each.begin()
    small.end(Completed(data=7))
    large.end(Completed(data=b"x" * 100_000))
    has_ended, state = small.outcome()
    assert (has_ended, state.data) == (True, 7)
    with pytest.raises(RayResultLost, match="persist_result=True"):
        large.outcome()
    assert begun.outcome() == (False, None)  # Prefect knows of no end, either
    _ledger.busy(name, "w")
    assert len(_ledger.unsent(name)) == 1
    _ledger.idle(name, "w")
    assert _ledger.unsent(name) == []
    _ledger.forget(name)
    assert small.outcome() == (False, None)


def test_what_tasks_have_submitted_is_noted_while_it_runs(ray_cluster: RayCluster) -> None:
    name, first, second = uuid4().hex, uuid4(), uuid4()
    _ledger.note(name, first, "node.worker", "node.owner", "add up")
    _ledger.note(name, second, "node.other", "node.owner", "add up")
    _ledger.strike(name, second)
    assert _ledger.noted(name) == {first: ("node.worker", "node.owner", "add up")}
    _ledger.forget(name)
    assert _ledger.noted(name) == {}


def test_a_run_that_ended_before_its_worker_could_say_so_is_not_run_again(
    ray_cluster: RayCluster, prefect_harness: None, seen: Any
) -> None:
    """Prefect knows that it has ended; that is the worker's last word."""

    @task
    def one() -> int:
        return 1

    @task
    def fails() -> int:
        raise ValueError("no")

    @flow
    def ended() -> tuple[Any, Any]:
        good, bad = one.submit(), fails.submit()
        good.wait()
        bad.wait()
        return Completed(data=(good.task_run_id, bad.task_run_id))

    good, bad = ended()
    for each in (good, bad):
        seen.final_state(each)
    name = uuid4().hex
    for each in (good, bad):
        _ledger.Ledger(name, each).begin()
    with pytest.raises(RayResultLost, match="was not run again"):
        _ledger.Ledger(name, good).outcome()
    has_ended, state = _ledger.Ledger(name, bad).outcome()
    assert (has_ended, state.name) == (True, "Failed")
    _ledger.forget(name)
