"""What a played Kubernetes API server does for each verb: the answers to requests, without HTTP."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from .admission import Admission, read_body
from .checks import checks_of
from .deletion import DeleteOptions, Deletions, evict
from .json import Json, items
from .patch import apply_patch
from .resources import Resource, Target
from .selectors import field_selector, label_selector
from .status import Cause, bad_request, conflict, invalid, success
from .store import Selection, Store, Stored, to_json

_IMMUTABLE: dict[str, tuple[tuple[str, ...], ...]] = {
    "jobs.batch": (("spec", "template"), ("spec", "selector"), ("spec", "completions")),
    "deployments.apps": (("spec", "selector"),),
}
_OMITTED_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")
"""Left out of an answer when empty."""

_POD_CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName")


class Answer(NamedTuple):
    """Status, body and headers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Verbs:
    """Answers requests."""

    def __init__(self, store: Store, admission: Admission, deletions: Deletions) -> None:
        """Answer from a store."""
        self._store = store
        self._admission = admission
        self._deletions = deletions

    def get(self, target: Target) -> Answer:
        """Answer with one object."""
        return Answer(200, self._store.read(target.resource, target.namespace, target.name).json)

    def list(self, target: Target, query: Mapping[str, str]) -> Answer:
        """Answer with a list, or a page of one."""
        selection = select(target, query)
        # A list from the watch cache knows no pages, see https://kubernetes.io/docs/reference/using-api/api-concepts/.
        limit = 0 if query.get("resourceVersion") == "0" else int(query.get("limit", 0))
        page = self._store.page(selection, limit, query.get("continue", ""))
        metadata: Json = {"resourceVersion": str(page.version)}
        if page.token:
            metadata["continue"] = page.token
            if not (selection.labels or selection.fields):
                metadata["remainingItemCount"] = page.remaining
        resource = target.resource
        head = to_json({"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata})
        items = b",".join([stored.item_json for stored in page.items])
        return Answer(200, b"".join([head[:-1], b',"items":[', items, b"]}"]))

    def create(self, target: Target, body: Json, query: Mapping[str, str]) -> Answer:
        """Create an object, or act on one through a subresource."""
        if target.subresource == "eviction":
            evict(self._store, self._deletions, target.namespace, target.name, DeleteOptions.read(body, {}))
            status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
            return Answer(201, to_json(status))
        data, unknown = read_body(target.resource, body, is_strict=query.get("fieldValidation") == "Strict")
        is_dry_run = query.get("dryRun") == "All"
        stored = self._admission.create(target.resource, target.namespace, data, is_dry_run=is_dry_run)
        return Answer(201, stored.json, _warnings(unknown, query))

    def replace(self, target: Target, body: Json, query: Mapping[str, str]) -> Answer:
        """Put a new version in the place of an object."""
        data, unknown = read_body(target.resource, body, is_strict=query.get("fieldValidation") == "Strict")
        if data["metadata"].get("name") not in (None, target.name):
            said = f"the name of the object ({data['metadata']['name']}) does not match the name on the URL"
            raise bad_request(f"{said} ({target.name})")

        def replaced(_old: Json) -> Json:
            return data

        return self._change(target, replaced, query, unknown)

    def patch(self, target: Target, content_type: str, body: Any, query: Mapping[str, str]) -> Answer:
        """Change parts of an object."""
        resource, unknown = target.resource, list[str]()

        def patched(old: Json) -> Json:
            merged = apply_patch(content_type, old, body, is_custom=resource.model is None)
            data, found = read_body(resource, merged, is_strict=query.get("fieldValidation") == "Strict")
            unknown.extend(found)
            return data

        return self._change(target, patched, query, unknown)

    def delete(self, target: Target, body: Json, query: Mapping[str, str]) -> Answer:
        """Delete an object."""
        stored = self._store.read(target.resource, target.namespace, target.name)
        left = self._deletions.delete(stored, DeleteOptions.read(body, dict(query)))
        if left is not None or target.resource.answers_deleted_object:
            return Answer(200, (left or stored).json)
        return Answer(200, to_json(success(target.resource, target.name, stored.data["metadata"]["uid"])))

    def delete_collection(self, target: Target, body: Json, query: Mapping[str, str]) -> Answer:
        """Delete all that is selected."""
        selected = self._store.select(select(target, query))
        for stored in selected:
            self._deletions.delete(stored, DeleteOptions.read(body, dict(query)))
        head = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version}
        metadata = {"resourceVersion": str(self._store.version)}
        rest = to_json({**head, "metadata": metadata, "items": []})[:-2]
        return Answer(200, rest + b",".join(stored.item_json for stored in selected) + b"]}")

    def _change(
        self, target: Target, make: Callable[[Json], Json], query: Mapping[str, str], unknown: list[str]
    ) -> Answer:
        store, resource = self._store, target.resource
        with store.step():
            old = store.read(resource, target.namespace, target.name)
            new: Json = make(copy.deepcopy(old.data))
            version = new["metadata"].get("resourceVersion")
            if version not in (None, "", old.data["metadata"]["resourceVersion"]):
                raise conflict(resource, target.name)
            uid = new["metadata"].get("uid")
            if uid not in (None, "", old.data["metadata"]["uid"]):
                why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
                raise conflict(resource, target.name, why + old.data["metadata"]["uid"])
            result = _settled(resource, old.data, new, target.subresource)
            if causes := [*_changed_immutables(resource, old.data, result), *checks_of(resource, result)]:
                raise invalid(resource, target.name, causes)
            if query.get("dryRun") == "All":
                return Answer(200, Stored(result, is_custom=resource.model is None).json)

            def change(data: Json) -> None:
                data.clear()
                data.update(result)

            return Answer(200, store.update(old, change).json, _warnings(unknown, query))


def select(target: Target, query: Mapping[str, str]) -> Selection:
    """Read which objects a request is about.

    Raises:
        Refusal: 400, if a selector cannot be read.
    """
    fields = field_selector(query.get("fieldSelector", ""), target.resource.plural)
    if target.name:
        fields = [*fields, ("metadata.name", True, target.name)]
    return Selection(target.resource, target.namespace, label_selector(query.get("labelSelector", "")), fields)


def _warnings(unknown: list[str], query: Mapping[str, str]) -> dict[str, str]:
    if not unknown or query.get("fieldValidation") == "Ignore":
        return {}
    return {"Warning": ", ".join(f'299 - "unknown field \\"{path}\\""' for path in unknown)}


def _settled(resource: Resource, old: Json, new: Json, subresource: str) -> Json:
    """Take from a new version what its path may change: the status, or all but the status."""
    if resource.has_status and subresource == "status":
        result = {**copy.deepcopy(old), "status": new.get("status", {})}
    else:
        result = dict(new)
        if resource.has_status and resource.model is not None:
            result.pop("status", None)
            if "status" in old:
                result["status"] = copy.deepcopy(old["status"])
        kept = ("name", "namespace", "uid", "creationTimestamp", "generateName", "deletionTimestamp")
        for key in (*kept, "deletionGracePeriodSeconds", "generation"):
            if key in old["metadata"]:
                result["metadata"][key] = old["metadata"][key]
        if resource.has_status and result.get("spec") != old.get("spec"):
            result["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
    if resource.qualified == "secrets" and new.get("stringData"):
        from .defaults import fill_in

        fill_in(resource, result)
    for holder, keys in ((result["metadata"], _OMITTED_METADATA), (result, ("data", "stringData"))):
        for key in keys:
            if key in holder and not holder[key]:
                del holder[key]
    result["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    return result


def _without_nulls(value: Any) -> Any:
    """Leave out what is null, such as a template's `creationTimestamp`, which a client does not send back."""
    if isinstance(value, dict):
        members = cast("Json", value)
        return {key: _without_nulls(member) for key, member in members.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in cast("list[Any]", value)]
    return value


def _changed_immutables(resource: Resource, old: Json, new: Json) -> list[Cause]:
    causes: list[Cause] = []
    for path in _IMMUTABLE.get(resource.qualified, ()):
        before, after = old, new
        for part in path:
            before, after = before.get(part, {}), after.get(part, {})
        if _without_nulls(before) != _without_nulls(after):
            causes.append(Cause(".".join(path), "Invalid value: {}: field is immutable"))
    if resource.qualified == "pods" and _fixed(old["spec"]) != _fixed(new["spec"]):
        said = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
            "previously negative)"
        )
        causes.append(Cause("spec", said))
    if old.get("immutable") and {**old, "metadata": 0} != {**new, "metadata": 0}:
        causes.append(Cause("data", "Forbidden: field is immutable when `immutable` is set"))
    return causes


def _fixed(spec: Json) -> Json:
    fixed = {key: value for key, value in copy.deepcopy(spec).items() if key not in _POD_CHANGEABLE}
    for container in [*items(fixed, "containers"), *items(fixed, "initContainers")]:
        container.pop("image", None)
    return fixed
