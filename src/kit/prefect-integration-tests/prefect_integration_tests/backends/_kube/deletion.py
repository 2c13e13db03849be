"""How objects of a Kubernetes API server end: grace, finalizers, and what happens to what they own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .defaults import now
from .json import Json, at, items
from .resources import Resource
from .status import bad_request, conflict_by_kind, not_found
from .store import Change, Selection, Store, Stored

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"


@dataclass(frozen=True)
class DeleteOptions:
    """What a request to delete asks for."""

    propagation: str | None = None
    grace_seconds: int | None = None
    uid: str | None = None
    version: str | None = None
    is_dry_run: bool = False

    @classmethod
    def read(cls, body: Json, query: dict[str, str]) -> DeleteOptions:
        """Read the options from the body, else from the query.

        Raises:
            Refusal: If the policy is not known.
        """
        conditions: Json = at(body, "preconditions")
        policy = body.get("propagationPolicy") or query.get("propagationPolicy")
        if policy not in (None, "Foreground", "Background", "Orphan"):
            raise bad_request(f'DeleteOptions is invalid: propagationPolicy: Invalid value: "{policy}"')
        grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
        return cls(
            policy,
            None if grace is None else int(grace),
            conditions.get("uid"),
            conditions.get("resourceVersion"),
            bool(body.get("dryRun") or query.get("dryRun")),
        )


class Deletions:
    """Deletes objects, and collects those whose owners are gone."""

    def __init__(self, store: Store) -> None:
        """Watch over a store.

        Args:
            store: What is deleted from.
        """
        self._store = store
        self.stop_pod: Callable[[Stored], None] = lambda _pod: None
        """Told of each pod on a node that is asked to end; the played node removes it when it has ended."""

        store.controllers.append(self._notice)

    def delete(self, stored: Stored, options: DeleteOptions) -> Stored | None:
        """Delete an object, or begin to.

        Returns:
            The object as it is now; `None` when it is gone.

        Raises:
            Refusal: 409, if it is not the one that the preconditions name.
        """
        store = self._store
        with store.step():
            resource = store.resource_of(stored)
            stored = store.read(resource, *stored.key)
            self._check(resource, stored, options)
            if options.is_dry_run:
                return stored
            policy = options.propagation or resource.default_propagation
            finalizer = {"Foreground": _FOREGROUND, "Orphan": _ORPHAN}.get(policy)
            uid = stored.data["metadata"]["uid"]
            if policy == "Orphan":
                for dependent in store.dependents(uid):
                    store.update(dependent, lambda data: _disown(data, uid))
                finalizer = None
            if finalizer == _FOREGROUND and not store.dependents(uid):
                finalizer = None
            if resource.qualified == "namespaces":
                self._empty_namespace(stored.name)
            if resource.qualified == "pods" and self._ends_slowly(stored, options):
                return self._ask_to_end(stored, options)
            if finalizer or stored.data["metadata"].get("finalizers"):
                marked = store.update(stored, lambda data: _mark(data, finalizer))
                if finalizer == _FOREGROUND:
                    for dependent in store.dependents(uid):
                        self.delete(dependent, DeleteOptions("Foreground"))
                return store.find(resource, *marked.key)
            store.remove(stored)
            return None

    def _check(self, resource: Resource, stored: Stored, options: DeleteOptions) -> None:
        metadata = stored.data["metadata"]
        for what, wanted, found, happened in (
            ("UID", options.uid, metadata["uid"], "deleted and then recreated"),
            ("ResourceVersion", options.version, metadata["resourceVersion"], "modified"),
        ):
            if wanted and wanted != found:
                why = (
                    f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The "
                    f"object might have been {happened}"
                )
                raise conflict_by_kind(resource, stored.name, why)

    @staticmethod
    def _ends_slowly(pod: Stored, options: DeleteOptions) -> bool:
        grace = options.grace_seconds
        is_on_node = bool(pod.data["spec"].get("nodeName"))
        is_over = pod.data["status"].get("phase") in ("Succeeded", "Failed")
        return is_on_node and not is_over and grace != 0

    def _ask_to_end(self, pod: Stored, options: DeleteOptions) -> Stored | None:
        grace = options.grace_seconds
        if grace is None:
            grace = int(pod.data["spec"].get("terminationGracePeriodSeconds", 30))

        def mark(data: Json) -> None:
            metadata = data["metadata"]
            if "deletionTimestamp" not in metadata or grace < metadata.get("deletionGracePeriodSeconds", 0):
                ends = datetime.now(timezone.utc) + timedelta(seconds=grace)
                metadata["deletionTimestamp"] = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
                metadata["deletionGracePeriodSeconds"] = grace

        marked = self._store.update(pod, mark)
        self.stop_pod(marked)
        return self._store.find(self._store.catalogue["pods"], *pod.key)

    def _empty_namespace(self, namespace: str) -> None:
        for resource in list(self._store.catalogue.resources.values()):
            if resource.is_namespaced:
                for stored in self._store.select(Selection(resource, namespace)):
                    self._store.remove(stored)

    def _notice(self, change: Change) -> None:
        """Act on changes that end something: finalizers gone, owners gone, last dependent gone."""
        store = self._store
        metadata = change.new.data["metadata"]
        if change.kind == "MODIFIED" and change.resource.qualified != "pods":
            if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
                store.remove(change.new)
        elif change.kind == "DELETED":
            for dependent in store.dependents(metadata["uid"]):
                self._collect(dependent, metadata["uid"])
            for owner in items(metadata, "ownerReferences"):
                self._release(owner, metadata.get("namespace", ""))

    def _collect(self, dependent: Stored, gone_uid: str) -> None:
        owners = items(dependent.data["metadata"], "ownerReferences")
        if len(owners) > 1:
            self._store.update(dependent, lambda data: _disown(data, gone_uid))
        else:
            self.delete(dependent, DeleteOptions("Background"))

    def _release(self, owner: Json, namespace: str) -> None:
        """Let an owner go that waited for its last dependent."""
        store = self._store
        if store.dependents(owner["uid"]):
            return
        found = store.catalogue.resources.values()
        for resource in [
            each for each in found if (each.api_version, each.kind) == (owner["apiVersion"], owner["kind"])
        ]:
            stored = store.find(resource, namespace if resource.is_namespaced else "", owner["name"])
            if stored is not None and _FOREGROUND in stored.data["metadata"].get("finalizers", []):
                store.update(stored, lambda data: data["metadata"]["finalizers"].remove(_FOREGROUND))


def _mark(data: Json, finalizer: str | None) -> None:
    metadata = data["metadata"]
    metadata.setdefault("deletionTimestamp", now())
    metadata.setdefault("deletionGracePeriodSeconds", 0)
    if finalizer and finalizer not in metadata.setdefault("finalizers", []):
        metadata["finalizers"].append(finalizer)


def _disown(data: Json, uid: str) -> None:
    owners = [owner for owner in items(data["metadata"], "ownerReferences") if owner["uid"] != uid]
    if owners:
        data["metadata"]["ownerReferences"] = owners
    else:
        data["metadata"].pop("ownerReferences", None)


def evict(store: Store, deletions: Deletions, namespace: str, name: str, options: DeleteOptions) -> None:
    """End a pod through the eviction API: it is marked as disrupted, then deleted.

    Raises:
        Refusal: 404, if there is no such pod.
    """
    pods = store.catalogue["pods"]
    pod = store.find(pods, namespace, name)
    if pod is None:
        raise not_found(pods, name)

    def disrupt(data: Json) -> None:
        set_condition(data, "DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting")

    deletions.delete(store.update(pod, disrupt), options)


def set_condition(data: Json, kind: str, status: str, reason: str = "", message: str = "") -> None:
    """Set a condition in an object's status; the time of transition changes with the status."""
    conditions: list[Json] = data.setdefault("status", {}).setdefault("conditions", [])
    condition = next((each for each in conditions if each["type"] == kind), None)
    if condition is None:
        condition = {"type": kind, "status": ""}
        conditions.append(condition)
    if condition["status"] != status:
        condition["lastTransitionTime"] = now()
        if data.get("kind") == "Job":
            condition["lastProbeTime"] = now()
    condition["status"] = status
    for key, value in (("reason", reason), ("message", message)):
        if value:
            condition[key] = value
        else:
            condition.pop(key, None)
