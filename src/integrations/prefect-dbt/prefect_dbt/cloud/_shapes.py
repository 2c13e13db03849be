"""Read JSON whose shape nobody guarantees."""

from __future__ import annotations

from typing import Any, cast


def as_dict(value: Any) -> dict[str, Any]:
    """Give an object; an empty one in place of anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Give an array; an empty one in place of anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def dicts_in(value: Any) -> list[dict[str, Any]]:
    """Give the objects of an array."""
    return [cast("dict[str, Any]", each) for each in as_list(value) if isinstance(each, dict)]
