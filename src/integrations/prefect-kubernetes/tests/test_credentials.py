"""The credentials block: a client for each group of resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_asyncio import client as sdk

from prefect_kubernetes import KubernetesCredentials, credentials
from prefect_kubernetes.credentials import K8S_CLIENT_TYPES

if TYPE_CHECKING:
    from prefect_integration_tests.backends.kube_api import KubeApi


@pytest.mark.parametrize(
    ("client_type", "cls"),
    [
        ("apps", sdk.AppsV1Api),
        ("batch", sdk.BatchV1Api),
        ("core", sdk.CoreV1Api),
        ("custom_objects", sdk.CustomObjectsApi),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_each_type_of_client_is_handed_out_and_closed(
    kube_credentials: KubernetesCredentials, client_type: Any, cls: type
) -> None:
    async with kube_credentials.get_client(client_type) as client:
        api_client: Any = client.api_client
        assert isinstance(client, cls)
        assert K8S_CLIENT_TYPES[client_type] is cls
        assert not api_client.rest_client.pool_manager.closed
    assert api_client.rest_client.pool_manager.closed


async def test_an_unknown_type_is_refused_with_those_that_there_are(kube_credentials: KubernetesCredentials) -> None:
    unknown: Any = "nodes"
    with pytest.raises(ValueError, match="apps, batch, core, custom_objects"):
        async with kube_credentials.get_client(unknown):
            pass


async def test_a_general_client_serves_several_groups(
    kube_credentials: KubernetesCredentials, empty_kube_api: KubeApi
) -> None:
    assert kube_credentials.cluster_config is not None
    async with await kube_credentials.cluster_config.get_api_client() as api_client:
        core: Any = await kube_credentials.get_resource_specific_client("core", api_client)
        batch: Any = await kube_credentials.get_resource_specific_client("batch", api_client)
        assert (await core.list_namespaced_pod("default")).items == []
        assert (await batch.list_namespaced_job("default")).items == []


async def test_the_client_is_closed_when_its_user_fails(kube_credentials: KubernetesCredentials) -> None:
    clients: list[Any] = []

    async def fail() -> None:
        async with kube_credentials.get_client("core") as core:
            clients.append(core.api_client)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    (api_client,) = clients
    assert api_client.rest_client.pool_manager.closed


def test_names_of_sdk_classes_come_when_asked_for() -> None:
    assert "AppsV1Api" in str(credentials.KubernetesClient)
    with pytest.raises(AttributeError, match="has no attribute"):
        credentials.NoSuchName  # noqa: B018 - what is tested
