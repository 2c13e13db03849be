"""Read expressions of the source: dotted paths of names, annotations, texts that are spelled out."""

from __future__ import annotations

import ast
import re
from typing import Any

import griffe

_QUOTED = re.compile(r"^(['\"])[^'\"]*\1$")


def dotted(expression: Any) -> str | None:
    """Give the dotted path that an expression names, as far as its module's imports tell.

    Args:
        expression: Of griffe; the type arguments of a generic are left out.
    """
    if isinstance(expression, griffe.ExprSubscript):
        return dotted(expression.left)
    if isinstance(expression, (griffe.ExprName, griffe.ExprAttribute)):
        return expression.canonical_path
    return None


def annotation(expression: Any) -> str | None:
    """Write an annotation; one that the source quotes as a whole is written without its quotes."""
    if expression is None:
        return None
    text = str(expression)
    return text[1:-1] if _QUOTED.match(text) else text


def function_name(call: griffe.ExprCall) -> str:
    """Give the last component of what a call calls."""
    return str(call.function).rpartition(".")[2]


def literal(expression: Any) -> str:
    """Read a text that the source spells out, also in parts that `+` joins; empty if it is computed.

    Args:
        expression: Of griffe. White space in the text is folded.
    """
    try:
        value: object = ast.literal_eval(str(expression))
    except (ValueError, SyntaxError):
        if isinstance(expression, griffe.ExprBinOp) and expression.operator == "+":
            parts = literal(expression.left), literal(expression.right)
            return " ".join(parts) if all(parts) else ""
        return ""
    return " ".join(value.split()) if isinstance(value, str) else ""
