"""What the Container Apps worker does about what others left behind, and which jobs it counts as its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.pool_runs import logs_of
from prefect_integration_tests.suites import LeftBehindSuite

from ._apps import GROUP, PREFIX, PlayedApps, Pool, quicken

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, azure_identity: AzureIdentity, clean_azure_environment: None) -> None:
    quicken(monkeypatch)
    azure_identity.reset()
    for name, value in azure_identity.app_service_environment().items():
        monkeypatch.setenv(name, value)


class TestLeftBehind(PlayedApps, LeftBehindSuite):
    of_the_dead: ClassVar[Mapping[str, Any]] = MappingProxyType({"log_analytics_workspace_id": "my-workspace"})

    def another(self, pool: Pool) -> Pool:
        return Pool(pool.api)

    def variables(self, pool: Pool) -> dict[str, Any]:
        return pool.variables()

    async def make_unstarted(self, pool: Pool, worker: Any, run: FlowRun) -> None:
        configuration = pool.configure(run)
        service = worker.job_service(configuration)
        service._api.create(GROUP, configuration.job_name, configuration.request_of("eastus"))

    def refuse_deletion(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        monkeypatch.setenv(f"{PREFIX}CALL_DEADLINE_SECONDS", "0")
        pool.api.fail("Jobs_Delete", status=503)
        return lambda: None

    async def look_closer(self, pool: Pool, run: FlowRun) -> None:
        """The last words are read from where the dead worker had them written to."""
        await logs_of(run, "the last words")
        assert "/my-workspace/" in pool.api.calls_of("Query_Execute")[0].path
