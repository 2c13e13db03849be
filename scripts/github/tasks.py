"""Write the modules of tasks, and the fields that their answers hold by default."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_github._selections import brief, full
from prefect_github.schemas._facts import LEAVES, TypeFacts, facts
from scripts.github.schema import Definition, Member, merged

PUBLISHED = Path(__file__).parent / "tasks.txt"

WIDTH = 120

_OURS = ("github_credentials", "return_fields")
_SCALARS = {"Boolean": "bool", "DateTime": "datetime | str", "Float": "float", "Int": "int"}
_LINK = "https://docs.github.com/en/graphql/reference"

_TITLES = {
    "mutations": "Tasks that change something at GitHub.",
    "organization": "Tasks that ask for an organization, and for what belongs to it.",
    "repository": "Tasks that ask for a repository, and for what belongs to it; and the block that pulls its files.",
    "repository_owner": "Tasks that ask for the owner of repositories, be it a user or an organization.",
    "user": "Tasks that ask for a user, and for what belongs to them.",
    "viewer": "Tasks that ask for the user whose token it is, and for what belongs to them.",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a task.

    Attributes:
        name: Its name.
        default: As in Python; `None` when there is none.
        field: The step of the path to which it belongs.
        member: The argument of that field, or the field of the mutation's input.
        key: Its name there, in snake case.
    """

    name: str
    default: str | None
    field: str
    member: Member
    key: str


@dataclass(frozen=True)
class PublishedTask:
    """A task.

    Attributes:
        module: The module in which it stands.
        name: Its name.
        path: Fields from the root down to the one that it asks for, in snake case.
        members: What the schema says of these.
        signature: Its parameters as published, with their defaults.
    """

    module: str
    name: str
    path: tuple[str, ...]
    members: tuple[Member, ...]
    signature: dict[str, str | None]

    @property
    def root(self) -> str:
        """`query` or `mutation`."""
        return "mutation" if self.module == "mutations" else "query"

    @property
    def of(self) -> str:
        """Name of the type of the answer."""
        return self.members[-1].type.strip("[]!")

    @property
    def leaving(self) -> Member | None:
        """The field of the path that GitHub has removed or is about to."""
        return next((each for each in self.members if each.removed or each.deprecated is not None), None)

    def parameters(self) -> list[Parameter]:
        """List the parameters that become arguments, in order."""
        return [self._parameter(name, default) for name, default in self.signature.items() if name not in _OURS]

    def _parameter(self, name: str, default: str | None) -> Parameter:
        """Find what a parameter stands for: an argument of the first field that has it.

        A parameter that is prefixed by the name of a field is an argument of that one: another field has it, too.
        """
        places = [(step, {snake(each): member for each, member in found.items()}) for step, found in self._places()]
        for step, found in places[1:]:
            key = name.removeprefix(f"{step}_")
            if key != name and key in found:
                return Parameter(name, default, step, found[key], key)
        for step, found in places:
            if (key := name.rstrip("_")) in found:  # `from_`, since `from` is a keyword
                return Parameter(name, default, step, found[key], key)
        raise ValueError(f"{self.name}: nothing takes {name}")

    def _places(self) -> Iterable[tuple[str, dict[str, Member]]]:
        types = merged()
        for index, (step, member) in enumerate(zip(self.path, self.members, strict=True)):
            if self.root == "mutation" and index == 0:
                yield step, types[member.arguments["input"].type.strip("!")].fields
            else:
                yield step, member.arguments


def snake(name: str) -> str:
    """Write a name of GraphQL as in Python."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def published() -> list[PublishedTask]:
    """Read the tasks that prefect-github promises."""
    tasks: list[PublishedTask] = []
    module = ""
    for line in PUBLISHED.read_text().splitlines():
        if line.startswith("["):
            module = line.strip("[]")
        elif line and not line.startswith("#"):
            dotted, _, text = line.partition(": ")
            function: Any = ast.parse(f"def {text}: ...").body[0]
            names = [each.arg for each in function.args.args]
            defaults = [ast.unparse(each).replace("'", '"') for each in function.args.defaults]
            path = tuple(dotted.split("."))
            members = tuple(_members("Mutation" if module == "mutations" else "Query", path))
            plain: list[str | None] = [None] * (len(names) - len(defaults))
            signature = dict(zip(names, [*plain, *defaults], strict=True))
            tasks.append(PublishedTask(module, function.name, path, members, signature))
    return tasks


def _members(root: str, path: Iterable[str]) -> Iterable[Member]:
    at: Definition = merged()[root]
    for step in path:
        member = next(each for name, each in at.fields.items() if name.lower() == step.replace("_", "").lower())
        yield member
        at = merged()[member.type.strip("[]!")]


def _python_type(kind: str) -> str:
    kind = kind.removesuffix("!")
    if kind.startswith("["):
        return f"Iterable[{_python_type(kind[1:-1])}]"
    definition = merged()[kind]
    if definition.kind == "input":
        return "Mapping[str, Any]"
    return "str" if definition.kind == "enum" else _SCALARS.get(kind, "str")


def _annotated(parameter: Parameter) -> str:
    kind = _python_type(parameter.member.type)
    may_be_none = parameter.default == "None" or not parameter.member.type.endswith("!")
    default = f" = {parameter.default}" if parameter.default is not None else ""
    return f"{parameter.name}: {kind}{' | None' if may_be_none else ''}{default}"


def _sentences(text: str) -> str:
    """Write a description as running text."""
    text = " ".join(text.replace("\\", "").split())
    text = re.sub(r"\b(https?://\S+?)\.?$", r"\1", text)
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."


def _described(parameter: Parameter) -> str:
    member, kind = parameter.member, parameter.member.type.strip("[]!")
    text = _sentences(member.description) or f"GitHub's `{kind}`."
    definition = merged()[kind]
    if definition.kind == "enum":
        count = len(definition.choices)
        listed = ", ".join(f"`{each}`" for each in definition.choices)
        text += f" One of {listed}." if count <= 12 else f" A {kind} ({_LINK}/enums#{kind.lower()})."
    elif definition.kind == "input":
        text += f" Fields of {kind}: {', '.join(f'`{snake(each)}`' for each in definition.fields)}."
    if parameter.name == "first":
        text = f"{text} {100} when neither this nor `last` is given."
    return text


def _wrapped(text: str, indent: str, first: str | None = None) -> str:
    return "\n".join(
        textwrap.wrap(
            text,
            WIDTH,
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


# Words with which GitHub begins some descriptions, and which say no more than that it is a field.
_OPENING = re.compile(r"^(?:Finds and returns|Returns|Find|Look ?up) (?=\w)")


def _summary(task: PublishedTask) -> tuple[str, str]:
    """Write the first line, and what follows it."""
    is_mutation = task.root == "mutation"
    text = _OPENING.sub("", _sentences(task.members[0 if is_mutation else -1].description))
    names = member_name(task)
    what = f"Run `{names[0]}`" if is_mutation else f"Ask for `{'.'.join(names)}`"
    more = f"It returns the `{names[1]}` of the answer." if is_mutation and names[1:] else ""
    word = text.split(" ", 1)[0]
    line = f"{what}: {text[0].lower() if word == word.capitalize() else text[0]}{text[1:]}"
    if len(line) + 7 <= WIDTH and ". " not in line:
        return line, more
    return f"{what}.", f"{text[0].upper()}{text[1:]} {more}".strip()


def member_name(task: PublishedTask) -> list[str]:
    """Name the fields of the path as in GraphQL."""
    at = merged()["Mutation" if task.root == "mutation" else "Query"]
    names: list[str] = []
    for step in task.path:
        name = next(each for each in at.fields if each.lower() == step.replace("_", "").lower())
        names.append(name)
        at = merged()[at.fields[name].type.strip("[]!")]
    return names


def _farewell(task: PublishedTask) -> str:
    """Say what GitHub has announced of a field that leaves."""
    member = task.leaving
    if member is None:
        return ""
    if member.removed:
        return (
            f"GitHub.com has removed this field; it had announced that for {member.removal}. Its error is raised, with "
            "the path. Older GitHub Enterprise Servers may still have the field."
        )
    reason = re.sub(r"\s*Removal on .*", "", _sentences(member.deprecated or "")).rstrip()
    return f"GitHub advises against this field, and has announced its removal for {member.removal}: {reason}"


def _returns(task: PublishedTask) -> tuple[str, str]:
    """The type of the answer, and what stands in it."""
    kind = task.members[-1].type
    if kind.removesuffix("!").startswith("["):
        shape, text = "list[dict[str, Any]]", f"One dictionary for each `{task.of}`"
    else:
        shape, text = "dict[str, Any]", f"The fields of `{task.of}`"
    text += ", with GitHub's names as keys"
    if len(task.path) > 1 and not kind.endswith("!"):
        return f"{shape} | None", f"{text}; `None` when there is none."
    return shape, f"{text}."


def _docstring(task: PublishedTask) -> str:
    line, more = _summary(task)
    parts = [line]
    parts += [_wrapped(text, "    ") for text in (more, _farewell(task)) if text]
    arguments: list[str] = []
    parameters = {each.name: each for each in task.parameters()}
    for name in task.signature:
        if name == "github_credentials":
            text = "Who asks, and which GitHub."
        elif name == "return_fields":
            text = f"Fields of `{task.of}`, in snake case or as GitHub spells them; see `configs` for the default."
        else:
            text = _described(parameters[name])
        arguments.append(_wrapped(f"{name}: {text}", " " * 12, " " * 8))
    parts += ["    Args:\n" + "\n".join(arguments)]
    parts += ["    Returns:\n" + _wrapped(_returns(task)[1], " " * 8)]
    return "\n\n".join(parts)


def _call(task: PublishedTask) -> str:
    steps: dict[str, list[str]] = {step: [] for step in task.path}
    for parameter in task.parameters():
        steps[parameter.field].append(f'"{parameter.key}": {parameter.name}')
    path = ", ".join(f"{step}={{{', '.join(pairs)}}}" for step, pairs in steps.items())
    verb = "_mutate" if task.root == "mutation" else "_query"
    return f"await {verb}(github_credentials, return_fields, {path})"


def _function(task: PublishedTask) -> str:
    parameters = {each.name: _annotated(each) for each in task.parameters()}
    parameters["github_credentials"] = "github_credentials: GitHubCredentials | GitHubAppCredentials"
    parameters["return_fields"] = "return_fields: Iterable[str] | None = None"
    listed = "".join(f"    {parameters[name]},\n" for name in task.signature)
    return (
        f"@async_task()\nasync def {task.name}(\n{listed}) -> {_returns(task)[0]}:\n"
        f'    """{_docstring(task)}\n    """\n    return {_call(task)}\n'
    )


def module_source(module: str, tasks: list[PublishedTask]) -> str:
    """Write a module of tasks, not yet formatted.

    Args:
        module: Its name.
        tasks: Its tasks.
    """
    functions = "\n\n".join(_function(task) for task in tasks)
    names = [*(task.name for task in tasks), "GitHubCredentials", "initialize_return_fields_defaults", "strip_kwargs"]
    is_mutation = module == "mutations"
    if is_mutation:
        defaults = (
            'config_dir = Path(__file__).parent / "configs" / "mutation"\n'
            "return_fields_defaults: dict[str, list[str]] = {}\n"
            'for _path in sorted(config_dir.glob("*.json")):\n'
            "    return_fields_defaults.update(initialize_return_fields_defaults(_path))\n\n"
            "_mutate = partial(mutate, return_fields_defaults)\n"
        )
    else:
        defaults = (
            f'config_path = Path(__file__).parent / "configs" / "query" / "{module}.json"\n'
            "return_fields_defaults = initialize_return_fields_defaults(config_path)\n\n"
            "_query = partial(query, return_fields_defaults)\n"
        )
    block = ""
    if module == "repository":
        names.append("GitHubRepository")
        block = "from ._block import GitHubRepository\n"
    collections = "Iterable, Mapping" if "Mapping[" in functions else "Iterable"
    times = "from datetime import datetime\n" if "datetime" in functions else ""
    return (
        "# Written by `python -m scripts.github` from GitHub's GraphQL schema; do not edit.\n"
        f'"""{_TITLES[module]}"""\n\nfrom __future__ import annotations\n\n'
        f"from collections.abc import {collections}\n{times}from functools import partial\nfrom pathlib import Path\n"
        "from typing import Any\n\nfrom prefect_integration_kit.dispatch import async_task\n\n"
        f"{block}from ._queries import {'mutate' if is_mutation else 'query'}\n"
        "from .credentials import GitHubAppCredentials, GitHubCredentials\n"
        "from .utils import initialize_return_fields_defaults, strip_kwargs\n\n"
        f"__all__ = {json.dumps(sorted(names))}\n\n"
        f"{defaults}\n\n{functions}"
    )


def modules() -> dict[str, list[PublishedTask]]:
    """The tasks by module."""
    grouped: dict[str, list[PublishedTask]] = {}
    for task in published():
        grouped.setdefault(task.module, []).append(task)
    return grouped


def configs() -> dict[str, str]:
    """Write the files of default fields, by their path below `configs`."""
    files: dict[str, dict[str, list[str]]] = {}
    for task in published():
        known = facts(task.of)
        if known.kind in LEAVES:
            continue
        file = f"mutation/{task.path[0]}.json" if task.root == "mutation" else f"query/{task.module}.json"
        files.setdefault(file, {})[".".join(task.path)] = [_default(known, name) for name in full(known)]
    return {name: json.dumps(content, indent=2) + "\n" for name, content in files.items()}


def _default(known: TypeFacts, name: str) -> str:
    """Write a field with what it holds."""
    field = known.fields.get(name)
    inner = facts(field.named_type) if field else None
    held = brief(inner) if inner and inner.kind not in LEAVES else []
    return f"{_spelled(name)} {{ {' '.join(map(_spelled, held))} }}" if held else _spelled(name)


def _spelled(text: str) -> str:
    return text if text.startswith(("_", ".")) else snake(text)
