"""How a run is waited for: what is outlasted, when the time is up, what becomes of the run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from prefect_databricks import DatabricksAccessDenied, DatabricksNotFound, DatabricksUnavailable
from prefect_databricks.flows import (
    DatabricksJobRunTimedOut,
    jobs_runs_submit_and_wait_for_completion,
    jobs_runs_submit_by_id_and_wait_for_completion,
    jobs_runs_wait_for_completion,
)
from prefect_integration_kit.waiting import SYSTEM_CLOCK, apoll
from prefect_integration_tests.backends.databricks import TaskPlay

if TYPE_CHECKING:
    from prefect_databricks import DatabricksCredentials
    from prefect_integration_tests.backends.databricks import Databricks
    from prefect_integration_tests.clock import FakeClock

# What happens within a flow run is the same without one, and is looked at without Prefect's engine here.
submit = jobs_runs_submit_and_wait_for_completion.fn
by_id = jobs_runs_submit_by_id_and_wait_for_completion.fn
wait = jobs_runs_wait_for_completion.fn

TASKS: list[Any] = [{"task_key": "a", "notebook_task": {"notebook_path": "/Shared/etl"}}]

FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"status": 429},
    "unavailable": {"status": 503},
    "broken": {"status": 500},
    "gateway": {"status": 504},
    "lost": {"when": "lost"},
    "cut": {"when": "cut"},
    "garbled": {"status": 200, "when": "garbled"},
    "proxy page": {"status": 502, "when": "garbled"},
    "not visible yet": {"status": 400, "message": "Run 1 does not exist."},
}


def result_of(databricks: Databricks) -> list[str]:
    """How all runs have ended."""
    return [databricks.result_of(run["run_id"]) for run in databricks.runs]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failed_poll_never_fails_a_live_run(
    fault: str, databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=20, output="7")
    databricks.fail("GetRun", **{"times": 3, **FAULTS[fault]})
    assert await submit(credentials, tasks=TASKS) == {"a": {"result": "7", "truncated": False}}
    assert len(databricks.calls_of("GetRun")) >= 4


async def test_polls_may_fail_for_minutes_in_the_middle_of_a_run(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=1200)
    databricks.fail("GetRun", 503, times=58, skip=3)
    await submit(credentials, tasks=TASKS, max_wait_seconds=7200)
    assert result_of(databricks) == ["SUCCESS"]


async def test_without_contact_for_ten_minutes_the_wait_fails_and_says_so(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    databricks.fail("GetRun", 503, times=61, skip=3)
    with pytest.raises(DatabricksUnavailable, match=r"no look at the run for 6\d\d seconds.*It was cancelled"):
        await submit(credentials, tasks=TASKS, max_wait_seconds=7200)
    assert 600 <= sum(clock.sleeps) <= 720
    assert result_of(databricks) == ["CANCELED"]


async def test_the_time_without_contact_is_a_setting(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_CONTACT_SECONDS", "45")
    databricks.jobs_api.play = TaskPlay(seconds=None)
    databricks.fail("GetRun", 503, times=None)
    with pytest.raises(DatabricksUnavailable):
        await submit(credentials, tasks=TASKS, stop_on_cancel=False)
    assert sum(clock.sleeps) == pytest.approx(45)
    assert result_of(databricks) == [""]


async def test_the_server_says_when_to_come_back(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=30)
    databricks.fail("GetRun", 429, retry_after="33")
    await submit(credentials, tasks=TASKS, poll_frequency_seconds=5)
    assert clock.sleeps == [33]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_ends_the_wait_at_once(
    status: int, databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    databricks.fail("GetRun", status, message="Not like this")
    with pytest.raises(DatabricksAccessDenied, match=f"{status}.*Not like this.*It was cancelled"):
        await submit(credentials, tasks=TASKS)
    assert result_of(databricks) == ["CANCELED"]


async def test_a_run_that_there_is_not_is_not_waited_for(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    with pytest.raises(DatabricksNotFound, match="Run 7 does not exist"):
        await wait(7, credentials)
    assert clock.sleeps == []
    assert databricks.calls_of("CancelRun") == []


async def test_a_run_that_was_just_started_may_be_unknown_for_some_seconds(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.visible_after_seconds = 7
    await submit(credentials, tasks=TASKS, poll_frequency_seconds=60, max_wait_seconds=100)
    assert clock.sleeps == [2, 2, 2, 2]  # it does not wait for a whole interval


# The time is up


@pytest.mark.parametrize("timeout", [0, 1, 25])
@pytest.mark.parametrize("interval", [0, 3, 600])
async def test_the_time_is_up_to_the_second(
    timeout: int, interval: int, databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    with pytest.raises(DatabricksJobRunTimedOut, match=f"within {timeout} seconds"):
        await submit(
            credentials,
            tasks=TASKS,
            max_wait_seconds=timeout,
            poll_frequency_seconds=interval,
            stop_on_cancel=False,
        )
    assert sum(clock.sleeps) == pytest.approx(timeout)


async def test_a_run_that_ends_on_the_last_second_is_in_time(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=25)
    await submit(credentials, tasks=TASKS, max_wait_seconds=26, poll_frequency_seconds=20)
    assert clock.sleeps == [20, 6]


async def test_time_that_is_up_cancels_the_run_waits_for_its_end_and_says_so(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play, databricks.jobs_api.cancel_seconds = TaskPlay(seconds=None), 13
    with pytest.raises(
        DatabricksJobRunTimedOut, match=r"did not end within 900 seconds. It was cancelled.*Raise"
    ) as caught:
        await submit(credentials, tasks=TASKS)
    run = databricks.runs[0]
    assert run["state"]["result_state"] == "CANCELED"
    assert (caught.value.run_id, caught.value.run_url) == (run["run_id"], run["run_page_url"])
    assert run["run_page_url"] in str(caught.value)
    assert 913 <= sum(clock.sleeps) < 917


async def test_time_that_is_up_leaves_the_run_alone_if_told_so(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    with pytest.raises(TimeoutError, match="It goes on"):
        await by_id(credentials, job_id=databricks.add_job(), stop_on_cancel=False)
    assert databricks.calls_of("CancelRun") == []


async def test_a_run_that_is_long_in_being_cancelled_is_not_waited_for_for_ever(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DATABRICKS_CANCEL_SECONDS", "20")
    databricks.jobs_api.play, databricks.jobs_api.cancel_seconds = TaskPlay(seconds=None), 300
    with pytest.raises(DatabricksJobRunTimedOut, match="still being cancelled"):
        await submit(credentials, tasks=TASKS)
    assert sum(clock.sleeps) == pytest.approx(920)


async def test_a_run_that_succeeds_while_it_is_to_be_cancelled_has_succeeded(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=19, output="7")
    databricks.fail("GetRun", 503, skip=2)
    assert await submit(credentials, tasks=TASKS, max_wait_seconds=20) == {"a": {"result": "7", "truncated": False}}


async def test_a_cancelling_that_fails_is_told(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    databricks.fail("CancelRun", 403, times=None)
    with pytest.raises(DatabricksJobRunTimedOut, match="It could not be cancelled and may go on"):
        await submit(credentials, tasks=TASKS)


async def test_a_cancelling_outlasts_what_passes(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    databricks.fail("CancelRun", 503, times=2)
    with pytest.raises(DatabricksJobRunTimedOut, match="It was cancelled"):
        await submit(credentials, tasks=TASKS)


async def test_a_server_that_asks_for_hours_does_not_move_the_deadline(
    databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    databricks.fail("GetRun", 503, times=None, retry_after="7200")
    with pytest.raises(DatabricksJobRunTimedOut, match=r"The last look failed: .*503"):
        await submit(credentials, tasks=TASKS, max_wait_seconds=30, stop_on_cancel=False)
    assert sum(clock.sleeps) == 30


async def test_a_look_that_hangs_does_not_move_the_deadline(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    databricks.fail("GetRun", times=None, when="slow", delay_seconds=5)
    start = SYSTEM_CLOCK.monotonic()
    with pytest.raises(DatabricksJobRunTimedOut):
        await submit(credentials, tasks=TASKS, max_wait_seconds=1, poll_frequency_seconds=1, stop_on_cancel=False)
    assert SYSTEM_CLOCK.monotonic() - start < 4


# Nobody waits any more


async def test_a_cancelled_wait_cancels_the_run_and_waits_for_its_end(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    work = asyncio.create_task(submit(credentials, tasks=TASKS))
    await until(lambda: databricks.calls_of("GetRun"))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert result_of(databricks) == ["CANCELED"]


async def test_a_cancelled_wait_leaves_the_run_if_told_so(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    work = asyncio.create_task(submit(credentials, tasks=TASKS, stop_on_cancel=False))
    await until(lambda: databricks.calls_of("GetRun"))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert result_of(databricks) == [""]


async def test_a_start_that_is_cancelled_before_its_answer_came_leaves_no_run(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    databricks.jobs_api.play = TaskPlay(seconds=None)
    databricks.fail("SubmitRun", when="slow", delay_seconds=0.5)
    work = asyncio.create_task(submit(credentials, tasks=TASKS))
    await until(lambda: databricks.calls_of("SubmitRun"))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert result_of(databricks) == ["CANCELED"]


@pytest.mark.parametrize("when", ["lost", "after", "before"])
async def test_a_start_whose_answer_is_lost_starts_one_run(
    when: Any, databricks: Databricks, credentials: DatabricksCredentials, clock: FakeClock
) -> None:
    databricks.fail("SubmitRun", 503, times=2, when=when)
    await submit(credentials, tasks=TASKS)
    assert len(databricks.runs) == 1
    tokens = {call.body["idempotency_token"] for call in databricks.calls_of("SubmitRun")}
    assert len(tokens) == 1
    assert len(tokens.pop()) <= 64


async def test_two_calls_are_two_runs(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    await submit(credentials, tasks=TASKS)
    await submit(credentials, tasks=TASKS)
    assert len(databricks.runs) == 2


async def test_a_token_of_ones_own_is_sent(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    for _ in range(2):
        await submit(credentials, tasks=TASKS, idempotency_token="mine")
    assert len(databricks.runs) == 1


async def until(condition: Any) -> None:
    """Wait until something is so."""

    async def look() -> bool | None:
        return bool(condition()) or None

    await apoll(look, subject="It", interval_seconds=0.02, timeout_seconds=20)
