"""Functions of Azure Resource Manager's templates that need nothing but their arguments.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, cast
from urllib.parse import quote, unquote, urljoin

from .template_expressions import Function, LazyArguments, TemplateError

_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")


def unique_string(*texts: str) -> str:
    """Give 13 letters and digits that depend on the texts alone."""
    digest = hashlib.sha256("-".join(texts).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:13]


def _concat(*values: Any) -> Any:
    if values and isinstance(values[0], list):
        return [each for value in values for each in value]
    return "".join(_text(value) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"))
    return "" if value is None else str(value)


def _format(pattern: str, *values: Any) -> str:
    def given(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        index, _, width = found[1].partition(":")
        value = values[int(index)]
        if width and isinstance(value, int) and re.fullmatch(r"[Dd]\d+|0+", width):
            digits = int(width[1:]) if width[0] in "Dd" else len(width)
            return str(value).zfill(digits)
        return _text(value)

    return re.sub(r"\{\{|\}\}|\{(\d+(?::[^}]*)?)\}", given, pattern)


def _if(arguments: LazyArguments) -> Any:
    if len(arguments) != 3:
        raise TemplateError("The template function 'if' takes three arguments.")
    condition = arguments[0]
    if not isinstance(condition, bool):
        raise TemplateError("The template function 'if' expects its first parameter to be a boolean.")
    return arguments[1 if condition else 2]


def _equals(left: Any, right: Any) -> bool:
    return type(left) is type(right) and left == right


def _empty(value: Any) -> bool:
    return value is None or len(value) == 0


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, dict):
        return str(what).lower() in [str(key).lower() for key in cast("dict[str, Any]", where)]
    return what in where


def _union(*values: Any) -> Any:
    if isinstance(values[0], dict):
        result: dict[str, Any] = {}
        for value in values:
            for key, each in value.items():
                known = result.get(key)
                result[key] = _union(known, each) if isinstance(known, dict) and isinstance(each, dict) else each
        return result
    items: list[Any] = []
    for value in values:
        items += [each for each in value if each not in items]
    return items


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _substring(text: str, start: int, length: int | None = None) -> str:
    if start + (length or 0) > len(text):
        raise TemplateError("The index and length must refer to a location within the string.")
    return text[start:] if length is None else text[start : start + length]


def _split(text: str, marks: Any) -> list[str]:
    return re.split("|".join(re.escape(mark) for mark in _array(marks)), text)


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in ("true", "1")
    return bool(value)


def _items(value: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value[key]} for key in sorted(value)]


def _pad_left(value: Any, width: int, mark: str = " ") -> str:
    return _text(value).rjust(width, mark)


def _guid(*texts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "-".join(texts)))


def _and(*values: bool) -> bool:
    return all(values)


def _or(*values: bool) -> bool:
    return any(values)


def _array(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _create_array(*values: Any) -> list[Any]:
    return list(values)


def _create_object(*values: Any) -> dict[str, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _intersection(left: list[Any], *others: list[Any]) -> list[Any]:
    return [each for each in left if all(each in other for other in others)]


def _numbers(of: Callable[[Sequence[int]], int]) -> Function:
    def function(*values: Any) -> int:
        return of(_array(values[0]) if len(values) == 1 else values)

    return function


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise TemplateError("The template function 'div' was asked to divide by zero.")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


_TEXTS: dict[str, Callable[[str], Any]] = {
    "tolower": str.lower,
    "toupper": str.upper,
    "trim": str.strip,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64tostring": lambda text: base64.b64decode(text).decode(),
    "base64tojson": lambda text: json.loads(base64.b64decode(text)),
    "uricomponent": lambda text: quote(text, safe=""),
    "uricomponenttostring": unquote,
    "json": json.loads,
}

_TWO_TEXTS: dict[str, Callable[[str, str], Any]] = {
    "startswith": lambda text, start: text.lower().startswith(start.lower()),
    "endswith": lambda text, end: text.lower().endswith(end.lower()),
    "indexof": lambda text, what: text.lower().find(what.lower()),
    "lastindexof": lambda text, what: text.lower().rfind(what.lower()),
    "uri": urljoin,
}

_TWO_NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda left, right: left + right,
    "sub": lambda left, right: left - right,
    "mul": lambda left, right: left * right,
    "div": _divide,
    "mod": lambda left, right: left % right,
    "less": lambda left, right: left < right,
    "lessorequals": lambda left, right: left <= right,
    "greater": lambda left, right: left > right,
    "greaterorequals": lambda left, right: left >= right,
    "equals": _equals,
    "take": lambda value, count: value[:count],
    "skip": lambda value, count: value[count:],
    "range": lambda start, count: list(range(start, start + count)),
    "contains": _contains,
    "join": lambda items, mark: mark.join(_text(each) for each in items),
}

_VALUES: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "not": lambda value: not value,
    "bool": _bool,
    "array": _array,
    "length": len,
    "empty": _empty,
    "first": lambda value: value[0],
    "last": lambda value: value[-1],
    "items": _items,
    "int": int,
}

PLAIN: dict[str, Function] = {
    **_TEXTS,
    **_TWO_TEXTS,
    **_TWO_NUMBERS,
    **_VALUES,
    "concat": _concat,
    "format": _format,
    "replace": str.replace,
    "split": _split,
    "substring": _substring,
    "padleft": _pad_left,
    "uniquestring": unique_string,
    "guid": _guid,
    "if": _if,
    "and": _and,
    "or": _or,
    "true": lambda: True,
    "false": lambda: False,
    "null": lambda: None,
    "coalesce": _coalesce,
    "createarray": _create_array,
    "createobject": _create_object,
    "union": _union,
    "intersection": _intersection,
    "min": _numbers(min),
    "max": _numbers(max),
}
"""By their names in lower case: Azure looks them up so."""
