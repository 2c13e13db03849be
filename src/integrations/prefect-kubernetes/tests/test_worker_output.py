"""The worker prints what containers print, without a gap or a line twice, and gives way where it may not."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from prefect_integration_kit.waiting import apoll
from prefect_kubernetes import KubernetesClusterConfig
from prefect_kubernetes._clients import open_api
from prefect_kubernetes._worker.manifest import name_job
from prefect_kubernetes._worker.output import Outputs, Printed, _since, _split
from prefect_kubernetes.worker import JobIdentifier

from ._configurations import manifest_of

logger = logging.getLogger("prefect.test-output")


class QuickClock:
    """Waits a thousandth of the time."""

    def monotonic(self) -> float:
        return anyio.current_time()

    def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    async def asleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / 1000)


@pytest.fixture
def api(empty_kube_api: Any) -> Any:
    return empty_kube_api


@pytest.fixture
def job(api: Any) -> JobIdentifier:
    manifest = name_job(manifest_of(backoff_limit=1), uuid.uuid4().hex)
    api.create("jobs", manifest, "default")
    return JobIdentifier("default", manifest["metadata"]["name"])


@pytest.fixture
def following(api: Any, job: JobIdentifier) -> Callable[..., Any]:
    """Follow a job while a block runs; gives the lines, and waits for the end of the job afterwards."""

    @asynccontextmanager
    async def following(limit: int = 5, token: str | None = None) -> AsyncGenerator[list[str], None]:
        lines: list[str] = []
        outputs = Outputs(limit, logger, write=lines.append, clock=QuickClock())
        config = KubernetesClusterConfig(config=api.kubeconfig(token), context_name="played")
        with anyio.fail_after(30):
            async with open_api(config) as client, anyio.create_task_group() as group:
                group.start_soon(outputs.follow, client, job)
                yield lines

    return following


async def until(condition: Callable[[], bool]) -> None:
    async def look() -> bool | None:
        return condition() or None

    await apoll(look, subject="What the test waits for", interval_seconds=0.01, timeout_seconds=20)


async def test_lines_are_printed_as_they_come(api: Any, job: JobIdentifier, following: Any) -> None:
    async with following() as lines:
        api.play.start(job.job_name)
        api.play.write(job.job_name, "one\ntwo")
        await until(lambda: lines == ["one", "two"])
        api.play.write(job.job_name, "ünïcode")
        await until(lambda: len(lines) == 3)
        api.play.write(job.job_name, "last")
        api.play.succeed(job.job_name)
    assert lines == ["one", "two", "ünïcode", "last"]


async def test_a_job_that_is_over_is_looked_at_once(api: Any, job: JobIdentifier, following: Any) -> None:
    api.play.start(job.job_name)
    api.play.write(job.job_name, "one\ntwo")
    api.play.succeed(job.job_name)
    api.calls.clear()
    async with following() as lines:
        pass
    assert lines == ["one", "two"]
    assert [(call.verb, call.resource) for call in api.calls if call.resource in ("jobs", "pods", "pods/log")] == [
        ("get", "jobs"),
        ("list", "pods"),
        ("get", "pods/log"),
    ]


async def test_a_stream_that_breaks_off_goes_on_where_it_was(api: Any, job: JobIdentifier, following: Any) -> None:
    async with following() as lines:
        api.play.start(job.job_name)
        api.play.write(job.job_name, "one\ntwo")
        await until(lambda: lines == ["one", "two"])
        api.drop_watches("pods")
        api.play.write(job.job_name, "three")
        await until(lambda: "three" in lines)
        api.play.succeed(job.job_name)
    assert lines == ["one", "two", "three"]


async def test_a_pod_that_is_started_instead_of_another_is_printed_too(
    api: Any, job: JobIdentifier, following: Any
) -> None:
    async with following() as lines:
        api.play.start(job.job_name)
        api.play.write(job.job_name, "first try")
        await until(lambda: lines == ["first try"])
        api.play.fail(job.job_name)
        await until(lambda: len(api.play.pods(job.job_name)) == 2)
        api.play.start(job.job_name)
        api.play.write(job.job_name, "second try")
        await until(lambda: "second try" in lines)
        api.play.succeed(job.job_name)
    assert lines == ["first try", "second try"]


async def test_nothing_is_followed_any_more_when_the_job_is_gone(api: Any, job: JobIdentifier, following: Any) -> None:
    async with following() as lines:
        api.play.delete_job(job.job_name)
    assert lines == []


async def test_without_permission_it_is_said_once(
    api: Any, job: JobIdentifier, following: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rules = [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]
    api.play.start(job.job_name)
    with caplog.at_level(logging.WARNING, logger.name):
        async with following(token=api.add_user("worker", rules)):
            pass
    (record,) = [record for record in caplog.records if record.name == logger.name]
    assert "pods/log" in record.getMessage()


async def test_no_more_jobs_are_followed_than_allowed(
    api: Any, following: Any, caplog: pytest.LogCaptureFixture
) -> None:
    calls = len(api.calls)
    with caplog.at_level(logging.WARNING, logger.name):
        async with following(limit=0):
            pass
    assert len(api.calls) == calls
    assert "WORKER_MAX_STREAMED_JOBS" in caplog.text


@pytest.mark.parametrize(
    ("line", "moment", "text"),
    [
        (b"2026-05-04T10:00:00Z a b", "2026-05-04T10:00:00.000000000Z", "a b"),
        (b"2026-05-04T10:00:00.25Z x\r", "2026-05-04T10:00:00.250000000Z", "x"),
        (b"2026-05-04T12:00:00.123456789+02:00 ", "2026-05-04T12:00:00.123456789+02:00", ""),
        (b"unable to retrieve logs", "", "unable to retrieve logs"),
    ],
)
def test_the_time_of_a_line_can_be_compared(line: bytes, moment: str, text: str) -> None:
    assert _split(line) == (moment, text)


def test_a_log_is_asked_for_from_the_second_of_the_last_line_on() -> None:
    assert _since("2026-05-04T12:00:00.123456789+02:00") == "2026-05-04T12:00:00+02:00"
    assert _since("2026-05-04T10:00:00.250000000Z") == "2026-05-04T10:00:00Z"
    assert _since("") == ""


def test_lines_of_the_same_moment_are_told_apart_by_their_number() -> None:
    printed = Printed()
    assert [printed.resume()(moment) for moment in ("1",)] == [True]
    is_new = printed.resume()
    assert [is_new(moment) for moment in ("0", "1", "1", "2", "")] == [False, False, True, True, True]
    is_new = printed.resume()
    assert [is_new(moment) for moment in ("1", "1", "2", "2")] == [False, False, False, True]
