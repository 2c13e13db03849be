"""What one build leaves behind: assets on the server, the summary, the SQL that ran, and what hooks of dbt did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from prefect_dbt.core._local import DbtCoreExecutor
from prefect_dbt.core.orchestrator import BuildResult
from prefect_dbt.core.settings import PrefectDbtSettings

from ._orchestrator import InFlow, orchestrator_of
from ._recorded import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prefect_integration_tests.backends.dbt_projects import DbtProject

pytestmark = pytest.mark.usefixtures("prefect_harness")

BUILT = ["raw_customers", "stg_customers", "customers", "orders", "raw_orders"]


@dataclass
class Built:
    """A build of a shop, and the flow run that it was part of."""

    project: DbtProject
    result: BuildResult
    flow_run_id: UUID
    key: str


@pytest.fixture(scope="module")
def executor(dbt_shop_template: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DbtCoreExecutor]:
    """One child for all builds. The project has hooks that note each invocation; a variable makes one fail."""
    project = dbt_shop_template.copy(tmp_path_factory.mktemp("records") / "shop")
    hooks = {
        "on-run-start": "{{ 'select no_such_column' if var('fail_start', false) else "
        "'create table if not exists main.invocations (hook integer)' }}",
        "on-run-end": "{{ 'select no_such_column' if var('fail_end', false) else "
        "'insert into main.invocations values (1)' }}",
    }
    text = (project.path / "dbt_project.yml").read_text("utf-8").rstrip().removesuffix("}").rstrip()
    lines = ", ".join(f'"{name}": "{sql}"' for name, sql in hooks.items())
    project.write("dbt_project.yml", f"{text}, {lines}\n}}\n")
    project.break_model("daily_totals")
    with DbtCoreExecutor(PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir)) as executor:
        yield executor


@pytest.fixture(scope="module")
def project(executor: DbtCoreExecutor, dbt_shop_template: DbtProject) -> DbtProject:
    """The project of the executor."""
    folder: Path = executor.settings.project_dir
    return type(dbt_shop_template)(folder, "demo", "duckdb", "main", str(folder / "warehouse.duckdb"))


def invocations(project: DbtProject) -> int:
    """How many invocations have noted their end since this was asked last."""
    if "invocations" not in project.tables():
        return 0
    (count,) = project.query("select count(*) from main.invocations")[0]
    project.query("delete from main.invocations")
    return count


@pytest.fixture(scope="module")
def built(prefect_harness: None, executor: DbtCoreExecutor, project: DbtProject) -> Built:
    key = f"dbt-{uuid4().hex}"
    orchestrator = orchestrator_of(
        project,
        executor=executor,
        execution_mode="per_wave",
        create_summary_artifact=True,
        summary_artifact_key=key,
        include_compiled_code=True,
        asset_checks=True,
        raise_on_failure=False,
    )
    seen: list[UUID] = []

    @flow(name="orchestrated-assets")
    def build() -> BuildResult:
        seen.append(UUID(flow_run.id))
        return orchestrator.run_build(select=[*BUILT, "daily_totals"])  # pyright: ignore[reportReturnType]

    return Built(project, build(), seen[0], key)


@pytest.fixture(scope="module")
def events(built: Built) -> dict[tuple[str, str], dict[str, Any]]:
    """What the server has on assets of the flow run, by name of the event and of the asset."""

    def look() -> dict[tuple[str, str], dict[str, Any]] | None:
        where = {
            "any_resource": {"id": [f"prefect.flow-run.{built.flow_run_id}"]},
            "event": {"prefix": ["prefect.asset.materialization.", "dbt.asset.check."]},
        }
        with get_client(sync_client=True) as client:
            answer = client.request("POST", "/events/filter", json={"filter": where, "limit": 50})
        found = {
            (event["event"], event["resource"]["prefect.resource.id"].rpartition("/")[2]): event
            for event in answer.json()["events"]
        }
        made = [name for event, name in found if "materialization" in event]
        return found if len(made) >= len(BUILT) + 1 else None

    return eventually(look, "the events on assets")


def test_the_server_has_an_asset_for_each_table_with_what_it_reads(
    events: dict[tuple[str, str], dict[str, Any]],
) -> None:
    made = {name for event, name in events if event == "prefect.asset.materialization.succeeded"}
    assert made == set(BUILT)
    assert ("prefect.asset.materialization.failed", "daily_totals") in events

    def read_by(name: str) -> set[str]:
        related = events["prefect.asset.materialization.succeeded", name]["related"]
        return {
            each["prefect.resource.id"].rpartition("/")[2]
            for each in related
            if each["prefect.resource.role"] == "asset"
        }

    assert read_by("orders") == {"raw_orders"}  # by `stg_orders`, which is ephemeral
    assert read_by("customers") == {"stg_customers", "orders"}
    assert read_by("raw_customers") == set()
    assert ("dbt.asset.check.succeeded", "stg_customers") in events


def test_the_events_belong_to_the_task_run_of_the_node(
    built: Built, events: dict[tuple[str, str], dict[str, Any]]
) -> None:
    related = events["prefect.asset.materialization.succeeded", "orders"]["related"]
    roles = {each["prefect.resource.role"]: each["prefect.resource.id"] for each in related}
    assert roles["task-run"] == f"prefect.task-run.{built.result['model.demo.orders'].task_run_id}"


def test_the_sql_that_ran_is_in_the_results_and_in_the_descriptions(
    built: Built, events: dict[tuple[str, str], dict[str, Any]]
) -> None:
    code = built.result["model.demo.orders"].artifact["compiled_code"]
    assert code is not None
    assert "from __dbt__cte__stg_orders" in code
    event = events["prefect.asset.materialization.succeeded", "orders"]
    assert "from __dbt__cte__stg_orders" in event["resource"]["prefect.asset.description"]


def test_the_summary_names_what_failed_and_counts_the_rest(built: Built) -> None:
    with get_client(sync_client=True) as client:
        (artifact,) = [found for found in client.read_artifacts(limit=200) if found.key == built.key]
    assert artifact.flow_run_id == built.flow_run_id
    text = str(artifact.data)
    assert "daily_totals" in text
    assert "no_such_column" in text
    succeeded = sum(node.status in {"success", "pass"} for node in built.result.values())
    assert text.replace(" ", "").count(f"|{succeeded}|") >= 1, text


# Hooks of the project


def test_hooks_of_the_project_run_with_each_invocation(
    executor: DbtCoreExecutor, project: DbtProject, built: Built
) -> None:
    counts: dict[str, int] = {}
    for mode in ("per_node", "per_wave"):
        invocations(project)
        orchestrator = orchestrator_of(project, executor=executor, execution_mode=mode, test_strategy="skip")
        result: Any = orchestrator.run_build(select=["raw_orders", "raw_customers", "orders"])
        assert result.success
        counts[mode] = invocations(project)
    assert counts == {"per_node": 3, "per_wave": 2}


@pytest.mark.parametrize(("mode", "hook"), [("per_node", "start"), ("per_wave", "start"), ("per_wave", "end")])
def test_a_hook_of_the_project_that_fails_fails_what_ran_with_it(
    executor: DbtCoreExecutor, project: DbtProject, built: Built, mode: str, hook: str
) -> None:
    orchestrator = orchestrator_of(
        project, executor=executor, execution_mode=mode, test_strategy="skip", raise_on_failure=False
    )
    run = InFlow(
        lambda: orchestrator.run_build(
            select=["raw_customers", "stg_customers"], extra_cli_args=["--vars", f"{{fail_{hook}: true}}"]
        )
    )
    assert {node.name: node.status for node in run.result.values()} == {
        "raw_customers": "error",
        "stg_customers": "skipped",
    }
    states = run.states(2 if mode == "per_node" else 3)
    assert states["seed raw_customers" if mode == "per_node" else "dbt wave 1 of 2"] == "Failed"
    assert states["model stg_customers"] == "Skipped"
