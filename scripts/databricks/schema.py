"""Read the description of the API, and write what it says in Python."""

from __future__ import annotations

import json
import textwrap
from typing import Any, TypeAlias, cast

import yaml

from scripts.workspace import ROOT

PACKAGE = ROOT / "src/integrations/prefect-databricks/prefect_databricks"
SCHEMA = PACKAGE / "schemas" / "jobs-2.1-aws.yaml"

WIDTH = 120

Node: TypeAlias = "dict[str, Any]"

_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


class _Dumper(yaml.SafeDumper):
    """Writes each value in full, long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        """Refer to nothing."""
        return True


def _written_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _written_text)


def read() -> Node:
    """Read the description."""
    return cast("Node", yaml.safe_load(SCHEMA.read_text()))


def plain(document: Node) -> str:
    """Write a description without keys of our own.

    Args:
        document: The description.
    """
    bare = _without_ours(document)
    bare["info"]["description"] = bare["info"]["description"].partition("\n\n")[0]
    return "# Written by `python -m scripts.databricks`; do not edit.\n" + yaml.dump(
        bare, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110
    )


def _without_ours(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_ours(each) for k, each in cast("Node", value).items() if not k.startswith("x-")}
    return [_without_ours(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def schemas(document: Node) -> dict[str, Node]:
    """Go to the types of the description, by name."""
    return document["components"]["schemas"]


def named(schema: Node) -> str | None:
    """Name the type that a schema refers to, with or without a description of its own."""
    whole: list[Node] = schema.get("allOf") or []
    reference = whole[0].get("$ref") if len(whole) == 1 else schema.get("$ref")
    return reference.rpartition("/")[2] if reference else None


def python_type(schema: Node, prefix: str = "") -> str:
    """Write the type of a schema.

    Args:
        schema: It.
        prefix: What comes before the names of models.
    """
    if name := named(schema):
        return prefix + name
    if "anyOf" in schema:
        return " | ".join(python_type(each, prefix) if each else "Any" for each in schema["anyOf"])
    kind: str = schema["type"]
    if kind == "array":
        return f"list[{python_type(schema['items'], prefix)}]"
    if kind == "object":
        return "dict[str, Any]"
    if "enum" in schema:
        choices = f"Literal[{', '.join(map(json.dumps, schema['enum']))}]"
        return f"{'AnyCase' if schema.get('x-any-case') else 'Open'}[{choices}]"
    return f"{prefix}TaskKeyStr" if "pattern" in schema else _PLAIN[kind]


def wrapped(text: str, indent: str, first: str | None = None) -> str:
    """Break a text into lines.

    Args:
        text: It.
        indent: What lines begin with.
        first: What the first one begins with.
    """
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


def quoted(text: str, indent: str) -> str:
    """Write a text as a string, over several lines when it is long.

    Args:
        text: It.
        indent: Of the expression that holds it.
    """
    whole = json.dumps(text, ensure_ascii=False)
    if len(whole) + len(indent) + 16 <= WIDTH:
        return whole
    lines = textwrap.wrap(
        text, WIDTH - len(indent) - 12, break_long_words=False, break_on_hyphens=False, drop_whitespace=False
    )
    return "(" + "\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + ")"
