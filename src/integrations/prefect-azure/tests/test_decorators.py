"""A flow with a decorator above it travels through the pool's container and runs elsewhere, by Prefect's commands."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.blob_storage import AzureBlobStorageContainer
from prefect_azure.decorators import azure_container_app_job, azure_container_instance
from prefect_azure.workers.container_apps import AzureContainerAppJobWorker
from prefect_azure.workers.container_instance import AzureContainerWorker
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION
from prefect_integration_tests.suites import BundledFlowSuite, DecoratorSuite

from ._bundles import BlobBundles

if TYPE_CHECKING:
    from prefect_integration_tests.backends.azure_api import AzureApi
    from prefect_integration_tests.backends.azure_identity import AzureIdentity

DECORATORS: dict[Any, type[Any]] = {
    azure_container_instance: AzureContainerWorker,
    azure_container_app_job: AzureContainerAppJobWorker,
}


class TestDecorators(DecoratorSuite):
    decorators = DECORATORS
    job_variables: ClassVar = {"memory": 2.0}


class PlayedContainers:
    """Container Instances, whose containers end when they are told to."""

    def __init__(self, azure_api: AzureApi, credentials: dict[str, Any]) -> None:
        self._azure = azure_api
        self._credentials = credentials
        azure_api.play(seconds=None)

    @property
    def job_variables(self) -> dict[str, Any]:
        return {
            "resource_group_name": "shop",
            "subscription_id": SUBSCRIPTION,
            "image": "shop-flows:may",
            "aci_credentials": self._credentials,
            "task_watch_poll_interval": 0.1,
        }

    def command(self) -> list[str] | None:
        if not self._azure.play.running:
            return None
        (created,) = self._azure.container_groups
        (container,) = created["properties"]["containers"]
        return shlex.split(" ".join(container["properties"]["command"]))

    def end(self) -> None:
        (created,) = self._azure.container_groups
        self._azure.play.end(created["name"])

    def refuse(self) -> str:
        self._azure.fail("Deployments_*", status=403, times=None)
        return "Microsoft.Resources/deployments"

    def left_over(self) -> list[Any]:
        return self._azure.left_over


class TestBundledFlows(BlobBundles, BundledFlowSuite):
    decorators = DECORATORS
    storage = "azure-blob-storage"
    storage_title = "Azure Blob Storage"

    def save_block(self, request: pytest.FixtureRequest, name: str) -> None:
        AzureBlobStorageContainer.register_type_and_schema()
        credentials: AzureBlobStorageCredentials = request.getfixturevalue("blob_credentials")
        credentials.save(name)

    @pytest.fixture
    def infrastructure(
        self, azure_identity: AzureIdentity, empty_azure_api: AzureApi, monkeypatch: pytest.MonkeyPatch
    ) -> PlayedContainers:
        azure_identity.reset()
        for name, value in azure_identity.trust_environment().items():
            monkeypatch.setenv(name, value)
        application = azure_identity.application("decorated")
        credentials = {
            "tenant_id": azure_identity.tenant_id,
            "client_id": application.client_id,
            "client_secret": application.client_secret,
            "endpoints": {"arm": empty_azure_api.endpoint},
        }
        return PlayedContainers(empty_azure_api, credentials)
