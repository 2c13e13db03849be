"""Requests against the schemas of the discovery documents, refused in the words of Google's front end.

It reads JSON as protocol buffers do: names in lowerCamelCase or snake_case, numbers as text too, `null` as nothing.
https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, cast

from .discovery import Document, Method
from .errors import ApiError, Json, invalid_argument

_DURATION = re.compile(r"-?\d+(\.\d{1,9})?s")
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_INTEGERS = {"int32": (-(1 << 31), 1 << 31), "int64": (-(1 << 63), 1 << 63), "uint32": (0, 1 << 32)}


def read_query(method: Method, query: Mapping[str, list[str]]) -> Json:
    """Check query parameters, and give them their types.

    Raises:
        ApiError: 400, of a name that is not known or a value that does not fit.
    """
    read: Json = {}
    common = method.document.common_parameters
    for name, values in query.items():
        found = method.parameters.get(name) or method.parameters.get(_camel(name))
        if found is None or found["location"] != "query":
            if name in common:
                continue
            said = f"Cannot bind query parameter. Field '{name}' could not be found in request message."
            said = f'Invalid JSON payload received. Unknown name "{name}": {said}'
            raise invalid_argument(said, ("", said))
        checker = _Checker(method.document)
        typed = [checker.scalar(found, value, _snake(name), is_query=True) for value in values]
        checker.raise_violations()
        read[_camel(name)] = typed if found.get("repeated") else typed[-1]
    for name, found in method.parameters.items():
        if found.get("required") and found["location"] == "query" and name not in read:
            raise invalid_argument(f"Invalid value at '{_snake(name)}' (required), \"\"", (_snake(name), "required"))
    return read


def read_body(method: Method, content: bytes) -> Json:
    """Check a body, and give it with names in lowerCamelCase, without `null` and without output-only fields.

    Raises:
        ApiError: 400, of an unknown field, a wrong type, a missing required field, text that is no JSON.
    """
    if not method.request_schema:
        if content.strip():
            said = 'Invalid JSON payload received. Unknown name "": Root element must be a message.'
            raise invalid_argument(said, ("", said))
        return {}
    if not content.strip():
        return {}
    try:
        data = json.loads(content)
    except ValueError as exc:
        raise ApiError(400, f"Invalid JSON payload received. {exc}") from exc
    if not isinstance(data, dict):
        said = 'Invalid JSON payload received. Unknown name "": Root element must be a message.'
        raise invalid_argument(said, ("", said))
    checker = _Checker(method.document)
    read = checker.message(method.request_schema, cast("Json", data), _root(method))
    checker.raise_violations()
    return read


def check_answer(method: Method, data: Json) -> None:
    """Check that an answer is one of the method: the servers here must not invent fields.

    Raises:
        ApiError: 500, naming what is wrong.
    """
    if not method.response_schema:
        return
    checker = _Checker(method.document, is_answer=True)
    checker.message(method.response_schema, data, "answer")
    if checker.violations:
        raise ApiError(500, f"The local server's answer to {method.id} is wrong: {checker.violations[0][1]}")


class _Checker:
    def __init__(self, document: Document, *, is_answer: bool = False) -> None:
        self._schemas = document.schemas
        self._is_answer = is_answer
        self.violations: list[tuple[str, str]] = []

    def raise_violations(self) -> None:
        if self.violations:
            raise invalid_argument("\n".join(said for _, said in self.violations), *self.violations)

    def message(self, name: str, data: Json, path: str) -> Json:
        schema = self._schemas[name]
        properties: Json = schema.get("properties", {})
        if "properties" not in schema:
            if "additionalProperties" in schema:
                return self._map(schema, data, path)
            properties = {}
        read: Json = {}
        for key, value in data.items():
            field = key if key in properties else _camel(key)
            found = properties.get(field)
            if found is None:
                if self._is_free(name, key):
                    read[key] = value
                    continue
                where = f" at '{path}'" if path else ""
                said = f'Invalid JSON payload received. Unknown name "{key}"{where}: Cannot find field.'
                self.violations.append((path, said))
            elif value is not None and (self._is_answer or not found.get("readOnly")):
                read[field] = self.value(found, value, f"{path}.{_snake(field)}" if path else _snake(field))
        return read

    def _is_free(self, name: str, key: str) -> bool:
        return key == "@type" or (self._is_answer and self._schemas[name].get("additionalProperties") is not None)

    def value(self, schema: Json, value: Any, path: str) -> Any:
        if "$ref" in schema:
            if not isinstance(value, dict):
                return self._wrong(path, f"type.googleapis.com/{_type_name(schema['$ref'])}", value)
            return self.message(schema["$ref"], cast("Json", value), path)
        kind = schema.get("type")
        if kind == "array":
            if not isinstance(value, list):
                return self._wrong(path, "TYPE_ARRAY", value)
            items = cast("list[Any]", value)
            return [self.value(schema["items"], item, f"{path}[{index}]") for index, item in enumerate(items)]
        if kind == "object":
            if not isinstance(value, dict):
                return self._wrong(path, "TYPE_MESSAGE", value)
            return self._map(schema, cast("Json", value), path)
        return self.scalar(schema, value, path)

    def _map(self, schema: Json, data: Json, path: str) -> Json:
        values = schema.get("additionalProperties")
        if not values:
            return data
        return {
            key: self.value(values, value, f"{path}[{index}].value") for index, (key, value) in enumerate(data.items())
        }

    def scalar(self, schema: Json, value: Any, path: str, *, is_query: bool = False) -> Any:
        kind, form = schema.get("type"), schema.get("format", "")
        if kind == "any":
            return value
        if kind == "boolean":
            if is_query and str(value).lower() in ("true", "false"):
                return str(value).lower() == "true"
            return value if isinstance(value, bool) else self._wrong(path, "TYPE_BOOL", value)
        if kind == "integer" or form in ("int64", "uint64"):
            return self._integer(schema, value, path, form)
        if kind == "number":
            try:
                return float(value)
            except (TypeError, ValueError):
                return self._wrong(path, "TYPE_DOUBLE", value)
        if "enum" in schema:
            is_known = isinstance(value, str) and value in schema["enum"]
            return value if is_known else self._wrong(path, "TYPE_ENUM", value)
        if not isinstance(value, str):
            return self._wrong(path, "TYPE_STRING", value)
        return self._text(value, path, form)

    def _integer(self, schema: Json, value: Any, path: str, form: str) -> Any:
        low, high = _INTEGERS.get(form, (0, 1 << 64))
        try:
            number = int(value) if not isinstance(value, bool) and float(value) == int(float(value)) else None
        except (TypeError, ValueError):
            number = None
        if number is None or not low <= number < high:
            return self._wrong(path, f"TYPE_{form.upper()}", value)
        return str(number) if schema.get("type") == "string" else number

    def _text(self, value: str, path: str, form: str) -> Any:
        name = path.rpartition(".")[2]
        if form == "google-duration" and not _DURATION.fullmatch(value):
            said = f"Field '{_camel(name)}', Illegal duration format; duration must end with 's'"
            return self._wrong(path, "type.googleapis.com/google.protobuf.Duration", said, quote=False)
        if form == "google-datetime" and not _DATETIME.fullmatch(value):
            said = f"Field '{_camel(name)}', Invalid time format: Failed to parse input"
            return self._wrong(path, "type.googleapis.com/google.protobuf.Timestamp", said, quote=False)
        if form == "byte":
            try:
                base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
            except (binascii.Error, ValueError):
                said = f"Base64 decoding failed for {json.dumps(value)}"
                return self._wrong(path, "TYPE_BYTES", said, quote=False)
        return value

    def _wrong(self, path: str, kind: str, value: Any, *, quote: bool = True) -> None:
        shown = json.dumps(value) if quote else value
        self.violations.append((path, f"Invalid value at '{path}' ({kind}), {shown}"))


def _root(method: Method) -> str:
    """Name of the body in the request message: `job` of CreateJobRequest; none where the body is the whole message."""
    name = method.request_schema
    if name.endswith("Request") or name in ("Empty", "GoogleProtobufEmpty"):
        return ""
    return _snake(_type_name(name).rpartition(".")[2])


def _type_name(schema: str) -> str:
    """`google.cloud.run.v2.Job` of `GoogleCloudRunV2Job`."""
    found = re.fullmatch(r"(Google)(Cloud)?([A-Z][a-z]+)(V\d+\w*?)([A-Z]\w*)", schema)
    if found is None:
        return schema
    return ".".join([*(part.lower() for part in found.groups()[:4] if part), found[5]])


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
