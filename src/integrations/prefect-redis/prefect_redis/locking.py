"""Locks for transactions and caches, shared by all processes that reach one Redis."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prefect.locking.protocol import LockManager

from prefect_integration_kit.waiting import Backoff, aretry, retry

from . import _urls
from ._lines import line_of
from ._renewal import Renewals
from ._scripts import Script, text
from .client import cached
from .connection import client_of, redis_from_url, resent
from .errors import RedisCommandInvalid, RedisLockNotHeld, is_transient, redis_errors
from .settings import RedisSettings

if TYPE_CHECKING:
    import redis
    import redis.asyncio

__all__ = ["RedisLockManager", "redis_from_url"]

_FIRST_LOOK_SECONDS, _LAST_LOOK_SECONDS = 0.002, 0.1

# Time is the server's: no clock of a client has a say in who holds a lock, and until when.
_ACQUIRE = Script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if holder and ARGV[3] == '1' then
    if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
elseif not holder then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
""")
_RENEW = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
""")
_RELEASE = Script("""
local holder = redis.call('GET', KEYS[1])
if not holder then return 1 end
if holder ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
""")


def __getattr__(name: str) -> Any:
    """Give the classes of redis-py that tests look for here, to put others in their place."""
    if name not in ("AsyncRedis", "Redis"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import redis.asyncio

    return redis.Redis if name == "Redis" else redis.asyncio.Redis


def _put_in_place_of(name: str) -> Any:
    here = globals().get(name)
    # What is put back after a test is the class itself.
    is_ours = here is not None and not str(getattr(here, "__module__", "")).startswith("redis.")
    return here if is_ours else None


class RedisLockManager(LockManager):
    """Locks on records of transactions, kept in Redis.

    A lock belongs to its holder: nobody else can release it. One that is acquired without `hold_timeout` is renewed
    while this process lives, and is free again `PREFECT_INTEGRATIONS_REDIS_LOCK_LEASE_SECONDS` (30) after the process
    has died. One with `hold_timeout` is free at that time at the latest. All time is that of the server.

    A manager can be pickled: what arrives elsewhere connects anew.

    Attributes:
        host: Host of the server.
        port: Port of the server.
        db: Number of the database.
        username: User to log in as.
        password: Password of the user.
        ssl: Whether to speak TLS.
        connection_url: Address that replaces those above; of one server, of Sentinels or of a Cluster.

    Example:
        Let only one of many runs compute a value that the others take from the cache:

        ```python
        from prefect import task
        from prefect.cache_policies import INPUTS, TASK_SOURCE
        from prefect.transactions import IsolationLevel
        from prefect_redis import RedisLockManager

        cache_policy = (INPUTS + TASK_SOURCE).configure(
            isolation_level=IsolationLevel.SERIALIZABLE,
            lock_manager=RedisLockManager(host="redis.example.com"),
        )


        @task(cache_policy=cache_policy)
        def square(x: int) -> int:
            return x * x
        ```
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 6379,
        db: int = 0,
        username: str | None = None,
        password: str | None = None,
        ssl: bool = False,
        connection_url: str | None = None,
    ) -> None:
        """Describe the server; it is connected to when the first lock is asked for.

        Args:
            host: Host of the server.
            port: Port of the server.
            db: Number of the database.
            username: User to log in as.
            password: Password of the user.
            ssl: Whether to speak TLS.
            connection_url: Address that replaces those above.

        Raises:
            RedisUrlInvalid: If `connection_url` is none of Redis.
        """
        if connection_url is not None:
            _urls.parse(connection_url)
        self.host = host
        self.port = port
        self.db = db
        self.username = username
        self.password = password
        self.ssl = ssl
        self.connection_url = connection_url
        self._forget_connections()

    def _forget_connections(self) -> None:
        self._client: Any = None
        self._async_client: Any = None
        self._has_own_async_client = False
        self._renewals: Renewals | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: where to connect, no connections."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what was pickled."""
        vars(self).update(state)
        self._forget_connections()

    def __repr__(self) -> str:
        return f"RedisLockManager({self._address!r})"

    @property
    def client(self) -> redis.Redis:
        """The client that locks go through."""
        if self._client is None:
            self._client = self._connect(asynchronous=False)
        return self._client

    @client.setter
    def client(self, client: redis.Redis) -> None:
        self._client = client

    @client.deleter
    def client(self) -> None:
        self._client = None

    @property
    def async_client(self) -> redis.asyncio.Redis:
        """A client for asyncio, of the event loop that uses it first."""
        if self._async_client is None:
            self._async_client = self._connect(asynchronous=True)
        return self._async_client

    @async_client.setter
    def async_client(self, client: redis.asyncio.Redis) -> None:
        self._async_client, self._has_own_async_client = client, True

    @async_client.deleter
    def async_client(self) -> None:
        self._async_client, self._has_own_async_client = None, False

    @property
    def _client_of_loop(self) -> Any:
        if self._has_own_async_client or _put_in_place_of("AsyncRedis") is not None:
            return self.async_client
        server = self.host, self.port, self.db, self.username, self.password, self.ssl
        return _client_of(*server, self.connection_url)

    def _connect(self, *, asynchronous: bool) -> Any:
        settings = RedisSettings()
        options = {
            "decode_responses": True,
            "socket_connect_timeout": settings.connect_timeout_seconds,
            "socket_timeout": settings.answer_timeout_seconds,
        }
        if self.connection_url is not None:
            return redis_from_url(self.connection_url, asynchronous=asynchronous, **options)
        server = {"host": self.host, "port": self.port, "db": self.db, "ssl": self.ssl}
        login = {"username": self.username, "password": self.password}
        if (make := _put_in_place_of("AsyncRedis" if asynchronous else "Redis")) is not None:
            return make(**server, **login)
        return client_of({**options, **server, **login}, asynchronous=asynchronous)

    @cached_property
    def _settings(self) -> RedisSettings:
        return RedisSettings()

    @property
    def _address(self) -> str:
        if self.connection_url is not None:
            return _urls.public(self.connection_url)
        return f"{self.host}:{self.port}/{self.db}"

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Acquire a lock, or wait for it. A holder that has it already keeps it.

        Args:
            key: Name of the record.
            holder: Who wants it.
            acquire_timeout: Seconds to wait; 0 takes one look, `None` waits for ever.
            hold_timeout: Seconds after which the lock is free again whatever happens; `None` holds it until it is
                released or this process dies.

        Returns:
            Whether the holder has the lock now.

        Raises:
            RedisUnreachable: If the server cannot be reached for longer than
                `PREFECT_INTEGRATIONS_REDIS_RETRY_SECONDS`.
        """
        pauses = _pauses(acquire_timeout)
        while not self._try_acquire(key, holder, hold_timeout):
            pause = next(pauses, None)
            if pause is None:
                return False
            time.sleep(pause)
        return True

    async def aacquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Async form of `acquire_lock`."""
        pauses = _pauses(acquire_timeout)
        while not await self._atry_acquire(key, holder, hold_timeout):
            pause = next(pauses, None)
            if pause is None:
                return False
            await asyncio.sleep(pause)
        return True

    def release_lock(self, key: str, holder: str) -> None:
        """Release a lock. One that nobody holds any more is no error: its time may have run out.

        Args:
            key: Name of the record.
            holder: Who has it.

        Raises:
            RedisLockNotHeld: If somebody else holds it; this is a `ValueError`.
        """
        if self._renewals is not None:
            self._renewals.remove(key, holder)
        before = resent.count
        if not self._run(_RELEASE, key, holder) and resent.count == before:  # else the lost answer may have said yes
            raise RedisLockNotHeld(f"The lock on {key!r} is not held by {holder!r} but by somebody else.")

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Wait until a lock is free.

        Args:
            key: Name of the record.
            timeout: Seconds to wait; `None` waits for ever.

        Returns:
            Whether it is free.
        """
        pauses = _pauses(timeout)
        while self.is_locked(key):
            pause = next(pauses, None)
            if pause is None:
                return False
            time.sleep(pause)
        return True

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Async form of `wait_for_lock`."""
        pauses = _pauses(timeout)
        while await self._aholder(key) is not None:
            pause = next(pauses, None)
            if pause is None:
                return False
            await asyncio.sleep(pause)
        return True

    def is_locked(self, key: str) -> bool:
        """Say whether somebody holds a lock.

        Args:
            key: Name of the record.
        """
        return self._holder(key) is not None

    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Say whether a holder has a lock.

        Args:
            key: Name of the record.
            holder: Who is asked about.
        """
        return self._holder(key) == holder

    def _holder(self, key: str) -> str | None:
        return _decoded(self._call(key, lambda: line_of(self.client).execute_command("GET", _name(key))))

    async def _aholder(self, key: str) -> str | None:
        answer = await self._acall(key, lambda: line_of(self._client_of_loop).execute_command("GET", _name(key)))
        return _decoded(answer)

    def _try_acquire(self, key: str, holder: str, hold_timeout: float | None) -> bool:
        arguments = self._terms(holder, hold_timeout)
        is_ours = self._run(_ACQUIRE, key, *arguments)
        if is_ours and hold_timeout is None:
            self._keep(key, holder)
        return is_ours

    async def _atry_acquire(self, key: str, holder: str, hold_timeout: float | None) -> bool:
        arguments = self._terms(holder, hold_timeout)
        answer = await self._acall(key, lambda: _ACQUIRE.run(self._client_of_loop, [_name(key)], arguments))
        if answer and hold_timeout is None:
            self._keep(key, holder)
        return bool(answer)

    def _terms(self, holder: str, hold_timeout: float | None) -> tuple[str, int, int]:
        if hold_timeout is not None and hold_timeout <= 0:
            raise RedisCommandInvalid(f"hold_timeout is {hold_timeout}; it must be more than 0 seconds, or None.")
        seconds = self._settings.lock_lease_seconds if hold_timeout is None else hold_timeout
        return holder, max(1, round(seconds * 1000)), int(hold_timeout is None)

    def _keep(self, key: str, holder: str) -> None:
        if self._renewals is None:
            self._renewals = Renewals(self._renew, self._settings.lock_lease_seconds)
        self._renewals.add(key, holder)

    def _renew(self, key: str, holder: str) -> bool:
        return self._run(_RENEW, key, holder, max(1, round(self._settings.lock_lease_seconds * 1000)))

    def _run(self, script: Script, key: str, *arguments: Any) -> bool:
        """Run a script. Each may run twice with the same effect, so a lost answer does no harm."""
        return bool(self._call(key, lambda: script.run_sync(self.client, [_name(key)], arguments)))

    # What is only needed after a failure, words for it and patience if it may pass, is left until then.

    def _call(self, key: str, command: Callable[[], Any]) -> Any:
        try:
            return command()
        except Exception as exc:  # noqa: BLE001 - it is raised again, or overcome
            failures = [exc]

        def once() -> Any:
            with self._errors(key):
                if failures:
                    raise failures.pop()
                resent.count += 1
                return command()

        return retry(once, is_transient=is_transient, backoff=self._backoff())

    async def _acall(self, key: str, command: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await command()
        except Exception as exc:  # noqa: BLE001 - it is raised again, or overcome
            failures = [exc]

        async def once() -> Any:
            with self._errors(key):
                if failures:
                    raise failures.pop()
                return await command()

        return await aretry(once, is_transient=is_transient, backoff=self._backoff())

    def _errors(self, key: str) -> AbstractContextManager[None]:
        secrets = [self.password] if self.password else []
        if self.connection_url is not None:
            secrets += _urls.secrets_in(self.connection_url)
        return redis_errors(f"Redis at {self._address}, lock on {key!r}", secrets)

    def _backoff(self) -> Backoff:
        return Backoff(initial_seconds=0.1, maximum_seconds=1.0, deadline_seconds=self._settings.retry_seconds)


@cached
def _client_of(
    host: str, port: int, db: int, username: str | None, password: str | None, ssl: bool, connection_url: str | None
) -> Any:
    """The client for asyncio that equal managers share in an event loop."""
    return RedisLockManager(host, port, db, username, password, ssl, connection_url).async_client


def _decoded(holder: Any) -> str | None:
    """A client that somebody else has made may not decode answers."""
    return None if holder is None else text(holder)


def _name(key: str) -> str:
    return f"lock:{key}"


def _pauses(timeout: float | None) -> Iterator[float]:
    """Seconds between looks, a little longer each time; the last look falls on the deadline."""
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = _FIRST_LOOK_SECONDS
    while True:
        jittered = pause * random.uniform(0.7, 1.0)  # noqa: S311 - spreads load, hides nothing
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            jittered = min(jittered, left)
        yield jittered
        pause = min(_LAST_LOOK_SECONDS, pause * 1.5)
