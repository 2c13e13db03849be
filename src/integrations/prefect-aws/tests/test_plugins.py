"""The Prefect server signs in to RDS with a fresh IAM token for every connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from prefect_aws.plugins import set_database_connection_params

HOST = "prefect.abc123.eu-west-1.rds.amazonaws.com"
URL = f"postgresql+asyncpg://iam_user@{HOST}:5433/prefect"


@pytest.fixture
def enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_RDS_IAM_ENABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def tls(enabled: bool) -> Any:
    """Prefect's settings, as far as the plugin looks at them."""
    chain: Any = SimpleNamespace(enabled=enabled)
    for name in ("tls", "connect_args", "sqlalchemy", "database", "server"):
        chain = SimpleNamespace(**{name: chain})
    return chain


async def token_of(url: str) -> dict[str, list[str]]:
    token = await set_database_connection_params(url, None)["password"]()
    parts = urlsplit(f"https://{token}")
    return {"address": [parts.netloc], **parse_qs(parts.query)}


def test_nothing_happens_unless_enabled() -> None:
    assert set_database_connection_params(URL, None) == {}


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite:///prefect.db", "postgresql+psycopg://u@h/db", "postgresql://u@h/db"]
)
def test_other_databases_are_left_alone(enabled: None, url: str) -> None:
    assert set_database_connection_params(url, None) == {}


async def test_the_token_is_made_for_host_port_user_and_region(enabled: None) -> None:
    token = await token_of(URL)
    assert token["address"] == [f"{HOST}:5433"]
    assert (token["DBUser"], token["Action"]) == (["iam_user"], ["connect"])
    assert token["X-Amz-Credential"][0].startswith("AKIA/")
    assert "/eu-west-1/rds-db/" in token["X-Amz-Credential"][0]


async def test_the_port_is_postgres_s_when_the_url_has_none(enabled: None) -> None:
    assert (await token_of(URL.replace(":5433", "")))["address"] == [f"{HOST}:5432"]


async def test_a_user_with_odd_characters_is_decoded(enabled: None) -> None:
    assert (await token_of(URL.replace("iam_user", "iam%2Fuser%40corp")))["DBUser"] == ["iam/user@corp"]


@pytest.mark.parametrize(
    ("setting", "default", "host", "region"),
    [
        ("us-west-2", "ap-south-1", HOST, "us-west-2"),
        (None, "ap-south-1", HOST, "eu-west-1"),
        (None, "ap-south-1", "db.example.org", "ap-south-1"),
    ],
)
async def test_the_region_is_the_setting_s_then_the_host_s_then_boto3_s(
    enabled: None, monkeypatch: pytest.MonkeyPatch, setting: str | None, default: str, host: str, region: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", default)
    if setting is not None:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_RDS_IAM_REGION_NAME", setting)
    assert f"/{region}/rds-db/" in (await token_of(URL.replace(HOST, host)))["X-Amz-Credential"][0]


@pytest.mark.parametrize(
    ("url", "settings", "required"),
    [
        (URL, None, True),
        (URL, tls(enabled=False), True),
        (URL, tls(enabled=True), False),
        (f"{URL}?ssl=verify-full", None, False),
        (f"{URL}?sslmode=disable", None, False),
    ],
)
def test_tls_is_required_unless_something_is_said_about_it(
    enabled: None, url: str, settings: Any, required: bool
) -> None:
    params = set_database_connection_params(url, settings)
    assert params.get("ssl") == ("require" if required else None)


@pytest.mark.parametrize("url", ["postgresql+asyncpg:///prefect", f"postgresql+asyncpg://{HOST}/prefect"])
def test_a_url_without_host_or_user_is_refused(enabled: None, url: str) -> None:
    with pytest.raises(ValueError, match="needs a host and a user"):
        set_database_connection_params(url, None)


class PasswordCollector:
    """The start of a PostgreSQL server: it asks for a password in plain text, notes it, and refuses it."""

    def __init__(self) -> None:
        self.passwords: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(length - 4)  # the start-up message
        writer.write(b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big"))  # AuthenticationCleartextPassword
        await reader.readexactly(1)
        length = int.from_bytes(await reader.readexactly(4), "big")
        self.passwords.append((await reader.readexactly(length - 4)).rstrip(b"\0").decode())
        fields = b"SFATAL\0C28P01\0Mrefused\0\0"
        writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        await writer.drain()
        writer.close()


@pytest.fixture
async def database() -> AsyncIterator[Any]:
    collector = PasswordCollector()
    server = await asyncio.start_server(collector.serve, "127.0.0.1", 0)
    collector.port = server.sockets[0].getsockname()[1]
    async with server:
        yield collector


async def test_prefect_s_server_asks_for_a_token_at_each_connection(
    enabled: None, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through Prefect's own plugin loading: the entry point, the hook, the engine, the driver."""
    from prefect.server.database.configurations import AsyncPostgresConfiguration
    from prefect.settings import temporary_settings
    from prefect.settings.legacy import _get_settings_fields  # noqa: F401 - importable only on supported versions

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("PREFECT_EXPERIMENTS_PLUGINS_ENABLED", "true")
    url = f"postgresql+asyncpg://iam_user@127.0.0.1:{database.port}/prefect?ssl=disable"
    with temporary_settings():
        engine = await AsyncPostgresConfiguration(connection_url=url).engine()
        for _ in range(2):
            with pytest.raises(Exception, match="refused"):
                async with engine.connect():
                    pass
        await engine.dispose()
    assert len(database.passwords) == 2
    assert all("X-Amz-Signature=" in password and "DBUser=iam_user" in password for password in database.passwords)


def test_outside_of_a_loop_the_token_is_given_at_once(enabled: None) -> None:
    token = set_database_connection_params(URL, None)["password"]()
    assert token.startswith(f"{HOST}:5433/?Action=connect&DBUser=iam_user")
