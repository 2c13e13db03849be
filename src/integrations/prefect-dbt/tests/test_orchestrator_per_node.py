"""Each node of a project as a task run that Prefect runs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import TaskRunResult

from prefect_dbt.core.orchestrator import BuildResult
from prefect_dbt.errors import DbtRunFailed, DbtUsageError

from ._orchestrator import InFlow, orchestrator_of

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject

pytestmark = pytest.mark.usefixtures("prefect_harness")


def test_a_build_shows_what_became_of_every_node(dbt_project: DbtProject) -> None:
    """One project: a model that fails, what lies downstream of it, and what does not."""
    dbt_project.break_model("model_1")
    orchestrator = orchestrator_of(dbt_project, tags=["nightly"], create_summary_artifact=True)
    told: list[Any] = []
    orchestrator.on_run_start(lambda context: told.append(context.event))
    orchestrator.post_model(lambda context: told.append((context.node_id, context.status)))
    orchestrator.on_run_end(lambda context: told.append((context.event, context.status)))
    run = InFlow(lambda: orchestrator.run_build())

    assert isinstance(run.result, DbtRunFailed)
    assert "Failures detected during invocation of dbt command 'build':\nModel model_1 errored" in str(run.result)
    content = json.loads((dbt_project.target_path / "run_results.json").read_text("utf-8"))
    statuses = {entry["unique_id"].split(".")[2]: entry["status"] for entry in content["results"]}
    assert statuses["model_0"] == "success"
    assert statuses["model_1"] == "error"
    downstream = {name for name, status in statuses.items() if status == "skipped"}
    assert downstream
    runs = run.task_runs(len(statuses))
    assert runs["model model_1"].state_name == "Failed"
    assert "no_such_column" in str(runs["model model_1"].state.message)
    assert runs["seed seed_0"].tags == ["nightly"]
    for name in downstream:
        (skipped,) = (found for label, found in runs.items() if label.endswith(f" {name}"))
        assert (skipped.state_type.value, skipped.state_name) == ("CANCELLED", "Skipped")
        assert "ended with status" in str(skipped.state.message)
    assert TaskRunResult(id=runs["seed seed_0"].id) in runs["model model_0"].task_inputs["upstream"]
    assert runs["model model_0"].start_time >= runs["seed seed_0"].end_time, "it started before its parent was done"
    assert told[0] == "on_run_start"
    assert told[-1] == ("on_run_end", "error")
    assert ("model.demo.model_1", "error") in told
    assert not {node for node, _ in told[1:-1]} & {f"model.demo.{name}" for name in downstream}


def test_a_node_that_failed_is_tried_again_and_what_reads_it_waits(dbt_project: DbtProject) -> None:
    dbt_project.write(
        "models/flaky.sql",
        f"""{{% set marks = "{dbt_project.path}/marks-" %}}
        {{% if execute %}}
          {{% set tried = run_query("select count(*) from glob('" ~ marks ~ "*')").rows[0][0] %}}
          {{% do run_query("copy (select 1) to '" ~ marks ~ tried ~ "'") %}}
          {{% if tried == 0 %}}{{{{ exceptions.raise_compiler_error("not yet") }}}}{{% endif %}}
        {{% endif %}}
        select 1 as id""",
    )
    dbt_project.write("models/below_flaky.sql", "select * from {{ ref('flaky') }}")
    run = InFlow(lambda: orchestrator_of(dbt_project, retries=2, retry_delay_seconds=1).run_build(select="flaky+"))
    result: BuildResult = run.result
    assert run.state.is_completed(), run.state
    assert [node.status for node in result.values()] == ["success", "success"]
    runs = run.task_runs(2)
    assert runs["model flaky"].run_count == 2
    assert runs["model below_flaky"].start_time >= runs["model flaky"].end_time, "it did not wait for the retry"


def test_what_would_meet_every_node_ends_the_run_with_its_own_error(dbt_project: DbtProject) -> None:
    """Neither is it tried again, nor does the next node meet it."""
    dbt_project.write("models/alone.sql", "select 1 as id")
    orchestrator = orchestrator_of(dbt_project, retries=3, retry_delay_seconds=600, raise_on_failure=False)
    told: list[Any] = []
    orchestrator.on_run_end(lambda context: told.append((context.status, type(context.error))))
    run = InFlow(lambda: orchestrator.run_build(select=["alone", "seed_0"], extra_cli_args=["--no-such-option"]))
    assert isinstance(run.result, DbtUsageError)
    assert "--no-such-option" in str(run.result)
    assert told == [("error", DbtUsageError)]
    runs = run.task_runs(2)
    assert (runs["model alone"].state_name, runs["model alone"].run_count) == ("Failed", 1)
    assert runs["seed seed_0"].state_name == "Skipped"
    assert "dbt cannot work" in str(runs["seed seed_0"].state.message)


def test_a_time_out_ends_the_query_and_the_run(dbt_project: DbtProject) -> None:
    dbt_project.slow_model("model_0", 300)
    orchestrator = orchestrator_of(dbt_project, timeout_seconds=4, raise_on_failure=False)
    run = InFlow(lambda: orchestrator.run_build(select="model_0", exclude="resource_type:test"))
    assert run.result["model.demo.model_0"].status == "error"
    assert run.states(1) == {"model model_0": "TimedOut"}
    assert dbt_project.query("select 1") == [(1,)], "dbt still holds the database"


async def test_cancelling_the_async_face_ends_dbt(dbt_project: DbtProject) -> None:
    dbt_project.slow_model("model_0", 300)
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    orchestrator = orchestrator_of(dbt_project)
    orchestrator.on_run_start(lambda context: loop.call_soon_threadsafe(began.set))

    @flow
    async def cancelled() -> None:
        await orchestrator.run_build(select="model_0", exclude="resource_type:test")  # pyright: ignore[reportGeneralTypeIssues]

    running = asyncio.create_task(cancelled())
    await asyncio.wait_for(began.wait(), 60)
    running.cancel()
    await asyncio.wait([running], timeout=60)
    assert running.done()
    assert running.cancelled() or running.exception() is not None
    assert dbt_project.query("select 1") == [(1,)], "dbt still holds the database"
