"""Values of variables: what callers give becomes what GitHub's schema wants. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from .schemas._facts import TypeFacts, facts, near

_PLAIN: dict[str, tuple[type, ...]] = {"Boolean": (bool,), "Float": (int, float), "Int": (int,), "String": (str,)}


def to_json(value: Any, kind: str, name: str) -> Any:
    """Turn a value into what JSON knows, checking it against its type.

    Args:
        value: Text, numbers, dates, members of an enum, lists, mappings, and what sgqlc has for them.
        kind: The type in GraphQL, such as `[IssueState!]`.
        name: Its name, for messages.

    Raises:
        TypeError: If it is of another type.
        ValueError: If there is no such value, or something in it is missing or unknown.
    """
    if value is None:
        if kind.endswith("!"):
            raise ValueError(f"{name} is None. GitHub wants a value.")
        return None
    kind = kind.removesuffix("!")
    if kind.startswith("["):
        return [to_json(each, kind[1:-1], f"{name}[{index}]") for index, each in enumerate(_elements(value, name))]
    known = facts(kind)
    if known.kind == "enum":
        return _choice(value, known, name)
    if known.kind == "input":
        return _object(value, known, name)
    return _scalar(value, kind, name)


def _elements(value: Any, name: str) -> list[Any]:
    """Read a list; one value stands for a list of one, as in GraphQL."""
    if isinstance(value, str | Mapping) or hasattr(value, "__json_data__"):
        return [value]
    if not isinstance(value, Iterable):
        raise TypeError(f"{name} is {value!r}. Give a list.")
    return list(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]


def _choice(value: Any, known: TypeFacts, name: str) -> str:
    if isinstance(value, enum.Enum):
        value = value.value
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}. Give one of {', '.join(known.choices)}.")
    for spelling in (value, value.upper()):
        if spelling in known.choices:
            return spelling
    raise ValueError(f"{name} is {value!r}, which {known.name} does not have. It has {', '.join(known.choices)}.")


def _object(value: Any, known: TypeFacts, name: str) -> dict[str, Any]:
    given: Any = getattr(value, "__json_data__", value)  # how sgqlc keeps an input
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} is {value!r}. Give a mapping with fields of {known.name}: {', '.join(known.fields)}.")
    written: dict[str, Any] = {}
    prefix = f"{name}." if name else ""
    for key, each in given.items():  # pyright: ignore[reportUnknownVariableType]
        field = known.find(str(key))  # pyright: ignore[reportUnknownArgumentType]
        if field is None:
            remedy = near(str(key), known.fields)  # pyright: ignore[reportUnknownArgumentType]
            raise ValueError(f"{name or known.name}: {known.name} has no field {key!r}.{remedy}")
        written[field.name] = to_json(each, field.type, f"{prefix}{key}")
    for field in known.fields.values():
        if field.is_required and field.name not in written:
            raise ValueError(f"{prefix}{field.name} is missing. {known.name} needs it.")
    return written


def _scalar(value: Any, kind: str, name: str) -> Any:
    wanted = _PLAIN.get(kind)
    if wanted is not None:
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "Boolean"):
            raise TypeError(f"{name} is {value!r}, a {type(value).__name__}. GitHub wants {kind}.")
        return value
    if isinstance(value, date):  # times, too
        return value.isoformat()
    if kind == "ID" and isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str | int | float | bool):
        raise TypeError(f"{name} is {value!r}, a {type(value).__name__}. GitHub wants {kind}, as text.")
    return value
