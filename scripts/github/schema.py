"""Read GitHub's schema, and write it down compactly."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from graphql import parse
from graphql.language import (
    ConstDirectiveNode,
    ConstValueNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    UnionTypeDefinitionNode,
    print_ast,
)
from graphql.utilities import value_from_ast_untyped

SCHEMAS = Path(__file__).parent / "schemas"
TODAY, EARLIER = "today", "2022"

BUILT_IN = ("Boolean", "Float", "ID", "Int", "String")

_DESCRIPTION = re.compile(r'^ *"""(?:.|\n)*?"""\n', re.MULTILINE)
_DIRECTIVE = re.compile(r"^directive .*\n|(?: @(?:requiredCapabilities|preview|docsCategory)\([^)]*\))", re.MULTILINE)
_REASON = re.compile(r'@deprecated\(reason: "(?:[^"\\]|\\.)*"\)')
_REMOVAL = re.compile(r"Removal on (\d{4}-\d\d-\d\d)")

# What a node does not have is an empty list, or `None` from graphql-core 3.3 on.
_Fields: TypeAlias = "Iterable[FieldDefinitionNode | InputValueDefinitionNode]"


@dataclass
class Member:
    """A field of a type, or an argument of a field.

    Attributes:
        type: In GraphQL, such as `[String!]!`.
        description: What GitHub says of it.
        default: Of an argument or a field of an input, as JSON; `...` when there is none.
        arguments: By name, of a field.
        deprecated: Why, or `None`.
        removed: Whether only the earlier schema has it.
    """

    type: str
    description: str = ""
    default: Any = ...
    arguments: dict[str, Member] = field(default_factory=dict["str", "Member"])
    deprecated: str | None = None
    removed: bool = False

    @property
    def removal(self) -> str | None:
        """The day on which it goes, as GitHub has announced it."""
        found = _REMOVAL.search(self.deprecated or "")
        return found[1] if found else None


@dataclass
class Definition:
    """A type.

    Attributes:
        kind: `enum`, `scalar`, `input`, `type`, `interface` or `union`.
        fields: By name, of an input, a type or an interface.
        implements: Names of interfaces.
        choices: Values of an enum, types of a union.
    """

    kind: str
    fields: dict[str, Member] = field(default_factory=dict[str, Member])
    implements: list[str] = field(default_factory=list[str])
    choices: list[str] = field(default_factory=list[str])


Schema: TypeAlias = "dict[str, Definition]"


@lru_cache(maxsize=4)
def text(version: str) -> str:
    """Read a version of GitHub's schema, as GitHub writes it.

    Args:
        version: `TODAY` or `EARLIER`.
    """
    return gzip.decompress((SCHEMAS / f"{version}.graphql.gz").read_bytes()).decode()


def stripped(version: str) -> str:
    """Write a version of the schema without what is for readers."""
    bare = _REASON.sub("@deprecated", _DIRECTIVE.sub("", _DESCRIPTION.sub("", text(version))))
    return re.sub(r"\n(?= *\n)", "", bare).strip() + "\n"


def packed(document: str) -> bytes:
    """Pack a text, so that equal texts give equal bytes."""
    return gzip.compress(document.encode(), 9, mtime=0)


def _deprecation(directives: Iterable[ConstDirectiveNode] | None) -> str | None:
    for directive in directives or ():
        if directive.name.value == "deprecated":
            for argument in directive.arguments or ():
                return str(value_from_ast_untyped(argument.value))
            return ""
    return None


def _value(node: ConstValueNode | None) -> Any:
    return ... if node is None else value_from_ast_untyped(node)


def _member(node: FieldDefinitionNode | InputValueDefinitionNode) -> Member:
    return Member(
        type=print_ast(node.type),
        description=node.description.value if node.description else "",
        default=_value(node.default_value) if isinstance(node, InputValueDefinitionNode) else ...,
        arguments={a.name.value: _member(a) for a in node.arguments or ()}
        if isinstance(node, FieldDefinitionNode)
        else {},
        deprecated=_deprecation(node.directives),
    )


def _members(nodes: _Fields | None) -> dict[str, Member]:
    return {node.name.value: _member(node) for node in nodes or ()}


@lru_cache(maxsize=4)
def read(version: str) -> Schema:
    """Read the types of a version of the schema, by name."""
    types: Schema = {}
    for node in parse(text(version), no_location=True).definitions:
        if isinstance(node, EnumTypeDefinitionNode):
            types[node.name.value] = Definition("enum", choices=[value.name.value for value in node.values or ()])
        elif isinstance(node, ScalarTypeDefinitionNode):
            types[node.name.value] = Definition("scalar")
        elif isinstance(node, UnionTypeDefinitionNode):
            types[node.name.value] = Definition("union", choices=[each.name.value for each in node.types or ()])
        elif isinstance(node, InputObjectTypeDefinitionNode):
            types[node.name.value] = Definition("input", fields=_members(node.fields))
        elif isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            types[node.name.value] = Definition(
                "type" if isinstance(node, ObjectTypeDefinitionNode) else "interface",
                fields=_members(node.fields),
                implements=[each.name.value for each in node.interfaces or ()],
            )
    return {**{name: Definition("scalar") for name in BUILT_IN}, **types}


def _merged_members(today: dict[str, Member], earlier: dict[str, Member]) -> dict[str, Member]:
    merged = dict(today)
    for name, old in earlier.items():
        if name in merged:
            new = merged[name]
            arguments = _merged_members(new.arguments, old.arguments)
            merged[name] = Member(new.type, new.description, new.default, arguments, new.deprecated, new.removed)
        else:
            merged[name] = Member(old.type, old.description, old.default, old.arguments, old.deprecated, removed=True)
    return merged


@lru_cache(maxsize=1)
def merged() -> Schema:
    """Read today's types with what the earlier schema has beside them."""
    types = dict(read(TODAY))
    for name, old in read(EARLIER).items():
        new = types.get(name)
        if new is None or new.kind != old.kind:
            types.setdefault(name, old)
            continue
        types[name] = Definition(
            new.kind,
            _merged_members(new.fields, old.fields),
            [*new.implements, *(each for each in old.implements if each not in new.implements)],
            [*new.choices, *(each for each in old.choices if each not in new.choices)],
        )
    return dict(sorted(types.items()))


def _written_member(member: Member) -> Any:
    if member.arguments:
        return [member.type, {name: _written_member(each) for name, each in member.arguments.items()}]
    return member.type if member.default is ... else [member.type, member.default]


def _written(definition: Definition) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": definition.kind}
    if definition.fields:
        record["fields"] = {name: _written_member(each) for name, each in definition.fields.items()}
    if definition.implements:
        record["implements"] = definition.implements
    if definition.choices:
        record["choices"] = definition.choices
    if leaving := [n for n, each in definition.fields.items() if each.removed or each.deprecated is not None]:
        record["leaving"] = leaving
    return record


def compact() -> str:
    """Write the merged types as JSON, each on a line of its own so that one can be read without the others."""
    lines = [
        f'"{name}":{json.dumps(_written(each), separators=(",", ":"), ensure_ascii=False)}'
        for name, each in merged().items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"
