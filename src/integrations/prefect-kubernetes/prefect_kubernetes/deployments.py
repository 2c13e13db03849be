"""Tasks that create, read, change and delete deployments.

Each takes further arguments of the method of `kubernetes_asyncio` that it calls; see the reference of
[AppsV1Api](https://github.com/tomplus/kubernetes_asyncio/blob/master/kubernetes_asyncio/docs/AppsV1Api.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import async_task

from ._resources import DEFAULT_NAMESPACE, ask, name_of, named, require_name
from .credentials import KubernetesCredentials

if TYPE_CHECKING:
    from kubernetes_asyncio.client.models import V1DeleteOptions, V1Deployment, V1DeploymentList


@async_task()
async def create_namespaced_deployment(
    kubernetes_credentials: KubernetesCredentials,
    new_deployment: V1Deployment,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Deployment:
    """Create a deployment in a namespace.

    It is sent once: a request that may have reached the server is not repeated, so that no second deployment comes of
    it.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        new_deployment: The deployment, as a `V1Deployment` of `kubernetes_asyncio` or as a dictionary.
        namespace: The namespace to create it in.
        **kube_kwargs: Further arguments of `AppsV1Api.create_namespaced_deployment`, such as `dry_run="All"`.

    Returns:
        The deployment as the cluster has it.

    Raises:
        KubernetesAlreadyExists: If there is a deployment of this name.
        KubernetesInvalid: If the cluster does not accept the deployment; the message names the fields.
        KubernetesAccessDenied: If it may not be created; the message names the missing rule.
        KubernetesError: If it cannot be created for another reason.

    Example:
        Run three replicas of an application:

        ```python
        from prefect import flow
        from prefect_kubernetes import KubernetesCredentials
        from prefect_kubernetes.deployments import create_namespaced_deployment


        @flow
        def kubernetes_orchestrator():
            create_namespaced_deployment(
                kubernetes_credentials=KubernetesCredentials.load("BLOCK_NAME"),
                new_deployment={
                    "metadata": {"name": "web"},
                    "spec": {
                        "replicas": 3,
                        "selector": {"matchLabels": {"app": "web"}},
                        "template": {
                            "metadata": {"labels": {"app": "web"}},
                            "spec": {"containers": [{"name": "web", "image": "nginx"}]},
                        },
                    },
                },
            )
        ```
    """
    return await ask(
        kubernetes_credentials,
        "apps",
        "create_namespaced_deployment",
        named("Deployment", name_of(new_deployment), namespace),
        is_repeatable=False,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=new_deployment,
        **kube_kwargs,
    )


@async_task()
async def delete_namespaced_deployment(
    kubernetes_credentials: KubernetesCredentials,
    deployment_name: str,
    delete_options: V1DeleteOptions | None = None,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Deployment:
    """Delete a deployment.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        deployment_name: Name of the deployment.
        delete_options: Grace period, preconditions, what becomes of dependent objects.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `AppsV1Api.delete_namespaced_deployment`, such as `grace_period_seconds=0`.

    Returns:
        The deployment as it was, or the cluster's status when it is gone at once.

    Raises:
        KubernetesResourceNotFoundError: If there is no such deployment.
        KubernetesError: If it cannot be deleted.
    """
    require_name("deployment_name", deployment_name)
    return await ask(
        kubernetes_credentials,
        "apps",
        "delete_namespaced_deployment",
        named("Deployment", deployment_name, namespace),
        name=deployment_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=delete_options,
        **kube_kwargs,
    )


@async_task()
async def list_namespaced_deployment(
    kubernetes_credentials: KubernetesCredentials,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1DeploymentList:
    """List the deployments of a namespace.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        namespace: The namespace.
        **kube_kwargs: Further arguments of `AppsV1Api.list_namespaced_deployment`, such as `label_selector="app=web"`.
            With `limit` the result is one page, and its `metadata._continue` is the argument `_continue` for the next.

    Returns:
        The list; the deployments are its `items`.

    Raises:
        KubernetesAccessDenied: If they may not be listed; the message names the missing rule.
        KubernetesError: If they cannot be listed for another reason.
    """
    return await ask(
        kubernetes_credentials,
        "apps",
        "list_namespaced_deployment",
        named("Deployments", None, namespace),
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def patch_namespaced_deployment(
    kubernetes_credentials: KubernetesCredentials,
    deployment_name: str,
    deployment_updates: V1Deployment,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Deployment:
    """Change parts of a deployment.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        deployment_name: Name of the deployment.
        deployment_updates: What to change: a `V1Deployment` or a dictionary with only those fields, merged
            strategically; a list is a JSON patch.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `AppsV1Api.patch_namespaced_deployment`.

    Returns:
        The deployment after the change.

    Raises:
        ValueError: If `deployment_name` is empty.
        KubernetesResourceNotFoundError: If there is no such deployment.
        KubernetesInvalid: If the cluster does not accept the change; the message names the fields.
        KubernetesError: If it cannot be changed for another reason.
    """
    require_name("deployment_name", deployment_name)
    return await ask(
        kubernetes_credentials,
        "apps",
        "patch_namespaced_deployment",
        named("Deployment", deployment_name, namespace),
        is_repeatable=not isinstance(deployment_updates, list),
        name=deployment_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=deployment_updates,
        **kube_kwargs,
    )


@async_task()
async def read_namespaced_deployment(
    kubernetes_credentials: KubernetesCredentials,
    deployment_name: str,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Deployment:
    """Read a deployment.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        deployment_name: Name of the deployment.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `AppsV1Api.read_namespaced_deployment`.

    Returns:
        The deployment.

    Raises:
        ValueError: If `deployment_name` is empty.
        KubernetesResourceNotFoundError: If there is no such deployment.
        KubernetesError: If it cannot be read.
    """
    require_name("deployment_name", deployment_name)
    return await ask(
        kubernetes_credentials,
        "apps",
        "read_namespaced_deployment",
        named("Deployment", deployment_name, namespace),
        name=deployment_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def replace_namespaced_deployment(
    kubernetes_credentials: KubernetesCredentials,
    deployment_name: str,
    new_deployment: V1Deployment,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> V1Deployment:
    """Replace a deployment by another of the same name.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        deployment_name: Name of the deployment.
        new_deployment: The new deployment, whole, as a `V1Deployment` or a dictionary. With a `resource_version` in its
            metadata it replaces only the deployment of that version.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `AppsV1Api.replace_namespaced_deployment`.

    Returns:
        The deployment as the cluster has it.

    Raises:
        ValueError: If `deployment_name` is empty.
        KubernetesResourceNotFoundError: If there is no such deployment.
        KubernetesConflict: If it was changed since that version.
        KubernetesInvalid: If the cluster does not accept the deployment; the message names the fields.
        KubernetesError: If it cannot be replaced for another reason.
    """
    require_name("deployment_name", deployment_name)
    return await ask(
        kubernetes_credentials,
        "apps",
        "replace_namespaced_deployment",
        named("Deployment", deployment_name, namespace),
        name=deployment_name,
        namespace=namespace or DEFAULT_NAMESPACE,
        body=new_deployment,
        **kube_kwargs,
    )
