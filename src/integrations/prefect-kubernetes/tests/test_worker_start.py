"""A worker that starts picks up what the one before it left behind, and says what it is not allowed to do."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling, Pending, Running, Scheduled

from prefect_integration_kit.waiting import apoll
from prefect_kubernetes import _preflight
from prefect_kubernetes._observer.places import places
from prefect_kubernetes._worker.reconciliation import KubernetesReconciliation
from prefect_kubernetes.worker import KubernetesWorker, parse_identifier

from ._configurations import container_of

pytestmark = pytest.mark.usefixtures("prefect_harness", "quiet")


@flow
def left_flow() -> None:
    """What the runs are of; it never runs here."""


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OBSERVER_ENABLED": "false",
        "OBSERVER_POLL_INTERVAL_SECONDS": "3600",
        "WORKER_RECONCILE_AFTER_SECONDS": "0",
        "WORKER_CREATE_JOB_RETRY_DELAY_SECONDS": "0",
        "WORKER_CREATE_JOB_RETRY_JITTER_MAX_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_KUBERNETES_{name}", value)


@pytest.fixture
def api(empty_kube_api: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The played cluster, which is the one that this process is set up for."""
    monkeypatch.setenv("KUBECONFIG", str(empty_kube_api.write_kubeconfig(tmp_path / "config")))
    return empty_kube_api


@pytest.fixture
async def pool(api: Any) -> str:
    name = f"left-{uuid.uuid4().hex[:8]}"
    template = KubernetesWorker.get_default_base_job_template()
    template["variables"]["properties"]["stream_output"]["default"] = False
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=name, type="kubernetes", base_job_template=template))
    return name


@pytest.fixture
def new_run(pool: str) -> Callable[..., Any]:
    """A maker of runs of the pool, in the state that a worker left them in."""

    async def new_run(*states: Any, pid: str | None = None) -> Any:
        async with get_client() as client:
            run = await client.create_flow_run(left_flow, state=Scheduled(), work_pool_name=pool)
            if pid:
                await client.update_flow_run(run.id, infrastructure_pid=pid)
            for state in states:
                await client.set_flow_run_state(run.id, state, force=True)
            return await client.read_flow_run(run.id)

    return new_run


async def read(run: Any) -> Any:
    async with get_client() as client:
        return await client.read_flow_run(run.id)


async def reconcile(worker: KubernetesWorker) -> None:
    submissions = worker._submissions
    await KubernetesReconciliation(worker, submissions, submissions._settings.worker).reconcile()


async def submit(pool: str, run: Any) -> str:
    """Submit a run as a worker does that dies before it can say so."""
    async with KubernetesWorker(work_pool_name=pool) as worker:
        configuration = await worker.job_configuration.resolve_for_flow_run(
            run, client=worker.client, work_pool=worker.work_pool, worker_name="dead"
        )
        result = await worker.run(run, configuration, task_status=Mute())
    return result.identifier


class Mute:
    def started(self, value: Any = None) -> None:
        del value


async def test_a_run_without_a_job_is_submitted_again_once(api: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending())
    async with KubernetesWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
        await reconcile(worker)
    (job,) = api.list("jobs")
    assert (await read(run)).infrastructure_pid == f"default:{job['metadata']['name']}"


async def test_a_job_whose_worker_died_is_found_and_not_made_twice(api: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending())
    identifier = await submit(pool, run)
    assert (await read(run)).infrastructure_pid is None
    async with KubernetesWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
        assert worker._submissions.is_busy_with(run.id)
    assert (await read(run)).infrastructure_pid == identifier
    assert len(api.list("jobs")) == 1


async def test_a_job_that_still_lacks_its_secret_gets_it(
    api: Any, pool: str, new_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_WORKER_STORE_ENV_AS_SECRET", "true")
    run = await new_run(Pending())
    name = parse_identifier(await submit(pool, run)).job_name
    api.delete("secrets", name)
    async with KubernetesWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
    assert api.get("secrets", name)["metadata"]["ownerReferences"][0]["name"] == name
    assert {entry["valueFrom"]["secretKeyRef"]["name"] for entry in container_of(api.get("jobs", name))["env"]} == {
        name
    }


async def test_a_job_of_an_earlier_submission_is_not_taken_for_the_present_one(
    api: Any, pool: str, new_run: Any
) -> None:
    run = await new_run(Pending())
    first = await submit(pool, run)
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Scheduled(), force=True)
        await client.set_flow_run_state(run.id, Pending(), force=True)
    async with KubernetesWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
    assert (await read(run)).infrastructure_pid != first
    assert len(api.list("jobs")) == 2


@pytest.mark.parametrize("state", [Running, Cancelling])
async def test_a_run_with_a_job_is_watched_over_again(api: Any, pool: str, new_run: Any, state: Any) -> None:
    run = await new_run(state(), pid="some-uid:default:job-of-another-worker")
    calls = len(api.calls)
    async with KubernetesWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
        assert worker._submissions.is_busy_with(run.id)
    assert len(api.calls) == calls


async def test_a_run_whose_job_ended_while_no_worker_was_there_crashes(api: Any, pool: str, new_run: Any) -> None:
    run = await new_run(Pending())
    identifier = await submit(pool, run)
    async with get_client() as client:
        await client.update_flow_run(run.id, infrastructure_pid=identifier)
        await client.set_flow_run_state(run.id, Running(), force=True)
    api.play.fail(parse_identifier(identifier).job_name, exit_code=3)
    async with KubernetesWorker(work_pool_name=pool) as worker:
        await reconcile(worker)
        await worker._submissions.watch.look()
    state = (await read(run)).state
    assert state.is_crashed()
    assert "exited with 3" in state.message


# Permissions


async def serve(worker: KubernetesWorker, until: Callable[[], bool]) -> None:
    """Let a worker serve its pool until something is so, then cancel it as Ctrl-C does, and look how it ends."""
    ends: list[BaseException] = []

    async def start() -> None:
        try:
            await worker.start()
        except anyio.get_cancelled_exc_class() as exc:
            ends.append(exc)  # not raised: anyio looks for the first of all causes, and goes round a ring for ever

    async with anyio.create_task_group() as group:
        group.start_soon(start)
        with anyio.fail_after(30):
            while not until():
                await anyio.sleep(0.02)
        group.cancel_scope.cancel()
    (end,) = ends
    causes: set[int] = set()
    cause: BaseException | None = end
    while cause is not None:
        assert id(cause) not in causes, "The causes of the worker's end are a ring."
        causes.add(id(cause))
        cause = cause.__context__


async def test_a_worker_says_once_what_it_may_not_do(
    api: Any, pool: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_preflight, "_said", set())
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list"]}]
    monkeypatch.setenv("KUBECONFIG", str(api.write_kubeconfig(tmp_path / "worker", api.add_user("worker", rules))))
    with caplog.at_level(logging.WARNING, "prefect"):
        await serve(KubernetesWorker(work_pool_name=pool), lambda: "lacks permissions" in caplog.text)
    (message,) = [record.getMessage() for record in caplog.records if "lacks permissions" in record.getMessage()]
    assert "in namespace 'default': delete jobs" in message
    assert "create jobs" not in message


async def test_a_cluster_that_cannot_be_used_does_not_end_the_worker(
    api: Any, pool: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "not-there"))
    with caplog.at_level(logging.WARNING, "prefect"):
        await serve(KubernetesWorker(work_pool_name=pool), lambda: "cannot be used at present" in caplog.text)
    assert "not-there" in caplog.text


async def test_a_worker_whose_prefect_api_does_not_answer_says_what_to_do_and_begins_when_it_does(
    api: Any, pool: str, fault_proxy: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nonexistent/config")
    places.clear()
    server = urlsplit(PREFECT_API_URL.value())
    proxy = fault_proxy(server.hostname, server.port)
    proxy.refuse = True
    worker = KubernetesWorker(work_pool_name=pool, heartbeat_interval_seconds=1)

    def is_told() -> bool:
        if "could not be read from the Prefect API at" not in caplog.text:
            return False
        proxy.heal()
        return "cannot be used at present" in caplog.text

    with (
        caplog.at_level(logging.DEBUG, "prefect"),
        temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{proxy.port}{server.path}"}),
    ):
        await serve(worker, is_told)
    assert "Check that PREFECT_API_URL is right" in caplog.text
    assert "correctly initialized" not in caplog.text
    assert "default" in {place.namespace for place in places.known()}


async def test_the_observer_is_told_the_pools_namespace(api: Any, pool: str) -> None:
    namespace = f"shop-{uuid.uuid4().hex[:8]}"
    async with get_client() as client:
        work_pool = await client.read_work_pool(pool)
        template = work_pool.base_job_template
        template["variables"]["properties"]["namespace"]["default"] = namespace
        from prefect.client.schemas.actions import WorkPoolUpdate

        await client.update_work_pool(pool, WorkPoolUpdate(base_job_template=template))
    async with KubernetesWorker(work_pool_name=pool):
        assert namespace in {place.namespace for place in places.known()}


async def test_the_observer_runs_for_as_long_as_a_worker_is_open(
    api: Any, pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_kubernetes.observer import observer_health

    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED", "true")

    async def is_healthy() -> bool | None:
        return observer_health().is_healthy or None

    async with KubernetesWorker(work_pool_name=pool):
        async with KubernetesWorker(work_pool_name=pool):
            await apoll(is_healthy, subject="The observer", interval_seconds=0.05, timeout_seconds=30)
        assert observer_health().is_healthy
    assert not observer_health().is_healthy
