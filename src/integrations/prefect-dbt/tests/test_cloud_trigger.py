"""A job is triggered once, whatever happens to the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob
from prefect_dbt.cloud.exceptions import DbtCloudCreateJobFailed, DbtCloudGetJobFailed, DbtCloudJobRunTriggerFailed
from prefect_dbt.cloud.jobs import (
    create_dbt_cloud_job,
    delete_dbt_cloud_job,
    get_dbt_cloud_job_info,
    trigger_dbt_cloud_job_run,
)
from prefect_dbt.cloud.models import TriggerJobRunOptions, default_cause_factory

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock
    from prefect_integration_tests.faces import Call

OPTIONS = TriggerJobRunOptions(cause="nightly")


@pytest.fixture
def job(dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials) -> DbtCloudJob:
    """A job whose runs are always triggered with the same cause."""
    return DbtCloudJob(
        dbt_cloud_credentials=cloud_credentials, job_id=dbt_cloud.add_job(), trigger_job_run_options=OPTIONS
    )


FAULTS: dict[str, dict[str, Any]] = {
    "refused for now": {"status": 429},
    "not arrived": {"when": "cut"},
    "done, answer lost": {"when": "lost"},
    "done, answered 500": {"when": "after", "status": 500},
    "done, answered 504": {"when": "after", "status": 504},
    "answered by a proxy": {"when": "garbled", "status": 502},
    "not done, answered 503": {"status": 503},
    "arrives a second later": {"when": "late", "delay_seconds": 1},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_call_is_one_run(
    fault: str, call: Call, job: DbtCloudJob, dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("TriggerJobRun", **FAULTS[fault])
    run = await call(job, "trigger")
    assert [each["id"] for each in dbt_cloud.runs] == [run.run_id]


@pytest.mark.parametrize("fault", ["done, answer lost", "not arrived"])
async def test_runs_of_others_are_not_taken_for_ours(
    fault: str, job: DbtCloudJob, dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.start_run(job.job_id, "nightly")  # some time ago, for the same reason
    dbt_cloud.clock.advance(3600)
    others = [dbt_cloud.start_run(job.job_id, "another reason")]
    others.append((await job.atrigger()).run_id)  # just now, for the same reason
    dbt_cloud.fail("TriggerJobRun", **FAULTS[fault])
    run = await job.atrigger()
    assert run.run_id == dbt_cloud.runs[-1]["id"]
    assert run.run_id not in others
    assert len(dbt_cloud.runs) == 4


async def test_it_is_not_triggered_again_while_nobody_knows(
    call: Call, job: DbtCloudJob, dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("TriggerJobRun", when="lost")
    dbt_cloud.fail("ListRuns", 503, times=None)
    with pytest.raises(DbtCloudJobRunTriggerFailed, match="not known, so it was not triggered again"):
        await call(job, "trigger")
    assert len(dbt_cloud.runs) == 1


async def test_a_service_that_stays_away_ends_in_the_error_within_a_minute(
    job: DbtCloudJob, dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("TriggerJobRun", 503, times=None, user_message="Down for maintenance")
    with pytest.raises(DbtCloudJobRunTriggerFailed, match=r"503.*Down for maintenance"):
        await job.atrigger()
    assert sum(cloud_clock.sleeps) <= 65
    assert dbt_cloud.runs == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_is_raised_at_once(
    status: int, call: Call, job: DbtCloudJob, dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("TriggerJobRun", status, times=None, user_message="No, never")
    with pytest.raises(DbtCloudJobRunTriggerFailed, match=f"{status}.*No, never"):
        await call(job, "trigger")
    assert len(dbt_cloud.calls) == 1


async def test_retry_after_is_honoured(job: DbtCloudJob, dbt_cloud: DbtCloud, cloud_clock: FakeClock) -> None:
    dbt_cloud.fail("TriggerJobRun", 429, retry_after="21")
    await job.atrigger()
    assert cloud_clock.sleeps == [21]


async def test_a_job_is_created_once_though_the_answer_is_lost(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    dbt_cloud.add_job(name="Mine")
    dbt_cloud.clock.advance(60)
    dbt_cloud.fail("CreateJob", when="lost")
    job = await create_dbt_cloud_job.fn(
        cloud_credentials, 100, 10, "Mine", ["dbt seed"], settings={"threads": 8, "target_name": "prod"}
    )
    assert [each["id"] for each in dbt_cloud.jobs][1:] == [job["id"]]
    assert (job["execute_steps"], job["settings"]["threads"]) == (["dbt seed"], 8)


async def test_a_job_that_is_refused_says_why(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    with pytest.raises(DbtCloudCreateJobFailed, match="'Mine' could not be created: dbt Cloud answered 400"):
        await create_dbt_cloud_job.fn(cloud_credentials, 100, 10, "Mine", no_such_field=1)


async def test_without_commands_a_job_builds(dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    job = await create_dbt_cloud_job.fn(cloud_credentials, 100, 10, "Mine")
    assert job["execute_steps"] == ["dbt build"]
    assert not any(job["triggers"].values())
    assert (await get_dbt_cloud_job_info.fn(cloud_credentials, job["id"]))["name"] == "Mine"
    await delete_dbt_cloud_job.fn(cloud_credentials, job["id"])
    with pytest.raises(DbtCloudGetJobFailed, match="404"):
        await get_dbt_cloud_job_info.fn(cloud_credentials, job["id"])


# Within runs of Prefect


@pytest.mark.usefixtures("prefect_harness")
async def test_a_retried_task_takes_the_run_that_its_first_attempt_started(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    from prefect import flow

    job_id = dbt_cloud.add_job()
    dbt_cloud.fail("TriggerJobRun", when="lost")
    dbt_cloud.fail("ListRuns", 503, times=6)  # so that the first attempt of the task gives up
    task = trigger_dbt_cloud_job_run.with_options(retry_delay_seconds=0)

    @flow(name="cloud-retried-trigger")
    async def triggers() -> Any:
        return await task(cloud_credentials, job_id)

    run = await triggers()
    assert [each["id"] for each in dbt_cloud.runs] == [run["id"]]
    assert len(dbt_cloud.calls_of("TriggerJobRun")) == 1


@pytest.mark.usefixtures("prefect_harness")
async def test_tasks_are_not_retried_for_what_stays_wrong(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    from prefect import flow

    @flow(name="cloud-wrong-job")
    async def asks() -> Any:
        return await get_dbt_cloud_job_info.with_options(retry_delay_seconds=0)(cloud_credentials, 7)

    with pytest.raises(DbtCloudGetJobFailed):
        await asks()
    assert len(dbt_cloud.calls) == 1


@pytest.mark.usefixtures("prefect_harness")
def test_the_cause_names_the_run_of_prefect(dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    from prefect import flow
    from prefect.runtime import flow_run

    job_id = dbt_cloud.add_job()

    @flow(name="cloud-cause")
    def triggers() -> tuple[str, str]:
        trigger_dbt_cloud_job_run(cloud_credentials, job_id)
        return str(flow_run.get_id()), str(flow_run.get_name())

    run_id, name = triggers()
    cause = dbt_cloud.runs[0]["trigger"]["cause"]
    assert cause.startswith("Triggered via Prefect in task run ")
    assert run_id in cause
    assert name in cause
    assert default_cause_factory() == "Triggered via Prefect"


async def test_many_triggers_at_once_get_their_own_runs(
    job: DbtCloudJob, dbt_cloud: DbtCloud, cloud_clock: FakeClock
) -> None:
    dbt_cloud.fail("TriggerJobRun", when="lost", times=3)
    runs = await asyncio.gather(*(job.atrigger() for _ in range(8)))
    assert sorted(run.run_id for run in runs) == [run["id"] for run in dbt_cloud.runs]
