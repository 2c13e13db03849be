"""An end to connecting: a server may take a connection and say nothing."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Engine
    from sqlalchemy.engine.url import URL

CONNECT_SECONDS = 30
# The argument by which a driver ends a connection attempt that nobody answers; others have a default of their own.
_TIMEOUTS = {
    "psycopg2": "connect_timeout",
    "psycopg": "connect_timeout",
    "psycopg_async": "connect_timeout",
    "mysqldb": "connect_timeout",
    "aiomysql": "connect_timeout",
    "asyncmy": "connect_timeout",
    "pymysql": "connect_timeout",
}


def limits(url: URL, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the driver that bound connecting, unless they are given.

    Args:
        url: The URL of the database.
        given: The driver's arguments so far.
    """
    driver = url.get_driver_name()
    name = _TIMEOUTS.get(driver)
    found: dict[str, Any] = {}
    if name is not None and name not in url.query and name not in given:
        found[name] = CONNECT_SECONDS
    if driver in ("aiomysql", "asyncmy") and "async_creator_fn" not in given:
        found["async_creator_fn"] = partial(_in_time, driver)
    return found


def bound(engine: Engine) -> None:
    """Bound what no argument of the driver bounds.

    Args:
        engine: The engine that connects.
    """
    if engine.url.get_driver_name() == "pymysql":
        event.listen(engine, "do_connect", _pymysql)


async def _in_time(driver: str, *args: Any, **named: Any) -> Any:
    """Bound greeting and login, too: the driver's own limit is for the connection alone."""
    connect: Any = import_module(driver).connect
    return await asyncio.wait_for(connect(*args, **named), named.get("connect_timeout"))


def _pymysql(dialect: Any, _record: Any, args: list[Any], named: dict[str, Any]) -> Any:
    """Bound reads until the login is done, where the user has set no limit for all of them."""
    if named.get("read_timeout") is not None:
        return None  # SQLAlchemy connects
    connection = dialect.connect(*args, **{**named, "read_timeout": named.get("connect_timeout")})
    connection._read_timeout = None  # noqa: SLF001 - statements take as long as they take, and PyMySQL has no setter
    return connection
