"""What GitHub's schema says of a type, read from `graphql_schema.json` when it is asked for; without sgqlc."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("graphql_schema.json")

LEAVES = ("scalar", "enum")


@dataclass(frozen=True)
class Member:
    """A field of a type, or an argument of a field.

    Attributes:
        name: In GraphQL, such as `createdAt`.
        type: In GraphQL, such as `[String!]!`.
        default: Of an argument or a field of an input, as JSON; `...` when there is none.
        arguments: By name, of a field.
        is_leaving: Whether GitHub advises against it, or has removed it from its schema.
    """

    name: str
    type: str
    default: Any
    arguments: Mapping[str, Member]
    is_leaving: bool = False

    @property
    def named_type(self) -> str:
        """Name of the type without the marks of lists and of what is never null."""
        return self.type.strip("[]!")

    @property
    def is_required(self) -> bool:
        """Whether a value must be given."""
        return self.type.endswith("!") and self.default is ...

    @property
    def needs_arguments(self) -> bool:
        """Whether it cannot be asked for without arguments."""
        return any(argument.is_required for argument in self.arguments.values())


@dataclass(frozen=True)
class TypeFacts:
    """A type.

    Attributes:
        name: Its name.
        kind: `enum`, `scalar`, `input`, `type`, `interface` or `union`.
        fields: By name in GraphQL, in the order of the schema.
        implements: Names of its interfaces.
        choices: Values of an enum, names of the types of a union.
    """

    name: str
    kind: str
    fields: Mapping[str, Member]
    implements: tuple[str, ...]
    choices: tuple[str, ...]

    @cached_property
    def _spellings(self) -> dict[str, Member]:
        return {_folded(name): each for name, each in self.fields.items()}

    def find(self, name: str) -> Member | None:
        """Find a field by its name in GraphQL or in snake case."""
        return self.fields.get(name) or self._spellings.get(_folded(name))


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def near(name: str, names: Iterable[str]) -> str:
    """Say which names resemble one that does not exist, as a sentence behind the one that says so.

    Args:
        name: The name.
        names: Those that exist.
    """
    spelled = {_folded(each): each for each in names}
    found = [spelled[each] for each in difflib.get_close_matches(_folded(name), spelled, n=3)]
    if not found and len(spelled) <= 12:
        return f" Known: {', '.join(spelled.values())}."
    return f" Did you mean {', '.join(found)}?" if found else ""


@lru_cache(maxsize=1)
def _lines() -> dict[str, str]:
    """Read the line of each type, which holds JSON."""
    pairs = (line.partition(":") for line in PATH.read_text(encoding="utf-8").splitlines()[1:-1])
    return {name[1:-1]: record.rstrip(",") for name, _, record in pairs}


def names() -> tuple[str, ...]:
    """Name all types of the schema."""
    return tuple(_lines())


def has(name: str) -> bool:
    """Say whether the schema has a type."""
    return name in _lines()


def _argument(name: str, record: Any) -> Member:
    kind, default = (record, ...) if isinstance(record, str) else record
    return Member(name, kind, default, {})


def _field(name: str, record: Any, *, is_leaving: bool) -> Member:
    pair: tuple[str, dict[str, Any]] = (record, {}) if isinstance(record, str) else record
    kind, arguments = pair
    return Member(name, kind, ..., {key: _argument(key, each) for key, each in arguments.items()}, is_leaving)


@lru_cache(maxsize=256)
def facts(name: str) -> TypeFacts:
    """Read what the schema says of a type.

    Raises:
        KeyError: If it has no such type.
    """
    record: dict[str, Any] = json.loads(_lines()[name])
    fields: dict[str, Any] = record.get("fields", {})
    leaving = record.get("leaving", ())
    is_input = record["kind"] == "input"
    return TypeFacts(
        name,
        record["kind"],
        {
            key: _argument(key, each) if is_input else _field(key, each, is_leaving=key in leaving)
            for key, each in fields.items()
        },
        tuple(record.get("implements", ())),
        tuple(record.get("choices", ())),
    )
