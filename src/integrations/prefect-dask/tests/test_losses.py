"""Workers and schedulers die: states tell the truth, and what has ended never runs again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task

from prefect_dask import DaskTaskRunner
from prefect_dask.errors import DaskTaskRunLost
from prefect_integration_tests.backends.dask import DaskCluster

if TYPE_CHECKING:
    from prefect.states import State

Eventually = Callable[[Callable[[], Any]], Any]


@task
def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task
def work(number: int, notes: Path) -> int:
    with notes.open("a") as file:
        file.write(f"{number} {os.getpid()}\n")
    return number


@task
def until(path: Path, started: Path) -> None:
    started.write_text(str(os.getpid()))
    while not path.exists():
        time.sleep(0.02)


@pytest.fixture
def cluster(dask_cluster: DaskCluster) -> DaskCluster:
    return dask_cluster


@pytest.fixture
def killing_cluster(request: pytest.FixtureRequest, prefect_harness: None) -> Iterator[DaskCluster]:
    with DaskCluster.start(workers=request.param + 2, allowed_failures=request.param) as cluster:
        yield cluster


@pytest.mark.parametrize("killing_cluster", [0, 1], ids=["no-failure-allowed", "one-failure-allowed"], indirect=True)
def test_a_killed_worker_crashes_the_task_run(killing_cluster: DaskCluster, eventually: Eventually, seen: Any) -> None:
    @flow(task_runner=DaskTaskRunner(address=killing_cluster.address))
    def deadly() -> tuple[Any, State[Any]]:
        future = die.submit()
        future.wait()
        return future.task_run_id, future.state

    task_run_id, state = deadly()
    assert state.is_crashed()
    assert "worker that ran it died" in str(state.message)
    assert seen.final_state(task_run_id).is_crashed()


def test_a_lost_scheduler_ends_the_flow(eventually: Eventually, seen: Any, tmp_path: Path) -> None:
    with DaskCluster.start(workers=1) as cluster:

        @flow(task_runner=DaskTaskRunner(address=cluster.address, client_kwargs={"timeout": 3}))
        def lonely() -> None:
            future = until.submit(tmp_path / "never", tmp_path / "started")
            eventually((tmp_path / "started").exists)
            cluster.scheduler.kill()
            future.result()

        began = time.monotonic()
        with pytest.raises(DaskTaskRunLost, match="scheduler"):
            lonely()
        assert time.monotonic() - began < 30


def test_what_has_ended_is_not_run_again(
    cluster: DaskCluster, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"

    @flow(task_runner=DaskTaskRunner(address=cluster.address))
    def once() -> tuple[list[int], list[int]]:
        futures = work.map(range(6), notes=notes)
        eventually(lambda: all(future.wrapped_future.status == "finished" for future in futures))
        # Dask runs what was in the memory of a dead worker again, since its results are wanted.
        cluster.workers[0].kill()
        after = work.map(futures, notes=tmp_path / "others")
        return futures.result(), after.result()

    first, after = once()
    assert first == after == list(range(6))
    numbers = [line.split()[0] for line in notes.read_text().splitlines()]
    assert sorted(numbers) == [str(each) for each in range(6)]


def test_a_task_run_that_was_interrupted_runs_elsewhere(
    cluster: DaskCluster, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    """Dask's own retries after a worker's death stay what they are."""
    started, release = tmp_path / "started", tmp_path / "release"

    @flow(task_runner=DaskTaskRunner(address=cluster.address))
    def moved() -> str:
        future = until.submit(release, started)
        pid = int(eventually(lambda: started.exists() and started.read_text()))
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: started.read_text() not in ("", str(pid)))
        release.touch()
        future.wait()
        return future.state.name

    assert moved() == "Completed"


def test_a_cluster_without_workers_is_given_up(
    eventually: Eventually, seen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DASK_NO_WORKER_TIMEOUT_SECONDS", "1")
    with DaskCluster.start(workers=1) as cluster:

        @flow(task_runner=DaskTaskRunner(address=cluster.address))
        def alone() -> None:
            future = until.submit(tmp_path / "never", tmp_path / "started")
            eventually((tmp_path / "started").exists)
            cluster.workers[0].kill()
            future.result()

        with pytest.raises(DaskTaskRunLost, match="no worker"):
            alone()
