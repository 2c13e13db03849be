"""A Redis database: who logs in where, and a file system for results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from prefect.filesystems import WritableFileSystem
from pydantic import ConfigDict, Field, SecretStr, field_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger

from . import _urls
from .connection import aclose_redis_client, client_of, close_redis_client, is_sentinel_url, redis_from_url
from .errors import RedisUrlInvalid, redis_errors

if TYPE_CHECKING:
    import redis
    import redis.asyncio

__all__ = [
    "DEFAULT_PORT",
    "RedisDatabase",
    "aclose_redis_client",
    "close_redis_client",
    "is_sentinel_url",
    "redis_from_url",
]

DEFAULT_PORT: int = 6379

_OWN = frozenset({"key_ttl", "connection_url", "block_type_slug"})
_LOGIN = ("username", "password", "ssl_password")
_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_password")


class RedisDatabase(QuickKey, WritableFileSystem):
    """A Redis database, and what flows keep in it.

    Further fields are handed to redis-py's client as they are, such as `socket_timeout` or `client_name`.

    Attributes:
        host: Host of the server.
        port: Port of the server.
        db: Number of the database.
        username: User to log in as.
        password: Password of the user.
        ssl: Whether to speak TLS.
        key_ttl: Seconds that what `write_path` stores lives.
        connection_url: Address that replaces the fields above.
        ssl_ca_certs: File with the certificates of authorities to trust.
        ssl_certfile: File with the client's certificate.
        ssl_keyfile: File with the key of the client's certificate.
        ssl_password: Password of that key.

    Example:
        Keep the results of a flow in Redis for an hour:

        ```python
        from prefect import flow
        from prefect_redis import RedisDatabase

        block = RedisDatabase.load("BLOCK_NAME")


        @flow(persist_result=True, result_storage=block)
        def add(a: int, b: int) -> int:
            return a + b
        ```
    """

    _block_type_name: ClassVar[str | None] = "Redis Database"
    _logo_url: ClassVar[Any] = (
        "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9"
        "/assets/block-logos/redis.png"
    )
    _documentation_url: ClassVar[Any] = "https://docs.prefect.io/integrations/prefect-redis"

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    host: str = Field(default="localhost", description="Host of the server.")
    port: int = Field(default=DEFAULT_PORT, description="Port of the server.")
    db: int = Field(default=0, description="Number of the database to read from and write to.")
    username: SecretStr | None = Field(default=None, description="User to log in as.")
    password: SecretStr | None = Field(default=None, description="Password of the user.")
    ssl: bool = Field(default=False, description="Whether to speak TLS.")
    key_ttl: int | None = Field(
        default=None,
        gt=0,
        title="Key TTL",
        description=(
            "Seconds that what `write_path` stores lives; without it, it stays until it is deleted. A result whose"
            " cache expires sooner goes then."
        ),
    )
    connection_url: SecretStr | None = Field(
        default=None,
        title="Connection URL",
        description=(
            "Address that replaces host, port, database, user, password and SSL. It may also name Sentinels"
            " (`redis+sentinel://host:port,host:port/service/db`) or a Cluster (`redis+cluster://host:port`)."
        ),
    )
    ssl_ca_certs: str | None = Field(
        default=None, description="File with the certificates of authorities to trust; those of the system by default."
    )
    ssl_certfile: str | None = Field(default=None, description="File with the client's certificate.")
    ssl_keyfile: str | None = Field(default=None, description="File with the key of the client's certificate.")
    ssl_password: SecretStr | None = Field(default=None, description="Password of the key in `ssl_keyfile`.")

    @field_validator("connection_url")
    @classmethod
    def _known_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                _urls.parse(value.get_secret_value())
            except RedisUrlInvalid as exc:
                raise ValueError(f"connection_url: {exc}") from None
        return value

    def block_initialization(self) -> None:
        """Validate what fields say together.

        Raises:
            ValueError: If there is no host, or a user without a password.
        """
        if self.connection_url is not None:
            return
        if not self.host:
            raise ValueError("host is missing. Name the server, or give a connection_url.")
        if self.username and not self.password:
            raise ValueError("password is missing: username is given. Give both, or neither.")

    @property
    def logger(self) -> Any:
        """The run's logger within a run, else an ordinary one."""
        return run_logger(__name__)

    @property
    def address(self) -> str:
        """Host, port and database, without user and password."""
        if self.connection_url is not None:
            return _urls.public(self.connection_url.get_secret_value())
        return f"{self.host}:{self.port}/{self.db}"

    def secret_values(self) -> list[str]:
        """Values that must not stand in messages."""
        fields = [cast("SecretStr | None", getattr(self, name)) for name in _LOGIN]
        values = [field.get_secret_value() for field in fields if field is not None]
        if self.connection_url is not None:
            url = self.connection_url.get_secret_value()
            values += [url, *_urls.secrets_in(url)]
        return values

    async def aread_path(self, path: str) -> bytes:
        """Async form of `read_path`."""
        return await run_sync_in_worker_thread(self._read, path)

    @async_dispatch(aread_path)
    def read_path(self, path: str) -> bytes:
        """Read what is stored under a key.

        Args:
            path: The key.

        Raises:
            RedisKeyNotFound: If nothing is.
        """
        return self._read(path, is_async=False)

    async def awrite_path(self, path: str, content: bytes) -> bool:
        """Async form of `write_path`."""
        return await run_sync_in_worker_thread(self._write, path, content)

    @async_dispatch(awrite_path)
    def write_path(self, path: str, content: bytes) -> bool:
        """Store content under a key, for `key_ttl` seconds.

        Content that Prefect wrote as a result with an expiration lives no longer than that.

        Args:
            path: The key.
            content: Up to 512 MiB.

        Returns:
            `True`: what could not be stored raises.

        Raises:
            RedisValueTooLarge: If the server does not take so much.
            RedisOutOfMemory: If it has no room.
        """
        return self._write(path, content, is_async=False)

    def _read(self, path: str, *, is_async: bool = True) -> bytes:
        from prefect_integration_kit.paths import object_key

        from . import _store

        object_key("", path)  # refuses what climbs out; the key itself is the path as it was given
        return _store.require(self, path, is_async=is_async)

    def _write(self, path: str, content: bytes, *, is_async: bool = True) -> bool:
        from prefect_integration_kit.paths import object_key

        from . import _store

        object_key("", path)
        ttl_ms = _store.milliseconds_left(content, self.key_ttl)
        return _store.put(self, path, content, ttl_ms=ttl_ms, is_async=is_async)

    def get_client(self) -> redis.Redis:
        """Make a client, which connects when it is used first.

        Returns:
            A client; of a Cluster, a `redis.cluster.RedisCluster`. Close it with `close_redis_client`.
        """
        return self._client(asynchronous=False)

    def get_async_client(self) -> redis.asyncio.Redis:
        """Make a client for asyncio, which connects when it is used first.

        Returns:
            A client; of a Cluster, a `redis.asyncio.RedisCluster`. Close it with `aclose_redis_client`.
        """
        return self._client(asynchronous=True)

    def _client(self, *, asynchronous: bool, **defaults: Any) -> Any:
        from .settings import RedisSettings

        defaults["socket_connect_timeout"] = RedisSettings().connect_timeout_seconds
        with redis_errors(f"Redis at {self.address}", self.secret_values()):
            if self.connection_url is None:
                return client_of({**defaults, **self.as_connection_params()}, asynchronous=asynchronous)
            url = self.connection_url.get_secret_value()
            further = {**defaults, **self._tls(), **(self.model_extra or {})}
            further = {name: value for name, value in further.items() if name not in _OWN}
            return redis_from_url(url, asynchronous=asynchronous, **further)

    def _tls(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in _TLS if getattr(self, name) is not None}
        return {name: v.get_secret_value() if isinstance(v, SecretStr) else v for name, v in given.items()}

    @classmethod
    def from_connection_string(cls, connection_string: str | SecretStr) -> RedisDatabase:
        """Make a block from a URL.

        `redis://` is a plain connection and `rediss://` one with TLS; these fill the single fields. `redis+sentinel://`
        and `redis+cluster://` are kept as `connection_url`.

        Args:
            connection_string: The URL.

        Raises:
            RedisUrlInvalid: If it is none of Redis.
        """
        url = connection_string.get_secret_value() if isinstance(connection_string, SecretStr) else connection_string
        address = _urls.parse(url)
        if address.mode != "single" or not address.nodes:
            return cls(connection_url=SecretStr(url))
        options = dict(address.options)
        host, port = address.nodes[0]
        return cls(host=host, port=port, **options)

    def as_connection_params(self) -> dict[str, Any]:
        """Return what the block says about the connection, for what takes it as keyword arguments.

        Returns:
            A dictionary to unpack: `redis.Redis(**block.as_connection_params())`, or, also where the block has a
            `connection_url`, `RedisLockManager(**block.as_connection_params())`. Secrets stand in it as plain text;
            what is not set is left out.
        """
        params: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "db": self.db,
            "username": self.username.get_secret_value() if self.username else None,
            "password": self.password.get_secret_value() if self.password else None,
            "ssl": self.ssl,
            "connection_url": self.connection_url.get_secret_value() if self.connection_url else None,
        }
        params = {name: value for name, value in params.items() if value is not None}
        params |= {name: value for name, value in (self.model_extra or {}).items() if name not in _OWN}
        return params | self._tls() if self.ssl else params
