"""Write answers as an AWS service does: outputs and errors, in the protocol of its model.

The protocols are described in https://smithy.io/2.0/aws/protocols/index.html.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree as ET

from ._aws_model import HttpAnswer

REQUEST_ID = "00000000-0000-4000-8000-000000000000"


def write_answer(operation: Any, output: Mapping[str, Any]) -> HttpAnswer:
    """Write the output of an operation as the service would."""
    model = operation.service_model
    shape = operation.output_shape
    status: int = operation.http.get("responseCode", 200)
    if model.resolved_protocol == "json":
        version = model.metadata.get("jsonVersion", "1.1")
        headers = {"Content-Type": f"application/x-amz-json-{version}", "x-amzn-RequestId": REQUEST_ID}
        return HttpAnswer(status, _dump(_to_json(output, shape) if shape is not None else {}), headers)
    if model.resolved_protocol == "query":
        root = ET.Element(f"{operation.name}Response", xmlns=model.metadata.get("xmlNamespace", ""))
        if shape is not None:
            wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
            _fill_xml(ET.SubElement(root, wrapper), output, shape)
        metadata = ET.SubElement(root, "ResponseMetadata")
        ET.SubElement(metadata, "RequestId").text = REQUEST_ID
        return HttpAnswer(status, ET.tostring(root), {"Content-Type": "text/xml"})
    return _write_rest(operation, output, status)


def _write_rest(operation: Any, output: Mapping[str, Any], status: int) -> HttpAnswer:
    shape = operation.output_shape
    is_json = operation.service_model.resolved_protocol == "rest-json"
    answer = HttpAnswer(status, headers={"x-amzn-RequestId": REQUEST_ID})
    answer.headers["Content-Type"] = "application/json" if is_json else "application/xml"
    if shape is None:
        return answer
    in_body: dict[str, Any] = {}
    payload: str | None = shape.serialization.get("payload")
    for name, value in output.items():
        member = shape.members[name]
        location = member.serialization.get("location")
        place = member.serialization.get("name", name)
        if location == "header":
            answer.headers[place] = _header_text(value, member)
        elif location == "headers":
            answer.headers.update({f"{place}{key}": str(item) for key, item in value.items()})
        elif location == "statusCode":
            answer.status = int(value)
        elif name == payload and member.type_name in ("blob", "string"):
            answer.body = value.encode() if isinstance(value, str) else bytes(value)
            answer.headers["Content-Type"] = "application/octet-stream"
        else:
            in_body[name] = value
    if payload is None:
        answer.body = _structure(operation, in_body, shape, is_json=is_json)
    elif payload in in_body:
        answer.body = _structure(operation, in_body[payload], shape.members[payload], is_json=is_json)
    return answer


def _structure(operation: Any, value: Mapping[str, Any], shape: Any, *, is_json: bool) -> bytes:
    if is_json:
        return _dump(_to_json(value, shape))
    if not value:
        return b""
    name = shape.serialization.get("name") or shape.serialization.get("resultWrapper") or shape.name
    root = ET.Element(name, xmlns=operation.service_model.metadata.get("xmlNamespace", ""))
    _fill_xml(root, value, shape)
    return ET.tostring(root)


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def _moment(value: Any, style: str) -> Any:
    """Format a time: a datetime, or seconds since the epoch."""
    moment = value if isinstance(value, datetime) else datetime.fromtimestamp(value, timezone.utc)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    moment = moment.astimezone(timezone.utc)
    if style == "unixTimestamp":
        return moment.timestamp()
    if style == "rfc822":
        return format_datetime(moment.replace(microsecond=0), usegmt=True)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _to_json(value: Any, shape: Any) -> Any:
    kind = shape.type_name
    if kind == "structure" and not shape.is_document_type:
        return {
            shape.members[name].serialization.get("name", name): _to_json(item, shape.members[name])
            for name, item in value.items()
        }
    if kind == "list":
        return [_to_json(item, shape.member) for item in value]
    if kind == "map":
        return {key: _to_json(item, shape.value) for key, item in value.items()}
    if kind == "timestamp":
        return _moment(value, shape.serialization.get("timestampFormat", "unixTimestamp"))
    if kind == "blob":
        return _base64(value)
    return value


def _base64(value: Any) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else bytes(value)).decode()


def _text(value: Any, shape: Any, time_style: str) -> str:
    if shape.type_name == "timestamp":
        return str(_moment(value, shape.serialization.get("timestampFormat", time_style)))
    if shape.type_name == "boolean":
        return "true" if value else "false"
    return _base64(value) if shape.type_name == "blob" else str(value)


def _header_text(value: Any, shape: Any) -> str:
    if shape.type_name == "list":
        return ",".join(str(item) for item in value)
    if shape.serialization.get("jsonvalue"):
        return base64.b64encode(_dump(value)).decode()
    return _text(value, shape, "rfc822")


def _fill_xml(parent: ET.Element, value: Any, shape: Any) -> None:
    """Write `value` into the element that was made for it."""
    if shape.type_name == "structure":
        for name, item in value.items():
            member = shape.members[name]
            tag = member.serialization.get("name", name)
            if member.type_name == "list" and member.serialization.get("flattened"):
                for entry in item:
                    inner = member.member.serialization.get("name", tag)
                    _fill_xml(ET.SubElement(parent, inner), entry, member.member)
            else:
                _fill_xml(ET.SubElement(parent, tag), item, member)
    elif shape.type_name == "list":
        for entry in value:
            inner = shape.member.serialization.get("name", "member")
            _fill_xml(ET.SubElement(parent, inner), entry, shape.member)
    elif shape.type_name == "map":
        for key, item in value.items():
            entry = ET.SubElement(parent, "entry")
            ET.SubElement(entry, shape.key.serialization.get("name", "key")).text = key
            _fill_xml(ET.SubElement(entry, shape.value.serialization.get("name", "value")), item, shape.value)
    else:
        parent.text = _text(value, shape, "iso8601")


def write_error(
    model: Any, code: str, message: str, status: int, details: Mapping[str, str] | None = None
) -> HttpAnswer:
    """Write an error as the service would.

    Args:
        model: The service.
        code: Error code, such as `AccessDenied`.
        message: For people.
        status: HTTP status.
        details: Further elements of the error, such as `Region`.
    """
    protocol: str = model.resolved_protocol
    headers = {"x-amzn-RequestId": REQUEST_ID, "Content-Type": "application/xml"}
    if protocol in ("json", "rest-json"):
        headers["Content-Type"] = "application/json"
        if protocol == "rest-json":
            headers["x-amzn-ErrorType"] = code
        return HttpAnswer(status, _dump({"__type": code, "message": message, **(details or {})}), headers)
    is_s3 = model.service_name == "s3"
    root = ET.Element("Error" if is_s3 else "ErrorResponse")
    error = root if is_s3 else ET.SubElement(root, "Error")
    for name, text in {"Code": code, "Message": message, **(details or {})}.items():
        ET.SubElement(error, name).text = text
    ET.SubElement(root, "RequestId").text = REQUEST_ID
    return HttpAnswer(status, ET.tostring(root), headers)
