"""What the Kubernetes API server serves: resources, their paths and discovery."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .json import Json

VERSION: Json = {
    "major": "1",
    "minor": "33",
    "gitVersion": "v1.33.1",
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "2025-05-15T08:19:08Z",
    "goVersion": "go1.24.2",
    "compiler": "gc",
    "platform": "linux/amd64",
}

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True)
class Resource:
    """One kind of object."""

    group: str
    version: str
    plural: str
    kind: str
    model: str | None = None
    """Class of the client's models that bodies are read by; `None` for custom objects."""

    is_namespaced: bool = True
    has_status: bool = True
    default_propagation: str = "Background"
    answers_deleted_object: bool = False
    """Does a deletion answer with the object, rather than with a `Status`?"""

    @property
    def api_version(self) -> str:
        """Group and version, as in a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Plural with its group, as in messages: `jobs.batch`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


BUILT_IN = (
    Resource("", "v1", "namespaces", "Namespace", "V1Namespace", is_namespaced=False),
    Resource("", "v1", "nodes", "Node", "V1Node", is_namespaced=False),
    Resource("", "v1", "pods", "Pod", "V1Pod", answers_deleted_object=True),
    Resource("", "v1", "secrets", "Secret", "V1Secret", has_status=False),
    Resource("", "v1", "configmaps", "ConfigMap", "V1ConfigMap", has_status=False),
    Resource("", "v1", "events", "Event", "CoreV1Event", has_status=False),
    Resource("", "v1", "services", "Service", "V1Service", answers_deleted_object=True),
    Resource("", "v1", "serviceaccounts", "ServiceAccount", "V1ServiceAccount", has_status=False),
    Resource("", "v1", "resourcequotas", "ResourceQuota", "V1ResourceQuota"),
    Resource("", "v1", "limitranges", "LimitRange", "V1LimitRange", has_status=False),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "V1PersistentVolumeClaim"),
    Resource("apps", "v1", "deployments", "Deployment", "V1Deployment"),
    # A job deleted without a policy leaves its pods behind, see `DefaultGarbageCollectionPolicy` in
    # https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/batch/job/strategy.go
    Resource("batch", "v1", "jobs", "Job", "V1Job", default_propagation="Orphan"),
    Resource(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "V1CustomResourceDefinition",
        is_namespaced=False,
    ),
)
REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")


class Target(NamedTuple):
    """What a path points at."""

    resource: Resource
    namespace: str
    """Empty for all namespaces, and for what has none."""

    name: str
    subresource: str


class Catalogue:
    """The resources of one server: built in, and custom ones that a test declares."""

    def __init__(self) -> None:
        """Start with the built-in ones."""
        self.resources: dict[tuple[str, str], Resource] = {}
        self.reset()

    def reset(self) -> None:
        """Forget custom resources."""
        self.resources = {(resource.group, resource.plural): resource for resource in BUILT_IN}

    def add(self, resource: Resource) -> None:
        """Serve one more."""
        self.resources[resource.group, resource.plural] = resource

    def __getitem__(self, plural: str) -> Resource:
        plural, _, group = plural.partition(".")
        if group:
            return self.resources[group, plural]
        return next(found for found in self.resources.values() if found.plural == plural)

    def find(self, path: str) -> Target | None:
        """Find what a path points at; `None` when the server knows no such path."""
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "v1"]:
            group, version, rest = "", "v1", parts[2:]
        elif parts[0] == "apis" and len(parts) > 3:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            return None
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2 and (group, rest[2]) in self.resources:
            namespace, rest = rest[1], rest[2:]
        resource = self.resources.get((group, rest[0])) if rest else None
        if resource is None or resource.version != version or len(rest) > 3:
            return None
        if bool(namespace) != (resource.is_namespaced and bool(namespace)):
            return None
        return Target(resource, namespace, *[*rest[1:], "", ""][:2])

    def discovery(self, path: str) -> Json | None:
        """Answer the paths that clients learn from what is served; `None` for other paths."""
        path = path.rstrip("/")
        if path == "/version":
            return VERSION
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        if path == "/apis":
            return {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [self._group(name) for name in self._groups()],
            }
        parts = path.strip("/").split("/")
        if path == "/api/v1":
            return self._resource_list("", "v1")
        if parts[0] == "apis" and len(parts) == 2 and parts[1] in self._groups():
            return {"kind": "APIGroup", "apiVersion": "v1", **self._group(parts[1])}
        if parts[0] == "apis" and len(parts) == 3 and parts[1] in self._groups():
            return self._resource_list(parts[1], parts[2])
        return None

    def _groups(self) -> list[str]:
        names = {resource.group for resource in self.resources.values() if resource.group}
        return sorted(names | {"authorization.k8s.io"})

    def _group(self, name: str) -> Json:
        versions = {resource.version for resource in self.resources.values() if resource.group == name} or {"v1"}
        found = [{"groupVersion": f"{name}/{version}", "version": version} for version in sorted(versions)]
        return {"name": name, "versions": found, "preferredVersion": found[0]}

    def _resource_list(self, group: str, version: str) -> Json:
        found = [each for each in self.resources.values() if (each.group, each.version) == (group, version)]
        entries = [entry for resource in found for entry in _entries(resource)]
        if group == "authorization.k8s.io":
            entries = [
                {"name": name, "singularName": "", "namespaced": False, "kind": kind, "verbs": ["create"]}
                for name, kind in zip(REVIEWS, ("SelfSubjectAccessReview", "SelfSubjectRulesReview"), strict=True)
            ]
        group_version = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}


def _entries(resource: Resource) -> Iterable[Json]:
    common: Json = {"singularName": resource.kind.lower(), "namespaced": resource.is_namespaced, "kind": resource.kind}
    yield {"name": resource.plural, **common, "verbs": _VERBS}
    if resource.has_status:
        yield {"name": f"{resource.plural}/status", **common, "singularName": "", "verbs": ["get", "patch", "update"]}
    if resource.plural == "pods":
        yield {"name": "pods/log", **common, "singularName": "", "verbs": ["get"]}
        eviction = {"group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"]}
        yield {"name": "pods/eviction", **common, "singularName": "", **eviction}
