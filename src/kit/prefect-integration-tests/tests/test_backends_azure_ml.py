"""The proxy of Azure Machine Learning answers for Azure's hosts only, and as a workspace that both SDKs share."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("cryptography")

from prefect_integration_tests.backends.azure_ml import AzureMl, Datastore

ARM, OWN = "management.azure.com", "eastus.api.azureml.ms"
STORE = {
    "properties": {
        "datastoreType": "AzureBlob",
        "accountName": "museum",
        "containerName": "images",
        "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "a2V5"}},
    }
}

Ask = Callable[..., "tuple[int, dict[str, Any]]"]


@pytest.fixture
def ask(empty_azure_ml: AzureMl) -> Ask:
    """Ask a host through the proxy."""
    empty_azure_ml.edge.check_token = {"good": "tester"}.get
    context = ssl.create_default_context(cafile=empty_azure_ml.ca_bundle)
    proxy = urlsplit(empty_azure_ml.edge.proxy)

    def request(
        verb: str, host: str, path: str, body: dict[str, Any] | None = None, token: str = "good"
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPSConnection(proxy.hostname or "", proxy.port, timeout=20, context=context)
        connection.set_tunnel(host, 443)
        try:
            connection.request(verb, path, json.dumps(body or {}), {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    return request


@pytest.fixture
def lab(empty_azure_ml: AzureMl) -> str:
    """The id of a workspace with one datastore."""
    workspace = empty_azure_ml.workspace()
    workspace.add(Datastore("blobs", "museum", "first", credential="c2VjcmV0"))
    return workspace.id


def test_other_hosts_are_refused_and_remembered(empty_azure_ml: AzureMl, ask: Ask) -> None:
    with pytest.raises(OSError, match="403"):
        ask("GET", "dc.services.visualstudio.com", "/v2/track")
    assert empty_azure_ml.refused == ["dc.services.visualstudio.com"]


def test_tokens_and_permissions_are_checked(empty_azure_ml: AzureMl, ask: Ask, lab: str) -> None:
    assert ask("GET", ARM, lab)[0] == 200
    assert ask("GET", ARM, lab, token="bad")[1]["error"]["code"] == "InvalidAuthenticationToken"
    empty_azure_ml.denied.add("Microsoft.MachineLearningServices/workspaces/read")
    status, answer = ask("GET", ARM, lab)
    assert (status, answer["error"]["code"]) == (403, "AuthorizationFailed")
    assert "'Microsoft.MachineLearningServices/workspaces/read' over scope" in answer["error"]["message"]


def test_both_apis_show_the_same_datastores(ask: Ask, lab: str) -> None:
    assert ask("PUT", ARM, f"{lab}/datastores/images?api-version=1", STORE)[0] == 200
    listed = ask("GET", OWN, f"/datastore/v1.0{lab}/datastores")[1]["value"]
    assert [each["name"] for each in listed] == ["blobs", "images"]
    assert ask("GET", OWN, f"/datastore/v1.0{lab}/default")[1]["name"] == "blobs"
    assert ask("PUT", OWN, f"/datastore/v1.0{lab}/default/images")[0] == 200
    default = ask("GET", ARM, f"{lab}/datastores?isDefault=true")[1]["value"]
    assert [each["properties"]["containerName"] for each in default] == ["images"]
    assert ask("DELETE", ARM, f"{lab}/datastores/images")[0] == 200
    assert ask("GET", ARM, f"{lab}/datastores/images")[0] == 404


def test_secrets_are_shown_only_to_who_asks_for_them(ask: Ask, lab: str) -> None:
    for host, path in (
        (ARM, f"{lab}/datastores"),
        (ARM, f"{lab}/datastores/blobs"),
        (OWN, f"/datastore/v1.0{lab}/datastores"),
    ):
        assert "c2VjcmV0" not in json.dumps(ask("GET", host, path)[1])
    assert ask("POST", ARM, f"{lab}/datastores/blobs/listSecrets")[1]["key"] == "c2VjcmV0"
    assert "c2VjcmV0" in json.dumps(ask("GET", OWN, f"/datastore/v1.0{lab}/datastores/blobs")[1])


def test_what_is_not_known_is_refused(ask: Ask, lab: str) -> None:
    assert ask("GET", ARM, f"{lab}/jobs")[0] == 404
    assert ask("GET", ARM, lab.replace("/lab", "/other"))[1]["error"]["code"] == "ResourceNotFound"
    assert ask("PUT", ARM, f"{lab}/datastores/files", {"properties": {"datastoreType": "AzureFile"}})[0] == 400
    assert ask("PUT", ARM, f"{lab}/datastores/a!b", STORE)[0] == 400
