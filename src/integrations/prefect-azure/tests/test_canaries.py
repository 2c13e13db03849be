"""No secret of a run is said by the workers that start it."""

from __future__ import annotations

from typing import Any

from prefect_azure import AzureContainerInstanceCredentials
from prefect_integration_tests.suites import WorkerSecretsSuite

from ._aci import GROUP, SUBSCRIPTION
from ._apps import ENVIRONMENT


class TestWorkers(WorkerSecretsSuite):
    package = "prefect_azure"

    def variables(self, worker: type[Any], canary: str) -> dict[str, Any]:
        credentials = AzureContainerInstanceCredentials(client_id="c", tenant_id="t", client_secret=canary)  # pyright: ignore[reportArgumentType]
        place = {"environment_id": ENVIRONMENT} if "App" in worker.__name__ else {"resource_group_name": GROUP}
        name = "credentials" if "App" in worker.__name__ else "aci_credentials"
        return {name: credentials, "subscription_id": SUBSCRIPTION, "image": "busybox:dev", **place}

    def identifier(self, worker: type[Any]) -> str:
        group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
        return f"{group}/providers/Microsoft.App/jobs/brave-otter" if "App" in worker.__name__ else "brave-otter"
