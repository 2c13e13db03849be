"""What tests of the Vertex AI worker have in common: a server, a work pool, runs, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.workers.vertex import VertexAIWorker, VertexAIWorkerJobConfiguration
from prefect_integration_tests.backends.google_grpc import Life
from prefect_integration_tests.pool_runs import NewPool
from prefect_integration_tests.worker_configurations import unprepared

if TYPE_CHECKING:
    import pytest

    from prefect_integration_tests.backends.google_grpc import GoogleGrpc

PROJECT = "my-project"
REGION = "europe-west1"


class Pool(NewPool[VertexAIWorker]):
    """A work pool of the test server, and an identity at the local Vertex AI."""

    def __init__(self, server: GoogleGrpc) -> None:
        super().__init__(VertexAIWorker)
        self.credentials = GcpCredentials(project=PROJECT, api_endpoints={"aiplatform": server.endpoint})

    def configured(self, **variables: Any) -> VertexAIWorkerJobConfiguration:
        return configured(credentials=self.credentials, **variables)


def configured(**variables: Any) -> VertexAIWorkerJobConfiguration:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    given = {
        "region": REGION,
        "image": "busybox:dev",
        "job_watch_poll_interval": 0.05,
        "credentials": GcpCredentials(project=PROJECT),
        **variables,
    }
    return unprepared(VertexAIWorker, given)


def life(*states: str, error: tuple[int, str] | None = None) -> Life:
    """How jobs live: pending, then each of these states, a moment apart."""
    return Life([(0.05 * number, state) for number, state in enumerate(states, 1)], error)


SUCCEEDS = life("RUNNING", "SUCCEEDED")


def fails(message: str, *, before_start: bool = False) -> Life:
    """A life that ends in failure.

    Args:
        message: What Vertex AI says.
        before_start: Whether no container was started.
    """
    return life(*(() if before_start else ("RUNNING",)), "FAILED", error=(3, message))


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in the worker take its usual time."""
    for name, value in {
        "CALL_INITIAL_DELAY_SECONDS": "0.02",
        "CALL_MAX_DELAY_SECONDS": "0.05",
        "CANCELLATION_INTERVAL_SECONDS": "0.1",
        "CANCELLATION_GRACE_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_VERTEX_WORKER_{name}", value)
