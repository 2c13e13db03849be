"""Profiles and logins of the Databricks CLI, environment variables, and which of them comes first."""

from __future__ import annotations

import json
import stat
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from prefect_databricks import DatabricksCredentials, DatabricksCredentialsError
from prefect_databricks._auth.choosing import identify
from prefect_databricks._auth.cli import _moment  # pyright: ignore[reportPrivateUsage]
from prefect_integration_tests.backends.databricks import CLIENT_ID, CLIENT_SECRET, TOKEN, Databricks
from prefect_integration_tests.clock import FakeClock

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"


def write_profiles(folder: Path, text: str) -> None:
    (folder / ".databrickscfg").write_text(text, encoding="utf-8")


@pytest.fixture
def no_cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


# Profiles


def test_a_profile_gives_host_and_token(databricks: Databricks, home: Path) -> None:
    write_profiles(home, f"[DEFAULT]\nhost = https://other\n\n[shop]\nhost = {databricks.endpoint}/\ntoken = {TOKEN}\n")
    credentials = DatabricksCredentials(profile="shop")  # pyright: ignore[reportCallIssue]
    assert credentials.databricks_instance == f"{databricks.endpoint}/"
    assert credentials.token is None  # it is read when it is used, and not saved with the block
    assert credentials.get_token() == TOKEN


def test_a_profile_of_a_service_principal(databricks: Databricks, home: Path) -> None:
    write_profiles(
        home,
        f"[sp]\nhost = {databricks.endpoint}\nclient_id = {CLIENT_ID}\nclient_secret = {CLIENT_SECRET}\n",
    )
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, profile="sp")
    assert credentials.get_token() in databricks.identity.issued


def test_profiles_may_be_elsewhere(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "profiles"
    file.write_text(f"[a]\nhost = {HOST}\ntoken = first\n")
    given = DatabricksCredentials(profile="a", config_file=str(file))  # pyright: ignore[reportCallIssue]
    assert given.get_token() == "first"
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    assert DatabricksCredentials(profile="a").get_token() == "first"  # pyright: ignore[reportCallIssue]


def test_fields_come_before_the_profile(home: Path) -> None:
    write_profiles(home, f"[a]\nhost = {HOST}\ntoken = hers\nclient_id = her-id\nclient_secret = her-secret\n")
    mine = identify({"profile": "a", "token": "mine"})
    assert (mine.token, mine.address) == ("mine", f"https://{HOST}")
    other = identify({"profile": "a", "client_id": "my-id", "client_secret": "my-secret"})
    assert (other.auth_type, other.token) == ("oauth-m2m", None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(None, r"profile is 'gone', but there is no file .*Run `databricks configure`", id="no file"),
        pytest.param("[a]\ntoken = hunter2\n", r"profile is 'gone', which is not in .*: a\.", id="no such profile"),
        pytest.param("hunter2\n", "cannot be read", id="not a file of profiles"),
        pytest.param("[__settings__]\ndefault_profile = a\n", "Profiles there: none", id="no profile at all"),
    ],
)
def test_a_profile_that_is_not_there_is_named_when_the_block_is_made(home: Path, text: str | None, says: str) -> None:
    if text is not None:
        write_profiles(home, text)
    with pytest.raises(ValidationError, match=says) as caught:
        DatabricksCredentials(profile="gone")  # pyright: ignore[reportCallIssue]
    assert "hunter2" not in str(caught.value)
    with pytest.raises(DatabricksCredentialsError, match=says):
        DatabricksCredentials(databricks_instance=HOST, profile="gone").get_client()


def test_a_way_that_we_do_not_go_is_named(home: Path) -> None:
    write_profiles(home, f"[a]\nhost = {HOST}\nauth_type = google-id\n")
    with pytest.raises(DatabricksCredentialsError, match="auth_type is 'google-id', which is not supported"):
        identify({"profile": "a"})


# Logins of a person


def write_login(folder: Path, name: str, *, seconds: float, refresh: str | None = "refresh-0") -> Path:
    path = folder / ".databricks" / "token-cache.json"
    path.parent.mkdir(exist_ok=True)
    ends = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    token = {"access_token": "cached", "token_type": "Bearer", "expiry": f"{ends:%Y-%m-%dT%H:%M:%S}.123456789Z"}
    tokens = {name: {**token, **({"refresh_token": refresh} if refresh else {})}, "other": {"access_token": "x"}}
    path.write_text(json.dumps({"version": 1, "tokens": tokens}))
    return path


@pytest.mark.usefixtures("no_cli")
@pytest.mark.parametrize("name", ["shop", "{host}", "{host}/"])
def test_a_login_is_read_from_the_clis_cache(databricks: Databricks, home: Path, name: str) -> None:
    write_profiles(home, f"[shop]\nhost = {databricks.endpoint}\nauth_type = databricks-cli\n")
    write_login(home, name.format(host=databricks.endpoint), seconds=3600)
    credentials = DatabricksCredentials(profile="shop")  # pyright: ignore[reportCallIssue]
    assert credentials.get_token() == "cached"
    assert databricks.calls == []


@pytest.mark.usefixtures("no_cli")
def test_a_login_that_ends_is_renewed_and_put_back(databricks: Databricks, home: Path, clock: FakeClock) -> None:
    """Its refresh token is good for one use: without the next one in the cache, the person would be logged out."""
    databricks.identity.refresh_tokens.add("refresh-0")
    path = write_login(home, databricks.endpoint, seconds=60)
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="databricks-cli")
    token = credentials.get_token()
    assert databricks.identity.issued == [token]
    kept = json.loads(path.read_text())
    assert kept["version"] == 1
    assert kept["tokens"]["other"] == {"access_token": "x"}
    assert kept["tokens"][databricks.endpoint]["access_token"] == token
    assert kept["tokens"][databricks.endpoint]["refresh_token"] == "refresh-1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    clock.sleep(3500)
    assert credentials.get_token() != token
    assert [call.body["refresh_token"] for call in databricks.calls] == ["refresh-0", "refresh-1"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.usefixtures("no_cli")
@pytest.mark.parametrize(
    ("refresh", "says"), [(None, "has ended. Run `databricks auth login"), ("old", "invalid_grant")]
)
def test_a_login_that_has_ended_says_how_to_log_in(
    databricks: Databricks, home: Path, refresh: str | None, says: str
) -> None:
    write_login(home, databricks.endpoint, seconds=-60, refresh=refresh)
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="databricks-cli")
    with pytest.raises(DatabricksCredentialsError, match=says) as caught:
        credentials.get_token()
    assert f"Run `databricks auth login --host {databricks.endpoint}`" in str(caught.value)


@pytest.mark.usefixtures("no_cli")
def test_a_login_that_another_process_has_renewed_is_taken_from_there(databricks: Databricks, home: Path) -> None:
    path = write_login(home, databricks.endpoint, seconds=-60, refresh="used")

    def renew(call: Any) -> bool:
        write_login(home, databricks.endpoint, seconds=3600)
        path.write_text(path.read_text().replace('"cached"', '"of-the-other"'))
        return True

    databricks.fail("GetToken", 400, code="invalid_grant", where=renew)
    credentials = DatabricksCredentials(databricks_instance=databricks.endpoint, auth_type="databricks-cli")
    assert credentials.get_token() == "of-the-other"


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        (1_790_000_000, 1_790_000_000.0),
        ("1790000000", 1_790_000_000.0),
        ("2026-09-21T14:13:20Z", 1_790_000_000.0),
        ("2026-09-21T14:13:20.1234567Z", 1_790_000_000.123456),
        ("2026-09-21T16:13:20.5+02:00", 1_790_000_000.5),
        (
            datetime.fromtimestamp(1_790_000_000, timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f"),
            1_790_000_000.0,
        ),
        ("soon", None),
        (None, None),
    ],
)
def test_moments_are_read_as_each_cli_prints_them(said: Any, moment: float | None) -> None:
    assert _moment(said) == moment


@pytest.mark.usefixtures("no_cli")
def test_who_has_not_logged_in_is_told_so(home: Path) -> None:
    credentials = DatabricksCredentials(databricks_instance=HOST, auth_type="databricks-cli")
    with pytest.raises(DatabricksCredentialsError, match=f"Nobody has logged in to https://{HOST}"):
        credentials.get_token()


def write_cli(folder: Path, body: str) -> None:
    script = folder / "databricks"
    script.write_text(f"#!{sys.executable}\nimport json, sys\n{body}\n")
    script.chmod(0o755)


def test_the_cli_is_asked_where_it_is_installed(no_cli: Path, home: Path) -> None:
    body = "print(json.dumps({'access_token': ' '.join(sys.argv[1:]), 'expiry': '2999-01-01T00:00:00Z'}))"
    write_cli(no_cli, body)
    write_profiles(home, f"[shop]\nhost = {HOST}\n")
    by_host = DatabricksCredentials(databricks_instance=HOST, auth_type="databricks-cli")
    assert by_host.get_token() == f"auth token --host https://{HOST}"
    by_profile = DatabricksCredentials(databricks_instance=HOST, profile="shop")
    assert by_profile.get_token() == "auth token --profile shop"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("sys.exit('Error: no login. hunter2')", r"exit status 1: Error: no login", id="fails"),
        pytest.param("print('hello')", "did not print JSON", id="no JSON"),
        pytest.param("print('{}')", "printed no `access_token`", id="no token"),
    ],
)
def test_a_cli_that_has_no_token_is_told_with_the_remedy(no_cli: Path, body: str, says: str) -> None:
    write_cli(no_cli, body)
    credentials = DatabricksCredentials(databricks_instance=HOST, auth_type="databricks-cli")
    with pytest.raises(DatabricksCredentialsError, match=says):
        credentials.get_token()


def test_the_old_cli_is_passed_over(no_cli: Path, home: Path) -> None:
    write_cli(no_cli, "# from databricks_cli.cli import cli\nsys.exit('old')")
    credentials = DatabricksCredentials(databricks_instance=HOST, auth_type="databricks-cli")
    with pytest.raises(DatabricksCredentialsError, match="the CLI is not installed"):
        credentials.get_token()


# The environment


def test_a_block_with_a_token_is_not_changed_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "TOKEN", "CLIENT_ID", "CLIENT_SECRET", "AUTH_TYPE"):
        monkeypatch.setenv(f"DATABRICKS_{name}", "of-somebody-else")
    credentials = DatabricksCredentials(databricks_instance=HOST, token=SecretStr("mine"))
    assert credentials.get_token() == "mine"
    assert str(credentials.get_client().base_url) == f"https://{HOST}/api/"


def test_the_environment_gives_everything_when_it_is_asked(
    databricks: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", databricks.endpoint)
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET)
    credentials = DatabricksCredentials(auth_type="default")  # pyright: ignore[reportCallIssue]
    assert credentials.get_token() in databricks.identity.issued


def test_parts_of_one_login_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "hers")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "her-secret")
    given = {"databricks_instance": HOST, "auth_type": "oauth-m2m", "client_id": "mine"}
    with pytest.raises(DatabricksCredentialsError, match="client_secret is missing for auth_type oauth-m2m"):
        identify(given)
    monkeypatch.delenv("DATABRICKS_CLIENT_ID")
    source: Any = identify(given).sources["Authorization"]
    assert (source.client_id, source.client_secret) == ("mine", "her-secret")


@pytest.mark.usefixtures("no_cli")
def test_nothing_to_authenticate_with_is_told(home: Path) -> None:
    with pytest.raises(DatabricksCredentialsError, match=f"nothing to authenticate to https://{HOST} with"):
        identify({"databricks_instance": HOST, "auth_type": "default"})


ENVIRONMENTS: dict[str, tuple[dict[str, str], str]] = {
    "a token": ({"DATABRICKS_TOKEN": "t"}, ""),
    "a token and a type": ({"DATABRICKS_TOKEN": "t", "DATABRICKS_AUTH_TYPE": "pat"}, ""),
    "a principal": ({"DATABRICKS_CLIENT_ID": "a", "DATABRICKS_CLIENT_SECRET": "b"}, ""),
    "an ID token": ({"DATABRICKS_OIDC_TOKEN": "t", "DATABRICKS_CLIENT_ID": "a"}, ""),
    "another variable": ({"DATABRICKS_OIDC_TOKEN_ENV": "MINE", "MINE": "t"}, ""),
    "a profile": ({"DATABRICKS_CONFIG_PROFILE": "p"}, "[p]\nhost = {host}\ntoken = t\n"),
    "the default profile": ({}, "[DEFAULT]\nhost = {host}\ntoken = t\n"),
    "a profile that is the default": ({}, "[__settings__]\ndefault_profile = p\n[p]\nhost = {host}\ntoken = t\n"),
    "a profile of a principal": (
        {"DATABRICKS_CONFIG_PROFILE": "p"},
        "[DEFAULT]\ntoken = x\n[p]\nhost = {host}\nclient_id = a\nclient_secret = b\n",
    ),
}


@pytest.mark.usefixtures("no_cli")
def test_the_environment_means_what_it_means_to_databricks_own_sdk(databricks: Databricks, home: Path) -> None:
    """All of them in one test, since to import the SDK takes seconds."""
    sdk = pytest.importorskip("databricks.sdk.core")
    databricks.identity.clients["a"] = "b"
    databricks.identity.subject_tokens.add("t")
    ours: dict[str, tuple[str, str]] = {}
    theirs: dict[str, tuple[str, str]] = {}
    for name, (variables, profiles) in ENVIRONMENTS.items():
        write_profiles(home, profiles.format(host=databricks.endpoint))
        around = variables if profiles else {"DATABRICKS_HOST": databricks.endpoint, **variables}
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in around.items():
                patch.setenv(variable, value)
            config = sdk.Config()
            theirs[name] = (config.auth_type, config.host.rstrip("/"))
            block = DatabricksCredentials(auth_type="default")  # pyright: ignore[reportCallIssue]
            identity = block._identity()  # pyright: ignore[reportPrivateUsage]
            ours[name] = (identity.auth_type, identity.address)
    assert ours == theirs


@pytest.mark.usefixtures("no_cli")
@pytest.mark.parametrize(
    ("variables", "auth_type"),
    [
        ({"ARM_CLIENT_ID": "a", "ARM_CLIENT_SECRET": "b", "ARM_TENANT_ID": "t"}, "azure-client-secret"),
        ({"DATABRICKS_CLIENT_ID": "a", "DATABRICKS_CLIENT_SECRET": "b", "ARM_TENANT_ID": "t"}, "oauth-m2m"),
        ({"ARM_USE_MSI": "true"}, "azure-msi"),
        ({"AZURE_CLIENT_ID": "a", "AZURE_FEDERATED_TOKEN_FILE": "/t"}, "azure-workload-identity"),
        ({"DATABRICKS_AUTH_TYPE": "azure-msi", "DATABRICKS_TOKEN": "t"}, "azure-msi"),
    ],
)
def test_the_environment_of_azure(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], auth_type: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    identity = identify({"databricks_instance": "adb-1.2.azuredatabricks.net", "auth_type": "default"})
    assert identity.auth_type == auth_type
