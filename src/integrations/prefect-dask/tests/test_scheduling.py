"""What reaches the scheduler: annotations, small payloads, large arguments once."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dask
import pytest
from prefect import flow, task

from prefect_dask import DaskTaskRunner, PrefectDaskClient

if TYPE_CHECKING:
    from distributed import LocalCluster


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def size(content: bytes, number: int = 0) -> int:
    return len(content) + number


@pytest.fixture
def client(threads_cluster: LocalCluster) -> Iterator[PrefectDaskClient]:
    with PrefectDaskClient(threads_cluster, set_as_default=False) as client:
        yield client


def _annotations(cluster: LocalCluster, key: str) -> Any:
    scheduler: Any = cluster.scheduler
    return scheduler.tasks[key]


@pytest.mark.parametrize(
    ("annotations", "options", "priority"),
    [
        ({"priority": 10}, {}, -10),
        ({}, {"priority": 10}, -10),
        ({"priority": 10}, {"priority": 0}, 0),
        ({"priority": 0}, {}, 0),
        ({}, {}, 0),
    ],
    ids=["annotated", "given", "explicit-zero-goes-first", "annotated-zero", "none"],
)
def test_priority_reaches_the_scheduler(
    threads_cluster: LocalCluster,
    client: PrefectDaskClient,
    annotations: dict[str, Any],
    options: dict[str, Any],
    priority: int,
) -> None:
    with dask.annotate(**annotations):
        future = client.submit(add, 1, **options)
    assert future.result() == 2
    assert _annotations(threads_cluster, future.key).priority[0] == priority


def test_annotations_of_a_flow_reach_the_scheduler(threads_cluster: LocalCluster, runner: DaskTaskRunner) -> None:
    found: list[Any] = []

    @flow(task_runner=runner)
    def annotated() -> None:
        worker = next(iter(threads_cluster.scheduler.workers))
        with dask.annotate(resources={"GPU": 1}, retries=3, workers=[worker], priority=7):
            future = add.submit(1)
        future.wait()
        state = _annotations(threads_cluster, future.wrapped_future.key)
        found.append((state.resource_restrictions, state.retries, state.worker_restrictions == {worker}))
        found.append(state.priority[0])
        # What travels beside the task run is not bound by what the task needs.
        for parcel in future.wrapped_future.parcels:
            found.append(_annotations(threads_cluster, parcel.key).resource_restrictions)

    annotated()
    assert found[0] == ({"GPU": 1}, 3, True)
    assert found[1] == -7
    assert not any(found[2:])


def test_a_resource_limits_what_runs_together(runner: DaskTaskRunner) -> None:
    @task
    def one() -> int:
        return threading.active_count()

    @flow(task_runner=runner)
    def limited() -> int:
        with dask.annotate(resources={"GPU": 1}):
            return len([each.result() for each in [one.submit() for _ in range(4)]])

    assert limited() == 4


def test_what_task_runs_share_is_sent_once(client: PrefectDaskClient) -> None:
    content = b"x" * 1_000_000
    futures = client.map(size, [content] * 1, number=1)
    again = [client.submit(size, content, number) for number in range(3)]
    assert [each.result() for each in (*futures, *again)] == [1_000_001, 1_000_000, 1_000_001, 1_000_002]
    parcels = {parcel.key for each in again for parcel in each.parcels}
    assert len(parcels) == 2  # the task with its context, and the content


def test_a_changed_argument_is_sent_as_it_is_now(client: PrefectDaskClient) -> None:
    content = bytearray(b"x" * 10_000)
    first = client.submit(size, content)
    content.extend(b"y")
    assert (first.result(), client.submit(size, content).result()) == (10_000, 10_001)


def test_plain_functions_work_as_with_dask(client: PrefectDaskClient) -> None:
    assert client.submit(sum, [1, 2], priority=0).result() == 3
    assert client.gather(client.map(abs, [-1, 2])) == [1, 2]


def test_the_client_takes_tasks(client: PrefectDaskClient) -> None:
    first = client.submit(add, 1, y=2)
    second = client.submit(add, first)
    state = client.submit(add, 1, return_type="state").result()
    assert (first.result(), second.result(), state.name) == (3, 4, "Completed")
    assert pickle.loads(pickle.dumps(first.task_run_id)) == first.task_run_id
    assert client.gather(client.map(add, [1, 2], [3, 4])) == [4, 6]
