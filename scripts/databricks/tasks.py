"""Write the tasks of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from scripts.databricks.schema import Node, named, python_type, schemas, wrapped

_HEAD = '''\
# Written by `python -m scripts.databricks` from `schemas/jobs-2.1-aws.yaml`; do not edit.
"""Tasks for Databricks's jobs and their runs.

Each task is one request. Async flows await it, sync flows may call it without `await`. Instead of a model of
`prefect_databricks.models.jobs` a dictionary does as well. What is `None` is not sent, nor what was not set of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefect_integration_kit.dispatch import async_task

from ._operations import ApiVersion, Operation, Token, perform
from .credentials import DatabricksCredentials
from .models import jobs as models
from .rest import HTTPMethod, execute_endpoint

'''

_CREDENTIALS = "databricks_credentials"
_LIMITED = "Token"


@dataclass(frozen=True)
class Argument:
    """An argument of a task.

    Attributes:
        name: Its name.
        schema: What it may be.
        description: What it is for.
        is_required: Whether Databricks insists on it.
        is_keyword: Whether it is given by keyword only.
    """

    name: str
    schema: Node
    description: str
    is_required: bool
    is_keyword: bool

    @property
    def default(self) -> str:
        """Its default, in Python."""
        value = self.schema.get("default")
        return json.dumps(value) if isinstance(value, str) else repr(value)


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        path: Path of the endpoint.
        method: Method of the request, in lower case.
        node: The operation.
    """

    path: str
    method: str
    node: Node

    @property
    def name(self) -> str:
        """Its name."""
        return self.node["operationId"]

    def arguments(self) -> Iterator[Argument]:
        """Go through the arguments in order."""
        for each in self.node.get("parameters", []):
            keyword = each.get("x-keyword", False)
            yield Argument(each["name"], each["schema"], each["description"], each.get("required", False), keyword)
        if "requestBody" in self.node:
            body: Node = self.node["requestBody"]["content"]["application/json"]["schema"]
            for name, each in body["properties"].items():
                is_required = name in body.get("required", [])
                yield Argument(name, each, each["description"], is_required, each.get("x-keyword", False))


def _tasks(document: Node) -> Iterator[Task]:
    for path, methods in document["paths"].items():
        for method, node in methods.items():
            yield Task(path, method, node)


def module_source(document: Node) -> str:
    """Write the module of tasks, not yet formatted.

    Args:
        document: The description of the API.
    """
    tasks = list(_tasks(document))
    names = sorted(["DatabricksCredentials", "HTTPMethod", "execute_endpoint", *(task.name for task in tasks)])
    functions = "\n\n".join(f"{_operation(task)}\n\n{_function(task, schemas(document))}" for task in tasks)
    return f"{_HEAD}__all__ = {json.dumps(names)}\n\n{functions}"


def _constant(task: Task) -> str:
    return f"_{task.name.upper()}"


def _operation(task: Task) -> str:
    _, version, path = task.path.split("/", 2)
    kinds: dict[str, str] = {}
    for each in task.arguments():
        kinds[each.name] = _LIMITED if "maxLength" in each.schema else python_type(each.schema, "models.")
    parts = [
        json.dumps(task.name),
        f"HTTPMethod.{task.method.upper()}",
        json.dumps(path),
        "{" + ", ".join(f"{json.dumps(name)}: {kind}" for name, kind in kinds.items()) + "}",
    ]
    if version != "2.1":
        parts.append(f"version={json.dumps(version)}")
    required = [each.name for each in task.arguments() if each.is_required]
    if required:
        parts.append(f"required={_tuple(required)}")
    if exclusive := cast("list[list[str]]", task.node.get("x-exclusive", [])):
        parts.append(f"exclusive={_tuple([_tuple(each) for each in exclusive], raw=True)}")
    if one_of := cast("list[list[str]]", task.node.get("x-one-of", [])):
        parts.append(f"one_of={_tuple([_tuple(each) for each in one_of], raw=True)}")
    return f"{_constant(task)} = Operation({', '.join(parts)})\n"


def _tuple(items: list[str], *, raw: bool = False) -> str:
    written = ", ".join(item if raw else json.dumps(item) for item in items)
    return f"({written},)" if len(items) == 1 else f"({written})"


def _annotation(argument: Argument, types: dict[str, Node]) -> str:
    """Write the type of an argument: dictionaries in the place of models, any sequence in that of a list."""
    schema = argument.schema
    if schema.get("type") == "array":
        kind = f"Sequence[{_one(schema['items'], types)}]"
    elif schema.get("type") == "object":
        kind = "Mapping[str, Any]"
    else:
        kind = _one(schema, types)
    return kind if "default" in schema else f"{kind} | None"


def _one(schema: Node, types: dict[str, Node]) -> str:
    kind = python_type(schema, "models.")
    if name := named(schema):
        return f"{kind} | str" if "enum" in types[name] else f"{kind} | Mapping[str, Any]"
    return kind


def _function(task: Task, types: dict[str, Node]) -> str:
    arguments = list(task.arguments())
    first = [each for each in arguments if task.method == "get" and each.is_required]
    others = [each for each in arguments if each not in first]
    kind = {each.name: _annotation(each, types) for each in arguments}
    lines = [f"{each.name}: {kind[each.name].removesuffix(' | None')}" for each in first]
    lines.append(f"{_CREDENTIALS}: DatabricksCredentials")
    lines += [f"{each.name}: {kind[each.name]} = {each.default}" for each in others if not each.is_keyword]
    lines.append("*")
    lines += [f"{each.name}: {kind[each.name]} = {each.default}" for each in others if each.is_keyword]
    is_versioned = task.path.startswith("/2.1/")
    if is_versioned:
        lines.append('api_version: ApiVersion = "2.1"')
    else:
        lines = [line for line in lines if line != "*"]
    lines.append("**fields: Any")
    # Databricks's name for it, and a built-in one.
    ends = {line: ",  # noqa: A002" for line in lines if line.startswith("format:")}
    named_values = ", ".join(f'"{each.name}": {each.name}' for each in arguments)
    version = ", api_version" if is_versioned else ""
    call = f"await perform({_constant(task)}, {_CREDENTIALS}, {{{named_values}}}, fields{version})"
    listed = "".join(f"    {line}{ends.get(line, ',')}\n" for line in lines)
    return (
        f"@async_task()\nasync def {task.name}(\n{listed.rstrip().removesuffix(',')},\n) -> dict[str, Any]:\n"
        f'    """{_docstring(task, first, others)}\n    """\n    return {call}\n'
    )


def _docstring(task: Task, first: list[Argument], others: list[Argument]) -> str:
    described = [(each.name, each.description) for each in first]
    described.append((_CREDENTIALS, "Credentials to authenticate with."))
    described += [(each.name, each.description) for each in others if not each.is_keyword]
    described += [(each.name, each.description) for each in others if each.is_keyword]
    if task.path.startswith("/2.1/"):
        described.append(("api_version", "Version of the API of jobs: `2.1`, or `2.2`."))
    where = "query parameters" if task.method == "get" else "fields of the request"
    described.append(("fields", f"Further {where}, as Databricks names them."))
    parts: list[str] = [task.node["summary"]]
    if more := task.node.get("description"):
        parts.append(wrapped(more, "    "))
    parts.append(f"    See [`{task.path}`]({_link(task)}).")
    parts.append("    Args:\n" + "\n".join(wrapped(f"{name}: {text}", " " * 12, " " * 8) for name, text in described))
    parts.append("    Returns:\n" + wrapped(task.node["responses"]["200"]["description"], " " * 8))
    raises = [
        ("DatabricksBadRequest", "If an argument is missing, of the wrong type, or refused by Databricks."),
        ("DatabricksAccessDenied", "If the credentials are refused, or may not do this."),
        ("DatabricksNotFound", "If Databricks does not have it."),
        ("DatabricksUnavailable", "If Databricks did not answer until the deadline."),
    ]
    parts.append("    Raises:\n" + "\n".join(wrapped(f"{name}: {text}", " " * 12, " " * 8) for name, text in raises))
    return "\n\n".join(parts)


_LINKS = {
    "run-now": "runnow",
    "runs/cancel": "cancelrun",
    "runs/cancel-all": "cancelallruns",
    "runs/delete": "deleterun",
    "runs/export": "exportrun",
    "runs/get": "getrun",
    "runs/get-output": "getrunoutput",
    "runs/list": "listruns",
    "runs/repair": "repairrun",
    "runs/submit": "submit",
}


def _link(task: Task) -> str:
    path = task.path.split("/jobs/", 1)[1]
    return f"https://docs.databricks.com/api/workspace/jobs/{_LINKS.get(path, path)}"
