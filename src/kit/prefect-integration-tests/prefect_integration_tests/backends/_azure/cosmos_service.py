"""The operations of a local Cosmos DB account: what each request changes and answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from .cosmos_calls import CosmosCall
from .cosmos_query import Statement, plan
from .cosmos_sql import SqlRefused
from .cosmos_store import Container, CosmosRefused, CosmosStore, Json, Key, Match

_PAGE_ITEMS = 100
_NEEDS_PLAN = (
    "The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) "
    "exception that all newer clients will know how to handle gracefully."
)
_NEEDS_FLAG = (
    "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, "
    "specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
)


@dataclass
class Answer:
    """What is sent back."""

    status: int
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    charge: float = 1.0


class CosmosService:
    """Answers calls whose sender is known."""

    def __init__(self, store: CosmosStore) -> None:
        """Serve what a store keeps."""
        self.store = store
        self.partitions = 1
        self._handlers: dict[str, Callable[[CosmosCall], Answer]] = {
            "Databases_List": self._list_databases,
            "Database_Create": lambda call: _made(self.store.create_database(call.body)),
            "Database_Get": lambda call: _read(self.store.database(call.path[1]).properties),
            "Database_Delete": self._delete_database,
            "Containers_List": self._list_containers,
            "Container_Create": self._create_container,
            "Container_Get": lambda call: _read(self._container(call).properties),
            "Container_Delete": self._delete_container,
            "PartitionKeyRanges_List": self._list_ranges,
            "Items_List": lambda call: self._page(call, self._items_in_reach(call)),
            "Items_Plan": lambda call: Answer(200, plan(_statement(call))),
            "Items_Query": self._query,
            "Item_Create": self._create,
            "Item_Upsert": self._create,
            "Item_Get": self._get,
            "Item_Replace": self._replace,
            "Item_Patch": self._patch,
            "Item_Delete": self._delete,
        }

    def answer(self, call: CosmosCall) -> Answer:
        """Do what a call asks.

        Raises:
            CosmosRefused: The refusal.
        """
        handler = self._handlers.get(call.method)
        if handler is None:
            raise CosmosRefused(400, f"The local server has no {call.method}.")
        try:
            return handler(call)
        except SqlRefused as exc:
            errors = {"errors": [{"severity": "Error", "code": "SC1001", "message": str(exc)}]}
            raise CosmosRefused(400, f"Message: {json.dumps(errors)}") from exc

    # Databases and containers

    def _list_databases(self, call: CosmosCall) -> Answer:
        return self._page(call, [each.properties for each in self.store.databases.values()], "Databases")

    def _delete_database(self, call: CosmosCall) -> Answer:
        del self.store.databases[self.store.database(call.path[1]).properties["id"]]
        return Answer(204)

    def _list_containers(self, call: CosmosCall) -> Answer:
        found = self.store.database(call.path[1]).containers.values()
        return self._page(call, [each.properties for each in found], "DocumentCollections")

    def _create_container(self, call: CosmosCall) -> Answer:
        return _made(self.store.create_container(call.path[1], call.body, self.partitions))

    def _delete_container(self, call: CosmosCall) -> Answer:
        name = self._container(call).properties["id"]
        del self.store.database(call.path[1]).containers[name]
        return Answer(204)

    def _container(self, call: CosmosCall) -> Container:
        return self.store.container(call.path[1], call.path[3])

    def _list_ranges(self, call: CosmosCall) -> Answer:
        container = self._container(call)
        etag = f'"{container.first_range}-{container.partitions}"'
        if call.headers.get("if-none-match") == etag:
            return Answer(304, headers={"etag": etag})
        answer = _list("PartitionKeyRanges", container.ranges(), container)
        answer.headers["etag"] = etag
        return answer

    # Items

    def _create(self, call: CosmosCall) -> Answer:
        container = self._container(call)
        status, item = self.store.create(
            container, call.body, _key(call, container), upsert=call.method == "Item_Upsert", match=_match(call)
        )
        return _written(call, status, item)

    def _get(self, call: CosmosCall) -> Answer:
        container = self._container(call)
        item = container.found(_key(call, container), call.path[5])
        if call.headers.get("if-none-match") == item["_etag"]:
            return Answer(304, headers={"etag": item["_etag"]})
        return _read(item)

    def _replace(self, call: CosmosCall) -> Answer:
        container = self._container(call)
        item = self.store.replace(container, call.path[5], call.body, _key(call, container), _match(call))
        return _written(call, 200, item)

    def _patch(self, call: CosmosCall) -> Answer:
        container = self._container(call)

        def holds(condition: str, item: Json) -> bool:
            return bool(Statement(f"SELECT VALUE 1 {condition}").run([item]))

        item = self.store.patch(container, call.path[5], call.body, _key(call, container), _match(call), holds)
        return _written(call, 200, item)

    def _delete(self, call: CosmosCall) -> Answer:
        container = self._container(call)
        self.store.delete(container, call.path[5], _key(call, container), _match(call))
        return Answer(204, charge=6.0)

    def _query(self, call: CosmosCall) -> Answer:
        container = self._container(call)
        statement = _statement(call)
        range_id = call.headers.get("x-ms-documentdb-partitionkeyrangeid")
        if "x-ms-documentdb-partitionkey" not in call.headers and range_id is None:
            if not call.flag("x-ms-documentdb-query-enablecrosspartition"):
                raise CosmosRefused(400, _NEEDS_FLAG)
            if statement.needs_plan and len(container.ranges()) > 1:
                more = {"additionalErrorInfo": json.dumps(plan(statement))}
                raise CosmosRefused(400, _NEEDS_PLAN, substatus=1004, more=more)
        return self._page(call, statement.run(self._items_in_reach(call)))

    def _items_in_reach(self, call: CosmosCall) -> list[Json]:
        """Items of the partition key or range that a call names; without any, all."""
        container = self._container(call)
        with container.lock:
            items = list(container.items.values())
        if "x-ms-documentdb-partitionkey" in call.headers:
            key = _key(call, container)
            return [item for item in items if container.key_of(item) == key]
        range_id = call.headers.get("x-ms-documentdb-partitionkeyrangeid")
        if range_id is None:
            return items
        if range_id not in {each["id"] for each in container.ranges()}:
            raise CosmosRefused(410, "The requested partition key range is gone.", substatus=1002)
        return [item for item in items if container.range_of(container.key_of(item))["id"] == range_id]

    def _page(self, call: CosmosCall, results: Sequence[Any], name: str = "Documents") -> Answer:
        size = int(call.headers.get("x-ms-max-item-count", "-1"))
        size = _PAGE_ITEMS if size < 1 else min(size, 1000)
        start = _start(call.headers.get("x-ms-continuation"))
        page = results[start : start + size]
        container = self._container(call) if len(call.path) > 4 else None
        answer = _list(name, page, container)
        if start + size < len(results):
            token = json.dumps({"token": base64.b64encode(str(start + size).encode()).decode()})
            answer.headers["x-ms-continuation"] = token
        return answer


def _start(continuation: str | None) -> int:
    if not continuation:
        return 0
    try:
        return int(base64.b64decode(json.loads(continuation)["token"]))
    except (ValueError, KeyError, TypeError):
        raise CosmosRefused(400, "Invalid Continuation Token") from None


def _statement(call: CosmosCall) -> Statement:
    return Statement(str(call.body.get("query", "")), cast("list[Json]", call.body.get("parameters") or []))


def _match(call: CosmosCall) -> Match:
    return Match(call.headers.get("if-match", ""), call.headers.get("if-none-match", ""))


def _key(call: CosmosCall, container: Container) -> Key:
    given = call.headers.get("x-ms-documentdb-partitionkey")
    if given is None:
        raise CosmosRefused(
            400, "PartitionKey value must be supplied for this operation. https://aka.ms/CosmosDB/sql/errors/missing-pk"
        )
    values: Any = json.loads(given)
    if not isinstance(values, list) or len(cast("list[Any]", values)) not in (0, len(container.paths)):
        raise CosmosRefused(400, "Partition key provided doesn't correspond to definition in the collection.")
    nothing: list[Any] = [{}] * len(container.paths)
    return tuple(cast("list[Any]", values) or nothing)


def _read(body: Json) -> Answer:
    return Answer(200, body, {"etag": body["_etag"]})


def _made(body: Json) -> Answer:
    return Answer(201, body, {"etag": body["_etag"]}, charge=4.95)


def _written(call: CosmosCall, status: int, item: Json) -> Answer:
    wants_body = call.headers.get("prefer", "") != "return=minimal"
    return Answer(status, item if wants_body else None, {"etag": item["_etag"]}, charge=6.29)


def _list(name: str, members: Sequence[Any], container: Container | None) -> Answer:
    rid = container.properties["_rid"] if container else ""
    body = {"_rid": rid, name: list(members), "_count": len(members)}
    return Answer(200, body, {"x-ms-item-count": str(len(members))}, charge=2.8)
