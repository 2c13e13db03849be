"""Targets of Snowflake, BigQuery and PostgreSQL, as the adapters of dbt take them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dbt.config.profile import Profile
from dbt.config.renderer import ProfileRenderer

from prefect_dbt import BigQueryTargetConfigs, DbtCliProfile, PostgresTargetConfigs, SnowflakeTargetConfigs
from prefect_gcp import GcpCredentials
from prefect_integration_tests.backends.dbt_projects import installed_release
from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials
from prefect_sqlalchemy import ConnectionComponents, SqlAlchemyConnector, SyncDriver

pytestmark = pytest.mark.filterwarnings("ignore:The tasks and blocks of `prefect_dbt.cli`:UserWarning")

Target = SnowflakeTargetConfigs | BigQueryTargetConfigs | PostgresTargetConfigs


@pytest.fixture(scope="module", autouse=True)
def dbts_flags() -> None:
    from argparse import Namespace

    from dbt.flags import set_from_args

    set_from_args(Namespace(log_cache_events=False), {})


def as_dbt_reads_it(target: Target) -> Any:
    """The credentials that dbt makes of the target, by way of YAML and Jinja."""
    profile = DbtCliProfile(name="shop", target="dev", target_configs=target).get_profile()
    raw = yaml.safe_load(yaml.safe_dump(profile))["shop"]
    read = Profile.from_raw_profile_info(raw, "shop", ProfileRenderer())
    read.validate()
    assert read.threads == target.threads
    return read.credentials


# Snowflake


def snowflake(target: dict[str, Any] | None = None, **credentials: Any) -> SnowflakeTargetConfigs:
    identity = SnowflakeCredentials(**{"account": "acme-eu", "user": "loader", **credentials})
    connector = SnowflakeConnector(database="shop", warehouse="small", schema="public", credentials=identity)
    return SnowflakeTargetConfigs(connector=connector, **(target or {}))


def test_snowflake_by_password() -> None:
    target = snowflake({"extras": {"retry_on_database_errors": True}, "threads": 8}, password="p{w", role="writer")
    configs = target.get_configs()
    assert configs == {
        "type": "snowflake",
        "threads": 8,
        "account": "acme-eu",
        "user": "loader",
        "password": "p{w",
        "role": "writer",
        "database": "shop",
        "warehouse": "small",
        "schema": "public",
        "authenticator": "snowflake",
        "retry_on_database_errors": True,
    }
    read = as_dbt_reads_it(target)
    assert (read.user, read.password, read.role, read.schema) == ("loader", "p{w", "writer", "public")
    assert read.retry_on_database_errors is True


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


KEY = _key()


def _pem(form: serialization.PrivateFormat, passphrase: str | None = None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    return KEY.private_bytes(serialization.Encoding.PEM, form, encryption)


PKCS8, PKCS1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
DER = KEY.private_bytes(serialization.Encoding.DER, PKCS8, serialization.NoEncryption())


@pytest.mark.parametrize(
    ("key", "passphrase"),
    [
        (_pem(PKCS8), None),
        (_pem(PKCS1), None),
        (_pem(PKCS8, "pass phrase"), "pass phrase"),
        (_pem(PKCS1, "pass phrase"), "pass phrase"),
        (_pem(PKCS8).replace(b"\n", b"\\n"), None),
        (_pem(PKCS8).replace(b"\n", b"\r\n"), None),
        (_pem(PKCS8).replace(b"\n", b" "), None),
        (_pem(PKCS8, "pass phrase").replace(b"\n", b"\\n"), "pass phrase"),
        (b"  " + _pem(PKCS8) + b"\n\n", None),
        (base64.b64encode(DER), None),
        (base64.encodebytes(DER), None),
        (DER, None),
    ],
    ids=[
        "PKCS#8",
        "PKCS#1",
        "PKCS#8 with passphrase",
        "PKCS#1 with passphrase",
        "written line ends",
        "Windows line ends",
        "spaces for line ends",
        "passphrase and written line ends",
        "white space around",
        "base64 of DER",
        "base64 of DER in lines",
        "DER",
    ],
)
def test_snowflake_by_key_pair(key: bytes, passphrase: str | None) -> None:
    target = snowflake(private_key=key, private_key_passphrase=passphrase, authenticator="snowflake_jwt")
    assert isinstance(target.get_configs()["private_key"], str)
    read = as_dbt_reads_it(target)
    assert read.auth_args()["private_key"] == DER
    assert read.auth_args()["authenticator"] == "snowflake_jwt"
    assert read.password is None


def test_snowflake_by_key_file(tmp_path: Path) -> None:
    path = tmp_path / "key.p8"
    path.write_bytes(_pem(PKCS8, "secret"))
    read = as_dbt_reads_it(
        snowflake(private_key_path=path, private_key_passphrase="secret", authenticator="snowflake_jwt")
    )
    assert read.private_key_path == str(path)
    assert read.auth_args()["private_key"] == DER


def test_half_a_key_is_refused_and_not_shown(canary: str) -> None:
    target = snowflake(private_key=f"-----BEGIN PRIVATE KEY-----\n{canary}".encode(), authenticator="snowflake_jwt")
    with pytest.raises(ValueError, match="private_key has a line '-----BEGIN") as caught:
        target.get_configs()
    assert canary not in str(caught.value)


def test_snowflake_by_token() -> None:
    read = as_dbt_reads_it(snowflake(token="t", authenticator="oauth"))
    assert (read.auth_args()["authenticator"], read.auth_args()["token"]) == ("oauth", "t")


def test_snowflake_by_okta() -> None:
    target = snowflake(password="p", authenticator="okta_endpoint", endpoint="https://acme.okta.com")
    assert as_dbt_reads_it(target).auth_args()["authenticator"] == "https://acme.okta.com"


def test_snowflake_by_browser_and_by_second_factor() -> None:
    assert as_dbt_reads_it(snowflake(authenticator="externalbrowser")).authenticator == "externalbrowser"
    read = as_dbt_reads_it(snowflake(password="p", authenticator="username_password_mfa"))
    assert read.auth_args()["authenticator"] == "username_password_mfa"


@pytest.mark.skipif(installed_release("dbt-snowflake") < (1, 12), reason="older ones want a user")
def test_snowflake_by_workload_identity() -> None:
    target = snowflake(user=None, authenticator="workload_identity", workload_identity_provider="aws")
    read = as_dbt_reads_it(target).auth_args()
    assert (read["authenticator"].lower(), read["workload_identity_provider"].lower()) == ("workload_identity", "aws")


def test_a_schema_in_two_places_is_refused_unless_fields_override() -> None:
    with pytest.raises(ValueError, match=r"'schema' is given by the connector and by SnowflakeTargetConfigs"):
        snowflake({"schema": "mine"}, password="p").get_configs()
    target = snowflake({"schema": "mine", "allow_field_overrides": True}, password="p")
    assert as_dbt_reads_it(target).schema == "mine"
    with pytest.raises(ValueError, match=r"'account' is given by extras and by the connector"):
        snowflake({"extras": {"account": "other"}}, password="p").get_configs()


# BigQuery


def bigquery(target: dict[str, Any] | None = None, **credentials: Any) -> BigQueryTargetConfigs:
    fields: dict[str, Any] = {"schema": "shop", **(target or {})}
    return BigQueryTargetConfigs(credentials=GcpCredentials(**credentials), **fields)


@pytest.fixture
def key_info() -> dict[str, Any]:
    return {
        "type": "service_account",
        "project_id": "acme",
        "client_email": "dbt@acme.iam.gserviceaccount.com",
        "private_key": _pem(PKCS8).decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }


def test_bigquery_by_the_content_of_a_key(key_info: dict[str, Any]) -> None:
    target = bigquery(service_account_info=key_info)
    assert target.get_configs() == {
        "type": "bigquery",
        "schema": "shop",
        "threads": 4,
        "project": "acme",
        "method": "service-account-json",
        "keyfile_json": key_info,
    }
    read = as_dbt_reads_it(target)
    assert (str(read.method), read.database, read.schema) == ("service-account-json", "acme", "shop")
    assert read.keyfile_json["private_key"].strip() == key_info["private_key"].strip()  # Jinja drops the last line end


def test_bigquery_by_the_file_of_a_key(key_info: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key_info))
    read = as_dbt_reads_it(bigquery({"project": "other"}, service_account_file=path))
    assert (str(read.method), read.keyfile, read.database) == ("service-account", str(path), "other")


def test_bigquery_by_what_the_environment_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "from-the-environment")
    read = as_dbt_reads_it(bigquery({"project": "acme"}))
    assert (str(read.method), read.database, read.keyfile_json, read.token) == ("oauth", "acme", None, None)


@pytest.mark.skipif(installed_release("dbt-bigquery") < (1, 10), reason="older ones have one address")
def test_bigquery_as_another_service_account(key_info: dict[str, Any]) -> None:
    target = bigquery(
        service_account_info=key_info,
        impersonate_service_account="writer@acme.iam.gserviceaccount.com",
        quota_project="billing",
        api_endpoints={"bigquery": "https://bigquery.private.acme.com"},
    )
    read = as_dbt_reads_it(target)
    assert read.impersonate_service_account == "writer@acme.iam.gserviceaccount.com"
    assert (read.quota_project, read.api_endpoint) == ("billing", "https://bigquery.private.acme.com")


def test_bigquery_by_a_token_where_dbt_has_no_form_of_the_identity(
    google_identity: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    google_identity.reset()
    info = google_identity.service_account_info()
    between, writer = (
        google_identity.service_account_info(name=name)["client_email"] for name in ("between", "writer")
    )
    google_identity.allow_impersonation(info["client_email"], between)
    google_identity.allow_impersonation(between, writer)
    target = bigquery(
        {"project": "acme"},
        service_account_info=info,
        impersonate_service_account=writer,
        impersonate_delegates=[between],
        api_endpoints={"iamcredentials": google_identity.endpoint},
    )
    read = as_dbt_reads_it(target)
    assert str(read.method) == "oauth-secrets"
    assert google_identity.check(read.token) == writer
    assert read.impersonate_service_account is None


def test_a_key_of_the_credentials_in_extras_is_refused(key_info: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"'method' is given by extras and by the credentials"):
        bigquery({"extras": {"method": "oauth"}}, service_account_info=key_info).get_configs()
    target = bigquery({"extras": {"location": "EU", "job_retries": 3}}, service_account_info=key_info)
    assert as_dbt_reads_it(target).location == "EU"


# PostgreSQL


def postgres(info: Any, target: dict[str, Any] | None = None, **connector: Any) -> PostgresTargetConfigs:
    fields: dict[str, Any] = {"schema": "analytics", **(target or {})}
    return PostgresTargetConfigs(credentials=SqlAlchemyConnector(connection_info=info, **connector), **fields)


def components(**parts: Any) -> ConnectionComponents:
    given: dict[str, Any] = {"username": "u", "password": "p@ss/{w", "host": "db", "port": 6543, "database": "shop"}
    return ConnectionComponents(driver=SyncDriver.POSTGRESQL_PSYCOPG2, **{**given, **parts})


@pytest.mark.parametrize(
    "info",
    [components(), "postgresql+psycopg2://u:p%40ss%2F%7Bw@db:6543/shop", "postgresql://u:p%40ss%2F{w@db:6543/shop"],
    ids=["components", "URL", "URL without driver"],
)
def test_postgres_by_components_and_by_url(info: Any) -> None:
    target = postgres(info)
    assert target.get_configs() == {
        "type": "postgres",
        "schema": "analytics",
        "threads": 4,
        "host": "db",
        "port": 6543,
        "user": "u",
        "password": "p@ss/{w",
        "dbname": "shop",
    }
    read = as_dbt_reads_it(target)
    assert (read.host, read.port, read.user, read.password, read.database) == ("db", 6543, "u", "p@ss/{w", "shop")


def test_postgres_fills_in_what_dbt_requires() -> None:
    read = as_dbt_reads_it(postgres(components(host=None, port=None, password=None)))
    assert (read.host, read.port, read.password) == ("localhost", 5432, "")


def test_postgres_arguments_of_the_connection_reach_dbt() -> None:
    info = components(query={"sslmode": "verify-full", "sslrootcert": "/ca.pem", "options": "-c search_path=a,b"})
    read = as_dbt_reads_it(postgres(info, connect_args={"connect_timeout": 30, "application_name": "shop"}))
    assert (read.sslmode, read.sslrootcert, read.search_path) == ("verify-full", "/ca.pem", "a,b")
    assert (read.connect_timeout, read.application_name) == (30, "shop")


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ("sqlite:///shop.db", "is for sqlite. Give one whose driver is for postgresql"),
        (components(username=None), "names no username"),
        (components(database=None), "names no database"),
    ],
)
def test_what_dbt_cannot_do_without_is_named(info: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        postgres(info).get_configs()


def test_extras_are_added_and_may_not_repeat() -> None:
    assert as_dbt_reads_it(postgres(components(), {"extras": {"role": "writer", "retries": 3}})).role == "writer"
    with pytest.raises(ValueError, match=r"'dbname' is given by extras and by the connector"):
        postgres(components(), {"extras": {"dbname": "x"}}).get_configs()


def test_dbt_connects_to_a_real_postgres_by_the_block(dbt_postgres_project: Any) -> None:
    from prefect_dbt.cli.commands import trigger_dbt_cli_command

    project = dbt_postgres_project
    (project.path / "profiles.yml").unlink()
    url = f"postgresql+psycopg2://postgres:unused@127.0.0.1:{project.postgres.port}/{project.database}"
    profile = DbtCliProfile(name=project.name, target="dev", target_configs=postgres(url, {"schema": project.schema}))
    result = trigger_dbt_cli_command.fn("dbt seed", project_dir=project.path, dbt_cli_profile=profile)
    assert result is not None
    assert result.success
    assert "seed_0" in project.tables()
