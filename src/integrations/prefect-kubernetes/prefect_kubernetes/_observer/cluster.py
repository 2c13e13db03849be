"""What is asked of a cluster about single objects, and what is deleted there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._clients import call
from ..errors import KubernetesConflict, KubernetesNotFound
from .projections import JobView, PodView, job_view, pod_view
from .raw import parts, text
from .watching import EVENTS, JOBS, PODS, answer_of, pages, read_json

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

_TIMEOUT = (10.0, 30.0)


class Cluster:
    """A cluster, through one client.

    Args:
        api: The client.
        key: Tells it from other clusters.
    """

    def __init__(self, api: ApiClient, key: str = "") -> None:
        self.api = api
        self.key = key

    async def read_job(self, namespace: str, name: str) -> JobView | None:
        """Look at a job; `None` if there is none of this name.

        Raises:
            KubernetesError: If the server refuses or cannot be reached.
        """
        try:
            return job_view(await read_json(self.api, JOBS.path(namespace, name), {}, _job(namespace, name)))
        except KubernetesNotFound:
            return None

    async def read_pods(self, job: JobView) -> list[PodView]:
        """Look at the pods of a job.

        Raises:
            KubernetesError: If the server refuses or cannot be reached.
        """
        found: list[PodView] = []
        async for page in pages(self.api, PODS, job.namespace, f"job-name={job.name}", 500):
            views = (pod_view(item) for item in parts(page, "items"))
            found += [view for view in views if view is not None and view.job_uid == job.uid]
        return found

    async def read_trouble(self, job: JobView) -> str:
        """Ask the events of a job why it has no pod: mostly because a quota or a policy refuses it.

        Returns:
            What the latest warning says; empty if there is none.

        Raises:
            KubernetesError: If the server refuses or cannot be reached.
        """
        query = {"fieldSelector": f"involvedObject.uid={job.uid},type=Warning", "limit": 50}
        subject = f"Events of {_job(job.namespace, job.name)}"
        found = await read_json(self.api, EVENTS.path(job.namespace), query, subject)
        events = parts(found, "items")
        if not events:
            return ""
        last = max(events, key=lambda event: text(event, "lastTimestamp") or text(event, "eventTime"))
        return f"{text(last, 'reason')}: {text(last, 'message').rstrip('.')}."

    async def delete_job(self, job: JobView) -> bool:
        """Delete a job and, before it goes, its pods.

        Returns:
            Whether it was there.

        Raises:
            KubernetesError: If the server refuses or cannot be reached.
        """
        # Without the uid, a new job of the same name could be hit.
        body = {"propagationPolicy": "Foreground", "preconditions": {"uid": job.uid}}
        return await self._delete(JOBS.path(job.namespace, job.name), body, _job(job.namespace, job.name))

    async def delete_lost_pod(self, pod: PodView) -> bool:
        """Delete a pod without waiting for its node.

        Returns:
            Whether it was there.

        Raises:
            KubernetesError: If the server refuses or cannot be reached.
        """
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
        subject = f"Pod {pod.name!r} in namespace {pod.namespace!r}"
        return await self._delete(PODS.path(pod.namespace, pod.name), body, subject)

    async def _delete(self, path: str, body: dict[str, Any], subject: str) -> bool:
        async def delete() -> None:
            response = await answer_of(self.api, path, {}, _TIMEOUT, method="DELETE", body=body)
            response.release()

        try:
            await call(subject, delete)
        except (KubernetesNotFound, KubernetesConflict):  # gone, or another one by now
            return False
        return True


def _job(namespace: str, name: str) -> str:
    return f"Job {name!r} in namespace {namespace!r}"
