"""Workers die: states tell the truth, and what has ended never runs again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

import prefect
import pytest
from prefect import flow, task

from prefect_ray import RayTaskRunner
from prefect_ray._losses import lost_error, why
from prefect_ray.context import remote_options
from prefect_ray.errors import RayResultLost, RayTaskRunLost

if TYPE_CHECKING:
    from prefect_integration_tests.backends.ray import RayCluster
    from prefect_ray.task_runners import PrefectRayFuture

Eventually = Callable[[Callable[[], Any]], Any]


@task
def die(notes: Path) -> None:
    with notes.open("a") as file:
        file.write("ran\n")
    os.kill(os.getpid(), signal.SIGKILL)


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def until(path: Path, started: Path) -> None:
    started.write_text(str(os.getpid()))
    while not path.exists():
        time.sleep(0.02)


@task
def inner(started: Path) -> None:
    started.write_text(str(prefect.runtime.task_run.id))
    while True:
        with contextlib.suppress(BaseException):  # as a library does that looks at no signals
            time.sleep(300)


@task
def outer(folder: Path) -> None:
    (folder / "outer").write_text(str(os.getpid()))
    future = inner.submit(folder / "inner")
    while not future.is_settled:
        with contextlib.suppress(KeyboardInterrupt):
            future.wait()


class Deaths(NamedTuple):
    """A flow run in which workers die; it takes Ray seconds to start others."""

    dead: PrefectRayFuture[None]
    seconds: float
    error: BaseException
    runs: str
    names: list[str]
    forgotten: UUID


@pytest.fixture(scope="module")
def deaths(
    prefect_harness: None,
    ray_cluster_processes: RayCluster,
    eventually: Eventually,
    tmp_path_factory: pytest.TempPathFactory,
) -> Deaths:
    ray_cluster_processes.connect()
    folder = tmp_path_factory.mktemp("deaths")

    found: list[Deaths] = []

    @flow(task_runner=RayTaskRunner())
    def deadly() -> None:
        add.submit(1).wait()
        began = time.monotonic()
        dead = die.submit(folder / "notes")
        after = add.submit(dead)  # pyright: ignore[reportArgumentType]
        later = add.submit(after)
        dead.wait()
        seconds = time.monotonic() - began
        names = [each.state.name for each in (later, after, dead) if each.wait() is None]
        late = add.submit(dead)  # pyright: ignore[reportArgumentType] - its state is known here already
        late.wait()
        forgotten = die.submit(folder / "others")  # not before: one worker may have been given both
        eventually(lambda: forgotten.is_ready)
        with pytest.raises(RayTaskRunLost) as error:
            dead.result()
        names.append(late.state.name)
        runs = (folder / "notes").read_text()
        found.append(Deaths(dead, seconds, error.value, runs, names, forgotten.task_run_id))

    deadly()
    return found[0]


def test_a_killed_worker_crashes_the_task_run_within_seconds(deaths: Deaths, seen: Any) -> None:
    assert deaths.dead.state.is_crashed()
    assert "worker that ran it died" in str(deaths.dead.state.message)
    assert deaths.seconds < 15
    assert seen.final_state(deaths.dead.task_run_id).is_crashed()


def test_a_lost_task_run_raises_what_became_of_it(deaths: Deaths) -> None:
    with pytest.raises(RayTaskRunLost, match="of task 'die' was lost"):
        raise deaths.error


def test_what_waits_for_a_lost_task_run_does_not_start(deaths: Deaths) -> None:
    assert deaths.names == ["NotReady", "NotReady", "Crashed", "NotReady"]


def test_ray_does_not_try_again_unasked(deaths: Deaths) -> None:
    assert deaths.runs == "ran\n"


def test_a_lost_task_run_that_nobody_waits_for_is_told(deaths: Deaths, seen: Any) -> None:
    assert seen.final_state(deaths.forgotten).is_crashed()


@pytest.mark.parametrize("how", [pytest.param("killed", marks=pytest.mark.slow), "cancelled"])
def test_what_a_killed_task_has_submitted_does_not_stay_running(
    runner: RayTaskRunner[Any],
    eventually: Eventually,
    seen: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """Ray ends it with the worker that has submitted it, and its future is gone with that one."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_RAY_CANCEL_GRACE_SECONDS", "0")

    @flow(task_runner=runner)
    def deadly() -> None:
        future = outer.submit(tmp_path)
        task_run_id = eventually(lambda: (tmp_path / "inner").exists() and (tmp_path / "inner").read_text())
        eventually(lambda: seen.task_run(task_run_id))
        if how == "killed":
            os.kill(int((tmp_path / "outer").read_text()), signal.SIGKILL)
            future.wait()
            assert future.state.is_crashed()

    deadly()
    state = seen.final_state((tmp_path / "inner").read_text())
    assert state.is_crashed()
    assert "of task 'inner' was lost" in str(state.message)


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
        (_named("OutOfDiskError", "disk is full"), "no room for its result, neither in memory nor on disk: disk"),
        (ValueError("odd"), "Ray could not run it: ValueError: odd"),
    ],
    ids=["worker", "memory", "node", "object", "cancelled", "import", "connection", "disk", "other"],
)
def test_causes_are_told(error: Exception, words: str) -> None:
    assert words in why(error)


def test_our_own_errors_stay_what_they_are() -> None:
    lost = RayResultLost("gone")
    wrapped = RuntimeError("ray::run_order")
    wrapped.cause = lost  # pyright: ignore[reportAttributeAccessIssue]
    assert lost_error(uuid4(), "t", wrapped) is lost
