"""The worker makes one job of a run, with what the run asks for, and deletes it when asked to."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import MagicMock

import anyio
import pytest
from prefect import flow, get_client
from prefect.exceptions import InfrastructureError, InfrastructureNotAvailable, InfrastructureNotFound
from prefect.states import Scheduled

from prefect_integration_tests.backends.faults import closed_port
from prefect_integration_tests.backends.kube_api import CLUSTER_UID
from prefect_kubernetes import KubernetesClusterConfig, errors
from prefect_kubernetes.worker import KubernetesWorker, parse_identifier

from ._configurations import a_run, configuration_of, container_of, env_of

pytestmark = pytest.mark.usefixtures("prefect_harness", "no_observer")

SETTING = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_"


@flow
def kubernetes_flow() -> None:
    """What the runs are of; it never runs here."""


class Status:
    """Hears what Prefect's worker would hear."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def started(self, value: Any) -> None:
        self.told.append(value)


@pytest.fixture
def api(empty_kube_api: Any) -> Any:
    return empty_kube_api


@pytest.fixture
def no_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends are tested elsewhere; here nobody watches, and nobody looks at jobs unasked."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED", "false")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_POLL_INTERVAL_SECONDS", "3600")
    monkeypatch.setenv(SETTING + "CREATE_JOB_RETRY_DELAY_SECONDS", "0")
    monkeypatch.setenv(SETTING + "CREATE_JOB_RETRY_JITTER_MAX_SECONDS", "0")


@pytest.fixture
async def pool() -> str:
    from prefect.client.schemas.actions import WorkPoolCreate

    name = f"kubernetes-{uuid.uuid4().hex[:8]}"
    template = KubernetesWorker.get_default_base_job_template()
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=name, type="kubernetes", base_job_template=template))
    return name


@pytest.fixture
def flow_run() -> Any:
    """A run that the server does not know, which a worker that is not open does not need."""
    return a_run()


@pytest.fixture
async def known_run() -> Any:
    async with get_client() as client:
        return await client.create_flow_run(kubernetes_flow)


@pytest.fixture
def configure(api: Any) -> Callable[..., Any]:
    """A maker of configurations for a run, for the played cluster."""

    def configure(flow_run: Any, *, token: str | None = None, **variables: Any) -> Any:
        cluster = KubernetesClusterConfig(config=api.kubeconfig(token), context_name="played")
        configuration = configuration_of(cluster_config=cluster, **{"stream_output": False, **variables})
        configuration.prepare_for_flow_run(flow_run)
        return configuration

    return configure


@pytest.fixture
def submit() -> Callable[..., Any]:
    """Runs one flow run through a worker that is not open: it uses a client of the cluster and closes it."""

    async def submit(flow_run: Any, configuration: Any) -> Any:
        return await KubernetesWorker("any").run(flow_run, configuration)

    return submit


async def test_a_run_becomes_a_job(submit: Any, flow_run: Any, configure: Any, api: Any) -> None:
    result = await submit(flow_run, configure(flow_run, image="mine:1", env={"A": "1"}))
    assert result.status_code == 0
    job = parse_identifier(result.identifier)
    assert result.identifier == f"default:{job.job_name}"
    made = api.get("jobs", job.job_name)
    assert made["metadata"]["labels"]["prefect.io/flow-run-id"] == str(flow_run.id)
    assert container_of(made)["image"] == "mine:1"
    assert {"name": "A", "value": "1"} in container_of(made)["env"]
    (pod,) = api.play.pods(job.job_name)
    assert pod["metadata"]["labels"]["prefect.io/flow-run-id"] == str(flow_run.id)


async def test_the_identifier_is_told_or_else_stored(pool: str, known_run: Any, configure: Any) -> None:
    status, configuration = Status(), configure(known_run)
    async with get_client() as client, KubernetesWorker(work_pool_name=pool) as worker:
        result = await worker.run(known_run, configuration, task_status=status)  # pyright: ignore[reportArgumentType]
        assert status.told == [result.identifier]
        assert (await client.read_flow_run(known_run.id)).infrastructure_pid is None
        again = await worker.run(known_run, configuration)
        assert (await client.read_flow_run(known_run.id)).infrastructure_pid == again.identifier == result.identifier


async def test_the_same_submission_makes_one_job_and_another_one_another(
    submit: Any, flow_run: Any, configure: Any, api: Any
) -> None:
    configuration = configure(flow_run)
    flow_run.state = Scheduled()
    first = await submit(flow_run, configuration)
    assert await submit(flow_run, configuration) == first
    flow_run.state = Scheduled()
    assert await submit(flow_run, configuration) != first
    assert len(api.list("jobs")) == 2


async def test_many_runs_make_as_many_jobs_with_a_handful_of_calls(
    pool: str, flow_run: Any, configure: Any, api: Any
) -> None:
    configuration = configure(flow_run)  # the same for all: making one takes Prefect longer than all the rest
    async with KubernetesWorker(work_pool_name=pool) as worker, anyio.create_task_group() as group:
        for _ in range(60):
            run = flow_run.model_copy(update={"id": uuid.uuid4(), "state": None})
            group.start_soon(partial(worker.run, run, configuration, task_status=Status()))  # pyright: ignore[reportArgumentType]
    assert len(api.list("jobs")) == 60
    assert len(api.calls_of("create", "jobs")) == 60
    assert len(api.calls_of("create", "secrets")) <= 60
    assert len(api.calls_of("create", "selfsubjectaccessreviews")) <= 1
    assert len(api.calls) <= 121


# What goes wrong while a job is created


async def test_a_lost_answer_makes_no_second_job(submit: Any, flow_run: Any, configure: Any, api: Any) -> None:
    api.fail("create", "jobs", is_reset=True, is_done=True, times=1)
    result = await submit(flow_run, configure(flow_run))
    (job,) = api.list("jobs")
    assert job["metadata"]["name"] == parse_identifier(result.identifier).job_name


async def test_a_job_whose_answers_were_all_lost_is_found(submit: Any, flow_run: Any, configure: Any, api: Any) -> None:
    api.fail("create", "jobs", is_reset=True, is_done=True, times=1)
    api.fail("create", "jobs", 503, times=2)
    result = await submit(flow_run, configure(flow_run))
    (job,) = api.list("jobs")
    assert job["metadata"]["name"] == parse_identifier(result.identifier).job_name


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 503}, {"status": 429, "retry_after_seconds": 0}], ids=str
)
async def test_what_is_transient_is_tried_again(
    submit: Any, flow_run: Any, configure: Any, api: Any, fault: dict[str, Any]
) -> None:
    api.fail("create", "jobs", **fault, times=2)
    assert (await submit(flow_run, configure(flow_run))).identifier
    assert len(api.calls_of("create", "jobs")) == 3


async def test_it_is_tried_as_often_as_the_setting_says(
    submit: Any, flow_run: Any, configure: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING + "CREATE_JOB_RETRY_MAX_RETRIES", "5")
    api.fail("create", "jobs", 500)
    with pytest.raises(errors.KubernetesUnavailable, match=r"Job '.*' in namespace 'default'"):
        await submit(flow_run, configure(flow_run))
    assert len(api.calls_of("create", "jobs")) == 5
    assert api.list("jobs") == []


async def test_a_quota_that_is_used_up_is_waited_for(
    submit: Any, flow_run: Any, configure: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING + "CREATE_JOB_RETRY_MAX_RETRIES", "1")
    monkeypatch.setenv(SETTING + "CREATE_JOB_RETRY_QUOTA_TIMEOUT_SECONDS", "30")
    api.set_quota({"count/jobs.batch": "0"})
    async with anyio.create_task_group() as group:
        results: list[Any] = []

        async def run() -> None:
            results.append(await submit(flow_run, configure(flow_run)))

        group.start_soon(run)
        with anyio.fail_after(20):
            while len(api.calls_of("create", "jobs")) < 3:
                await anyio.sleep(0.01)
        api.set_quota({})
    assert results[0].identifier


async def test_a_quota_that_stays_used_up_is_named(
    submit: Any, flow_run: Any, configure: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING + "CREATE_JOB_RETRY_QUOTA_TIMEOUT_SECONDS", "0")
    api.set_quota({"count/jobs.batch": "0"})
    with pytest.raises(errors.KubernetesQuotaExceeded, match=r"quota"):
        await submit(flow_run, configure(flow_run))
    assert len(api.calls_of("create", "jobs")) == 1


async def test_a_denial_names_verb_resource_and_namespace(submit: Any, flow_run: Any, configure: Any, api: Any) -> None:
    token = api.add_user("reader", [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]}])
    with pytest.raises(errors.KubernetesAccessDenied) as caught:
        await submit(flow_run, configure(flow_run, token=token))
    assert isinstance(caught.value, InfrastructureError)  # of Prefect, as of a worker before 0.9
    assert (caught.value.verb, caught.value.resource, caught.value.namespace) == ("create", "jobs", "default")
    assert len(api.calls_of("create", "jobs")) == 1
    assert api.list("secrets") == []


async def test_what_the_server_finds_wrong_is_named_by_its_field(
    submit: Any, flow_run: Any, configure: Any, api: Any
) -> None:
    configuration = configure(flow_run, pod_overrides={"metadata": {"labels": {"team": "x" * 64}}})
    with pytest.raises(errors.KubernetesInvalid, match=r"spec\.template\.metadata\.labels.*63 characters"):
        await submit(flow_run, configuration)
    assert len(api.calls_of("create", "jobs")) == 1
    assert (api.list("jobs"), api.list("secrets")) == ([], [])


async def test_a_namespace_that_does_not_exist_is_named(submit: Any, flow_run: Any, configure: Any) -> None:
    with pytest.raises(errors.KubernetesNotFound, match=r"nowhere"):
        await submit(flow_run, configure(flow_run, namespace="nowhere"))


async def test_a_fixed_name_that_another_run_has_is_refused_with_the_remedy(
    submit: Any, flow_run: Any, configure: Any, api: Any
) -> None:
    configuration, name = configure(flow_run), f"the-one-{uuid.uuid4().hex[:8]}"
    configuration.job_manifest["metadata"]["name"] = name
    assert (await submit(flow_run, configuration)).identifier == f"default:{name}"
    with pytest.raises(errors.KubernetesAlreadyExists, match=r"of another flow run.*generateName"):
        await submit(a_run(), configuration)
    assert len(api.list("jobs")) == 1


async def test_a_run_that_is_cancelled_while_its_job_is_created_leaves_none(
    pool: str, known_run: Any, configure: Any, api: Any
) -> None:
    api.fail("create", "jobs", delay_seconds=0.3, times=1)
    status = Status()
    async with KubernetesWorker(work_pool_name=pool) as worker, anyio.create_task_group() as group:
        group.start_soon(partial(worker.run, known_run, configure(known_run), task_status=status))  # pyright: ignore[reportArgumentType]
        with anyio.fail_after(10):
            while not api.calls_of("create", "jobs"):
                await anyio.sleep(0.01)
        await worker._cancel_run(known_run.id)
    assert api.list("jobs") == []


# Deleting


async def test_a_job_is_deleted_with_its_pods_from_another_process(
    submit: Any, flow_run: Any, configure: Any, api: Any
) -> None:
    result = await submit(flow_run, configure(flow_run))
    api.play.start(parse_identifier(result.identifier).job_name)
    await KubernetesWorker("any").kill_infrastructure(result.identifier, configure(flow_run))
    assert (api.list("jobs"), api.list("pods")) == ([], [])


@pytest.mark.parametrize(("grace_seconds", "own_seconds", "asked"), [(5, None, [5]), (30, None, []), (30, 60, [30])])
async def test_a_pod_gets_the_time_that_it_is_given(
    submit: Any, flow_run: Any, configure: Any, api: Any, grace_seconds: int, own_seconds: int | None, asked: list[int]
) -> None:
    overrides = {"spec": {"terminationGracePeriodSeconds": own_seconds}} if own_seconds else {}
    configuration = configure(flow_run, pod_overrides=overrides)
    result = await submit(flow_run, configuration)
    api.play.start(parse_identifier(result.identifier).job_name)
    api.play.termination_seconds = None
    await KubernetesWorker("any").kill_infrastructure(result.identifier, configuration, grace_seconds)
    deletions = [call for call in api.calls_of("delete", "pods") if call.user != "system:controller"]
    assert [int(call.query["gracePeriodSeconds"]) for call in deletions] == asked


async def test_a_job_that_is_gone_is_not_found(flow_run: Any, configure: Any) -> None:
    with pytest.raises(InfrastructureNotFound, match=r"default:gone.*no such job in namespace 'default'"):
        await KubernetesWorker("any").kill_infrastructure("default:gone", configure(flow_run))


async def test_a_job_of_an_older_version_is_deleted_in_its_own_cluster_only(
    submit: Any, flow_run: Any, configure: Any, api: Any
) -> None:
    result = await submit(flow_run, configure(flow_run))
    worker = KubernetesWorker("any")
    with pytest.raises(InfrastructureNotAvailable, match=rf"cluster 'another-uid'.*{CLUSTER_UID}"):
        await worker.kill_infrastructure(f"another-uid:{result.identifier}", configure(flow_run))
    assert len(api.list("jobs")) == 1
    await worker.kill_infrastructure(f"{CLUSTER_UID}:{result.identifier}", configure(flow_run))
    assert api.list("jobs") == []


async def test_a_cluster_that_must_not_be_read_is_named_by_the_setting(
    submit: Any, flow_run: Any, configure: Any, api: Any
) -> None:
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]}]
    token = api.add_user("worker", rules, namespace="default")
    result = await submit(flow_run, configure(flow_run))
    with pytest.raises(InfrastructureNotAvailable, match="PREFECT_INTEGRATIONS_KUBERNETES_CLUSTER_UID"):
        await KubernetesWorker("any").kill_infrastructure(
            f"some-uid:{result.identifier}", configure(flow_run, token=token)
        )


async def test_a_namespace_where_we_may_not_delete_is_not_available(
    submit: Any, flow_run: Any, configure: Any, api: Any
) -> None:
    api.add_namespace("shop")
    token = api.add_user(
        "worker", [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]}], namespace="default"
    )
    result = await submit(flow_run, configure(flow_run, namespace="shop"))
    with pytest.raises(InfrastructureNotAvailable, match="delete"):
        await KubernetesWorker("any").kill_infrastructure(result.identifier, configure(flow_run, token=token))


async def test_a_cluster_that_does_not_answer_is_not_available(
    flow_run: Any, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = configure(flow_run)
    config = configuration.cluster_config.config
    config["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setattr("prefect_kubernetes._clients.BACKOFF", short())
    with pytest.raises(InfrastructureNotAvailable, match="default:x"):
        await KubernetesWorker("any").kill_infrastructure("default:x", configuration)


def short() -> Any:
    from prefect_integration_kit.waiting import Backoff

    return Backoff(initial_seconds=0.01, max_attempts=2)


async def test_what_names_no_job_is_not_available(flow_run: Any, configure: Any) -> None:
    with pytest.raises(InfrastructureNotAvailable, match="does not name a Kubernetes job"):
        await KubernetesWorker("any").kill_infrastructure("12345", configure(flow_run))


# The template


async def test_job_variables_without_a_place_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    template = KubernetesWorker.get_default_base_job_template()
    del template["job_configuration"]["node_selector"]
    name = f"unknown_{uuid.uuid4().hex}"
    async with get_client() as client:
        for _ in range(2):
            with caplog.at_level(logging.WARNING, "prefect"):
                await KubernetesWorker.job_configuration.from_template_and_values(
                    template, {"node_selector": {"a": "b"}, name: 1, "env": {"A": "1"}}, client=client
                )
    warnings = [record.getMessage() for record in caplog.records if name in record.getMessage()]
    assert len(warnings) == 1
    assert f"job variables node_selector, {name}, so they have no effect" in warnings[0]


async def test_an_environment_that_is_a_list_comes_after_that_of_the_pool() -> None:
    template = KubernetesWorker.get_default_base_job_template()
    template["variables"]["properties"]["env"]["default"] = {"A": "pool", "B": "pool"}
    entries = [{"name": "B", "value": "run"}, {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    async with get_client() as client:
        configuration = await KubernetesWorker.job_configuration.from_template_and_values(
            template, {"env": entries}, client=client
        )
    configuration.prepare_for_flow_run(a_run())
    env = env_of(configuration.job_manifest)
    assert (env["A"], env["B"]) == ("pool", "run")
    assert env["C"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}


async def test_what_a_test_puts_in_the_observers_place_is_started_and_stopped(
    pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED", "true")
    start, stop = MagicMock(), MagicMock()
    monkeypatch.setattr("prefect_kubernetes.worker.start_observer", start)
    monkeypatch.setattr("prefect_kubernetes.worker.stop_observer", stop)
    async with KubernetesWorker(work_pool_name=pool):
        start.assert_called_once_with()
        stop.assert_not_called()
    stop.assert_called_once_with()
