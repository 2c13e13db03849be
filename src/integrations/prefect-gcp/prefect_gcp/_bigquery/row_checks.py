"""Rows compared with the columns of their table, so that what does not fit is named before anything is sent."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..errors import GcpAccessDenied, gcp_errors
from . import jobs
from .queries import REQUEST_SECONDS
from .sdk import is_stand_in

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, SchemaField, TableReference

_KEPT_SECONDS = 60.0
_MAX_KEPT = 256

_lock = threading.Lock()
# By client, then table: until when, and the columns.
_kept: weakref.WeakKeyDictionary[Any, dict[str, tuple[float, list[Any]]]] = weakref.WeakKeyDictionary()


def misfits(client: Client, table: TableReference, rows: Sequence[Mapping[str, Any]], subject: str) -> dict[int, str]:
    """Find rows that a table cannot take.

    Columns are asked for once a minute, and before a row is refused.

    Args:
        client: The client.
        table: The table.
        rows: Their values as JSON has them.
        subject: What the table is, for errors.

    Returns:
        The reasons by the row's place; empty where all fit, or where this identity may not see the columns.

    Raises:
        GcpNotFound: If there is no such table.
    """
    if is_stand_in(client):
        return {}
    key = f"{table.project}.{table.dataset_id}.{table.table_id}"
    with _lock:
        until, schema = _kept.get(client, {}).get(key, (0.0, []))
    if jobs.clock.monotonic() < until and not _misfits_of(rows, schema):
        return {}
    schema = _columns(client, table, subject)
    with _lock:
        tables = _kept.setdefault(client, {})
        if len(tables) >= _MAX_KEPT:
            tables.clear()
        tables[key] = jobs.clock.monotonic() + _KEPT_SECONDS, schema
    return _misfits_of(rows, schema)


def _columns(client: Client, table: TableReference, subject: str) -> list[SchemaField]:
    try:
        with gcp_errors(subject):
            found: Any = client.get_table(table, timeout=REQUEST_SECONDS)
            return found.schema
    except GcpAccessDenied:
        return []  # who may only write is told by BigQuery itself


def _misfits_of(rows: Sequence[Mapping[str, Any]], schema: Sequence[SchemaField]) -> dict[int, str]:
    if not schema:
        return {}
    return {index: reason for index, row in enumerate(rows) if (reason := misfit(row, schema))}


def misfit(row: Mapping[str, Any], schema: Sequence[SchemaField], path: str = "") -> str:
    """Say why a row does not fit a schema; empty where it fits, as far as can be seen without BigQuery.

    Args:
        row: Its values as JSON has them.
        schema: The fields.
        path: Of the record that it is in.
    """
    fields = {field.name.lower(): field for field in schema}
    given = {name.lower(): value for name, value in row.items()}
    for name in row:
        if name.lower() not in fields:
            return f"there is no column {path + name!r}"
    for name, field in fields.items():
        value = given.get(name)
        if value is None:
            if field.mode == "REQUIRED" and not field.default_value_expression:
                return f"column {path + field.name!r} is required"
        elif reason := _misfit_of(value, field, path + field.name):
            return reason
    return ""


def _misfit_of(value: Any, field: SchemaField, name: str) -> str:
    if field.mode == "REPEATED":
        if not isinstance(value, list):
            return f"column {name!r} is repeated, so it needs a list, not {value!r:.60}"
        found = (_misfit_of_one(member, field, name) for member in cast("list[Any]", value))
        return next((reason for reason in found if reason), "")
    return _misfit_of_one(value, field, name)


def _misfit_of_one(value: Any, field: SchemaField, name: str) -> str:
    kind = field.field_type.upper()
    if kind in ("RECORD", "STRUCT"):
        if not isinstance(value, Mapping):
            return f"column {name!r} is a record, so it needs a dictionary, not {value!r:.60}"
        return misfit(cast("Mapping[str, Any]", value), field.fields, f"{name}.")
    fits = _FITS.get(kind)
    if fits is not None and not fits(value):
        return f"column {name!r} is {kind}, and {value!r:.60} is none"
    return ""


def _is_integer(value: Any) -> bool:
    try:
        whole = int(value)
        return isinstance(value, str) or whole == value
    except (TypeError, ValueError, OverflowError):
        return False


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool | int) or str(value).lower() in _BOOLEANS


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, Mapping | list)


_BOOLEANS = frozenset({"true", "false", "t", "f", "yes", "no", "y", "n", "1", "0"})
_FITS = {
    **dict.fromkeys(("INTEGER", "INT64"), _is_integer),
    **dict.fromkeys(("FLOAT", "FLOAT64", "NUMERIC", "BIGNUMERIC"), _is_number),
    **dict.fromkeys(("BOOLEAN", "BOOL"), _is_boolean),
    **dict.fromkeys(("STRING", "BYTES", "DATE", "TIME", "DATETIME", "TIMESTAMP"), _is_scalar),
}
