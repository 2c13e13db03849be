"""Tasks that create, read, change and delete Kubernetes jobs; they are public in `prefect_kubernetes.jobs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import async_task

from ._resources import DEFAULT_NAMESPACE, ask, name_of, named, require_name
from .credentials import KubernetesCredentials

if TYPE_CHECKING:
    from kubernetes_asyncio.client.models import V1DeleteOptions, V1Job, V1JobList, V1Status


@async_task()
async def create_namespaced_job(
    kubernetes_credentials: KubernetesCredentials,
    new_job: V1Job | dict[str, Any],
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Job:
    """Create a job in a namespace.

    It is sent once: a request that may have reached the server is not repeated, so that no second job comes of it.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        new_job: The job, as a `V1Job` of `kubernetes_asyncio` or as a dictionary.
        namespace: The namespace to create it in.
        **kube_kwargs: Further arguments of `BatchV1Api.create_namespaced_job`, such as `dry_run="All"`.

    Returns:
        The job as the cluster has it.

    Raises:
        KubernetesAlreadyExists: If there is a job of this name.
        KubernetesInvalid: If the cluster does not accept the job; the message names the fields.
        KubernetesAccessDenied: If it may not be created; the message names the missing rule.
        KubernetesError: If it cannot be created for another reason.
    """
    return await ask(
        kubernetes_credentials,
        "batch",
        "create_namespaced_job",
        named("Job", name_of(new_job), namespace),
        is_repeatable=False,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=new_job,
        **kube_kwargs,
    )


@async_task()
async def delete_namespaced_job(
    kubernetes_credentials: KubernetesCredentials,
    job_name: str,
    delete_options: V1DeleteOptions | None = None,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Status:
    """Delete a job.

    Its pods stay, unless `propagation_policy` is `"Background"` or `"Foreground"`: that is the API's default for jobs.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        job_name: Name of the job.
        delete_options: Grace period, preconditions, what becomes of dependent objects.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `BatchV1Api.delete_namespaced_job`, such as `grace_period_seconds=0`.

    Returns:
        What the cluster says of the deletion.

    Raises:
        KubernetesResourceNotFoundError: If there is no such job.
        KubernetesError: If it cannot be deleted.

    Example:
        Delete a job with its pods:

        ```python
        from prefect import flow
        from prefect_kubernetes import KubernetesCredentials
        from prefect_kubernetes.jobs import delete_namespaced_job


        @flow
        def kubernetes_orchestrator():
            delete_namespaced_job(
                kubernetes_credentials=KubernetesCredentials.load("BLOCK_NAME"),
                job_name="my-job",
                propagation_policy="Background",
            )
        ```
    """
    require_name("job_name", job_name)
    return await ask(
        kubernetes_credentials,
        "batch",
        "delete_namespaced_job",
        named("Job", job_name, namespace),
        name=job_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=delete_options,
        **kube_kwargs,
    )


@async_task()
async def list_namespaced_job(
    kubernetes_credentials: KubernetesCredentials,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1JobList:
    """List the jobs of a namespace.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        namespace: The namespace.
        **kube_kwargs: Further arguments of `BatchV1Api.list_namespaced_job`, such as `label_selector="app=web"`. With
            `limit` the result is one page, and its `metadata._continue` is the argument `_continue` for the next.

    Returns:
        The list; the jobs are its `items`.

    Raises:
        KubernetesAccessDenied: If they may not be listed; the message names the missing rule.
        KubernetesError: If they cannot be listed for another reason.

    Example:
        List the jobs of a namespace:

        ```python
        from prefect import flow
        from prefect_kubernetes import KubernetesCredentials
        from prefect_kubernetes.jobs import list_namespaced_job


        @flow
        def kubernetes_orchestrator():
            jobs = list_namespaced_job(
                kubernetes_credentials=KubernetesCredentials.load("BLOCK_NAME"), namespace="my-namespace"
            )
            return [job.metadata.name for job in jobs.items]
        ```
    """
    return await ask(
        kubernetes_credentials,
        "batch",
        "list_namespaced_job",
        named("Jobs", None, namespace),
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def patch_namespaced_job(
    kubernetes_credentials: KubernetesCredentials,
    job_name: str,
    job_updates: V1Job,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Job:
    """Change parts of a job.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        job_name: Name of the job.
        job_updates: What to change: a `V1Job` or a dictionary with only those fields, merged strategically; a list is
            a JSON patch.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `BatchV1Api.patch_namespaced_job`.

    Returns:
        The job after the change.

    Raises:
        ValueError: If `job_name` is empty.
        KubernetesResourceNotFoundError: If there is no such job.
        KubernetesInvalid: If the cluster does not accept the change; the message names the fields.
        KubernetesError: If it cannot be changed for another reason.
    """
    require_name("job_name", job_name)
    return await ask(
        kubernetes_credentials,
        "batch",
        "patch_namespaced_job",
        named("Job", job_name, namespace),
        is_repeatable=not isinstance(job_updates, list),
        name=job_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=job_updates,
        **kube_kwargs,
    )


@async_task()
async def read_namespaced_job(
    kubernetes_credentials: KubernetesCredentials,
    job_name: str,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Job:
    """Read a job.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        job_name: Name of the job.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `BatchV1Api.read_namespaced_job`.

    Returns:
        The job.

    Raises:
        ValueError: If `job_name` is empty.
        KubernetesResourceNotFoundError: If there is no such job.
        KubernetesError: If it cannot be read.
    """
    require_name("job_name", job_name)
    return await ask(
        kubernetes_credentials,
        "batch",
        "read_namespaced_job",
        named("Job", job_name, namespace),
        name=job_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def replace_namespaced_job(
    kubernetes_credentials: KubernetesCredentials,
    job_name: str,
    new_job: V1Job,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Job:
    """Replace a job by another of the same name.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        job_name: Name of the job.
        new_job: The new job, whole, as a `V1Job` or a dictionary. With a `resource_version` in its metadata it
            replaces only the job of that version.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `BatchV1Api.replace_namespaced_job`.

    Returns:
        The job as the cluster has it.

    Raises:
        ValueError: If `job_name` is empty.
        KubernetesResourceNotFoundError: If there is no such job.
        KubernetesConflict: If it was changed since that version.
        KubernetesInvalid: If the cluster does not accept the job; the message names the fields.
        KubernetesError: If it cannot be replaced for another reason.
    """
    require_name("job_name", job_name)
    return await ask(
        kubernetes_credentials,
        "batch",
        "replace_namespaced_job",
        named("Job", job_name, namespace),
        name=job_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=new_job,
        **kube_kwargs,
    )


@async_task()
async def read_namespaced_job_status(
    kubernetes_credentials: KubernetesCredentials,
    job_name: str,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Job:
    """Read the status of a job.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        job_name: Name of the job.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `BatchV1Api.read_namespaced_job_status`.

    Returns:
        The job, its `status` being up to date.

    Raises:
        ValueError: If `job_name` is empty.
        KubernetesResourceNotFoundError: If there is no such job.
        KubernetesError: If it cannot be read.
    """
    require_name("job_name", job_name)
    return await ask(
        kubernetes_credentials,
        "batch",
        "read_namespaced_job_status",
        named("Job", job_name, namespace),
        name=job_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )
