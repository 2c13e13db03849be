"""Kubernetes jobs: a block that runs them and waits for them, and tasks that create, read, change and delete them.

Each task takes further arguments of the method of `kubernetes_asyncio` that it calls; see the reference of
[BatchV1Api](https://github.com/tomplus/kubernetes_asyncio/blob/master/kubernetes_asyncio/docs/BatchV1Api.md).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prefect.blocks.abstract import JobBlock, JobRun
from pydantic import ConfigDict, Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch, run_coro_as_sync
from prefect_integration_kit.late_imports import late_names

from .credentials import DOCUMENTATION_URL, LOGO_URL, KubernetesCredentials

if TYPE_CHECKING:
    from kubernetes_asyncio.client.models import V1Job

    from ._job_requests import JobRequests
    from ._job_tasks import (
        create_namespaced_job,
        delete_namespaced_job,
        list_namespaced_job,
        patch_namespaced_job,
        read_namespaced_job,
        read_namespaced_job_status,
        replace_namespaced_job,
    )
    from ._job_wait import Ended, JobWait
    from .exceptions import KubernetesJobTimeoutError
    from .pods import list_namespaced_pod, read_namespaced_pod_log

__all__ = [
    "KubernetesJob",
    "KubernetesJobRun",
    "KubernetesJobTimeoutError",
    "KubernetesManifest",
    "create_namespaced_job",
    "delete_namespaced_job",
    "list_namespaced_job",
    "list_namespaced_pod",
    "patch_namespaced_job",
    "read_namespaced_job",
    "read_namespaced_job_status",
    "read_namespaced_pod_log",
    "replace_namespaced_job",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "create_namespaced_job": "._job_tasks",
        "delete_namespaced_job": "._job_tasks",
        "list_namespaced_job": "._job_tasks",
        "patch_namespaced_job": "._job_tasks",
        "read_namespaced_job": "._job_tasks",
        "read_namespaced_job_status": "._job_tasks",
        "replace_namespaced_job": "._job_tasks",
        "KubernetesJobTimeoutError": ".exceptions",
        "list_namespaced_pod": ".pods",
        "read_namespaced_pod_log": ".pods",
    },
)


KubernetesManifest = dict[str, Any] | Path | str
"""A manifest, or the path of a file that holds it."""

Self = TypeVar("Self", bound="KubernetesJob")


class KubernetesJobRun(JobRun[dict[str, Any]]):
    """A run of a Kubernetes job: wait for it, then fetch what its pods wrote.

    Attributes:
        pod_logs: The log of each pod's main container, by the pod's name; `None` until the job has ended.

    Args:
        kubernetes_job: The block that the run was started with.
        v1_job_model: The job as the cluster created it, a `V1Job` or a dictionary.
    """

    def __init__(self, kubernetes_job: KubernetesJob, v1_job_model: V1Job | dict[str, Any]) -> None:
        from ._resources import as_dict

        self.pod_logs: dict[str, str] | None = None
        self._kubernetes_job = kubernetes_job
        self._v1_job_model = cast("dict[str, Any]", as_dict(v1_job_model, "V1Job"))
        self._failure: str | None = None

    @property
    def v1_job_model(self) -> dict[str, Any]:
        """The job as the cluster created it, with the names of the API's JSON."""
        return self._v1_job_model

    async def _wait(self, print_func: Callable[..., Any] | None = None) -> None:
        from ._job_wait import DeadlinePassed

        block = self._kubernetes_job
        if self.pod_logs is None:
            wait = self._job_wait(print_func)
            try:
                self._remember(await wait.run())
            except DeadlinePassed:
                from .exceptions import KubernetesJobTimeoutError

                await self._clean_up()
                deleted = " It was deleted." if block.delete_after_completion else ""
                raise KubernetesJobTimeoutError(
                    f"{wait.subject} had not ended after {block.timeout_seconds:g} seconds.{deleted} Raise "
                    "timeout_seconds if it needs longer.",
                    subject=wait.subject,
                ) from None
            except BaseException:
                await self._clean_up()
                raise
            await self._clean_up()
        if self._failure is not None:
            from .exceptions import KubernetesJobFailedError

            raise KubernetesJobFailedError(self._failure, subject=self._subject)

    def _remember(self, ended: Ended) -> None:
        self.pod_logs, self._failure = ended.logs, ended.failure
        if ended.failure is None:
            self._kubernetes_job.logger.info("%s has completed", self._subject)

    def _job_wait(self, print_func: Callable[..., Any] | None) -> JobWait:
        from ._job_wait import JobWait

        block = self._kubernetes_job
        return JobWait(
            credentials=block.credentials,
            job=self._v1_job_model,
            namespace=block.namespace,
            interval_seconds=block.interval_seconds,
            timeout_seconds=block.timeout_seconds,
            print_func=print_func,
            logger=block.logger,
            request_options=_requests(block).options,
        )

    @property
    def _subject(self) -> str:
        from ._resources import name_of, named

        return named("Job", name_of(self._v1_job_model), self._kubernetes_job.namespace)

    async def _clean_up(self) -> None:
        if self._kubernetes_job.delete_after_completion:
            await _requests(self._kubernetes_job).delete(self._v1_job_model, is_created=True)

    async def await_for_completion(self, print_func: Callable[..., Any] | None = None) -> None:
        """Async form of `wait_for_completion`."""
        await self._wait(print_func)

    @async_dispatch(await_for_completion)
    def wait_for_completion(self, print_func: Callable[..., Any] | None = None) -> None:
        """Wait until the job has ended, as its own conditions say; a pod that fails is replaced up to `backoffLimit`.

        With `delete_after_completion` the job and its pods are deleted afterwards: when it succeeded, failed, or did
        not end in time, and when the wait is cancelled. Waiting again for a job that has ended gives the same outcome.

        Args:
            print_func: Is given each line that the main container of each pod writes, as it comes and without its end.
                The main container is the one that the pod's annotation `kubectl.kubernetes.io/default-container`
                names, else the first of the manifest.

        Raises:
            KubernetesJobFailedError: If the job fails or is deleted; the message says why and shows the last lines of
                the failed container. It is a `RuntimeError`.
            KubernetesJobTimeoutError: If it has not ended after `timeout_seconds`. It is a `TimeoutError`.
            KubernetesError: If the cluster cannot be asked.

        Example:
            ```python
            from prefect_kubernetes import KubernetesJob

            job_run = KubernetesJob.load("BLOCK_NAME").trigger()
            job_run.wait_for_completion(print_func=print)
            ```
        """
        run_coro_as_sync(self._wait(print_func))

    async def _result(self) -> dict[str, str]:
        if self.pod_logs is None:
            ended = await self._job_wait(None).look()
            if ended is None:
                raise ValueError(
                    f"{self._subject} has not ended, so it has no result yet. Call wait_for_completion first."
                )
            self._remember(ended)
        return cast("dict[str, str]", self.pod_logs)

    async def afetch_result(self) -> dict[str, Any]:
        """Async form of `fetch_result`."""
        return await self._result()

    @async_dispatch(afetch_result)
    def fetch_result(self) -> dict[str, Any]:
        """Get what the pods wrote.

        Returns:
            The log of each pod's main container, by the pod's name.

        Raises:
            ValueError: If the job has not ended.
            KubernetesError: If the cluster cannot be asked.
        """
        return run_coro_as_sync(self._result())


class KubernetesJob(QuickKey, JobBlock):  # pyright: ignore[reportMissingTypeArgument] - `JobBlock[...]` would be a block
    """A job for a Kubernetes cluster to run.

    Example:
        Run a stored job and show what its pods write:

        ```python
        from prefect_kubernetes import KubernetesJob

        kubernetes_job = KubernetesJob.load("BLOCK_NAME")
        job_run = kubernetes_job.trigger()
        job_run.wait_for_completion(print_func=print)
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Kubernetes Job"
    _block_type_slug = "k8s-job"
    _logo_url = LOGO_URL  # pyright: ignore[reportAssignmentType]
    _documentation_url = DOCUMENTATION_URL  # pyright: ignore[reportAssignmentType]

    v1_job: dict[str, Any] = Field(
        default=...,
        title="Job Manifest",
        repr=False,  # its environment variables may hold secrets
        description="The manifest of the job, as a dictionary.",
    )
    api_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        title="Additional API Arguments",
        description="Further arguments of the requests to the Kubernetes API, such as pretty or _request_timeout.",
    )
    credentials: KubernetesCredentials = Field(
        default_factory=KubernetesCredentials, description="Which cluster, and who we are there."
    )
    delete_after_completion: bool = Field(
        default=True, description="Whether to delete the job and its pods when the wait for it is over."
    )
    interval_seconds: int = Field(default=5, description="Seconds between two looks at a running job.")
    namespace: str = Field(default="default", description="The namespace to run the job in.")
    timeout_seconds: int | None = Field(
        default=None, description="Seconds to wait for the job to end; empty for as long as it takes."
    )

    async def _trigger(self) -> KubernetesJobRun:
        from . import _job_manifest
        from ._resources import name_of, named

        job = _job_manifest.prepare(self.v1_job, self.namespace)
        created = await _requests(self).create(job)
        self.logger.info("Created %s", named("Job", name_of(created), self.namespace))
        return KubernetesJobRun(self, created)

    async def atrigger(self) -> KubernetesJobRun:
        """Async form of `trigger`."""
        return await self._trigger()

    @async_dispatch(atrigger)
    def trigger(self) -> KubernetesJobRun:
        """Create the job in the cluster.

        A manifest with `generateName` makes a job of its own each time. When the answer of the server is lost, the
        request is sent again without a second job coming of it; when it fails in the end, no job is left behind.

        Returns:
            The run, to wait for.

        Raises:
            KubernetesJobDefinitionError: If the manifest is not valid; the message names the field. It is a
                `ValueError`.
            KubernetesAlreadyExists: If there is a job of this name.
            KubernetesInvalid: If the cluster does not accept the manifest; the message names the fields.
            KubernetesAccessDenied: If the job may not be created; the message names the missing rule.
            KubernetesQuotaExceeded: If the namespace's quota does not admit it.
            KubernetesError: If it cannot be created for another reason.
        """
        return run_coro_as_sync(self._trigger())

    @classmethod
    def from_yaml_file(cls: type[Self], manifest_path: Path | str, **kwargs: Any) -> Self:
        """Create a block from a manifest in a YAML file.

        Args:
            manifest_path: The file; `~` stands for the home directory.
            **kwargs: The other fields of the block.

        Returns:
            The block, not saved.

        Raises:
            KubernetesJobDefinitionError: If the file does not hold exactly one manifest. It is a `ValueError`.
            OSError: If the file cannot be read.

        Example:
            ```python
            from prefect_kubernetes import KubernetesCredentials, KubernetesJob

            kubernetes_job = KubernetesJob.from_yaml_file(
                manifest_path="path/to/job.yaml", credentials=KubernetesCredentials.load("BLOCK_NAME")
            )
            kubernetes_job.save("my-k8s-job", overwrite=True)
            ```
        """
        from . import _job_manifest

        return cls(v1_job=_job_manifest.read_manifest(manifest_path), **kwargs)


def _requests(block: KubernetesJob) -> JobRequests:
    from ._job_requests import JobRequests

    return JobRequests(block.credentials, block.namespace, block.api_kwargs, block.logger)
