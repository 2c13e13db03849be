"""Submit flow runs to a cluster: a job, its Secret, and then the job is watched over."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
import anyio.abc
from prefect.exceptions import InfrastructureNotAvailable, InfrastructureNotFound

from prefect_integration_kit import workers
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .._observer.job_watch import JobWatch
from .._observer.places import places
from .._preflight import preflight
from ..errors import (
    KubernetesAccessDenied,
    KubernetesAlreadyExists,
    KubernetesConfigInvalid,
    KubernetesError,
    KubernetesUnavailable,
)
from . import secrets
from .cluster import Cluster, Clusters
from .creation import create_job
from .identifiers import JobIdentifier, parse_identifier
from .manifest import SUBMISSION, name_job
from .output import Outputs
from .own_pod import OwnPod
from .reconciliation import KubernetesReconciliation

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from ..settings import KubernetesSettings
    from ..worker import KubernetesWorker
    from .configuration import KubernetesWorkerJobConfiguration

_POD_GRACE_SECONDS = 30
"""How long a pod has to end where it does not say."""

_SETTING = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER"


class KubernetesSubmissions:
    """What one worker has under way in its clusters."""

    def __init__(self, worker: KubernetesWorker, settings: KubernetesSettings, clock: Clock = SYSTEM_CLOCK) -> None:
        self.serving = False
        self.clusters = Clusters(settings)
        self._worker = worker
        self._settings = settings
        self._clock = clock
        self._logger = workers.logger_of(worker)
        self._cancelled: dict[UUID, bool] = {}
        self._exits = AsyncExitStack()
        self._group: anyio.abc.TaskGroup | None = None
        self._slots: anyio.CapacityLimiter | None = None
        self._own_pod = OwnPod()
        self._place: KubernetesWorkerJobConfiguration | None = None
        self._outputs = Outputs(settings.worker.max_streamed_jobs, self._logger)
        self._plain_secrets = workers.PlainSecretWarning(
            self._logger,
            "Kubernetes jobs",
            dict.fromkeys(
                secrets.secret_variables(),
                "Allow the worker to create Secrets in the namespace of its jobs, or name one that holds the value, "
                f"such as by {_SETTING}_API_KEY_SECRET_NAME.",
            ),
        )
        self.watch = JobWatch(
            settings,
            prefect=lambda: worker.client,
            logger=self._logger,
            events_are_coming=_events_are_coming,
        )

    # While the worker is open

    async def open(self) -> None:
        """Begin to watch, and to pick up what was left behind where the worker serves its pool."""
        self._slots = anyio.CapacityLimiter(self._settings.worker.max_concurrent_submissions)
        self._exits = AsyncExitStack()
        self._group = await self._exits.enter_async_context(anyio.create_task_group())
        self._exits.callback(self._group.cancel_scope.cancel)
        self._group.start_soon(self.watch.watch)
        if self.serving:
            self._group.start_soon(KubernetesReconciliation(self._worker, self, self._settings.worker).repeat)
            self._group.start_soon(self._look_around)

    async def _look_around(self) -> None:
        """Say which permissions are missing where the pool's jobs are: when the API has told of the pool."""
        await workers.synchronised(self._worker)
        if self._place is None:
            await self._find_place()
        if self._place is not None and self._settings.worker.preflight:
            await self._check_permissions(self._place)

    async def introduce(self) -> None:
        """Say where the pool's jobs are, for the observer; not yet when the API has not told of the pool."""
        self.clusters.open()
        if workers.pool_id_of(self._worker) is not None:
            await self._find_place()

    async def _find_place(self) -> None:
        try:
            configuration = await self._pool_configuration()
        except Exception as exc:  # noqa: BLE001 - its runs will say what is wrong with the template
            self._logger.debug("The pool's job template cannot be filled in without a run: %s", exc)
            return
        places.add(configuration.namespace, configuration.cluster_config)
        self._place = configuration

    async def _pool_configuration(self) -> KubernetesWorkerJobConfiguration:
        worker = self._worker
        configuration = await worker.job_configuration.from_template_and_values(
            worker.work_pool.base_job_template, {}, client=worker.client
        )
        namespace = configuration.job_manifest["metadata"].get("namespace")
        configuration.namespace = str(namespace or configuration.namespace)
        return configuration

    async def _check_permissions(self, configuration: KubernetesWorkerJobConfiguration) -> None:
        """Say once which permissions are missing where the pool's jobs are."""
        try:
            async with self.clusters.at(configuration.cluster_config) as cluster:
                await preflight(cluster.api, configuration.namespace, self._settings, logger=self._logger)
        except KubernetesError as exc:
            self._logger.warning("The cluster of the work pool cannot be used at present: %s", exc)

    async def stop_watching(self) -> None:
        """Watch over jobs no longer; they go on, and the next worker finds them."""
        self._group = None
        await self._exits.aclose()

    async def close(self) -> None:
        """Close the clients, also when the worker is interrupted."""
        with anyio.CancelScope(shield=True):
            await self.clusters.close()

    # Submitting

    async def submit(
        self,
        flow_run: FlowRun,
        configuration: KubernetesWorkerJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None,
    ) -> JobIdentifier | None:
        """Create the job of a flow run.

        Args:
            flow_run: The run.
            configuration: What it asks for, prepared for this run.
            task_status: Told the job's identifier.

        Returns:
            The job; `None` when the run was cancelled before there was one.
        """
        self._cancelled[flow_run.id] = False
        try:
            async with self._slots or anyio.CapacityLimiter(1):
                job = await self._create(flow_run, configuration)
            if job is not None and self._cancelled.get(flow_run.id):
                self._logger.info("Deleting job %s: its flow run was cancelled while it was being created.", job)
                async with self.clusters.at(configuration.cluster_config) as cluster:
                    await cluster.delete_job(job.job_name, job.namespace)
        finally:
            self._cancelled.pop(flow_run.id, None)
        if task_status is not None:
            task_status.started(str(job) if job else None)
        elif job is not None:
            await workers.store_identifier(self._worker, flow_run, str(job), f"Kubernetes job {job}")
        return job

    async def _create(self, flow_run: FlowRun, configuration: KubernetesWorkerJobConfiguration) -> JobIdentifier | None:
        logger = self._worker.get_flow_run_logger(flow_run)
        token = await workers.submission_of(workers.client_of(self._worker), flow_run)
        manifest = name_job(configuration.job_manifest, token)
        places.add(manifest["metadata"]["namespace"], configuration.cluster_config)
        async with self.clusters.at(configuration.cluster_config) as cluster:
            protected = await self.protect(cluster, configuration, manifest)
            job = await create_job(
                cluster,
                protected.manifest,
                self._settings.worker.create_job_retry,
                clock=self._clock,
                secret_values=tuple(protected.data.values()),
                is_wanted=lambda: not self._cancelled.get(flow_run.id),
                on_retry=lambda error, delay: logger.warning(
                    "The Kubernetes job was not created; trying again in %.1f seconds: %s", delay, error
                ),
            )
            if job is None:
                logger.info("The flow run was cancelled before its Kubernetes job was created.")
                return None
            await self._create_secret(cluster, job, protected.data)
            identifier = JobIdentifier(job["namespace"], job["name"])
            logger.info("Created Kubernetes job %s in namespace %s.", identifier.job_name, identifier.namespace)
            self.watch_over(flow_run.id, identifier, configuration)
            if self._group is not None and configuration.stream_output:
                self._group.start_soon(self._outputs.follow, cluster.api, identifier)
        return identifier

    def watch_over(
        self, flow_run_id: UUID, job: JobIdentifier, configuration: KubernetesWorkerJobConfiguration
    ) -> None:
        """See to it that a job's run ends truthfully."""
        places.add(job.namespace, configuration.cluster_config)
        self.watch.add(flow_run_id, job.namespace, job.job_name, configuration.cluster_config)

    async def protect(
        self, cluster: Cluster, configuration: KubernetesWorkerJobConfiguration, manifest: Mapping[str, Any]
    ) -> secrets.Protected:
        """Take secret values out of a manifest, where that is wanted and allowed.

        Raises:
            KubernetesAccessDenied: If a Secret is demanded, and the worker may not create it.
        """
        settings = self._settings.worker
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        references = await self._references(cluster, configuration, namespace)
        protect = partial(secrets.protect, manifest, settings, secret_name=name, references=references)
        protected = protect(may_create=secrets.wants(settings))
        is_allowed = await cluster.may("create", "secrets", namespace) if protected.data else True
        if not is_allowed and not secrets.demands(settings):
            protected = protect(may_create=False)
        elif is_allowed is False:
            raise KubernetesAccessDenied(
                f"The run's secrets must go into a Secret of namespace {namespace!r}, and the worker may not create "
                "one. Allow it the verb `create` on `secrets` there, or have it no longer demanded by "
                f"{_SETTING}_CREATE_SECRET_FOR_API_KEY, _STORE_ENV_AS_SECRET or _PROTECT_SECRETS.",
                subject=f"Secret {name!r} in namespace {namespace!r}",
            )
        self._plain_secrets.look_at(protected.plain)
        return protected

    async def _create_secret(self, cluster: Cluster, job: Mapping[str, Any], data: Mapping[str, str]) -> None:
        """Give a job its Secret, or take the job back."""
        if not data:
            return
        try:
            await cluster.create_secret(secrets.secret_body(job, data), data.values())
        except KubernetesAlreadyExists:
            return  # by a worker before us, for the same submission
        except BaseException:
            with anyio.CancelScope(shield=True), anyio.move_on_after(30):
                await self._take_back(cluster, job)
            raise

    async def _take_back(self, cluster: Cluster, job: Mapping[str, Any]) -> None:
        try:
            await cluster.delete_job(job["name"], job["namespace"])
        except KubernetesError as exc:  # the first error is the one to tell
            self._logger.warning("Job %s, which cannot start, could not be deleted: %s", job["name"], exc)

    async def complete(
        self, flow_run: FlowRun, configuration: KubernetesWorkerJobConfiguration, job: JobIdentifier
    ) -> None:
        """Create the Secret of a job whose worker died before it could."""
        token = await workers.submission_of(workers.client_of(self._worker), flow_run)
        manifest = name_job(configuration.job_manifest, token)
        async with self.clusters.at(configuration.cluster_config) as cluster:
            metadata = await cluster.read_job(job.job_name, job.namespace)
            if metadata is None or metadata["annotations"].get(SUBMISSION) != token:
                return
            protected = await self.protect(cluster, configuration, manifest)
            await self._create_secret(cluster, metadata, protected.data)

    async def _references(
        self, cluster: Cluster, configuration: KubernetesWorkerJobConfiguration, namespace: str
    ) -> dict[str, dict[str, Any]]:
        """Find the variables that the worker's own pod takes from Secrets, where the job can do the same."""
        if configuration.cluster_config is not None or self._own_pod.namespace != namespace:
            return {}
        found = await self._own_pod.references(cluster, self._logger)
        value_of = configuration.get_environment_variable_value
        return {name: reference for name, reference in found.items() if value_of(name) == os.environ.get(name)}

    # Ends

    async def kill(
        self, infrastructure_pid: str, configuration: KubernetesWorkerJobConfiguration, grace_seconds: int
    ) -> None:
        """Delete a job that this or another worker created.

        Raises:
            InfrastructureNotFound: If there is no such job.
            InfrastructureNotAvailable: If the cluster cannot be reached, is another one, or lets us not delete.
        """
        cannot = f"Cannot kill Kubernetes job {infrastructure_pid!r}"
        try:
            job = parse_identifier(infrastructure_pid)
        except ValueError as exc:
            raise InfrastructureNotAvailable(f"{cannot}: {exc}") from exc
        try:
            async with self.clusters.at(configuration.cluster_config) as cluster:
                await self._check_cluster(cluster, job)
                if not await cluster.delete_job(job.job_name, job.namespace):
                    raise InfrastructureNotFound(f"{cannot}: there is no such job in namespace {job.namespace!r}.")
                pod = configuration.job_manifest["spec"]["template"]["spec"]
                if grace_seconds < int(pod.get("terminationGracePeriodSeconds") or _POD_GRACE_SECONDS):
                    await self._hurry(cluster, job, grace_seconds)
        except (KubernetesAccessDenied, KubernetesUnavailable, KubernetesConfigInvalid) as exc:
            raise InfrastructureNotAvailable(f"{cannot}: {exc}") from exc

    async def _check_cluster(self, cluster: Cluster, job: JobIdentifier) -> None:
        if job.cluster_uid is None:
            return
        uid = await cluster.uid()
        if uid is None:
            raise InfrastructureNotAvailable(
                f"Cannot kill Kubernetes job '{job}' of cluster {job.cluster_uid!r}: the worker may not read which "
                "cluster it is in. Allow it `get` on the namespace kube-system, or set "
                "PREFECT_INTEGRATIONS_KUBERNETES_CLUSTER_UID."
            )
        if uid != job.cluster_uid:
            raise InfrastructureNotAvailable(
                f"Cannot kill Kubernetes job '{job}': it is in cluster {job.cluster_uid!r}, and the worker reaches "
                f"cluster {uid!r}."
            )

    async def _hurry(self, cluster: Cluster, job: JobIdentifier, grace_seconds: int) -> None:
        try:
            await cluster.delete_pods(job.job_name, job.namespace, grace_seconds)
        except KubernetesError as exc:
            self._logger.debug("The pods of job %s take their own time to end: %s", job, exc)

    def cancel_requested(self, flow_run_id: UUID) -> None:
        """A run that is being submitted is no longer wanted."""
        if flow_run_id in self._cancelled:
            self._cancelled[flow_run_id] = True

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Whether the run is being submitted, or its job watched."""
        return flow_run_id in self._cancelled or flow_run_id in self.watch


def _events_are_coming() -> bool:
    from ..observer import observer_health

    return observer_health().is_healthy
