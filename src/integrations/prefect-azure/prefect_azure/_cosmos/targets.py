"""Names of databases, containers and items, given as a name, as properties or as an object of the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..errors import AzureInvalidRequest

# https://learn.microsoft.com/azure/cosmos-db/concepts-limits#per-item-limits
_FORBIDDEN = frozenset("/\\?#\t\r\n")
_MAX_CHARACTERS = 255


def database_name(database: Any) -> str:
    """Read the name of a database.

    Args:
        database: Its name, its properties, or a `DatabaseProxy` of either face of the SDK.

    Raises:
        AzureInvalidRequest: If it is none of them, or cannot be a name.
    """
    return _name(database, "database", "a DatabaseProxy")


def container_name(container: Any) -> str:
    """Read the name of a container.

    Args:
        container: Its name, its properties, or a `ContainerProxy` of either face of the SDK.

    Raises:
        AzureInvalidRequest: If it is none of them, or cannot be a name.
    """
    return _name(container, "container", "a ContainerProxy")


def item_name(item: Any) -> str:
    """Read the id of an item.

    Args:
        item: Its id, or the item itself.

    Raises:
        AzureInvalidRequest: If it is neither, or cannot be an id.
    """
    return _name(item, "item", "")


def _name(given: Any, argument: str, proxy: str) -> str:
    name: Any = given
    if isinstance(given, Mapping):
        name = cast("Mapping[str, Any]", given).get("id")
        if not isinstance(name, str):
            raise _refused(argument, "its properties have no 'id' that is text")
    elif not isinstance(given, str):
        name = getattr(given, "id", None) if proxy else None
        if not isinstance(name, str):
            wanted = f"a name, {proxy} or a mapping with an 'id'" if proxy else "an id or a mapping with an 'id'"
            raise _refused(argument, f"it is a {type(given).__name__} and must be {wanted}")
    if not name.strip():
        raise _refused(argument, "it is empty")
    if found := sorted(_FORBIDDEN.intersection(name)):
        raise _refused(argument, f"{name!r} has characters that an id must not have: {' '.join(map(_shown, found))}")
    if name in (".", ".."):
        raise _refused(argument, f"it is {name!r}, which addresses lose")
    if (len(name) > _MAX_CHARACTERS and argument != "item") or len(name.encode()) > 1023:
        raise _refused(argument, f"its id is longer than {_MAX_CHARACTERS if argument != 'item' else 1023} bytes")
    return name


def _shown(character: str) -> str:
    return character if character.isprintable() else ascii(character)


def _refused(argument: str, why: str) -> AzureInvalidRequest:
    return AzureInvalidRequest(f"`{argument}`: {why}.", subject=argument)
