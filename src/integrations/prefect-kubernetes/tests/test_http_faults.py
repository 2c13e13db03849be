"""What becomes of jobs when the line to the API server fails, its answers are spoilt, or the clock jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.http_edge import EdgeFault, HttpEdge, Refusal
from prefect_integration_tests.backends.kube_api import KubeApi
from prefect_integration_tests.clock import FakeClock
from prefect_integration_tests.suites import HttpFaultSuite
from prefect_kubernetes import KubernetesClusterConfig, KubernetesCredentials, KubernetesJob, _clients
from prefect_kubernetes.errors import KubernetesError, KubernetesUnavailable
from prefect_kubernetes.worker import KubernetesWorker

from ._configurations import a_run, configuration_of

SETTING = "PREFECT_INTEGRATIONS_KUBERNETES_"
_REASONS = {"429": "TooManyRequests", "500": "InternalError", "503": "ServiceUnavailable"}


def config_at(url: str, api: KubeApi) -> KubernetesClusterConfig:
    """A kubeconfig that leads to the played server by another address."""
    config = api.kubeconfig()
    config["clusters"][0]["cluster"]["server"] = url
    return KubernetesClusterConfig(config=config, context_name="played")


class _Edged(HttpFaultSuite):
    error = KubernetesError

    @pytest.fixture
    def edge(
        self,
        prefect_harness: None,
        empty_kube_api: KubeApi,
        http_edge: Callable[..., HttpEdge],
        fake_clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> HttpEdge:
        self.api = empty_kube_api
        opening: Any = _clients.open_api
        for function in (_clients.build_api, opening.__wrapped__):
            monkeypatch.setitem(function.__kwdefaults__, "timeout_seconds", 0.8)
        monkeypatch.setattr(_clients, "_clock", fake_clock)
        monkeypatch.setattr(_clients, "BACKOFF", _clients.Backoff(max_attempts=3))
        for name, value in {
            "CLIENT_REQUEST_TIMEOUT_SECONDS": "0.8",
            "OBSERVER_ENABLED": "false",
            "OBSERVER_POLL_INTERVAL_SECONDS": "3600",
            "WORKER_CREATE_JOB_RETRY_DELAY_SECONDS": "0",
            "WORKER_CREATE_JOB_RETRY_JITTER_MAX_SECONDS": "0",
            "WORKER_CREATE_JOB_RETRY_MAX_RETRIES": "3",
        }.items():
            monkeypatch.setenv(SETTING + name, value)
        return http_edge(empty_kube_api.url)

    def refusal(self, fault: EdgeFault) -> Refusal | None:
        reason = _REASONS.get(fault)
        if reason is None:
            return None
        status = f'{{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "{reason}", "code": {fault}}}'
        return Refusal(int(fault), status.encode())


class TestWorker(_Edged):
    """A job has the name of its submission, by which a second request is known for the first."""

    named = "Job '.*' in namespace 'default'|Our own permissions"  # which it asks for first

    async def change(self, edge: HttpEdge, key: str) -> None:
        run = a_run(key)
        configuration = configuration_of(cluster_config=config_at(edge.url, self.api), stream_output=False)
        configuration.prepare_for_flow_run(run)
        await KubernetesWorker("any").run(run, configuration)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(job["metadata"]["labels"]["prefect.io/flow-run-name"] == key for job in self.api.list("jobs"))


class TestJobs(_Edged):
    """A job of the block has a name of its own."""

    named = r"(?i)job .*'key\w+"

    async def change(self, edge: HttpEdge, key: str) -> None:
        credentials = KubernetesCredentials(cluster_config=config_at(edge.url, self.api))
        containers = [{"name": "main", "image": "busybox"}]
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": key},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
        }
        await KubernetesJob(credentials=credentials, v1_job=job).atrigger()

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(job["metadata"]["name"] == key for job in self.api.list("jobs"))


@pytest.mark.parametrize("kind", [TestWorker, TestJobs])
async def test_a_host_that_no_resolver_knows_is_told(
    kind: type[_Edged],
    prefect_harness: None,
    empty_kube_api: KubeApi,
    fake_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_clients, "_clock", fake_clock)
    monkeypatch.setenv(SETTING + "WORKER_CREATE_JOB_RETRY_DELAY_SECONDS", "0")
    monkeypatch.setenv(SETTING + "WORKER_CREATE_JOB_RETRY_JITTER_MAX_SECONDS", "0")
    case: Any = kind()
    case.api = empty_kube_api

    class Nowhere:
        url = f"http://{UNRESOLVABLE_HOST}"

    with pytest.raises(KubernetesUnavailable, match=f"{UNRESOLVABLE_HOST}.* cannot be reached"):
        await case.change(Nowhere, "job")
    assert empty_kube_api.list("jobs") == []


async def test_a_clock_that_jumps_makes_no_second_job(
    prefect_harness: None,
    empty_kube_api: KubeApi,
    fake_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_clients, "_clock", fake_clock)
    monkeypatch.setenv(SETTING + "OBSERVER_ENABLED", "false")
    monkeypatch.setenv(SETTING + "WORKER_CREATE_JOB_RETRY_DELAY_SECONDS", "0")
    monkeypatch.setenv(SETTING + "WORKER_CREATE_JOB_RETRY_JITTER_MAX_SECONDS", "0")
    empty_kube_api.fail("create", "jobs", is_reset=True, is_done=True, times=1)
    run = a_run()
    configuration = configuration_of(cluster_config=config_at(empty_kube_api.url, empty_kube_api), stream_output=False)
    configuration.prepare_for_flow_run(run)
    right, jumps = time.time, iter([86_400.0, -86_400.0, 86_400.0])
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps, 0.0))
    await KubernetesWorker("any").run(run, configuration)
    assert len(empty_kube_api.list("jobs")) == 1
