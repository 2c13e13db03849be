"""What an exception of SQLAlchemy or of a driver means."""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

from sqlalchemy import exc as sa

from .errors import (
    DatabaseAccessDenied,
    DatabaseArgumentInvalid,
    DatabaseBusy,
    DatabaseCertificateRefused,
    DatabaseConstraintViolated,
    DatabaseDriverMissing,
    DatabaseError,
    DatabaseFull,
    DatabaseNotFound,
    DatabaseStatementFailed,
    DatabaseTableNotFound,
    DatabaseUnreachable,
    DatabaseUrlUnsupported,
)

_DRIVERS = frozenset(
    {"asyncpg", "psycopg2", "psycopg", "pg8000", "sqlite3", "aiosqlite", "pymysql", "aiomysql", "asyncmy", "MySQLdb"}
    | {"duckdb", "_duckdb", "duckdb_engine", "oracledb", "cx_Oracle", "pyodbc", "pymssql", "mysql", "_mysql_connector"}
)
_LONGEST_STATEMENT = 200

# SQLSTATE, by code or class (https://www.postgresql.org/docs/current/errcodes-appendix.html)
_BY_STATE: dict[str, type[DatabaseError]] = {
    "28": DatabaseAccessDenied,
    "42501": DatabaseAccessDenied,
    "3D": DatabaseNotFound,
    "42P01": DatabaseTableNotFound,
    "42S02": DatabaseTableNotFound,
    "23": DatabaseConstraintViolated,
    "08": DatabaseUnreachable,
    "57P": DatabaseUnreachable,
    "53100": DatabaseFull,
    "53": DatabaseBusy,
    "55P03": DatabaseBusy,
    "40": DatabaseBusy,
}
# Numbers of MySQL and MariaDB (https://mariadb.com/kb/en/mariadb-error-code-reference/)
_BY_NUMBER: dict[int, type[DatabaseError]] = {
    **dict.fromkeys((1044, 1045, 1142, 1143, 1227, 1698), DatabaseAccessDenied),
    1049: DatabaseNotFound,
    **dict.fromkeys((1051, 1146), DatabaseTableNotFound),
    **dict.fromkeys((1021, 1114), DatabaseFull),
    2026: DatabaseCertificateRefused,
    **dict.fromkeys((1040, 1203, 1205, 1213), DatabaseBusy),
    **dict.fromkeys((2002, 2003, 2005, 2006, 2013, 1053), DatabaseUnreachable),
}
_UNREACHABLE = "|".join(
    (
        r"connection (refused|reset|timed out)|timeout expired",
        r"connection (is|was|already) closed",
        r"could not (connect|translate|receive)",
        r"can't (connect|create a connection)",
        r"name or service not known|temporary failure in name|failed to resolve|no route to host|network error",
        r"server closed the connection|starting up",
    )
)
_NO_TRUST = "|".join(
    (
        r"certificate verify failed|root certificate file|does not match host name",
        r"ssl error:|\[ssl: |server does not support ssl|refuses ssl|tlsv1 alert",
    )
)
_FULL = r"database or disk is full|no space left on device|could not extend file"
# What drivers say where they give no code, the most certain first.
_BY_WORDS: tuple[tuple[type[DatabaseError], str], ...] = (
    (DatabaseCertificateRefused, _NO_TRUST),
    (DatabaseFull, _FULL),
    (DatabaseAccessDenied, r"password authentication failed|no password supplied|access denied|permission denied"),
    (DatabaseNotFound, r'database ".*" does not exist|unable to open database file|unknown database'),
    (DatabaseTableNotFound, r"no such table|relation .* does not exist|table with name .* does not exist"),
    (DatabaseBusy, r"database (table )?is locked|deadlock|too many connections|could not set lock on file"),
    (DatabaseUnreachable, _UNREACHABLE),
)


def classify(exc: BaseException) -> type[DatabaseError] | None:
    """Say which error stands for an exception; none if it comes from elsewhere.

    Args:
        exc: Any exception.
    """
    if isinstance(exc, sa.NoSuchModuleError):
        return DatabaseUrlUnsupported
    if isinstance(exc, ModuleNotFoundError):
        return DatabaseDriverMissing
    if isinstance(exc, sa.TimeoutError):
        return DatabaseBusy
    root = type(exc).__module__.partition(".")[0]
    is_network = isinstance(exc, OSError | asyncio.TimeoutError) and not isinstance(
        exc, FileNotFoundError | FileExistsError
    )
    if not (isinstance(exc, sa.SQLAlchemyError) or root in _DRIVERS or is_network):
        return None
    by_code = _by_code(_origin(exc))
    if by_code is not None:
        return by_code
    if isinstance(exc, sa.IntegrityError):
        return DatabaseConstraintViolated
    words = str(_origin(exc)).casefold()
    for own, pattern in _BY_WORDS:
        if re.search(pattern, words):
            return own
    if is_network:
        return DatabaseUnreachable
    if isinstance(exc, sa.ArgumentError):
        return DatabaseArgumentInvalid
    return DatabaseUnreachable if getattr(exc, "connection_invalidated", False) else DatabaseStatementFailed


def sdk_class(exc: Exception, own: type[DatabaseError]) -> type[Exception]:
    """Say which exception code that knows SQLAlchemy expects.

    Args:
        exc: What was raised.
        own: The error that stands for it.
    """
    # pg8000 has one class for all that a server refuses.
    return sa.IntegrityError if own is DatabaseConstraintViolated and isinstance(exc, sa.DBAPIError) else type(exc)


def is_transient(exc: Exception) -> bool:
    """Say whether connecting once more may succeed: a server that is starting, restarting or full for a moment.

    Args:
        exc: What connecting raised.
    """
    return classify(exc) in (DatabaseUnreachable, DatabaseBusy) and not isinstance(exc, sa.TimeoutError)


def _origin(exc: BaseException) -> BaseException:
    """What the driver raised: below SQLAlchemy, and below its own disguise of an async driver."""
    origin = getattr(exc, "orig", None) or exc
    cause = cast("BaseException", origin).__cause__
    if cause is not None and type(origin).__module__.startswith("sqlalchemy.dialects"):
        return cause
    return cast("BaseException", origin)


def _by_code(origin: BaseException) -> type[DatabaseError] | None:
    state: Any = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    first: Any = next(iter(origin.args), None)
    if isinstance(first, dict):  # pg8000
        state = cast("dict[str, Any]", first).get("C")
    if isinstance(state, str):
        return next((_BY_STATE[state[:length]] for length in (5, 3, 2) if state[:length] in _BY_STATE), None)
    if isinstance(first, int) and not isinstance(origin, OSError):
        return _BY_NUMBER.get(first)
    return None


def what_happened(exc: BaseException) -> str:
    """Say what the driver said, in one line.

    Args:
        exc: Any exception.
    """
    origin = _origin(exc)
    first: Any = next(iter(origin.args), None)
    if isinstance(first, dict):  # pg8000
        said = cast("dict[str, Any]", first).get("M", "")
    elif isinstance(origin, OSError) or len(origin.args) < 2:
        said = str(origin) or type(origin).__name__
    else:
        said = str(origin.args[1])
    return " ".join(str(said).split())


def statement_of(exc: BaseException) -> str:
    """Say which statement it was, shortened; never its values.

    Args:
        exc: Any exception.
    """
    statement = " ".join(str(getattr(exc, "statement", None) or "").split())
    if not statement:
        return ""
    short = statement[:_LONGEST_STATEMENT] + ("…" if len(statement) > _LONGEST_STATEMENT else "")
    return f"Statement: {short}"
