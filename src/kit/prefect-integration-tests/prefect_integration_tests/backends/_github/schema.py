"""GitHub's public schema, and answers in its shape: what a test has put there, and values made up for the rest.

The schema is that of the npm package @octokit/graphql-schema (MIT licence), without descriptions.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from graphql import (
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    execute_sync,  # pyright: ignore[reportUnknownVariableType]
    parse,
    validate,
)

Version = Literal["today", "2022"]
Json = dict[str, Any]

_MAX_PAGE = 100

# Values for scalars of each type, as GitHub writes them.
_SCALARS: dict[str, Any] = {
    "Base64String": "aGVsbG8=",
    "BigInt": "1",
    "Boolean": True,
    "Date": "2026-01-02",
    "DateTime": "2026-01-02T03:04:05Z",
    "Float": 0.5,
    "GitObjectID": "0123456789abcdef0123456789abcdef01234567",
    "GitTimestamp": "2026-01-02T03:04:05Z",
    "HTML": "<p>text</p>",
    "Int": 1,
    "PreciseDateTime": "2026-01-02T03:04:05.000Z",
    "URI": "https://github.com/shop/etl",
}


class FieldError(Exception):
    """What a field answers in place of a value.

    Attributes:
        type: GitHub's word for it, such as `NOT_FOUND`.
    """

    def __init__(self, type: str, message: str) -> None:  # noqa: A002 - GitHub's name
        super().__init__(message)
        self.type = type


Guard = Callable[[str, str], None]
"""Told the type and the name of each field that is resolved; it may raise a `FieldError`."""


@lru_cache(maxsize=2)
def schema_of(version: Version) -> GraphQLSchema:
    """Build the schema; that takes most of a second, once in a process.

    Args:
        version: `today`, or `2022` with types that GitHub has removed since.
    """
    text = gzip.decompress((Path(__file__).parent / f"schema-{version}.graphql.gz").read_bytes()).decode()
    # The published text has fields twice and uneven deprecations, which strict checking refuses.
    return build_schema(text, assume_valid=True, assume_valid_sdl=True)


def execute(version: Version, body: Mapping[str, Any], data: Mapping[str, Any], guard: Guard) -> Json:
    """Check an operation against the schema, and answer it as GitHub does.

    Args:
        version: Of the schema.
        body: `query` and `variables`, as they came.
        data: What is there: a tree by names of fields. A value may be a function of the field's arguments, or a
            `FieldError`. What it does not hold is made up.
        guard: Asked before each field.
    """
    schema = schema_of(version)
    try:
        document = parse(str(body.get("query")))
    except GraphQLError as exc:
        return {"errors": [_refused(exc, "parseError")]}
    wrong = validate(schema, document)
    if wrong:
        return {"errors": [_refused(error, "undefinedField") for error in wrong]}
    result = execute_sync(
        schema,
        document,
        dict(data),
        variable_values=cast("Json", body.get("variables") or {}),
        operation_name=cast("str | None", body.get("operationName")),
        field_resolver=_Resolver(guard),
        type_resolver=_type_of,
    )
    answer: Json = {}
    if result.data is not None or not result.errors:
        answer["data"] = result.data
    if result.errors:
        answer["errors"] = [_failed(error) for error in result.errors]
        if any(error.path for error in result.errors):
            answer.setdefault("data", None)
    return answer


class _Resolver:
    """Finds the value of a field: what is there, or one that is made up."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __call__(self, source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        self._guard(info.parent_type.name, info.field_name)
        _check_page(info, arguments)
        known: Json = cast("Json", source) if isinstance(source, dict) else {}
        if info.field_name in known:
            value: Any = known[info.field_name]
            value = value(**arguments) if callable(value) else value
        else:
            value = _made_up(cast("Any", info.return_type), info)
        if isinstance(value, FieldError):
            raise value
        return value


def _check_page(info: GraphQLResolveInfo, arguments: Mapping[str, Any]) -> None:
    """Refuse a connection without bounds: https://docs.github.com/en/graphql/guides/using-pagination-in-the-graphql-api."""
    known = info.parent_type.fields[info.field_name].args
    if not {"first", "last", "after", "before"} <= set(known):
        return
    asked = [arguments[name] for name in ("first", "last") if arguments.get(name) is not None]
    if not asked:
        raise FieldError(
            "MISSING_PAGINATION_BOUNDARIES",
            f"You must provide a `first` or `last` value to properly paginate the `{info.field_name}` connection.",
        )
    if max(asked) > _MAX_PAGE:
        raise FieldError(
            "EXCESSIVE_PAGINATION",
            f"Requesting {max(asked)} records on the `{info.field_name}` connection exceeds the `first` limit of "
            f"{_MAX_PAGE} records.",
        )


def _made_up(kind: Any, info: GraphQLResolveInfo) -> Any:
    if isinstance(kind, GraphQLNonNull):
        return _made_up(cast("Any", kind.of_type), info)
    if isinstance(kind, GraphQLList):
        return [_made_up(cast("Any", kind.of_type), info)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLScalarType):
        return _SCALARS.get(kind.name, f"{info.parent_type.name}.{info.field_name}")
    if isinstance(kind, GraphQLObjectType):
        return {"__typename": kind.name}
    return {}


def _type_of(value: Any, info: GraphQLResolveInfo, kind: GraphQLAbstractType) -> str:
    """Choose the type of a node: as it says itself, or the first that there is."""
    said = value.get("__typename") if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    return said if isinstance(said, str) else info.schema.get_possible_types(kind)[0].name


def _refused(error: GraphQLError, code: str) -> Json:
    return {
        "message": error.message,
        "locations": [{"line": place.line, "column": place.column} for place in error.locations or ()],
        "extensions": {"code": code},
    }


def _failed(error: GraphQLError) -> Json:
    original = error.original_error
    written: Json = {"message": error.message}
    if isinstance(original, FieldError):
        written["type"] = original.type
    if error.path:
        written["path"] = error.path
    written["locations"] = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    return written
