"""Which fields an answer holds: `return_fields` as a selection in GraphQL. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .schemas._facts import LEAVES, Member, TypeFacts, facts, has, near

PAGE = 100
"""How many elements are asked for where nothing says how many: GitHub demands a number, and gives at most 100
(https://docs.github.com/en/graphql/guides/using-pagination-in-the-graphql-api)."""

_TOKEN = re.compile(r'\s*,?\s*(\.\.\.|[{}]|[_A-Za-z]\w*|\((?:[^()"]|"(?:\\.|[^"\\])*")*\)|[^\s,])')

# What names a thing and says where it stands, which is what is asked for where nothing says more. No field here needs a
# scope that reading the thing itself does not need.
_BRIEF = re.findall(
    r"\w+",
    """
    id name nameWithOwner login slug key number title tagName domain emoji message state status reason limit url
    createdAt updatedAt endCursor hasNextPage cursor
    """,
)
_FULL = re.findall(
    r"\w+",
    """
    abbreviatedOid additions allowsForcePushes baseRefName body byteSize changedFiles closed closedAt color
    committedDate content databaseId deletions description dueOn expiresAt forkCount hasPinnedItems headRefName
    homepageUrl isAnswered isArchived isDraft isEmpty isFork isLatest isLocked isPrerelease isPrivate isTemplate
    isVerified location locked mergeable merged mergedAt oid organizationName origin path pattern prefix privacy
    progressPercentage public publishedAt pushedAt resourcePath reviewDecision shortDescription spdxId sshUrl
    stargazerCount submittedAt tagCommit target title totalCount type visibility websiteUrl
    """,
)


@dataclass(frozen=True)
class _Wanted:
    """A field that is asked for, as written.

    Attributes:
        name: Its name, or `... on Type`.
        arguments: As written, with the brackets; may be empty.
        children: Fields of its answer; `None` when nothing is said of them.
    """

    name: str
    arguments: str = ""
    children: tuple[_Wanted, ...] | None = None


class _Reader:
    """Reads what is asked for: names, and in braces the names of what they hold."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        self._next = 0

    def _take(self) -> str:
        part = self._peek()
        self._next += 1
        return part

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def read(self, end: str = "") -> tuple[_Wanted, ...]:
        """Read up to a closing brace, or to the end."""
        wanted: list[_Wanted] = []
        while (part := self._take()) != end:
            if part == "..." and self._take() == "on":
                part = f"... on {self._take()}"
            elif not re.fullmatch(r"[_A-Za-z]\w*", part):
                what = f"{part!r} stands where a name should" if part else "a brace is not closed"
                raise ValueError(
                    f"return_fields: {self._text!r}: {what}. Write names, such as 'title' or 'author {{ login }}'; for "
                    "more, such as aliases, there is `prefect_github.graphql.execute_graphql`."
                )
            arguments = self._take() if self._peek().startswith("(") else ""
            children = None
            if self._peek() == "{":
                self._take()
                children = self.read("}")
            wanted.append(_Wanted(part, arguments, children))
        return tuple(wanted)


def selection(of: str, return_fields: Iterable[str] | str) -> str:
    """Write what is asked for of a type as a selection, with its braces.

    Args:
        of: Name of the type.
        return_fields: Fields in GraphQL's spelling or in snake case. What a field holds may follow in braces, as in
            `author { login }`; where it does not, what names it is asked for.

    Returns:
        The selection, such as `{ id author { login } }`; nothing for a type without fields.

    Raises:
        ValueError: If there is no such field, or nothing is asked for.
        TypeError: If `return_fields` holds what is no text.
    """
    texts = [return_fields] if isinstance(return_fields, str) else list(return_fields)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"return_fields: {text!r} is a {type(text).__name__}. Give names of fields.")
    known = facts(of)
    wanted = [each for text in texts for each in _Reader(text).read()]
    if known.kind in LEAVES:
        if wanted:
            raise ValueError(f"return_fields: the answer is a {of}, which has no fields. Leave return_fields out.")
        return ""
    if not wanted:
        raise ValueError(f"return_fields is empty. Name a field of {of}, such as {brief(known)[0]!r}.")
    return _written(known, wanted)


def _written(known: TypeFacts, wanted: Iterable[_Wanted]) -> str:
    return f"{{ {' '.join(dict.fromkeys(_each_written(known, each) for each in wanted))} }}"


def _each_written(known: TypeFacts, wanted: _Wanted) -> str:
    if wanted.name.startswith("... on "):
        name = wanted.name.removeprefix("... on ")
        if not has(name):
            raise ValueError(f"return_fields: GitHub's schema has no type {name!r}.")
        return f"{wanted.name} {_written(facts(name), wanted.children or _wanted(brief(facts(name))))}"
    if wanted.name in ("__typename", "__typename__"):
        return "__typename"
    field = known.find(wanted.name)
    if field is None:
        raise ValueError(f"return_fields: {known.name} has no field {wanted.name!r}.{_remedy(known, wanted.name)}")
    return _field_written(known, field, wanted)


def _field_written(known: TypeFacts, field: Member, wanted: _Wanted) -> str:
    arguments = wanted.arguments
    if not arguments and field.needs_arguments:
        needed = ", ".join(f"{each.name}: …" for each in field.arguments.values() if each.is_required)
        raise ValueError(f"return_fields: {known.name}.{field.name} needs arguments. Write '{field.name}({needed})'.")
    if not arguments and "first" in field.arguments:
        arguments = f"(first: {PAGE})"
    inner = facts(field.named_type)
    if inner.kind in LEAVES:
        if wanted.children is not None:
            raise ValueError(f"return_fields: {known.name}.{field.name} is a {inner.name}, which has no fields.")
        return field.name + arguments
    children = wanted.children if wanted.children is not None else _wanted(brief(inner))
    if not children:
        raise ValueError(f"return_fields: the braces behind {wanted.name!r} are empty. Name a field of {inner.name}.")
    return f"{field.name}{arguments} {_written(inner, children)}"


def _remedy(known: TypeFacts, name: str) -> str:
    """Say where the field is, or which names are near."""
    if known.kind == "union":
        return f" It is one of {', '.join(known.choices[:8])}: write '... on {known.choices[0]} {{ … }}'."
    for field in known.fields.values():
        if not field.needs_arguments and field.name != "edges" and (held := facts(field.named_type).find(name)):
            return f" {field.named_type} has it: write '{field.name} {{ {held.name} }}'."
    return near(name, known.fields) or " If GitHub is newer than this package, use `graphql.execute_graphql`."


def _wanted(texts: Iterable[str]) -> tuple[_Wanted, ...]:
    return tuple(each for text in texts for each in _Reader(text).read())


def _leaves(known: TypeFacts) -> Iterator[Member]:
    """Go through the fields that hold one value, can be asked for as they are, and stay as long as the type does."""
    leaves_whole = 2 * sum(field.is_leaving for field in known.fields.values()) > len(known.fields)
    for field in known.fields.values():
        if facts(field.named_type).kind in LEAVES and not field.arguments and (leaves_whole or not field.is_leaving):
            yield field


def brief(known: TypeFacts) -> list[str]:
    """Say which fields name a thing: what is asked for where nothing says more.

    Args:
        known: Its type.
    """
    return _chosen(known, (*_BRIEF, "totalCount"))


def full(known: TypeFacts) -> list[str]:
    """Say which fields describe a thing: what a task asks for by default.

    Args:
        known: Its type.
    """
    return _chosen(known, (*_BRIEF, *_FULL))


def _chosen(known: TypeFacts, names: Iterable[str]) -> list[str]:
    if known.kind == "union":
        return ["__typename", *_of_union(known)]
    leaves = {field.name: field for field in _leaves(known) if field.name != "clientMutationId"}
    chosen = [name for name in dict.fromkeys(names) if name in leaves]
    if not set(chosen) - {"id"}:
        chosen = list(leaves)
    held = {field.name for field in known.fields.values() if not field.needs_arguments}
    chosen += [name for name in ("nodes", "node", "pageInfo") if name in held]
    if known.name.endswith("Payload") or not chosen:
        chosen += [
            field.name
            for field in known.fields.values()
            if facts(field.named_type).kind not in LEAVES
            and not field.named_type.endswith("Edge")
            and not field.arguments
            and not field.is_leaving
        ]
    if known.kind == "interface":
        chosen.insert(0, "__typename")
    return list(dict.fromkeys(chosen)) or ["__typename"]


def _of_union(known: TypeFacts) -> list[str]:
    """Choose for each type of a union what has the same type in all of them, since their answers must not clash."""
    if len(known.choices) > 4:
        return ["... on Node { id }"] if any("Node" in facts(name).implements for name in known.choices) else []
    members = {name: {field.name: field.type for field in _leaves(facts(name))} for name in known.choices}
    kinds: dict[str, set[str]] = {}
    for fields in members.values():
        for name, kind in fields.items():
            kinds.setdefault(name, set()).add(kind)
    alike = [name for name in _BRIEF if len(kinds.get(name, ())) == 1]
    shared = {of: [name for name in alike if name in fields] for of, fields in members.items()}
    return [f"... on {of} {{ {' '.join(names)} }}" for of, names in shared.items() if names]
