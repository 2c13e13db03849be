"""Patches of the Kubernetes API: JSON patch, merge patch and strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any, cast

from .json import Json, items
from .status import Refusal, bad_request, unsupported_media_type

_MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "secrets": ("name",),
}
"""`patchMergeKey` of lists, see https://kubernetes.io/docs/reference/kubernetes-api/; other lists are replaced."""

_PRIMITIVE_SETS = ("finalizers",)


def apply_patch(content_type: str, data: Json, patch: Any, *, is_custom: bool) -> Json:
    """Apply a patch.

    Args:
        content_type: Says which kind of patch it is.
        data: Object before; it stays as it is.
        patch: What was sent.
        is_custom: Custom objects know no strategic merge.

    Returns:
        The object after.

    Raises:
        Refusal: If it cannot be applied.
    """
    kind = content_type.partition(";")[0].strip()
    if kind == "application/json-patch+json":
        if not isinstance(patch, list):
            raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
        return _json_patch(copy.deepcopy(data), cast("list[Json]", patch))
    if not isinstance(patch, dict):
        raise bad_request("json: cannot unmarshal array into Go value of type map[string]interface {}")
    if kind == "application/merge-patch+json":
        return merge(copy.deepcopy(data), cast("Json", patch))
    if kind == "application/strategic-merge-patch+json" and not is_custom:
        return strategic_merge(copy.deepcopy(data), cast("Json", patch))
    raise unsupported_media_type(kind)


def merge(data: Any, patch: Json) -> Json:
    """Merge as RFC 7386 says: null removes, lists are replaced."""
    result = cast("Json", data) if isinstance(data, dict) else dict[str, Any]()
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merge(result.get(key), cast("Json", value))
        else:
            result[key] = value
    return result


def strategic_merge(data: Any, patch: Json) -> Json:
    """Merge, with lists of named things merged by name."""
    result = cast("Json", data) if isinstance(data, dict) else dict[str, Any]()
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = strategic_merge(result.get(key), cast("Json", value))
        elif isinstance(value, list) and key in _PRIMITIVE_SETS:
            old: list[Any] = result.get(key) or []
            result[key] = [*old, *(each for each in cast("list[Any]", value) if each not in old)]
        elif isinstance(value, list) and key in _MERGE_KEYS:
            result[key] = _merge_lists(key, items(result, key), cast("list[Any]", value))
        else:
            result[key] = value
    return result


def _merge_lists(name: str, old: list[Any], new: list[Any]) -> list[Any]:
    if not all(isinstance(each, dict) for each in [*old, *new]):
        return new
    merge_key = next((key for key in _MERGE_KEYS[name] if all(key in each for each in new)), None)
    if merge_key is None:
        return new
    result = list(old)
    for each in new:
        at = next((i for i, found in enumerate(result) if found.get(merge_key) == each[merge_key]), None)
        if each.get("$patch") == "delete":
            if at is not None:
                del result[at]
        elif at is None:
            result.append(each)
        else:
            result[at] = strategic_merge(result[at], each)
    return result


def _json_patch(data: Json, operations: list[Json]) -> Json:
    try:
        for operation in operations:
            _apply_operation(data, operation)
    except (KeyError, IndexError, ValueError, TypeError) as exc:
        message = f"the server rejected our request due to an error in our request: {exc!r}"
        raise Refusal(422, "Invalid", message) from exc
    return data


def _apply_operation(data: Json, operation: Json) -> None:
    kind = operation["op"]
    parent, key = _locate(data, operation["path"])
    if kind == "test":
        if parent[key] != operation.get("value"):
            raise ValueError("testing value failed")
    elif kind == "remove":
        del parent[key]
    elif kind == "replace":
        parent[key]  # it must be there
        parent[key] = operation["value"]
    elif kind in ("add", "copy", "move"):
        value = operation.get("value")
        if kind != "add":
            source, source_key = _locate(data, operation["from"])
            value = copy.deepcopy(source[source_key])
            if kind == "move":
                del source[source_key]
        if isinstance(parent, list):
            array = cast("list[Any]", parent)
            array.insert(len(array) if key == "-" else int(key), value)
        else:
            parent[key] = value
    else:
        raise ValueError(f"unexpected kind: {kind}")


def _locate(data: Any, pointer: str) -> tuple[Any, Any]:
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in path:
        data = _step(data, part)
    return data, int(last) if isinstance(data, list) and last != "-" else last


def _step(data: Any, part: str) -> Any:
    return cast("list[Any]", data)[int(part)] if isinstance(data, list) else data[part]
