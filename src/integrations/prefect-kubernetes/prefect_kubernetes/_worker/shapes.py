"""Read parts of a manifest whose shape is not known."""

from __future__ import annotations

from typing import Any, cast


def as_mapping(value: Any) -> dict[str, Any]:
    """The value itself where it is a mapping, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value itself where it is a list, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def kind_of(value: object) -> str:
    """How messages call a value of the wrong kind."""
    return f"a {type(value).__name__}"
