"""How a run is waited for: what is outlasted, when the time is up, what becomes of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob
from prefect_dbt.cloud.exceptions import (
    DbtCloudGetRunFailed,
    DbtCloudJobRunCancelled,
    DbtCloudJobRunFailed,
    DbtCloudJobRunIncomplete,
    DbtCloudJobRunTimedOut,
)
from prefect_dbt.cloud.jobs import DbtCloudJobRun
from prefect_dbt.cloud.runs import DbtCloudJobRunStatus
from prefect_integration_tests.backends.dbt_cloud import Play

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock
    from prefect_integration_tests.faces import Call


@pytest.fixture
def run_of(dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials) -> Callable[..., DbtCloudJobRun]:
    """Start a run that goes on for some seconds, and stand for it."""

    def start(seconds: float | None = 8.0, **fields: Any) -> DbtCloudJobRun:
        dbt_cloud.play = Play(queued_seconds=1, starting_seconds=1, running_seconds=seconds and seconds - 2)
        job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=dbt_cloud.add_job(), **fields)
        return DbtCloudJobRun(dbt_cloud.start_run(job.job_id), job)

    return start


FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"status": 429},
    "unavailable": {"status": 503},
    "broken": {"status": 500},
    "lost": {"when": "lost"},
    "cut": {"when": "cut"},
    "garbled": {"status": 200, "when": "garbled"},
    "proxy page": {"status": 502, "when": "garbled"},
    "not visible yet": {"status": 404},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_passes_is_outlasted_by_both_faces(
    fault: str, call: Call, run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    run = run_of(interval_seconds=4)
    dbt_cloud.fail("GetRun", **{"times": 2, **FAULTS[fault]})
    assert await call(run, "wait_for_completion") is None
    assert dbt_cloud.run(run.run_id)["is_success"]
    assert len(dbt_cloud.calls_of("GetRun")) >= 3


async def test_a_run_may_take_seconds_until_it_can_be_read(
    call: Call, run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.visible_after_seconds = 7
    run = run_of(interval_seconds=60, timeout_seconds=100)
    await call(run, "wait_for_completion")
    assert cloud_clock.sleeps[:4] == [2, 2, 2, 2]  # it does not wait for a whole interval


async def test_a_run_that_never_can_be_read_ends_the_wait_after_a_minute(
    run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("GetRun", 404, times=None)
    with pytest.raises(DbtCloudGetRunFailed, match="404"):
        await run_of().await_for_completion()
    assert 60 <= sum(cloud_clock.sleeps) < 65


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_ends_the_wait_at_once(
    status: int, run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("GetRun", status, times=None, user_message="Not like this")
    with pytest.raises(DbtCloudGetRunFailed, match=f"{status}.*Not like this"):
        await run_of().await_for_completion()
    assert cloud_clock.sleeps == []


async def test_the_server_says_when_to_come_back(
    run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("GetRun", 429, retry_after="33")
    await run_of(interval_seconds=5).await_for_completion()
    assert cloud_clock.sleeps == [33]


@pytest.mark.parametrize("timeout", [1, 7, 25])
@pytest.mark.parametrize("interval", [0, 3, 10, 600])
async def test_the_time_is_up_to_the_second(
    timeout: int, interval: int, run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    run = run_of(None, timeout_seconds=timeout, interval_seconds=interval)
    with pytest.raises(DbtCloudJobRunTimedOut, match=f"within {timeout} seconds"):
        await run.await_for_completion()
    assert sum(cloud_clock.sleeps) == pytest.approx(timeout)


async def test_a_run_that_ends_on_the_last_second_is_in_time(
    run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    await run_of(25, timeout_seconds=26, interval_seconds=20).await_for_completion()
    assert cloud_clock.sleeps == [20, 6]


async def test_a_server_that_asks_for_hours_does_not_move_the_deadline(
    run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("GetRun", 503, times=None, retry_after="7200")
    with pytest.raises(DbtCloudJobRunTimedOut, match="last look failed: dbt Cloud answered 503"):
        await run_of(None, timeout_seconds=30).await_for_completion()
    assert sum(cloud_clock.sleeps) == 30


async def test_a_look_that_hangs_does_not_move_the_deadline(
    run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud
) -> None:
    from prefect_integration_kit.waiting import SYSTEM_CLOCK

    dbt_cloud.fail("GetRun", times=None, when="slow", delay_seconds=5)
    start = SYSTEM_CLOCK.monotonic()
    with pytest.raises(DbtCloudJobRunTimedOut):
        await run_of(None, timeout_seconds=1, interval_seconds=1).await_for_completion()
    assert SYSTEM_CLOCK.monotonic() - start < 4


async def test_time_that_is_up_cancels_the_run_and_says_so(
    call: Call, run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    run = run_of(None, timeout_seconds=30)
    with pytest.raises(DbtCloudJobRunTimedOut, match="It was cancelled") as caught:
        await call(run, "wait_for_completion")
    assert caught.value.run_id == run.run_id
    assert caught.value.run_url == dbt_cloud.run(run.run_id)["href"]
    assert caught.value.run_url in str(caught.value)
    assert dbt_cloud.run(run.run_id)["is_cancelled"]


async def test_a_run_may_be_left_to_itself_which_is_said(
    run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    run = run_of(None, timeout_seconds=30, stop_on_cancel=False)
    with pytest.raises(DbtCloudJobRunTimedOut, match="It goes on"):
        await run.await_for_completion()
    assert dbt_cloud.run(run.run_id)["in_progress"]
    assert not dbt_cloud.calls_of("CancelRun")


async def test_a_run_that_cannot_be_cancelled_is_said_to_go_on(
    run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("CancelRun", 403, times=None)
    with pytest.raises(DbtCloudJobRunTimedOut, match="could not be cancelled and goes on"):
        await run_of(None, timeout_seconds=30).await_for_completion()


async def test_a_cancel_is_sent_again_while_dbt_cloud_is_away(
    run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("CancelRun", 503, times=2)
    run = run_of(None, timeout_seconds=30)
    with pytest.raises(DbtCloudJobRunTimedOut, match="It was cancelled"):
        await run.await_for_completion()
    assert dbt_cloud.run(run.run_id)["is_cancelled"]


async def test_looks_share_one_connection(
    run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    await run_of(60, interval_seconds=2).await_for_completion()
    looks = dbt_cloud.calls_of("GetRun")
    assert len(looks) == 31
    assert len({each.connection for each in looks}) == 1


# Results


async def test_results_are_had_only_of_a_run_that_has_ended(
    call: Call, run_of: Callable[..., DbtCloudJobRun], dbt_cloud: DbtCloud
) -> None:
    run = run_of()
    for name in ("fetch_result", "retry_failed_steps"):
        with pytest.raises(DbtCloudJobRunIncomplete, match="wait_for_completion"):
            await call(run, name)
    dbt_cloud.end(run.run_id)
    result = await call(run, "fetch_result")
    assert result["artifact_paths"][0] == "manifest.json"
    assert (await call(run, "fetch_result", step=1))["artifact_paths"] == []
    assert await call(run, "get_status_code") == 10
    assert (await call(run, "get_run"))["id"] == run.run_id
    assert (await call(run, "get_run_artifacts", "run_results.json"))["results"] == []
    assert await call(run, "get_run_artifacts", "compiled/shop/models/orders.sql") == "select 1 as id\n"


@pytest.mark.parametrize(("outcome", "error"), [(20, DbtCloudJobRunFailed), (30, DbtCloudJobRunCancelled)])
async def test_a_run_without_success_has_no_result(
    outcome: int,
    error: type[Exception],
    call: Call,
    run_of: Callable[..., DbtCloudJobRun],
    dbt_cloud: DbtCloud,
    cloud_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dbt_cloud.plays = [Play(outcome=outcome)]
    run = run_of()
    await call(run, "wait_for_completion")  # which only waits
    assert DbtCloudJobRunStatus(outcome).name in caplog.text
    with pytest.raises(error, match=str(run.run_id)):
        await call(run, "fetch_result")


def test_a_status_is_terminal_or_not() -> None:
    ended = {10, 20, 30}
    for code in [*range(41), None, "10", "success"]:
        assert DbtCloudJobRunStatus.is_terminal_status_code(code) is (code in ended)
    for member in DbtCloudJobRunStatus:
        assert DbtCloudJobRunStatus.is_terminal_status_code(member) is (member.value in ended)
