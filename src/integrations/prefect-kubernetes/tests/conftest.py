"""Blocks that reach the played API server, away from the developer's own clusters."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prefect_kubernetes._observer.places import places
from prefect_kubernetes.credentials import KubernetesClusterConfig, KubernetesCredentials

if TYPE_CHECKING:
    from prefect_integration_tests.backends.kube_api import KubeApi

    from ._observed import Stage


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hide the developer's own kubeconfig and the pod that the tests may run in; the result is an empty home."""
    for name in os.environ:
        if name.startswith(
            ("KUBERNETES_SERVICE_", "KUBECONFIG", "PREFECT_INTEGRATIONS_KUBERNETES", "PREFECT_KUBERNETES")
        ):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def make_cluster_config(empty_kube_api: KubeApi) -> Callable[..., KubernetesClusterConfig]:
    """A maker of cluster configs for the played server; `user` says how the user authenticates."""

    def make(
        token: str | None = None, *, user: dict[str, Any] | None = None, is_tls: bool = False
    ) -> KubernetesClusterConfig:
        config = empty_kube_api.kubeconfig(token, is_tls=is_tls)
        if user is not None:
            config["users"][0]["user"] = user
        return KubernetesClusterConfig(config=config, context_name="played")

    return make


@pytest.fixture
def kube_credentials(make_cluster_config: Callable[..., KubernetesClusterConfig]) -> KubernetesCredentials:
    """Credentials for the played server that may do everything."""
    return KubernetesCredentials(cluster_config=make_cluster_config())


@pytest.fixture
def make_credentials(
    make_cluster_config: Callable[..., KubernetesClusterConfig],
) -> Callable[..., KubernetesCredentials]:
    """A maker of credentials for the played server, by token."""

    def make(token: str | None = None) -> KubernetesCredentials:
        return KubernetesCredentials(cluster_config=make_cluster_config(token))

    return make


# The observer


@pytest.fixture
async def stage(
    prefect_harness: None, empty_kube_api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """A played cluster that this process is set up for, and the Prefect API."""
    from prefect.client.orchestration import get_client

    from ._observed import Stage

    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    empty_kube_api.write_kubeconfig(tmp_path / "config", empty_kube_api.token)
    async with get_client() as client:
        yield Stage(empty_kube_api, client)


@pytest.fixture(autouse=True)
def no_places() -> Iterator[None]:
    """No worker of an earlier test has jobs anywhere."""
    places.clear()
    yield
    places.clear()
