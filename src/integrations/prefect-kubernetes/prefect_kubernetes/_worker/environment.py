"""The environment of a container: from mappings and lists to one list in which every variable stands once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from .shapes import as_list, as_mapping, kind_of

Environment = Mapping[str, "str | None"] | list[dict[str, Any]]
"""Values by name, or entries as a container has them; `None` in a mapping takes a variable away."""

MAX_VALUE_BYTES = 131_071
"""Linux takes no longer string in an environment or among arguments, its end included:
https://man7.org/linux/man-pages/man2/execve.2.html, MAX_ARG_STRLEN."""

NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
"""Names of variables, as the API server takes them."""

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


def entries_of(environment: Any, path: str) -> list[dict[str, Any]]:
    """Read an environment, in either form, as a list.

    Args:
        environment: A mapping or a list.
        path: Where it stands, for messages.

    Returns:
        Entries with `name`, and `value` or `valueFrom`; a `value` of `None` takes the variable away.

    Raises:
        ValueError: If it is neither, or an entry has no name. Values are not shown.
    """
    if environment is None:
        return []
    if isinstance(environment, Mapping):
        values = cast("Mapping[str, Any]", environment)
        return [{"name": str(name), "value": None if value is None else str(value)} for name, value in values.items()]
    if not isinstance(environment, list):
        raise ValueError(  # noqa: TRY004 - pydantic turns this one into a message
            f"{path} is {kind_of(environment)}; it must be a mapping of names to values, or a list of entries with "
            "`name` and `value` or `valueFrom`"
        )
    return [_entry(entry, f"{path}[{index}]") for index, entry in enumerate(as_list(environment))]


def _entry(entry: Any, path: str) -> dict[str, Any]:
    given = as_mapping(entry)
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"{path} has no `name`; an entry is like {{'name': 'A', 'value': '1'}}")
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{path}: {name!r} is no name of a variable; letters, digits, `_`, `-` and `.` are allowed")
    unknown = set(given) - {"name", "value", "valueFrom"}
    if unknown and "value" not in given and "valueFrom" not in given:  # beside them the API server passes over it
        raise ValueError(f"{path} ({name}) has the unknown field {min(unknown)!r}; there are `value` and `valueFrom`")
    if given.get("valueFrom") is not None:
        if given.get("value") not in (None, ""):
            raise ValueError(f"{path} ({name}) has both `value` and `valueFrom`; leave one of them out")
        if not isinstance(given["valueFrom"], dict):
            raise ValueError(f"{path}.valueFrom ({name}) must be a mapping such as {{'secretKeyRef': ...}}")
        return {"name": name, "valueFrom": given["valueFrom"]}
    value = given.get("value")
    if isinstance(value, dict | list):
        raise ValueError(f"{path}.value ({name}) must be a text")  # noqa: TRY004
    if isinstance(value, bool):
        value = str(value).lower()
    return {"name": name, "value": "" if value is None else str(value)}


def merged(*environments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put environments together: the last entry of a name wins, and stays where it stands.

    The order counts, because `$(NAME)` in a value refers to a variable before it.

    Args:
        environments: Lists as `entries_of` gives them.

    Returns:
        One entry for each variable that is not taken away.
    """
    last: dict[str, dict[str, Any]] = {}
    for entry in (entry for environment in environments for entry in environment):
        last.pop(entry["name"], None)
        last[entry["name"]] = entry
    return [dict(entry) for entry in last.values() if "valueFrom" in entry or entry["value"] is not None]


def without_names(entries: list[dict[str, Any]], environment: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries whose variables an environment does not set."""
    names = {entry["name"] for entry in environment if "valueFrom" in entry or entry["value"] is not None}
    return [entry for entry in entries if entry["name"] not in names]


def values_of(entries: list[dict[str, Any]]) -> dict[str, str]:
    """The variables whose values are written out."""
    return {entry["name"]: entry["value"] for entry in entries if "valueFrom" not in entry}


def too_long(entries: list[dict[str, Any]]) -> str | None:
    """Name the first variable that no process could be started with."""
    for entry in entries:
        size = len(f"{entry['name']}={entry.get('value') or ''}".encode())
        if size > MAX_VALUE_BYTES:
            return f"the environment variable {entry['name']} takes {size} bytes"
    return None


def expanded(value: str, known: Mapping[str, str | None]) -> str | None:
    """Expand a value as the kubelet does, which it does not do for values that come from a Secret.

    Args:
        value: The value, with references such as `$(HOST)`; `$$` stands for one dollar sign.
        known: Values of the variables before it; `None` where only the cluster knows it.

    Returns:
        The value that the container would see; `None` when only the cluster knows.
    """
    if any(known.get(name, "") is None for name in _REFERENCE.findall(value) if name):
        return None

    def replacement(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        found = known.get(match.group(1))
        return match.group() if found is None else found

    return _REFERENCE.sub(replacement, value)
