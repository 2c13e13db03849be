"""Types of columns and values, between DuckDB and Databricks."""

from __future__ import annotations

import base64
import json
import math
import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, cast

from .calls import Json

_NAMES = {
    "BOOLEAN": ("BOOLEAN", "BOOLEAN"),
    "TINYINT": ("BYTE", "TINYINT"),
    "SMALLINT": ("SHORT", "SMALLINT"),
    "INTEGER": ("INT", "INT"),
    "BIGINT": ("LONG", "BIGINT"),
    "HUGEINT": ("DECIMAL", "DECIMAL(38,0)"),
    "FLOAT": ("FLOAT", "FLOAT"),
    "DOUBLE": ("DOUBLE", "DOUBLE"),
    "VARCHAR": ("STRING", "STRING"),
    "BLOB": ("BINARY", "BINARY"),
    "DATE": ("DATE", "DATE"),
    "TIMESTAMP": ("TIMESTAMP", "TIMESTAMP_NTZ"),
    "TIMESTAMP WITH TIME ZONE": ("TIMESTAMP", "TIMESTAMP"),
    "INTERVAL": ("INTERVAL", "INTERVAL"),
    '"NULL"': ("NULL", "VOID"),
}
_PARAMETER_TYPES = {
    "STRING": "VARCHAR",
    "BYTE": "TINYINT",
    "SHORT": "SMALLINT",
    "LONG": "BIGINT",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "BINARY": "BLOB",
    "VOID": "VARCHAR",
}
PARAMETER_TYPE = re.compile(
    r"(?i)^(BOOLEAN|BYTE|TINYINT|SHORT|SMALLINT|INT|INTEGER|LONG|BIGINT|FLOAT|DOUBLE|STRING|DATE|"
    r"TIMESTAMP|TIMESTAMP_NTZ|BINARY|VOID|INTERVAL [A-Z ]+|DECIMAL(\(\d+(,\s*\d+)?\))?)$"
)


def duckdb_type(name: str) -> str:
    """Give DuckDB's name of a parameter's type."""
    return _PARAMETER_TYPES.get(name.upper(), name)


def column(name: str, position: int, kind: str) -> Json:
    """Describe a column, as the manifest of a result does."""
    described: Json = {"name": name, "position": position}
    if decimal := re.match(r"DECIMAL\((\d+),(\d+)\)", kind):
        precision, scale = map(int, decimal.groups())
        sizes = {"type_precision": precision, "type_scale": scale}
        return {**described, "type_name": "DECIMAL", "type_text": f"DECIMAL({precision},{scale})", **sizes}
    if kind.endswith("[]"):
        return {**described, "type_name": "ARRAY", "type_text": f"ARRAY<{_text(kind[:-2])}>"}
    for compound in ("STRUCT", "MAP"):
        if kind.startswith(compound):
            return {**described, "type_name": compound, "type_text": kind}
    type_name, text = _NAMES.get(kind, ("STRING", "STRING"))
    return {**described, "type_name": type_name, "type_text": text}


def _text(kind: str) -> str:
    return _NAMES.get(kind, (kind, kind))[1]


def written(value: Any) -> str | None:
    """Write a value as `JSON_ARRAY` does: a text, or nothing."""
    if value is None:
        return None
    if isinstance(value, (list, dict)):
        return json.dumps(_nested(value))
    return _scalar(value)


def _nested(value: Any) -> Any:
    if isinstance(value, list):
        return [_nested(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {str(key): _nested(each) for key, each in cast("dict[Any, Any]", value).items()}
    return value if value is None or isinstance(value, (bool, int, float, str)) else _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        moment = value.astimezone(timezone.utc) if value.tzinfo else value
        text = moment.strftime("%Y-%m-%dT%H:%M:%S.%f")
        text = text[:-3] if text.endswith("000") else text
        return f"{text}Z" if value.tzinfo else text
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN" if math.isnan(value) else repr(value))
    return str(value)
