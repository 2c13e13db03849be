"""Redis servers on this machine: one, one with TLS and ACL, a primary behind Sentinels, and a Cluster of three."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from ._lifetime import Stopped, started
from .certificates import Certificate, PrivateCA
from .processes import HOST, LocalServer, ServerError, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RedisCluster", "RedisSentinels", "RedisServer", "redis_program"]

_SLOTS = 16384
_SERVICE = "mymaster"
_READY_SECONDS = 30.0


def redis_program() -> str | None:
    """The path of `redis-server`, or of Valkey's; `None` if neither is installed."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


def _program() -> str:
    found = redis_program()
    if found is None:
        raise ServerError("The program 'redis-server' is missing. Install it: apt-get install redis-server")
    return found


class RedisServer(Stopped):
    """One server.

    ```python
    with RedisServer.start() as server:
        redis.Redis.from_url(server.url).ping()
    ```

    What it stores is gone when it restarts, unless it was made with `is_durable`.
    """

    def __init__(
        self,
        *,
        password: str | None = None,
        users: Mapping[str, str] | None = None,
        certificate: Certificate | None = None,
        ca_file: Path | None = None,
        wants_client_certificate: bool = False,
        is_durable: bool = False,
        options: Sequence[str] = (),
        is_sentinel: bool = False,
    ) -> None:
        """Describe the server; `start` starts it.

        Args:
            password: Of the default user; anybody may log in by default.
            users: Further users: the name, and rules as `ACL SETUSER` takes them
                (https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/).
            certificate: What it speaks TLS with, and nothing but TLS.
            ca_file: Authority of clients' certificates.
            wants_client_certificate: Whether clients need one.
            is_durable: Whether each write is on disk before it is answered.
            options: Further options, such as `["--maxmemory", "10mb"]`.
            is_sentinel: Whether to be a Sentinel.
        """
        self.port = free_port()
        self.password = password
        self.ca_file = ca_file
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self._certificate = certificate
        port = ["--port", str(self.port)]
        if certificate is not None:
            port = ["--port", "0", "--tls-port", str(self.port)]
            port += ["--tls-cert-file", str(certificate.cert_file), "--tls-key-file", str(certificate.key_file)]
            port += ["--tls-ca-cert-file", str(ca_file or certificate.cert_file)]
            port += ["--tls-auth-clients", "yes" if wants_client_certificate else "no"]
        config = self.folder / "redis.conf"
        lines = [f"user {name} {rules}" for name, rules in (users or {}).items()]
        if password is not None:
            lines.append(f'requirepass "{password}"')
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        stores = ["--save", ""]
        stores += ["--appendonly", "yes", "--appendfsync", "always"] if is_durable else ["--appendonly", "no"]
        mode = ["--sentinel"] if is_sentinel else stores
        place = ["--bind", HOST, "--dir", str(self.folder), "--daemonize", "no"]
        self._server = LocalServer(
            [_program(), str(config), *port, *place, *mode, *options],
            self._answers,
            name="redis-server",
            cwd=self.folder,
            start_timeout_seconds=_READY_SECONDS,
            stop_signal=signal.SIGKILL,  # its data are thrown away
        )

    @classmethod
    def start(cls, **options: Any) -> Self:
        """Start a server on a free port (about 0.1 s) and wait until it answers.

        Args:
            options: What the class takes.

        Raises:
            ServerError: If Redis is not installed, or does not start.
        """
        return started(lambda: cls(**options))

    @property
    def process(self) -> LocalServer:
        """The process, for tests that kill or restart it."""
        return self._server

    @property
    def scheme(self) -> str:
        """`rediss` with TLS, else `redis`."""
        return "rediss" if self._certificate else "redis"

    def url_for(self, username: str = "", password: str | None = None, *, db: int = 0) -> str:
        """Address for a user; by default for the default user.

        Args:
            username: The user.
            password: The password; that of the server by default.
            db: Number of the database.
        """
        password = self.password if password is None else password
        login = f"{quote(username, safe='')}:{quote(password, safe='')}@" if password else ""
        query = f"?ssl_ca_certs={quote(str(self.ca_file))}" if self._certificate and self.ca_file else ""
        return f"{self.scheme}://{login}{HOST}:{self.port}/{db}{query}"

    @property
    def url(self) -> str:
        """Address for the default user."""
        return self.url_for()

    def client(self, **options: Any) -> Any:
        """Make a client for the default user, which decodes answers; close it.

        Args:
            options: Arguments of `redis.Redis`.
        """
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        tls: dict[str, Any] = {}
        if self._certificate is not None:
            tls = {"ssl": True, "ssl_ca_certs": str(self.ca_file), "ssl_certfile": str(self._certificate.cert_file)}
            tls["ssl_keyfile"] = str(self._certificate.key_file)
        settings = {
            "password": self.password,
            "decode_responses": True,
            "socket_timeout": 10,
            "retry": Retry(NoBackoff(), 0),
        }
        make: Any = redis.Redis  # its stubs know no dictionary of options
        return make(host=HOST, port=self.port, **{**settings, **tls, **options})

    def empty(self) -> None:
        """Delete all that is stored."""
        with self.client() as client:
            client.flushall()

    def _answers(self) -> bool:
        from redis.exceptions import RedisError

        try:
            with self.client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def stop(self) -> None:
        """End the server and remove its files."""
        self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Several(Stopped):
    """Servers that are started and stopped together."""

    def __init__(self) -> None:
        self.servers: list[RedisServer] = []

    def _add(self, **options: Any) -> RedisServer:
        server = RedisServer.start(**options)
        self.servers.append(server)
        return server

    def stop(self) -> None:
        """End all servers."""
        for server in self.servers:
            server.stop()


class RedisSentinels(_Several):
    """A primary, a replica, and three Sentinels that replace the one by the other when it dies.

    ```python
    with RedisSentinels.start() as sentinels:
        sentinels.primary().process.kill()
    ```
    """

    service = _SERVICE

    def __init__(self, password: str | None = None) -> None:
        """Start the servers (about 3 s).

        Args:
            password: Of the primary and the replica; the Sentinels have none.

        Raises:
            ServerError: If one does not start.
        """
        super().__init__()
        try:
            login = ["--masterauth", password] if password else []
            first = self._add(password=password, options=login)
            follows = ["--replicaof", HOST, str(first.port), "--repl-diskless-sync-delay", "0", *login]
            second = self._add(password=password, options=follows)
            self.nodes = (first, second)
            self.sentinels = tuple(self._add(is_sentinel=True) for _ in range(3))
            for sentinel in self.sentinels:
                self._watch(sentinel, first)
            _await("the Sentinels", self._know_each_other)
        except BaseException:
            self.stop()
            raise

    @classmethod
    def start(cls, password: str | None = None) -> Self:
        """Start the servers and wait until the Sentinels know each other and the replica.

        Args:
            password: Of the primary and the replica.
        """
        return cls(password)

    def _watch(self, sentinel: RedisServer, primary: RedisServer) -> None:
        with sentinel.client() as client:
            client.execute_command("SENTINEL", "MONITOR", _SERVICE, HOST, str(primary.port), "2")
            settings = {"down-after-milliseconds": "500", "failover-timeout": "2000"}
            if primary.password:
                settings["auth-pass"] = primary.password
            for name, value in settings.items():
                client.execute_command("SENTINEL", "SET", _SERVICE, name, value)

    def _know_each_other(self) -> bool:
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                state = client.sentinel_master(_SERVICE)
                if state["num-other-sentinels"] < len(self.sentinels) - 1 or state["num-slaves"] < 1:
                    return False
        with self.nodes[1].client() as client:
            return client.info("replication")["master_link_status"] == "up"

    @property
    def url(self) -> str:
        """`redis+sentinel://…/mymaster/0`, with all Sentinels."""
        hosts = ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        password = self.nodes[0].password
        login = f":{quote(password, safe='')}@" if password else ""
        return f"redis+sentinel://{login}{hosts}/{_SERVICE}/0"

    def primary(self) -> RedisServer:
        """The server that the Sentinels hold for the primary now."""
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                _, port = client.sentinel_get_master_addr_by_name(_SERVICE)
            return next(node for node in self.nodes if node.port == int(port))
        raise ServerError("There is no Sentinel.")

    def await_failover(self, old: RedisServer, timeout_seconds: float = _READY_SECONDS) -> RedisServer:
        """Wait until another server is the primary and takes writes.

        Args:
            old: The primary until now.
            timeout_seconds: How long that may take.
        """

        def has_moved() -> bool:
            new = self.primary()
            if new is old:
                return False
            with new.client() as client:
                return client.info("replication")["role"] == "master"

        _await("the failover", has_moved, timeout_seconds)
        return self.primary()


class RedisCluster(_Several):
    """A Cluster of three primaries, without replicas.

    ```python
    with RedisCluster.start() as cluster:
        redis.RedisCluster(host="127.0.0.1", port=cluster.servers[0].port).set("a", 1)
    ```
    """

    def __init__(self, size: int = 3) -> None:
        """Start the servers (about 2 s) and divide the slots among them.

        Args:
            size: How many servers.

        Raises:
            ServerError: If one does not start.
        """
        super().__init__()
        try:
            for _ in range(size):
                self._add(options=["--cluster-enabled", "yes", "--cluster-port", str(free_port())])
            bounds = [_SLOTS * number // size for number in range(size + 1)]
            first = self.servers[0]
            for number, server in enumerate(self.servers):
                with server.client() as client:
                    client.execute_command("CLUSTER ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
                    client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            bus = self._bus_port(first)
            for server in self.servers[1:]:
                with server.client() as client:
                    client.execute_command("CLUSTER MEET", HOST, first.port, bus)
            _await("the Cluster", self._is_whole)
        except BaseException:
            self.stop()
            raise

    @classmethod
    def start(cls, size: int = 3) -> Self:
        """Start the servers and wait until all slots are served.

        Args:
            size: How many servers.
        """
        return cls(size)

    def _bus_port(self, server: RedisServer) -> int:
        with server.client() as client:
            return int(client.config_get("cluster-port")["cluster-port"])

    def _is_whole(self) -> bool:
        for server in self.servers:
            with server.client() as client:
                info: dict[str, str] = client.execute_command("CLUSTER INFO")
                if info["cluster_state"] != "ok" or int(info["cluster_known_nodes"]) != len(self.servers):
                    return False
        return True

    @property
    def url(self) -> str:
        """`redis+cluster://…`, with all servers."""
        return f"redis+cluster://{','.join(f'{HOST}:{server.port}' for server in self.servers)}"

    def empty(self) -> None:
        """Delete all that is stored."""
        for server in self.servers:
            server.empty()


def _await(subject: str, look: Callable[[], bool], timeout_seconds: float = _READY_SECONDS) -> None:
    from redis.exceptions import RedisError

    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            if look():
                return
        except (RedisError, OSError):
            pass
        if time.monotonic() > deadline:
            raise ServerError(f"Redis: {subject} was not ready after {timeout_seconds:g} seconds.")
        time.sleep(0.05)


def _skip_without_redis() -> None:
    if redis_program() is None:
        pytest.skip("Redis is not installed: apt-get install redis-server")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server for the whole session; tests that need it are skipped where it is not installed."""
    _skip_without_redis()
    with RedisServer.start() as server:
        yield server


@pytest.fixture(scope="session")
def redis_secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that speaks TLS only, by a private authority.

    Its default user has the password `default-pw`, the user `app` has `app-pw` and may use keys that begin with `app:`,
    and `reader` has `reader-pw` and may only read.
    """
    _skip_without_redis()
    authority = PrivateCA(tmp_path_factory.mktemp("redis-ca"))
    users = {"app": "on >app-pw ~app:* +@all", "reader": "on >reader-pw ~* +@read +ping"}
    with RedisServer.start(
        password="default-pw",
        users=users,
        certificate=authority.issue("redis", HOST, "localhost"),
        ca_file=authority.ca_file,
    ) as server:
        yield server


@pytest.fixture(scope="session")
def redis_sentinels() -> Iterator[RedisSentinels]:
    """A primary, a replica and three Sentinels; tests that end the primary start their own."""
    _skip_without_redis()
    with RedisSentinels.start(password="sentinel-pw") as sentinels:
        yield sentinels


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """A Cluster of three servers."""
    _skip_without_redis()
    with RedisCluster.start() as cluster:
        yield cluster
