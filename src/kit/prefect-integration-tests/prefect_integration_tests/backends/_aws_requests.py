"""Read requests as an AWS service does: find the operation and its parameters, in the names of the model.

The protocols are described in https://smithy.io/2.0/aws/protocols/index.html.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree as ET

from ._aws_model import HttpRequest, is_list, is_mapping


class UnknownOperation(ValueError):
    """A request fits no operation of the service."""


def read_request(model: Any, request: HttpRequest) -> tuple[Any, dict[str, Any]]:
    """Find the operation that a request calls, and its parameters by the names of the model.

    Raises:
        UnknownOperation: If there is none.
    """
    protocol: str = model.resolved_protocol
    if protocol == "json":
        name = request.headers.get("x-amz-target", "").rpartition(".")[2]
        operation = _operation(model, name)
        return operation, _from_json(json.loads(request.body or b"{}"), operation.input_shape)
    if protocol == "query":
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True)) or request.query
        operation = _operation(model, form.get("Action", ""))
        if operation.input_shape is None:
            return operation, {}
        return operation, _from_query(form, "", operation.input_shape) or {}
    return _read_rest(model, request)


def _operation(model: Any, name: str) -> Any:
    if name not in model.operation_names:
        raise UnknownOperation(f"{model.service_name} has no operation {name!r}.")
    return model.operation_model(name)


def _from_json(value: Any, shape: Any) -> Any:
    if shape is None or value is None:
        return value
    kind = shape.type_name
    if kind == "structure" and is_mapping(value):
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        return {
            names.get(key, key): _from_json(item, shape.members[names[key]]) if key in names else item
            for key, item in value.items()
        }
    if kind == "list" and is_list(value):
        return [_from_json(item, shape.member) for item in value]
    if kind == "map" and is_mapping(value):
        return {key: _from_json(item, shape.value) for key, item in value.items()}
    return _scalar(value, shape) if kind == "blob" else value


def _scalar(text: Any, shape: Any) -> Any:
    """Turn the text of a form, URL, header or XML element into a value; unreadable text stays for the validator."""
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name in ("float", "double"):
            return float(text)
        if shape.type_name == "blob":
            return base64.b64decode(text)
    except ValueError:
        return text
    return {"true": True, "false": False}.get(text, text) if shape.type_name == "boolean" else text


def _from_query(form: Mapping[str, str], prefix: str, shape: Any) -> Any:
    """Read what the form has below `prefix`; `None` when it has nothing."""
    if shape.type_name == "structure":
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            key = member.serialization.get("name", name)
            value = _from_query(form, f"{prefix}.{key}" if prefix else key, member)
            if value is not None:
                found[name] = value
        return found or None
    if shape.type_name == "list":
        if form.get(prefix) == "":
            return []
        flat = shape.serialization.get("flattened")
        base = prefix if flat else f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        return [_from_query(form, f"{base}.{i}", shape.member) for i in _indexes(form, base)] or None
    if shape.type_name == "map":
        base = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        return {
            form[f"{base}.{i}.{key_name}"]: _from_query(form, f"{base}.{i}.{value_name}", shape.value)
            for i in _indexes(form, base)
        } or None
    return _scalar(form[prefix], shape) if prefix in form else None


def _indexes(form: Mapping[str, str], base: str) -> list[int]:
    pattern = re.compile(rf"{re.escape(base)}\.(\d+)(?:\.|$)")
    return sorted({int(match[1]) for match in map(pattern.match, form) if match})


def _read_rest(model: Any, request: HttpRequest) -> tuple[Any, dict[str, Any]]:
    """Match method, path, static query and required headers; the operation that asks for most wins."""
    best: tuple[int, Any, dict[str, str]] | None = None
    query = request.query
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.http["method"] != request.method:
            continue
        path, _, static = operation.http["requestUri"].partition("?")
        labels = _match_path(path, request.path)
        if labels is None:
            continue
        wanted = [pair.partition("=")[::2] for pair in static.split("&") if pair]
        if any(key not in query or (value and query[key] != value) for key, value in wanted):
            continue
        required = _required_outside_body(operation.input_shape)
        if not all(_has(request, query, *place) for place in required):
            continue
        score = 2 * len(wanted) + len(required) + len(re.findall(r"/[^/{]+", path)) - len(labels)
        if best is None or score > best[0]:
            best = (score, operation, labels)
    if best is None:
        raise UnknownOperation(f"{model.service_name} has no operation {request.method} {request.path}.")
    _, operation, labels = best
    return operation, _rest_parameters(model, operation, request, labels)


def _match_path(template: str, path: str) -> dict[str, str] | None:
    pattern = ""
    names: list[str] = []
    for part in re.split(r"(\{[^}]+\})", template.rstrip("/")):
        if part.startswith("{"):
            names.append(part[1:-1].rstrip("+"))
            pattern += "(.+)" if part.endswith("+}") else "([^/]+)"
        else:
            pattern += re.escape(part)
    match = re.fullmatch(pattern + "/?", path)
    return dict(zip(names, map(unquote, match.groups()), strict=True)) if match else None


def _required_outside_body(shape: Any) -> list[tuple[str, str]]:
    if shape is None:
        return []
    places = [
        (shape.members[name].serialization.get("location"), shape.members[name].serialization.get("name", name))
        for name in shape.required_members
    ]
    return [(location, name) for location, name in places if location in ("querystring", "header")]


def _has(request: HttpRequest, query: Mapping[str, str], location: str, name: str) -> bool:
    return name in query if location == "querystring" else name.lower() in request.headers


def _rest_parameters(model: Any, operation: Any, request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
    shape = operation.input_shape
    if shape is None:
        return {}
    parameters: dict[str, Any] = {}
    in_body: list[str] = []
    payload: str | None = shape.serialization.get("payload")
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        place = member.serialization.get("name", name)
        if location == "uri" and place in labels:
            parameters[name] = _scalar(labels[place], member)
        elif location == "querystring" and place in request.query:
            parameters[name] = _scalar(request.query[place], member)
        elif location == "header" and place.lower() in request.headers:
            parameters[name] = _header_value(request.headers[place.lower()], member)
        elif location == "headers":
            start = place.lower()
            found = {key[len(start) :]: value for key, value in request.headers.items() if key.startswith(start)}
            if found:
                parameters[name] = found
        elif location is None:
            in_body.append(name)
    if payload is not None:
        member = shape.members[payload]
        if member.type_name in ("blob", "string"):
            if request.body:
                parameters[payload] = request.body
        elif request.body:
            parameters[payload] = _body(model, request.body, member)
    elif in_body and request.body:
        parameters.update(_body(model, request.body, shape) or {})
    return parameters


def _header_value(text: str, shape: Any) -> Any:
    if shape.type_name == "list":
        return [_scalar(item.strip(), shape.member) for item in text.split(",")]
    return _scalar(text, shape)


def _body(model: Any, body: bytes, shape: Any) -> Any:
    if model.resolved_protocol == "rest-json":
        return _from_json(json.loads(body), shape)
    return _from_xml(ET.fromstring(body), shape)


def _local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _from_xml(element: ET.Element, shape: Any) -> Any:
    if shape.type_name == "structure":
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            flat = member.type_name == "list" and member.serialization.get("flattened")
            tag = (flat and member.member.serialization.get("name")) or member.serialization.get("name", name)
            children = [child for child in element if _local_name(child) == tag]
            if flat and children:
                found[name] = [_from_xml(child, member.member) for child in children]
            elif children:
                found[name] = _from_xml(children[0], member)
        return found
    if shape.type_name == "list":
        return [_from_xml(child, shape.member) for child in element]
    return _scalar(element.text or "", shape)
