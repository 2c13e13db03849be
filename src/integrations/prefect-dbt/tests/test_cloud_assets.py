"""What a run in dbt Cloud made becomes assets of Prefect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prefect.events.worker import EventsWorker

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob
from prefect_dbt.cloud.exceptions import DbtCloudJobRunFailed
from prefect_dbt.cloud.jobs import ASSET_MATERIALIZATION_COMMANDS, SUCCESSFUL_DBT_NODE_STATUSES, run_dbt_cloud_job

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture
def shop(dbt_cloud: DbtCloud, cloud_clock: FakeClock) -> DbtCloud:
    """A dbt Cloud with a project of five nodes."""
    project = dbt_cloud.project
    project.add("source.shop.crm.people")
    project.add("seed.shop.raw")
    project.add("model.shop.orders", "seed.shop.raw", "source.shop.crm.people")
    project.add("model.shop.revenue", "model.shop.orders")
    project.add("test.shop.unique_orders_id.0123456789", "model.shop.orders")
    return dbt_cloud


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All events that are sent, listened to where Prefect puts them into its queue."""
    heard: list[Any] = []
    send = EventsWorker.send

    def listen(worker: Any, *items: Any) -> None:
        heard.extend(item for item in items if str(getattr(item, "event", "")).startswith("prefect.asset."))
        send(worker, *items)

    monkeypatch.setattr(EventsWorker, "send", listen)
    return heard


def _key(name: str) -> str:
    return f"postgres://analytics/public/{name}"


async def test_models_and_seeds_are_recorded_with_what_they_read(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, events: list[Any]
) -> None:
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job("dbt seed", "dbt build"))
    await run_dbt_cloud_job(job, create_assets=True)
    made = [event for event in events if event.event == "prefect.asset.materialization.succeeded"]
    assert {event.resource.id for event in made} == {_key("raw"), _key("orders"), _key("revenue")}
    orders = next(event for event in made if event.resource.id == _key("orders"))
    assert {each.id for each in orders.related if each.role == "asset"} == {_key("raw"), _key("people")}
    assert orders.payload["unique_id"] == "model.shop.orders"


async def test_nothing_is_recorded_unless_asked_for(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, events: list[Any]
) -> None:
    await run_dbt_cloud_job(DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job()))
    assert events == []


async def test_what_was_made_is_recorded_though_the_run_failed(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, events: list[Any]
) -> None:
    shop.project.break_node("model.shop.orders")
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
    with pytest.raises(DbtCloudJobRunFailed):
        await run_dbt_cloud_job(job, targeted_retries=0, create_assets=True)
    made = {event.resource.id for event in events if event.event == "prefect.asset.materialization.succeeded"}
    assert made == {_key("raw")}


async def test_a_run_stays_a_success_though_its_assets_cannot_be_recorded(
    shop: DbtCloud, cloud_credentials: DbtCloudCredentials, events: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    shop.artifacts["manifest.json"] = "no JSON"
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=shop.add_job())
    assert (await run_dbt_cloud_job(job, create_assets=True))["is_success"]
    assert "could not be recorded" in caplog.text
    assert events == []


def test_the_constants_say_what_counts() -> None:
    assert {"build", "run", "seed", "snapshot"} == ASSET_MATERIALIZATION_COMMANDS
    assert "success" in SUCCESSFUL_DBT_NODE_STATUSES
