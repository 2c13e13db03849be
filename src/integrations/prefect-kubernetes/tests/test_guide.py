"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prefect_integration_tests.suites import GuideSuite
from prefect_kubernetes import KubernetesClusterConfig, KubernetesCredentials, KubernetesJob, _clients, _job_wait
from prefect_kubernetes.pods import create_namespaced_pod, list_namespaced_pod

if TYPE_CHECKING:
    from prefect_integration_tests.backends.kube_api import KubeApi, PodScript
    from prefect_integration_tests.clock import FakeClock

GREETER = {"metadata": {"name": "greeter"}, "spec": {"containers": [{"name": "main", "image": "busybox"}]}}


def echo(pod: dict[str, Any]) -> PodScript | None:
    """Play a container that echoes its last argument."""
    from prefect_integration_tests.backends.kube_api import PodScript

    container = pod["spec"]["containers"][0]
    words = [*container.get("command", []), *container.get("args", [])]
    return PodScript(run_seconds=0.05, logs=words[-1]) if words else None


class TestGuide(GuideSuite):
    distribution = "prefect-kubernetes"

    @pytest.fixture
    def surroundings(
        self,
        page_folder: Path,
        prefect_harness: None,
        clean_surroundings: Path,
        empty_kube_api: KubeApi,
        kube_credentials: KubernetesCredentials,
        fake_clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A cluster that serves widgets, in the reader's own kubeconfig and in the block that the first page saves."""
        (clean_surroundings / ".kube").mkdir()
        empty_kube_api.write_kubeconfig(clean_surroundings / ".kube" / "config")
        empty_kube_api.add_custom_resource("example.com", "v1", "widgets", "Widget")
        empty_kube_api.play.automatic = echo
        kube_credentials.save("k8s-creds", overwrite=True)
        monkeypatch.setattr(_job_wait, "_clock", fake_clock)

    @pytest.fixture
    def provocations(
        self,
        empty_kube_api: KubeApi,
        kube_credentials: KubernetesCredentials,
        make_credentials: Callable[..., KubernetesCredentials],
        fake_clock: FakeClock,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Mapping[str, Callable[[], object]]:
        for module in (_clients, _job_wait):
            monkeypatch.setattr(module, "_clock", fake_clock)

        def always() -> object:
            pod = {"restartPolicy": "Always", "containers": [{"name": "main", "image": "busybox"}]}
            v1_job = {"metadata": {"name": "load"}, "spec": {"template": {"spec": pod}}}
            return KubernetesJob(v1_job=v1_job, credentials=kube_credentials).trigger()

        def pods(credentials: KubernetesCredentials) -> object:
            return asyncio.run(list_namespaced_pod.fn(credentials))

        def create(body: Any) -> object:
            return asyncio.run(create_namespaced_pod.fn(kube_credentials, body))

        def expired() -> object:
            token = empty_kube_api.add_user("reader", [])
            empty_kube_api.access.expire(token)
            return pods(make_credentials(token))

        def over_quota() -> object:
            empty_kube_api.set_quota({"pods": "0"})
            return create(GREETER)

        def nowhere() -> object:
            config = {
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c"}}],
            }
            return pods(KubernetesCredentials(cluster_config=KubernetesClusterConfig(config=config, context_name="x")))

        kubeconfig = empty_kube_api.write_kubeconfig(tmp_path / "config")
        labelled = {**GREETER, "metadata": {"name": "greeter", "labels": {"app": "x" * 64}}}
        return {
            "Errors in a manifest": always,
            "A permission is missing": lambda: pods(
                make_credentials(empty_kube_api.add_user("reader", [], namespace="default"))
            ),
            "The context does not exist": lambda: KubernetesClusterConfig.from_file(
                Path(kubeconfig), context_name="production"
            ),
            "The token has expired": expired,
            "A label is too long": lambda: create(labelled),
            "The quota is used up": over_quota,
            "The cluster cannot be reached": nowhere,
        }
