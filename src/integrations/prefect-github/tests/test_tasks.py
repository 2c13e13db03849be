"""Every published task asks for the field that it is named after, with the arguments that it was given."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    Undefined,
    get_named_type,
)

from prefect_github import GitHubCredentials
from prefect_github.utils import camel_to_snake_case
from prefect_integration_tests.backends._github.schema import schema_of
from prefect_integration_tests.backends.github_api import GitHubApi

TASKS = Path(__file__).parents[4] / "scripts/github/tasks.txt"

# Fields that GitHub has removed from its schema; their types are those of 2022.
REMOVED = {"project_next", "projects_next"}


@dataclass(frozen=True)
class Published:
    """A task, and the field that it asks for."""

    module: str
    name: str
    path: tuple[str, ...]

    @property
    def task(self) -> Any:
        return getattr(importlib.import_module(f"prefect_github.{self.module}"), self.name)

    @property
    def version(self) -> Any:
        return "2022" if self.path[-1] in REMOVED else "today"

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.task.fn).parameters

    def fields(self) -> list[tuple[str, GraphQLField]]:
        """Name the fields of the path, with what the schema says of them."""
        schema = schema_of(self.version)
        at: Any = schema.mutation_type if self.module == "mutations" else schema.query_type
        found: list[tuple[str, GraphQLField]] = []
        for step in self.path:
            name = next(each for each in at.fields if camel_to_snake_case(each) == step)
            found.append((name, at.fields[name]))
            at = get_named_type(at.fields[name].type)
        return found


def _published() -> list[Published]:
    tasks: list[Published] = []
    module = ""
    for line in TASKS.read_text().splitlines():
        if line.startswith("["):
            module = line.strip("[]")
        elif found := re.match(r"([a-z0-9_.]+): (\w+)\(", line):
            tasks.append(Published(module, found[2], tuple(found[1].split("."))))
    return tasks


PUBLISHED = _published()
every_task = pytest.mark.parametrize("published", PUBLISHED, ids=lambda each: f"{each.module}.{each.name}")


def _example(kind: Any, name: str) -> tuple[Any, Any]:
    """Make a value of a type: as a caller gives it, and as GitHub gets it."""
    if isinstance(kind, GraphQLNonNull):
        return _example(kind.of_type, name)
    if isinstance(kind, GraphQLList):
        given, got = _example(kind.of_type, name)
        return (each for each in [given, given]), [got, got]
    if isinstance(kind, GraphQLEnumType):
        value = list(kind.values)[-1]
        return value, value
    if isinstance(kind, GraphQLInputObjectType):
        parts = {key: _example(field.type, key) for key, field in kind.fields.items() if _is_simple(field.type)}
        given = {camel_to_snake_case(key): value for key, (value, _) in parts.items()}
        return given, {key: value for key, (_, value) in parts.items()}
    if kind.name == "DateTime":
        time = datetime(2026, 5, 4, 3, 2, 1, tzinfo=timezone.utc)
        return time, "2026-05-04T03:02:01+00:00"
    value: Any = {"Int": 7, "Boolean": False, "Float": 0.5}.get(kind.name, f"some {name}")
    return value, value


def _is_simple(kind: Any) -> bool:
    return not isinstance(get_named_type(kind), GraphQLInputObjectType)


class _Listener:
    """Fields of an answer that remember the arguments with which they were asked for."""

    def __init__(self, names: list[str]) -> None:
        self.heard: dict[str, dict[str, Any]] = {}
        self.data: dict[str, Any] = {names[0]: self._field(names)}

    def _field(self, names: list[str]) -> Callable[..., Any]:
        def answer(**arguments: Any) -> Any:
            self.heard[names[0]] = arguments
            return {names[1]: self._field(names[1:])} if names[1:] else self.end

        return answer

    end: Any = None


def _given(published: Published, step: str, argument: str) -> str | None:
    """Name the parameter of a task that stands for an argument."""
    snake = camel_to_snake_case(argument)
    return next((each for each in (f"{step}_{snake}", snake, f"{snake}_") if each in published.parameters), None)


@every_task
async def test_arguments_reach_their_field(
    published: Published, github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    github_api.version = published.version
    listener = _Listener([name for name, _ in published.fields()])
    github_api.data = listener.data
    given: dict[str, Any] = {}
    expected: dict[str, dict[str, Any]] = {}
    for step, (name, field) in zip(published.path, published.fields(), strict=True):
        is_input = published.module == "mutations" and not expected
        arguments: Any = field.args
        if is_input:
            arguments = get_named_type(field.args["input"].type).fields
        expected[name] = {}
        for key, argument in arguments.items():
            parameter = _given(published, step, key)
            if parameter is not None:
                given[parameter], expected[name][key] = _example(argument.type, key)
    assert given.keys() == published.parameters.keys() - {"github_credentials", "return_fields"}
    listener.end = _made_up(published.fields()[-1][1].type)

    answer = await published.task.fn(**given, github_credentials=credentials)

    for (name, field), heard in zip(published.fields(), listener.heard.values(), strict=True):
        got = heard["input"] if "input" in field.args else heard
        assert {key: got.get(key) for key in expected[name]} == expected[name]
    assert answer
    assert len(github_api.operations) == 1


def _made_up(kind: Any) -> Any:
    """Begin an object of a type; the server makes up its fields."""
    if isinstance(kind, GraphQLNonNull):
        return _made_up(kind.of_type)
    if isinstance(kind, GraphQLList):
        return [_made_up(kind.of_type)]
    return {"__typename": kind.name} if isinstance(kind, GraphQLObjectType) else {}


@every_task
async def test_what_is_not_given_is_left_out(
    published: Published, github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    github_api.version = published.version
    given: dict[str, Any] = {}
    for step, (_, field) in zip(published.path, published.fields(), strict=True):
        arguments = get_named_type(field.args["input"].type).fields if "input" in field.args else field.args
        for key, argument in arguments.items():
            parameter = _given(published, step, key)
            if parameter is not None and published.parameters[parameter].default is inspect.Parameter.empty:
                needed = isinstance(argument.type, GraphQLNonNull) and argument.default_value is Undefined
                given[parameter] = _example(argument.type, key)[0] if needed else None

    answer = await published.task.fn(**given, github_credentials=credentials)

    assert answer
    (operation,) = github_api.operations
    sent = operation.variables.get("input", operation.variables)
    assert None not in sent.values()
    defaults = {
        name for name, each in published.parameters.items() if each.default not in (inspect.Parameter.empty, None)
    }
    required = {name for name, value in given.items() if value is not None}
    last = published.fields()[-1][1].args
    page = {"first"} if {"first", "last"} <= set(last) else set()
    assert len(sent) == len(required | defaults | page)
    if page:
        assert sent["first"] == 100


def test_every_task_is_documented_and_tells_what_github_removed() -> None:
    for published in PUBLISHED:
        text = inspect.getdoc(published.task.fn) or ""
        for name in published.parameters:
            assert re.search(rf"^    {name}: \S", text, re.MULTILINE), (published, name)
        assert ("has removed this field" in text) == (published.path[-1] in REMOVED), published


def test_all_published_tasks_are_there() -> None:
    assert len(PUBLISHED) == 200
    assert {each.path[-1] for each in PUBLISHED if each.version == "2022"} == REMOVED
