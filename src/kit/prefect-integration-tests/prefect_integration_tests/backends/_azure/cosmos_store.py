"""What a local Cosmos DB account keeps: databases, containers, items, and the partitions that items lie in."""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

Json = dict[str, Any]
Key = tuple[Any, ...]

MAX_ITEM_BYTES = 2 * 1024 * 1024
"""Of an item in JSON: https://learn.microsoft.com/azure/cosmos-db/concepts-limits#per-item-limits"""

_SYSTEM = ("_rid", "_self", "_etag", "_attachments", "_ts")
_MAX_PATCHES = 10
_MISSING: Any = object()


class CosmosRefused(Exception):
    """An answer other than success.

    Args:
        status: HTTP status.
        message: What Cosmos DB says.
        code: Its word for the status; by default the usual one.
        substatus: Its finer number.
        retry_after_ms: Milliseconds that it asks to wait.
    """

    def __init__(
        self,
        status: int,
        message: str = "",
        *,
        code: str = "",
        substatus: int | None = None,
        retry_after_ms: int | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        usual = _WORDS.get(status, ("InternalServerError", "Unknown server error."))
        self.status, self.message = status, message or usual[1]
        self.code, self.substatus = code or usual[0], substatus
        self.retry_after_ms, self.more = retry_after_ms, dict(more or {})


_WORDS: dict[int, tuple[str, str]] = {
    400: ("BadRequest", "One of the input values is invalid."),
    401: ("Unauthorized", "The input authorization token can't serve the request."),
    403: ("Forbidden", "The request is not permitted."),
    404: ("NotFound", "Entity with the specified id does not exist in the system."),
    408: ("RequestTimeout", "Request timed out."),
    409: ("Conflict", "Entity with the specified id already exists in the system."),
    410: ("Gone", "The requested resource is no longer available at the server."),
    412: ("PreconditionFailed", "Operation cannot be performed because one of the specified precondition is not met."),
    413: ("RequestEntityTooLarge", "Request size is too large."),
    429: ("429", "The request rate is too large. Please retry after sometime."),
    449: ("449", "Conflicting request to resource has been attempted. Retry to avoid conflicts."),
    503: (
        "ServiceUnavailable",
        "Service is currently unavailable. More info: https://aka.ms/cosmosdb-tsg-service-unavailable",
    ),
}


@dataclass
class Container:
    """A container, and its items by partition key and id."""

    properties: Json
    partitions: int
    first_range: int = 0
    parents: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    items: dict[tuple[str, str], Json] = field(default_factory=dict[tuple[str, str], Json])
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def paths(self) -> list[str]:
        """Paths of the partition key."""
        return list(self.properties["partitionKey"]["paths"])

    def key_of(self, item: Mapping[str, Any]) -> Key:
        """The partition key of an item; `{}` stands for a value that is not there, as on the wire."""
        return tuple(_at(item, path) for path in self.paths)

    def ranges(self) -> list[Json]:
        """The ranges of hashes that partitions hold."""
        edges = ["", *(f"{0xFF * n // self.partitions:02X}" for n in range(1, self.partitions)), "FF"]
        return [
            {
                "id": str(self.first_range + n),
                "_rid": self.properties["_rid"] + f"range{self.first_range + n}",
                "minInclusive": edges[n],
                "maxExclusive": edges[n + 1],
                "status": "online",
                "parents": self.parents.get(str(self.first_range + n), []),
            }
            for n in range(self.partitions)
        ]

    def split(self, partitions: int) -> None:
        """Replace the ranges by others with new ids; the old ones are gone."""
        with self.lock:
            old = self.ranges()
            self.first_range += self.partitions
            self.partitions = partitions
            for new in self.ranges():
                self.parents[new["id"]] = [
                    each["id"]
                    for each in old
                    if each["minInclusive"] < new["maxExclusive"] and new["minInclusive"] < each["maxExclusive"]
                ]

    def hash_of(self, key: Key) -> str:
        """Where a partition key lies; not Azure's own hash, which no client needs to know for whole keys."""
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest().upper()
        return "FE" + digest[2:] if digest.startswith("FF") else digest

    def range_of(self, key: Key) -> Json:
        """The range that a partition key lies in."""
        place = self.hash_of(key)
        return next(each for each in self.ranges() if each["minInclusive"] <= place < each["maxExclusive"])

    def found(self, key: Key, name: str) -> Json:
        """An item, by partition key and id or resource id.

        Raises:
            CosmosRefused: If there is none.
        """
        item = self.items.get((json.dumps(key), name))
        if item is None:
            of_key = (each for (own, _), each in self.items.items() if own == json.dumps(key))
            item = next((each for each in of_key if each["_rid"] == name), None)
        if item is None:
            raise CosmosRefused(404)
        return item


def _at(item: Mapping[str, Any], path: str) -> Any:
    value: Any = item
    for part in path.strip("/").split("/"):
        value = cast("Json", value).get(part.strip('"'), _MISSING) if isinstance(value, dict) else _MISSING
    return {} if value is _MISSING or isinstance(value, dict | list) else value


@dataclass
class Database:
    """A database and its containers by name."""

    properties: Json
    containers: dict[str, Container] = field(default_factory=dict[str, Container])


class CosmosStore:
    """Everything in the account. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start empty."""
        self.lock = threading.RLock()
        self._numbers = itertools.count(1)  # never started again: clients keep what they know by resource id
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self.lock:
            self.databases: dict[str, Database] = {}

    # Databases and containers

    def database(self, name: str) -> Database:
        """A database, by name or resource id."""
        with self.lock:
            for database in self.databases.values():
                if name in (database.properties["id"], database.properties["_rid"]):
                    return database
        raise CosmosRefused(404, 'Message: {"Errors":["Owner resource does not exist"]}', substatus=1003)

    def create_database(self, body: Json) -> Json:
        """Make a database."""
        name = _checked_id(body)
        with self.lock:
            if name in self.databases:
                raise CosmosRefused(409)
            rid = self._rid(4)
            properties = {"id": name, **_marks(rid, f"dbs/{rid}/"), "_colls": "colls/", "_users": "users/"}
            self.databases[name] = Database(properties)
            return properties

    def container(self, database: str, name: str) -> Container:
        """A container, by names or resource ids."""
        found = self.database(database)
        with self.lock:
            for container in found.containers.values():
                if name in (container.properties["id"], container.properties["_rid"]):
                    return container
        raise CosmosRefused(404, 'Message: {"Errors":["Owner resource does not exist"]}', substatus=1003)

    def create_container(self, database: str, body: Json, partitions: int) -> Json:
        """Make a container of some partitions."""
        found = self.database(database)
        name = _checked_id(body)
        key = body.get("partitionKey")
        if not isinstance(key, dict) or not cast("Json", key).get("paths"):
            raise CosmosRefused(400, "Partition key definition is missing.")
        with self.lock:
            if name in found.containers:
                raise CosmosRefused(409)
            database_rid = found.properties["_rid"]
            rid = self._rid(8)
            properties = {
                "indexingPolicy": {"indexingMode": "consistent", "automatic": True},
                **body,
                "id": name,
                **_marks(rid, f"dbs/{database_rid}/colls/{rid}/"),
                "_docs": "docs/",
            }
            found.containers[name] = Container(properties, partitions)
            return properties

    def _rid(self, size: int) -> str:
        raw = next(self._numbers).to_bytes(size, "little")
        return base64.b64encode(raw, altchars=b"+-").decode()

    # Items

    def create(self, container: Container, body: Json, key: Key, *, upsert: bool, match: Match) -> tuple[int, Json]:
        """Put an item: 201 for a new one, 200 where `upsert` replaced one."""
        name = _checked_id(body)
        with container.lock:
            self._check_key(container, body, key)
            old = container.items.get((json.dumps(key), name))
            if old is not None and not upsert:
                raise CosmosRefused(409)
            if old is not None:
                match.check(old)
            self._check_unique(container, body, key, name)
            return (200 if old else 201), self._put(container, key, name, body, old)

    def replace(self, container: Container, name: str, body: Json, key: Key, match: Match) -> Json:
        """Put an item in the place of another."""
        with container.lock:
            old = container.found(key, name)
            match.check(old)
            self._check_key(container, body, key)
            if _checked_id(body) != old["id"]:
                raise CosmosRefused(400, "The id of the item differs from the one in the address.")
            self._check_unique(container, body, key, old["id"])
            return self._put(container, key, old["id"], body, old)

    def delete(self, container: Container, name: str, key: Key, match: Match) -> None:
        """Delete an item."""
        with container.lock:
            old = container.found(key, name)
            match.check(old)
            del container.items[json.dumps(key), old["id"]]

    def patch(self, container: Container, name: str, body: Json, key: Key, match: Match, holds: Any) -> Json:
        """Change parts of an item.

        Args:
            container: The container.
            name: Id of the item.
            body: The request: `operations`, and perhaps a `condition`.
            key: Partition key of the item.
            match: What its ETag must be.
            holds: Says whether the body's `condition` holds for an item.
        """
        operations: Any = body.get("operations")
        if not isinstance(operations, list) or not operations:
            raise CosmosRefused(400, "The patch request has no operations.")
        changes = cast("list[Json]", operations)
        if len(changes) > _MAX_PATCHES:
            raise CosmosRefused(400, f"Too many operations: the limit is {_MAX_PATCHES}.")
        with container.lock:
            old = container.found(key, name)
            match.check(old)
            if body.get("condition") and not holds(body["condition"], old):
                raise CosmosRefused(412, substatus=1110)
            new = copy.deepcopy(old)
            for change in changes:
                _patch(new, change)
            self._check_key(container, new, key)
            return self._put(container, key, old["id"], new, old)

    def _put(self, container: Container, key: Key, name: str, body: Json, old: Json | None) -> Json:
        if len(json.dumps(body).encode()) > MAX_ITEM_BYTES:
            raise CosmosRefused(413)
        rid = old["_rid"] if old else f"{container.properties['_rid'][:-1]}{next(container.numbers):06d}=="
        content = {name: value for name, value in body.items() if name not in _SYSTEM}
        item = {**copy.deepcopy(content), **_marks(rid, f"{container.properties['_self']}docs/{rid}/")}
        item["_attachments"] = "attachments/"
        container.items[json.dumps(key), name] = item
        return item

    def _check_key(self, container: Container, body: Json, key: Key) -> None:
        if container.key_of(body) != key:
            raise CosmosRefused(
                400,
                "PartitionKey extracted from document doesn't match the one specified in the header. "
                "Learn more: https://aka.ms/CosmosDB/sql/errors/wrong-pk-value",
                substatus=1001,
            )

    def _check_unique(self, container: Container, body: Json, key: Key, name: str) -> None:
        policy: Sequence[Json] = container.properties.get("uniqueKeyPolicy", {}).get("uniqueKeys", [])
        for unique in policy:
            values = [_at(body, path) for path in unique["paths"]]
            for (other_key, other_name), other in container.items.items():
                if other_key != json.dumps(key) or other_name == name:
                    continue
                if [_at(other, path) for path in unique["paths"]] == values:
                    raise CosmosRefused(409, "Unique index constraint violation.")


@dataclass(frozen=True)
class Match:
    """`If-Match` and `If-None-Match` of a request."""

    if_match: str = ""
    if_none_match: str = ""

    def check(self, item: Json) -> None:
        """Refuse to change an item that is not the one that the client has seen."""
        if self.if_match not in ("", "*", item["_etag"]) or self.if_none_match in ("*", item["_etag"]):
            raise CosmosRefused(412)


def _marks(rid: str, link: str) -> Json:
    return {"_rid": rid, "_self": link, "_etag": f'"{uuid.uuid4()}"', "_ts": int(time.time())}


def _checked_id(body: Json) -> str:
    name = body.get("id")
    if not isinstance(name, str) or not name or set(name) & set("/\\?#") or len(name) > 1023:
        raise CosmosRefused(
            400, "The input content is invalid because the required properties - 'id; ' - are missing or wrong."
        )
    return name


def _patch(item: Json, change: Json) -> None:
    # https://learn.microsoft.com/azure/cosmos-db/partial-document-update#supported-operations
    operation, path = change.get("op"), str(change.get("path", ""))
    if not path.startswith("/"):
        raise CosmosRefused(400, f"Patch: the path '{path}' does not start with a slash.")
    *above, last = path[1:].split("/")
    parent: Any = item
    for part in above:
        parent = _child(parent, part)
        if parent is _MISSING:
            raise CosmosRefused(400, f"For Patch, the path '{path}' is not there.")
    old = _child(parent, last)
    if operation in ("replace", "remove", "move") and old is _MISSING:
        raise CosmosRefused(400, f"For {operation} operation, the path '{path}' is not there.")
    if operation == "incr":
        if old is not _MISSING and (isinstance(old, bool) or not isinstance(old, int | float)):
            raise CosmosRefused(400, f"For Increment operation, the value at '{path}' is not a number.")
        _set(parent, last, (0 if old is _MISSING else old) + change["value"], insert=False)
    elif operation in ("add", "set", "replace"):
        _set(parent, last, change["value"], insert=operation == "add")
    elif operation == "remove":
        del parent[int(last) if isinstance(parent, list) else last]
    else:
        raise CosmosRefused(400, f"Patch: the operation '{operation}' is not known here.")


def _child(parent: Any, part: str) -> Any:
    if isinstance(parent, dict):
        return cast("Json", parent).get(part, _MISSING)
    if isinstance(parent, list) and part.isdigit() and int(part) < len(cast("list[Any]", parent)):
        return cast("list[Any]", parent)[int(part)]
    return _MISSING


def _set(parent: Any, part: str, value: Any, *, insert: bool) -> None:
    if isinstance(parent, list):
        members = cast("list[Any]", parent)
        if part == "-":
            members.append(value)
        elif insert:
            members.insert(int(part), value)
        else:
            members[int(part)] = value
    else:
        parent[part] = value
