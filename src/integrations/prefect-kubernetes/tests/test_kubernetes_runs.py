"""Deployed flows run in real pods, started by a worker process, and end in the state that they should end in.

The worker is the `prefect` command with its observer, the deployments are made by it, and the cluster is a real one.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from prefect.states import Cancelling

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.suites import DeployedFlowsBase
from prefect_integration_tests.worker_runs import DeployedFlows, WorkerProcess
from prefect_kubernetes.worker import KubernetesWorker, parse_identifier

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.timeout(400)]

FLOWS = """
    import hashlib, os, time

    from prefect import flow, get_run_logger, task

    @task
    def square(number):
        return number * number

    @flow
    def succeed(number: int = 3):
        logger = get_run_logger()
        logger.info("squares: %s", square.map(range(number)).result())
        logger.info("key: %s", hashlib.sha256(os.environ.get("PREFECT_API_KEY", "").encode()).hexdigest())

    @flow
    def fail():
        raise ValueError("on purpose")

    @flow
    def wait():
        time.sleep(600)

    @flow
    def vanish():
        os._exit(3)
"""
KEY = secrets.token_urlsafe(24)


def names(cluster: Any, namespace: str, run: Any, path: str) -> list[str]:
    listed = cluster.api.get(path.format(namespace), labelSelector=f"prefect.io/flow-run-id={run.id}")
    return [item["metadata"]["name"] for item in listed["items"]]


JOBS, PODS = "/apis/batch/v1/namespaces/{}/jobs", "/api/v1/namespaces/{}/pods"


class TestRuns(DeployedFlowsBase):
    distribution = "prefect-kubernetes"
    worker_class = KubernetesWorker
    source = FLOWS
    names = ("succeed", "fail", "wait", "vanish")
    foreign = ("KUBE",)
    wait_seconds = 200

    @pytest.fixture(scope="module")
    def server(self, kubernetes_cluster: Any) -> Iterator[Any]:
        """A Prefect server that pods reach."""
        from prefect_integration_tests.backends.prefect_server import PrefectServer

        with PrefectServer.start(kubernetes_cluster.host_address) as server:
            yield server

    @pytest.fixture(scope="module")
    def namespace(self, kubernetes_cluster: Any) -> Iterator[str]:
        name = kubernetes_cluster.new_namespace("runs")
        yield name
        kubernetes_cluster.remove_namespace(name)

    @pytest.fixture(scope="module")
    def environment(self, kubernetes_cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
        prefix = "PREFECT_INTEGRATIONS_KUBERNETES"
        return {
            "KUBECONFIG": str(kubernetes_cluster.kubeconfig(tmp_path_factory.mktemp("kube") / "config")),
            "PREFECT_API_KEY": KEY,
            f"{prefix}_OBSERVER_SWEEP_INTERVAL_SECONDS": "2",
            f"{prefix}_OBSERVER_CANCELLATION_GRACE_SECONDS": "20",
            f"{prefix}_WORKER_RECONCILE_AFTER_SECONDS": "0",
            f"{prefix}_WORKER_RECONCILE_INTERVAL_SECONDS": "2",
        }

    @pytest.fixture(scope="module")
    def defaults(self, kubernetes_cluster: Any, namespace: str, image: str) -> dict[str, Any]:
        loaded = kubernetes_cluster.load_image(image)
        return {"namespace": namespace, "image": loaded, "env": {"PREFECT_HOME": "/root/.prefect"}}

    @pytest.fixture(scope="module")
    def runs(self, run_of: Callable[..., Any], worker: WorkerProcess) -> dict[str, Any]:
        """One run of each kind, all of them at the same time."""
        assert worker.is_running
        return {
            "succeed": run_of("succeed"),
            "no image": run_of("succeed", image="no-such-image:1", pod_watch_timeout_seconds=8),
            "fail": run_of("fail"),
            "vanish": run_of("vanish"),
            "cancel": run_of("wait"),
        }

    @pytest.fixture
    def running_job(self, flows: DeployedFlows) -> Callable[[Any], Any]:
        """Waits until a run has begun, and tells its job."""
        return lambda run: parse_identifier(flows.infrastructure_of(run))

    def test_a_flow_runs_to_its_end_and_its_logs_arrive(self, runs: Any, final: Any, flows: DeployedFlows) -> None:
        state = final(runs["succeed"])
        assert state.is_completed(), state
        assert "squares: [0, 1, 4]" in flows.logs(runs["succeed"], until="key: ")

    def test_the_api_key_reaches_the_pod_by_a_secret_that_goes_with_the_job(
        self, runs: Any, final: Any, flows: DeployedFlows, kubernetes_cluster: Any, namespace: str
    ) -> None:
        run = runs["succeed"]
        assert final(run).is_completed()
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        assert f"key: {digest}" in flows.logs(run, until="key: ")
        (job,) = names(kubernetes_cluster, namespace, run, JOBS)
        path = f"{JOBS.format(namespace)}/{job}"
        found = kubernetes_cluster.api.get(path)
        assert KEY not in json.dumps(found)
        secrets_path = f"/api/v1/namespaces/{namespace}/secrets"

        def owned() -> list[str]:
            items = kubernetes_cluster.api.get(secrets_path)["items"]
            uids = {item["metadata"]["name"]: item["metadata"].get("ownerReferences", []) for item in items}
            return [name for name, owners in uids.items() if any(o["uid"] == found["metadata"]["uid"] for o in owners)]

        assert owned()
        kubernetes_cluster.api.delete(path, propagationPolicy="Background")
        poll(lambda: not owned() or None, subject="the end of the Secret", interval_seconds=0.1, timeout_seconds=60)

    def test_a_flow_that_fails_has_failed_and_not_crashed(self, runs: Any, final: Any) -> None:
        state = final(runs["fail"])
        assert state.is_failed()
        assert "on purpose" in state.message

    def test_a_flow_whose_process_vanishes_crashes_with_its_exit_code(self, runs: Any, final: Any) -> None:
        state = final(runs["vanish"])
        assert state.is_crashed()
        assert re.search(r"\b3\b", state.message), state.message

    def test_a_pod_without_its_image_crashes_the_run_and_its_job_is_deleted(
        self, runs: Any, final: Any, kubernetes_cluster: Any, namespace: str
    ) -> None:
        state = final(runs["no image"])
        assert state.is_crashed()
        assert "no-such-image:1" in state.message
        # The job goes after the state is told.
        poll(
            lambda: names(kubernetes_cluster, namespace, runs["no image"], JOBS) == [] or None,
            subject="the end of the job",
            interval_seconds=0.1,
            timeout_seconds=60,
        )

    def test_a_cancelled_run_ends_and_so_does_its_pod(
        self,
        runs: Any,
        final: Any,
        running_job: Any,
        client: SyncPrefectClient,
        kubernetes_cluster: Any,
        namespace: str,
    ) -> None:
        run = runs["cancel"]
        running_job(run)
        client.set_flow_run_state(run.id, Cancelling())
        assert final(run).is_cancelled()

        def is_gone() -> bool:
            pods = kubernetes_cluster.api.get(PODS.format(namespace), labelSelector=f"prefect.io/flow-run-id={run.id}")
            return all(pod["status"]["phase"] in ("Succeeded", "Failed") for pod in pods["items"])

        poll(lambda: is_gone() or None, subject="the end of the pod", interval_seconds=0.1, timeout_seconds=60)

    @pytest.mark.slow
    def test_what_a_killed_worker_left_is_looked_after_by_the_next(
        self,
        start_worker: Any,
        worker: WorkerProcess,
        run_of: Any,
        final: Any,
        running_job: Any,
        kubernetes_cluster: Any,
    ) -> None:
        run = run_of("wait")
        job = running_job(run)
        worker.kill()
        (pod,) = names(kubernetes_cluster, job.namespace, run, PODS)
        kubernetes_cluster.api.delete(f"{PODS.format(job.namespace)}/{pod}", gracePeriodSeconds="0")
        start_worker()
        assert final(run).is_crashed()
