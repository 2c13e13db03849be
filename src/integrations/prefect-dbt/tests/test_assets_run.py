"""What real runs of dbt leave on the asset graph, with the picture of the run and its artifacts."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
from prefect_dbt.core.state import DbtState, fetch_state
from prefect_integration_tests.backends.dbt_projects import DbtProject

from ._asset_events import caught_asset_events, summary
from ._projects import write_project

if TYPE_CHECKING:
    from prefect.events.schemas.events import Event


def settings_of(project: DbtProject) -> PrefectDbtSettings:
    return PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir)


@dataclass
class Built:
    """A project that was built once, and what that left."""

    project: DbtProject
    events: list[Event]
    timeline_key: str

    def event(self, name: str, of: str) -> Event:
        (found,) = [event for event in self.events if event.resource.id.endswith(f"/{name}") and of in event.event]
        return found


@pytest.fixture(scope="module")
def built(prefect_harness: None, dbt_shop_template: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A shop: its model `hidden` wants no asset, and `daily_totals` fails."""
    project = dbt_shop_template.copy(tmp_path_factory.mktemp("assets") / "shop")
    project.break_model("daily_totals")
    off = "{{ config(meta={'prefect': {'enable_assets': false}}) }}"
    project.write("models/marts/hidden.sql", f"{off} select * from {{{{ ref('orders') }}}}\n")
    key = f"timeline-{uuid4().hex}"

    @flow(name="assets-of-a-shop")
    def build() -> None:
        PrefectDbtRunner(
            settings=settings_of(project),
            raise_on_failure=False,
            include_compiled_code=True,
            asset_checks=True,
            timeline=key,
        ).invoke(["build"])

    with caught_asset_events() as events:
        build()
        return Built(project, events(), key)


def test_each_table_that_dbt_made_is_an_asset_once(built: Built) -> None:
    made = [pair for pair in summary(built.events) if "materialization" in pair[0]]
    database = Path(built.project.database).stem
    succeeded = ["customers", "orders", "orders_snapshot", "raw_customers", "raw_orders", "stg_customers"]
    assert made == [
        ("prefect.asset.materialization.failed", f"duckdb://{database}/main/daily_totals"),
        *[("prefect.asset.materialization.succeeded", f"duckdb://{database}/main/{name}") for name in succeeded],
    ]


def test_an_asset_tells_of_its_node_as_documented(built: Built) -> None:
    payload = built.event("orders", "materialization").payload
    began, ended = payload.pop("node_started_at"), payload.pop("node_finished_at")
    assert began < ended
    database = Path(built.project.database).stem
    assert payload == {
        "node_path": "marts/orders.sql",
        "node_name": "orders",
        "unique_id": f"model.{built.project.name}.orders",
        "resource_type": "model",
        "materialized": "table",
        "node_status": "success",
        "meta": {"owner": "kevin-g"},
        "node_relation": {
            "database": database,
            "schema": "main",
            "alias": "orders",
            "relation_name": f'"{database}"."main"."orders"',
        },
    }


def test_an_asset_has_name_owner_description_and_the_sql_that_ran(built: Built) -> None:
    resource = built.event("orders", "materialization").resource
    assert resource["prefect.resource.name"] == "orders"
    assert resource["prefect.asset.owners"] == '["kevin-g"]'
    description = resource["prefect.asset.description"]
    assert description.startswith("One row for each order.")
    assert "select order_id, customer_id, amount, status, day from" in description


def test_lineage_sees_through_ephemeral_models(built: Built) -> None:
    def read_by(name: str) -> set[str]:
        related = built.event(name, "materialization").related
        return {resource.id.rpartition("/")[2] for resource in related if resource.role == "asset"}

    assert read_by("orders") == {"raw_orders"}  # by `stg_orders`, which is ephemeral
    assert read_by("customers") == {"stg_customers", "orders"}
    assert read_by("raw_customers") == set()


def test_the_events_belong_to_the_task_run_of_the_node(built: Built) -> None:
    related = built.event("orders", "materialization").related
    names = {resource.role: resource.get("prefect.resource.name") for resource in related}
    assert names["task-run"] == "model orders"
    assert {"flow-run", "flow", "asset-materialized-by"} <= set(names)


def test_tests_are_checks_of_what_they_test(built: Built) -> None:
    checks = {
        (event.payload["unique_id"].split(".")[2], event.event.rpartition(".")[2])
        for event in built.events
        if event.event.startswith("dbt.asset.check.")
    }
    assert ("not_null_stg_customers_customer_id", "succeeded") in checks
    assert ("assert_positive_amounts", "succeeded") in checks
    assert ("accepted_values_orders_status__placed__shipped", "warned") in checks
    relationships = [
        event.resource.id.rpartition("/")[2]
        for event in built.events
        if event.payload.get("test_type") == "relationships"
    ]
    assert relationships == ["orders"]  # not what it only compares with
    unit = [event for event in built.events if event.payload.get("test_type") == "unit"]
    assert [event.resource.id.rpartition("/")[2] for event in unit] == ["customers"]


def test_the_run_has_a_picture(built: Built) -> None:
    with get_client(sync_client=True) as client:
        (artifact,) = [found for found in client.read_artifacts(limit=200) if found.key == built.timeline_key]
    assert isinstance(artifact.data, str)
    _, _, picture = artifact.data.partition("data:image/svg+xml;base64,")
    svg = base64.b64decode(picture.partition(")")[0]).decode()
    assert "<title>orders: success" in svg
    assert "<title>daily_totals: error" in svg


@pytest.mark.parametrize(
    ("args", "options"),
    [
        (["compile", "--select", "raw_customers stg_customers"], {}),
        pytest.param(["build", "--select", "raw_customers"], {"disable_assets": True}, marks=pytest.mark.slow),
    ],
    ids=["compile", "disabled"],
)
def test_what_makes_no_tables_or_wants_no_assets_emits_nothing(
    built: Built, args: list[str], options: dict[str, Any]
) -> None:
    @flow(name="no-assets-of-a-shop")
    def run() -> None:
        PrefectDbtRunner(settings=settings_of(built.project), **options).invoke(args)

    with caught_asset_events() as events:
        run()
        assert events() == []


_PROJECT = """\
name: shop
profile: shop
models:
  shop:
    by_meta: {+meta: {prefect: {enable_assets: false}}}
    by_config: {+prefect: {enable_assets: false}}
"""
_SHOWN = "{{ config(meta={'prefect': {'enable_assets': true}}) }} select 1 as id"


def test_the_project_file_switches_assets_off_for_folders_and_a_model_says_otherwise_for_itself(
    tmp_path: Path, prefect_harness: None
) -> None:
    files = {
        "dbt_project.yml": _PROJECT,
        "models/by_meta/hidden.sql": "select 1 as id",
        "models/by_meta/shown.sql": _SHOWN,
        "models/by_config/hidden_too.sql": "select 1 as id",
    }
    folder = write_project(tmp_path / "shop", files)

    @flow(name="assets-by-project-file")
    def run() -> None:
        PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=folder, profiles_dir=folder)).invoke(["run"])

    with caught_asset_events() as events:
        run()
        assert summary(events()) == [
            ("prefect.asset.materialization.succeeded", f"duckdb://shop/main/{name}") for name in ("parcels", "shown")
        ]


def test_only_what_was_modified_is_built_and_the_rest_is_read_from_the_other_run_in_a_retry_too(
    dbt_project: DbtProject, tmp_path: Path, prefect_harness: None
) -> None:
    project, storage = dbt_project, DbtState(tmp_path / "storage", "prod")

    @flow(name="state-of-a-shop")
    def build() -> None:
        runner = PrefectDbtRunner(settings=settings_of(project), artifacts=storage)
        runner.invoke(["build", "--exclude-resource-type", "test"])

    build()
    with fetch_state(storage.storage, storage.folder) as folder:
        assert (folder / "run_results.json").exists()
    profile = (project.path / "profiles.yml").read_text()
    (project.path / "profiles.yml").write_text(profile.replace('"main"', '"dev"'))
    file = project.model_file("model_2")
    attempts = iter([f"{file.read_text()}where no_such_column\n", f"{file.read_text()}where true\n"])

    @flow(name="changes-of-a-shop", retries=1)
    def build_changes() -> Any:
        file.write_text(next(attempts))
        runner = PrefectDbtRunner(settings=settings_of(project), state=storage, defer=True)
        return runner.invoke(["run", "--select", "state:modified"])

    assert [result.node.name for result in build_changes().result.results] == ["model_2"]
    assert project.query(
        "select table_schema, table_name from information_schema.tables where table_schema = 'dev'"
    ) == [("dev", "model_2")]
    assert project.query("select count(*) from dev.model_2") == [(3,)]
