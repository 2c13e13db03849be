"""What a worker asks of a cluster, and the clients that it keeps open for that."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio

from .. import _clients
from .._observer.names import FLOW_RUN_ID
from .._observer.places import fingerprint
from ..errors import KubernetesAccessDenied, KubernetesNotFound, kube_errors
from .shapes import as_list, as_mapping

if TYPE_CHECKING:
    from uuid import UUID

    from kubernetes_asyncio.client import ApiClient

    from ..credentials import KubernetesClusterConfig
    from ..settings import KubernetesSettings

T = TypeVar("T")

_REVIEW_SECONDS = 300.0
"""For how long an answer to "may I?" is believed."""


class Cluster:
    """One cluster, through one client."""

    def __init__(self, api: ApiClient, cluster_uid: str | None = None) -> None:
        self.api = api
        self._uid = cluster_uid
        self._allowed: dict[tuple[str, ...], tuple[float, bool | None]] = {}
        self._asking = anyio.Lock()

    # Jobs

    async def create_job(self, manifest: Mapping[str, Any], secrets: Iterable[str] = ()) -> dict[str, Any]:
        """Create a job, in one attempt.

        Returns:
            Its metadata: `name`, `namespace`, `uid`, `labels`, `annotations`, as the API writes them.

        Raises:
            KubernetesError: If the cluster refuses or cannot be reached.
        """
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        with kube_errors(_job(name, namespace), secrets=secrets):
            return _metadata(await self._batch.create_namespaced_job(namespace, dict(manifest)))

    async def read_job(self, name: str, namespace: str) -> dict[str, Any] | None:
        """Read a job's metadata; `None` when there is no such job."""
        try:
            return _metadata(await self._call(_job(name, namespace), self._batch.read_namespaced_job, name, namespace))
        except KubernetesNotFound:
            return None

    async def find_jobs(self, namespace: str, flow_run_id: UUID) -> list[dict[str, Any]]:
        """Read the metadata of all jobs that were made for a run."""
        subject = f"Jobs of flow run {str(flow_run_id)!r} in namespace {namespace!r}"
        selector = f"{FLOW_RUN_ID}={flow_run_id}"
        found = await self._call(subject, self._batch.list_namespaced_job, namespace, label_selector=selector)
        return [_metadata(job) for job in found.items]

    async def delete_job(self, name: str, namespace: str) -> bool:
        """Delete a job and its pods; it is gone when its pods are.

        Returns:
            Whether there was one.
        """
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
        try:
            await self._call(_job(name, namespace), self._batch.delete_namespaced_job, name, namespace, body=body)
        except KubernetesNotFound:
            return False
        return True

    async def delete_pods(self, job_name: str, namespace: str, grace_seconds: int) -> None:
        """Give the pods of a job less time to end than they would take."""
        subject = f"Pods of job {job_name!r} in namespace {namespace!r}"
        selector = f"job-name={job_name}"
        pods = await self._call(subject, self._core.list_namespaced_pod, namespace, label_selector=selector)
        delete = partial(self._core.delete_namespaced_pod, grace_period_seconds=grace_seconds)
        for pod in pods.items:
            with suppress(KubernetesNotFound):
                await self._call(subject, delete, pod.metadata.name, namespace)

    # Secrets

    async def create_secret(self, body: Mapping[str, Any], values: Iterable[str]) -> None:
        """Create a Secret; none of its values is in an error.

        Raises:
            KubernetesError: If the cluster refuses or cannot be reached. One that exists already is a
                `KubernetesAlreadyExists`.
        """
        name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
        subject = f"Secret {name!r} in namespace {namespace!r}"
        create = self._core.create_namespaced_secret
        await _clients.call(subject, lambda: create(namespace, dict(body)), secrets=values)

    async def may(self, verb: str, resource: str, namespace: str, group: str = "") -> bool | None:
        """Ask whether we may do something; `None` when the cluster does not say."""
        key = (verb, resource, namespace, group)
        async with self._asking:
            asked_at, answer = self._allowed.get(key, (float("-inf"), None))
            if time.monotonic() - asked_at >= _REVIEW_SECONDS:
                answer = await self._ask(verb, resource, namespace, group)
                self._allowed[key] = (time.monotonic(), answer)
        return answer

    async def _ask(self, verb: str, resource: str, namespace: str, group: str) -> bool | None:
        from kubernetes_asyncio.client import AuthorizationV1Api

        attributes = {"verb": verb, "resource": resource, "namespace": namespace, "group": group}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        create = cast("Any", AuthorizationV1Api(self.api)).create_self_subject_access_review
        try:
            review: Any = await self._call("Our own permissions", create, body)
        except KubernetesAccessDenied:
            return None
        return bool(review.status.allowed)

    # The cluster itself

    async def uid(self) -> str | None:
        """Name the cluster: as the settings do, else by its namespace `kube-system`; `None` when we may not know."""
        if self._uid is None:
            try:
                found = await self._call("Namespace 'kube-system'", self._core.read_namespace, "kube-system")
            except (KubernetesAccessDenied, KubernetesNotFound):
                return None
            self._uid = str(found.metadata.uid)
        return self._uid

    async def environment_references(self, pod_name: str, namespace: str) -> dict[str, dict[str, Any]]:
        """Read which variables of a pod come from Secrets.

        Returns:
            For each variable, what its `valueFrom` says.
        """
        subject = f"Pod {pod_name!r} in namespace {namespace!r}"
        pod = await self._call(subject, self._core.read_namespaced_pod, pod_name, namespace)
        content: Any = self.api.sanitize_for_serialization(pod)
        entries = [
            as_mapping(entry)
            for container in as_list(content["spec"]["containers"])
            for entry in as_list(as_mapping(container).get("env"))
        ]
        return {
            str(entry["name"]): {"secretKeyRef": entry["valueFrom"]["secretKeyRef"]}
            for entry in entries
            if "secretKeyRef" in as_mapping(entry.get("valueFrom"))
        }

    # Calls

    @property
    def _batch(self) -> Any:
        from kubernetes_asyncio.client import BatchV1Api

        return BatchV1Api(self.api)

    @property
    def _core(self) -> Any:
        from kubernetes_asyncio.client import CoreV1Api

        return CoreV1Api(self.api)

    async def _call(self, subject: str, method: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> T:
        return await _clients.call(subject, lambda: method(*args, **options))


class Clusters:
    """The clusters of one worker: a client for each, opened when it is first needed."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings
        self._exits: AsyncExitStack | None = None
        self._open: dict[str, Cluster] = {}
        self._lock = anyio.Lock()

    def open(self) -> None:
        """Keep clients from now on."""
        self._exits = AsyncExitStack()
        self._open = {}

    async def close(self) -> None:
        """Close all clients."""
        exits, self._exits, self._open = self._exits, None, {}
        if exits is not None:
            await exits.aclose()

    @asynccontextmanager
    async def at(self, cluster_config: KubernetesClusterConfig | None) -> AsyncGenerator[Cluster, None]:
        """Give a cluster; its client is closed at once where none is kept.

        Args:
            cluster_config: How to reach it; `None` for the one that this process is set up for.
        """
        if self._exits is None:
            async with self._connect(cluster_config) as cluster:
                yield cluster
            return
        key = fingerprint(cluster_config)
        async with self._lock:
            if key not in self._open:
                self._open[key] = await self._exits.enter_async_context(self._connect(cluster_config))
        yield self._open[key]

    @asynccontextmanager
    async def _connect(self, cluster_config: KubernetesClusterConfig | None) -> AsyncGenerator[Cluster, None]:
        async with _clients.open_api(
            cluster_config,
            timeout_seconds=self._settings.client.request_timeout_seconds,
            tcp_keepalive=self._settings.worker.add_tcp_keepalive,
        ) as api:
            yield Cluster(api, self._settings.cluster_uid if cluster_config is None else None)


def _job(name: str, namespace: str) -> str:
    return f"Job {name!r} in namespace {namespace!r}"


def _metadata(job: Any) -> dict[str, Any]:
    metadata = job.metadata
    return {
        "name": metadata.name,
        "namespace": metadata.namespace,
        "uid": metadata.uid,
        "labels": metadata.labels or {},
        "annotations": metadata.annotations or {},
        "created_at": metadata.creation_timestamp,
    }
