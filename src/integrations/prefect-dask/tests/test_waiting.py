"""Waits for much at once: in tasks on workers with one thread, with time limits, on clusters without workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dask
import pytest
from distributed import LocalCluster, get_client, rejoin, secede, worker_client
from prefect import flow, task
from prefect.futures import as_completed, wait

from prefect_dask import DaskTaskRunner, get_async_dask_client, get_dask_client
from prefect_dask.errors import DaskTaskRunLost

HERE: dict[str, Any] = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
"""A cluster that runs one task at a time."""


@task
def double(number: int) -> int:
    return 2 * number


def _of_list(futures: Any) -> list[int]:
    return futures.result(timeout=15)


def _as_completed(futures: Any) -> list[int]:
    return [each.result() for each in as_completed(list(futures), timeout=15)]


def _wait(futures: Any) -> list[int]:
    done, _ = wait(list(futures), timeout=15)
    return [each.result() for each in done]


@pytest.mark.parametrize("results_of", [_of_list, _as_completed, _wait], ids=lambda each: each.__name__)
def test_a_task_that_maps_tasks_does_not_wait_for_itself(
    results_of: Callable[[Any], list[int]], prefect_harness: None
) -> None:
    @task
    def total() -> int:
        return sum(results_of(double.map(range(4))))

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=HERE))
    def totals() -> list[int]:
        return [total.submit().result() for _ in range(2)]

    assert totals() == [12, 12]


def _computes() -> int:
    import dask.array

    return int(dask.array.arange(5, chunks=1).sum().compute())


def _uses_a_worker_client() -> int:
    with worker_client() as client:
        return sum(client.gather(client.map(int, range(5), pure=False)))


def _secedes() -> int:
    client = get_client()
    futures = client.map(int, range(5), pure=False)
    secede()
    found = client.gather(futures)
    rejoin()
    return sum(found)


@pytest.mark.parametrize("work", [_computes, _uses_a_worker_client, _secedes], ids=lambda each: each.__name__)
def test_a_task_with_a_time_limit_leaves_its_slot_by_the_means_of_dask(
    work: Callable[[], int], prefect_harness: None
) -> None:
    limited = task(work, timeout_seconds=15)

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=HERE))
    def totals() -> list[int]:
        return [each.result() for each in [limited.submit(), limited.submit(), double.submit(5)]]

    assert totals() == [10, 10, 10]


def test_a_map_on_a_cluster_without_workers_is_given_up(prefect_harness: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DASK_NO_WORKER_TIMEOUT_SECONDS", "1")
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:

        @flow(task_runner=DaskTaskRunner(cluster=cluster))
        def alone() -> None:
            double.map(range(3)).result(timeout=20)

        with pytest.raises(DaskTaskRunLost, match="no worker"):
            alone()


def test_all_who_wait_for_workers_give_up_together(prefect_harness: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DASK_NO_WORKER_TIMEOUT_SECONDS", "3")
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:

        @flow(task_runner=DaskTaskRunner(cluster=cluster))
        def alone() -> tuple[float, list[str]]:
            futures = double.map(range(4))
            began = time.monotonic()
            futures.wait()
            return time.monotonic() - began, [each.state.name for each in futures]

        seconds, names = alone()
    assert names == ["Crashed"] * 4
    assert seconds < 9


@pytest.mark.parametrize("face", ["sync", "async"])
def test_the_client_of_a_task_leaves_the_worker_a_client(killable_cluster: Any, face: str) -> None:
    @task
    def first() -> int:
        import dask.array

        with get_dask_client():
            return int(dask.array.arange(5, chunks=1).sum().compute())

    @task
    async def afirst() -> int:
        import dask.array

        async with get_async_dask_client() as client:
            get_client()  # as what unpickles futures does
            return int(await client.compute(dask.array.arange(5, chunks=1).sum()))

    @task
    def second() -> tuple[str, int]:
        client = get_client()
        return client.status, client.submit(int, 7).result()

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def numbers() -> Any:
        worker = next(iter(killable_cluster.scheduler.workers))
        with dask.annotate(workers=[worker]):
            return (first if face == "sync" else afirst).submit().result(), second.submit().result(timeout=30)

    assert numbers() == (10, ("running", 7))
