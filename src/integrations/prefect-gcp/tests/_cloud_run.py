"""What tests of the Cloud Run workers have in common: a server, a work pool, runs, and what became of them."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.workers.cloud_run import CloudRunWorker
from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.pool_runs import NewPool
from prefect_integration_tests.suites import PlayedJobsBase
from prefect_integration_tests.worker_configurations import unprepared

PROJECT = "test-project"
REGION = "us-central1"
WORKERS: dict[str, type[Any]] = {"v1": CloudRunWorker, "v2": CloudRunWorkerV2}
JOBS = {"v1": "run.namespaces.jobs", "v2": "run.projects.locations.jobs"}
EXECUTIONS = {"v1": "run.namespaces.executions", "v2": "run.projects.locations.jobs.executions"}
SETTINGS = {"v1": "CLOUD_RUN_WORKER", "v2": "CLOUD_RUN_V2_WORKER"}


class Pool(NewPool[Any]):
    """A work pool of the test server, and an identity at the local Cloud Run."""

    def __init__(self, api: GoogleApi, version: str) -> None:
        super().__init__(WORKERS[version])
        self.api = api
        self.version = version
        endpoints = {"run": api.endpoint, "logging": api.endpoint}
        self.credentials = GcpCredentials(project=PROJECT, api_endpoints=endpoints)

    def configured(self, **variables: Any) -> Any:
        return configured(self.version, **{"credentials": self.credentials, **variables})

    def calls(self, verb: str) -> list[Any]:
        """Calls of a method of jobs; `executions.cancel` of executions."""
        group, _, method = verb.rpartition(".")
        return self.api.calls_of(f"{(EXECUTIONS if group else JOBS)[self.version]}.{method}")


def configured(version: str, **variables: Any) -> Any:
    """A configuration as the base job template makes it, before it is prepared for a run."""
    given = {"region": REGION, "image": "busybox:dev", "credentials": GcpCredentials(project=PROJECT), **variables}
    return unprepared(WORKERS[version], given)


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in the workers take its usual time."""
    for prefix in SETTINGS.values():
        for name, value in {
            "POLL_INTERVAL_SECONDS": "0.1",
            "CREATE_JOB_INITIAL_DELAY_SECONDS": "0.02",
            "SUBMIT_JOB_INITIAL_DELAY_SECONDS": "0.02",
            "API_READ_RETRY_INITIAL_DELAY_SECONDS": "0.02",
            "CANCELLATION_INTERVAL_SECONDS": "0.1",
            "CANCELLATION_GRACE_SECONDS": "0",
        }.items():
            monkeypatch.setenv(f"PREFECT_INTEGRATIONS_GCP_{prefix}_{name}", value)


class PlayedCloudRun(PlayedJobsBase):
    """Cloud Run that plays jobs, by one version of its API."""

    version: ClassVar[str]

    @pytest.fixture
    def pool(self, prefect_harness: None, empty_google_api: GoogleApi) -> Pool:
        return Pool(empty_google_api, self.version)

    def let_run(self, pool: Pool) -> None:
        pool.api.play(seconds=None)

    def end(self, pool: Pool, exit_code: int = 0) -> None:
        pool.api.run.end(exit_code=exit_code)

    def running(self, pool: Pool) -> int:
        return pool.api.run.running

    def jobs(self, pool: Pool) -> list[str]:
        return [job["name"].rpartition("/")[2] for job in pool.api.run.jobs]

    def made(self, pool: Pool) -> dict[str, int]:
        return {"made": len(pool.calls("create")), "started": len(pool.calls("run"))}

    def name_of(self, identifier: str) -> str:
        assert "/" not in identifier
        return identifier
