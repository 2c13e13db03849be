"""What failed is run again, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob
from prefect_dbt.cloud._failed_steps import nodes_to_retry, retry_command, selector_of, steps_of
from prefect_dbt.cloud.exceptions import DbtCloudJobRunFailed
from prefect_dbt.cloud.jobs import (
    retry_dbt_cloud_job_run_subset_and_wait_for_completion,
    run_dbt_cloud_job,
    trigger_dbt_cloud_job_run_and_wait_for_completion,
)
from prefect_dbt.cloud.models import TriggerJobRunOptions
from prefect_integration_tests.backends.dbt_cloud import Play

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock
    from prefect_integration_tests.faces import Call


@pytest.fixture
def shop(dbt_cloud: DbtCloud, cloud_clock: FakeClock) -> DbtCloud:
    """A dbt Cloud with a project whose model `orders` fails once."""
    project = dbt_cloud.project
    project.add("seed.shop.raw")
    project.add("model.shop.orders", "seed.shop.raw")
    project.add("model.shop.customers", "seed.shop.raw")
    project.add("model.shop.revenue", "model.shop.orders", "model.shop.customers")
    project.add("test.shop.unique_orders_id.0123456789", "model.shop.orders")
    project.break_node("model.shop.orders", times=1)
    return dbt_cloud


def each_once(shop: DbtCloud) -> bool:
    """Say whether all nodes ran once, but for the one that failed."""
    ran = shop.executed()
    return all(ran.count(node.unique_id) == 1 + (node.name == "orders") for node in shop.project.nodes)


STEPS = {"one build": ["dbt build"], "step by step": ["dbt seed", "dbt run", "dbt test"]}


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("entry", ["run", "trigger-and-wait"])
async def test_nodes_that_succeeded_run_once(
    steps: str, entry: str, shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    job_id = shop.add_job(*STEPS[steps])
    if entry == "run":
        job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=job_id)
        result = await run_dbt_cloud_job(job, targeted_retries=1)
    else:
        result = await trigger_dbt_cloud_job_run_and_wait_for_completion(
            cloud_credentials, job_id, retry_filtered_models_attempts=1
        )
    assert result["is_success"]
    assert len(shop.runs) == 2
    assert each_once(shop)


async def test_a_block_retries_the_failed_steps_of_its_run(
    call: Call, shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    options = TriggerJobRunOptions(cause="by hand", schema_override="pr_1")
    job = DbtCloudJob(
        dbt_cloud_credentials=cloud_credentials,
        job_id=shop.add_job("dbt seed", "dbt run --full-refresh -s +revenue customers", "dbt docs generate"),
        trigger_job_run_options=options,
    )
    shop.project.broken["model.shop.orders"] = 1
    run = await call(job, "trigger", TriggerJobRunOptions(cause="all", steps_override=["dbt seed", "dbt run"]))
    await call(run, "wait_for_completion")
    again = await call(run, "retry_failed_steps")
    assert again.run_id != run.run_id
    sent = shop.calls_of("TriggerJobRun")[-1].body
    assert sent == {
        "cause": "by hand",
        "schema_override": "pr_1",
        "steps_override": ["dbt run --select orders revenue"],
    }
    await call(again, "wait_for_completion")
    assert await call(again, "retry_failed_steps") is again  # nothing is to be retried


@pytest.mark.parametrize("fails_at", ["clone", "profile", "deps"])
async def test_a_run_that_was_never_prepared_is_run_whole(
    fails_at: Any, shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    shop.plays = [Play(fails_at=fails_at)]
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
    run = await job.atrigger()
    await run.await_for_completion()
    await run.aretry_failed_steps()
    assert "steps_override" not in shop.calls_of("TriggerJobRun")[-1].body


async def test_steps_without_results_are_run_as_they_were(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    shop.plays = [Play(has_results=False)]
    job = DbtCloudJob(
        dbt_cloud_credentials=cloud_credentials,
        job_id=shop.add_job("dbt seed", "dbt run --threads 2", "dbt source freshness"),
    )
    run = await job.atrigger()
    await run.await_for_completion()
    await run.aretry_failed_steps()
    sent = shop.calls_of("TriggerJobRun")[-1].body
    assert sent["steps_override"] == ["dbt run --threads 2", "dbt source freshness"]


@pytest.mark.usefixtures("prefect_harness")
async def test_a_subset_is_retried_by_the_id_of_the_run(shop: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    run_id = shop.start_run(shop.add_job())
    shop.clock.advance(60)
    options = TriggerJobRunOptions(cause="again", threads_override=2)
    result = await retry_dbt_cloud_job_run_subset_and_wait_for_completion(cloud_credentials, run_id, options)
    assert result["is_success"]
    assert each_once(shop)
    assert shop.calls_of("TriggerJobRun")[-1].body["threads_override"] == 2
    with pytest.raises(ValueError, match="steps_override"):
        await retry_dbt_cloud_job_run_subset_and_wait_for_completion(
            cloud_credentials, run_id, TriggerJobRunOptions(steps_override=["dbt run"])
        )


@pytest.mark.usefixtures("prefect_harness")
async def test_retries_end_after_their_number(shop: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    shop.project.break_node("model.shop.orders")
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
    with pytest.raises(DbtCloudJobRunFailed, match=r"model\.shop\.orders: Database Error"):
        await run_dbt_cloud_job(job, targeted_retries=2)
    assert len(shop.runs) == 3
    assert shop.executed().count("model.shop.customers") == 1


# Retries by Prefect


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("offers_retry", [True, False], ids=["cloud-retries", "we-narrow"])
@pytest.mark.parametrize("retried", ["the flow itself", "async flow", "sync flow", "task"])
async def test_a_retry_by_prefect_runs_what_failed(
    retried: str, offers_retry: bool, shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    shop.offers_retry = offers_retry
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())

    if retried == "the flow itself":
        result = await run_dbt_cloud_job.with_options(retries=1)(job, targeted_retries=0)
    elif retried == "async flow":

        @flow(name="cloud-retried-async", retries=1)
        async def aparent() -> Any:
            return await run_dbt_cloud_job(job, targeted_retries=0)

        result = await aparent()
    elif retried == "sync flow":

        @flow(name="cloud-retried-sync", retries=1)
        def parent() -> Any:
            return run_dbt_cloud_job(job, targeted_retries=0)

        result = await asyncio.to_thread(parent)
    else:

        @task(name="cloud-retried-task", retries=1)
        async def child() -> Any:
            return await run_dbt_cloud_job(job, targeted_retries=0)

        @flow(name="cloud-with-retried-task")
        async def with_task() -> Any:
            return await child()

        result = await with_task()
    assert result["is_success"]
    assert len(shop.runs) == 2
    assert each_once(shop)
    assert bool(shop.calls_of("TriggerJobRun")[1:]) is not offers_retry


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("when", ["lost", "cut"])
async def test_a_retry_in_dbt_cloud_is_asked_for_once_though_the_answer_is_lost(
    when: Any, shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    shop.fail("RetryRun", when=when)
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
    result = await run_dbt_cloud_job.with_options(retries=1)(job, targeted_retries=0)
    assert result["is_success"]
    assert len(shop.runs) == 2
    assert each_once(shop)


@pytest.mark.usefixtures("prefect_harness")
async def test_a_retry_by_prefect_may_run_all(shop: DbtCloud, cloud_credentials: DbtCloudCredentials) -> None:
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
    await run_dbt_cloud_job.with_options(retries=1)(job, targeted_retries=0, retry_mode="full")
    assert shop.executed().count("model.shop.customers") == 2


@pytest.mark.usefixtures("prefect_harness")
async def test_a_retry_by_prefect_waits_for_the_run_that_goes_on(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    shop.play = Play(running_seconds=40)
    job = DbtCloudJob(
        dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job(), timeout_seconds=30, stop_on_cancel=False
    )
    shop.project.broken.clear()
    result = await run_dbt_cloud_job.with_options(retries=1)(job, targeted_retries=0)
    assert result["is_success"]
    assert len(shop.runs) == 1


@pytest.mark.usefixtures("prefect_harness")
async def test_a_retry_in_another_process_finds_the_run_by_its_cause(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_dbt.cloud import _resuming

    monkeypatch.setattr(_resuming.Attempt, "last_run", None)  # as in a process that has just begun
    job_id = shop.add_job()
    result = await trigger_dbt_cloud_job_run_and_wait_for_completion.with_options(retries=1)(
        cloud_credentials, job_id, retry_filtered_models_attempts=0
    )
    assert result["is_success"]
    assert each_once(shop)


# Pure parts


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("dbt run", "dbt run --select a b"),
        ("dbt build --select tag:nightly+ state:modified --full-refresh", "dbt build --full-refresh --select a b"),
        ("dbt run -s x --exclude y z --threads 8", "dbt run --threads 8 --select a b"),
        ("dbt run --select=x --vars '{day: 1}'", "dbt run --vars '{day: 1}' --select a b"),
        ("dbt --warn-error test -m x", "dbt --warn-error test --select a b"),
        ("dbt build --selector nightly --fail-fast", "dbt build --fail-fast --select a b"),
        ("dbt run --models x --resource-type model", "dbt run --select a b"),
    ],
)
def test_a_command_is_narrowed_to_nodes(command: str, expected: str) -> None:
    assert retry_command(command, ["a", "b"]) == expected


@pytest.mark.parametrize(
    ("unique_id", "selector"),
    [
        ("model.shop.orders", "orders"),
        ("model.shop.orders.v2", "orders.v2"),
        ("seed.shop.a.b", "a.b"),
        ("model.shop.with space", "with?space"),
        ("test.shop.unique_orders_id.0123456789", "unique_orders_id"),
        ("test.shop.singular", "singular"),
        ("unit_test.shop.orders.adds_up", "adds_up"),
        ("snapshot.shop.über", "über"),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_nodes_are_selected_by_their_names(unique_id: str, selector: str) -> None:
    assert selector_of(unique_id) == selector


@pytest.mark.parametrize(
    "status", ["error", "fail", "skipped", "runtime error", "partial success", "success", "pass", "warn", "no-op"]
)
def test_nodes_without_success_are_retried(status: str) -> None:
    results = {"results": [{"unique_id": "model.shop.a", "status": status}]}
    is_retried = status in {"error", "fail", "skipped", "runtime error", "partial success"}
    assert nodes_to_retry(results) == (["a"] if is_retried else None)


@pytest.mark.parametrize("odd", [None, "text", [], {}, {"results": None}, {"results": [None, {}, {"status": "fail"}]}])
def test_odd_results_mean_the_whole_step(odd: Any) -> None:
    assert nodes_to_retry(odd) is None


@pytest.mark.parametrize("odd", [{}, {"run_steps": None}, {"run_steps": [None, {}, {"name": None}], "job": None}])
def test_odd_runs_have_no_steps(odd: Any) -> None:
    assert steps_of(odd) == []
