"""Values of Python as parameters of a statement, which are bound by the warehouse and never written into the SQL.

https://docs.databricks.com/api/workspace/statementexecution/executestatement, `parameters`.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from typing import Any, cast

from pydantic import SecretStr

from ..errors import DatabricksBadRequest

_INT, _BIGINT = 2**31, 2**63
_MOST_DIGITS = 38
_KEYS = frozenset({"name", "value", "type"})


def to_parameters(given: Mapping[str, Any] | Sequence[Any] | None) -> list[dict[str, Any]]:
    """Write parameters as the API takes them.

    Args:
        given: Values by name; or a list of `{"name": …, "value": …, "type": …}`, where the type is up to the caller.

    Raises:
        DatabricksBadRequest: If a value has no counterpart among the types of parameters.
    """
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [_parameter(str(name), value) for name, value in given.items()]
    if isinstance(given, str):
        raise DatabricksBadRequest("parameters must be a dictionary of values by name, not a text.")
    return [_checked(each) for each in given]


def _checked(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not isinstance(cast("Mapping[str, Any]", given).get("name"), str):
        raise DatabricksBadRequest(
            "parameters must be a dictionary of values by name: Databricks has no parameters without one. "
            'In a list, each is {"name": …, "value": …, "type": …}.'
        )
    fields = dict(cast("Mapping[str, Any]", given))
    if unknown := set(fields) - _KEYS:
        raise DatabricksBadRequest(f"Parameter {fields['name']}: unknown fields {sorted(unknown)}.")
    value = fields.get("value")
    if "type" not in fields:
        return _parameter(fields["name"], value)
    written = value if value is None or isinstance(value, str) else _written(fields["name"], value)[0]
    return {"name": fields["name"], "type": fields["type"], "value": written}


def _parameter(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {"name": name, "value": None}
    written, kind = _written(name, value)
    return {"name": name, "value": written, "type": kind}


def _written(name: str, value: Any) -> tuple[str, str]:
    """Write a value as text, and give its type."""
    if isinstance(value, Enum):
        return _written(name, value.value)
    if isinstance(value, SecretStr):
        return value.get_secret_value(), "STRING"
    if isinstance(value, str | uuid.UUID):
        return str(value), "STRING"
    if isinstance(value, bool):
        return ("true" if value else "false"), "BOOLEAN"
    if isinstance(value, Integral):  # also one of numpy
        return str(int(value)), _whole(name, int(value))
    if isinstance(value, Real):
        return _double(float(value)), "DOUBLE"
    if isinstance(value, Decimal):
        return format(value, "f"), _decimal(name, value)
    if isinstance(value, dt.datetime):
        text = value.isoformat(sep=" ")
        return text, ("TIMESTAMP_NTZ" if value.tzinfo is None else "TIMESTAMP")
    if isinstance(value, dt.date):
        return value.isoformat(), "DATE"
    hint = " Pass its `.hex()`, and write `unhex(:name)`." if isinstance(value, bytes | bytearray) else ""
    hint = hint or " Pass it as JSON, and write `from_json(:name, …)`." * isinstance(value, list | tuple | Mapping)
    raise DatabricksBadRequest(f"Parameter {name} is of type {type(value).__name__}, which cannot be bound.{hint}")


def _double(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _whole(name: str, value: int) -> str:
    if -_INT <= value < _INT:
        return "INT"
    if -_BIGINT <= value < _BIGINT:
        return "BIGINT"
    return _decimal(name, Decimal(value))


def _decimal(name: str, value: Decimal) -> str:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise DatabricksBadRequest(f"Parameter {name} is {value}, which DECIMAL cannot be. Pass a float.")
    scale = max(0, -exponent)
    precision = max(len(digits) + max(0, exponent), scale, 1)
    if precision > _MOST_DIGITS:
        raise DatabricksBadRequest(f"Parameter {name} has {precision} digits; DECIMAL has at most {_MOST_DIGITS}.")
    return f"DECIMAL({precision},{scale})"
