"""Query parameters, from tuples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from .sdk import BigQueryWrongType, bigquery_sdk

# https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
_TYPES = frozenset(
    {
        *("STRING", "BYTES", "BOOL", "BOOLEAN", "GEOGRAPHY", "JSON"),
        *("INT64", "INTEGER", "INT", "SMALLINT", "BIGINT", "TINYINT", "BYTEINT"),
        *("FLOAT64", "FLOAT", "NUMERIC", "DECIMAL", "BIGNUMERIC", "BIGDECIMAL"),
        *("TIMESTAMP", "DATE", "DATETIME", "TIME", "INTERVAL"),
    }
)


def query_parameters(given: Sequence[Any] | None) -> list[Any]:
    """Make the SDK's query parameters.

    Args:
        given: A tuple (name, type, value) for each, or an object of the SDK. The name is `None` for a `?`. With a list
            as its value, the parameter is an array of that type.

    Raises:
        BigQueryWrongType: If one of them is something else. It is a `TypeError` and a `ValueError`.
    """
    if given is None:
        return []
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BigQueryWrongType(f"query_params is {type(given).__name__}; give a list of tuples (name, type, value).")
    return [_parameter(index, item) for index, item in enumerate(given)]


def _parameter(index: int, item: Any) -> Any:
    if hasattr(item, "to_api_repr"):
        return item
    where = f"query_params[{index}]"
    if not isinstance(item, tuple | list) or len(cast("Sequence[Any]", item)) != 3:
        shape = f"has {len(cast('Sequence[Any]', item))} members" if isinstance(item, tuple | list) else "is no tuple"
        raise BigQueryWrongType(f"{where} {shape}; give a tuple (name, type, value), such as ('limit', 'INT64', 5).")
    name, kind, value = cast("Sequence[Any]", item)
    if name is not None and not isinstance(name, str):
        raise BigQueryWrongType(f"{where}: the name is {type(name).__name__}; it must be text, or None for a '?'.")
    bigquery = bigquery_sdk()
    if isinstance(kind, str):
        kind = kind.strip().upper()
        if kind.startswith("ARRAY<"):
            kind = kind.removeprefix("ARRAY<").removesuffix(">")
        if kind not in _TYPES:
            raise BigQueryWrongType(
                f"{where}: {kind!r} is no type of a query parameter. Known are: {', '.join(sorted(_TYPES))}."
            )
    elif not hasattr(kind, "to_api_repr"):
        raise BigQueryWrongType(f"{where}: the type is {type(kind).__name__}; it must be text such as 'STRING'.")
    if isinstance(value, list | tuple):
        return bigquery.ArrayQueryParameter(name, kind, list(cast("Sequence[Any]", value)))
    return bigquery.ScalarQueryParameter(name, kind, value)
