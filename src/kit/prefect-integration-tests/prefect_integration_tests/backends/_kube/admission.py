"""What a Kubernetes API server does to new objects: names, defaults, checks, service accounts and quotas."""

from __future__ import annotations

import copy

from .checks import checks_of
from .defaults import fill_in, generated_name, new_uid, now
from .json import Json, at
from .models import read_manifest, strict_refusal
from .resources import Resource
from .status import bad_request, forbidden, invalid, not_found
from .store import Selection, Store, Stored

_KEPT_BY_SERVER = ("uid", "resourceVersion", "creationTimestamp", "selfLink", "generation", "managedFields")
_QUOTA_NAMES = {"pods": "pods", "secrets": "secrets", "services": "services", "configmaps": "configmaps"}


def read_body(resource: Resource, body: Json, *, is_strict: bool = False) -> tuple[Json, list[str]]:
    """Read a manifest that was sent.

    Args:
        resource: What the path says it is.
        body: What was sent.
        is_strict: Refuse unknown fields, as `fieldValidation=Strict` asks.

    Returns:
        The manifest without what is unknown, and the paths of what was left out.

    Raises:
        Refusal: 400 for what cannot be decoded, 422 for what is missing.
    """
    if resource.model is None:
        data: Json = copy.deepcopy({**body, "apiVersion": resource.api_version, "kind": resource.kind})
        data.setdefault("metadata", {})
        return data, []
    data, reading = read_manifest(resource.model, body, resource.api_version, resource.kind)
    if is_strict and reading.unknown:
        raise strict_refusal(reading, data)
    metadata = data.setdefault("metadata", {})
    if reading.causes:
        raise invalid(resource, metadata.get("name") or metadata.get("generateName", ""), reading.causes)
    return data, reading.unknown


class Admission:
    """Makes new objects of manifests, or refuses them."""

    def __init__(self, store: Store) -> None:
        """Admit into a store.

        Args:
            store: Where the objects will be kept.
        """
        self._store = store

    def create(self, resource: Resource, namespace: str, data: Json, *, is_dry_run: bool = False) -> Stored:
        """Keep a new object.

        Args:
            resource: What it is.
            namespace: Namespace of the path; empty for what has none.
            data: The manifest, as `read_body` gives it; it is changed.
            is_dry_run: Do all but keep it.

        Raises:
            Refusal: If it is not admitted.
        """
        store = self._store
        with store.lock:
            self._place(resource, namespace, data)
            fill_in(resource, data)
            causes = checks_of(resource, data)
            metadata = data["metadata"]
            if causes:
                raise invalid(resource, metadata.get("name") or metadata.get("generateName", ""), causes)
            if store.find(resource, namespace, metadata["name"]) is None:
                self._check_service_account(resource, namespace, data)
                self._check_quota(resource, namespace, metadata["name"])
            if is_dry_run:
                return Stored(data, is_custom=resource.model is None)
            return store.create(resource, data)

    def _place(self, resource: Resource, namespace: str, data: Json) -> None:
        metadata = data["metadata"]
        given = metadata.get("namespace")
        if resource.is_namespaced and given not in (None, "", namespace):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        for key in _KEPT_BY_SERVER:
            metadata.pop(key, None)
        if metadata.get("generateName") and not metadata.get("name"):
            metadata["name"] = generated_name(metadata["generateName"])
        metadata |= {"uid": new_uid(), "creationTimestamp": now()}
        if resource.has_status:
            metadata["generation"] = 1
        if resource.is_namespaced:
            metadata["namespace"] = namespace
            namespaces = self._store.catalogue["namespaces"]
            found = self._store.find(namespaces, "", namespace)
            if found is None:
                raise not_found(namespaces, namespace)
            if "deletionTimestamp" in found.data["metadata"]:
                why = f"unable to create new content in namespace {namespace} because it is being terminated"
                raise forbidden(resource, metadata.get("name", ""), why)

    def _check_service_account(self, resource: Resource, namespace: str, data: Json) -> None:
        if resource.qualified != "pods":
            return
        name = data["spec"]["serviceAccountName"]
        if self._store.find(self._store.catalogue["serviceaccounts"], namespace, name) is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise forbidden(resource, data["metadata"]["name"], why)

    def _check_quota(self, resource: Resource, namespace: str, name: str) -> None:
        store = self._store
        names = {f"count/{resource.qualified}", _QUOTA_NAMES.get(resource.qualified, "")}
        for quota in store.select(Selection(store.catalogue["resourcequotas"], namespace)):
            hard: Json = at(quota.data["spec"], "hard")
            for key in sorted(names & set(hard)):
                used = self.usage(namespace, key)
                if used + 1 > int(hard[key]):
                    state = f"requested: {key}=1, used: {key}={used}, limited: {key}={hard[key]}"
                    raise forbidden(resource, name, f"exceeded quota: {quota.name}, {state}")

    def usage(self, namespace: str, key: str) -> int:
        """Count the objects that a quota is about; pods that have ended do not count."""
        store = self._store
        resource = store.catalogue[key.removeprefix("count/")]
        found = store.select(Selection(resource, namespace))
        if key == "pods":
            return sum(1 for pod in found if pod.field("status.phase") not in ("Succeeded", "Failed"))
        return len(found)


def record_event(store: Store, about: Stored, kind: str, reason: str, message: str, component: str) -> None:
    """Record an event about an object.

    Args:
        store: Where it is kept.
        about: The object.
        kind: `Normal` or `Warning`.
        reason: Word for machines.
        message: Words for people.
        component: Who says it, such as `kubelet`.
    """
    metadata, time = about.data["metadata"], now()
    store.create(
        store.catalogue["events"],
        {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {
                "name": f"{about.name}.{new_uid()[:16].replace('-', '')}",
                "namespace": about.namespace or "default",
                "uid": new_uid(),
                "creationTimestamp": time,
            },
            "involvedObject": {
                "kind": about.data["kind"],
                "namespace": about.namespace,
                "name": about.name,
                "uid": metadata["uid"],
                "apiVersion": about.data["apiVersion"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
            "type": kind,
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": "",
        },
    )
