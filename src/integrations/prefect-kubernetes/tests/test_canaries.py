"""No secret of a run is said by the worker that starts it."""

from __future__ import annotations

from typing import Any

from prefect_integration_tests.in_vain import NOWHERE
from prefect_integration_tests.suites import WorkerSecretsSuite
from prefect_kubernetes.credentials import KubernetesClusterConfig


class TestWorkers(WorkerSecretsSuite):
    package = "prefect_kubernetes"

    def variables(self, worker: type[Any], canary: str) -> dict[str, Any]:
        cluster = {"name": "c", "cluster": {"server": NOWHERE}}
        user = {"name": "u", "user": {"token": canary}}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [cluster],
            "users": [user],
            "contexts": [context],
            "current-context": "x",
        }
        return {"cluster_config": KubernetesClusterConfig(config=config, context_name="x"), "image": "busybox:dev"}

    def identifier(self, worker: type[Any]) -> str:
        return "shop:brave-otter-x7k2p"
