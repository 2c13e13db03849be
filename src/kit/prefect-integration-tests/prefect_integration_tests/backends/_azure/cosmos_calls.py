"""What a request to Cosmos DB asks for: the operation, and the action that a role must allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .cosmos_store import CosmosRefused

_DATA = "Microsoft.DocumentDB/databaseAccounts/"
_ITEMS = _DATA + "sqlDatabases/containers/items/"

# https://learn.microsoft.com/azure/cosmos-db/reference-data-plane-security#built-in-actions
ACTIONS: dict[str, str] = {
    "Account_Get": _DATA + "readMetadata",
    "Database_Get": _DATA + "readMetadata",
    "Container_Get": _DATA + "readMetadata",
    "PartitionKeyRanges_List": _DATA + "readMetadata",
    "Items_Plan": _DATA + "readMetadata",
    "Items_List": _DATA + "sqlDatabases/containers/readChangeFeed",
    "Items_Query": _DATA + "sqlDatabases/containers/executeQuery",
    "Item_Create": _ITEMS + "create",
    "Item_Upsert": _ITEMS + "upsert",
    "Item_Get": _ITEMS + "read",
    "Item_Replace": _ITEMS + "replace",
    "Item_Patch": _ITEMS + "replace",
    "Item_Delete": _ITEMS + "delete",
}

_BY_SHAPE: dict[tuple[str, int, str], str] = {
    ("", 0, "GET"): "Account_Get",
    ("dbs", 1, "GET"): "Databases_List",
    ("dbs", 1, "POST"): "Database_Create",
    ("dbs", 2, "GET"): "Database_Get",
    ("dbs", 2, "DELETE"): "Database_Delete",
    ("colls", 3, "GET"): "Containers_List",
    ("colls", 3, "POST"): "Container_Create",
    ("colls", 4, "GET"): "Container_Get",
    ("colls", 4, "DELETE"): "Container_Delete",
    ("pkranges", 5, "GET"): "PartitionKeyRanges_List",
    ("docs", 5, "GET"): "Items_List",
    ("docs", 5, "POST"): "Item_Create",
    ("docs", 6, "GET"): "Item_Get",
    ("docs", 6, "PUT"): "Item_Replace",
    ("docs", 6, "PATCH"): "Item_Patch",
    ("docs", 6, "DELETE"): "Item_Delete",
}


@dataclass
class CosmosCall:
    """One request."""

    method: str
    """What is asked for, such as `Items_Query` or `Item_Create`."""

    verb: str
    path: tuple[str, ...]
    """Segments, decoded: `("dbs", "shop", "colls", "parcels", "docs", "1")`."""

    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; the authorization is left out."""

    body: dict[str, Any] = field(default_factory=dict[str, Any])
    principal: str = ""
    """Who asks: the name of the key, or whom the token is of."""

    status: int = 0
    """0 while there is no answer, and when the connection was closed."""

    def flag(self, header: str) -> bool:
        """Whether a header says true."""
        return self.headers.get(header, "").lower() == "true"

    @property
    def resource_type(self) -> str:
        """The word of the path that says what it is about."""
        return self.path[(len(self.path) - 1) // 2 * 2] if self.path else ""

    @property
    def link(self) -> str:
        """What the signature names: the thing itself, or for a list what it is in."""
        segments = self.path if len(self.path) % 2 == 0 else self.path[:-1]
        return "/".join(segments)


def operation_of(verb: str, path: tuple[str, ...], headers: Mapping[str, str]) -> str:
    """Name what is asked for.

    Raises:
        CosmosRefused: If the API has no such path, or this server does not.
    """
    kind = path[(len(path) - 1) // 2 * 2] if path else ""
    operation = _BY_SHAPE.get((kind, len(path), verb))
    if operation is None:
        raise CosmosRefused(400, f"The local server has no {verb} of /{'/'.join(path)}.")
    if operation == "Item_Create":
        flags = {name: headers.get(name, "").lower() == "true" for name in _POSTS}
        operation = next((_POSTS[name] for name, is_set in flags.items() if is_set), operation)
    elif verb == "POST" and headers.get("x-ms-documentdb-isquery", "").lower() == "true":
        raise CosmosRefused(400, "The local server has no queries of databases and containers.")
    return operation


_POSTS = {
    "x-ms-cosmos-is-query-plan-request": "Items_Plan",
    "x-ms-documentdb-isquery": "Items_Query",
    "x-ms-cosmos-is-batch-request": "Items_Batch",
    "x-ms-documentdb-is-upsert": "Item_Upsert",
}
