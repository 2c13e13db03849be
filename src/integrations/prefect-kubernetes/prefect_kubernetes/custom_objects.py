"""Tasks that create, read, change and delete custom objects.

A kind is named by group, version and plural together, so that two groups may have a plural in common (`jobs`, say).
Each task takes further arguments of the method of `kubernetes_asyncio` that it calls; see the reference of
[CustomObjectsApi](https://github.com/tomplus/kubernetes_asyncio/blob/master/kubernetes_asyncio/docs/CustomObjectsApi.md).
"""

from __future__ import annotations

from typing import Any

from prefect_integration_kit.dispatch import async_task

from ._resources import DEFAULT_NAMESPACE, ask, name_of, named, require_name
from .credentials import KubernetesCredentials


@async_task()
async def create_namespaced_custom_object(
    kubernetes_credentials: KubernetesCredentials,
    group: str,
    version: str,
    plural: str,
    body: dict[str, Any],
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> object:
    """Create a custom object.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        group: Group of the kind, such as `stable.example.com`.
        version: Version of the kind, such as `v1`.
        plural: Plural of the kind, such as `crontabs`.
        body: The object: `apiVersion`, `kind`, `metadata`, and what its definition asks for.
        namespace: The namespace.
        **kube_kwargs: Further arguments of `CustomObjectsApi.create_namespaced_custom_object`, such as `dry_run="All"`.

    Returns:
        The object as the cluster has it, a dictionary.

    Raises:
        KubernetesAlreadyExists: If there is one of this name.
        KubernetesInvalid: If the cluster does not accept it; the message names the fields.
        KubernetesResourceNotFoundError: If the cluster serves no such kind.
        KubernetesError: If the cluster refuses for another reason.
    """
    return await ask(
        kubernetes_credentials,
        "custom_objects",
        "create_namespaced_custom_object",
        _named(group, version, plural, name_of(body), namespace),
        is_repeatable=False,
        group=group,
        version=version,
        plural=plural,
        body=body,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def delete_namespaced_custom_object(
    kubernetes_credentials: KubernetesCredentials,
    group: str,
    version: str,
    plural: str,
    name: str,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> object:
    """Delete a custom object.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        group: Group of the kind, such as `stable.example.com`.
        version: Version of the kind, such as `v1`.
        plural: Plural of the kind, such as `crontabs`.
        name: Name of the object.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CustomObjectsApi.delete_namespaced_custom_object`, such as
            `propagation_policy="Foreground"`.

    Returns:
        What the cluster says of the deletion, a dictionary.

    Raises:
        ValueError: If `name` is empty.
        KubernetesResourceNotFoundError: If there is no such object, or the cluster serves no such kind.
        KubernetesError: If the cluster refuses for another reason.
    """
    require_name("name", name)
    return await ask(
        kubernetes_credentials,
        "custom_objects",
        "delete_namespaced_custom_object",
        _named(group, version, plural, name, namespace),
        group=group,
        version=version,
        plural=plural,
        name=name,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def get_namespaced_custom_object(
    kubernetes_credentials: KubernetesCredentials,
    group: str,
    version: str,
    plural: str,
    name: str,
    namespace: str | None = "default",
    **kube_kwargs: Any,
) -> object:
    """Read a custom object.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        group: Group of the kind, such as `stable.example.com`.
        version: Version of the kind, such as `v1`.
        plural: Plural of the kind, such as `crontabs`.
        name: Name of the object.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CustomObjectsApi.get_namespaced_custom_object`.

    Returns:
        The object, a dictionary.

    Raises:
        ValueError: If `name` is empty.
        KubernetesResourceNotFoundError: If there is no such object, or the cluster serves no such kind.
        KubernetesError: If the cluster refuses for another reason.
    """
    require_name("name", name)
    return await ask(
        kubernetes_credentials,
        "custom_objects",
        "get_namespaced_custom_object",
        _named(group, version, plural, name, namespace),
        group=group,
        version=version,
        plural=plural,
        name=name,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def get_namespaced_custom_object_status(
    kubernetes_credentials: KubernetesCredentials,
    group: str,
    version: str,
    plural: str,
    name: str,
    namespace: str = "default",
    **kube_kwargs: Any,
) -> object:
    """Read a custom object with its status.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        group: Group of the kind, such as `stable.example.com`.
        version: Version of the kind, such as `v1`.
        plural: Plural of the kind, such as `crontabs`.
        name: Name of the object.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CustomObjectsApi.get_namespaced_custom_object_status`.

    Returns:
        The object, a dictionary, its `status` being up to date.

    Raises:
        ValueError: If `name` is empty.
        KubernetesResourceNotFoundError: If there is no such object, or the cluster serves no such kind.
        KubernetesError: If the cluster refuses for another reason.
    """
    require_name("name", name)
    return await ask(
        kubernetes_credentials,
        "custom_objects",
        "get_namespaced_custom_object_status",
        _named(group, version, plural, name, namespace),
        group=group,
        version=version,
        plural=plural,
        name=name,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def list_namespaced_custom_object(
    kubernetes_credentials: KubernetesCredentials,
    group: str,
    version: str,
    plural: str,
    namespace: str = "default",
    **kube_kwargs: Any,
) -> object:
    """List the custom objects of one kind in a namespace.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        group: Group of the kind, such as `stable.example.com`.
        version: Version of the kind, such as `v1`.
        plural: Plural of the kind, such as `crontabs`.
        namespace: The namespace.
        **kube_kwargs: Further arguments of `CustomObjectsApi.list_namespaced_custom_object`, such as
            `label_selector="app=web"`.

    Returns:
        The list, a dictionary; the objects are its `items`.

    Raises:
        KubernetesResourceNotFoundError: If the cluster serves no such kind.
        KubernetesError: If the cluster refuses for another reason.
    """
    return await ask(
        kubernetes_credentials,
        "custom_objects",
        "list_namespaced_custom_object",
        _named(group, version, plural, None, namespace),
        group=group,
        version=version,
        plural=plural,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def patch_namespaced_custom_object(
    kubernetes_credentials: KubernetesCredentials,
    group: str,
    version: str,
    plural: str,
    name: str,
    body: dict[str, Any],
    namespace: str = "default",
    **kube_kwargs: Any,
) -> object:
    """Change parts of a custom object.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        group: Group of the kind, such as `stable.example.com`.
        version: Version of the kind, such as `v1`.
        plural: Plural of the kind, such as `crontabs`.
        name: Name of the object.
        body: What to change: only those fields, as a merge patch.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CustomObjectsApi.patch_namespaced_custom_object`.

    Returns:
        The object after the change, a dictionary.

    Raises:
        ValueError: If `name` is empty.
        KubernetesResourceNotFoundError: If there is no such object, or the cluster serves no such kind.
        KubernetesInvalid: If the cluster does not accept the change; the message names the fields.
        KubernetesError: If the cluster refuses for another reason.
    """
    require_name("name", name)
    if not isinstance(body, list):  # the SDK would say that it is a JSON patch
        kube_kwargs.setdefault("_content_type", "application/merge-patch+json")
    return await ask(
        kubernetes_credentials,
        "custom_objects",
        "patch_namespaced_custom_object",
        _named(group, version, plural, name, namespace),
        is_repeatable=not isinstance(body, list),
        group=group,
        version=version,
        plural=plural,
        name=name,
        body=body,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


@async_task()
async def replace_namespaced_custom_object(
    kubernetes_credentials: KubernetesCredentials,
    group: str,
    version: str,
    plural: str,
    name: str,
    body: dict[str, Any],
    namespace: str = "default",
    **kube_kwargs: Any,
) -> object:
    """Replace a custom object by another of the same name.

    Args:
        kubernetes_credentials: Which cluster, and who we are there.
        group: Group of the kind, such as `stable.example.com`.
        version: Version of the kind, such as `v1`.
        plural: Plural of the kind, such as `crontabs`.
        name: Name of the object.
        body: The new object, whole. Its `metadata` must hold the `resourceVersion` of the one that it replaces.
        namespace: The namespace that it is in.
        **kube_kwargs: Further arguments of `CustomObjectsApi.replace_namespaced_custom_object`.

    Returns:
        The object as the cluster has it, a dictionary.

    Raises:
        ValueError: If `name` is empty.
        KubernetesResourceNotFoundError: If there is no such object, or the cluster serves no such kind.
        KubernetesConflict: If it was changed since that version.
        KubernetesInvalid: If the cluster does not accept it; the message names the fields.
        KubernetesError: If the cluster refuses for another reason.
    """
    require_name("name", name)
    return await ask(
        kubernetes_credentials,
        "custom_objects",
        "replace_namespaced_custom_object",
        _named(group, version, plural, name, namespace),
        group=group,
        version=version,
        plural=plural,
        name=name,
        body=body,
        namespace=namespace or DEFAULT_NAMESPACE,
        **kube_kwargs,
    )


def _named(group: str, version: str, plural: str, name: str | None, namespace: str | None) -> str:
    return named(f"{plural}.{version}.{group}", name, namespace)
