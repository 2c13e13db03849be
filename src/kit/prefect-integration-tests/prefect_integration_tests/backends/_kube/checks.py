"""What the Kubernetes API server refuses with 422: names, labels and the rules of each kind."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any

from .json import Json, at, items
from .resources import Resource
from .status import Cause

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
_ENV_NAME = re.compile(r"[ -<>-~]+")
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]+")

_SUBDOMAIN_SAID = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_NAME_SAID = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_SAID = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_SAID = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_QUANTITY_SAID = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

_MIB = 1024 * 1024
_ANNOTATIONS_BYTES = 256 * 1024
"""See https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/."""

_LABEL_LIKE_NAMES = ("namespaces", "services")


def checks_of(resource: Resource, data: Json) -> list[Cause]:
    """Name every field of a new or changed object that is refused."""
    causes = list(_metadata(resource, data.get("metadata", {}), "metadata"))
    spec: Json = at(data, "spec")
    if resource.plural == "pods":
        causes += _pod(spec, "spec")
    elif resource.plural == "jobs" and resource.group == "batch":
        causes += _job(spec)
    elif resource.plural == "deployments":
        causes += _deployment(spec)
    elif resource.plural == "secrets":
        causes += _secret(data)
    return causes


def _invalid(field: str, value: Any, said: str) -> Cause:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause(field, f"Invalid value: {shown}: {said}")


def _metadata(resource: Resource, metadata: Json, path: str) -> Iterator[Cause]:
    name, prefix = metadata.get("name", ""), metadata.get("generateName", "")
    if not name and not prefix:
        yield Cause(f"{path}.name", "Required value: name or generateName is required")
    is_label = resource.plural in _LABEL_LIKE_NAMES
    pattern, said = (_LABEL_NAME, _LABEL_NAME_SAID) if is_label else (_SUBDOMAIN, _SUBDOMAIN_SAID)
    longest = 63 if is_label else 253
    for field, value in (("name", name), ("generateName", prefix.rstrip("-"))):
        if value and len(value) > longest:
            yield _invalid(f"{path}.{field}", value, f"must be no more than {longest} characters")
        if value and not pattern.fullmatch(value):
            yield _invalid(f"{path}.{field}", metadata.get(field), said)
    yield from _labels(metadata, path)


def _labels(metadata: Json, path: str) -> Iterator[Cause]:
    labels: Json = at(metadata, "labels")
    for key, value in labels.items():
        yield from _qualified(key, f"{path}.labels")
        if len(value) > 63:
            yield _invalid(f"{path}.labels", value, "must be no more than 63 characters")
        elif not _LABEL_VALUE.fullmatch(value):
            yield _invalid(f"{path}.labels", value, _LABEL_VALUE_SAID)
    annotations: Json = at(metadata, "annotations")
    for key in annotations:
        yield from _qualified(key.lower(), f"{path}.annotations", key)
    size = sum(len(key.encode()) + len(str(value).encode()) for key, value in annotations.items())
    if size > _ANNOTATIONS_BYTES:
        yield Cause(f"{path}.annotations", f"Too long: may not be more than {_ANNOTATIONS_BYTES} bytes")


def _qualified(key: str, field: str, shown: str | None = None) -> Iterator[Cause]:
    prefix, slash, name = key.rpartition("/")
    shown = shown or key
    if slash and not prefix:
        yield _invalid(field, shown, "prefix part must be non-empty")
    elif prefix and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        yield _invalid(field, shown, f"prefix part {_SUBDOMAIN_SAID}")
    if not name:
        yield _invalid(field, shown, "name part must be non-empty")
    elif len(name) > 63:
        yield _invalid(field, shown, "name part must be no more than 63 characters")
    elif not _QUALIFIED.fullmatch(name):
        yield _invalid(field, shown, _QUALIFIED_SAID)


def _job(spec: Json) -> Iterator[Cause]:
    for field in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "parallelism", "completions"):
        value = spec.get(field)
        if isinstance(value, int) and value < 0:
            yield _invalid(f"spec.{field}", value, "must be greater than or equal to 0")
    template: Json = at(spec, "template")
    yield from _labels(template.get("metadata") or {}, "spec.template.metadata")
    pod: Json = at(template, "spec")
    yield from _pod(pod, "spec.template.spec")
    policy = pod.get("restartPolicy")
    if policy not in ("OnFailure", "Never"):
        said = 'valid values: "OnFailure", "Never"'
        if policy in (None, "", "Always"):
            yield Cause("spec.template.spec.restartPolicy", f"Required value: {said}")
        else:
            yield Cause("spec.template.spec.restartPolicy", f'Unsupported value: "{policy}": supported values: {said}')


def _deployment(spec: Json) -> Iterator[Cause]:
    template: Json = at(spec, "template")
    labels: Json = at(template, "metadata", "labels")
    wanted: Json = at(spec, "selector", "matchLabels")
    yield from _pod(template.get("spec") or {}, "spec.template.spec")
    if any(labels.get(key) != value for key, value in wanted.items()):
        shown = ",".join(f"{key}={value}" for key, value in labels.items())
        said = "`selector` does not match template `labels`"
        yield Cause("spec.template.metadata.labels", f"Invalid value: {{{shown}}}: {said}")


def _pod(spec: Json, path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield Cause(f"{path}.containers", "Required value")
    volumes = {str(volume.get("name")) for volume in items(spec, "volumes")}
    seen: set[str] = set()
    for kind in ("initContainers", "containers"):
        for i, container in enumerate(items(spec, kind)):
            at = f"{path}.{kind}[{i}]"
            yield from _container(container, at, volumes)
            name = str(container.get("name"))
            if name in seen:
                yield Cause(f"{at}.name", f'Duplicate value: "{name}"')
            seen.add(name)


def _container(container: Json, path: str, volumes: Iterable[str]) -> Iterator[Cause]:
    name = container.get("name", "")
    if name and (len(name) > 63 or not _LABEL_NAME.fullmatch(name)):
        yield _invalid(f"{path}.name", name, _LABEL_NAME_SAID)
    image = container.get("image", "")
    if not image:
        yield Cause(f"{path}.image", "Required value")
    elif image != image.strip():
        yield _invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    policy = container.get("imagePullPolicy")
    if policy not in ("Always", "IfNotPresent", "Never"):
        known = '"Always", "IfNotPresent", "Never"'
        yield Cause(f"{path}.imagePullPolicy", f'Unsupported value: "{policy}": supported values: {known}')
    for i, variable in enumerate(items(container, "env")):
        if variable.get("name") and ("=" in variable["name"] or not _ENV_NAME.fullmatch(variable["name"])):
            said = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            yield _invalid(f"{path}.env[{i}].name", variable["name"], said)
        if variable.get("value") and variable.get("valueFrom"):
            yield _invalid(f"{path}.env[{i}].valueFrom", "", "may not be specified when `value` is not empty")
    for i, mount in enumerate(items(container, "volumeMounts")):
        if str(mount.get("name")) not in volumes:
            yield Cause(f"{path}.volumeMounts[{i}].name", f'Not found: "{mount.get("name")}"')
    yield from _resources(container.get("resources") or {}, f"{path}.resources")


def _resources(resources: Json, path: str) -> Iterator[Cause]:
    for kind in ("limits", "requests"):
        amounts: Json = resources.get(kind) or {}
        for name, amount in amounts.items():
            if not _QUANTITY.fullmatch(str(amount)):
                yield _invalid(f"{path}.{kind}[{name}]", amount, _QUANTITY_SAID)
            limit = at(resources, "limits").get(name)
            if kind == "requests" and limit is not None and _number(str(amount)) > _number(str(limit)):
                yield _invalid(
                    f"{path}.requests", str(amount), f"must be less than or equal to {name} limit of {limit}"
                )


_UNITS = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", start=1)},
}


def _number(quantity: str) -> float:
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        return 0.0
    unit = match[3] or ""
    return float(match[1]) * _UNITS[unit] if unit in _UNITS else float(quantity)


def _secret(data: Json) -> Iterator[Cause]:
    size = 0
    values: Json = at(data, "data")
    for key, value in values.items():
        if not _SECRET_KEY.fullmatch(key) or len(key) > 253:
            said = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name')"
            yield _invalid(f"data[{key}]", key, said)
        size += len(decoded(value))
    if size > _MIB:
        yield Cause("data", f"Too long: may not be more than {_MIB} bytes")


def decoded(value: str) -> bytes:
    """Decode a value of a secret; empty when it is not base64, which the API server refuses earlier."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""


def is_base64(value: str) -> bool:
    """Can a value stand in `data` of a secret?"""
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
