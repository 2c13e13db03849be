"""Read objects as the API server writes them in JSON, whatever they lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

Raw = Mapping[str, Any]

EMPTY: Raw = {}


def part(raw: Raw, name: str) -> Raw:
    """An object within an object; an empty one if there is none."""
    value = raw.get(name)
    return cast("Raw", value) if isinstance(value, Mapping) else EMPTY


def parts(raw: Raw, name: str) -> list[Raw]:
    """The objects of a list within an object; none if there is no list."""
    value = raw.get(name)
    if not isinstance(value, list):
        return []
    return [cast("Raw", item) for item in cast("list[Any]", value) if isinstance(item, Mapping)]


def text(raw: Raw, name: str) -> str:
    """A text within an object; an empty one if there is none."""
    value = raw.get(name)
    return "" if value is None else str(value)


def number(raw: Raw, name: str) -> int | None:
    """An integer within an object; `None` if there is none."""
    value = raw.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def metadata(raw: Raw) -> Raw:
    """The metadata of an object."""
    return part(raw, "metadata")


def version_of(raw: Raw) -> str:
    """The `resourceVersion` of an object or a list."""
    return text(metadata(raw), "resourceVersion")
