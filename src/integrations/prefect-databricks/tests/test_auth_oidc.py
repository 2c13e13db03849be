"""Tokens of other systems, exchanged for tokens of Databricks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_databricks import DatabricksCredentials, DatabricksCredentialsError
from prefect_databricks.rest import execute_endpoint
from prefect_integration_tests.backends.databricks import TOKEN, Databricks
from prefect_integration_tests.clock import FakeClock

ID_TOKEN = "eyJhbGciOiJSUzI1NiJ9.hunter2.c2ln"


@pytest.fixture
def trusting(databricks: Databricks) -> Databricks:
    """A workspace whose federation policy trusts the token."""
    databricks.identity.subject_tokens.add(ID_TOKEN)
    return databricks


def make(databricks: Databricks, **fields: Any) -> DatabricksCredentials:
    return DatabricksCredentials(**{"databricks_instance": databricks.endpoint, **fields})


async def test_the_token_of_a_file_is_exchanged(trusting: Databricks, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{ID_TOKEN}\n")
    credentials = make(trusting, oidc_token_filepath=str(file), client_id="sp")
    assert (await execute_endpoint.fn("/2.2/jobs/list", credentials)).status_code == 200
    asked = trusting.calls_of("GetToken")[0].body
    assert asked == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": ID_TOKEN,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "scope": "all-apis",
        "client_id": "sp",
    }


async def test_a_file_is_read_for_each_exchange(trusting: Databricks, tmp_path: Path, clock: FakeClock) -> None:
    """Kubernetes writes another token into it before the old one ends."""
    file = tmp_path / "token"
    file.write_text(ID_TOKEN)
    credentials = make(trusting, oidc_token_filepath=str(file))
    async with credentials.get_client() as client:
        assert (await client.get("/2.2/jobs/list")).status_code == 200
        trusting.identity.subject_tokens = {"another"}
        file.write_text("another")
        clock.sleep(3500)
        assert (await client.get("/2.2/jobs/list")).status_code == 200
    assert [call.body["subject_token"] for call in trusting.calls_of("GetToken")] == [ID_TOKEN, "another"]


@pytest.mark.parametrize("name", [None, "MY_TOKEN"])
async def test_the_token_of_a_variable_is_exchanged(
    trusting: Databricks, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    monkeypatch.setenv(name or "DATABRICKS_OIDC_TOKEN", ID_TOKEN)
    credentials = make(trusting, auth_type="env-oidc", oidc_token_env=name)
    assert await credentials.aget_token() in trusting.identity.issued
    assert "client_id" not in trusting.calls_of("GetToken")[0].body  # a policy of the account needs none


@pytest.mark.parametrize(("audience", "asked"), [("aud", "aud"), (None, "/oidc/v1/token")])
async def test_a_job_of_github_actions_asks_github(
    trusting: Databricks, monkeypatch: pytest.MonkeyPatch, audience: str | None, asked: str
) -> None:
    trusting.answers["GET", "/github/token"] = {"value": ID_TOKEN}
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{trusting.endpoint}/github/token?v=1")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", TOKEN)
    credentials = make(trusting, auth_type="github-oidc", client_id="sp", token_audience=audience)
    assert await credentials.aget_token() in trusting.identity.issued
    assert trusting.calls[0].query["audience"][0].endswith(asked)


async def test_a_job_of_azure_pipelines_asks_azure_devops(
    trusting: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting.answers["POST", "/org/project/_apis/distributedtask/hubs/build/plans/plan/jobs/job/oidctoken"] = {
        "oidcToken": ID_TOKEN
    }
    for name, value in {
        "SYSTEM_ACCESSTOKEN": TOKEN,
        "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": f"{trusting.endpoint}/org/",
        "SYSTEM_TEAMPROJECTID": "project",
        "SYSTEM_HOSTTYPE": "build",
        "SYSTEM_PLANID": "plan",
        "SYSTEM_JOBID": "job",
    }.items():
        monkeypatch.setenv(name, value)
    credentials = make(trusting, auth_type="azure-devops-oidc", client_id="sp")
    assert await credentials.aget_token() in trusting.identity.issued
    monkeypatch.delenv("SYSTEM_JOBID")
    other = make(trusting, auth_type="azure-devops-oidc", client_id="other")
    with pytest.raises(DatabricksCredentialsError, match="SYSTEM_JOBID is not set"):
        await other.aget_token()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param({"auth_type": "env-oidc"}, "DATABRICKS_OIDC_TOKEN is not set", id="no variable"),
        pytest.param(
            {"oidc_token_filepath": "/no/token"}, "oidc_token_filepath '/no/token' cannot be read", id="no file"
        ),
        pytest.param({"auth_type": "github-oidc", "client_id": "a"}, "permissions: id-token: write", id="no right"),
        pytest.param(
            {"auth_type": "file-oidc"}, "oidc_token_filepath is missing for auth_type file-oidc", id="no path"
        ),
    ],
)
async def test_what_is_missing_is_named(databricks: Databricks, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(DatabricksCredentialsError, match=says):
        await make(databricks, **fields).aget_token()
    assert databricks.calls == []


async def test_a_token_that_no_policy_trusts_is_told_without_being_shown(
    databricks: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", ID_TOKEN)
    with pytest.raises(
        DatabricksCredentialsError, match="federation policy: its issuer, subject and audience"
    ) as caught:
        await make(databricks, auth_type="env-oidc").aget_token()
    assert "hunter2" not in str(caught.value)
