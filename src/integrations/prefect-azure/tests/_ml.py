"""What tests of Azure Machine Learning share."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from prefect_azure import AzureMlCredentials, _identity
from prefect_azure._ml import workspaces
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.azure_ml import AzureMl, Datastore
from prefect_integration_tests.backends.azurite import Azurite

if TYPE_CHECKING:
    import pytest

ACCOUNT = "devstoreaccount1"
DATASTORES = "Microsoft.MachineLearningServices/workspaces/datastores/"


def lead(monkeypatch: pytest.MonkeyPatch, server: AzureMl) -> None:
    """Let both SDKs find the server, and forget what they knew.

    Args:
        monkeypatch: Sets the variables.
        server: The server at the network's edge.
    """
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")  # azure-ai-ml sets it and leaves it
    workspaces.forget_ml_clients()
    _identity.forget_identities()


def keep_discovery_out_of_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let azureml-core write its cache of addresses elsewhere than to the developer's home."""
    from azureml._base_sdk_common.service_discovery import CachedServiceDiscovery

    place = os.path.join(tempfile.mkdtemp(), ".discovery")
    monkeypatch.setattr(CachedServiceDiscovery.__init__, "__defaults__", (place,))


def credentials_for(server: AzureMl, identity: AzureIdentity, **fields: Any) -> AzureMlCredentials:
    """Credentials of a service principal that the server knows.

    Args:
        server: The server at the network's edge.
        identity: Who gives tokens.
        fields: Others than the usual.
    """
    application = identity.application()
    usual: dict[str, Any] = {
        "tenant_id": identity.tenant_id,
        "service_principal_id": application.client_id,
        "service_principal_password": application.client_secret,
        "subscription_id": server.subscription_id,
        "resource_group": server.resource_group,
        "workspace_name": "lab",
        "authority": identity.authority,
    }
    return AzureMlCredentials(**{**usual, **fields})


def datastore_on(azurite: Azurite, container: str, name: str = "blobs", **fields: Any) -> Datastore:
    """A datastore on a container of the emulator, with its key.

    Args:
        azurite: The emulator.
        container: Name of the container.
        name: Of the datastore.
        fields: Others than the usual.
    """
    usual: dict[str, Any] = {"credential": azurite.account_key}
    return Datastore(name, ACCOUNT, container, **{**usual, **fields})
