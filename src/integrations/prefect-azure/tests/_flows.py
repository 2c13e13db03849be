"""What tests of deployed flows at Azure have in common: the local Azure with real containers, and who we are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from prefect_integration_tests.backends.azure_api import AzureApi
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.suites import DeployedFlowsSuite


class AzureFlowsSuite(DeployedFlowsSuite):
    distribution = "prefect-azure"
    foreign = ("AZURE_", "IDENTITY_", "MSI_")

    @pytest.fixture(scope="module")
    def cloud(self, docker_engine: Any, azure_identity: AzureIdentity) -> Iterator[AzureApi]:
        with AzureApi() as api:
            api.use_engine(docker_engine)
            api.check_tokens(azure_identity.check)
            yield api

    @pytest.fixture(scope="module")
    def credentials(self, cloud: AzureApi, azure_identity: AzureIdentity) -> dict[str, Any]:
        application = azure_identity.application()
        return {
            "tenant_id": azure_identity.tenant_id,
            "client_id": application.client_id,
            "client_secret": application.client_secret,
            "authority": azure_identity.authority,
            "endpoints": {"arm": cloud.endpoint, "loganalytics": cloud.endpoint},
        }
