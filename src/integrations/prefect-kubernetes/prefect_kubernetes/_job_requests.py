"""Create a job so that it is there once or not at all, and delete it with its pods."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import anyio

from . import _job_manifest
from ._resources import as_dict, ask, inside, name_of, named
from .errors import (
    KubernetesAlreadyExists,
    KubernetesConflict,
    KubernetesError,
    KubernetesNotFound,
    KubernetesUnavailable,
)

if TYPE_CHECKING:
    from prefect_integration_kit.logs import Log

    from .credentials import KubernetesCredentials

_CLEANUP_SECONDS = 30.0
_EVERYWHERE = ("pretty", "_request_timeout")


@dataclass(frozen=True)
class JobRequests:
    """Requests about the jobs of one namespace.

    Attributes:
        credentials: Which cluster, and who we are there.
        namespace: The namespace.
        api_kwargs: Further arguments of the request that creates a job.
        logger: Told what was deleted, and what could not be.
    """

    credentials: KubernetesCredentials
    namespace: str
    api_kwargs: dict[str, Any]
    logger: Log

    @property
    def options(self) -> dict[str, Any]:
        """Those of the further arguments that every request takes."""
        return {name: value for name, value in self.api_kwargs.items() if name in _EVERYWHERE}

    async def create(self, job: dict[str, Any]) -> dict[str, Any]:
        """Create a job; when that fails in the end or is cancelled, see to it that none is left behind.

        Args:
            job: A manifest from `_job_manifest.prepare`.

        Returns:
            The job as the cluster has it.

        Raises:
            KubernetesError: If it cannot be created.
        """
        try:
            return await self._create(job)
        except KubernetesUnavailable as exc:
            if exc.was_sent:
                await self.delete(job)  # it may be there, and nobody would wait for it
            raise
        except asyncio.CancelledError:
            await self.delete(job)
            raise

    async def _create(self, job: dict[str, Any]) -> dict[str, Any]:
        try:
            found = await self._ask("create_namespaced_job", job, body=job, **self.api_kwargs)
        except KubernetesAlreadyExists:
            # A request whose answer was lost is sent again, and meets the job that it created the first time.
            ours = await self.find(job)
            if ours is None:
                raise
            return ours
        created = cast("dict[str, Any]", as_dict(found, "V1Job"))
        # What a stand-in for the SDK answers need not be a whole job, or no job at all.
        return {**job, **created, "metadata": created["metadata"] if name_of(created) else job["metadata"]}

    async def find(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Look for the job that was created from a manifest, and not from another one with the same name.

        Args:
            job: A manifest from `_job_manifest.prepare`.
        """
        try:
            found = await self._ask("read_namespaced_job", job, name=name_of(job), **self.options)
        except KubernetesNotFound:
            return None
        there = cast("dict[str, Any]", as_dict(found, "V1Job"))
        return there if _mark(there) == _mark(job) else None

    async def delete(self, job: dict[str, Any], *, is_created: bool = False) -> None:
        """Delete a job and its pods, even while being cancelled; what fails is logged, since something else is raised.

        Args:
            job: The job, or the manifest that it was created from.
            is_created: Whether it is the job, so that there is one of its name to delete.
        """
        subject = named("Job", name_of(job), self.namespace)
        with anyio.move_on_after(_CLEANUP_SECONDS, shield=True) as scope:
            try:
                uid = inside(job, "metadata").get("uid")
                if uid is None and not is_created:
                    uid = inside(await self.find(job), "metadata").get("uid")
                    if uid is None:
                        return
                # Without a propagation policy the pods of a job would stay.
                body: dict[str, Any] = {"propagationPolicy": "Background"}
                if uid is not None:
                    body["preconditions"] = {"uid": uid}
                await self._ask("delete_namespaced_job", job, name=name_of(job), body=body, **self.options)
                self.logger.info("Deleted %s", subject)
            except (KubernetesNotFound, KubernetesConflict):
                return  # it is gone, or this is another one of the same name
            except KubernetesError as exc:
                self.logger.warning("%s is left behind: %s", subject, exc)
        if scope.cancelled_caught:
            self.logger.warning("%s is left behind: it could not be deleted in %g seconds", subject, _CLEANUP_SECONDS)

    async def _ask(self, method: str, job: dict[str, Any], **arguments: Any) -> Any:
        subject = named("Job", name_of(job), self.namespace)
        return await ask(self.credentials, "batch", method, subject, namespace=self.namespace, **arguments)


def _mark(job: dict[str, Any]) -> Any:
    return inside(job, "metadata", "annotations").get(_job_manifest.TRIGGER_ANNOTATION)
