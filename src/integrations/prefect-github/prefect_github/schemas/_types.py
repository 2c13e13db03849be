"""Types of sgqlc, built from what the schema says of them. This module loads sgqlc."""

from __future__ import annotations

from collections.abc import Iterator
from threading import RLock
from typing import Any, cast

import sgqlc.types
import sgqlc.types.datetime
import sgqlc.types.relay
from sgqlc.types import Arg, Field, Input, Interface, Schema, Type, Union

from ._facts import Member, TypeFacts, facts, has, names

_sgqlc: Any = sgqlc.types  # without type hints

_MODULE = f"{__package__}.graphql_schema"

# Scalars that sgqlc turns into what Python has for them.
_SCALARS: dict[str, Any] = {
    "Boolean": sgqlc.types.Boolean,
    "Date": sgqlc.types.datetime.Date,
    "DateTime": sgqlc.types.datetime.DateTime,
    "Float": sgqlc.types.Float,
    "ID": sgqlc.types.ID,
    "Int": sgqlc.types.Int,
    "String": sgqlc.types.String,
}

_lock = RLock()


class GitHubSchema(Schema):
    """All types of GitHub's schema, each built when it is first looked up."""

    __slots__ = ()

    def __init__(self) -> None:
        """Begin without types: those that other code has declared for sgqlc are no part of it."""
        super().__init__()
        plain: Any = super()
        for each in list(plain.__iter__()):
            plain.__isub__(each)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and has(key)

    def __getitem__(self, key: str) -> Any:
        plain: Any = super()
        with _lock:  # a type registers itself before it is whole
            if has(key) and not plain.__contains__(key):
                _build(self, facts(key))
            return plain.__getitem__(key)

    def __getattr__(self, key: str) -> Any:
        if not key.startswith("_") and has(key):
            return self[key]
        if key in ("enum", "input", "interface", "scalar", "type", "union"):
            list(self)  # a register of all types of a kind
        plain: Any = super()
        return plain.__getattr__(key)

    def __iter__(self) -> Iterator[Any]:
        return iter([self[name] for name in names()])


class _PossibleTypes(dict[str, Any]):
    """The types of an interface, by name, for answers that name theirs in `__typename`."""

    def __init__(self, schema: GitHubSchema, interface: str) -> None:
        super().__init__()
        self._schema = schema
        self._interface = interface

    def get(self, name: Any, default: Any = None) -> Any:
        """Find a type of the interface, building it if need be."""
        if name not in self and has(name) and self._interface in facts(name).implements:
            self[name] = self._schema[name]
        return super().get(name, default)


def _reference(kind: str) -> Any:
    """Name a type, so that it is built when it is looked at."""
    if kind.endswith("!"):
        return _sgqlc.non_null(_reference(kind[:-1]))
    if kind.startswith("["):
        return _sgqlc.list_of(_reference(kind[1:-1]))
    return _SCALARS.get(kind, kind)


def _python_name(name: str) -> str:
    return _sgqlc.Field._to_python_name(name)  # noqa: SLF001 - how sgqlc's own generator names attributes


def _argument(member: Member) -> Any:
    argument = Arg(_reference(member.type), graphql_name=member.name)
    if member.default is not ...:
        argument.default = member.default  # given to `Arg`, it would be checked at once, which needs the type
    return argument


def _field(member: Member) -> Any:
    arguments = {_python_name(each.name): _argument(each) for each in member.arguments.values()}
    return Field(_reference(member.type), graphql_name=member.name, args=arguments)


def _build(schema: GitHubSchema, known: TypeFacts) -> None:
    """Build a type, which registers itself in the schema."""
    if known.name in _SCALARS:
        cast("Any", schema).__iadd__(_SCALARS[known.name])
        return
    body: dict[str, Any] = {"__schema__": schema, "__module__": _MODULE}
    bases: tuple[Any, ...]
    if known.kind == "scalar":
        bases = (sgqlc.types.Scalar,)
    elif known.kind == "enum":
        bases, body["__choices__"] = (sgqlc.types.Enum,), known.choices
    elif known.kind == "union":
        bases, body["__types__"] = (Union,), tuple(schema[name] for name in known.choices)
    else:
        fields = {_python_name(each.name): _field(each) for each in known.fields.values()}
        body |= {"__field_names__": tuple(fields), **fields}
        bases = _bases(schema, known)
    built: Any = type(bases[0])(known.name, bases, body)
    if known.kind == "interface":
        built.__possible_types__ = _PossibleTypes(schema, known.name)


def _bases(schema: GitHubSchema, known: TypeFacts) -> tuple[Any, ...]:
    if known.kind == "input":
        return (Input,)
    if known.kind == "interface":
        return (Interface,)
    first: Any = sgqlc.types.relay.Connection if known.name.endswith("Connection") else Type
    return (first, *(schema[name] for name in known.implements))


schema = GitHubSchema()
for _root in ("Query", "Mutation"):  # what `Operation` looks for in a schema
    schema[_root]
