"""The conformance suites: the package, its blocks, its job."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from prefect.blocks.core import Block  # noqa: TC002 - pytest reads annotations

from prefect_integration_tests.suites import BlockSuite, InterfaceSuite, JobSuite, PackageSuite
from prefect_kubernetes import KubernetesClusterConfig, KubernetesCredentials, KubernetesJob

if TYPE_CHECKING:
    from prefect_integration_tests.backends.kube_api import KubeApi


class TestPackage(PackageSuite):
    package = "prefect_kubernetes"
    one_face = frozenset(
        {
            # Published as coroutine functions: the SDK's clients live on one event loop, and so do those who use them.
            "prefect_kubernetes.credentials.KubernetesClusterConfig.configure_client",
            "prefect_kubernetes.credentials.KubernetesClusterConfig.get_api_client",
            "prefect_kubernetes.credentials.KubernetesCredentials.get_client",
            "prefect_kubernetes.credentials.KubernetesCredentials.get_resource_specific_client",
            # The async form of `run_namespaced_job`, by its published name.
            "prefect_kubernetes.flows.run_namespaced_job_async",
            # Handlers of events live on an event loop, and Prefect's own method is async, too.
            "prefect_kubernetes.observer",
            "prefect_kubernetes._worker.configuration.KubernetesWorkerJobConfiguration.from_template_and_values",
            # What aiohttp calls.
            "prefect_kubernetes.utilities.KeepAliveClientRequest.send",
        }
    )
    undocumented = frozenset({"prefect_kubernetes.observer.configure"})  # its other parameter is called `_`


class TestInterface(InterfaceSuite):
    package = "prefect_kubernetes"


class TestBlocks(BlockSuite):
    package = "prefect_kubernetes"

    def make(self, cls: type[Block], canary: str) -> Block:
        config = KubernetesClusterConfig(config={"contexts": []}, context_name="x")
        credentials = KubernetesCredentials(cluster_config=config)
        makers: dict[type[Block], Callable[[], Block]] = {
            KubernetesClusterConfig: lambda: config,
            KubernetesCredentials: lambda: credentials,
            KubernetesJob: lambda: KubernetesJob(v1_job={"metadata": {"name": "load"}}, credentials=credentials),
        }
        return makers[cls]()


class TestKubernetesJob(JobSuite):
    failure_names = ("say-", "exit code 3", "oh no")

    @pytest.fixture
    def make_job(
        self, empty_kube_api: KubeApi, kube_credentials: KubernetesCredentials
    ) -> Callable[[str], KubernetesJob]:
        from prefect_integration_tests.backends.kube_api import PodScript

        def play(pod: dict[str, Any]) -> PodScript:
            (container,) = pod["spec"]["containers"]
            fails = container["args"] == ["fail"]
            return PodScript(run_seconds=0.05, exit_code=3 if fails else 0, logs="oh no" if fails else "done")

        empty_kube_api.play.automatic = play

        def make(word: str, canary: str) -> KubernetesJob:
            env = [{"name": "PASSWORD", "value": canary}]
            container = {"name": "main", "image": "busybox", "args": [word], "env": env}
            pod = {"restartPolicy": "Never", "containers": [container]}
            v1_job = {"metadata": {"generateName": "say-"}, "spec": {"backoffLimit": 0, "template": {"spec": pod}}}
            return KubernetesJob(v1_job=v1_job, credentials=kube_credentials, interval_seconds=0)

        return make

    @pytest.fixture
    def job(self, make_job: Any, canary: str) -> KubernetesJob:
        return make_job("work", canary)

    @pytest.fixture
    def failing_job(self, make_job: Any, canary: str) -> KubernetesJob:
        return make_job("fail", canary)

    def check_result(self, result: Any) -> None:
        assert list(result.values()) == ["done\n"]
