"""Label and field selectors of the Kubernetes API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from .json import Json
from .status import bad_request

Match = Callable[[Mapping[str, str]], bool]

_KEY = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^)]*)\)")
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_SEPARATOR = re.compile(r",(?![^(]*\))")

_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "jobs": ("status.successful",),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}
"""Fields that each resource can be selected by, beside `metadata.name` and `metadata.namespace`."""


def label_selector(text: str) -> list[Match]:
    """Read a label selector, such as `a=b,c in (d, e),!f`.

    Raises:
        Refusal: If it cannot be read.
    """
    return [_label_term(term.strip()) for term in _SEPARATOR.split(text)] if text.strip() else []


def _label_term(term: str) -> Match:
    if match := _SET.fullmatch(term):
        key, operator, values = match[1], match[2], {value.strip() for value in match[3].split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUAL.fullmatch(term):
        key, operator, value = match.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _EXISTS.fullmatch(term):
        key, is_wanted = match[2], not match[1]
        return lambda labels: (key in labels) is is_wanted
    raise bad_request(f"unable to parse requirement: found {term!r}, expected: an identifier or an operator")


def field_selector(text: str, plural: str) -> list[tuple[str, bool, str]]:
    """Read a field selector, such as `status.phase!=Running`: field, whether equal, value.

    Raises:
        Refusal: If the resource cannot be selected by such a field.
    """
    terms: list[tuple[str, bool, str]] = []
    for term in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", term)
        if match is None:
            raise bad_request(f"invalid selector: {term!r}; can't understand {term!r}")
        field, operator, value = match.groups()
        if field not in ("metadata.name", "metadata.namespace", *_FIELDS.get(plural, ())):
            raise bad_request(f"field label not supported: {field}")
        terms.append((field, operator != "!=", value))
    return terms


def field_value(data: Json, field: str) -> str:
    """Look a field up, as selectors compare it."""
    if field == "source":
        return str(data.get("source", {}).get("component", ""))
    value: Any = data
    for part in ("status.succeeded" if field == "status.successful" else field).split("."):
        value = cast("Json", value).get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
