"""The line to Snowflake breaks, is slow, says no: a statement takes effect once, a run has one job."""

from __future__ import annotations

import gzip
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.children import assert_dies_of
from prefect_integration_tests.suites import HttpFaultSuite
from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials, SnowflakeError, SnowflakeUnavailable

from ._account import make_connector
from ._spcs import SETTINGS, Pool, exits, quicken

if TYPE_CHECKING:
    from prefect_integration_tests.backends.http_edge import EdgeCall, HttpEdge
    from prefect_integration_tests.backends.snowpark import Snowpark

PATIENCE: dict[str, Any] = {"socket_timeout": 1, "network_timeout": 6, "login_timeout": 6}


def _asks(call: EdgeCall, *words: bytes) -> bool:
    """Whether a request is of a statement with one of these words."""
    if "/queries/v1/query-request" not in call.path:
        return False
    is_packed = call.headers.get("Content-Encoding") == "gzip"
    content = gzip.decompress(call.content) if is_packed else call.content
    return any(word in content for word in words)


class TestConnectorFaults(HttpFaultSuite):
    """A statement that inserts a row."""

    error = SnowflakeError
    named = r"(?i)quer|statement|snowflake"
    secret = "snow-91bc2"
    lasting_seconds = 30.0

    @pytest.fixture
    def edge(self, snowflake_server: Any, http_edge: Any) -> Any:
        address = snowflake_server.address()
        edge = http_edge(f"http://{address['host']}:{address['port']}")
        snowflake_server.accounts.passwords["FAKE"] = self.secret
        login = {"user": "fake", "password": self.secret, **address}
        database = snowflake_server.new_database()
        self.direct = make_connector(SnowflakeCredentials(**login), database)
        self.direct.execute("CREATE TABLE t (name VARCHAR)")
        self.connector = make_connector(SnowflakeCredentials(**{**login, "port": edge.port, **PATIENCE}), database)
        self.connector.fetch_one("SELECT 1")
        yield edge
        self.connector.close()
        self.direct.close()

    def change(self, edge: HttpEdge, key: str) -> Any:
        self.connector.execute("INSERT INTO t VALUES (%(name)s)", {"name": key})

    def changes(self, edge: HttpEdge, key: str) -> int:
        self.direct.reset_cursors()
        return self.direct.fetch_one("SELECT COUNT(*) FROM t WHERE name = %(name)s", {"name": key})[0]

    def strikes(self, call: EdgeCall) -> bool:
        return _asks(call, b"INSERT INTO t")


class TestLoginFaults(TestConnectorFaults):
    """A login with a password. A session that nobody uses ends by itself."""

    named = "(?i)snowflake"

    def change(self, edge: HttpEdge, key: str) -> Any:
        credentials = self.connector.credentials
        connector = make_connector(credentials, self.connector.database)
        try:
            connector.execute("INSERT INTO t VALUES (%(name)s)", {"name": key})
        finally:
            connector.close()

    def strikes(self, call: EdgeCall) -> bool:
        return "/session/v1/login-request" in call.path


@pytest.mark.usefixtures("prefect_harness")
class TestWorkerFaults(HttpFaultSuite):
    """A run of the worker, at the statement that starts its job."""

    error = SnowflakeError
    named = "Snowpark job"
    lasting_seconds = 40.0

    @pytest.fixture
    def edge(self, prefect_harness: None, empty_snowpark: Snowpark, http_edge: Any, monkeypatch: Any) -> Any:
        quicken(monkeypatch)
        monkeypatch.setenv(f"{SETTINGS}_CALL_TIMEOUT_SECONDS", "1")
        monkeypatch.setenv(f"{SETTINGS}_CALL_DEADLINE_SECONDS", "6")
        self.server = empty_snowpark
        self.pool = Pool(empty_snowpark)
        return http_edge(f"http://127.0.0.1:{empty_snowpark.fields['port']}")

    async def change(self, edge: HttpEdge, key: str) -> Any:
        async with self.pool.worker() as worker:
            _, result = await self.pool.submit(worker, command=exits(0), fields={"port": edge.port})
        assert result.status_code == 0, result

    def changes(self, edge: HttpEdge, key: str) -> int:
        assert self.server.jobs == []
        return len(self.server.state.started)

    def strikes(self, call: EdgeCall) -> bool:
        return _asks(call, b"EXECUTE JOB SERVICE")


# Who is there


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """TLS by a certificate that nobody trusts."""
    issued = PrivateCA(tmp_path_factory.mktemp("ca")).issue("snowflake", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert_file, issued.key_file)
    return context


@pytest.fixture(params=["name", "certificate"])
def nowhere(request: pytest.FixtureRequest, http_edge: Any, untrusted: ssl.SSLContext) -> Any:
    """Where no Snowflake is that we would trust: a host, and what reached it."""
    if request.param == "name":
        return {"host": UNRESOLVABLE_HOST, "port": 80, "protocol": "http"}, []
    edge = http_edge("http://127.0.0.1:9", context=untrusted)
    return {"host": "127.0.0.1", "port": edge.port, "protocol": "https"}, edge.calls


@pytest.mark.parametrize("method", ["fetch_one", "execute"])
def test_a_server_that_is_none_is_told(nowhere: Any, method: str) -> None:
    address, reached = nowhere
    credentials = SnowflakeCredentials(account="acme", user="u", password="p4ssw0rd", login_timeout=2, **address)
    started = time.monotonic()
    with pytest.raises(SnowflakeUnavailable, match=r"account 'acme'.*Check `account`") as caught:
        getattr(make_connector(credentials, "D"), method)("SELECT 1")
    assert time.monotonic() - started < 15
    assert "p4ssw0rd" not in str(caught.value)
    assert reached == []


@pytest.mark.usefixtures("prefect_harness")
async def test_the_worker_tells_of_a_server_that_is_none(
    nowhere: Any, empty_snowpark: Snowpark, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    monkeypatch.setenv(f"{SETTINGS}_CALL_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv(f"{SETTINGS}_CALL_DEADLINE_SECONDS", "2")
    address, reached = nowhere
    pool = Pool(empty_snowpark)
    async with pool.worker() as worker:
        with pytest.raises(SnowflakeError, match="acme"):
            await pool.submit(worker, fields={**address, "login_timeout": 2})
    assert reached == []


# Clocks and processes


def test_a_clock_that_jumps_changes_nothing(connector: SnowflakeConnector, monkeypatch: pytest.MonkeyPatch) -> None:
    connector.execute("CREATE TABLE t (n INT)")
    now = time.time
    for days in (1, -1):
        monkeypatch.setattr(time, "time", lambda days=days: now() + days * 86_400)
        connector.execute("INSERT INTO t VALUES (%(n)s)", {"n": days}, timeout=20)
    assert sorted(connector.fetch_all("SELECT n FROM t")) == [(-1,), (1,)]


def test_a_statement_of_a_process_that_dies_takes_effect_once(
    connector: SnowflakeConnector, snowflake_server: Any
) -> None:
    connector.execute("CREATE TABLE t (n INT)")
    program = f"""
        from prefect_snowflake import SnowflakeConnector, SnowflakeCredentials
        credentials = SnowflakeCredentials(user="fake", password="snow", **{snowflake_server.address()!r})
        fields = dict(database={connector.database!r}, schema="S", warehouse="W")
        print("ready", flush=True)
        SnowflakeConnector(credentials=credentials, **fields).execute("INSERT INTO t VALUES (1)")
    """
    held = snowflake_server.hold_queries()
    try:
        assert_dies_of("SIGKILL", program, until=lambda: held.wait(60))
    finally:
        snowflake_server.release_queries()

    def look() -> bool | None:
        connector.reset_cursors()
        return connector.fetch_one("SELECT COUNT(*) FROM t") == (1,) or None

    poll(look, subject="The statement", interval_seconds=0.05, timeout_seconds=10)
