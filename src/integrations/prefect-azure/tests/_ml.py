"""What tests of Azure Machine Learning share."""

from __future__ import annotations

import http.client
import os
import ssl
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from prefect_azure import AzureMlCredentials, _identity
from prefect_azure._ml import workspaces
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.azure_ml import AzureMl, Datastore
from prefect_integration_tests.backends.azurite import Azurite
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.http_edge import Answer, EdgeCall, HttpEdge

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


class Line(HttpEdge):
    """The line to the hosts of Azure Machine Learning, which can be spoilt; behind it is the usual server."""

    def __init__(self, server: AzureMl) -> None:
        """Start to listen.

        Args:
            server: The server behind it.
        """
        proxy = urlsplit(server.edge.proxy)
        self._proxy = (proxy.hostname or "", proxy.port or 0)
        self._trusted = ssl.create_default_context(cafile=server.ca_bundle)
        super().__init__(server.edge.proxy)

    def ask(self, call: EdgeCall) -> Answer:
        """Ask the host that the request names."""
        connection = http.client.HTTPSConnection(*self._proxy, timeout=60, context=self._trusted)
        connection.set_tunnel(call.headers["Host"], 443)
        with closing(connection):
            connection.request(call.method, call.path, call.content or None, dict(call.headers))
            answer = connection.getresponse()
            content = answer.read()
        hidden = ("transfer-encoding", "connection", "content-length")
        return Answer(answer.status, content, [pair for pair in answer.getheaders() if pair[0].lower() not in hidden])


@contextmanager
def line_to(server: AzureMl, ca: PrivateCA) -> Generator[tuple[Line, AzureMl]]:
    """Put a line before a server; it gives the line, and where clients find it.

    Args:
        server: The server.
        ca: Whose certificates clients get.
    """
    with Line(server) as line, AzureMl(ca) as front:
        front.edge.forward.update(dict.fromkeys(front.edge.hosts, line.port))
        yield line, front


@pytest.fixture
def workspace(
    empty_azure_ml: AzureMl, azurite: Azurite, azure_container: str, clean_azure_environment: None
) -> AzureMl:
    """A workspace `lab` whose default datastore `blobs` is an empty container of the emulator."""
    empty_azure_ml.lead_blobs_to(azurite.endpoint)
    empty_azure_ml.workspace().add(datastore_on(azurite, azure_container))
    return empty_azure_ml


@pytest.fixture
def credentials(ml: AzureMl, azure_identity: AzureIdentity) -> AzureMlCredentials:
    """A service principal that may do everything in the workspace."""
    return credentials_for(ml, azure_identity)


@pytest.fixture
def blobs(azurite: Azurite, azure_container: str) -> Any:
    """The container behind the default datastore."""
    return azurite.client().get_container_client(azure_container)
