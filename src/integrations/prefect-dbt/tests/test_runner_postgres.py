"""The runner on PostgreSQL from end to end, as the server sees it; with the artifacts of its runs in blocks."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import yaml
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.filesystems import LocalFileSystem
from prefect.runtime import flow_run

from prefect_aws import AwsCredentials, S3Bucket
from prefect_aws.client_parameters import AwsClientParameters
from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
from prefect_dbt.core.state import DbtState
from prefect_integration_tests.backends.dbt_projects import DbtProject, generate

from ._recorded import Recorded, eventually

if TYPE_CHECKING:
    from prefect_integration_tests.backends.postgres import Postgres
    from prefect_integration_tests.backends.s3 import SeaweedFS

NODES = 8
"""A seed, five models and two tests."""


@dataclass
class Built:
    """A project that was built once for production, and the flow run that did it."""

    project: DbtProject
    flow_run_id: UUID
    timeline_key: str
    storage: DbtState

    def key(self, name: str) -> str:
        """The key of an asset."""
        return f"postgres://postgres/{self.project.schema}/{name}"


def invoke(project: DbtProject, args: list[str], **options: Any) -> tuple[UUID, Any]:
    """Invoke the runner in a flow; return the flow run and dbt's result."""
    settings = PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir)

    @flow(name="dbt-on-postgres")
    def run() -> tuple[UUID, Any]:
        return UUID(flow_run.id), PrefectDbtRunner(settings=settings, **options).invoke(args)

    return run()


@pytest.fixture(scope="module")
def built(prefect_harness: None, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A project with a target `prod`, which was built, and a target `dev`, which was not."""
    folder = tmp_path_factory.mktemp("on-postgres")
    project = generate(folder / "project", adapter="postgres", postgres=postgres, materialized="table")
    profile = yaml.safe_load((project.path / "profiles.yml").read_text())
    outputs = profile[project.name]["outputs"]
    outputs["prod"] = outputs["dev"]
    outputs["dev"] = {**outputs["prod"], "schema": f"{project.schema}_dev"}
    (project.path / "profiles.yml").write_text(yaml.safe_dump(profile))
    name, key = f"dbt-{uuid4().hex}", f"timeline-{uuid4().hex}"
    LocalFileSystem(basepath=str(folder / "artifacts")).save(name)
    storage = DbtState(f"local-file-system/{name}", "prod")
    run, _ = invoke(project, ["build", "--target", "prod"], asset_checks=True, timeline=key, artifacts=storage)
    return Built(project, run, key, storage)


@pytest.fixture(scope="module")
def events(built: Built) -> list[dict[str, Any]]:
    """What the server has on the assets of the build: five models, a seed and two checks."""

    def look() -> list[dict[str, Any]] | None:
        where = {"resource": {"id_prefix": [built.key("")]}, "order": "ASC"}
        with get_client(sync_client=True) as client:
            answer = client.request("POST", "/events/filter", json={"filter": where, "limit": 50})
        found = answer.json()["events"]
        made = [event for event in found if not event["event"].endswith("referenced")]
        return found if len(made) >= NODES else None

    return eventually(look, "the events on assets")


def test_each_node_is_a_task_run_with_its_inputs(built: Built) -> None:
    recorded = Recorded(built.flow_run_id, expected=NODES)
    assert {run.state_name for run in recorded.task_runs} == {"Completed"}
    assert recorded.inputs("model model_0") == {"seed seed_0"}
    assert recorded.inputs("test not_null_model_0_id") == {"model model_0"}
    assert any("SELECT 3" in text for _, text in recorded.lines("model model_0"))  # as PostgreSQL says it


def test_the_server_has_an_asset_for_each_table_with_what_it_reads(built: Built, events: list[dict[str, Any]]) -> None:
    made = {
        event["resource"]["prefect.resource.id"]: event
        for event in events
        if event["event"] == "prefect.asset.materialization.succeeded"
    }
    assert set(made) == {built.key(name) for name in ("seed_0", *(f"model_{number}" for number in range(5)))}
    event = made[built.key("model_0")]
    related = {(each["prefect.resource.role"], each["prefect.resource.id"]) for each in event["related"]}
    assert ("asset", built.key("seed_0")) in related
    assert ("flow-run", f"prefect.flow-run.{built.flow_run_id}") in related
    assert event["resource"]["prefect.asset.owners"] == '["team-data"]'
    assert event["payload"]["node_relation"]["schema"] == built.project.schema


def test_the_server_has_each_test_as_a_check_of_its_asset(built: Built, events: list[dict[str, Any]]) -> None:
    checks = {
        (event["resource"]["prefect.resource.id"], event["payload"]["test_type"])
        for event in events
        if event["event"] == "dbt.asset.check.succeeded"
    }
    assert checks == {(built.key("model_0"), "not_null"), (built.key("model_0"), "unique")}


def test_the_server_has_the_timeline_of_the_run(built: Built) -> None:
    with get_client(sync_client=True) as client:
        (artifact,) = [found for found in client.read_artifacts(limit=200) if found.key == built.timeline_key]
    assert artifact.flow_run_id == built.flow_run_id
    _, _, picture = str(artifact.data).partition("data:image/svg+xml;base64,")
    svg = base64.b64decode(picture.partition(")")[0]).decode()
    assert all(f"<title>model_{number}: success" in svg for number in range(5))


def test_what_was_modified_is_built_on_the_tables_of_production_and_kept_in_an_object_store(
    built: Built, s3_server: SeaweedFS, s3_bucket_name: str, tmp_path: Path
) -> None:
    credentials = AwsCredentials(
        aws_access_key_id=s3_server.access_key,
        aws_secret_access_key=s3_server.secret_key,
        region_name=s3_server.region,
        aws_client_parameters=AwsClientParameters(endpoint_url=s3_server.endpoint_url),
    )
    name = f"dbt-{uuid4().hex}"
    S3Bucket(bucket_name=s3_bucket_name, bucket_folder="dbt", credentials=credentials).save(name)

    project, dev = built.project, f"{built.project.schema}_dev"
    file = project.model_file("model_4")
    file.write_text(file.read_text() + "where true\n")
    _, done = invoke(
        project,
        ["run", "--select", "state:modified", "--target", "dev"],
        state=built.storage,
        defer=True,
        artifacts=f"s3-bucket/{name}",
    )
    assert [result.node.name for result in done.result.results] == ["model_4"]
    assert project.query(f"select table_name from information_schema.tables where table_schema = '{dev}'") == [
        ("model_4",)
    ]
    assert project.query(f"select count(*) from {dev}.model_4") == [("3",)]

    keys = [found["Key"] for found in s3_server.client().list_objects_v2(Bucket=s3_bucket_name)["Contents"]]
    assert {"dbt/manifest.json", "dbt/run_results.json", "dbt/latest.json"} <= set(keys)
    nowhere = tmp_path / "not-for-a-list"
    args = ["ls", "--select", "state:modified", "--target", "dev"]
    _, listed = invoke(project, args, state=f"s3-bucket/{name}", artifacts=nowhere)
    assert not listed.result
    assert not nowhere.exists()
