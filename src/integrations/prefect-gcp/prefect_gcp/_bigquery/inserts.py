"""Streaming inserts: rows checked against the table, sent in batches, known again when a request is repeated."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.waiting import Backoff, retry

from ..errors import GcpInvalidRequest, gcp_errors, is_transient
from . import jobs
from .queries import REQUEST_SECONDS
from .row_checks import misfits
from .sdk import BigQueryWrongType, ask, is_stand_in

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, TableReference

# Of 50,000 rows and 10 MB at most: https://cloud.google.com/bigquery/quotas#streaming_inserts
_BATCH_ROWS, _BATCH_BYTES = 10_000, 8_000_000
_BACKOFF = Backoff(initial_seconds=1.0, maximum_seconds=15.0, deadline_seconds=60.0)
_QUOTED_ROWS = 5


class BigQueryRowsRefused(GcpInvalidRequest):
    """Rows do not fit the table.

    Args:
        message: What `str` says.
        errors: For each row that was refused: its place in what was given, from 0, and the reasons.
        details: As for `GcpError`.
    """

    def __init__(self, message: str, *, errors: Mapping[int, str] | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.errors = dict(errors or {})


def insert_rows(client: Client, table: TableReference, records: Any) -> list[Any]:
    """Insert rows by `tabledata.insertAll`.

    Args:
        client: The client.
        table: Where to.
        records: A mapping of column names to values for each row.

    Returns:
        An empty list: BigQuery answers by the rows that it refused.

    Raises:
        BigQueryRowsRefused: If rows do not fit the table; the message names them.
        GcpNotFound: If there is no such table.
    """
    subject = f"BigQuery table {table.project}.{table.dataset_id}.{table.table_id}"
    rows = [_plain_row(index, record) for index, record in enumerate(_checked_records(records))]
    if not rows:
        return []
    _check_rows(client, table, rows, subject)
    ids = jobs.row_ids({"table": subject, "rows": rows}, len(rows))
    answers: list[Any] = []
    done = 0
    for batch in _batches(rows):
        answers += _insert_batch(client, table, batch, ids[done : done + len(batch)], done, subject)
        done += len(batch)
    return answers


def _checked_records(records: Any) -> Sequence[Any]:
    if isinstance(records, str | bytes | Mapping) or not isinstance(records, Sequence):
        kind = type(cast("Any", records)).__name__
        raise BigQueryWrongType(f"records is {kind}; give a list of dictionaries, one for each row.")
    return cast("Sequence[Any]", records)


def _plain_row(index: int, record: Any) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        raise BigQueryWrongType(f"records[{index}] is {type(record).__name__}; it must be a dictionary of columns.")
    members = cast("Mapping[Any, Any]", record)
    return {str(name): _plain(value, f"records[{index}], column {name!r}") for name, value in members.items()}


def _plain(value: Any, where: str) -> Any:
    """Write a value as BigQuery reads it from JSON."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(name): _plain(member, where) for name, member in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(member, where) for member in cast("Sequence[Any]", value)]
    if callable(item := getattr(value, "item", None)):  # NumPy's scalars
        return _plain(item(), where)
    raise BigQueryWrongType(f"{where}: {type(value).__name__} cannot be written as JSON.")


def _batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    batch_bytes = 0
    for row in rows:
        row_bytes = len(json.dumps(row, ensure_ascii=False).encode()) + 100  # its ID and what is around it
        if batch and (len(batch) == _BATCH_ROWS or batch_bytes + row_bytes > _BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(row)
        batch_bytes += row_bytes
    if batch:
        yield batch


def _insert_batch(
    client: Client, table: TableReference, batch: list[dict[str, Any]], ids: list[str], first: int, subject: str
) -> list[Any]:
    def insert() -> list[Any]:
        options: dict[str, Any] = {"row_ids": ids, "retry": None, "timeout": REQUEST_SECONDS}
        with gcp_errors(subject):
            return list(ask(client, "insert_rows_json", table, batch, **options))

    answer = retry(insert, is_transient=is_transient, backoff=_BACKOFF, clock=jobs.clock)
    if is_stand_in(client) and not any(isinstance(item, Mapping) and "errors" in item for item in answer):
        return answer
    refused: dict[int, str] = {}
    for item in answer:
        reasons = [error for error in item.get("errors", []) if error.get("reason") != "stopped"]
        if reasons:  # the others were only stopped because of these
            refused[first + int(item.get("index", 0))] = "; ".join(map(_reason, reasons))
    if refused:
        before = f"Rows 0 to {first - 1} were inserted, no others" if first else "No row was inserted"
        raise _refusal(refused, subject, f"{before}.")
    return []


def _reason(error: Mapping[str, Any]) -> str:
    message = str(error.get("message") or error.get("reason") or "refused").rstrip(".")
    place = error.get("location")
    return f"{message} (column {place!r})" if place and str(place) not in message else message


def _refusal(refused: Mapping[int, str], subject: str, outcome: str) -> BigQueryRowsRefused:
    said = [f"row {index}: {reason}" for index, reason in list(refused.items())[:_QUOTED_ROWS]]
    more = len(refused) - len(said)
    said += [f"and {more} more"] if more else []
    return BigQueryRowsRefused(f"{subject}: {'; '.join(said)}. {outcome}", subject=subject, errors=refused)


def _check_rows(client: Client, table: TableReference, rows: list[dict[str, Any]], subject: str) -> None:
    """Refuse what the table cannot take before anything is sent."""
    refused = misfits(client, table, rows, subject)
    if refused:
        raise _refusal(refused, subject, "No row was inserted.")
