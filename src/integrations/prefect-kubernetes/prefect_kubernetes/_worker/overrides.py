"""Strategic merge: lay a partial pod over another, entry by entry where lists have named entries.

The rules are those of `kubectl patch --type strategic`:
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/. Nothing here changes its
arguments.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from .shapes import as_list, as_mapping

_PATCH = "$patch"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_IGNORED = ("$setElementOrder/", "$retainKeys")

_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
}
"""Lists whose entries are merged by a field; the API's schema calls it `x-kubernetes-patch-merge-key`."""

_PRIMITIVE_SETS = ("finalizers",)


def strategic_merge(base: Any, patch: Any, field: str = "") -> Any:
    """Lay a patch over a value.

    Args:
        base: What there is.
        patch: What to change. `None` takes a field away. `$patch: delete`, `$patch: replace` and
            `$deleteFromPrimitiveList/...` are understood.
        field: Name of the field that both are the value of; it says whether the entries of a list have names.

    Returns:
        A new value.

    Raises:
        ValueError: If a directive is unknown, or an entry of a list that is merged by a field lacks that field.
    """
    if isinstance(patch, dict):
        return _merge_mapping(base, as_mapping(patch), field)
    if isinstance(patch, list):
        return _merge_list(base, as_list(patch), field)
    return deepcopy(patch)


def _merge_mapping(base: Any, patch: dict[str, Any], field: str) -> dict[str, Any]:
    directive = patch.get(_PATCH, "merge")
    if directive not in ("merge", "replace", "delete"):
        raise ValueError(
            f"`$patch: {directive}` in {field or 'the patch'} is unknown; there are merge, replace, delete"
        )
    if directive == "delete":
        return {}
    existing = as_mapping(base) if directive == "merge" else {}
    merged: dict[str, Any] = deepcopy(existing)
    if field == "volumes" and set(patch) - {"name"}:
        # A volume is made of one thing, so another replaces it.
        merged = {key: value for key, value in merged.items() if key in patch}
    if field == "env":
        for one, other in (("value", "valueFrom"), ("valueFrom", "value")):
            if one in patch and other not in patch:
                merged.pop(other, None)
    for key, value in patch.items():
        if key == _PATCH or key.startswith(_IGNORED):
            continue
        if key.startswith(_DELETE_FROM):
            name = key[len(_DELETE_FROM) :]
            merged[name] = [each for each in as_list(merged.get(name)) if each not in value]
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = strategic_merge(merged.get(key), value, key)
    return merged


def _merge_list(base: Any, patch: list[Any], field: str) -> list[Any]:
    existing = as_list(base)
    if field in _PRIMITIVE_SETS:
        return [*existing, *(entry for entry in patch if entry not in existing)]
    key = _KEYS.get(field)
    if key is None or {_PATCH: "replace"} in patch:
        return [deepcopy(entry) for entry in patch if entry != {_PATCH: "replace"}]
    merged: list[Any] = deepcopy(existing)
    for each in patch:
        named = as_mapping(each)
        if key not in named:
            raise ValueError(f"an entry of {field} lacks `{key}`, by which {field} are merged")
        at = next((index for index, other in enumerate(merged) if as_mapping(other).get(key) == named[key]), None)
        if named.get(_PATCH) == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(strategic_merge({}, named, field))
        else:
            merged[at] = strategic_merge(merged[at], named, field)
    return merged
