"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from prefect_gcp import BigQueryWarehouse, CloudRunWorkerV2, GcpCredentials, GcsBucket
from prefect_gcp._identity import project_of
from prefect_gcp._rest import execute, rest_service
from prefect_integration_tests.backends._google.pubsub_v1 import PubSub
from prefect_integration_tests.suites import GuideSuite

from ._secrets import secret_manager

PROJECT = "shop-project"
_LOCATION = f"projects/{PROJECT}/locations/europe-west3"


@pytest.fixture(scope="session")
def shop_key(google_identity: Any) -> dict[str, Any]:
    """The key of the shop's service account."""
    return google_identity.service_account_info(project=PROJECT)


@pytest.fixture(scope="session")
def shop_endpoints(gcs_server: Any, bigquery_server: Any, google_grpc: Any, google_api: Any) -> dict[str, str]:
    """Where the services of the shop are."""
    secret_manager(google_grpc)
    rest = dict.fromkeys(("run", "pubsub", "logging", "batch", "dataproc"), google_api.endpoint)
    own = {
        "storage": gcs_server.endpoint,
        "bigquery": bigquery_server.endpoint,
        "secretmanager": google_grpc.endpoint,
    }
    return {**own, **rest}


@pytest.fixture(scope="session")
def shop(
    prefect_harness: None, gcs_server: Any, shop_key: dict[str, Any], shop_endpoints: dict[str, str]
) -> GcpCredentials:
    """What the shop of the guide has at Google Cloud, and the blocks that one page saves and another loads."""
    for name in ("shop-archive", "shop-flows", "shop-bundles"):
        gcs_server.client().create_bucket(name)
    credentials = GcpCredentials(service_account_info=shop_key, project=PROJECT, api_endpoints=shop_endpoints)
    credentials.save("shop-gcp", overwrite=True)
    GcsBucket(bucket="shop-archive", bucket_folder="invoices", gcp_credentials=credentials).save(
        "invoices", overwrite=True
    )
    pool = WorkPoolCreate(
        name="shop-cloud-run", type="cloud-run-v2", base_job_template=CloudRunWorkerV2.get_default_base_job_template()
    )
    with get_client(sync_client=True) as prefect:
        prefect.create_work_pool(pool, overwrite=True)
    return credentials


def _fill_warehouse(credentials: GcpCredentials) -> None:
    """Put the shop's table into BigQuery, where the guide's own is not yet. The emulator serves all test processes."""
    client = credentials.get_bigquery_client()
    client.create_dataset("shop", exists_ok=True)
    client.delete_table("shop.parcels", not_found_ok=True)
    rows = "SELECT 'NO' AS country, 3 AS weight_kg UNION ALL SELECT 'PT', 5"
    client.query(f"CREATE OR REPLACE TABLE shop.sent AS {rows}").result()


def _offer_services(api: Any, credentials: GcpCredentials) -> None:
    """Put the shop's job, topic and subscription into the REST server, which other tests empty."""
    api.reset()
    api.service(PubSub).new_subscription(
        f"projects/{PROJECT}/topics/orders", f"projects/{PROJECT}/subscriptions/packing"
    )
    body = {"template": {"template": {"containers": [{"image": "stock:may"}]}}}
    jobs = rest_service(credentials, "run", "v2").projects().locations().jobs()
    execute(jobs.create(parent=_LOCATION, jobId="count-stock", body=body), subject="Job of the shop")
    api.play("count-stock")


class TestGuide(GuideSuite):
    distribution = "prefect-gcp"

    @pytest.fixture
    def surroundings(
        self, page_folder: Path, shop: GcpCredentials, shop_key: dict[str, Any], google_api: Any
    ) -> Callable[[], object]:
        """The shop's services, and its blocks as they reach them, whatever a block above has saved."""
        key_file = page_folder / "shop-key.json"
        if page_folder.name.startswith("index"):
            key_file.write_text(json.dumps(shop_key))
        if page_folder.name.startswith(("index", "bigquery")):
            _fill_warehouse(shop)
        _offer_services(google_api, shop)

        def restore() -> None:
            shop.save("shop-gcp", overwrite=True)
            BigQueryWarehouse(gcp_credentials=shop, fetch_size=100).save("shop-warehouse", overwrite=True)

        return restore

    @pytest.fixture
    def provocations(
        self, identity: Any, empty_google_api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Mapping[str, Callable[[], object]]:
        api = empty_google_api
        key = identity.service_account_info(project=PROJECT)

        def with_key(**changes: Any) -> GcpCredentials:
            return GcpCredentials(service_account_info={**key, **changes})

        def refused() -> str:
            identity.disable(key["client_email"])
            return with_key().get_access_token()

        def skewed() -> str:
            identity.shift_clock(-7200)
            return with_key().get_access_token()

        def impersonate() -> str:
            return GcpCredentials(
                service_account_info=key,
                impersonate_service_account=f"stock-reader@{PROJECT}.iam.gserviceaccount.com",
                api_endpoints={"iamcredentials": identity.endpoint},
            ).get_access_token()

        def list_jobs(status: int = 0, message: str = "", endpoint: str = api.endpoint) -> object:
            if status:
                api.fail("run.projects.locations.jobs.list", status=status, message=message)
            credentials = GcpCredentials(service_account_info=key, api_endpoints={"run": endpoint})
            jobs = rest_service(credentials, "run", "v2").projects().locations().jobs()
            return execute(jobs.list(parent=_LOCATION), subject="Cloud Run jobs")

        denied = f"Permission 'run.jobs.list' denied on resource '{_LOCATION}' (or it may not exist)."
        return {
            "No identity is found": lambda: GcpCredentials(project=PROJECT).get_access_token(),
            "A key is not complete": partial(with_key, private_key=""),
            "The private key is damaged": lambda: with_key(private_key="-----BEGIN").get_access_token(),
            "The key is not accepted": refused,
            "The clock is wrong": skewed,
            "The account may not be impersonated": impersonate,
            "No project is known": lambda: project_of(
                GcpCredentials(workload_identity_federation=identity.external_account_info())
            ),
            "The address of a service is none": partial(GcpCredentials, api_endpoints={"stroage": "https://x.org"}),
            "A permission is missing": partial(list_jobs, 403, denied),
            "Too many requests": partial(list_jobs, 429),
            "Google has a failure": partial(list_jobs, 503),
            "The service cannot be reached": partial(list_jobs, endpoint="http://127.0.0.1:9"),
        }
