"""Service principals of Entra ID, managed identities, federated workloads, and the Azure CLI."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_databricks import DatabricksCredentials, DatabricksCredentialsError, DatabricksUnavailable
from prefect_databricks._auth.choosing import identify
from prefect_databricks.rest import execute_endpoint
from prefect_integration_tests.backends._http_server import HttpServer
from prefect_integration_tests.backends.azure_identity import TENANT_ID, AzureIdentity
from prefect_integration_tests.backends.databricks import TOKEN, Databricks
from prefect_integration_tests.clock import FakeClock

APPLICATION = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
MANAGEMENT = "https://management.core.windows.net"
WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"


@pytest.fixture
def entra(azure_identity: AzureIdentity, monkeypatch: pytest.MonkeyPatch) -> AzureIdentity:
    """Entra ID, empty, and trusted by the environment."""
    azure_identity.reset()
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", azure_identity.authority)
    monkeypatch.setenv("SSL_CERT_FILE", azure_identity.ca_bundle)
    return azure_identity


def principal(databricks: Databricks, entra: AzureIdentity, **fields: Any) -> DatabricksCredentials:
    application = entra.application()
    known = {
        "databricks_instance": databricks.endpoint,
        "client_id": application.client_id,
        "client_secret": SecretStr(application.client_secret),
        "tenant_id": TENANT_ID,
    }
    return DatabricksCredentials(**{**known, **fields})


async def test_a_service_principal_of_azure_asks_entra_id(databricks: Databricks, entra: AzureIdentity) -> None:
    credentials = principal(databricks, entra)
    token = await credentials.aget_token()
    assert entra.check(token, APPLICATION) == entra.application().client_id
    databricks.identity.let_in(token)
    assert (await execute_endpoint.fn("/2.2/jobs/list", credentials)).status_code == 200
    assert len(entra.issued) == 1
    assert databricks.identity.issued == []


async def test_a_private_authority_of_the_block_holds_for_entra_id_too(
    databricks: Databricks, entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    credentials = principal(databricks, entra, client_kwargs={"verify": entra.ca_bundle})
    assert entra.check(await credentials.aget_token(), APPLICATION)


async def test_a_role_at_the_workspaces_resource_lets_a_principal_in(
    databricks: Databricks, entra: AzureIdentity
) -> None:
    credentials = principal(databricks, entra, azure_workspace_resource_id=WORKSPACE)
    databricks.identity.let_in(await credentials.aget_token())
    response = await execute_endpoint.fn("/2.2/jobs/list", credentials)
    sent = databricks.calls[-1].headers
    assert sent["x-databricks-azure-workspace-resource-id"] == WORKSPACE
    assert entra.check(sent["x-databricks-azure-sp-management-token"], MANAGEMENT)
    assert "x-databricks-azure-sp-management-token" not in response.request.headers


async def test_a_token_of_entra_id_is_renewed_before_its_end(
    databricks: Databricks, entra: AzureIdentity, clock: FakeClock
) -> None:
    credentials = principal(databricks, entra)
    first = await credentials.aget_token()
    clock.sleep(3000)
    assert await credentials.aget_token() == first
    clock.sleep(400)
    assert await credentials.aget_token() != first


async def test_a_wrong_secret_is_told_with_its_remedy(databricks: Databricks, entra: AzureIdentity) -> None:
    credentials = principal(databricks, entra, client_secret=SecretStr("hunter2-and-more"))
    with pytest.raises(
        DatabricksCredentialsError, match="Check `tenant_id`, `client_id` and `client_secret`"
    ) as caught:
        await credentials.aget_token()
    assert "AADSTS7000215" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("attached", [False, True], ids=["of the machine", "assigned by a user"])
async def test_a_managed_identity_of_a_machine(
    databricks: Databricks, entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch, attached: bool
) -> None:
    for name, value in entra.machine_environment().items():
        monkeypatch.setenv(name, value)
    client_id = entra.user_assigned() if attached else None
    credentials = DatabricksCredentials(
        databricks_instance=databricks.endpoint, auth_type="azure-msi", client_id=client_id
    )
    token = await credentials.aget_token()
    assert entra.check(token, APPLICATION) == (client_id or entra.system_assigned)


async def test_a_managed_identity_of_an_app(
    databricks: Databricks, entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra.app_service_environment().items():
        monkeypatch.setenv(name, value)
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="azure-msi")
    assert entra.check(await credentials.aget_token(), APPLICATION) == entra.system_assigned


async def test_a_machine_without_an_identity_is_told_so(
    databricks: Databricks, entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra.machine_environment().items():
        monkeypatch.setenv(name, value)
    entra.detach_identity()
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="azure-msi")
    with pytest.raises(DatabricksCredentialsError, match="Check that an identity is assigned to this machine"):
        await credentials.aget_token()


@pytest.mark.usefixtures("clock")
async def test_a_machine_outside_of_azure_is_told_so(databricks: Databricks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="azure-msi")
    with pytest.raises(DatabricksUnavailable, match="Managed identities are there in Azure only"):
        await credentials.aget_token()


async def test_the_machines_service_is_not_behind_a_proxy(
    databricks: Databricks, entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra.machine_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="azure-msi")
    assert entra.check(await credentials.aget_token(), APPLICATION)


@pytest.mark.usefixtures("clock")
async def test_the_machines_service_is_asked_again_while_it_is_updated(
    databricks: Databricks, entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch, fake_clock: FakeClock
) -> None:
    for name, value in entra.machine_environment().items():
        monkeypatch.setenv(name, value)
    entra.fail(times=2, status=410)
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="azure-msi")
    assert await credentials.aget_token()
    assert len(fake_clock.sleeps) == 2


async def test_a_federated_workload_shows_the_token_of_its_file(
    databricks: Databricks, entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(file))
    monkeypatch.setenv("AZURE_CLIENT_ID", entra.application().client_id)
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT_ID)
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="azure-workload-identity")
    with pytest.raises(DatabricksCredentialsError, match="cannot be read"):
        await credentials.aget_token()
    file.write_text(entra.workload_token(entra.application()))
    assert entra.check(await credentials.aget_token(), APPLICATION) == entra.application().client_id


async def test_the_login_of_the_azure_cli(
    databricks: Databricks, entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", entra.write_az(tmp_path))
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="azure-cli")
    assert entra.check(await credentials.aget_token(), APPLICATION) == entra.user
    entra.log_out()
    other = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="azure-cli", tenant_id="t")
    with pytest.raises(DatabricksCredentialsError, match=r"az has no token .*Run `az login`"):
        await other.aget_token()


class _LogsIn(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/aad/auth" else 404)
        self.send_header("Location", f"https://login.microsoftonline.com/{TENANT_ID}/oauth2/authorize?x=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - its name in the base class


@pytest.fixture
def workspace_with_a_tenant() -> Iterator[str]:
    server = HttpServer(None, _LogsIn)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


async def test_the_workspace_says_its_tenant(
    entra: AzureIdentity, workspace_with_a_tenant: str, databricks: Databricks
) -> None:
    fields: dict[str, Any] = {"tenant_id": None, "auth_type": "azure-client-secret"}
    credentials = principal(databricks, entra, **fields, databricks_instance=workspace_with_a_tenant)
    assert entra.check(await credentials.aget_token(), APPLICATION)
    silent = principal(databricks, entra, **fields)
    with pytest.raises(DatabricksCredentialsError, match="tenant_id is not given"):
        await silent.aget_token()


@pytest.mark.parametrize(
    ("host", "given", "authority"),
    [
        ("adb-1.2.azuredatabricks.net", None, "https://login.microsoftonline.com"),
        ("adb-1.2.databricks.azure.us", None, "https://login.microsoftonline.us"),
        ("adb-1.2.databricks.azure.cn", None, "https://login.chinacloudapi.cn"),
        ("gateway.corp", "USGOVERNMENT", "https://login.microsoftonline.us"),
    ],
)
def test_each_cloud_of_azure_has_its_authority(host: str, given: str | None, authority: str) -> None:
    fields = {"client_id": "a", "client_secret": "b", "tenant_id": "t", "azure_environment": given}
    identity = identify({"databricks_instance": host, **fields})
    source: Any = identity.sources["Authorization"]
    assert (identity.auth_type, source.authority) == ("azure-client-secret", authority)


def test_an_authority_in_the_clear_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "http://login.example.com")
    fields = {"client_id": "a", "client_secret": "b", "tenant_id": "t"}
    with pytest.raises(DatabricksCredentialsError, match="AZURE_AUTHORITY_HOST must begin with https"):
        identify({"databricks_instance": "h.example.com", **fields})


def test_a_cloud_that_does_not_exist_is_refused() -> None:
    fields = {"client_id": "a", "client_secret": "b", "tenant_id": "t", "azure_environment": "moon"}
    with pytest.raises(DatabricksCredentialsError, match="azure_environment is 'moon'; it must be one of public"):
        identify({"databricks_instance": "h.example.com", **fields})


async def test_a_job_of_github_actions_becomes_a_principal_of_entra_id(
    databricks: Databricks, entra: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    databricks.answers["GET", "/github/token"] = {"value": entra.workload_token(entra.application())}
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{databricks.endpoint}/github/token?v=1")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", TOKEN)
    credentials = DatabricksCredentials(
        databricks_instance=databricks.endpoint,
        auth_type="github-oidc-azure",
        client_id=entra.application().client_id,
        tenant_id=TENANT_ID,
    )
    assert entra.check(await credentials.aget_token(), APPLICATION)
    assert databricks.calls[0].query["audience"] == ["api://AzureADTokenExchange"]
