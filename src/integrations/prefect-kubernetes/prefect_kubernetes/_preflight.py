"""What a worker and its observer need to be allowed, and which of it they are not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from prefect_integration_kit.waiting import Backoff

from ._clients import call
from ._worker import secrets
from .errors import KubernetesError

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

    from prefect_integration_kit.logs import Log

    from .settings import KubernetesSettings

_BACKOFF = Backoff(initial_seconds=0.5, maximum_seconds=2.0, deadline_seconds=10.0)
"""A worker must not wait long for an answer that only makes its messages better."""

_ROLE_NAME = "prefect-worker"


class Permission(NamedTuple):
    """One verb on one resource in one namespace, as in a Role."""

    verb: str
    resource: str
    """Plural, with its subresource: `pods/log`."""

    group: str
    """API group; empty for the core one."""

    namespace: str
    """Empty for all namespaces."""

    purpose: str
    """What is lost without it."""

    is_required: bool = True
    """Whether runs cannot be run, or not truthfully be ended, without it."""

    name: str = ""
    """The one object that it is about; empty for all."""

    def __str__(self) -> str:
        """Say it in words, without the place."""
        return f"{self.verb} {self.resource}" + (f" {self.name!r}" if self.name else "")


@dataclass(frozen=True)
class Preflight:
    """What the API server says about permissions."""

    allowed: tuple[Permission, ...]
    missing: tuple[Permission, ...]
    error: KubernetesError | None = None
    """Why it was not asked, or did not answer; then nothing is known."""

    @property
    def is_enough(self) -> bool:
        """Whether nothing is missing that runs need."""
        return not any(each.is_required for each in self.missing)

    @property
    def message(self) -> str:
        """One message that names all that is missing, and the rules that add it; empty when nothing is."""
        if not self.missing:
            return ""
        required = [each for each in self.missing if each.is_required]
        others = [each for each in self.missing if not each.is_required]
        parts: list[str] = []
        if required:
            parts.append(f"The worker lacks permissions that flow runs need: {_listed(required)}.")
        if others:
            parts.append(f"It works without these, but not as well: {_listed(others)}.")
        return f"{' '.join(parts)} Add these rules for the user or service account of the worker:\n\n{self.rules}"

    @property
    def rules(self) -> str:
        """The missing permissions as roles, in YAML."""
        return "---\n".join(roles(self.missing))


def permissions(settings: KubernetesSettings, namespace: str) -> list[Permission]:
    """Name what a worker needs for jobs in a namespace, with its observer if that is enabled.

    Args:
        settings: What is used, and what not.
        namespace: Namespace of the jobs.
    """
    worker, observer = settings.worker, settings.observer
    needed = [
        Permission("create", "jobs", "batch", namespace, "start flow runs"),
        Permission("get", "jobs", "batch", namespace, "see how jobs end"),
        Permission("list", "jobs", "batch", namespace, "find the jobs of flow runs"),
        Permission("delete", "jobs", "batch", namespace, "cancel flow runs"),
        Permission("list", "pods", "", namespace, "see why jobs fail"),
        Permission("delete", "pods", "", namespace, "remove pods of lost nodes", is_required=False),
        Permission("get", "pods/log", "", namespace, "show what containers print", is_required=False),
        Permission("list", "events", "", namespace, "say why a job has no pod", is_required=False),
    ]
    if secrets.wants(worker):
        purpose = "keep Prefect's secrets out of job manifests"
        is_demanded = secrets.demands(worker)
        needed.append(Permission("create", "secrets", "", namespace, purpose, is_required=is_demanded))
    if observer.enabled:
        for place in observed_namespaces(settings, namespace):
            for resource, group in (("jobs", "batch"), ("pods", "")):
                # Without it the worker still looks at its own jobs, but late, and the observer cannot work.
                purpose = f"hear of changes of {resource} at once"
                needed.append(Permission("watch", resource, group, place, purpose))
                needed.append(Permission("list", resource, group, place, purpose))
    if settings.cluster_uid is None:
        purpose = "tell this cluster from others when older runs are cancelled"
        needed.append(Permission("get", "namespaces", "", "", purpose, is_required=False, name="kube-system"))
    unique = {(each.verb, each.resource, each.group, each.namespace): each for each in reversed(needed)}
    return sorted(unique.values(), key=lambda each: needed.index(each))


def observed_namespaces(settings: KubernetesSettings, namespace: str) -> list[str]:
    """Name the namespaces that a worker's observer watches: those of the settings, else that of the jobs."""
    given = settings.observer.namespaces
    return sorted({given} if isinstance(given, str) else given or {namespace})


async def review(api: ApiClient, wanted: Sequence[Permission]) -> Preflight:
    """Ask the API server for each permission whether we have it.

    Args:
        api: A client; who it signs in as is who is asked about.
        wanted: What to ask for.
    """
    answers = await asyncio.gather(*(_is_allowed(api, permission) for permission in wanted), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, KubernetesError):
            return Preflight((), (), answer)
        if isinstance(answer, BaseException):
            raise answer
    pairs = list(zip(wanted, answers, strict=True))
    return Preflight(
        tuple(permission for permission, is_allowed in pairs if is_allowed),
        tuple(permission for permission, is_allowed in pairs if not is_allowed),
    )


async def _is_allowed(api: ApiClient, permission: Permission) -> bool:
    from kubernetes_asyncio.client import AuthorizationV1Api

    resource, _, subresource = permission.resource.partition("/")
    attributes = {
        "verb": permission.verb,
        "group": permission.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": permission.namespace,
        "name": permission.name,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    create = cast("Any", AuthorizationV1Api(api)).create_self_subject_access_review
    found: Any = await call("Our own permissions", lambda: create(body), backoff=_BACKOFF)
    return bool(found.status.allowed)


_said: set[str] = set()


async def preflight(
    api: ApiClient,
    namespace: str,
    settings: KubernetesSettings,
    *,
    logger: Log,
) -> Preflight:
    """Ask for all that a worker needs, and log what is missing: once, in one message.

    A process says the same message once only, however many workers it starts.

    Args:
        api: A client of the worker's cluster.
        namespace: Namespace of the pool's jobs.
        settings: What is used, and what not.
        logger: Told what is missing: an error when runs need it, else a warning.

    Returns:
        What is allowed and what is not. Failures of the API server are in it, and not raised: the first run will tell.
    """
    found = await review(api, permissions(settings, namespace))
    if found.error is not None:
        logger.debug("The worker's permissions could not be asked for: %s", found.error)
    elif found.message and found.message not in _said:
        _said.add(found.message)
        if found.is_enough:
            logger.warning("%s", found.message)
        else:
            logger.error("%s", found.message)
    return found


def roles(permissions: Iterable[Permission]) -> Iterator[str]:
    """Write permissions as YAML: one Role for each namespace, one ClusterRole for all namespaces."""
    ordered = sorted(permissions, key=lambda each: each.namespace)
    for namespace, group in groupby(ordered, key=lambda each: each.namespace):
        lines = [
            "apiVersion: rbac.authorization.k8s.io/v1",
            f"kind: {'Role' if namespace else 'ClusterRole'}",
            "metadata:",
            f"  name: {_ROLE_NAME}",
            *([f"  namespace: {namespace}"] if namespace else []),
            "rules:",
        ]
        verbs: dict[tuple[str, str, str], list[str]] = {}
        for each in group:
            known = verbs.setdefault((each.group, each.resource, each.name), [])
            if each.verb not in known:
                known.append(each.verb)
        for (api_group, resource, name), allowed in verbs.items():
            lines.append(f"- apiGroups: {json.dumps([api_group])}")
            lines.append(f"  resources: {json.dumps([resource])}")
            if name:
                lines.append(f"  resourceNames: {json.dumps([name])}")
            lines.append(f"  verbs: {json.dumps(allowed)}")
        yield "\n".join(lines) + "\n"


def _listed(missing: Sequence[Permission]) -> str:
    """List permissions by place: `in namespace 'x': create jobs (start flow runs), …`."""
    ordered = sorted(missing, key=lambda each: each.namespace)
    places = [
        (f"in namespace {namespace!r}" if namespace else "in the whole cluster", list(group))
        for namespace, group in groupby(ordered, key=lambda each: each.namespace)
    ]
    return "; ".join(
        f"{place}: " + ", ".join(f"{permission} (to {permission.purpose})" for permission in found)
        for place, found in places
    )
