"""No secret of a run is said by the worker that starts it."""

from __future__ import annotations

from typing import Any

from prefect_docker import DockerRegistryCredentials
from prefect_docker.host import DockerHost
from prefect_integration_tests.in_vain import NOWHERE
from prefect_integration_tests.suites import WorkerSecretsSuite


class TestWorkers(WorkerSecretsSuite):
    package = "prefect_docker"

    def variables(self, worker: type[Any], canary: str) -> dict[str, Any]:
        registry = DockerRegistryCredentials(username="shop", password=canary, registry_url="registry.example.com")  # pyright: ignore[reportArgumentType]
        host = DockerHost(base_url=NOWHERE.replace("http", "tcp"))
        return {"image": "busybox:dev", "registry_credentials": registry, "docker_host": host}

    def identifier(self, worker: type[Any]) -> str:
        return f"{NOWHERE.replace('http', 'tcp')}:{'c' * 64}"
