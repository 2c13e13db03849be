"""Write the models of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator

from scripts.databricks.schema import WIDTH, Node, named, python_type, quoted, schemas, wrapped

_HEAD = '''\
# Written by `python -m scripts.databricks` from `schemas/jobs-2.1-aws.yaml`; do not edit.
# A request for any kind of grantee has the fields of all, and groups have fewer permissions than others.
# pyright: reportIncompatibleVariableOverride=false
"""Models of the API of jobs.

They take fields that they do not know, and a task sends what was set of them. `model_validate` reads an answer.
"""

# No `annotations` of the future: to evaluate some hundred of them as text would take a third of the import.
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import Field

from ._model import AnyCase, Model, Open, OpenEnum, Root, TypedList

'''


def module_source(document: Node) -> str:
    """Write the module of models, not yet formatted.

    Args:
        document: The description of the API.
    """
    types = schemas(document)
    key = types["TaskKey"]
    alias = (
        f"TaskKeyStr = Annotated[str, Field(min_length={key['minLength']}, max_length={key['maxLength']}, "
        f'pattern=r"{key["pattern"]}")]\n'
        '"""Name of a task or of a job cluster."""\n'
    )
    names = sorted(["TaskKeyStr", *types])
    ordered = _ordered(types)
    later = {name: set(ordered[index:]) for index, name in enumerate(ordered)}
    classes = "\n\n".join(_class(name, types, later[name]) for name in ordered)
    return f"{_HEAD}__all__ = {json.dumps(names)}\n\n{alias}\n\n{classes}"


def _ordered(types: dict[str, Node]) -> list[str]:
    """Order types so that each comes after those it needs, but for those that need it as well."""
    done: list[str] = []
    begun: set[str] = set()

    def visit(name: str) -> None:
        if name in begun:
            return
        begun.add(name)
        for other in _references(types[name]):
            visit(other)
        done.append(name)

    for name in types:
        visit(name)
    return done


def _references(schema: Node) -> Iterator[str]:
    if name := named(schema):
        yield name
    inner: list[Node] = [*schema.get("properties", {}).values(), *schema.get("allOf", []), *schema.get("anyOf", [])]
    if "items" in schema:
        inner.append(schema["items"])
    for each in inner:
        yield from _references(each)


def _docstring(text: str) -> str:
    """Write a docstring: on one line, or with the first sentence on its own."""
    if len(text) + 10 <= WIDTH:
        return f'    """{text}"""'
    first, _, rest = text.partition(". ")
    return f'    """{first}.\n\n{wrapped(rest, "    ")}\n    """'


def _class(name: str, types: dict[str, Node], later: set[str]) -> str:
    schema = types[name]
    if "enum" in schema:
        return _enum(name, schema, is_open=not _is_permission(name, types))
    head = f"{_docstring(schema['description'])}\n\n"
    if schema.get("x-root"):
        inner = _root_type(name, schema)
        return f"class {name}(Root[{inner}]):\n{head}"
    if schema.get("type") == "array":
        return f"class {name}(TypedList):\n{head}    item = {python_type(schema['items'])}\n"
    if "allOf" in schema:
        bases = ", ".join(python_type(each) for each in schema["allOf"])
        return f"class {name}({bases}):\n{head}"
    required = schema.get("required", [])
    fields = [
        _field(key, each, later, is_required=key in required) for key, each in schema.get("properties", {}).items()
    ]
    return f"class {name}(Model):\n{head}{''.join(fields)}"


def _is_permission(name: str, types: dict[str, Node]) -> bool:
    """Whether it is one of several enumerations that a value may belong to: one that takes all would take theirs."""
    return any(name == named(each) for schema in types.values() for each in schema.get("anyOf", []))


def _root_type(name: str, schema: Node) -> str:
    if name == "TaskKey":
        return "TaskKeyStr"
    inner = python_type(schema)
    return f"Open[{inner}]" if "anyOf" in schema and "Any" not in inner else inner


def _enum(name: str, schema: Node, *, is_open: bool) -> str:
    members = list(zip(schema["x-enum-varnames"], schema["enum"], schema["x-enum-descriptions"], strict=True))
    listed = "\n".join(wrapped(f"{member}: {text}", " " * 12, " " * 8) for member, _, text in members)
    values = "".join(f"    {member} = {json.dumps(value)}\n" for member, value, _ in members)
    bases = "OpenEnum" if is_open else "str, Enum"
    text = wrapped(schema["description"], "    ", '    """')
    return f'class {name}({bases}):\n{text}\n\n    Attributes:\n{listed}\n    """\n\n{values}'


def _field(key: str, schema: Node, later: set[str], *, is_required: bool) -> str:
    name: str = schema.get("x-name", key)
    kind = python_type(schema)
    options: list[str] = []
    if not is_required:
        kind += " | None"
        default = schema.get("default")
        options.append("default_factory=dict[str, Any]" if default == {} else f"default={default!r}")
    if later & set(_references(schema)):
        kind = f'"{kind}"'
    if alias := schema.get("x-alias"):
        options += [f"alias={json.dumps(alias)}", f"serialization_alias={json.dumps(key)}"]
    elif name != key:
        options.append(f"alias={json.dumps(key)}")
    if "maxItems" in schema:
        options.append(f"max_length={schema['maxItems']}")
    if schema.get("x-secret"):
        options.append("repr=False")
    if schema.get("deprecated"):
        options.append("deprecated=True")
    options.append(f"description={quoted(schema['description'], ' ' * 4)}")
    return f"    {name}: {kind} = Field({', '.join(options)})\n"
