"""Flows that run Kubernetes jobs."""

from collections.abc import Callable
from typing import Any

from prefect import flow

from prefect_integration_kit.dispatch import run_coro_as_sync

from .jobs import KubernetesJob


async def _run(kubernetes_job: KubernetesJob, print_func: Callable[..., Any] | None) -> dict[str, Any]:
    job_run = await kubernetes_job.atrigger()
    await job_run.await_for_completion(print_func)
    return await job_run.afetch_result()


@flow
def run_namespaced_job(kubernetes_job: KubernetesJob, print_func: Callable[..., Any] | None = None) -> dict[str, Any]:
    """Run a Kubernetes job to its end.

    Args:
        kubernetes_job: The job.
        print_func: Is given each line that the main container of each pod writes, as it comes; see
            `KubernetesJobRun.wait_for_completion`.

    Returns:
        The log of each pod, by the pod's name: `{"pod_name": "pod_log_str"}`.

    Raises:
        RuntimeError: If the job fails: a `KubernetesJobFailedError`.
        KubernetesJobTimeoutError: If it has not ended after the block's `timeout_seconds`.
        KubernetesError: If it cannot be created or watched.

    Example:
        ```python
        from prefect_kubernetes import KubernetesJob, run_namespaced_job
        from prefect_kubernetes.credentials import KubernetesCredentials

        run_namespaced_job(
            kubernetes_job=KubernetesJob.from_yaml_file(
                credentials=KubernetesCredentials.load("k8s-creds"),
                manifest_path="path/to/job.yaml",
            )
        )
        ```
    """
    return run_coro_as_sync(_run(kubernetes_job, print_func))


@flow
async def run_namespaced_job_async(
    kubernetes_job: KubernetesJob, print_func: Callable[..., Any] | None = None
) -> dict[str, Any]:
    """Run a Kubernetes job to its end, from async code.

    Args:
        kubernetes_job: The job.
        print_func: Is given each line that the main container of each pod writes, as it comes; see
            `KubernetesJobRun.wait_for_completion`.

    Returns:
        The log of each pod, by the pod's name: `{"pod_name": "pod_log_str"}`.

    Raises:
        RuntimeError: If the job fails: a `KubernetesJobFailedError`.
        KubernetesJobTimeoutError: If it has not ended after the block's `timeout_seconds`.
        KubernetesError: If it cannot be created or watched.

    Example:
        ```python
        from prefect_kubernetes import KubernetesJob
        from prefect_kubernetes.credentials import KubernetesCredentials
        from prefect_kubernetes.flows import run_namespaced_job_async


        async def main() -> None:
            await run_namespaced_job_async(
                kubernetes_job=KubernetesJob.from_yaml_file(
                    credentials=await KubernetesCredentials.aload("k8s-creds"),
                    manifest_path="path/to/job.yaml",
                )
            )
        ```
    """
    return await _run(kubernetes_job, print_func)
