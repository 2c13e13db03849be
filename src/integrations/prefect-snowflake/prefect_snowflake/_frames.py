"""Results as Arrow tables and data frames of pandas, and data frames written to tables."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.extras import require_extra

from .errors import SnowflakeError, snowflake_errors

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor


def require_pyarrow() -> None:
    """Import pyarrow, before a query is paid for.

    Raises:
        ImportError: If it is not installed; the message is the command that installs it.
    """
    require_extra("pyarrow", distribution="prefect-snowflake", extra="pandas")


def require_pandas() -> None:
    """Import pandas and pyarrow, likewise.

    Raises:
        ImportError: If one is not installed.
    """
    require_pyarrow()
    require_extra("pandas", distribution="prefect-snowflake", extra="pandas")


def arrow_table(cursor: SnowflakeCursor) -> Any:
    """Read a whole result as one table.

    Args:
        cursor: It has executed its statement; it is closed.
    """
    with snowflake_errors(f"Query {cursor.sfqid}"), _closing(cursor):
        untyped: Any = cursor  # pyarrow has no types
        table = untyped.fetch_arrow_all(force_return_table=True)
    if table is None:
        raise SnowflakeError(f"Query {cursor.sfqid}: there is no result.")
    return table


def pandas_frame(cursor: SnowflakeCursor) -> pd.DataFrame:
    """Read a whole result as one data frame.

    Args:
        cursor: It has executed its statement; it is closed.
    """
    with snowflake_errors(f"Query {cursor.sfqid}"), _closing(cursor):
        return cursor.fetch_pandas_all()


def batches(cursor: SnowflakeCursor, method: str) -> Generator[Any, None, None]:
    """Read a result batch by batch, as Snowflake has cut it; one is in memory at a time.

    Args:
        cursor: It has executed its statement; it is closed at the end, also when the reader stops early.
        method: Name of the cursor's method that gives them.
    """
    with snowflake_errors(f"Query {cursor.sfqid}"), _closing(cursor):
        yield from getattr(cursor, method)()


class _closing:  # noqa: N801 - reads as `contextlib.closing`, whose `close` would hide the first error
    def __init__(self, cursor: SnowflakeCursor) -> None:
        self._cursor = cursor

    def __enter__(self) -> None:
        """Nothing is to be opened."""

    def __exit__(self, *_: object) -> None:
        self._cursor.close()


def write_frame(connection: SnowflakeConnection, frame: pd.DataFrame, table: str, options: Mapping[str, Any]) -> int:
    """Write a data frame to a table, by way of a temporary stage.

    Args:
        connection: Where to.
        frame: What to write.
        table: Name of the table.
        options: Further arguments of the connector's `write_pandas`.

    Returns:
        How many rows were written.

    Raises:
        SnowflakeError: If they were not.
    """
    require_pandas()
    from snowflake.connector.pandas_tools import write_pandas

    write: Callable[..., Any] = write_pandas
    with snowflake_errors(f"Writing {len(frame)} rows to table {table}"):
        is_written, _, rows, *_ = write(connection, frame, table, **options)
    if not is_written:
        raise SnowflakeError(f"Writing {len(frame)} rows to table {table}: Snowflake loaded only {rows} of them.")
    return int(rows)
