"""The credentials block: what it takes, what it refuses, and the client that it hands out."""

from __future__ import annotations

import asyncio
import pickle
import ssl
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.core import Block
from pydantic import SecretStr, ValidationError

from prefect_databricks import DatabricksCredentials, DatabricksCredentialsError, DatabricksError
from prefect_databricks._address import workspace_address
from prefect_databricks.rest import execute_endpoint
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.databricks import CLIENT_ID, CLIENT_SECRET, TOKEN, Databricks

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
SECRET = "dapi-hunter2"


def make(**fields: Any) -> DatabricksCredentials:
    return DatabricksCredentials(**{"databricks_instance": HOST, **fields})


# What a user can get wrong is said at once, by the name of the field


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param({}, "token is missing, and nothing else says how to authenticate", id="nothing"),
        pytest.param({"token": "", "client_id": None}, "token is missing", id="empty texts of a form"),
        pytest.param(
            {"token": SECRET, "client_id": "a", "client_secret": "b"},
            "token and client_id/client_secret",
            id="two ways",
        ),
        pytest.param(
            {"token": SECRET, "client_secret": "b"}, "token and client_id/client_secret", id="token and secret"
        ),
        pytest.param({"client_id": "a"}, "client_secret is missing", id="no secret"),
        pytest.param({"client_secret": SECRET}, "client_id is missing", id="no id"),
        pytest.param({"client_secret": SECRET, "tenant_id": "t"}, "client_id is missing", id="no id in a tenant"),
        pytest.param({"tenant_id": "t"}, "tenant_id alone proves nothing", id="a tenant only"),
        pytest.param({"token": SECRET, "auth_type": "azure-msi"}, "token is given, but auth_type azure-msi", id="msi"),
        pytest.param(
            {"token": SECRET, "auth_type": "kerberos"}, "auth_type is 'kerberos'; it must be", id="no such type"
        ),
        pytest.param(
            {"oidc_token_env": "A", "oidc_token_filepath": "b"},
            "oidc_token_filepath and oidc_token_env",
            id="two tokens",
        ),
        pytest.param(
            {"auth_type": "env-oidc", "oidc_token_filepath": "b"}, "oidc_token_filepath is given, but", id="other token"
        ),
        pytest.param(
            {"token": SECRET, "azure_environment": "moon"}, "azure_environment is 'moon'; it must", id="no cloud"
        ),
        pytest.param(
            {"client_id": "a", "client_secret": SECRET, "azure_workspace_resource_id": "/s"},
            "tenant_id is missing",
            id="a resource of Azure",
        ),
        pytest.param(
            {"client_id": "a", "client_secret": SECRET, "auth_type": "oauth-m2m", "tenant_id": "t"},
            "tenant_id is given, but auth_type oauth-m2m",
            id="a tenant elsewhere",
        ),
        pytest.param({"token": SECRET, "databricks_instance": ""}, "databricks_instance must be a host", id="no host"),
        pytest.param({"token": SECRET, "databricks_instance": "ftp://a"}, "databricks_instance must be", id="no web"),
        pytest.param(
            {"token": SECRET, "databricks_instance": "http://a.example.com"}, "the token in the clear", id="no TLS"
        ),
        pytest.param(
            {"token": SECRET, "databricks_instance": f"me:{SECRET}@a.example.com"}, "without a user", id="a password"
        ),
    ],
)
def test_what_does_not_go_together_is_refused_by_the_name_of_the_field(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        make(**fields)
    assert "hunter2" not in str(caught.value)


def test_the_instance_is_required() -> None:
    with pytest.raises(ValidationError, match=r"databricks_instance\n  Field required"):
        DatabricksCredentials(token=SECRET)  # pyright: ignore[reportCallIssue, reportArgumentType]


@pytest.mark.parametrize("token", [" ", "a b", "line\nbreak", "ümlaut"])
def test_a_token_that_is_none_is_not_sent(token: str) -> None:
    """A block that was saved so must load; its client says what is wrong, without the token."""
    credentials = make(token=SecretStr(token)) if token.strip() else make(token="x").model_copy(update={"token": token})
    with pytest.raises(DatabricksCredentialsError, match="token") as caught:
        credentials.get_client()
    assert token.strip() == "" or token not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (HOST, f"https://{HOST}"),
        (f" https://{HOST}/ ", f"https://{HOST}"),
        (f"https://{HOST}/?o=1234#job/7", f"https://{HOST}"),
        (f"https://{HOST}/api/", f"https://{HOST}"),
        ("gateway.corp/databricks", "https://gateway.corp/databricks"),
        ("gateway.corp/databricks/api", "https://gateway.corp/databricks"),
        ("gateway.corp:8443", "https://gateway.corp:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_an_instance_may_be_copied_from_a_browser(given: str, address: str) -> None:
    assert workspace_address(given) == address


@pytest.mark.parametrize("given", ["a.example.com/../x", "a b.example.com", "https://", "http://10.0.0.1", "a.com/x y"])
def test_what_is_no_instance_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"^databricks_instance "):
        workspace_address(given)


# The client


async def test_a_client_has_the_address_and_the_header(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    async with credentials.get_client() as client:
        assert str(client.base_url) == f"{databricks.endpoint}/api/"
        assert client.headers["Authorization"] == f"Bearer {TOKEN}"
        assert (await client.get("/2.1/jobs/list")).status_code == 200
        assert (await client.get("2.2/jobs/list")).status_code == 200
    assert [call.path for call in databricks.calls] == ["/api/2.1/jobs/list", "/api/2.2/jobs/list"]


async def test_arguments_of_the_client_are_handed_on(databricks: Databricks) -> None:
    credentials = DatabricksCredentials(
        databricks_instance=databricks.endpoint,
        token=SecretStr(TOKEN),
        client_kwargs={"headers": {"X-Team": "shop"}, "timeout": 7, "params": {"limit": 1}},
    )
    async with credentials.get_client() as client:
        assert client.timeout.read == 7
        await client.get("/2.1/jobs/list")
    call = databricks.calls[0]
    assert (call.headers["x-team"], call.query) == ("shop", {"limit": ["1"]})


async def test_a_private_authority_may_be_given_as_a_path(tmp_path: Any) -> None:
    """A block that is saved can hold no context of TLS."""
    credentials = make(token=SECRET, client_kwargs={"verify": str(tmp_path / "no.pem")})
    with pytest.raises(ValueError, match=r"client_kwargs\.verify .*no\.pem.* cannot be read"):
        credentials.get_client()


async def test_tls_is_spoken_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = PrivateCA(tmp_path)
    issued = authority.issue("workspace", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert_file, issued.key_file)
    with Databricks(context) as workspace:
        fields: dict[str, Any] = {"databricks_instance": workspace.host, "client_id": CLIENT_ID}
        strange = DatabricksCredentials(**fields, client_secret=SecretStr(CLIENT_SECRET))
        with pytest.raises(DatabricksError, match="CERTIFICATE_VERIFY_FAILED"):
            await execute_endpoint.fn("/2.2/jobs/list", strange)
        known = strange.model_copy(update={"client_kwargs": {"verify": str(authority.ca_file)}})
        assert (await execute_endpoint.fn("/2.2/jobs/list", known)).status_code == 200
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
        assert (await execute_endpoint.fn("/2.2/jobs/list", strange)).status_code == 200


# Tokens that end


def principal(databricks: Databricks, **fields: Any) -> DatabricksCredentials:
    return DatabricksCredentials(
        databricks_instance=databricks.endpoint, client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET), **fields
    )


@pytest.mark.usefixtures("clock")
async def test_the_token_is_refreshed_before_it_expires_in_runs_longer_than_an_hour(databricks: Databricks) -> None:
    """One client, three hours: it never sends a token that has ended, and asks for few."""
    async with principal(databricks).get_client() as client:
        for _ in range(18):
            assert (await client.get("/2.2/jobs/list")).status_code == 200
            databricks.clock.advance(600)
    assert not [call for call in databricks.calls if call.status != 200]
    assert 3 <= len(databricks.identity.issued) <= 4


@pytest.mark.usefixtures("clock")
async def test_a_token_that_is_refused_is_replaced_once(databricks: Databricks) -> None:
    async with principal(databricks).get_client() as client:
        await client.get("/2.2/jobs/list")
        databricks.identity.revoke(databricks.identity.issued[-1])
        assert (await client.get("/2.2/jobs/list")).status_code == 200
        assert len(databricks.identity.issued) == 2
        databricks.fail("ListJobs", 401, times=None)
        assert (await client.get("/2.2/jobs/list")).status_code == 401
        assert len(databricks.identity.issued) == 3


async def test_a_personal_token_that_is_refused_is_refused_at_once(databricks: Databricks) -> None:
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, token=SecretStr("dapi-wrong"))
    async with credentials.get_client() as client:
        assert (await client.get("/2.2/jobs/list")).status_code == 403
    assert len(databricks.calls) == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param({"client_secret": SecretStr(SECRET)}, "Check `client_id` and `client_secret`", id="wrong secret"),
        pytest.param({"client_id": "nobody"}, "service principal nobody", id="nobody"),
    ],
)
async def test_a_principal_that_is_refused_is_told_so_without_the_secret(
    databricks: Databricks, fields: dict[str, Any], says: str
) -> None:
    credentials = principal(databricks).model_copy(update=fields)
    with pytest.raises(DatabricksCredentialsError, match=says) as caught:
        await credentials.aget_token()
    assert "invalid_client: Client authentication failed" in str(caught.value)
    assert "hunter2" not in str(caught.value) + str(caught.value.__cause__) + str(caught.value.__context__)
    assert len(databricks.calls) == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_both_faces_give_a_token(databricks: Databricks) -> None:
    credentials = principal(databricks)
    token = credentials.get_token()
    assert asyncio.run(credentials.aget_token()) == token
    assert databricks.identity.issued == [token]

    async def dispatched() -> Any:
        return await credentials.get_token()  # pyright: ignore[reportGeneralTypeIssues]

    assert asyncio.run(dispatched()) == token
    assert make(token=SECRET).get_token() == SECRET


# Saved blocks


@pytest.mark.usefixtures("prefect_harness")
def test_a_block_of_the_published_package_loads() -> None:
    """Its fields, none of ours, and one that nobody knows."""
    saved = {
        "databricks_instance": HOST,
        "token": SECRET,
        "client_id": None,
        "client_secret": None,
        "tenant_id": None,
        "client_kwargs": None,
        "note": "kept",
    }
    made = DatabricksCredentials(**saved)
    assert getattr(made, "note", None) == "kept"
    made.save("published", overwrite=True)
    again = DatabricksCredentials.load("published")
    assert isinstance(again, DatabricksCredentials)
    assert again.token is not None
    assert again.token.get_secret_value() == SECRET
    assert isinstance(Block.load("databricks-credentials/published"), DatabricksCredentials)
