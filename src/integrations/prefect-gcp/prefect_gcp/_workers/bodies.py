"""Work on the documents that describe jobs: what is missing, what is merged, what is taken apart."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

Json = dict[str, Any]

_NAMED_LISTS = frozenset({"containers", "volumes", "env", "volumeMounts"})
"""Lists whose entries have names, by which they are merged."""


def pruned(document: Any) -> Any:
    """Copy a document without `None`, and without maps that are empty because of it."""
    if isinstance(document, Mapping):
        kept: Json = {}
        for key, value in cast("Mapping[str, Any]", document).items():
            if value is None:
                continue
            inner = pruned(value)
            if isinstance(value, Mapping) and value and not inner:
                continue
            kept[key] = inner
        return kept
    if isinstance(document, list):
        return [pruned(item) for item in cast("list[Any]", document) if item is not None]
    return document


def merged(document: Any, patch: Any, key: str = "") -> Any:
    """Put a patch over a document.

    Args:
        document: The document. It is not changed.
        patch: Maps are merged key by key, and `None` removes a key, as RFC 7396 has it. Entries of `containers`,
            `volumes`, `env` and `volumeMounts` are merged with the entry of the same name, and appended where there is
            none; a container without a name is merged into the first one. Other lists replace what was there.
        key: Where the document stands.
    """
    if isinstance(document, Mapping) and isinstance(patch, Mapping):
        result: Json = dict(cast("Mapping[str, Any]", document))
        for name, value in cast("Mapping[str, Any]", patch).items():
            if value is None:
                result.pop(name, None)
            else:
                result[name] = merged(result.get(name), value, name)
        return result
    if key in _NAMED_LISTS and isinstance(document, list) and isinstance(patch, list):
        return _merged_by_name(cast("list[Json]", document), cast("list[Json]", patch), key)
    return patch


def _merged_by_name(entries: Sequence[Json], patches: Sequence[Json], key: str) -> list[Json]:
    result = list(entries)
    for patch in patches:
        place = next(
            (i for i, entry in enumerate(result) if patch.get("name") and entry.get("name") == patch["name"]), -1
        )
        if place < 0 and key == "containers" and not patch.get("name") and result:
            place = 0
        if place < 0:
            result.append(dict(patch))
        else:
            result[place] = merged(result[place], patch)
    return result


def environment(
    given: Any, values: Mapping[str, str | None], secrets: Mapping[str, Json], value_key: str
) -> list[Json]:
    """Write a container's environment.

    Args:
        given: Entries that the job template has already: a list as the API takes it, or a map of names and values.
        values: Plain variables. Where a name is given twice, they count.
        secrets: References by variable; they count more than any plain value.
        value_key: Key of a reference in an entry.

    Returns:
        One entry for each name.
    """
    entries: dict[str, Json] = {}
    if isinstance(given, Mapping):
        named = cast("Mapping[str, Any]", given)
        entries = {name: {"name": name, "value": str(value)} for name, value in named.items() if value is not None}
    else:
        entries = {str(entry["name"]): dict(entry) for entry in cast("Iterable[Json]", given or [])}
    entries.update({name: {"name": name, "value": str(value)} for name, value in values.items() if value is not None})
    entries.update({name: {"name": name, value_key: reference} for name, reference in secrets.items()})
    return list(entries.values())


def words(command: str | Sequence[str] | None) -> list[str]:
    """Take a command apart as a shell does; a list is taken apart already.

    Raises:
        ValueError: If a quotation mark is not closed.
    """
    if not command:
        return []
    if not isinstance(command, str):
        return [str(word) for word in command]
    try:
        return shlex.split(command)
    except ValueError as exc:
        raise ValueError(f"`command` {command!r} cannot be taken apart: {exc}. Close its quotation marks.") from exc


def part(document: Any, *path: str | int, subject: str) -> Any:
    """Walk into a document.

    Raises:
        ValueError: If a part is missing; the message names it.
    """
    found = document
    for index, key in enumerate(path):
        try:
            found = found[key]
        except (KeyError, IndexError, TypeError):  # noqa: PERF203 - it says which
            where = ".".join(str(item) for item in path[: index + 1])
            raise ValueError(
                f"`job_body` has no {where}: {subject} needs it. Compare the work pool's job template with the default "
                "one (prefect work-pool get-default-base-job-template)."
            ) from None
    return found
