"""Cells of a result, which are texts, as values of Python."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

Reader = Callable[[str], Any]

_BIG_EXPONENT = {"Infinity": "inf", "-Infinity": "-inf"}


def readers_of(columns: Sequence[Mapping[str, Any]]) -> list[Reader]:
    """Give what reads the cells of each column.

    Args:
        columns: As the manifest of a result describes them.
    """
    return [_reader(str(column.get("type_name", "")), str(column.get("type_text", ""))) for column in columns]


def read_row(readers: Sequence[Reader], cells: Sequence[str | None]) -> tuple[Any, ...]:
    """Read one row."""
    return tuple(None if cell is None else read(cell) for read, cell in zip(readers, cells, strict=True))


def _reader(type_name: str, type_text: str) -> Reader:
    if type_name == "TIMESTAMP":
        return _naive if type_text.upper() == "TIMESTAMP_NTZ" else _moment
    return _READERS.get(type_name, str)


def _float(text: str) -> float:
    return float(_BIG_EXPONENT.get(text, text))


def _moment(text: str) -> Any:
    """Read a moment; without an offset, it is one of UTC. What Python's years do not reach stays a text."""
    try:
        moment = dt.datetime.fromisoformat(_padded(text))
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.timezone.utc)


def _naive(text: str) -> Any:
    try:
        return dt.datetime.fromisoformat(_padded(text)).replace(tzinfo=None)
    except ValueError:
        return text


def _padded(text: str) -> str:
    """Write a time as Python 3.10 reads it: a numeric offset, and three or six digits behind the point."""
    text = f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text
    whole, point, rest = text.partition(".")
    if not point:
        return text
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{whole}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"


def _date(text: str) -> Any:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return text


def _binary(text: str) -> Any:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


_READERS: dict[str, Reader] = {
    "BOOLEAN": lambda text: text.lower() == "true",
    "BYTE": int,
    "SHORT": int,
    "INT": int,
    "LONG": int,
    "FLOAT": _float,
    "DOUBLE": _float,
    "DECIMAL": Decimal,
    "DATE": _date,
    "BINARY": _binary,
    "ARRAY": _json,
    "MAP": _json,
    "STRUCT": _json,
}
