"""The flows that run a job: by async and sync callers, to success or to the right error."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob
from prefect_dbt.cloud.exceptions import (
    DbtCloudGetRunFailed,
    DbtCloudJobRunCancelled,
    DbtCloudJobRunFailed,
    DbtCloudJobRunTimedOut,
    DbtCloudJobRunTriggerFailed,
)
from prefect_dbt.cloud.jobs import (
    get_run_id,
    retry_dbt_cloud_job_run_subset_and_wait_for_completion,
    run_dbt_cloud_job,
    trigger_dbt_cloud_job_run,
    trigger_dbt_cloud_job_run_and_wait_for_completion,
)
from prefect_dbt.cloud.models import TriggerJobRunOptions
from prefect_dbt.cloud.runs import DbtCloudJobRunStatus, wait_for_dbt_cloud_job_run
from prefect_integration_tests.backends.dbt_cloud import API_KEY, Play

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock
    from prefect_integration_tests.leaks import LeakWatch

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture
def shop(dbt_cloud: DbtCloud) -> DbtCloud:
    """A dbt Cloud with a small project: a seed, three models, a test."""
    project = dbt_cloud.project
    project.add("seed.shop.raw_orders")
    project.add("model.shop.orders", "seed.shop.raw_orders")
    project.add("model.shop.customers")
    project.add("model.shop.revenue", "model.shop.orders")
    project.add("test.shop.unique_orders_id.0123456789", "model.shop.orders")
    return dbt_cloud


async def run_in(face: str, call: Any, **kwargs: Any) -> Any:
    """Call a flow within a flow of the given face."""
    if face == "async":

        @flow(name="cloud-async-parent")
        async def aparent() -> Any:
            return await call(**kwargs)

        return await aparent()

    @flow(name="cloud-sync-parent")
    def parent() -> Any:
        return call(**kwargs)

    return await asyncio.to_thread(parent)


@pytest.mark.parametrize("face", ["sync", "async"])
async def test_a_job_runs_to_success_and_gives_its_run(
    face: str, shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job("dbt build"))
    result = await run_in(face, run_dbt_cloud_job, dbt_cloud_job=job, targeted_retries=0)
    assert result["status"] == DbtCloudJobRunStatus.SUCCESS.value
    assert result["artifact_paths"] == ["manifest.json", "run_results.json", "compiled/shop/models/orders.sql"]
    assert len(shop.calls_of("TriggerJobRun")) == 1
    assert cloud_clock.sleeps == [10]


async def test_the_result_may_be_awaited_once_more_as_the_guide_does(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
    result = await run_dbt_cloud_job(dbt_cloud_job=job)
    assert await result == result  # pyright: ignore[reportGeneralTypeIssues]
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize("face", ["sync", "async"])
async def test_what_is_triggered_is_waited_for(
    face: str, shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    options = TriggerJobRunOptions(
        cause="by hand", git_branch="staging", threads_override=8, steps_override=["dbt run"]
    )
    result = await run_in(
        face,
        trigger_dbt_cloud_job_run_and_wait_for_completion,
        dbt_cloud_credentials=cloud_credentials,
        job_id=shop.add_job(),
        trigger_job_run_options=options,
        poll_frequency_seconds=1,
    )
    assert result["is_success"]
    sent = {"cause": "by hand", "git_branch": "staging", "threads_override": 8, "steps_override": ["dbt run"]}
    assert [call.body for call in shop.calls_of("TriggerJobRun")] == [sent]
    assert shop.executed() == ["model.shop.orders", "model.shop.customers", "model.shop.revenue"]


@pytest.mark.parametrize("face", ["sync", "async"])
async def test_the_published_pieces_fit_together(
    face: str, shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    job_id = shop.add_job()
    if face == "async":

        @flow(name="cloud-pieces-async")
        async def pieces() -> Any:
            run = await trigger_dbt_cloud_job_run(cloud_credentials, job_id)
            return await wait_for_dbt_cloud_job_run(get_run_id(run), cloud_credentials)

        status, run = await pieces()
    else:

        @flow(name="cloud-pieces-sync")
        def sync_pieces() -> Any:
            run: Any = trigger_dbt_cloud_job_run(cloud_credentials, job_id)
            return wait_for_dbt_cloud_job_run(get_run_id(run), cloud_credentials)

        status, run = await asyncio.to_thread(sync_pieces)
    assert status is DbtCloudJobRunStatus.SUCCESS
    assert run["job_definition_id"] == job_id


def test_a_flow_called_by_itself_gives_a_coroutine_for_asyncio(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    job_id = shop.add_job()
    result = asyncio.run(trigger_dbt_cloud_job_run_and_wait_for_completion(cloud_credentials, job_id))
    assert result["is_success"]


# Ends


ENDS = {
    "failed": (Play(outcome=20, status_message="The job ran into a wall."), DbtCloudJobRunFailed),
    "cancelled": (Play(outcome=30), DbtCloudJobRunCancelled),
    "endless": (Play(running_seconds=None), DbtCloudJobRunTimedOut),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("entry", ["run", "trigger-and-wait", "subset"])
async def test_each_end_has_its_error_with_the_link(
    end: str, entry: str, shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    play, error = ENDS[end]
    job_id = shop.add_job()
    if entry == "subset":
        shop.plays = [Play(outcome=20), play]
        first = shop.start_run(job_id)
        shop.clock.advance(60)
        call = retry_dbt_cloud_job_run_subset_and_wait_for_completion(cloud_credentials, first)
    elif entry == "run":
        shop.play = play
        call = run_dbt_cloud_job(
            DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=job_id), targeted_retries=0
        )
    else:
        shop.play = play
        call = trigger_dbt_cloud_job_run_and_wait_for_completion(
            cloud_credentials, job_id, retry_filtered_models_attempts=0
        )
    with pytest.raises(error) as caught:
        await call
    last = shop.runs[-1]
    assert caught.value.run_id == last["id"]
    assert str(last["id"]) in str(caught.value)
    assert last["href"] in str(caught.value)
    assert API_KEY not in str(caught.value)


async def test_a_failure_names_steps_nodes_and_messages(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    shop.project.break_node("model.shop.orders")
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job("dbt seed", "dbt build"))
    with pytest.raises(DbtCloudJobRunFailed, match=r"step 5 `dbt build` failed; model\.shop\.orders: Database Error"):
        await run_dbt_cloud_job(job, targeted_retries=0)


async def test_no_retries_means_one_run_which_may_succeed(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
    assert (await run_dbt_cloud_job(job, targeted_retries=0))["is_success"]
    assert len(shop.runs) == 1


@pytest.mark.parametrize("retries", [-1, -3])
async def test_negative_numbers_are_refused_before_anything_is_triggered(
    retries: int, shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    job_id = shop.add_job()
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=job_id)
    with pytest.raises(ValueError, match="retries is -"):
        await run_dbt_cloud_job(job, targeted_retries=retries)
    with pytest.raises(ValueError, match="max_wait_seconds is -1"):
        await trigger_dbt_cloud_job_run_and_wait_for_completion(cloud_credentials, job_id, max_wait_seconds=-1)
    with pytest.raises(ValueError, match="interval_seconds is -1"):
        await run_dbt_cloud_job(job.model_copy(update={"interval_seconds": -1}))
    assert shop.runs == []


async def test_a_job_that_is_not_there_ends_in_one_clear_error(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    with pytest.raises(DbtCloudJobRunTriggerFailed, match=r"job 7 could not be triggered.*404.*not found.*account_id"):
        await trigger_dbt_cloud_job_run_and_wait_for_completion(cloud_credentials, 7)
    assert len(shop.calls_of("TriggerJobRun")) == 1


@pytest.mark.usefixtures("cloud_clock")
async def test_the_key_is_never_said(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, canary: str, no_canary_leaks: LeakWatch
) -> None:
    credentials = DbtCloudCredentials(api_key=canary, account_id=1, domain=cloud_credentials.domain)
    shop.fail("*", 401, times=None, user_message=f"Invalid token {canary}", developer_message=f"Bearer {canary}")
    job = DbtCloudJob(dbt_cloud_credentials=credentials, job_id=1)
    for call in (
        lambda: run_dbt_cloud_job(job),
        lambda: wait_for_dbt_cloud_job_run(1, credentials),
        lambda: retry_dbt_cloud_job_run_subset_and_wait_for_completion(credentials, 1),
        lambda: job.aget_job(),
    ):
        with pytest.raises(Exception, match="401") as caught:
            await call()
        no_canary_leaks.add("error", str(caught.value))
    no_canary_leaks.add("repr", repr(job) + repr(credentials) + repr(credentials.get_administrative_client()))


# Logs and artifacts


async def test_the_link_is_logged_and_kept_as_soon_as_the_run_is_triggered(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, caplog: pytest.LogCaptureFixture
) -> None:
    @flow(name="cloud-link")
    async def triggers() -> int:
        job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
        return (await job.atrigger()).run_id

    run_id = await triggers()
    url = shop.run(run_id)["href"]
    assert f"Started dbt Cloud run {run_id}: {url}" in caplog.text
    async with get_client() as client:
        artifacts = await client.read_artifacts(limit=200)
    assert any(url in str(each.data) for each in artifacts)


# Cancel


async def test_a_wait_that_is_cancelled_cancels_the_run(shop: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    shop.play = Play(running_seconds=None)
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job(), interval_seconds=1)
    waiting = asyncio.ensure_future(run_dbt_cloud_job(job))
    await _until(lambda: bool(shop.calls_of("GetRun")))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [run["status_humanized"] for run in shop.runs] == ["Cancelled"]


@pytest.mark.parametrize("entry", ["run", "trigger-and-wait"])
async def test_a_flow_that_is_cancelled_while_it_triggers_leaves_no_run_behind(
    entry: str, shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    shop.play = Play(running_seconds=None)
    shop.fail("TriggerJobRun", when="slow", delay_seconds=0.5)
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
    calls: dict[str, Any] = {
        "run": lambda: run_dbt_cloud_job(job),
        "trigger-and-wait": lambda: trigger_dbt_cloud_job_run_and_wait_for_completion(cloud_credentials, job.job_id),
    }
    waiting = asyncio.ensure_future(calls[entry]())
    await _until(lambda: bool(shop.calls_of("TriggerJobRun")))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [run["status_humanized"] for run in shop.runs] == ["Cancelled"]


async def test_a_run_may_be_left_running(shop: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    shop.play = Play(running_seconds=None)
    run_id = shop.start_run(shop.add_job())
    call = wait_for_dbt_cloud_job_run(run_id, cloud_credentials, poll_frequency_seconds=1, stop_on_cancel=False)
    waiting = asyncio.ensure_future(call)
    await _until(lambda: bool(shop.calls_of("GetRun")))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not shop.calls_of("CancelRun")


async def _until(is_so: Any) -> None:
    from prefect_integration_kit.waiting import apoll

    async def look() -> bool | None:
        return is_so() or None

    await apoll(look, subject="It", interval_seconds=0.01, timeout_seconds=20)


def test_an_interrupted_sync_caller_cancels_the_run_before_the_interrupt_goes_on(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    import ctypes

    shop.play = Play(running_seconds=None)
    run = _sync_run(shop, cloud_credentials)
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            run.wait_for_completion()
        except BaseException as exc:
            ended.append(exc)
            assert shop.run(run.run_id)["is_cancelled"]

    thread = threading.Thread(target=wait)
    thread.start()
    from prefect_integration_kit.waiting import poll

    poll(lambda: bool(shop.calls_of("GetRun")) or None, subject="A look", interval_seconds=0.01, timeout_seconds=20)
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))
    thread.join(20)
    assert [type(exc) for exc in ended] == [KeyboardInterrupt]


def _sync_run(shop: DbtCloud, credentials: DbtCloudCredentials) -> Any:
    job = DbtCloudJob(dbt_cloud_credentials=credentials, job_id=shop.add_job(), interval_seconds=1)
    return job.trigger()


async def test_a_refused_look_ends_the_wait_at_once(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    shop.fail("GetRun", 403, times=None)
    with pytest.raises(DbtCloudGetRunFailed, match=r"403.*account_id"):
        await wait_for_dbt_cloud_job_run(shop.start_run(shop.add_job()), cloud_credentials)
    assert len(shop.calls_of("GetRun")) == 1


def test_a_run_without_an_id_is_refused() -> None:
    assert get_run_id.fn({"id": 5}) == 5
    with pytest.raises(RuntimeError, match="no id"):
        get_run_id.fn({})
