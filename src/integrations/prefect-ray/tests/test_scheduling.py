"""What reaches Ray: remote options, small payloads, large arguments once, no more than there is room for."""

from __future__ import annotations

import os
from typing import Any

import pytest
from prefect import flow, task

from prefect_ray import RayTaskRunner
from prefect_ray.context import RemoteOptionsContext, remote_options
from prefect_ray.errors import RayConfigurationError


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def size(content: bytes, number: int = 0) -> int:
    return len(content) + number


@task
def assigned() -> dict[str, float]:
    import ray

    return ray.get_runtime_context().get_assigned_resources()


@task
def pid() -> int:
    return os.getpid()


def test_remote_options_are_merged() -> None:
    assert RemoteOptionsContext.get().current_remote_options == {}
    with remote_options(num_cpus=2, num_gpus=1), remote_options(num_cpus=3):
        assert RemoteOptionsContext.get().current_remote_options == {"num_cpus": 3, "num_gpus": 1}
    assert RemoteOptionsContext.get().current_remote_options == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_cpu": 1}, "no option `num_cpu`. Did you mean `num_cpus`"),
        ({"zzz": 1}, "no option `zzz`. Ray knows"),
        ({"num_cpus": -1}, "cannot work"),
        ({"num_returns": 2}, "num_returns"),
    ],
    ids=["misspelt", "unknown", "negative", "returns"],
)
def test_remote_options_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RayConfigurationError, match=message), remote_options(**options):
        pass


def test_remote_options_reach_ray(runner: RayTaskRunner[Any]) -> None:
    @flow(task_runner=runner)
    def numbers() -> dict[str, float]:
        with remote_options(num_cpus=2):
            return assigned.submit().result()

    assert numbers()["CPU"] == 2


def test_a_worker_that_runs_one_task_run_only(runner: RayTaskRunner[Any]) -> None:
    @flow(task_runner=runner)
    def numbers() -> set[int]:
        with remote_options(max_calls=1):
            return {pid.submit().result() for _ in range(2)}

    assert len(numbers()) == 2


def test_placement_groups(runner: RayTaskRunner[Any]) -> None:
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    @flow(task_runner=runner)
    def numbers() -> int:
        group = placement_group([{"CPU": 1}])
        try:
            ray.get(group.ready())
            with remote_options(scheduling_strategy=PlacementGroupSchedulingStrategy(placement_group=group)):
                return add.submit(1).result()
        finally:
            remove_placement_group(group)

    assert numbers() == 2


def test_needs_that_no_node_has_are_told(runner: RayTaskRunner[Any], caplog: pytest.LogCaptureFixture) -> None:
    @flow(task_runner=runner)
    def numbers() -> None:
        with remote_options(num_gpus=64):
            add.submit(1)

    numbers()
    assert "No node of the Ray cluster has what task 'add' needs (GPU: 64)" in caplog.text


def test_objects_stay_as_long_as_futures_do(runner: RayTaskRunner[Any]) -> None:
    import gc

    @flow(task_runner=runner)
    def numbers() -> list[int]:
        futures = [size.submit(bytes(1_000_000), number) for number in range(3)]
        last = size.submit(bytes(2_000_000))
        last.wait()
        gc.collect()
        return [each.result() for each in futures]

    assert numbers() == [1_000_000, 1_000_001, 1_000_002]


def test_more_than_there_is_room_for_waits(runner: RayTaskRunner[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_RAY_MAX_PENDING_TASK_RUNS", "5")
    pending: list[int] = []

    @flow(task_runner=runner)
    def mapped() -> list[int]:
        from prefect.context import FlowRunContext

        context = FlowRunContext.get()
        assert context is not None
        futures = []
        for number in range(30):
            futures.append(add.submit(number))
            pending.append(len(context.task_runner._submitter._pending))
        return [each.result() for each in futures]

    assert mapped() == list(range(1, 31))
    assert max(pending) <= 5


@pytest.mark.slow
def test_fifteen_thousand_task_runs_end(runner: RayTaskRunner[Any]) -> None:
    count = 15_000

    @flow(task_runner=runner)
    def mapped() -> int:
        return sum(add.map(range(count)).result())

    assert mapped() == count * (count + 1) // 2
