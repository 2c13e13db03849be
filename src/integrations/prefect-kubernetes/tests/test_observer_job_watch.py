"""Without the observer, a worker looks after its own jobs, and runs end as truthfully."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from prefect.states import Cancelling, Completed, Pending, Running

from prefect_kubernetes._observer import job_watch
from prefect_kubernetes._observer.job_watch import JobWatch

from ._observed import FastClock, Stage, until


class Watched:
    """A watch over the jobs of one worker, and what it said."""

    def __init__(self, stage: Stage, clock: Any) -> None:
        self.ended: list[UUID] = []
        self.is_observed = False
        self.clock = clock
        self.watch = JobWatch(
            prefect=lambda: stage.counting,  # type: ignore[return-value]
            logger=logging.getLogger("test"),
            events_are_coming=lambda: self.is_observed,
            on_end=self.ended.append,
            clock=clock,
        )


@pytest.fixture
def watched(stage: Stage) -> Watched:
    return Watched(stage, FastClock(1))


@contextlib.asynccontextmanager
async def watching(watched: Watched) -> AsyncIterator[None]:
    task = asyncio.create_task(watched.watch.watch())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def start(stage: Stage, watched: Watched, name: str, state: Any = None, **options: Any) -> UUID:
    run = await stage.run_in(state or Running(), name)
    stage.start(run, name, **options)
    stage.play.start(name)
    watched.watch.add(run, "default", name)
    return run


async def test_a_run_whose_job_failed_is_crashed_with_cause_and_last_lines(stage: Stage, watched: Watched) -> None:
    run = await start(stage, watched, "job")
    stage.play.write("job", "last words")
    await watched.watch.look()
    assert run in watched.watch
    stage.play.oom_kill("job")
    await watched.watch.look()
    assert "more memory than it may" in str((await stage.becomes(run, "Crashed")).message)
    assert "last words" in await stage.logs_of(run)
    assert (watched.ended, len(watched.watch)) == ([run], 0)


async def test_a_run_that_ended_by_itself_is_let_go(stage: Stage, watched: Watched) -> None:
    run = await start(stage, watched, "job")
    await stage.client.set_flow_run_state(run, Completed(), force=True)
    stage.play.succeed("job")
    await watched.watch.look()
    assert watched.ended == [run]
    assert (await stage.state_of(run)).is_completed()


async def test_a_job_that_is_gone_crashes_its_run(stage: Stage, watched: Watched) -> None:
    run = await start(stage, watched, "job")
    await watched.watch.look()
    stage.play.delete_job("job")
    await watched.watch.look()
    assert "The job was deleted" in str((await stage.becomes(run, "Crashed")).message)


async def test_a_job_that_was_gone_before_anybody_looked_crashes_its_run_after_a_moment(
    stage: Stage, watched: Watched
) -> None:
    run = await stage.run_in(Running(), "never")
    watched.watch.add(run, "default", "never")
    await watched.watch.look()
    assert (await stage.state_of(run)).is_running()
    watched.clock.advance(job_watch.MISSING_SECONDS + 1)
    await watched.watch.look()
    await stage.becomes(run, "Crashed")


async def test_a_job_of_a_cancelled_run_is_deleted_and_the_run_cancelled(
    stage: Stage, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await start(stage, watched, "job")
    await watched.watch.look()
    await stage.client.set_flow_run_state(run, Cancelling(), force=True)
    await watched.watch.look()
    assert stage.jobs() == ["job"]  # it has some time to end by itself
    watched.clock.advance(61)
    await watched.watch.look()
    await until(lambda: not stage.jobs())
    await watched.watch.look()
    await stage.becomes(run, "Cancelled")


async def test_a_pod_that_cannot_start_is_told_of_and_given_up_in_the_end(stage: Stage, watched: Watched) -> None:
    run = await stage.run_in(Pending(), "job")
    stage.start(run, "job")
    watched.watch.add(run, "default", "job")
    stage.play.image_pull_error("job")
    await watched.watch.look()
    await stage.becomes(run, "InfrastructurePending")
    watched.clock.advance(601)
    await watched.watch.look()
    await until(lambda: not stage.jobs())
    await watched.watch.look()
    assert "could not start" in str((await stage.becomes(run, "Crashed")).message)


async def test_many_jobs_are_looked_at_by_one_list_and_few_one_by_one(
    stage: Stage, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [await start(stage, watched, f"job-{number}") for number in range(12)]
    stage.api.calls.clear()
    await watched.watch.look()
    assert (len(stage.api.calls_of("list", "jobs")), len(stage.api.calls_of("list", "pods"))) == (1, 1)
    assert stage.api.calls_of("get", "jobs") == []
    for number in range(6):
        stage.play.fail(f"job-{number}", exit_code=1)
    await watched.watch.look()
    assert sorted(watched.ended) == sorted(runs[:6])
    stage.api.calls.clear()
    await watched.watch.look()
    assert len(stage.api.calls_of("get", "jobs")) == 6
    assert stage.api.calls_of("list", "jobs") == []


async def test_it_looks_often_without_the_observer_and_seldom_with_it(stage: Stage) -> None:
    watched = Watched(stage, FastClock(100))
    run = await start(stage, watched, "job")
    watched.is_observed = True
    async with watching(watched):
        begin = watched.clock.monotonic()
        await until(lambda: watched.clock.monotonic() > begin + 60)
        assert stage.api.calls_of("get", "jobs") == []
        watched.is_observed = False
        await until(lambda: len(stage.api.calls_of("get", "jobs")) >= 2)
        stage.play.fail("job", exit_code=1)
        await stage.becomes(run, "Crashed")


async def test_what_fails_is_told_once_and_tried_again(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(stage, FastClock(100))
    run = await start(stage, watched, "job")
    stage.api.fail("get", "jobs", 400, times=4)
    with caplog.at_level(logging.INFO):
        async with watching(watched):
            stage.play.fail("job", exit_code=1)
            await stage.becomes(run, "Crashed")
            await until(lambda: "Looking after running jobs again" in caplog.text)
    said = [record for record in caplog.records if "Cannot look after running jobs" in record.getMessage()]
    assert len([record for record in said if record.levelno == logging.WARNING]) == 1


async def test_one_cluster_that_fails_does_not_hide_another(
    stage: Stage, watched: Watched, make_cluster_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await stage.run_in(Running(), "lost")
    stage.start(lost, "lost")
    watched.watch.add(lost, "default", "lost", make_cluster_config("no such token"))
    run = await start(stage, watched, "job")
    stage.play.fail("job", exit_code=1)
    with pytest.raises(Exception, match="does not accept the credentials"):
        await watched.watch.look()
    await stage.becomes(run, "Crashed")
    assert lost in watched.watch
