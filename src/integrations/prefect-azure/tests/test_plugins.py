"""The Prefect server signs in to PostgreSQL with a token of Microsoft Entra ID, over TLS, and says it nowhere."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from prefect_azure._identity import forget_identities
from prefect_azure._tokens import SharedTokenCredential
from prefect_azure.errors import AzureUnavailable
from prefect_azure.plugins import OSSRDBMS_SCOPE, set_database_connection_params
from prefect_integration_tests.backends.postgres import Postgres, postgres_program

from ._token_door import TokenDoor

if TYPE_CHECKING:
    from prefect_integration_tests.backends.azure_identity import AzureIdentity

HOST = "shop.postgres.database.azure.com"
URL = f"postgresql+asyncpg://prefect-identity@{HOST}:5432/prefect"
ROLE = "prefect-identity"
AUDIENCE = OSSRDBMS_SCOPE.removesuffix("/.default")


@pytest.fixture
def enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_POSTGRES_MANAGED_IDENTITY_ENABLED", "true")


@pytest.fixture
def machine(
    enabled: None,
    azure_identity: AzureIdentity,
    clean_azure_environment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AzureIdentity:
    """A virtual machine with a managed identity, for which nobody has a token yet."""
    azure_identity.reset()
    forget_identities()
    for name, value in azure_identity.machine_environment().items():
        monkeypatch.setenv(name, value)
    return azure_identity


def tls(enabled: bool) -> Any:
    """Prefect's settings, as far as the plugin looks at them."""
    chain: Any = SimpleNamespace(enabled=enabled)
    for name in ("tls", "connect_args", "sqlalchemy", "database", "server"):
        chain = SimpleNamespace(**{name: chain})
    return chain


# Whether and how


def test_nothing_happens_unless_enabled() -> None:
    assert set_database_connection_params(URL, None) == {}


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite:///prefect.db", "postgresql+psycopg://u@h/db", "postgresql://u@h/db"]
)
def test_other_databases_are_left_alone(enabled: None, url: str) -> None:
    assert set_database_connection_params(url, None) == {}


@pytest.mark.parametrize("url", ["postgresql+asyncpg:///prefect", f"postgresql+asyncpg://{HOST}/prefect"])
def test_a_url_without_host_or_user_is_refused(enabled: None, url: str) -> None:
    with pytest.raises(ValueError, match="needs a host and a user in PREFECT_API_DATABASE_CONNECTION_URL"):
        set_database_connection_params(url, None)


@pytest.mark.parametrize("host", [HOST, "shop.postgres.database.usgovcloudapi.net"])
def test_the_certificate_of_azure_s_own_servers_is_verified(enabled: None, host: str) -> None:
    context = set_database_connection_params(URL.replace(HOST, host), None)["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    ("url", "settings", "expected"),
    [
        (URL.replace(HOST, "10.0.0.4"), None, "require"),
        (URL.replace(HOST, "localhost"), None, "require"),
        (URL.replace(HOST, "database.shop.example"), tls(enabled=False), "require"),
        (URL, tls(enabled=True), None),
        (f"{URL}?ssl=require", None, None),
        (f"{URL}?sslmode=verify-full", None, None),
        (f"{URL.replace(HOST, '127.0.0.1')}?ssl=disable", None, None),
    ],
    ids=["address", "localhost", "other name", "Prefect's TLS", "URL: require", "URL: verify-full", "tunnel"],
)
def test_tls_is_required_where_nothing_else_sees_to_it(
    enabled: None, url: str, settings: Any, expected: str | None
) -> None:
    assert set_database_connection_params(url, settings).get("ssl") == expected


@pytest.mark.parametrize("mode", ["ssl=disable", "ssl=prefer", "sslmode=allow"])
def test_a_token_does_not_go_over_the_network_in_clear(enabled: None, mode: str) -> None:
    with pytest.raises(ValueError, match=rf"says ssl={mode.partition('=')[2]}.*Write ssl=require"):
        set_database_connection_params(f"{URL}?{mode}", None)


# Whose token, for what


async def token_of(url: str = URL) -> str:
    return await set_database_connection_params(url, None)["password"]()


async def test_the_token_is_that_of_the_machine_s_identity_for_databases(machine: AzureIdentity) -> None:
    token = await token_of()
    assert machine.check(token, AUDIENCE) == machine.system_assigned


async def test_a_client_id_picks_one_of_the_machine_s_identities(
    machine: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_id = machine.user_assigned("database")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_POSTGRES_MANAGED_IDENTITY_CLIENT_ID", client_id)
    assert machine.check(await token_of(), AUDIENCE) == client_id


async def test_a_service_principal_of_the_environment_comes_first(
    machine: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = machine.application("server")
    for name, value in machine.trust_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_TENANT_ID", machine.tenant_id)
    monkeypatch.setenv("AZURE_CLIENT_ID", application.client_id)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", application.client_secret)
    assert machine.check(await token_of(), AUDIENCE) == application.client_id


async def test_a_database_of_another_cloud_gets_a_token_of_that_cloud(machine: AzureIdentity) -> None:
    token = await token_of(URL.replace(HOST, "shop.postgres.database.chinacloudapi.cn"))
    assert machine.check(token, "https://ossrdbms-aad.database.chinacloudapi.cn")


async def test_a_token_is_kept_while_it_is_good(machine: AzureIdentity) -> None:
    source = set_database_connection_params(URL, None)["password"]
    assert await source() == await source() == await token_of()
    assert len(machine.issued) == 1


async def test_without_an_identity_the_error_says_so(machine: AzureIdentity) -> None:
    machine.detach_identity()
    with pytest.raises(Exception, match=r"(?i)default azure credential") as caught:
        await token_of()
    assert isinstance(caught.value, ValueError | AzureUnavailable)


# Prefect's own engine, and a real database


@pytest.fixture
def door(machine: AzureIdentity) -> Iterator[TokenDoor]:
    """Asks Entra ID whether a token is good for databases."""
    door = TokenDoor(lambda token: machine.check(token, AUDIENCE))
    yield door
    door.close()


@pytest.fixture
def database(door: TokenDoor, machine: AzureIdentity) -> Iterator[Postgres]:
    """PostgreSQL, to which nobody gets without TLS and a good token."""
    if postgres_program("postgres") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    ldap = f'ldap ldapserver=127.0.0.1 ldapport={door.port} ldapprefix="cn=" ldapsuffix=",dc=shop"'
    certificate = machine.ca.issue("postgres", "127.0.0.1", "localhost")
    with Postgres.start([f"hostssl all all 127.0.0.1/32 {ldap}"], certificate) as server:
        server.run(f'create role "{ROLE}" login')
        yield server


@pytest.fixture
def plugins_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_PLUGINS_ENABLED", "PREFECT_EXPERIMENTS_PLUGINS_ENABLED"):
        monkeypatch.setenv(name, "true")


@pytest.mark.parametrize("mode", ["", "?ssl=require"], ids=["TLS by us", "TLS by the URL"])
async def test_prefect_s_server_opens_each_connection_with_a_token_that_is_good(
    database: Postgres,
    door: TokenDoor,
    machine: AzureIdentity,
    plugins_enabled: None,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Through Prefect's own plugin loading: the entry point, the hook, the engine, the driver."""
    import sqlalchemy as sa
    from prefect.server.database.configurations import AsyncPostgresConfiguration
    from prefect.settings import temporary_settings

    machine.issue_for(200)  # seconds; azure-identity itself keeps no token of less than five minutes
    url = f"postgresql+asyncpg://{ROLE}@127.0.0.1:{database.port}/postgres{mode}"
    query = sa.text("select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()")
    with temporary_settings(), caplog.at_level(logging.DEBUG):
        engine = await AsyncPostgresConfiguration(connection_url=url).engine()

        async def connect() -> str:
            async with engine.connect() as connection:
                assert tuple((await connection.execute(query)).one()) == (ROLE, True)
            await engine.dispose()  # so that the next connection is a new one
            return door.asked[-1][1]

        first = [await connect(), await connect()]
        machine.expire_all()
        monkeypatch.setattr(SharedTokenCredential, "clock", staticmethod(lambda: time.time() + 190))
        last = await connect()
        said = repr(engine.url) + str(engine.url)
    assert first[0] == first[1] != last
    assert {name for name, _ in door.asked} == {f"cn={ROLE},dc=shop"}
    output = capfd.readouterr()
    assert not [token for token in (first[0], last) if token in said + caplog.text + output.out + output.err]


async def test_a_database_without_tls_never_sees_the_token(
    door: TokenDoor, machine: AzureIdentity, plugins_enabled: None
) -> None:
    from prefect.server.database.configurations import AsyncPostgresConfiguration
    from prefect.settings import temporary_settings

    if postgres_program("postgres") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    ldap = f'ldap ldapserver=127.0.0.1 ldapport={door.port} ldapprefix="cn=" ldapsuffix=",dc=shop"'
    with Postgres.start([f"host all all 127.0.0.1/32 {ldap}"]) as server:
        url = f"postgresql+asyncpg://{ROLE}@127.0.0.1:{server.port}/postgres"
        with temporary_settings():
            engine = await AsyncPostgresConfiguration(connection_url=url).engine()
            with pytest.raises(ConnectionError, match="rejected SSL upgrade"):
                async with engine.connect():
                    pass
            await engine.dispose()
    assert not door.asked
