"""Ends: of time limits, of flows that leave work behind, of Ray."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.futures import as_completed
from prefect.settings import PREFECT_API_URL

from prefect_ray import RayTaskRunner

Eventually = Callable[[Callable[[], Any]], Any]


@task(timeout_seconds=20)
def in_time(number: int) -> int:
    return number + 1


@task
def block(folder: Path, number: int) -> None:
    try:
        (folder / f"started-{number}").write_text(str(os.getpid()))
        time.sleep(300)
    finally:
        (folder / f"tidy-{number}").touch()


@task
async def ablock(folder: Path, number: int) -> None:
    try:
        (folder / f"started-{number}").write_text(str(os.getpid()))
        await asyncio.sleep(300)
    finally:
        (folder / f"tidy-{number}").touch()


@task
def block_on(folder: Path, number: int) -> Iterator[int]:
    try:
        (folder / f"started-{number}").write_text(str(os.getpid()))
        while True:
            yield number
            time.sleep(300)
    finally:
        (folder / f"tidy-{number}").touch()


@task
def never_stop(folder: Path, number: int) -> None:
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            (folder / f"started-{number}").write_text(str(os.getpid()))
            time.sleep(300)


@pytest.mark.parametrize(
    ("each", "grace"),
    [(block, "45"), (block_on, "45"), (ablock, "45"), (never_stop, "0")],
    ids=["sync", "generator", "async", "killed"],
)
def test_what_has_not_ended_is_cancelled(
    runner: RayTaskRunner[Any],
    eventually: Eventually,
    seen: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    each: Any,
    grace: str,
) -> None:
    """What runs is interrupted and tidies up, or is killed where it will not; what waits never begins."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_RAY_CANCEL_GRACE_SECONDS", grace)
    futures: list[Any] = []
    ended: list[float] = []

    @flow(task_runner=runner)
    def leaves() -> None:
        futures.extend(each.submit(tmp_path, number) for number in range(4))
        eventually(lambda: any(path.read_text() for path in tmp_path.glob("started-*")))
        ended.append(time.monotonic())
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        leaves()
    seconds = time.monotonic() - ended[0]
    started = sorted(path.name.partition("-")[2] for path in tmp_path.glob("started-*"))
    assert 0 < len(started) < 4
    assert all(future.state.is_crashed() for future in futures)
    if grace == "0":
        pids = [int(path.read_text()) for path in tmp_path.glob("started-*")]
        eventually(lambda: not any(_runs(pid) for pid in pids))
    else:
        assert sorted(path.name.partition("-")[2] for path in tmp_path.glob("tidy-*")) == started
        assert seconds < 30
    for number in started:
        assert seen.final_state(futures[int(number)].task_run_id).is_crashed()
    assert any(seen.task_run(future.task_run_id) is None for future in futures)


def test_a_task_run_that_ray_was_asked_to_cancel_ends(
    runner: RayTaskRunner[Any], eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    @flow(task_runner=runner)
    def cancels() -> Any:
        import ray

        future = block.submit(tmp_path, 0)
        after = in_time.submit(future)  # pyright: ignore[reportArgumentType]
        eventually(lambda: (tmp_path / "started-0").exists())
        ray.cancel(future.wrapped_future)
        future.wait()
        after.wait()
        return future.task_run_id, future.state, after.state.name

    task_run_id, state, after = cancels()
    assert state.is_crashed()
    assert "was interrupted" in str(state.message)
    assert after == "NotReady"
    assert seen.final_state(task_run_id).is_crashed()


@task
def wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_time_limit_of_a_flow_ends_its_wait(runner: RayTaskRunner[Any], tmp_path: Path) -> None:
    @flow(task_runner=runner, timeout_seconds=3)
    def limited() -> None:
        wait_for_file.submit(tmp_path / "never").result()

    began = time.monotonic()
    assert limited(return_state=True).name == "TimedOut"
    assert time.monotonic() - began < 40


@pytest.mark.parametrize(
    "wait",
    [lambda future: future.result(), lambda future: list(as_completed([future]))],
    ids=["result", "as_completed"],
)
def test_a_time_limit_of_a_task_ends_its_wait(
    runner: RayTaskRunner[Any], tmp_path: Path, wait: Callable[[Any], Any]
) -> None:
    @task(timeout_seconds=3)
    def limited() -> None:
        wait(wait_for_file.submit(tmp_path / "at last"))

    @flow(task_runner=runner)
    def names() -> str:
        try:
            future = limited.submit()
            future.wait(timeout=40)
            return future.state.name
        finally:
            (tmp_path / "at last").touch()

    assert names() == "TimedOut"


def _runs(pid: int) -> bool:
    """Whether a process is one that runs something, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_connection_of_the_process_is_left_open(runner: RayTaskRunner[Any]) -> None:
    import ray

    @flow(task_runner=runner)
    def numbers() -> int:
        return in_time.submit(1).result()

    assert (numbers(), numbers()) == (2, 2)
    assert ray.is_initialized()


def test_logs_and_states_reach_the_api_before_the_flow_ends(runner: RayTaskRunner[Any], seen: Any) -> None:
    @task(log_prints=True)
    def says() -> None:
        print("hello from the worker")

    @flow(task_runner=runner)
    def told() -> tuple[Any, Any]:
        import prefect

        future = says.submit()
        future.wait()
        return prefect.runtime.flow_run.id, future.task_run_id

    flow_run_id, task_run_id = told()
    assert seen.final_state(task_run_id).is_completed()
    deadline = time.monotonic() + 30
    while not any("hello from the worker" in each["message"] for each in seen.logs(flow_run_id)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


SCRIPT = """
import os, sys, threading, time
from pathlib import Path
from prefect import flow, task
from prefect.futures import as_completed
from prefect_ray import RayTaskRunner
import ray

folder = Path(sys.argv[1])
HERE = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 100_000_000}

@task
def one():
    return 1

@task
def forever(folder):
    (folder / "started").write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)

@flow(task_runner=RayTaskRunner(init_kwargs=HERE))
def inner():
    return one.submit().result()

@flow(task_runner=RayTaskRunner(init_kwargs=HERE))
def outer():
    total = one.submit().result() + inner()
    assert ray.is_initialized()  # the inner one has left it to us
    return total + one.submit().result()

@flow(task_runner=RayTaskRunner(init_kwargs=HERE))
def runs():
    future = forever.submit(folder)
    (folder / "task").write_text(str(future.task_run_id))
    future.result()

if __name__ == "__main__":
    assert outer() == 3
    assert not ray.is_initialized()
    if "forever" in sys.argv:
        runs()
"""


def _start(folder: Path, *args: str) -> subprocess.Popen[bytes]:
    script = folder / "script.py"
    script.write_text(SCRIPT)
    environment = {
        **os.environ,
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
    }
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, str(script), str(folder), *args]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_ray_that_was_started_is_shared_and_ended_and_sigterm_ends_it_too(
    prefect_harness: None, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    process = _start(tmp_path, "forever")
    try:
        started = tmp_path / "started"
        eventually(lambda: process.poll() is not None or (started.exists() and started.read_text()))
        assert process.poll() is None, process.communicate()[1].decode()[-4000:]
        worker = int(started.read_text())
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        eventually(lambda: not _runs(worker))
        assert seen.final_state((tmp_path / "task").read_text()).is_crashed()
        assert b"Exception ignored" not in errors
        assert b"__del__" not in errors
    finally:
        process.kill()
