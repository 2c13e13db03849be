"""Athena's values as Python values, and back. Nothing here talks to AWS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from numbers import Integral, Real
from typing import Any
from zoneinfo import ZoneInfo

from .errors import AwsInvalidRequest

MAX_PARAMETER = 1024
"""Characters that one parameter may have as SQL text:
https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html"""

_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})$")
_FRACTION = re.compile(r"(\.\d{6})\d+")


def converter(kind: str) -> Callable[[str], Any]:
    """Choose how values of a column are read.

    Args:
        kind: Athena's name of the type, such as `bigint`.

    Returns:
        A function of the text that Athena sends. What Python cannot hold, such as a date in the year 12000, stays text.
    """
    convert = _CONVERTERS.get(kind.lower().partition("(")[0].strip())
    if convert is None:
        return str

    def read(text: str) -> Any:
        with suppress(ValueError, ArithmeticError, LookupError):
            return convert(text)
        return text

    return read


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(_in_microseconds(text))


def _time(text: str) -> time:
    return time.fromisoformat(_in_microseconds(text))


def _in_microseconds(text: str) -> str:
    """Cut what is finer, and fill what is coarser: Python 3.10 reads three or six digits only."""
    head, point, fraction = _FRACTION.sub(r"\1", text).partition(".")
    return f"{head}.{fraction.ljust(6, '0')}" if point else head


def _moment_with_zone(text: str) -> datetime:
    local, _, zone = text.rpartition(" ")
    offset = _OFFSET.match(zone)
    if offset is not None:
        minutes = int(offset[2]) * 60 + int(offset[3])
        return _moment(local).replace(tzinfo=timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes)))
    return _moment(local).replace(tzinfo=timezone.utc if zone == "UTC" else ZoneInfo(zone))


_CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "tinyint": int,
    "smallint": int,
    "int": int,
    "integer": int,
    "bigint": int,
    "float": float,
    "real": float,
    "double": float,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "time": _time,
    "timestamp": _moment,
    "timestamp with time zone": _moment_with_zone,
    "varbinary": bytes.fromhex,
}


def literals(parameters: Sequence[Any], subject: str) -> list[str]:
    """Write values as the SQL literals that Athena puts in the place of `?`.

    Args:
        parameters: Text, numbers, booleans, dates, times, bytes, `None`.
        subject: What the query is, for errors.

    Raises:
        AwsInvalidRequest: If there is no literal for a value, or it is too long.
    """
    return [_checked(value, number, subject) for number, value in enumerate(parameters, 1)]


def _checked(value: Any, number: int, subject: str) -> str:
    text = literal(value)
    if text is None:
        raise AwsInvalidRequest(
            f"{subject}: parameter {number} is a {type(value).__name__} for which Athena has no literal. Give text, a "
            "finite number, a boolean, a date, a time, bytes or None.",
            subject=subject,
        )
    if len(text) > MAX_PARAMETER:
        raise AwsInvalidRequest(
            f"{subject}: parameter {number} has {len(text)} characters as SQL; at most {MAX_PARAMETER} are allowed. "
            "Put what is long into a table.",
            subject=subject,
        )
    return text


def literal(value: Any) -> str | None:
    """Write one value as a literal of Athena's SQL; `None` when there is none for it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Integral):  # also one of numpy
        return str(int(value))
    if isinstance(value, Real):
        return _double(float(value))
    if isinstance(value, Decimal):
        return f"DECIMAL '{value:f}'" if value.is_finite() else None
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, time) and value.tzinfo is None:
        return f"TIME '{value.isoformat()}'"
    return None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _double(value: float) -> str | None:
    """An exponent makes the literal a double; without one it would be a decimal."""
    if value != value or value in (float("inf"), float("-inf")):
        return None
    text = repr(value)
    return text.upper() if "e" in text else f"{text}E0"


def _timestamp(value: datetime) -> str:
    local = value.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    offset = value.utcoffset()
    if offset is None:
        return f"TIMESTAMP '{local}'"
    minutes = int(offset.total_seconds() // 60)
    return f"TIMESTAMP '{local} {'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}'"
