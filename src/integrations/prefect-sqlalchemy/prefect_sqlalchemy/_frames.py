"""Data frames of pandas: rows as a frame, and a frame as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.extras import require_extra

if TYPE_CHECKING:
    import pandas as pd


def require_pandas() -> Any:
    """Import pandas, or say what to install.

    Raises:
        ImportError: If it is not installed.
    """
    return require_extra("pandas", distribution="prefect-sqlalchemy", extra="pandas")


def frame_of(rows: Sequence[Any], columns: Iterable[str]) -> pd.DataFrame:
    """Make a frame of rows.

    Args:
        rows: The rows.
        columns: Names of their columns.
    """
    pandas = require_pandas()
    frame = pandas.DataFrame.from_records(rows, columns=list(columns), coerce_float=True)
    return cast("pd.DataFrame", frame)


def is_frame(rows: object) -> bool:
    """Whether rows are given as a frame; pandas is not imported to tell.

    Args:
        rows: What the caller gave.
    """
    return type(rows).__module__.partition(".")[0] == "pandas" and hasattr(rows, "itertuples")


def rows_of(frame: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a frame without its index, as Python's own values, with `None` for what is missing.

    Args:
        frame: The frame.
    """
    pandas = require_pandas()
    for row in frame.itertuples(index=False, name=None):
        yield tuple(_plain(value, pandas) for value in row)


def _plain(value: Any, pandas: Any) -> Any:
    if value is None or value is pandas.NaT or value is pandas.NA or value != value:
        return None
    if isinstance(value, pandas.Timestamp):
        return value.to_pydatetime()
    if isinstance(value, pandas.Timedelta):
        return value.to_pytimedelta()
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
