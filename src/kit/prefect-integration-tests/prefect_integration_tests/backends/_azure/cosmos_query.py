"""Queries of Cosmos DB: run over items, and planned for a client that asks each partition by itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from .cosmos_sql import ArrayOf, Call, Literal, Member, Name, ObjectOf, Query, SqlRefused, parse
from .cosmos_sql_values import AGGREGATES, UNDEFINED, Scope, aggregate, names_in, sort_key, text_of

Json = dict[str, Any]


class Statement:
    """A query and the values of its parameters."""

    def __init__(self, text: str, parameters: Sequence[Mapping[str, Any]] = ()) -> None:
        """Parse.

        Raises:
            SqlRefused: If the query is none, or has something that is not known here.
        """
        self.text = text
        self.query = parse(text)
        self.parameters = {str(each["name"]): each["value"] for each in parameters}
        self._expressions = [self.query.value, *(each for _, each in self.query.columns or ())]
        self.aggregates = sorted(AGGREGATES & set[str]().union(*map(names_in, self._expressions)))
        if self.aggregates and self.query.orders:
            raise SqlRefused("ORDER BY with an aggregate is not known here.")
        Scope(self._names({}), self.parameters)

    @property
    def needs_plan(self) -> bool:
        """Whether the gateway refuses to run it over several partitions, so that the client must merge."""
        query = self.query
        return bool(
            self.aggregates or query.orders or query.is_distinct or query.top is not None or query.limit is not None
        )

    def run(self, items: Iterable[Json]) -> list[Any]:
        """Give the results.

        Raises:
            SqlRefused: If a name, parameter or function is not known.
        """
        query = self.query
        scopes = list(self._scopes(items))
        if not scopes:
            self._check_names()
        if query.orders:
            for order in reversed(query.orders):
                scopes.sort(key=lambda scope: sort_key(scope.value(order.by)), reverse=order.is_descending)
            # An index has no entry for an item without the property, so such an item is in no ordered result.
            scopes = [s for s in scopes if all(s.value(order.by) is not UNDEFINED for order in query.orders)]
        found = self._aggregated(scopes) if self.aggregates else [self._result(scope) for scope in scopes]
        results = [result for result in found if result is not UNDEFINED]
        if query.is_distinct:
            results = list({text_of(result): result for result in results}.values())
        return results[self.window()]

    def window(self) -> slice:
        """Which of all results the query wants: TOP, OFFSET and LIMIT."""
        query = self.query
        if query.top is not None:
            return slice(0, self._count(query.top))
        if query.limit is None:
            return slice(None)
        offset = self._count(query.offset)
        return slice(offset, offset + self._count(query.limit))

    def _count(self, node: Any) -> int:
        value = Scope({}, self.parameters).value(node)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise SqlRefused("TOP, OFFSET and LIMIT take a number from 0.")
        return value

    def _names(self, item: Any) -> dict[str, Any]:
        return {"root": item, self.query.alias: item}

    def _check_names(self) -> None:
        """Refuse a name that is not known, even if there is no item to look at."""
        names = dict.fromkeys((self.query.alias, "root", *(alias for alias, _ in self.query.joins)), UNDEFINED)
        scope = Scope(names, self.parameters)
        for expression in (*self._expressions, self.query.where, *(order.by for order in self.query.orders)):
            if expression is not None and not self.aggregates:
                scope.value(expression)

    def _scopes(self, items: Iterable[Json]) -> Iterator[Scope]:
        query = self.query
        for item in items:
            root = Scope({"root": item}, self.parameters)
            members = [item] if query.source is None else _iterated(root.value(query.source))
            for member in members:
                yield from self._joined({"root": item, query.alias: member}, query.joins)

    def _joined(self, names: dict[str, Any], joins: Sequence[tuple[str, Any]]) -> Iterator[Scope]:
        if joins:
            (alias, path), *rest = joins
            for member in _iterated(Scope(names, self.parameters).value(path)):
                yield from self._joined({**names, alias: member}, rest)
            return
        scope = Scope(names, self.parameters)
        if self.query.where is None or scope.value(self.query.where) is True:
            yield scope

    def _result(self, scope: Scope) -> Any:
        query = self.query
        if query.value is not None:
            return scope.value(query.value)
        if query.columns is None:
            return scope.names[query.alias]
        return {name: value for name, each in query.columns if (value := scope.value(each)) is not UNDEFINED}

    def _aggregated(self, scopes: list[Scope]) -> list[Any]:
        empty = Scope({}, self.parameters)

        def value(node: Any) -> Any:
            if isinstance(node, Call) and node.function in AGGREGATES:
                return aggregate(node.function, [scope.value(node.arguments[0]) for scope in scopes])
            if isinstance(node, ArrayOf):
                return [found for each in node.members if (found := value(each)) is not UNDEFINED]
            if isinstance(node, ObjectOf):
                return {name: found for name, each in node.members if (found := value(each)) is not UNDEFINED}
            return empty.value(node)

        if self.query.value is not None:
            return [value(self.query.value)]
        columns = self.query.columns or ()
        return [{name: found for name, each in columns if (found := value(each)) is not UNDEFINED}]


def _iterated(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def plan(statement: Statement) -> Json:
    """Plan a query as the gateway does, for a client that asks each partition and merges.

    https://learn.microsoft.com/rest/api/cosmos-db/querying-cosmosdb-resources-using-the-rest-api

    Raises:
        SqlRefused: If the Python SDK could not merge it.
    """
    query = statement.query
    window = statement.window()
    is_limited = query.limit is not None
    info: Json = {
        "distinctType": ("Ordered" if query.orders else "Unordered") if query.is_distinct else "None",
        "top": window.stop if query.top is not None else None,
        "offset": window.start if is_limited else None,
        "limit": window.stop - window.start if is_limited else None,
        "orderBy": ["Descending" if order.is_descending else "Ascending" for order in query.orders],
        "orderByExpressions": [write(order.by) for order in query.orders],
        "groupByExpressions": [],
        "groupByAliases": [],
        "aggregates": _outer_aggregates(query),
        "groupByAliasToAggregateType": {},
        "rewrittenQuery": _rewritten(statement, window),
        "hasSelectValue": query.value is not None,
        "hasNonStreamingOrderBy": False,
    }
    ranges = [{"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}]
    return {"partitionedQueryExecutionInfoVersion": 2, "queryInfo": info, "queryRanges": ranges}


def _outer_aggregates(query: Query) -> list[str]:
    names = {"COUNT": "Count", "SUM": "Sum", "MIN": "Min", "MAX": "Max", "AVG": "Average"}
    expressions = [query.value, *(each for _, each in query.columns or ())]
    return [names[each.function] for each in expressions if isinstance(each, Call) and each.function in names]


def _rewritten(statement: Statement, window: slice) -> str:
    query = statement.query
    tail = ""
    if query.where is not None:
        tail += f" WHERE {write(query.where)}"
    source = f" FROM {query.alias}" if query.source is None else f" FROM {query.alias} IN {write(query.source)}"
    source += "".join(f" JOIN {alias} IN {write(path)}" for alias, path in query.joins)
    top = f"TOP {window.stop} " if window.stop is not None else ""
    distinct = "DISTINCT " if query.is_distinct else ""
    if statement.aggregates:
        (call,) = [query.value] if isinstance(query.value, Call) else [None]
        if call is None:
            return statement.text  # which the SDK refuses by itself
        inner = write(call)
        if call.function == "AVG":
            of = write(call.arguments[0])
            inner = f'{{"sum": SUM({of}), "count": COUNT({of})}}'
        return f'SELECT VALUE [{{"item": {inner}}}]{source}{tail}'
    if query.value is not None:
        payload = write(query.value)
    elif query.columns is not None:
        payload = "{" + ", ".join(f'"{name}": {write(each)}' for name, each in query.columns) + "}"
    else:
        payload = query.alias
    if not query.orders:
        return f"SELECT {distinct}{top}VALUE {payload}{source}{tail}"
    items = ", ".join(f'{{"item": {write(order.by)}}}' for order in query.orders)
    filtered = f" WHERE ({write(query.where)}) AND (" if query.where is not None else " WHERE ("
    by = ", ".join(f"{write(order.by)} {'DESC' if order.is_descending else 'ASC'}" for order in query.orders)
    return (
        f"SELECT {distinct}{top}root._rid, [{items}] AS orderByItems, {payload} AS payload{source}{filtered}"
        f"{{documentdb-formattableorderbyquery-filter}}) ORDER BY {by}"
    )


def write(node: Any) -> str:
    """Write an expression."""
    if isinstance(node, Literal):
        return "undefined" if node.is_undefined else text_of(node.value)
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Member):
        return f"{write(node.of)}[{text_of(node.key) if isinstance(node.key, str | int) else write(node.key)}]"
    if isinstance(node, ArrayOf):
        return "[" + ", ".join(map(write, node.members)) + "]"
    if isinstance(node, ObjectOf):
        return "{" + ", ".join(f"{text_of(name)}: {write(each)}" for name, each in node.members) + "}"
    if isinstance(node, Call):
        return _written_call(node)
    return str(node.name)


def _written_call(node: Call) -> str:
    written = list(map(write, node.arguments))
    if node.function == "not":
        return f"(NOT {written[0]})"
    if node.function == "in":
        return f"({written[0]} IN ({', '.join(written[1:])}))"
    if node.function.isupper():
        return f"{node.function}({', '.join(written)})"
    return f"({written[0]} {node.function.upper()} {written[1]})"


def pages(results: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut results into pages."""
    iterator = iter(results)
    return iter(lambda: list(itertools.islice(iterator, size)), [])
