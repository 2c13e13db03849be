"""Tasks that create, read, change and delete services.

Each takes further arguments of the method of `kubernetes_asyncio` that it calls; see the reference of
[CoreV1Api](https://github.com/tomplus/kubernetes_asyncio/blob/master/kubernetes_asyncio/docs/CoreV1Api.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import async_task

from ._resources import DEFAULT_NAMESPACE, ask, name_of, named, require_name
from .credentials import KubernetesCredentials

if TYPE_CHECKING:
    from kubernetes_asyncio.client.models import V1DeleteOptions, V1Service, V1ServiceList


@async_task()
async def create_namespaced_service(
    kubernetes_credentials: KubernetesCredentials,
    new_service: V1Service,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Service:
    """Create a service in a namespace.

    It is sent once: a request that may have reached the server is not repeated, so that no second service comes of it.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        new_service: The service, as a `V1Service` of `kubernetes_asyncio` or as a dictionary.
        namespace: The namespace to create it in.
        **kube_kwargs: Further arguments of `CoreV1Api.create_namespaced_service`, such as `dry_run="All"`.

    Returns:
        The service as the cluster has it.

    Raises:
        KubernetesAlreadyExists: If there is a service of this name.
        KubernetesInvalid: If the cluster does not accept the service; the message names the fields.
        KubernetesAccessDenied: If it may not be created; the message names the missing rule.
        KubernetesError: If it cannot be created for another reason.

    Example:
        Give the pods of an application one address:

        ```python
        from prefect import flow
        from prefect_kubernetes import KubernetesCredentials
        from prefect_kubernetes.services import create_namespaced_service


        @flow
        def kubernetes_orchestrator():
            create_namespaced_service(
                kubernetes_credentials=KubernetesCredentials.load("BLOCK_NAME"),
                new_service={
                    "metadata": {"name": "web"},
                    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
                },
            )
        ```
    """
    return await ask(
        kubernetes_credentials,
        "core",
        "create_namespaced_service",
        named("Service", name_of(new_service), namespace),
        is_repeatable=False,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=new_service,
        **kube_kwargs,
    )


@async_task()
async def delete_namespaced_service(
    kubernetes_credentials: KubernetesCredentials,
    service_name: str,
    delete_options: V1DeleteOptions | None = None,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Service:
    """Delete a service.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        service_name: Name of the service.
        delete_options: Grace period, preconditions, what becomes of dependent objects.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CoreV1Api.delete_namespaced_service`, such as `grace_period_seconds=0`.

    Returns:
        The service as it was, or the cluster's status when it is gone at once.

    Raises:
        KubernetesResourceNotFoundError: If there is no such service.
        KubernetesError: If it cannot be deleted.
    """
    require_name("service_name", service_name)
    return await ask(
        kubernetes_credentials,
        "core",
        "delete_namespaced_service",
        named("Service", service_name, namespace),
        name=service_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=delete_options,
        **kube_kwargs,
    )


@async_task()
async def list_namespaced_service(
    kubernetes_credentials: KubernetesCredentials,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1ServiceList:
    """List the services of a namespace.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        namespace: The namespace.
        **kube_kwargs: Further arguments of `CoreV1Api.list_namespaced_service`, such as `label_selector="app=web"`.
            With `limit` the result is one page, and its `metadata._continue` is the argument `_continue` for the next.

    Returns:
        The list; the services are its `items`.

    Raises:
        KubernetesAccessDenied: If they may not be listed; the message names the missing rule.
        KubernetesError: If they cannot be listed for another reason.

    Example:
        List the services of a namespace:

        ```python
        from prefect import flow
        from prefect_kubernetes import KubernetesCredentials
        from prefect_kubernetes.services import list_namespaced_service


        @flow
        def kubernetes_orchestrator():
            services = list_namespaced_service(
                kubernetes_credentials=KubernetesCredentials.load("BLOCK_NAME"), namespace="my-namespace"
            )
            return [service.metadata.name for service in services.items]
        ```
    """
    return await ask(
        kubernetes_credentials,
        "core",
        "list_namespaced_service",
        named("Services", None, namespace),
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def patch_namespaced_service(
    kubernetes_credentials: KubernetesCredentials,
    service_name: str,
    service_updates: V1Service,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Service:
    """Change parts of a service.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        service_name: Name of the service.
        service_updates: What to change: a `V1Service` or a dictionary with only those fields, merged strategically; a
            list is a JSON patch.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CoreV1Api.patch_namespaced_service`.

    Returns:
        The service after the change.

    Raises:
        ValueError: If `service_name` is empty.
        KubernetesResourceNotFoundError: If there is no such service.
        KubernetesInvalid: If the cluster does not accept the change; the message names the fields.
        KubernetesError: If it cannot be changed for another reason.
    """
    require_name("service_name", service_name)
    return await ask(
        kubernetes_credentials,
        "core",
        "patch_namespaced_service",
        named("Service", service_name, namespace),
        is_repeatable=not isinstance(service_updates, list),
        name=service_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=service_updates,
        **kube_kwargs,
    )


@async_task()
async def read_namespaced_service(
    kubernetes_credentials: KubernetesCredentials,
    service_name: str,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Service:
    """Read a service.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        service_name: Name of the service.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CoreV1Api.read_namespaced_service`.

    Returns:
        The service.

    Raises:
        ValueError: If `service_name` is empty.
        KubernetesResourceNotFoundError: If there is no such service.
        KubernetesError: If it cannot be read.
    """
    require_name("service_name", service_name)
    return await ask(
        kubernetes_credentials,
        "core",
        "read_namespaced_service",
        named("Service", service_name, namespace),
        name=service_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def replace_namespaced_service(
    kubernetes_credentials: KubernetesCredentials,
    service_name: str,
    new_service: V1Service,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Service:
    """Replace a service by another of the same name.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        service_name: Name of the service.
        new_service: The new service, whole, as a `V1Service` or a dictionary. With a `resource_version` in its metadata
            it replaces only the service of that version.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CoreV1Api.replace_namespaced_service`.

    Returns:
        The service as the cluster has it.

    Raises:
        ValueError: If `service_name` is empty.
        KubernetesResourceNotFoundError: If there is no such service.
        KubernetesConflict: If it was changed since that version.
        KubernetesInvalid: If the cluster does not accept the service; the message names the fields.
        KubernetesError: If it cannot be replaced for another reason.
    """
    require_name("service_name", service_name)
    return await ask(
        kubernetes_credentials,
        "core",
        "replace_namespaced_service",
        named("Service", service_name, namespace),
        name=service_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=new_service,
        **kube_kwargs,
    )
