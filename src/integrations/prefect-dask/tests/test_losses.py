"""Workers and schedulers die: states tell the truth, and what has ended never runs again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task, unmapped
from prefect.context import FlowRunContext
from prefect.events.worker import EventsWorker

from prefect_dask import DaskTaskRunner
from prefect_dask.errors import DaskResultLost, DaskTaskRunLost
from prefect_integration_tests.backends.dask import DaskCluster
from prefect_integration_tests.suites.task_runner import Refusal, refuse

if TYPE_CHECKING:
    from prefect.states import State

Eventually = Callable[[Callable[[], Any]], Any]


def note(notes: Path, line: object = "") -> int:
    """Write a line, and return how many there are."""
    with notes.open("a") as file:
        file.write(f"{line}\n")
    return len(notes.read_text().splitlines())


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


@task
def die(notes: Path, times: int) -> int:
    attempt = note(notes)
    if attempt <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt


@task
def work(number: int, notes: Path) -> int:
    note(notes, number)
    return number


@task
def large(notes: Path) -> bytes:
    note(notes, os.getpid())
    return b"x" * 1_000_000


@task
def size(content: bytes) -> int:
    return len(content)


@task
def until(path: Path, started: Path) -> None:
    started.write_text(str(os.getpid()))
    while not path.exists():
        time.sleep(0.02)


@task
def size_when(path: Path, content: bytes, number: int, notes: Path) -> int:
    note(notes, number)
    while not path.exists():
        time.sleep(0.02)
    return len(content) + number


def is_finished(future: Any) -> bool:
    return future.wrapped_future.status == "finished"


def test_an_error_that_cannot_be_pickled_comes_from_another_process_as_it_is(killable_cluster: Any) -> None:
    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def refused() -> None:
        failed = refuse.submit(7)
        failed.wait()
        assert failed.state.name == "Failed"
        failed.result()

    with pytest.raises(Refusal, match="7: closed") as caught:
        refused()
    assert caught.value.code == 7
    assert not hasattr(caught.value, "lock")


# A worker dies while it runs a task


@pytest.mark.parametrize(
    ("allowed", "deaths", "ends"),
    [
        pytest.param(allowed, deaths, ends, id=f"{allowed}-allowed-{deaths}-killed")
        for allowed in range(4)
        for deaths, ends in ((allowed, "Completed"), (allowed + 1, "Crashed"))
    ],
)
def test_a_task_run_outlives_as_many_workers_as_dask_allows(
    killable_cluster: Any, seen: Any, tmp_path: Path, allowed: int, deaths: int, ends: str
) -> None:
    killable_cluster.scheduler.allowed_failures = allowed
    killable_cluster.need(deaths + 1)
    notes = tmp_path / "notes"

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def deadly() -> tuple[Any, State[Any], str]:
        future = die.submit(notes, deaths)
        after = work.submit(future, tmp_path / "after")
        future.wait()
        after.wait()
        return future.task_run_id, future.state, after.state.name

    task_run_id, state, after = deadly()
    assert state.name == seen.final_state(task_run_id).name == ends
    assert len(lines(notes)) == allowed + 1
    assert after == ("Completed" if ends == "Completed" else "NotReady")
    if ends == "Crashed":
        assert "worker that ran it died" in str(state.message)


def test_a_killed_worker_is_told_within_seconds(killable_cluster: Any, seen: Any, tmp_path: Path) -> None:
    killable_cluster.scheduler.allowed_failures = 0

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def deadly() -> float:
        future = die.submit(tmp_path / "notes", 1)
        future.wait(timeout=30)
        died_at = (tmp_path / "notes").stat().st_mtime
        assert future.state.is_crashed()
        return time.time() - died_at

    assert deadly() < 5


def test_a_task_run_that_was_interrupted_runs_elsewhere(
    killable_cluster: Any, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    """Dask's own retries after a worker's death stay what they are."""
    started, release = tmp_path / "started", tmp_path / "release"

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def moved() -> str:
        future = until.submit(release, started)
        pid = int(eventually(lambda: started.exists() and started.read_text()))
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: started.read_text() not in ("", str(pid)))
        release.touch()
        future.wait()
        return future.state.name

    assert moved() == "Completed"


# A worker dies after a task has ended


def test_what_has_ended_is_not_run_again(
    killable_cluster: Any, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def once() -> tuple[list[int], list[int]]:
        futures = work.map(range(6), notes=notes)
        eventually(lambda: all(map(is_finished, futures)))
        # Dask runs what was in the memory of a dead worker again, since its results are wanted.
        killable_cluster.kill(set(killable_cluster.scheduler.workers))
        after = work.map(futures, notes=tmp_path / "others")
        return futures.result(), after.result()

    first, after = once()
    assert first == after == list(range(6))
    assert sorted(lines(notes)) == [str(each) for each in range(6)]


@pytest.mark.parametrize("persists", [False, True], ids=["in-memory", "persisted"])
def test_a_large_result_that_dies_with_its_worker(
    killable_cluster: Any, eventually: Eventually, seen: Any, tmp_path: Path, persists: bool
) -> None:
    """It is told as lost, unless it was persisted; in no case does the task run again."""
    notes = tmp_path / "notes"

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def loses() -> tuple[Any, Any, str]:
        future = large.with_options(persist_result=persists).submit(notes)
        eventually(lambda: is_finished(future))
        before = size.submit(future)
        assert before.result() == 1_000_000  # as long as the worker lives
        killable_cluster.kill(killable_cluster.holders(future.wrapped_future.key))
        after = size.submit(future)
        result = future.result(raise_on_failure=False)
        after.wait()
        return future.task_run_id, result, after.state.name

    task_run_id, result, after = loses()
    assert len(lines(notes)) == 1
    assert seen.final_state(task_run_id).is_completed()
    if persists:
        assert (len(result), after) == (1_000_000, "Completed")
    else:
        assert isinstance(result, DaskResultLost)
        assert "persist_result=True" in str(result)
        assert after == "NotReady"


def test_a_lost_result_is_raised(killable_cluster: Any, eventually: Eventually, seen: Any, tmp_path: Path) -> None:
    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def loses() -> bytes:
        future = large.submit(tmp_path / "notes")
        eventually(lambda: is_finished(future))
        killable_cluster.kill(killable_cluster.holders(future.wrapped_future.key))
        return future.result()

    with pytest.raises(DaskResultLost, match="It was not run again"):
        loses()
    assert len(lines(tmp_path / "notes")) == 1


@task
def unheard(notes: Path, length: int) -> bytes:
    """Its worker does not get to report how it ends."""
    EventsWorker.send = lambda *_: None
    note(notes)
    return b"x" * length


@pytest.mark.parametrize("length", [10, 1_000_000], ids=["small", "large"])
def test_an_end_that_the_worker_could_not_report_is_reported(
    killable_cluster: Any, eventually: Eventually, seen: Any, tmp_path: Path, length: int
) -> None:
    notes = tmp_path / "notes"

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def silent() -> tuple[Any, Any]:
        future = unheard.submit(notes, length)
        eventually(lambda: is_finished(future))
        eventually(lambda: (found := seen.task_run(future.task_run_id)) and found.state and found.state.is_running())
        killable_cluster.kill(killable_cluster.holders(future.wrapped_future.key))
        return future.task_run_id, future.result(raise_on_failure=False)

    task_run_id, result = silent()
    assert seen.final_state(task_run_id).is_completed()
    assert len(lines(notes)) == 1
    assert isinstance(result, bytes if length == 10 else DaskResultLost)


# A worker dies that holds arguments


def test_a_large_argument_outlives_the_workers_that_hold_it(
    killable_cluster: Any, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    notes, release = tmp_path / "notes", tmp_path / "release"
    content = b"x" * 20_000_000

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def mapped() -> list[int]:
        futures = size_when.map(release, unmapped(content), range(4), notes)
        # Where Dask has measured a slow network, it gives all to the worker that has the argument: one run waits then.
        begun = eventually(lambda: len(lines(notes)))
        parcels = {parcel.key for future in futures for parcel in future.wrapped_future.parcels}
        killable_cluster.kill(set.union(*map(killable_cluster.holders, parcels)))
        eventually(lambda: len(lines(notes)) > begun)  # Dask tries again what was interrupted
        release.touch()
        return futures.result()

    assert mapped() == [20_000_000 + number for number in range(4)]


def test_scattered_data_that_are_lost_are_told(
    killable_cluster: Any, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    """What the flow itself has given to `scatter` cannot be made again."""
    notes = tmp_path / "notes"

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def scattered() -> None:
        context = FlowRunContext.get()
        assert context is not None
        data = context.task_runner.client.scatter(b"x" * 100, hash=False)
        future = size_when.submit(tmp_path / "never", data, 1, notes)
        after = size.submit(future)
        eventually(lambda: len(lines(notes)) == 1)
        killable_cluster.kill(killable_cluster.holders(data.key))
        after.wait()
        assert after.state.name == "NotReady"
        future.result()

    began = time.monotonic()
    with pytest.raises(DaskTaskRunLost, match="scattered"):
        scattered()
    assert time.monotonic() - began < 20


# Nobody is left


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


def test_a_result_whose_last_worker_dies_while_it_is_fetched_is_given_up(
    eventually: Eventually, seen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DASK_NO_WORKER_TIMEOUT_SECONDS", "1")
    with DaskCluster.start(workers=1) as cluster:

        @flow(task_runner=DaskTaskRunner(address=cluster.address))
        def fetched() -> None:
            future = large.submit(tmp_path / "notes")
            eventually(lambda: is_finished(future))
            (pid,) = map(int, lines(tmp_path / "notes"))
            os.kill(pid, signal.SIGSTOP)  # the fetch begins, and does not end
            death = threading.Timer(1, os.kill, [pid, signal.SIGKILL])
            death.start()
            future.result()

        with pytest.raises(DaskTaskRunLost, match="no worker"):
            fetched()


def test_a_cluster_without_workers_is_given_up(
    eventually: Eventually, seen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DASK_NO_WORKER_TIMEOUT_SECONDS", "1")
    with DaskCluster.start(workers=1) as cluster:

        @flow(task_runner=DaskTaskRunner(address=cluster.address))
        def alone() -> None:
            ended = large.submit(tmp_path / "notes")
            eventually(lambda: is_finished(ended))
            future = until.submit(tmp_path / "never", tmp_path / "started")
            eventually((tmp_path / "started").exists)
            cluster.workers[0].kill()
            with pytest.raises(DaskTaskRunLost, match="no worker"):
                ended.result()
            future.result()

        with pytest.raises(DaskTaskRunLost, match="no worker"):
            alone()
