"""The tasks for dbt's command line: what they return, raise, log, and write."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prefect import flow
from prefect.artifacts import Artifact
from prefect.blocks.system import Secret

from prefect_dbt.cli import commands
from prefect_dbt.cli._running import CommandRun
from prefect_dbt.cli.commands import (
    arun_dbt_build,
    atrigger_dbt_cli_command,
    consolidate_run_results,
    create_summary_markdown,
    run_dbt_build,
    run_dbt_model,
    run_dbt_seed,
    run_dbt_snapshot,
    run_dbt_source_freshness,
    run_dbt_test,
    trigger_dbt_cli_command,
)
from prefect_dbt.cli.configs import GlobalConfigs, TargetConfigs
from prefect_dbt.cli.credentials import DbtCliProfile
from prefect_dbt.errors import DbtProfileError, DbtProjectError, DbtRunFailed, DbtUsageError
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.dbt_projects import installed_release

from ._sleeping import SLEEP_SECONDS, sleeping_queries, time_out_during_the_query

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject

pytestmark = [
    pytest.mark.usefixtures("prefect_harness"),
    pytest.mark.filterwarnings("ignore:The tasks and blocks of `prefect_dbt.cli`:UserWarning"),
]


@pytest.fixture
def key() -> str:
    return f"summary-{uuid.uuid4().hex[:8]}"


def profile_of(project: DbtProject, **extras: Any) -> DbtCliProfile:
    target = TargetConfigs(type="duckdb", schema="main", threads=1, extras={"path": project.database, **extras})
    return DbtCliProfile(name=project.name, target="dev", target_configs=target)


def folders(project: DbtProject) -> dict[str, Any]:
    return {"project_dir": project.path, "profiles_dir": project.profiles_dir}


def in_flow(task: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a task in a sync flow."""

    @flow
    def runs() -> Any:
        return task(*args, **kwargs)

    return runs()


def statuses(result: Any) -> dict[str, str]:
    return {node.node.name: str(node.status) for node in result.result}


def test_each_task_runs_its_command(dbt_shop: DbtProject, caplog: pytest.LogCaptureFixture) -> None:
    from dbt.cli.main import dbtRunnerResult

    @flow
    def runs() -> list[Any]:
        given = folders(dbt_shop)
        return [
            run_dbt_seed(**given),
            run_dbt_model(**given),
            run_dbt_snapshot(**given),
            run_dbt_test(**given),
            run_dbt_source_freshness(**given, stream_output=False),
        ]

    with caplog.at_level(logging.INFO):
        seeds, models, snapshots, tests, sources = runs()
    kinds = [{str(node.node.resource_type) for node in result.result} for result in (seeds, models, snapshots, sources)]
    assert kinds == [{"seed"}, {"model"}, {"snapshot"}, {"source"}]
    assert "test" in {str(node.node.resource_type) for node in tests.result}
    assert all(isinstance(result, dbtRunnerResult) and result.success for result in (seeds, models, tests))
    assert any("OK created sql" in record.message and record.levelno == logging.INFO for record in caplog.records)


def test_a_build_makes_a_summary_of_its_results(dbt_project: DbtProject, key: str) -> None:
    result = in_flow(
        run_dbt_build,
        **folders(dbt_project),
        create_summary_artifact=True,
        summary_artifact_key=key,
        extra_command_args=["--select", "seed_0", "model_0"],
    )
    assert {"seed_0", "model_0"} <= set(statuses(result))
    artifact = Artifact.get(key)
    assert artifact
    assert isinstance(artifact.data, str)
    assert "dbt build" in artifact.data
    assert "model_0" in artifact.data
    consolidated = consolidate_run_results(result)
    assert len(consolidated["Success"]) == len(result.result)
    assert "model_0" in create_summary_markdown(consolidated, "dbt build")


def test_a_failed_node_fails_the_task_after_the_summary_was_made(dbt_shop: DbtProject, key: str) -> None:
    dbt_shop.break_model("daily_totals")
    dbt_shop.break_test("assert_positive_amounts")
    dbt_shop.write("models/marts/report.sql", "select * from {{ ref('daily_totals') }}\n")
    with pytest.raises(DbtRunFailed) as caught:
        in_flow(run_dbt_build, **folders(dbt_shop), create_summary_artifact=True, summary_artifact_key=key)
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, ValueError)
    assert "Failures detected during invocation of dbt command 'build'" in str(caught.value)
    assert 'Model daily_totals errored with message: "' in str(caught.value)
    assert set(caught.value.node_ids) >= {"model.demo.daily_totals"}
    artifact = Artifact.get(key)
    assert artifact
    said = sections(str(artifact.data))
    assert list(said) == [
        "# dbt build summary",
        "## Nodes with errors ❌",
        "## Failed tests ❌",
        "## Nodes with warnings ⚠️",
        "## Skipped nodes ⏭️",
        "## Successful nodes ✅",
    ]
    successes = 11 if installed_release() >= (1, 10) else 10  # since then an exposure is a node that runs
    assert f"| {successes} | 1 | 1 | 1 | 1 |" in said["# dbt build summary"]
    error = said["## Nodes with errors ❌"]
    assert "### `daily_totals`" in error
    assert "Path: `models/marts/daily_totals.sql`" in error
    assert "no_such_column" in error.partition("Compiled code")[2]
    failure = said["## Failed tests ❌"]
    assert "### `assert_positive_amounts`" in failure
    assert "Got 1 result, configured to fail if != 0" in failure
    assert "select 1 as id" in failure.partition("Compiled code")[2]
    assert "Got 1 result, configured to warn if != 0" in said["## Nodes with warnings ⚠️"]
    assert "### `report`" in said["## Skipped nodes ⏭️"]
    assert "* `orders`" in said["## Successful nodes ✅"]


def sections(markdown: str) -> dict[str, str]:
    """Text by the heading above it, of the first two levels."""
    found: dict[str, list[str]] = {}
    for line in markdown.splitlines():
        if line.startswith(("# ", "## ")):
            found[line] = []
        else:
            found[next(reversed(found))].append(line)
    return {heading: "\n".join(lines) for heading, lines in found.items()}


def test_a_failed_test_is_logged_as_an_error_with_its_name(
    dbt_project: DbtProject, caplog: pytest.LogCaptureFixture
) -> None:
    dbt_project.break_test("not_null_model_0_id")
    with caplog.at_level(logging.INFO), pytest.raises(DbtRunFailed, match="Test not_null_model_0_id failed"):
        in_flow(run_dbt_build, **folders(dbt_project))
    errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert [message for message in errors if "FAIL 1 not_null_model_0_id" in message]


def test_nothing_is_logged_of_dbt_when_not_asked_for(dbt_project: DbtProject, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        result = in_flow(trigger_dbt_cli_command, "dbt ls", **folders(dbt_project), stream_output=False)
    assert "demo.model_0" in result.result
    assert not [record for record in caplog.records if "demo.model_0" in record.message]


@pytest.mark.parametrize(
    ("command", "extra", "args"),
    [
        ("dbt --quiet ls --select 'a b'", None, ["--quiet", "ls", "--select", "a b"]),
        ("ls", ["--select", "a b", 3], ["ls", "--select", "a b", "3"]),
        ("dbt source freshness", [], ["source", "freshness"]),
    ],
)
def test_a_command_is_read_as_a_shell_would(command: str, extra: list[Any] | None, args: list[str]) -> None:
    assert CommandRun(command, extra_command_args=extra).args == args


async def test_an_async_flow_awaits_either_name(dbt_project: DbtProject) -> None:
    @flow
    async def runs() -> list[Any]:
        given: dict[str, Any] = {
            **folders(dbt_project),
            "extra_command_args": ["-s", "model_0", "--resource-type", "model"],
        }
        dispatched: Any = trigger_dbt_cli_command("dbt ls", **given)
        return [await dispatched, await atrigger_dbt_cli_command("dbt ls", **given)]

    assert [result.result for result in await runs()] == [["demo.model_0"]] * 2


# Bad input


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"command": ""}, "command is empty"),
        ({"command": "dbt"}, "command is empty"),
        ({"command": "dbt ls --select 'a"}, "cannot be read: No closing quotation"),
        ({"command": "dbt ls", "extra_command_args": "--select a"}, "Give a list of words"),
        (
            {"command": "dbt ls", "create_summary_artifact": True, "summary_artifact_key": "My Key"},
            "summary_artifact_key 'My Key'",
        ),
    ],
    ids=["empty", "nothing behind dbt", "open quote", "text for a list", "no key"],
)
def test_what_cannot_work_is_refused_before_dbt_starts(kwargs: dict[str, Any], says: str) -> None:
    with pytest.raises(DbtUsageError, match=says):
        trigger_dbt_cli_command.fn(**kwargs)


def test_dbts_own_complaints_name_command_cause_and_remedy(dbt_project: DbtProject) -> None:
    with pytest.raises(DbtUsageError, match=r"(?s)build.*No such option.*--frobnicate.*--help"):
        run_dbt_build.fn(**folders(dbt_project), extra_command_args=["--frobnicate"])
    with pytest.raises(DbtProjectError, match=r"dbt_project\.yml"):
        run_dbt_build.fn(project_dir=dbt_project.path / "models", profiles_dir=dbt_project.profiles_dir)


# Profiles


def test_a_profile_given_as_a_block_lies_nowhere_unless_asked(dbt_project: DbtProject) -> None:
    (dbt_project.path / "profiles.yml").unlink()
    before = sorted(path for path in dbt_project.path.rglob("*") if path.suffix in (".yml", ".yaml"))
    result = in_flow(
        trigger_dbt_cli_command,
        "dbt ls -s model_0 --resource-type model",
        project_dir=dbt_project.path,
        dbt_cli_profile=profile_of(dbt_project),
    )
    assert result.result == ["demo.model_0"]
    assert sorted(path for path in dbt_project.path.rglob("*") if path.suffix in (".yml", ".yaml")) == before
    assert not (Path.home() / ".dbt" / "profiles.yml").exists()


def test_a_profile_that_is_to_overwrite_the_file_does(dbt_project: DbtProject) -> None:
    file = dbt_project.path / "profiles.yml"
    given: dict[str, Any] = {**folders(dbt_project), "dbt_cli_profile": profile_of(dbt_project, extensions=["json"])}
    with pytest.raises(DbtProfileError, match=r"profiles.yml exists.*overwrite_profiles"):
        run_dbt_build.fn(**given)
    trigger_dbt_cli_command.fn("dbt ls", **given, overwrite_profiles=True, stream_output=False)
    assert yaml.safe_load(file.read_text()) == given["dbt_cli_profile"].get_profile()


def test_references_in_the_profile_are_filled_in(
    dbt_project: DbtProject, canary: str, no_canary_leaks: Any, tmp_path: Path
) -> None:
    name = f"n{uuid.uuid4().hex[:8]}"
    Secret(value=str(tmp_path / f"{canary.replace('/', '_')}.duckdb")).save(name)
    profiles = yaml.safe_load((dbt_project.path / "profiles.yml").read_text())
    profiles["demo"]["outputs"]["dev"]["path"] = f"{{{{ prefect.blocks.secret.{name} }}}}"
    (dbt_project.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    run_dbt_build.fn(**folders(dbt_project), extra_command_args=["-s", "seed_0"])
    assert list(tmp_path.glob("*.duckdb"))
    assert not any(name.startswith("DBT_ENV_SECRET") for name in os.environ)


def test_global_configs_of_a_profile_are_obeyed_beside_flags_of_the_project(dbt_project: DbtProject) -> None:
    (dbt_project.path / "profiles.yml").unlink()
    file = dbt_project.path / "dbt_project.yml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "flags": {"use_colors": False}}))
    profile = profile_of(dbt_project).model_copy(update={"global_configs": GlobalConfigs(write_json=False)})
    manifest = dbt_project.target_path / "manifest.json"
    manifest.unlink(missing_ok=True)
    trigger_dbt_cli_command.fn("dbt parse", project_dir=dbt_project.path, dbt_cli_profile=profile, stream_output=False)
    assert not manifest.exists()


# Cancelling


async def test_cancelling_a_task_ends_the_queries_of_dbt(dbt_postgres_project: DbtProject) -> None:
    project = dbt_postgres_project
    project.slow_model("model_0", SLEEP_SECONDS)
    work = asyncio.ensure_future(arun_dbt_build(**folders(project), extra_command_args=["-s", "model_0"]))

    async def running() -> Any:
        if work.done():
            work.result()
        return await asyncio.to_thread(sleeping_queries, project) or None

    await apoll(running, subject="the query of model_0", timeout_seconds=120, interval_seconds=0.1)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not sleeping_queries(project)


def test_the_time_out_of_a_task_ends_the_queries_of_dbt(dbt_postgres_project: DbtProject) -> None:
    project = dbt_postgres_project
    project.slow_model("model_0", SLEEP_SECONDS)

    def run(seconds: float) -> None:
        timed = run_dbt_build.with_options(timeout_seconds=seconds)

        @flow
        def runs() -> None:
            done = timed.submit(**folders(project), extra_command_args=["-s", "model_0"])
            done.wait()
            assert done.state.name == "TimedOut"
            # dbt has ended, too, when the task has; the flow goes on
            assert not sleeping_queries(project)

        runs()

    time_out_during_the_query(project, run)


def test_the_module_publishes_what_its_interface_says() -> None:
    assert set(commands.__all__) <= set(dir(commands))
