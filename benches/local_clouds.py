"""Local clouds for benches of workers, by the worker's type: each gives a probe the arguments that lead there."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches import ecs_endpoint
from prefect_integration_tests.backends.azure_api import AzureApi
from prefect_integration_tests.backends.docker import DockerEngine
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.backends.google_grpc import GoogleGrpc, VertexJobs
from prefect_integration_tests.backends.google_grpc import Life as VertexLife
from prefect_integration_tests.backends.google_identity import GoogleIdentity
from prefect_integration_tests.backends.kube_api import KubeApi, PodScript
from prefect_integration_tests.backends.snowpark import DATABASE, POOL, SCHEMA, Snowpark

SECONDS_OF_A_DAY = 86_400

Arguments = tuple[str, ...]


@dataclass(frozen=True)
class Life:
    """How long what a worker starts lives.

    Attributes:
        container_seconds: Seconds that a container runs; `None`: until the cloud is gone.
        pod_seconds: The same of pods.
    """

    container_seconds: float | None
    pod_seconds: float | None


@contextmanager
def _ecs(folder: Path, life: Life) -> Generator[Callable[[], Arguments]]:
    del folder
    with ExitStack() as stack:

        def fresh() -> Arguments:
            # Who has a clock of its own counts the queue's seconds by it.
            for_ever = life.container_seconds is None
            options: dict[str, Any] = {"keeps_tasks": True, "long_poll_seconds": 0.0} if for_ever else {}
            stub = stack.enter_context(ecs_endpoint.start(**options))
            return (stub.endpoint_url,)

        yield fresh


@contextmanager
def _azure(folder: Path, life: Life) -> Generator[Callable[[], Arguments]]:
    del folder
    with AzureApi() as azure:

        def fresh() -> Arguments:
            azure.reset()
            azure.play(seconds=life.container_seconds)
            return (azure.endpoint,)

        yield fresh


@contextmanager
def _cloud_run(folder: Path, life: Life) -> Generator[Callable[[], Arguments]]:
    with GoogleApi() as google, GoogleIdentity() as identity:
        key = folder / "key.json"
        key.write_text(json.dumps(identity.service_account_info()))

        def fresh() -> Arguments:
            google.reset()
            google.play(seconds=life.container_seconds)
            return google.endpoint, str(key)

        yield fresh


@contextmanager
def _vertex(folder: Path, life: Life) -> Generator[Callable[[], Arguments]]:
    with GoogleGrpc.start(VertexJobs()) as server, GoogleIdentity() as identity:
        key = folder / "key.json"
        key.write_text(json.dumps(identity.service_account_info()))

        def fresh() -> Arguments:
            server.reset()
            states = [(0.5, "RUNNING")]
            if life.container_seconds is not None:
                states.append((life.container_seconds, "SUCCEEDED"))
            server.service(VertexJobs).life = VertexLife(states)
            return server.target, str(key)

        yield fresh


@contextmanager
def _docker(folder: Path, life: Life) -> Generator[Callable[[], Arguments]]:
    del folder, life
    with DockerEngine.start() as engine:
        image = engine.import_busybox()
        client = engine.client()

        def remove() -> None:
            for container in client.containers.list(all=True, filters={"label": "prefect-bench"}):
                container.remove(force=True)

        def fresh() -> Arguments:
            remove()
            return engine.socket_url, image

        yield fresh
        remove()


@contextmanager
def _kubernetes(folder: Path, life: Life) -> Generator[Callable[[], Arguments]]:
    with KubeApi() as api:
        config = api.write_kubeconfig(folder / "config")

        def fresh() -> Arguments:
            api.reset()
            api.play.automatic = PodScript(run_seconds=life.pod_seconds, logs="one\ntwo\n")
            return (str(config),)

        yield fresh


@contextmanager
def _snowflake(folder: Path, life: Life) -> Generator[Callable[[], Arguments]]:
    del folder
    with Snowpark() as snowpark:

        def fresh() -> Arguments:
            snowpark.reset()
            variables = {
                "compute_pool": f"{DATABASE}.{SCHEMA}.{POOL}",  # the published package takes no other form
                "image_registry": f"{DATABASE}.{SCHEMA}.images",
                "service_database": DATABASE,
                "service_schema": SCHEMA,
                "snowflake_credentials": snowpark.fields,
                "command": f"sleep {SECONDS_OF_A_DAY}" if life.container_seconds is None else "sh -c 'exit 0'",
            }
            return (json.dumps(variables),)

        yield fresh


CLOUDS = {
    "ecs": _ecs,
    "azure-container-instance": _azure,
    "cloud-run": _cloud_run,
    "cloud-run-v2": _cloud_run,
    "vertex-ai": _vertex,
    "docker": _docker,
    "kubernetes": _kubernetes,
    "snowpark-container-service": _snowflake,
}
