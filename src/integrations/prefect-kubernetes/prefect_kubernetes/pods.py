"""Tasks that create, read, change and delete pods.

Each takes further arguments of the method of `kubernetes_asyncio` that it calls; see the reference of
[CoreV1Api](https://github.com/tomplus/kubernetes_asyncio/blob/master/kubernetes_asyncio/docs/CoreV1Api.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import async_task

from . import _logs
from ._resources import DEFAULT_NAMESPACE, ask, name_of, named, require_name
from .credentials import KubernetesCredentials

if TYPE_CHECKING:
    from kubernetes_asyncio.client.models import V1DeleteOptions, V1Pod, V1PodList


@async_task()
async def create_namespaced_pod(
    kubernetes_credentials: KubernetesCredentials,
    new_pod: V1Pod,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Pod:
    """Create a pod in a namespace.

    It is sent once: a request that may have reached the server is not repeated, so that no second pod comes of it.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        new_pod: The pod, as a `V1Pod` of `kubernetes_asyncio` or as a dictionary.
        namespace: The namespace to create it in.
        **kube_kwargs: Further arguments of `CoreV1Api.create_namespaced_pod`, such as `dry_run="All"`.

    Returns:
        The pod as the cluster has it.

    Raises:
        KubernetesAlreadyExists: If there is a pod of this name.
        KubernetesInvalid: If the cluster does not accept the pod; the message names the fields.
        KubernetesAccessDenied: If it may not be created; the message names the missing rule.
        KubernetesError: If it cannot be created for another reason.

    Example:
        Start a pod:

        ```python
        from prefect import flow
        from prefect_kubernetes import KubernetesCredentials
        from prefect_kubernetes.pods import create_namespaced_pod


        @flow
        def kubernetes_orchestrator():
            create_namespaced_pod(
                kubernetes_credentials=KubernetesCredentials.load("BLOCK_NAME"),
                new_pod={
                    "metadata": {"name": "greeter"},
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "main", "image": "busybox", "args": ["echo", "hello"]}],
                    },
                },
            )
        ```
    """
    return await ask(
        kubernetes_credentials,
        "core",
        "create_namespaced_pod",
        named("Pod", name_of(new_pod), namespace),
        is_repeatable=False,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=new_pod,
        **kube_kwargs,
    )


@async_task()
async def delete_namespaced_pod(
    kubernetes_credentials: KubernetesCredentials,
    pod_name: str,
    delete_options: V1DeleteOptions | None = None,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Pod:
    """Delete a pod.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        pod_name: Name of the pod.
        delete_options: Grace period, preconditions, what becomes of dependent objects.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CoreV1Api.delete_namespaced_pod`, such as `grace_period_seconds=0`.

    Returns:
        The pod as it was, or the cluster's status when it is gone at once.

    Raises:
        KubernetesResourceNotFoundError: If there is no such pod.
        KubernetesError: If it cannot be deleted.
    """
    require_name("pod_name", pod_name)
    return await ask(
        kubernetes_credentials,
        "core",
        "delete_namespaced_pod",
        named("Pod", pod_name, namespace),
        name=pod_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=delete_options,
        **kube_kwargs,
    )


@async_task()
async def list_namespaced_pod(
    kubernetes_credentials: KubernetesCredentials,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1PodList:
    """List the pods of a namespace.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        namespace: The namespace.
        **kube_kwargs: Further arguments of `CoreV1Api.list_namespaced_pod`, such as `label_selector="app=web"`. With
            `limit` the result is one page, and its `metadata._continue` is the argument `_continue` for the next.

    Returns:
        The list; the pods are its `items`.

    Raises:
        KubernetesAccessDenied: If they may not be listed; the message names the missing rule.
        KubernetesError: If they cannot be listed for another reason.

    Example:
        List the pods of an application:

        ```python
        from prefect import flow
        from prefect_kubernetes import KubernetesCredentials
        from prefect_kubernetes.pods import list_namespaced_pod


        @flow
        def kubernetes_orchestrator():
            pods = list_namespaced_pod(
                kubernetes_credentials=KubernetesCredentials.load("BLOCK_NAME"),
                namespace="my-namespace",
                label_selector="app=web",
            )
            return [pod.metadata.name for pod in pods.items]
        ```
    """
    return await ask(
        kubernetes_credentials,
        "core",
        "list_namespaced_pod",
        named("Pods", None, namespace),
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def patch_namespaced_pod(
    kubernetes_credentials: KubernetesCredentials,
    pod_name: str,
    pod_updates: V1Pod,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Pod:
    """Change parts of a pod.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        pod_name: Name of the pod.
        pod_updates: What to change: a `V1Pod` or a dictionary with only those fields, merged strategically; a list is
            a JSON patch.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CoreV1Api.patch_namespaced_pod`.

    Returns:
        The pod after the change.

    Raises:
        ValueError: If `pod_name` is empty.
        KubernetesResourceNotFoundError: If there is no such pod.
        KubernetesInvalid: If the cluster does not accept the change; the message names the fields.
        KubernetesError: If it cannot be changed for another reason.
    """
    require_name("pod_name", pod_name)
    return await ask(
        kubernetes_credentials,
        "core",
        "patch_namespaced_pod",
        named("Pod", pod_name, namespace),
        is_repeatable=not isinstance(pod_updates, list),
        name=pod_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=pod_updates,
        **kube_kwargs,
    )


@async_task()
async def read_namespaced_pod(
    kubernetes_credentials: KubernetesCredentials,
    pod_name: str,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Pod:
    """Read a pod.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        pod_name: Name of the pod.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CoreV1Api.read_namespaced_pod`.

    Returns:
        The pod.

    Raises:
        ValueError: If `pod_name` is empty.
        KubernetesResourceNotFoundError: If there is no such pod.
        KubernetesError: If it cannot be read.
    """
    require_name("pod_name", pod_name)
    return await ask(
        kubernetes_credentials,
        "core",
        "read_namespaced_pod",
        named("Pod", pod_name, namespace),
        name=pod_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def read_namespaced_pod_log(
    kubernetes_credentials: KubernetesCredentials,
    pod_name: str,
    container: str,
    namespace: str | None = "default",
    print_func: Callable[..., Any] | None = None,
    **kube_kwargs: Any,
) -> str | None:
    """Read the log of a container, or follow it.

    A log that is followed is read until the container has ended. When the connection breaks meanwhile, it is opened
    again where it broke: no line is lost, none comes twice.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        pod_name: Name of the pod.
        container: Name of the container.
        namespace: The namespace that the pod is in.
        print_func: Is given each line as it comes, without its end. Without it, the log is read as it is now.
        **kube_kwargs: Further arguments of `CoreV1Api.read_namespaced_pod_log`, such as `tail_lines=100` or
            `previous=True`, the log of the container's run before it was restarted.

    Returns:
        The log as the container wrote it; `None` with a `print_func`.

    Raises:
        ValueError: If `pod_name` is empty.
        KubernetesResourceNotFoundError: If there is no such pod.
        KubernetesInvalid: If it has no such container, or the container has not been started yet.
        KubernetesError: If the log cannot be read for another reason.

    Example:
        Show the log of a pod in the run's own:

        ```python
        from prefect import flow, get_run_logger
        from prefect_kubernetes import KubernetesCredentials
        from prefect_kubernetes.pods import read_namespaced_pod_log


        @flow
        def kubernetes_orchestrator():
            read_namespaced_pod_log(
                kubernetes_credentials=KubernetesCredentials.load("BLOCK_NAME"),
                pod_name="greeter",
                container="main",
                print_func=get_run_logger().info,
            )
        ```
    """
    require_name("pod_name", pod_name)
    namespace = namespace or DEFAULT_NAMESPACE
    async with kubernetes_credentials.get_client("core") as core:
        if print_func is None:
            return await _logs.read_text(core, pod_name, container, namespace, **kube_kwargs)
        async for line in _logs.LogFollower(core, pod_name, container, namespace, **kube_kwargs).lines():
            print_func(line)
    return None


@async_task()
async def replace_namespaced_pod(
    kubernetes_credentials: KubernetesCredentials,
    pod_name: str,
    new_pod: V1Pod,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Pod:
    """Replace a pod by another of the same name.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        pod_name: Name of the pod.
        new_pod: The new pod, whole, as a `V1Pod` or a dictionary. With a `resource_version` in its metadata it
            replaces only the pod of that version.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CoreV1Api.replace_namespaced_pod`.

    Returns:
        The pod as the cluster has it.

    Raises:
        ValueError: If `pod_name` is empty.
        KubernetesResourceNotFoundError: If there is no such pod.
        KubernetesConflict: If it was changed since that version.
        KubernetesInvalid: If the cluster does not accept the pod; the message names the fields.
        KubernetesError: If it cannot be replaced for another reason.
    """
    require_name("pod_name", pod_name)
    return await ask(
        kubernetes_credentials,
        "core",
        "replace_namespaced_pod",
        named("Pod", pod_name, namespace),
        name=pod_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=new_pod,
        **kube_kwargs,
    )
