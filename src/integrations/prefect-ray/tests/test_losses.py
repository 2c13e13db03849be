"""Workers and nodes die: states tell the truth, and what has ended never runs again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from prefect import flow, task

from prefect_ray import RayTaskRunner
from prefect_ray._losses import lost_error, why
from prefect_ray.context import remote_options
from prefect_ray.errors import RayResultLost, RayTaskRunLost

if TYPE_CHECKING:
    from prefect.states import State

    from prefect_integration_tests.backends.ray import RayCluster

Eventually = Callable[[Callable[[], Any]], Any]


@task
def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def work(number: int, notes: Path, size: int = 0) -> bytes:
    with notes.open("a") as file:
        file.write(f"{number} {os.getpid()}\n")
    return str(number).encode() + bytes(size)


@task
def until(path: Path, started: Path) -> None:
    started.write_text(str(os.getpid()))
    while not path.exists():
        time.sleep(0.02)


def test_a_killed_worker_crashes_the_task_run_within_seconds(runner: RayTaskRunner[Any], seen: Any) -> None:
    @flow(task_runner=runner)
    def deadly() -> tuple[Any, State[Any], float]:
        add.submit(1).wait()
        began = time.monotonic()
        future = die.submit()
        future.wait()
        return future.task_run_id, future.state, time.monotonic() - began

    task_run_id, state, seconds = deadly()
    assert state.is_crashed()
    assert "worker that ran it died" in str(state.message)
    assert seconds < 15
    assert seen.final_state(task_run_id).is_crashed()


def test_what_waits_for_a_lost_task_run_does_not_start(runner: RayTaskRunner[Any]) -> None:
    @flow(task_runner=runner)
    def deadly() -> list[str]:
        dead = die.submit()
        after = add.submit(dead)
        later = add.submit(after)
        names = [each.state.name for each in (later, after, dead) if each.wait() is None]
        late = add.submit(dead)  # its state is known here already
        late.wait()
        return [*names, late.state.name]

    assert deadly() == ["NotReady", "NotReady", "Crashed", "NotReady"]


def test_a_lost_task_run_raises_what_became_of_it(runner: RayTaskRunner[Any]) -> None:
    @flow(task_runner=runner)
    def deadly() -> None:
        die.submit().result()

    with pytest.raises(RayTaskRunLost, match="of task 'die' was lost"):
        deadly()


def test_ray_does_not_try_again_unasked(runner: RayTaskRunner[Any], tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    @task
    def note_and_die() -> None:
        with notes.open("a") as file:
            file.write("ran\n")
        os.kill(os.getpid(), signal.SIGKILL)

    @flow(task_runner=runner)
    def deadly() -> None:
        note_and_die.submit().wait()

    deadly()
    assert notes.read_text() == "ran\n"


def test_a_task_run_that_was_interrupted_runs_elsewhere_if_asked(
    runner: RayTaskRunner[Any], eventually: Eventually, tmp_path: Path
) -> None:
    started, release = tmp_path / "started", tmp_path / "release"

    @flow(task_runner=runner)
    def moved() -> str:
        with remote_options(max_retries=2):
            future = until.submit(release, started)
        pid = int(eventually(lambda: started.exists() and started.read_text()))
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: started.read_text() not in ("", str(pid)))
        release.touch()
        future.wait()
        return future.state.name

    assert moved() == "Completed"


def test_a_killed_node_loses_task_runs_and_what_has_ended_is_not_run_again(
    ray_cluster: RayCluster, runner: RayTaskRunner[Any], eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    notes, started = tmp_path / "notes", tmp_path / "started"
    node = ray_cluster.add_node(num_cpus=4, spare=4)

    @flow(task_runner=runner)
    def once() -> Any:
        with remote_options(resources={"spare": 1}, max_retries=3):
            # One is small, and comes back with the answer; the other is in the memory of the node.
            small, large = work.submit(1, notes), work.submit(2, notes, size=5_000_000)
            eventually(lambda: small.is_ready and large.is_ready)
        with remote_options(resources={"spare": 1}):
            running = until.submit(tmp_path / "never", started)
        eventually(started.exists)
        began = time.monotonic()
        ray_cluster.kill_node(node)
        running.wait()
        seconds = time.monotonic() - began
        # Ray would make the large one again, on a node that has what it needs.
        other = ray_cluster.add_node(num_cpus=1, spare=1)
        large.wait()
        ray_cluster.kill_node(other)
        return running.state, seconds, small.result(), large.state

    state, seconds, small, large = once()
    assert (state.is_crashed(), small) == (True, b"1")
    assert seconds < 30
    assert large.is_crashed()
    assert sorted(line.split()[0] for line in notes.read_text().splitlines()) == ["1", "2"]


def _named(name: str, message: str) -> Exception:
    return type(name, (Exception,), {})(message)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (_named("WorkerCrashedError", "x"), "worker that ran it died"),
        (_named("OutOfMemoryError", "node ran low"), "memory ran out: node ran low"),
        (_named("NodeDiedError", "n1"), "node that it was on died: n1"),
        (_named("ObjectLostError", "o1"), "result was lost with the Ray node"),
        (_named("TaskCancelledError", ""), "Ray cancelled it"),
        (RuntimeError("The remote function failed to import on the worker."), "cannot import 'prefect_ray'"),
        (ConnectionError("gone"), "connection to the Ray cluster was lost"),
        (ValueError("odd"), "Ray could not run it: ValueError: odd"),
    ],
    ids=["worker", "memory", "node", "object", "cancelled", "import", "connection", "other"],
)
def test_causes_are_told(error: Exception, words: str) -> None:
    assert words in why(error)


def test_our_own_errors_stay_what_they_are() -> None:
    lost = RayResultLost("gone")
    wrapped = RuntimeError("ray::run_order")
    wrapped.cause = lost  # pyright: ignore[reportAttributeAccessIssue]
    assert lost_error(uuid4(), "t", wrapped) is lost
