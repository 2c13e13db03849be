"""Ends: of time limits, of flows that leave work behind, of clusters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from prefect import flow, task
from prefect.settings import PREFECT_API_URL

from prefect_dask import DaskTaskRunner
from prefect_integration_tests.backends.dask import DaskCluster

Eventually = Callable[[Callable[[], Any]], Any]
HERE = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}


@task(timeout_seconds=20)
def in_time(number: int) -> int:
    return number + 1


@task
def wait_for(path: Path, started: Path | None = None) -> None:
    if started is not None:
        started.write_text(str(os.getpid()))
    while not path.exists():
        time.sleep(0.02)


def test_a_cluster_that_was_started_is_closed(seen: Any) -> None:
    clusters: list[LocalCluster] = []

    def start(**options: Any) -> LocalCluster:
        clusters.append(LocalCluster(**options))
        return clusters[0]

    @flow(task_runner=DaskTaskRunner(cluster_class=start, cluster_kwargs=HERE))
    def fails() -> None:
        in_time.submit(1).wait()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fails()
    assert clusters[0].status.name == "closed"


def test_a_cluster_that_was_passed_in_is_left_running(threads_cluster: LocalCluster, runner: DaskTaskRunner) -> None:
    @flow(task_runner=runner)
    def fails() -> None:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            fails()
    assert threads_cluster.status.name == "running"


def test_what_has_not_ended_is_cancelled(
    threads_cluster: LocalCluster, runner: DaskTaskRunner, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    ids: list[Any] = []

    @flow(task_runner=runner)
    def leaves() -> None:
        futures = [wait_for.submit(tmp_path / "never", tmp_path / f"started-{number}") for number in range(12)]
        ids.extend(future.task_run_id for future in futures)
        eventually(lambda: any(tmp_path.glob("started-*")))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        leaves()
    scheduler: Any = threads_cluster.scheduler
    eventually(lambda: not any("wait_for" in key for key in scheduler.tasks if isinstance(key, str)))
    eventually(lambda: any(found.state.is_crashed() for each in ids if (found := seen.task_run(each)) and found.state))


def test_a_performance_report_is_written(seen: Any, tmp_path: Path) -> None:
    pytest.importorskip("bokeh")
    report = tmp_path / "report.html"

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=HERE, performance_report_path=str(report)))
    def reported() -> int:
        return in_time.submit(1).result()

    assert reported() == 2
    assert "<html" in report.read_text()


SCRIPT = """
import os, sys, time
from pathlib import Path
from prefect import flow, task
from prefect_dask import DaskTaskRunner

folder = Path(sys.argv[1])

@task
def forever(folder):
    (folder / "started").write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)

@flow(task_runner=DaskTaskRunner(cluster_kwargs={"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}))
def runs():
    future = forever.submit(folder)
    (folder / "task").write_text(str(future.task_run_id))
    future.result()

if __name__ == "__main__":
    runs()
"""


def test_sigterm_closes_the_cluster(eventually: Eventually, seen: Any, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment, stderr=subprocess.PIPE)
    try:
        started = tmp_path / "started"
        worker = int(eventually(lambda: started.exists() and started.read_text()))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
        eventually(lambda: not Path(f"/proc/{worker}").exists())
        assert seen.final_state((tmp_path / "task").read_text()).is_crashed()
    finally:
        process.kill()


def test_a_flow_on_processes_tells_its_logs(dask_cluster: DaskCluster, eventually: Eventually, seen: Any) -> None:
    @task(log_prints=True)
    def says() -> None:
        print("hello from the worker")

    @flow(task_runner=DaskTaskRunner(address=dask_cluster.address))
    def told() -> tuple[Any, Any]:
        import prefect

        future = says.submit()
        future.wait()
        return prefect.runtime.flow_run.id, future.task_run_id

    flow_run_id, task_run_id = told()

    def messages() -> list[str]:
        return [each["message"] for each in seen.logs(flow_run_id)]

    eventually(lambda: any("hello from the worker" in each for each in messages()))
    eventually(lambda: any("Connecting to an existing Dask cluster at" in each for each in messages()))
    assert seen.final_state(task_run_id).is_completed()
