"""What requests and answers may hold, by the model classes of Azure's SDKs, old (msrest) and new (`rest_field`)."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import re
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType
from typing import Any, Literal, cast

Json = dict[str, Any]

_Mode = Literal["request", "answer", "old answer"]
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


class SchemaError(ValueError):
    """Data that does not fit. The text says what is wrong; `path` where."""

    def __init__(self, path: str, problem: str) -> None:
        """Say what is wrong.

        Args:
            path: Where, such as `properties.containers[0].name`.
            problem: What.
        """
        self.path = path
        self.problem = problem
        super().__init__(f"{problem} Path '{path}'.")


@dataclass(frozen=True)
class Type:
    """A type of a field."""

    kind: Literal["any", "str", "int", "float", "bool", "time", "list", "map", "model"]
    of: Type | None = None
    """Of the items of a list or map."""

    model: type[Any] | None = None


@dataclass
class Field:
    """A field of a model, or a folder of fields: old models write `properties.image` for a field in a folder."""

    type: Type | None = None
    is_required: bool = False
    is_read_only: bool = False
    fields: dict[str, Field] = field(default_factory=dict[str, "Field"])


ANY = Type("any")
_OLD = {
    "str": Type("str"),
    "int": Type("int"),
    "long": Type("int"),
    "float": Type("float"),
    "bool": Type("bool"),
    "iso-8601": Type("time"),
    "duration": Type("str"),
    "object": ANY,
}


@functools.cache
def fields_of(model: type[Any]) -> dict[str, Field]:
    """Give the fields of a model by their names in JSON.

    Args:
        model: A class of a `models` module of an SDK.
    """
    if hasattr(model, "_attribute_map"):
        return _old_fields(model)
    return _new_fields(model)


def _old_fields(model: Any) -> dict[str, Field]:
    root = Field()
    package = sys.modules[model.__module__]
    for name, spec in model._attribute_map.items():  # noqa: SLF001 - what the SDK serializes by
        rule = model._validation.get(name, {})  # noqa: SLF001
        folder = root
        *folders, last = [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", spec["key"])]
        for part in folders:
            folder = folder.fields.setdefault(part, Field())
        is_required, is_read_only = bool(rule.get("required")), bool(rule.get("readonly"))
        folder.fields[last] = Field(_old_type(spec["type"], package), is_required, is_read_only)
    return root.fields


def _old_type(text: str, package: ModuleType) -> Type:
    if text in _OLD:
        return _OLD[text]
    if text[0] in "[{":
        return Type("list" if text[0] == "[" else "map", _old_type(text[1:-1], package))
    model: Any = getattr(package, text, None)
    return Type("model", model=model) if hasattr(model, "_attribute_map") else Type("str")


def _new_fields(model: Any) -> dict[str, Field]:
    model.__new__(model)  # it reads its own fields when first made
    fields: dict[str, Field] = {}
    hints: dict[str, Any] = {}
    package = sys.modules[model.__module__.rpartition(".")[0]]
    for base in reversed(model.__mro__):
        own = inspect.get_annotations(base)
        if own:
            names = {**vars(typing), **vars(sys.modules[base.__module__]), "_models": package, "datetime": dt}
            hints.update({key: _resolved(hint, names) for key, hint in own.items()})
    for name, rest in model._attr_to_rest_field.items():  # noqa: SLF001 - what the SDK serializes by
        hint = hints.get(name, Any)
        is_optional = type(None) in typing.get_args(hint)
        is_read_only = rest._visibility == ["read"]  # noqa: SLF001
        kind = _new_type(hint)
        fields[rest._rest_name] = Field(kind, not is_optional and not is_read_only, is_read_only)  # noqa: SLF001
    return fields


def _resolved(hint: Any, names: Mapping[str, Any]) -> Any:
    holder = type("Holder", (), {"__annotations__": {"hint": hint}})
    return typing.get_type_hints(holder, dict(names), dict(names))["hint"]


def _new_type(hint: Any) -> Type:
    options = [each for each in typing.get_args(hint) if each is not type(None)]
    origin = typing.get_origin(hint)
    if origin is list:
        return Type("list", _new_type(options[0]))
    if origin is dict:
        return Type("map", _new_type(options[1]))
    if options:  # Optional, or the name of an enum's member as text
        return _new_type(options[0])
    simple: dict[Any, Type] = {str: Type("str"), int: Type("int"), float: Type("float"), bool: Type("bool")}
    if hint in simple:
        return simple[hint]
    if hint in (dt.datetime, dt.date):
        return Type("time")
    if hasattr(hint, "_is_model"):
        return Type("model", model=hint)
    return Type("str") if isinstance(hint, type(Enum)) else ANY


def read_request(model: type[Any], data: Any) -> Json:
    """Check a request against a model.

    Args:
        model: A class of a `models` module of an SDK.
        data: The request.

    Returns:
        The request in the model's case, without read-only fields and nulls, which Azure ignores.

    Raises:
        SchemaError: If it does not fit, or lacks what is required.
    """
    return cast("Json", _check(Type("model", model=model), data, "", "request"))


def check_answer(model: type[Any], data: Any, *, is_old: bool = False) -> None:
    """Check an answer against a model.

    Args:
        model: A class of a `models` module of an SDK.
        data: The answer.
        is_old: The model may lack fields, as that of an SDK for an older version of the API does.

    Raises:
        SchemaError: If it does not fit.
    """
    _check(Type("model", model=model), data, "", "old answer" if is_old else "answer")


def _check(kind: Type, value: Any, path: str, mode: _Mode) -> Any:
    if kind.kind == "model":
        return _check_fields(fields_of(cast("type[Any]", kind.model)), value, path, mode)
    if kind.kind == "list":
        if not isinstance(value, list):
            raise _wrong(path, value, "an array")
        item = cast("Type", kind.of)
        values = cast("list[Any]", value)
        return [_check(item, each, f"{path}[{index}]", mode) for index, each in enumerate(values)]
    if kind.kind == "map":
        if not isinstance(value, dict):
            raise _wrong(path, value, "an object")
        item = cast("Type", kind.of)
        pairs = cast("Json", value)
        return {key: _check(item, each, f"{path}.{key}", mode) for key, each in pairs.items() if each is not None}
    return _check_simple(kind.kind, value, path)


def _check_fields(fields: Mapping[str, Field], value: Any, path: str, mode: _Mode) -> Json:
    if not isinstance(value, dict):
        raise _wrong(path, value, "an object")
    is_request = mode == "request"
    known = {name.lower(): name for name in fields} if is_request else {name: name for name in fields}
    result: Json = {}
    for given, each in cast("Json", value).items():
        name = known.get(given.lower() if is_request else given)
        where = f"{path}.{given}" if path else given
        if name is None and mode == "old answer":
            continue
        if name is None:
            raise SchemaError(where, f"Could not find member '{given}' on object.")
        spec = fields[name]
        if each is None or (is_request and spec.is_read_only):
            continue
        if spec.type is None:
            result[name] = _check_fields(spec.fields, each, where, mode)
        else:
            result[name] = _check(spec.type, each, where, mode)
    if is_request:
        _check_required(fields, result, path)
    return result


def _check_required(fields: Mapping[str, Field], data: Json, path: str) -> None:
    for name, spec in fields.items():
        where = f"{path}.{name}" if path else name
        if spec.type is None and name not in data:
            _check_required(spec.fields, {}, where)
        elif spec.is_required and not spec.is_read_only and name not in data:
            raise SchemaError(path, f"Required property '{name}' not found in JSON.")


def _check_simple(kind: str, value: Any, path: str) -> Any:
    if kind == "any":
        return value
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind in ("int", "float"):
        if isinstance(value, str):  # Azure reads numbers in quotes
            try:
                return int(value) if kind == "int" else float(value)
            except ValueError:
                raise _wrong(path, value, "a number") from None
        if not is_number or (kind == "int" and value != int(value)):
            raise _wrong(path, value, "an integer" if kind == "int" else "a number")
        return value
    if kind == "bool" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind == "bool" and not isinstance(value, bool):
        raise _wrong(path, value, "a boolean")
    if kind in ("str", "time") and not isinstance(value, str):
        raise _wrong(path, value, "a string")
    if kind == "time" and not _TIME.match(cast("str", value)):
        raise _wrong(path, value, "a time")
    return value


def _wrong(path: str, value: Any, wanted: str) -> SchemaError:
    return SchemaError(path, f"Error converting value of type '{type(value).__name__}': {wanted} is expected.")
