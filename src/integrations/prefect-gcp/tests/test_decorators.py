"""A flow with a decorator above it travels through the pool's bucket and runs elsewhere, by the commands of Prefect."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from prefect_gcp import GcpCredentials
from prefect_gcp.cloud_storage import GcsBucket
from prefect_gcp.decorators import cloud_run, vertex_ai
from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2
from prefect_gcp.workers.vertex import VertexAIWorker
from prefect_integration_tests.suites import BundledFlowSuite, DecoratorSuite

from ._bundles import GcsBundles

DECORATORS: dict[Any, type[Any]] = {cloud_run: CloudRunWorkerV2, vertex_ai: VertexAIWorker}


class TestDecorators(DecoratorSuite):
    decorators = DECORATORS
    job_variables: ClassVar = {"memory": "2Gi"}


class PlayedCloudRun:
    """Cloud Run, whose containers end when they are told to."""

    def __init__(self, google_api: Any) -> None:
        self._google = google_api
        google_api.play(seconds=None)

    @property
    def job_variables(self) -> dict[str, Any]:
        endpoints = {"run": self._google.endpoint, "logging": self._google.endpoint}
        credentials = {"project": "test-project", "api_endpoints": endpoints}
        return {"region": "us-central1", "image": "shop-flows:may", "credentials": credentials}

    def command(self) -> list[str] | None:
        if not self._google.run.running:
            return None
        (created,) = self._google.calls_of("run.projects.locations.jobs.create")
        (container,) = created.body["template"]["template"]["containers"]
        return [*container.get("command", []), *container.get("args", [])]

    def end(self) -> None:
        self._google.run.end()

    def refuse(self) -> str:
        self._google.fail("run.projects.locations.jobs.create", 403, times=None)
        return "run.jobs.create"

    def left_over(self) -> list[Any]:
        return list(self._google.run.jobs)


class TestBundledFlows(GcsBundles, BundledFlowSuite):
    decorators = DECORATORS
    storage = "gcs"
    storage_title = "GCS storage"

    def save_block(self, request: pytest.FixtureRequest, name: str) -> None:
        GcsBucket.register_type_and_schema()
        credentials: GcpCredentials = request.getfixturevalue("gcs_credentials")
        credentials.save(name)

    @pytest.fixture
    def infrastructure(self, empty_google_api: Any, monkeypatch: pytest.MonkeyPatch) -> PlayedCloudRun:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_V2_WORKER_POLL_INTERVAL_SECONDS", "0.1")
        return PlayedCloudRun(empty_google_api)
