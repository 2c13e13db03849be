"""Addresses of databases: read, checked, and shown without a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc as sa
from sqlalchemy.engine.url import URL, make_url

from prefect_integration_kit.redact import MASK
from prefect_integration_kit.sdk_errors import combined

from .credentials import AsyncDriver, ConnectionComponents, SyncDriver
from .errors import DatabaseDriverMismatch, DatabaseDriverMissing, DatabaseUrlUnsupported

if TYPE_CHECKING:
    from pydantic import SecretStr

_SOUNDS_SECRET = re.compile(r"pass(word|wd|phrase|code)?$|^pwd$|secret|token|private_?key|credential", re.IGNORECASE)
# In a connection string of ODBC, whose values may stand in braces.
_ODBC = "odbc_connect"
_IN_ODBC = re.compile(r"\b(pwd|password|accesstoken)(\s*=\s*)(\{(?:[^}]|\}\})*\}|[^;]*)", re.IGNORECASE)
_SYNC = frozenset(driver.value for driver in SyncDriver)
_ASYNC = frozenset(driver.value for driver in AsyncDriver)
# What to use in the other connector: the driver of the same database.
_ASYNC_TWINS = {
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "mysql": "mysql+aiomysql",
    "mariadb": "mariadb+aiomysql",
    "oracle": "oracle+oracledb_async",
}
_SYNC_TWINS = {
    "postgresql": "postgresql+psycopg2",
    "sqlite": "sqlite+pysqlite",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "oracle": "oracle+oracledb",
}
_PACKAGES = {
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "mysqldb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "psycopg": '"psycopg[binary]"',
    "cx_Oracle": "cx-Oracle",
}


def read_url(text: str) -> URL:
    """Read a URL.

    Args:
        text: As SQLAlchemy writes it.

    Raises:
        DatabaseUrlUnsupported: If it is none. The message does not repeat it, since it may hold a password.
    """
    try:
        return make_url(text)
    except (sa.ArgumentError, ValueError, TypeError):
        pass
    error = combined(DatabaseUrlUnsupported, sa.ArgumentError)
    raise error(f"connection_info is not a database URL. {DatabaseUrlUnsupported.remedy}")


def url_of_components(components: ConnectionComponents) -> URL:
    """Make a URL of its parts.

    Args:
        components: The parts.

    Raises:
        DatabaseUrlUnsupported: If they make none.
    """
    driver = components.driver.value if isinstance(components.driver, Enum) else components.driver
    password: SecretStr | None = components.password
    try:
        return URL.create(
            drivername=driver,
            username=components.username,
            password=password.get_secret_value() if password else None,
            host=components.host,
            port=components.port,
            database=components.database,
            query=components.query or {},
        )
    except (sa.ArgumentError, TypeError) as exc:
        error = combined(DatabaseUrlUnsupported, sa.ArgumentError)
        raise error(f"The connection components make no URL: {exc}.") from None


def url_of(connection_info: ConnectionComponents | str) -> URL:
    """Make or read the URL of a connector.

    Args:
        connection_info: The field of this name.
    """
    return read_url(connection_info) if isinstance(connection_info, str) else url_of_components(connection_info)


def is_async(url: URL) -> bool | None:
    """Say whether the driver of a URL is asynchronous; `None` if it cannot be told without its package.

    `postgresql+psycopg` is either.

    Args:
        url: A URL.

    Raises:
        DatabaseUrlUnsupported: If SQLAlchemy has no such dialect.
    """
    name = url.drivername
    if name in _SYNC or name in _ASYNC:
        return name in _ASYNC
    try:
        dialect = url.get_dialect()
        return None if dialect.driver == "psycopg" else bool(getattr(dialect, "is_async", False))
    except (sa.NoSuchModuleError, ValueError):  # the latter of two `+` in a name
        raise combined(DatabaseUrlUnsupported, sa.NoSuchModuleError)(
            f"SQLAlchemy has no dialect {name!r}. {DatabaseUrlUnsupported.remedy}", subject=shown(url)
        ) from None
    except ImportError:
        return None


def check_driver(url: URL, *, wants_async: bool) -> None:
    """Refuse a driver of the other connector.

    Args:
        url: A URL.
        wants_async: Whether the connector is `AsyncSqlAlchemyConnector`.

    Raises:
        DatabaseUrlUnsupported: If SQLAlchemy has no such dialect.
        DatabaseDriverMismatch: If it is of the other connector.
    """
    found = is_async(url)
    if found is None or found == wants_async:
        return
    mine, other = "SqlAlchemyConnector", "AsyncSqlAlchemyConnector"
    if wants_async:
        mine, other = other, mine
    kind, wanted = ("an asynchronous", "a synchronous") if found else ("a synchronous", "an asynchronous")
    twins = _ASYNC_TWINS if wants_async else _SYNC_TWINS
    twin = twins.get(url.get_backend_name())
    example = f", such as {twin!r}" if twin else ""
    raise DatabaseDriverMismatch(
        f"{url.drivername!r} is {kind} driver, which {mine} cannot use. Use {other}, or {wanted} driver{example}.",
        subject=shown(url),
    )


def missing_driver(exc: ImportError, url: URL) -> DatabaseDriverMissing:
    """Say what to install.

    Args:
        exc: What importing the driver raised.
        url: The URL that names it.
    """
    module = (exc.name or url.get_driver_name()).partition(".")[0]
    package = _PACKAGES.get(module, module)
    error = DatabaseDriverMissing(
        f"The driver of {url.drivername!r} is not installed: there is no module {module!r}. "
        f"Install it: pip install {package}",
        subject=shown(url),
    )
    error.name = module
    return error


def shown(url: URL | str) -> str:
    """Write a URL without password and other secrets.

    Args:
        url: A URL, or what ought to be one.
    """
    if isinstance(url, str):
        try:
            url = make_url(url)
        except (sa.ArgumentError, ValueError, TypeError):
            return MASK
    # An `@` there comes of a password with `?` in it that was not encoded.
    query = {name: MASK if "@" in str(value) else _shown_option(name, value) for name, value in url.query.items()}
    return _text(url.set(query=query))


def _shown_option(name: str, value: Any) -> Any:
    """Show an option of a driver without a secret."""
    if _SOUNDS_SECRET.search(name):
        return MASK
    if name == _ODBC and isinstance(value, str):
        return _IN_ODBC.sub(lambda found: f"{found[1]}{found[2]}{MASK}", value)
    return value


def subject_of(url: URL) -> str:
    """Name a database in messages: driver, user, host and name, without options.

    Args:
        url: Its URL.
    """
    return _text(url.set(password=None, query={}))


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=True).replace("%3Amemory%3A", ":memory:")


def without_secret_options(url: URL) -> tuple[URL, dict[str, Any]]:
    """Take secrets out of the options of a URL, which engines of SQLAlchemy show, where arguments do the same.

    Args:
        url: The URL.

    Returns:
        The URL without them, and the arguments of the driver.
    """
    if url.get_backend_name() != "postgresql":  # others give a meaning of their own to some options
        return url, {}
    secret = {name: value for name, value in url.query.items() if _SOUNDS_SECRET.search(name)}
    return url.difference_update_query(secret), {
        name: value if isinstance(value, str) else value[-1] for name, value in secret.items()
    }


def shown_arguments(arguments: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Show arguments of a driver without those that sound like a secret.

    Args:
        arguments: The field `connect_args`.
    """
    if arguments is None:
        return None
    return {name: _shown_option(str(name), value) for name, value in arguments.items()}


def secrets_of(url: URL, arguments: Mapping[str, Any] | None) -> list[str]:
    """Collect what must not be seen: passwords in the URL, its query and the arguments of the driver.

    Args:
        url: The URL.
        arguments: The field `connect_args`.
    """
    found: list[Any] = [url.password]
    for name, value in [*url.query.items(), *(arguments or {}).items()]:
        if _SOUNDS_SECRET.search(str(name)):
            found += value if isinstance(value, tuple) else [value]
        elif name == _ODBC and isinstance(value, str):
            found += [each[3].strip("{} ") for each in _IN_ODBC.finditer(value)]
    return [secret for secret in found if isinstance(secret, str) and secret]
