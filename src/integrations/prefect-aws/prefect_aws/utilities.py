"""Pure helpers for nested documents: hashing them, and making them ready for JSON patches."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel

__all__ = ["assemble_document_for_patches", "ensure_path_exists", "hash_collection"]


def hash_collection(collection: Any) -> int:
    """Hash a collection, nested and unhashable members included.

    Equal collections have equal hashes, whatever the order of their keys.

    Args:
        collection: A mapping, sequence, set, pydantic model or scalar.

    Returns:
        The hash, valid within this process.
    """
    return hash(_frozen(collection))


def _frozen(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return type(value), _frozen(dict(value))
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        return frozenset((_frozen(key), _frozen(member)) for key, member in members.items())
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, cast("list[Any] | tuple[Any, ...]", value)))
    if isinstance(value, set | frozenset):
        return frozenset(map(_frozen, cast("set[Any] | frozenset[Any]", value)))
    return value


def ensure_path_exists(doc: dict[str, Any] | list[Any], path: list[str]) -> None:
    """Make every part of a path exist in a document, in place.

    A part that comes before a number or `-` becomes a list, any other a dictionary.

    Args:
        doc: The document, or the part of it where the path begins.
        path: Keys and list indices from there on; it is not changed.

    Raises:
        TypeError: If the path leads through something that is neither a dictionary nor a list, or uses a name as a
            list index.
    """
    for position, part in enumerate(path):
        following = path[position + 1] if position + 1 < len(path) else ""
        fresh: dict[str, Any] | list[Any] = [] if _is_index(following) else {}
        doc = _step(doc, part, fresh, last=not following)


def _step(doc: Any, part: str, fresh: Any, *, last: bool) -> Any:
    if isinstance(doc, dict):
        return cast("dict[str, Any]", doc).setdefault(part, fresh)
    if not isinstance(doc, list) or not _is_index(part):
        raise TypeError(f"Path part {part!r} cannot be reached in a {type(cast('object', doc)).__name__}.")
    items = cast("list[Any]", doc)
    if part == "-":
        if not last:
            items.append(fresh)
        return fresh
    index = int(part)
    while len(items) <= index:
        items.append(fresh if len(items) == index else {})
    return items[index]


def _is_index(part: str) -> bool:
    return part == "-" or (part.isascii() and part.isdigit())


def assemble_document_for_patches(patches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make a document that a list of JSON patch operations can be applied to.

    Operations that need their target (`replace`, `remove`, `test`, and the source of `move` and `copy`) find it there;
    `add` finds the parent. See [RFC 6902](https://www.rfc-editor.org/rfc/rfc6902).

    Args:
        patches: JSON patch operations.

    Returns:
        The smallest such document.

    Example:
        ```python
        from prefect_aws.utilities import assemble_document_for_patches

        assemble_document_for_patches(
            [
                {"op": "replace", "path": "/family", "value": "stock-import"},
                {"op": "add", "path": "/network/subnets/-", "value": "subnet-7"},
                {"op": "remove", "path": "/containers/0/command"},
            ]
        )
        # {"family": {}, "network": {"subnets": []}, "containers": [{"command": {}}]}
        ```
    """
    doc: dict[str, Any] = {}
    for patch in patches:
        operation = patch["op"]
        if operation in ("move", "copy"):
            ensure_path_exists(doc, _parts(patch["from"]))
        parts = _parts(patch["path"])
        if operation in ("replace", "remove", "test"):
            ensure_path_exists(doc, parts)
        elif parts:
            _ensure_parent(doc, parts)
    return doc


def _ensure_parent(doc: dict[str, Any], parts: list[str]) -> None:
    *parents, last = parts
    if parents and _is_index(last):
        # The parent must be a list; elements before the new one must be there, the new one must not.
        ensure_path_exists(doc, [*parents, "-" if last in ("-", "0") else str(int(last) - 1)])
    else:
        ensure_path_exists(doc, parents)


def _parts(pointer: str) -> list[str]:
    """Split a JSON pointer (RFC 6901) into unescaped parts."""
    if not pointer.strip("/"):
        return []
    parts = pointer.removeprefix("/").split("/")
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]
