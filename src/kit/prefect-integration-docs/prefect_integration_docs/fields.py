"""Read what a class says of one of its fields: pydantic's `Field`, a dataclass' `field`, or a plain default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import griffe

from prefect_integration_docs import expressions
from prefect_integration_docs.expressions import function_name, literal
from prefect_integration_docs.masking import MASK, masked
from prefect_integration_docs.model import Field, Section

_CONSTRAINTS = (
    "gt",
    "ge",
    "lt",
    "le",
    "multiple_of",
    "min_length",
    "max_length",
    "pattern",
    "max_digits",
    "decimal_places",
)
_ALIASES = ("validation_alias", "alias")
_FUNCTIONS = frozenset({"Field", "field"})


def read(attribute: griffe.Attribute, doc: list[Section]) -> Field:
    """Read an annotated attribute of a class.

    Args:
        attribute: As griffe found it.
        doc: Its docstring, which serves where `Field` gives no description.
    """
    made = Field(
        name=attribute.name,
        line=attribute.lineno or 1,
        annotation=expressions.annotation(attribute.annotation) or "",
        default=None,
        description="",
        aliases=[],
        constraints=[],
        deprecated="",
    )
    for call in _field_calls(attribute.annotation):
        made["annotation"] = _without_field(attribute.annotation)
        _read_call(made, call)
    value = attribute.value
    if isinstance(value, griffe.ExprCall) and function_name(value) in _FUNCTIONS:
        _read_call(made, value)
    elif value is not None:
        made["default"] = str(value)
    if made["default"] is not None:
        made["default"] = MASK if _is_secret(made, value) else masked(made["default"])
    if not made["description"]:
        made["description"] = "\n\n".join(section["text"] for section in doc if section["kind"] == "text")
    return made


def _is_secret(made: Field, value: Any) -> bool:
    """Whether a plain text is the default of a secret type."""
    is_text = isinstance(value, str) or (made["default"] or "").startswith(("'", '"', "b'"))
    return "Secret" in made["annotation"] and is_text and made["default"] not in ("None", "...")


def _field_calls(annotation: Any) -> Iterator[griffe.ExprCall]:
    """Yield the `Field(…)` in `Annotated[…, Field(…)]`."""
    if isinstance(annotation, griffe.ExprSubscript) and str(annotation.left).endswith("Annotated"):
        for part in getattr(annotation.slice, "elements", []):
            if isinstance(part, griffe.ExprCall) and function_name(part) == "Field":
                yield part


def _without_field(annotation: Any) -> str:
    """Write `Annotated[T, …]` as `T`: what it adds is shown beside it."""
    return str(next(iter(annotation.slice.elements)))


def _read_call(made: Field, call: griffe.ExprCall) -> None:
    for position, argument in enumerate(call.arguments):
        if not isinstance(argument, griffe.ExprKeyword):
            if position == 0 and str(argument) != "...":
                made["default"] = str(argument)
            continue
        name, value = argument.name, argument.value
        if name == "default":
            made["default"] = None if str(value) == "..." else str(value)
        elif name == "default_factory":
            made["default"] = _made_by(str(value))
        elif name == "description":
            made["description"] = literal(value)
        elif name in _ALIASES:
            # The alias for validation decides; `alias` alone serves both ways.
            if name == "validation_alias" or not made["aliases"]:
                made["aliases"] = list(_aliases(value))
        elif name in _CONSTRAINTS:
            made["constraints"].append(f"{name}={value}")
        elif name == "deprecated" and str(value) not in ("False", "None"):
            made["deprecated"] = literal(value) or "Deprecated."


def _made_by(factory: str) -> str:
    """Write the default that a factory makes."""
    if factory.startswith("lambda"):
        body = factory.partition(":")[2].strip()
        return body or factory
    return f"{factory}()"


def _aliases(value: Any) -> Iterator[str]:
    """Yield the names in `"x"`, `AliasPath("x", …)` and `AliasChoices(…)`."""
    if isinstance(value, griffe.ExprCall):
        function = function_name(value)
        if function == "AliasPath":
            yield ".".join(literal(part) or str(part) for part in value.arguments)
        else:
            for part in value.arguments:
                yield from _aliases(part)
    elif text := literal(value):
        yield text
