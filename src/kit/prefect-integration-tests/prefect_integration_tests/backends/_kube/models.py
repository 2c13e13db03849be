"""Manifests read by the client's own models: what the API server drops, refuses, and cannot decode."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, cast

from .json import Json
from .status import Cause, Refusal, bad_request

_MISSING = re.compile(r"Invalid value for `(\w+)`, must not be `None`")
_GO_TYPES = {"int": "int32", "str": "string", "bool": "bool", "float": "float64", "datetime": "Time"}


class Reading:
    """What came out of reading one manifest."""

    def __init__(self) -> None:
        """Nothing, so far."""
        self.unknown: list[str] = []
        """Paths of fields that the API server does not know; it drops them."""

        self.causes: list[Cause] = []
        """Fields that are missing."""


def read_manifest(model: str, data: Json, api_version: str, kind: str) -> tuple[Json, Reading]:
    """Read a manifest as the API server decodes it.

    Args:
        model: Class of the client's models.
        data: The manifest.
        api_version: API version that the path implies; a manifest without one gets it.
        kind: Kind that the path implies.

    Returns:
        The manifest without unknown fields and nulls, and what was found.

    Raises:
        Refusal: 400, if it is of another kind, or a value has the wrong type.
    """
    given = (data.get("apiVersion") or api_version, data.get("kind") or kind)
    if given != (api_version, kind):
        expected, got = (f"{version}, Kind={name}" for version, name in ((api_version, kind), given))
        message = f"the API version in the data ({got}) does not match the expected API version ({expected})"
        raise bad_request(message)
    reading = Reading()
    try:
        clean = _read(model, {**data, "apiVersion": api_version, "kind": kind}, "", reading)
    except _WrongType as exc:
        version = api_version.rpartition("/")[2]
        message = f'{kind} in version "{version}" cannot be handled as a {kind}: {exc}'
        raise bad_request(message) from exc
    return clean, reading


def strict_refusal(reading: Reading, data: Json) -> Refusal:
    """Word the refusal of unknown fields for requests that ask for strict reading."""
    fields = ", ".join(f'unknown field "{path}"' for path in reading.unknown)
    api_version, kind = data.get("apiVersion", ""), data.get("kind", "")
    version = str(api_version).rpartition("/")[2]
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {fields}')


def decode_problems(model: str, data: Json) -> list[str]:
    """Re-read an answer by the client's models: everything that the client would not understand.

    Args:
        model: Class of the client's models.
        data: The answer.
    """
    reading = Reading()
    try:
        _read(model, data, "", reading)
    except _WrongType as exc:
        return [str(exc)]
    return [*reading.unknown, *(f"{cause.field}: {cause.message}" for cause in reading.causes)]


class _WrongType(Exception):
    def __init__(self, path: str, value: Any, wanted: str) -> None:
        words = (("object", dict), ("array", list), ("string", str), ("bool", bool))
        word = next((word for word, kind in words if isinstance(value, kind)), "number")
        super().__init__(f"json: cannot unmarshal {word} into Go struct field .{path} of type {wanted}")


@cache
def _class_of(name: str) -> Any:
    from kubernetes_asyncio.client import models

    return getattr(models, name, None)


@cache
def _configuration() -> Any:
    from kubernetes_asyncio.client import Configuration

    return Configuration()


@cache
def _fields(model: str) -> dict[str, tuple[str, str]]:
    """Give the fields of a model by their names in JSON: name of the attribute, type."""
    found = _class_of(model)
    return {found.attribute_map[name]: (name, kind) for name, kind in found.openapi_types.items()}


@cache
def _required(model: str) -> tuple[str, ...]:
    """Name the fields, in JSON, that a model cannot be without."""
    found = _class_of(model)
    given: dict[str, object] = {}
    while name := _first_missing(found, given):
        given[name] = object()
    return tuple(found.attribute_map[name] for name in given)


def _first_missing(model: Any, given: dict[str, object]) -> str:
    try:
        model(local_vars_configuration=_configuration(), **given)
    except ValueError as exc:
        match = _MISSING.match(str(exc))
        return match[1] if match else ""
    return ""


def _read(kind: str, value: Any, path: str, reading: Reading) -> Any:
    if kind.startswith("list["):
        if not isinstance(value, list):
            raise _WrongType(path, value, f"[]{kind[5:-1]}")
        each_of = cast("list[Any]", value)
        return [_read(kind[5:-1], each, f"{path}[{i}]", reading) for i, each in enumerate(each_of)]
    if kind.startswith("dict("):
        if not isinstance(value, dict):
            raise _WrongType(path, value, "map[string]string")
        inner = kind[5:-1].partition(", ")[2]
        given = {key: each for key, each in cast("Json", value).items() if each is not None}
        return {key: _read(inner, each, f"{path}.{key}", reading) for key, each in given.items()}
    check = _PRIMITIVES.get(kind)
    if check is not None:
        if not check(value):
            raise _WrongType(path, value, _GO_TYPES[kind])
        return value
    if kind == "object" or _class_of(kind) is None:
        return value
    return _read_model(kind, value, path, reading)


def _read_model(model: str, value: Any, path: str, reading: Reading) -> Json:
    if not isinstance(value, dict):
        raise _WrongType(path, value, model)
    fields = _fields(model)
    clean: Json = {}
    for name, each in cast("Json", value).items():
        inner = f"{path}.{name}" if path else name
        if name not in fields:
            reading.unknown.append(inner)
        elif each is not None:
            clean[name] = _read(fields[name][1], each, inner, reading)
    for name in _required(model):
        if name not in clean and name not in ("status",) and not path.startswith("status"):
            inner, kind = f"{path}.{name}" if path else name, fields[name][1]
            if _class_of(kind) is None:
                reading.causes.append(Cause(inner, "Required value"))
            else:
                _read_model(kind, {}, inner, reading)  # a missing object is an empty one
    return clean


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return False
    return isinstance(value, str)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_PRIMITIVES: dict[str, Callable[[Any], bool]] = {
    "int": _is_integer,
    "float": _is_number,
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "datetime": _is_time,
}
