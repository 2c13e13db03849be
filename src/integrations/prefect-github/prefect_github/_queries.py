"""From a field and its arguments to a document, and from the answer to what stands at the end of the path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._api import arun
from ._selections import PAGE, full, selection
from ._values import to_json
from .errors import GitHubNotFound
from .schemas._facts import LEAVES, Member, TypeFacts, facts, near

if TYPE_CHECKING:
    from ._login import Credentials

Path = Mapping[str, Mapping[str, Any]]
"""Arguments by field, from the root on; both in snake case."""


@dataclass(frozen=True)
class Document:
    """What is sent, and where in the answer the result stands.

    Attributes:
        text: An operation in GraphQL.
        variables: Values of its variables, as JSON.
        path: Names of the fields down to the result.
    """

    text: str
    variables: dict[str, Any]
    path: tuple[str, ...]


def write(
    root: str, path: Path, return_fields: Iterable[str] | str | None, defaults: Mapping[str, list[str]]
) -> Document:
    """Write the operation that asks for a field.

    Arguments that are `None` are left out. A connection of which neither `first` nor `last` is asked for gets
    `first: 100`, since GitHub demands one of them.

    Args:
        root: `query` or `mutation`. Of a mutation, the arguments of the first field are the fields of its `input`.
        path: Which field it is.
        return_fields: What is asked for of it.
        defaults: What is asked for where `return_fields` is `None`, by path, as in `repository.issues`.

    Raises:
        ValueError: If a value or field does not exist, or a required value is missing.
        TypeError: If a value is of another type.
    """
    at = facts(root.capitalize())
    variables: list[_Variable] = []
    steps: list[str] = []
    names: list[str] = []
    for snake, given in path.items():
        field = _find(at, snake)
        values = _input(field, given) if root == "mutation" and not names else _paged(field, given)
        taken = {variable.name for variable in variables}
        used = [_variable(field, key, each, f"{snake}_{key}" if key in taken else key) for key, each in values.items()]
        variables += used
        steps.append(field.name + _brackets(f"{each.argument}: ${each.name}" for each in used))
        names.append(field.name)
        at = facts(field.named_type)
    if return_fields is None:
        return_fields = defaults.get(".".join(path)) or (full(at) if at.kind not in LEAVES else ())
    inner = selection(at.name, return_fields)
    title = "".join(name[0].upper() + name[1:] for name in names)
    declared = _brackets(f"${each.name}: {each.type}" for each in variables)
    text = f"{root} {title}{declared} {{ {' { '.join(steps)} {inner}{' }' * len(steps)}"
    return Document(text, {each.name: each.value for each in variables}, tuple(names))


@dataclass(frozen=True)
class _Variable:
    name: str
    type: str
    argument: str
    value: Any


def _variable(field: Member, key: str, value: Any, name: str) -> _Variable:
    argument = _argument(field, key)
    # The fields of an input are parameters of the task, and called by their own names.
    checked = to_json(value, argument.type, "" if argument.name == "input" else name)
    return _Variable(name, argument.type, argument.name, checked)


def _brackets(parts: Iterable[str]) -> str:
    text = ", ".join(parts)
    return f"({text})" if text else ""


def _find(known: TypeFacts, name: str) -> Member:
    field = known.find(name)
    if field is None:
        raise ValueError(f"{known.name} has no field {name}.{near(name, known.fields)}")
    return field


def _argument(field: Member, name: str) -> Member:
    folded = name.replace("_", "")
    return next(each for key, each in field.arguments.items() if key.lower() == folded)


def _paged(field: Member, given: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the arguments that are sent."""
    values = {key: v for key, v in given.items() if v is not None or _argument(field, key).is_required}
    if "first" in given and not values.keys() & {"first", "last"}:
        values["first"] = PAGE
    return values


def _input(field: Member, given: Mapping[str, Any]) -> dict[str, Any]:
    known = facts(field.arguments["input"].named_type)
    return {"input": {key: v for key, v in given.items() if v is not None or _find(known, key).is_required}}


def result(data: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Take from an answer what stands at the end of a path; it may be `None`.

    Raises:
        GitHubNotFound: If there is nothing on the way there.
    """
    *way, last = path
    holder: Any = data
    for name in way:
        holder = _there(holder[name], name)
    return holder[last] if way else _there(holder[last], last)


def _there(value: Any, name: str) -> Any:
    if value is None:
        raise GitHubNotFound(f"GitHub answers that there is no {name}. {GitHubNotFound.remedy}", subject=name)
    return value


async def query(
    defaults: Mapping[str, list[str]],
    credentials: Credentials,
    return_fields: Iterable[str] | str | None,
    /,
    **path: Mapping[str, Any],
) -> Any:
    """Ask for a field; the arguments are those of `write`.

    Returns:
        What stands at the end of the path.

    Raises:
        GitHubError: Of the class that tells what is wrong.
    """
    document = write("query", path, return_fields, defaults)
    return result(await arun(document.text, document.variables, credentials), document.path)


async def mutate(
    defaults: Mapping[str, list[str]],
    credentials: Credentials,
    return_fields: Iterable[str] | str | None,
    /,
    **path: Mapping[str, Any],
) -> Any:
    """Change something, and return a field of the answer; see `query`."""
    document = write("mutation", path, return_fields, defaults)
    return result(await arun(document.text, document.variables, credentials), document.path)
