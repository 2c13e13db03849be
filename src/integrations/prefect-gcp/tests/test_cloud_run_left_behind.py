"""What Cloud Run workers do about what others left behind, and which runs they count as theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from prefect_integration_tests.suites import LeftBehindSuite

from ._cloud_run import SETTINGS, PlayedCloudRun, Pool, quicken

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)
    for prefix in SETTINGS.values():
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_{prefix}_RECONCILE_AFTER_SECONDS", "0")


class TestV2(PlayedCloudRun, LeftBehindSuite):
    version = "v2"

    def another(self, pool: Pool) -> Pool:
        return Pool(pool.api, pool.version)

    def variables(self, pool: Pool) -> dict[str, Any]:
        credentials = pool.credentials.model_dump(mode="json")
        return {"credentials": credentials, "region": "us-central1", "image": "busybox:dev"}

    async def make_unstarted(self, pool: Pool, worker: Any, run: FlowRun) -> None:
        configuration = pool.configure(run)
        google = await worker.job_service(configuration)._api()
        await google.create(configuration.job_name, configuration.request_of(configuration.job_name, google.project))

    def refuse_deletion(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        pool.api.fail("run.*.jobs.delete", status=503, times=3)
        return lambda: None


class TestV1(TestV2):
    version = "v1"
