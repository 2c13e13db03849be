"""Find what is wrong with a job's manifest before the API server does, and name the place.

Fields that are not looked at here are left to the API server, which knows them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from .environment import MAX_VALUE_BYTES, entries_of, too_long
from .names import MAX_LABEL_LENGTH, is_dns_label, is_subdomain
from .shapes import as_list, as_mapping, kind_of

ROOT = "job_manifest"
MAX_MANIFEST_BYTES = 1_500_000
"""etcd takes no larger request by default: https://etcd.io/docs/v3.5/op-guide/configuration/, max-request-bytes."""

_QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_RESTART_POLICIES = ("Never", "OnFailure")
_PULL_POLICIES = ("IfNotPresent", "Always", "Never")


class ManifestInvalid(ValueError):
    """A manifest that no cluster would take; the message has a line for each problem."""


def check_shape(manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest that is not the outline of a job.

    Raises:
        ManifestInvalid: Naming the path of each field that is missing or of the wrong kind.
    """
    _raise(list(_shape_problems(manifest)))


def check(manifest: Mapping[str, Any]) -> None:
    """Refuse a finished manifest that the API server would not take, or whose container could not start.

    Raises:
        ManifestInvalid: Naming the path of each field that is wrong. Values of variables are not shown.
    """
    _raise(list(_shape_problems(manifest)) or list(_problems(manifest)))


def containers_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The containers of a manifest whose shape has been checked."""
    return cast("list[dict[str, Any]]", manifest["spec"]["template"]["spec"]["containers"])


def main_container(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The container that runs the flow: the one called `prefect-job`, else the first."""
    containers = containers_of(manifest)
    return next((each for each in containers if each.get("name") == "prefect-job"), containers[0])


def _raise(problems: list[str]) -> None:
    if problems:
        raise ManifestInvalid("The job manifest cannot be used. " + "; ".join(problems) + ".")


def _shape_problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    for field, expected in (("apiVersion", "batch/v1"), ("kind", "Job")):
        if manifest.get(field) != expected:
            yield f"{ROOT}.{field} is {manifest.get(field)!r}; it must be {expected!r}"
    if not isinstance(manifest.get("metadata"), dict):
        yield _missing("metadata", manifest.get("metadata"), "a mapping")
    place = manifest
    for path in ("spec", "spec.template", "spec.template.spec"):
        found = place.get(path.rpartition(".")[2])
        if not isinstance(found, dict):
            yield _missing(path, found, "a mapping")
            return
        place = as_mapping(found)
    containers = as_list(place.get("containers"))
    if not containers:
        yield _missing("spec.template.spec.containers", place.get("containers"), "a list of at least one container")
    for index, container in enumerate(containers):
        if not isinstance(container, dict):
            yield _missing(f"spec.template.spec.containers[{index}]", container, "a mapping")


def _missing(path: str, found: object, wanted: str) -> str:
    if found is None:
        return f"{ROOT}.{path} is missing; it must be {wanted}"
    return f"{ROOT}.{path} is {kind_of(found)}; it must be {wanted}"


def _problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    metadata, spec = manifest["metadata"], manifest["spec"]
    namespace = metadata.get("namespace")
    if namespace is not None and not (isinstance(namespace, str) and is_dns_label(namespace)):
        yield f"{ROOT}.metadata.namespace {namespace!r} is no name of a namespace: a-z, 0-9 and `-`, at most 63 of them"
    name = metadata.get("name")
    if name is not None and not (isinstance(name, str) and is_subdomain(name) and len(name) <= MAX_LABEL_LENGTH):
        yield f"{ROOT}.metadata.name {name!r} is no name of a job: a-z, 0-9, `-` and `.`, at most 63 characters"
    for field in ("backoffLimit", "ttlSecondsAfterFinished", "activeDeadlineSeconds", "parallelism", "completions"):
        least = 1 if field == "activeDeadlineSeconds" else 0
        yield from _number(spec.get(field), f"spec.{field}", least)
    yield from _pod_problems(spec["template"]["spec"])
    size = _size(manifest)
    if size > MAX_MANIFEST_BYTES:
        yield (
            f"it takes {size} bytes, and a cluster stores {MAX_MANIFEST_BYTES} at most. Put what is large into a "
            "ConfigMap, a Secret or an object store rather than into `env` or `command`"
        )


def _pod_problems(pod: dict[str, Any]) -> Iterator[str]:
    at = "spec.template.spec"
    policy = pod.get("restartPolicy")
    if policy not in _RESTART_POLICIES:
        yield f"{ROOT}.{at}.restartPolicy is {policy!r}; a job takes 'Never' or 'OnFailure'"
    for field in ("serviceAccountName", "priorityClassName", "runtimeClassName"):
        value = pod.get(field)
        if value is not None and not (isinstance(value, str) and is_subdomain(value)):
            yield f"{ROOT}.{at}.{field} is {value!r}; that is no name of an object"
    for field in ("nodeSelector", "affinity"):
        if not isinstance(pod.get(field, {}), dict):
            yield _missing(f"{at}.{field}", pod[field], "a mapping")
    for field, key in (("tolerations", None), ("imagePullSecrets", "name"), ("initContainers", "name")):
        yield from _entries(pod.get(field), f"{at}.{field}", key, None)
    yield from _entries(pod.get("volumes"), f"{at}.volumes", "name", is_dns_label)
    volumes = _names(pod.get("volumes"))
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(as_list(pod.get(kind))):
            yield from _container_problems(as_mapping(container), f"{at}.{kind}[{index}]", volumes)


def _container_problems(container: dict[str, Any], path: str, volumes: set[str]) -> Iterator[str]:
    name = container.get("name")
    if not (isinstance(name, str) and is_dns_label(name)):
        yield f"{ROOT}.{path}.name is {name!r}; a container is named by a-z, 0-9 and `-`"
    image = container.get("image")
    if not isinstance(image, str) or not image or image != image.strip() or any(sign.isspace() for sign in image):
        yield f"{ROOT}.{path}.image is {image!r}; it must be the name of an image"
    policy = container.get("imagePullPolicy")
    if policy is not None and policy not in _PULL_POLICIES:
        yield f"{ROOT}.{path}.imagePullPolicy is {policy!r}; there are {', '.join(_PULL_POLICIES)}"
    for field in ("command", "args"):
        yield from _words(container.get(field), f"{path}.{field}")
    try:
        long = too_long(entries_of(container.get("env"), f"{ROOT}.{path}.env"))
    except ValueError as exc:
        yield str(exc)
    else:
        if long:
            yield f"{ROOT}.{path}.env: {long}, and Linux starts no process with more than {MAX_VALUE_BYTES} in one"
    resources = container.get("resources")
    if resources is not None and not isinstance(resources, dict):
        yield _missing(f"{path}.resources", resources, "a mapping")
    else:
        yield from _resource_problems(as_mapping(resources), f"{path}.resources")
    mounts = container.get("volumeMounts")
    yield from _entries(mounts, f"{path}.volumeMounts", "mountPath", None)
    for mount in map(as_mapping, as_list(mounts)):
        if mount and mount.get("name") not in volumes:
            yield f"{ROOT}.{path}.volumeMounts mounts {mount.get('name')!r}, and there is no volume of that name"


def _resource_problems(resources: dict[str, Any], path: str) -> Iterator[str]:
    for kind in ("limits", "requests"):
        amounts = resources.get(kind)
        if amounts is not None and not isinstance(amounts, dict):
            yield _missing(f"{path}.{kind}", amounts, "a mapping")
            continue
        for name, amount in as_mapping(amounts).items():
            if isinstance(amount, bool) or _QUANTITY.fullmatch(str(amount).strip()) is None:
                yield (
                    f"{ROOT}.{path}.{kind}.{name} is {amount!r}; that is no quantity. Write CPU like `500m` or `2`, "
                    "memory like `512Mi` or `4Gi`"
                )


def _number(value: object, path: str, least: int) -> Iterator[str]:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        yield f"{ROOT}.{path} is {value!r}; it must be a whole number, at least {least}"


def _words(value: object, path: str) -> Iterator[str]:
    if value is None:
        return
    words = as_list(value)
    if not isinstance(value, list) or not all(isinstance(word, str) for word in words):
        yield f"{ROOT}.{path} must be a list of texts"
        return
    longest = max((len(word.encode()) for word in words), default=0)
    if longest > MAX_VALUE_BYTES:
        yield (
            f"{ROOT}.{path} has a word of {longest} bytes, and Linux starts no process with more than "
            f"{MAX_VALUE_BYTES} in one"
        )


def _entries(value: object, path: str, key: str | None, is_legal: Callable[[str], bool] | None) -> Iterator[str]:
    if value is None:
        return
    if not isinstance(value, list):
        yield _missing(path, value, "a list")
        return
    for index, entry in enumerate(as_list(value)):
        if not isinstance(entry, dict):
            yield _missing(f"{path}[{index}]", entry, "a mapping")
            continue
        name = as_mapping(entry).get(key) if key else None
        if key and (not isinstance(name, str) or not name or (is_legal is not None and not is_legal(name))):
            yield f"{ROOT}.{path}[{index}].{key} is {name!r}; every entry needs one that is legal"


def _names(entries: object) -> set[str]:
    return {str(as_mapping(entry).get("name")) for entry in as_list(entries)}


def _size(manifest: Mapping[str, Any]) -> int:
    import json

    return len(json.dumps(manifest, default=str).encode())
