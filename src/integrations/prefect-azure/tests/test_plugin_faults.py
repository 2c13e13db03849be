"""The line to Microsoft Entra ID breaks, or it says no: what becomes of the Prefect server's sign-in to PostgreSQL."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from prefect_azure import _identity
from prefect_azure._tokens import SharedTokenCredential
from prefect_azure.errors import AzureCredentialsError, AzureUnavailable
from prefect_azure.plugins import set_database_connection_params
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.suites import HttpFaultSuite

from .test_plugins import AUDIENCE, ROLE, URL, database, door, enabled, plugins_enabled

if TYPE_CHECKING:
    from prefect_integration_tests.backends.azure_identity import AzureIdentity
    from prefect_integration_tests.backends.http_edge import EdgeCall, HttpEdge
    from prefect_integration_tests.backends.postgres import Postgres

    from ._token_door import TokenDoor

__all__ = ["database", "door", "enabled", "plugins_enabled"]

WAIT_SECONDS = 0.7


@pytest.fixture
def machine(
    enabled: None,
    azure_identity: AzureIdentity,
    clean_azure_environment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AzureIdentity:
    """Where the variables of a service principal are, for which nobody has a token yet."""
    azure_identity.reset()
    monkeypatch.setattr(_identity, "TOKEN_TIMEOUT_SECONDS", (WAIT_SECONDS, WAIT_SECONDS))
    application = azure_identity.application("server")
    for name, value in {
        **azure_identity.trust_environment(),
        "AZURE_TENANT_ID": azure_identity.tenant_id,
        "AZURE_CLIENT_ID": application.client_id,
        "AZURE_CLIENT_SECRET": application.client_secret,
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
    }.items():
        monkeypatch.setenv(name, value)
    _identity.forget_identities()
    return azure_identity


def source() -> Callable[[], Awaitable[str]]:
    """What the driver asks at each new connection."""
    return set_database_connection_params(URL, None)["password"]


@pytest.fixture
def line(machine: AzureIdentity, http_edge: Callable[..., HttpEdge], monkeypatch: pytest.MonkeyPatch) -> HttpEdge:
    """The line to Microsoft Entra ID."""
    certificate = machine.ca.issue("edge", "localhost", "127.0.0.1")
    trust = ssl.create_default_context(cafile=machine.ca_bundle)
    edge = http_edge(machine.authority, context=certificate.server_context(), trust=trust)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", edge.url)
    # What describes the tenant names the token endpoint.
    monkeypatch.setattr(machine._identities, "authority", edge.url)  # pyright: ignore[reportPrivateUsage]
    return edge


class TestTokenFaults(HttpFaultSuite):
    """A token for a new connection. One that is asked for twice does no harm."""

    error = AzureUnavailable
    named = "(?i)default azure credential|identity"

    @pytest.fixture
    def edge(self, line: HttpEdge, machine: AzureIdentity) -> HttpEdge:
        self.machine = machine
        self.tokens: dict[str, str] = {}
        return line

    async def change(self, edge: HttpEdge, key: str) -> None:
        self.tokens[key] = await source()()

    def changes(self, edge: HttpEdge, key: str) -> int:
        return int(self.machine.check(self.tokens.get(key, ""), AUDIENCE) is not None)

    def strikes(self, call: EdgeCall) -> bool:
        return call.path.endswith("/oauth2/v2.0/token")

    async def test_the_event_loop_goes_on_while_a_token_is_awaited(self, edge: HttpEdge) -> None:
        with edge.fault("slow", where=self.strikes, body_seconds=0.5):
            asked = asyncio.ensure_future(source()())
            turns = 0
            while not asked.done():
                await asyncio.sleep(0.01)
                turns += 1
        assert self.machine.check(asked.result(), AUDIENCE)
        assert turns > 10


async def test_a_host_that_no_resolver_knows_is_told(machine: AzureIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"https://{UNRESOLVABLE_HOST}")
    began = time.monotonic()
    with pytest.raises(AzureUnavailable, match=UNRESOLVABLE_HOST):
        await source()()
    assert time.monotonic() - began < 20


async def test_a_certificate_that_nobody_trusts_is_told(
    machine: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(AzureUnavailable, match="certificate verify failed"):
        await source()()
    assert machine.requests == []


async def test_a_secret_that_entra_refuses_is_told(
    machine: AzureIdentity, canary: str, no_canary_leaks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", canary)
    with pytest.raises(AzureCredentialsError, match="AADSTS7000215") as refused:
        await source()()
    no_canary_leaks.add_error(refused.value)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which the clock of tokens is ahead."""
    ahead = [0.0]
    monkeypatch.setattr(SharedTokenCredential, "clock", staticmethod(lambda: time.time() + ahead[0]))
    return ahead


async def test_connections_are_opened_with_the_old_token_while_there_is_no_new_one(
    database: Postgres,
    door: TokenDoor,
    machine: AzureIdentity,
    line: HttpEdge,
    plugins_enabled: None,
    clock: list[float],
) -> None:
    import sqlalchemy as sa
    from prefect.server.database.configurations import AsyncPostgresConfiguration
    from prefect.settings import temporary_settings

    url = f"postgresql+asyncpg://{ROLE}@127.0.0.1:{database.port}/postgres"
    with temporary_settings():
        engine = await AsyncPostgresConfiguration(connection_url=url).engine()

        async def connect() -> str:
            async with engine.connect() as connection:
                assert (await connection.execute(sa.text("select current_user"))).scalar() == ROLE
            await engine.dispose()  # so that the next connection is a new one
            return door.asked[-1][1]

        machine.issue_for(200)  # seconds; azure-identity itself keeps no token of less than five minutes
        first = await connect()
        with line.fault("reset", times=None):
            clock[0] = 160
            assert await connect() == first  # due, and good for a while
            clock[0] = 220
            with pytest.raises(AzureUnavailable, match="Default Azure credential"):
                await connect()
        assert await connect() != first


async def test_a_role_that_the_database_refuses_is_told(
    database: Postgres, door: TokenDoor, machine: AzureIdentity, plugins_enabled: None
) -> None:
    import sqlalchemy as sa
    from asyncpg.exceptions import InvalidPasswordError
    from prefect.server.database.configurations import AsyncPostgresConfiguration
    from prefect.settings import temporary_settings

    url = f"postgresql+asyncpg://nobody@127.0.0.1:{database.port}/postgres"
    with temporary_settings():
        engine = await AsyncPostgresConfiguration(connection_url=url).engine()
        machine.expire_all()
        with pytest.raises((InvalidPasswordError, sa.exc.DBAPIError), match="nobody") as refused:
            async with engine.connect():
                pass
        await engine.dispose()
    assert not [token for _, token in door.asked if token in str(refused.value)]
