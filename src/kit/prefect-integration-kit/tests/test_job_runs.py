"""Jobs of a service in memory: how their ends are learnt, and which are deleted."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Hashable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Completed, Running

from prefect_integration_kit._job_poller import JobPoller
from prefect_integration_kit._job_sweep import to_delete
from prefect_integration_kit.job_service import JobService, Seen
from prefect_integration_kit.job_settings import JobRunSettings
from prefect_integration_kit.settlement import Ended
from prefect_integration_kit.waiting import apoll

LOGGER = logging.getLogger("test-jobs")
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
ENDED = Ended(name="job a", message="It ended.", succeeded=True)


class Jobs(JobService[Any]):
    """Jobs in memory.

    Attributes:
        jobs: The jobs, as they are seen.
        calls: What was asked, in order.
        failures: Raised by the next calls.
    """

    kind = "memory job"

    def __init__(self, *names: str) -> None:
        self.jobs = {name: Seen(name) for name in names}
        self.calls: list[str] = []
        self.failures: list[Exception] = []
        self.without_details: set[str] = set()

    @property
    def key(self) -> Hashable:
        return id(self)

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.failures:
            raise self.failures.pop(0)

    async def start(
        self, flow_run: Any, configuration: Any, *, submission: str, is_wanted: Callable[[], bool], logger: Any
    ) -> str | None:
        raise NotImplementedError

    async def find(self, flow_run: Any, configuration: Any, *, submission: str) -> str | None:
        raise NotImplementedError

    async def list_jobs(self) -> AsyncIterator[Seen]:
        self._called("list")
        for seen in list(self.jobs.values()):
            is_unclear = seen.identifier in self.without_details and seen.ended is not None
            yield Seen(seen.identifier, ended=seen.ended, has_details=False) if is_unclear else seen

    async def inspect(self, identifier: str) -> Seen | None:
        self._called(f"inspect {identifier}")
        return self.jobs.get(identifier)

    async def stop(self, identifier: str, grace_seconds: float) -> bool:
        raise NotImplementedError

    async def delete(self, identifier: str) -> None:
        raise NotImplementedError

    def end(self, name: str, exit_code: int = 0) -> None:
        self.jobs[name] = Seen(name, ended=ENDED, exit_code=exit_code)


class Watched:
    """A poller, and what it is waiting for."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.poller = JobPoller(jobs, interval_seconds=0.02, logger=LOGGER)

    def wait(self, name: str) -> asyncio.Task[Seen | None]:
        return asyncio.create_task(self.poller.wait(name))


async def _until(look: Callable[[], bool]) -> None:
    async def seen() -> bool | None:
        return look() or None

    await apoll(seen, subject="what is waited for", interval_seconds=0.01, timeout_seconds=10)


async def _result(task: asyncio.Task[Seen | None]) -> Seen | None:
    return await asyncio.wait_for(task, 10)


async def test_many_jobs_are_looked_at_in_one_list() -> None:
    jobs = Jobs(*(f"job-{number}" for number in range(200)))
    watched = Watched(jobs)
    tasks = [watched.wait(name) for name in jobs.jobs]
    await _until(lambda: len(jobs.calls) >= 3)
    assert set(jobs.calls) == {"list"}
    for name in list(jobs.jobs):
        jobs.end(name)
    assert {(await _result(task)).exit_code for task in tasks} == {0}  # pyright: ignore[reportOptionalMemberAccess]
    assert set(jobs.calls) == {"list"}


async def test_nothing_is_asked_when_nothing_is_waited_for() -> None:
    jobs = Jobs("a")
    watched = Watched(jobs)
    jobs.end("a")
    await _result(watched.wait("a"))
    await _until(lambda: asyncio.all_tasks() == {asyncio.current_task()})  # nothing goes on that could ask


async def test_an_end_that_the_list_does_not_explain_is_looked_at_by_itself() -> None:
    jobs = Jobs("a", "b")
    jobs.without_details = {"a"}
    watched = Watched(jobs)
    tasks = watched.wait("a"), watched.wait("b")
    jobs.end("a", exit_code=3)
    seen = await _result(tasks[0])
    assert seen is not None
    assert seen.exit_code == 3
    assert [call for call in jobs.calls if call != "list"] == ["inspect a"]
    await watched.poller.close()
    tasks[1].cancel()


async def test_a_job_that_is_gone_is_seen_to_be_gone_at_the_second_look() -> None:
    jobs = Jobs()
    assert await _result(Watched(jobs).wait("a")) is None
    assert jobs.calls.count("inspect a") == 2


async def test_a_failing_look_is_said_once_and_repeated(caplog: pytest.LogCaptureFixture) -> None:
    jobs = Jobs("a")
    jobs.failures = [OSError("broken")] * 3
    watched = Watched(jobs)
    task = watched.wait("a")
    await _until(lambda: not jobs.failures)
    jobs.end("a")
    with caplog.at_level(logging.INFO):
        assert await _result(task) is not None
    said = [record.message for record in caplog.records if record.name == LOGGER.name]
    assert sum("Cannot look after memory jobs" in line for line in said) == 1


async def test_jobs_that_cannot_be_listed_are_looked_at_one_by_one() -> None:
    jobs = Jobs("a")
    jobs.failures = [PermissionError("may not list")]
    watched = Watched(jobs)
    task = watched.wait("a")
    await _until(lambda: jobs.calls.count("inspect a") >= 2)
    jobs.end("a")
    assert await _result(task) is not None
    assert jobs.calls.count("list") == 1


def _run(state: Any, pid: str | None = None) -> FlowRun:
    state.timestamp = NOW - timedelta(hours=1)
    return FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), state=state, infrastructure_pid=pid)


OVER, ALIVE, MOVED_ON = _run(Completed()), _run(Running(), "job"), _run(Running(), "another-job")
RUNS = {run.id: run for run in (OVER, ALIVE, MOVED_ON)}
END = Ended(name="job", message="", is_named_by=lambda pid: pid == "job")
OLD = NOW - timedelta(hours=2)


def _job(run: FlowRun | None, **changes: Any) -> Seen:
    values: dict[str, Any] = {"flow_run_id": run.id if run else None, "created_at": OLD, "is_ours": True, **changes}
    return Seen("job", **values)


@pytest.mark.parametrize(
    ("job", "is_deleted"),
    [
        (_job(OVER, ended=END), True),
        (_job(OVER), True),
        (_job(OVER, ended=END, created_at=NOW), False),
        (_job(OVER, ended=END, created_at=None), False),
        (_job(OVER, ended=END, is_kept=True), False),
        (_job(OVER, ended=END, is_ours=False), False),
        (_job(ALIVE), False),
        (_job(ALIVE, ended=END), False),
        (_job(MOVED_ON, ended=END), True),
        (_job(MOVED_ON), False),
        (_job(None, ended=END), True),
        (_job(None), False),
        (_job(_run(Running())), True),
    ],
    ids=[
        "its run is over",
        "its run is over and it goes on",
        "young",
        "of unknown age",
        "to be kept",
        "not ours",
        "its run goes on",
        "its run is to be settled",
        "its run has another",
        "its run has another and it goes on",
        "for nobody",
        "for nobody and it goes on",
        "its run was deleted",
    ],
)
def test_only_jobs_that_nobody_needs_are_deleted(job: Seen, is_deleted: bool) -> None:
    assert (to_delete([job], RUNS, JobRunSettings(), NOW) == [job]) is is_deleted
