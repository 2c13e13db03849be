"""The job block: created once, judged by its own conditions, followed, and nothing of it left behind."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, MagicMock

import pytest
import yaml
from kubernetes_asyncio.client import V1Job, V1JobCondition, V1JobStatus, V1ObjectMeta, V1Pod, V1PodList
from prefect import flow

from prefect_integration_kit.waiting import apoll
from prefect_kubernetes import KubernetesCredentials, KubernetesJob, _clients, _job_wait, _logs, jobs
from prefect_kubernetes.errors import (
    KubernetesAccessDenied,
    KubernetesAlreadyExists,
    KubernetesInvalid,
    KubernetesQuotaExceeded,
    KubernetesUnavailable,
)
from prefect_kubernetes.exceptions import (
    KubernetesJobDefinitionError,
    KubernetesJobFailedError,
    KubernetesJobTimeoutError,
)
from prefect_kubernetes.flows import run_namespaced_job, run_namespaced_job_async
from prefect_kubernetes.jobs import KubernetesJobRun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prefect_integration_tests.backends.kube_api import KubeApi
    from prefect_integration_tests.clock import FakeClock


def manifest(name: str | None = "load", *, sidecar: bool = False, **spec: Any) -> dict[str, Any]:
    containers: list[dict[str, Any]] = [{"name": "main", "image": "busybox"}]
    if sidecar:
        containers.append({"name": "proxy", "image": "envoy"})
    pod = {"restartPolicy": "Never", "containers": containers}
    metadata = {"name": name} if name else {"generateName": "load-"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {"spec": pod}, **spec}}


@pytest.fixture(autouse=True)
def no_pauses(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    for module in (_clients, _logs, _job_wait):
        monkeypatch.setattr(module, "_clock", fake_clock)
    return fake_clock


@pytest.fixture
def make_job(kube_credentials: KubernetesCredentials) -> Callable[..., KubernetesJob]:
    def make(name: str | None = "load", **fields: Any) -> KubernetesJob:
        spec = fields.pop("spec", {})
        v1_job = fields.pop("v1_job", None) or manifest(name, sidecar=fields.pop("sidecar", False), **spec)
        return KubernetesJob(**{"credentials": kube_credentials, "v1_job": v1_job, **fields})

    return make


def script(api: KubeApi, **steps: Any) -> None:
    from prefect_integration_tests.backends.kube_api import PodScript

    api.play.automatic = PodScript(**{"start_seconds": 0, "run_seconds": 0.05, "exit_code": 0, "logs": "", **steps})


def left_behind(api: KubeApi) -> list[str]:
    return [one["metadata"]["name"] for kind in ("jobs", "pods") for one in api.list(kind)]


# To the end


async def test_a_job_runs_and_its_logs_are_the_result(make_job: Any, empty_kube_api: KubeApi) -> None:
    script(empty_kube_api, logs="one\ntwo")
    run = await make_job().atrigger()
    assert run.v1_job_model["metadata"]["name"] == "load"
    await run.await_for_completion()
    logs = await run.afetch_result()
    assert list(logs.values()) == ["one\ntwo\n"]
    assert run.pod_logs == logs
    assert left_behind(empty_kube_api) == []


async def test_lines_are_printed_and_are_the_result_too(make_job: Any, empty_kube_api: KubeApi) -> None:
    script(empty_kube_api, logs="one\ntwo", run_seconds=0.2)
    lines: list[str] = []
    run = await make_job().atrigger()
    await run.await_for_completion(print_func=lines.append)
    assert lines == ["one", "two"]
    assert list((await run.afetch_result()).values()) == ["one\ntwo\n"]


async def test_a_job_can_be_kept(make_job: Any, empty_kube_api: KubeApi) -> None:
    script(empty_kube_api)
    run = await make_job(delete_after_completion=False).atrigger()
    await run.await_for_completion()
    assert len(left_behind(empty_kube_api)) == 2


async def test_a_name_is_completed_anew_each_time(make_job: Any, empty_kube_api: KubeApi) -> None:
    block = make_job(name=None)
    names = {(await block.atrigger()).v1_job_model["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("load-") for name in names)
    assert block.v1_job == manifest(None), "the block stays as it is"


@pytest.mark.usefixtures("prefect_harness")
def test_the_flow_runs_a_job_in_sync_code(make_job: Any, empty_kube_api: KubeApi) -> None:
    script(empty_kube_api, logs="hello")
    lines: list[str] = []

    @flow
    def orchestrate_job_in_sync_code() -> dict[str, str]:
        return run_namespaced_job(make_job(), print_func=lines.append)

    assert list(orchestrate_job_in_sync_code().values()) == ["hello\n"]
    assert lines == ["hello"]


@pytest.mark.usefixtures("prefect_harness")
async def test_the_flow_runs_a_job_in_async_code(make_job: Any, empty_kube_api: KubeApi) -> None:
    script(empty_kube_api, logs="hello")
    assert list((await run_namespaced_job_async(make_job())).values()) == ["hello\n"]


def test_the_flows_function_can_be_called_without_prefect(make_job: Any, empty_kube_api: KubeApi) -> None:
    script(empty_kube_api, logs="hello")
    assert list(run_namespaced_job.fn(make_job(), print_func=print).values()) == ["hello\n"]


# How it ended


async def test_a_failed_job_names_exit_code_and_last_lines(make_job: Any, empty_kube_api: KubeApi) -> None:
    script(empty_kube_api, exit_code=7, logs="\n".join(f"line {n}" for n in range(30)))
    run = await make_job(spec={"backoffLimit": 0}).atrigger()
    with pytest.raises(KubernetesJobFailedError, match="exit code 7") as caught:
        await run.await_for_completion()
    assert isinstance(caught.value, RuntimeError)
    assert "BackoffLimitExceeded" in str(caught.value)
    assert "line 29" in str(caught.value)
    assert "line 19" not in str(caught.value)
    assert left_behind(empty_kube_api) == []
    assert run.pod_logs, "the logs are there all the same"


async def test_an_evicted_pod_does_not_fail_a_job_that_succeeds_later(
    make_job: Any, empty_kube_api: KubeApi, no_pauses: FakeClock
) -> None:
    run = await make_job(spec={"backoffLimit": 2}).atrigger()
    wait = asyncio.ensure_future(run.await_for_completion())
    empty_kube_api.play.start("load")
    empty_kube_api.play.evict("load")
    await looks(empty_kube_api, 3)
    assert not wait.done()
    empty_kube_api.play.succeed("load")
    await asyncio.wait_for(wait, 10)
    assert run.pod_logs is not None
    assert len(run.pod_logs) == 2


async def looks(api: KubeApi, count: int) -> None:
    before = len(api.calls_of("get", "jobs/status"))

    async def look() -> bool | None:
        return True if len(api.calls_of("get", "jobs/status")) >= before + count else None

    await apoll(look, subject="looks at the job", interval_seconds=0.01, timeout_seconds=10)


async def test_a_job_that_failed_twice_before_it_succeeded_is_a_success(make_job: Any, empty_kube_api: KubeApi) -> None:
    run = await make_job(spec={"backoffLimit": 2}).atrigger()
    for _ in range(2):
        empty_kube_api.play.start("load")
        empty_kube_api.play.fail("load", exit_code=1)
    empty_kube_api.play.succeed("load")
    await run.await_for_completion()


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda play: play.oom_kill("load"), "memory"),
        (lambda play: play.evict("load"), "evicted"),
        (lambda play: play.pass_deadline("load"), "DeadlineExceeded"),
    ],
    ids=["out of memory", "evicted", "deadline"],
)
async def test_the_cause_is_told(make_job: Any, empty_kube_api: KubeApi, act: Any, said: str) -> None:
    run = await make_job(spec={"backoffLimit": 0}).atrigger()
    empty_kube_api.play.start("load")
    act(empty_kube_api.play)
    with pytest.raises(KubernetesJobFailedError, match=f"(?i){said}"):
        await run.await_for_completion()


async def test_a_job_that_is_deleted_meanwhile_is_a_failure(make_job: Any, empty_kube_api: KubeApi) -> None:
    run = await make_job().atrigger()
    empty_kube_api.play.delete_job("load")
    with pytest.raises(KubernetesJobFailedError, match=r"was deleted.*ttlSecondsAfterFinished"):
        await run.await_for_completion()


async def test_waiting_again_gives_the_same_outcome(make_job: Any, empty_kube_api: KubeApi) -> None:
    script(empty_kube_api, exit_code=1)
    run = await make_job(spec={"backoffLimit": 0}).atrigger()
    messages: list[str] = []
    for _ in range(2):
        with pytest.raises(KubernetesJobFailedError) as caught:
            await run.await_for_completion()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


async def test_a_result_is_there_only_when_the_job_has_ended(make_job: Any, empty_kube_api: KubeApi) -> None:
    run = await make_job().atrigger()
    with pytest.raises(ValueError, match="has not ended"):
        await run.afetch_result()
    empty_kube_api.play.write("load", "done")
    empty_kube_api.play.succeed("load")
    assert list((await run.afetch_result()).values()) == ["done\n"]


async def test_the_deadline_is_kept_while_the_job_is_silent(
    make_job: Any, empty_kube_api: KubeApi, no_pauses: FakeClock
) -> None:
    run = await make_job(timeout_seconds=60, interval_seconds=7).atrigger()
    empty_kube_api.play.start("load")
    began = no_pauses.now_seconds
    with pytest.raises(KubernetesJobTimeoutError, match="after 60 seconds") as caught:
        await run.await_for_completion(print_func=print)
    assert isinstance(caught.value, TimeoutError)
    assert no_pauses.now_seconds - began >= 60
    assert left_behind(empty_kube_api) == []


async def test_the_deadline_is_kept_while_the_server_is_silent(
    make_job: Any, empty_kube_api: KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_job_wait, "_LAST_LOOK_SECONDS", 0.1)
    run = await make_job(timeout_seconds=0, delete_after_completion=False).atrigger()
    empty_kube_api.fail("get", "jobs/status", delay_seconds=30)
    with pytest.raises(KubernetesJobTimeoutError):
        await asyncio.wait_for(run.await_for_completion(), 10)


async def test_an_outage_of_the_cluster_does_not_end_the_wait(make_job: Any, empty_kube_api: KubeApi) -> None:
    script(empty_kube_api)
    run = await make_job().atrigger()
    empty_kube_api.fail("get", "jobs/status", 503, times=10)
    await run.await_for_completion()


# Logs


async def test_the_log_of_the_main_container_counts_not_a_sidecars(make_job: Any, empty_kube_api: KubeApi) -> None:
    run = await make_job(sidecar=True).atrigger()
    name = run.v1_job_model["metadata"]["name"]
    empty_kube_api.play.start(name)
    empty_kube_api.play.write(name, "work", container="main")
    empty_kube_api.play.write(name, "proxying", container="proxy")
    empty_kube_api.play.succeed(name)
    lines: list[str] = []
    await run.await_for_completion(print_func=lines.append)
    assert lines == ["work"]


async def test_a_log_is_followed_across_a_break(make_job: Any, empty_kube_api: KubeApi) -> None:
    run = await make_job().atrigger()
    empty_kube_api.play.start("load")
    empty_kube_api.play.write("load", "before")
    lines: list[str] = []
    wait = asyncio.ensure_future(run.await_for_completion(print_func=lines.append))
    await has_come(lines, "before")
    empty_kube_api.drop_watches("pods")
    empty_kube_api.play.write("load", "after")
    empty_kube_api.play.succeed("load")
    await asyncio.wait_for(wait, 10)
    assert lines == ["before", "after"]


async def has_come(lines: list[str], line: str) -> None:
    async def look() -> bool | None:
        return True if line in lines else None

    await apoll(look, subject=line, interval_seconds=0.01, timeout_seconds=10)


async def test_what_print_func_raises_ends_the_wait_and_the_job(make_job: Any, empty_kube_api: KubeApi) -> None:
    def refuse(line: str) -> None:
        raise KeyError(line)

    run = await make_job().atrigger()
    empty_kube_api.play.start("load")
    empty_kube_api.play.write("load", "boom")
    with pytest.raises(KeyError, match="boom"):
        await asyncio.wait_for(run.await_for_completion(print_func=refuse), 10)
    assert left_behind(empty_kube_api) == []


# Nothing left behind, nothing twice


@pytest.mark.parametrize("name", ["load", None], ids=["fixed name", "generated name"])
async def test_a_creation_whose_answer_is_lost_makes_one_job(
    make_job: Any, empty_kube_api: KubeApi, name: str | None
) -> None:
    empty_kube_api.fail("create", "jobs", is_reset=True, is_done=True, times=1)
    run = await make_job(name).atrigger()
    (only,) = empty_kube_api.list("jobs")
    assert only["metadata"]["uid"] == run.v1_job_model["metadata"]["uid"]


async def test_a_creation_that_fails_in_the_end_leaves_no_job(make_job: Any, empty_kube_api: KubeApi) -> None:
    empty_kube_api.fail("create", "jobs", is_reset=True, is_done=True, times=1)
    empty_kube_api.fail("create", "jobs", 503)
    with pytest.raises(KubernetesUnavailable):
        await make_job().atrigger()
    assert left_behind(empty_kube_api) == []


async def test_the_job_of_someone_else_with_that_name_stays(make_job: Any, empty_kube_api: KubeApi) -> None:
    empty_kube_api.create("jobs", manifest(), "default")
    with pytest.raises(KubernetesAlreadyExists):
        await make_job().atrigger()
    assert "load" in left_behind(empty_kube_api)


async def test_a_wait_that_is_cancelled_leaves_no_job(make_job: Any, empty_kube_api: KubeApi) -> None:
    run = await make_job().atrigger()
    empty_kube_api.play.start("load")
    wait = asyncio.ensure_future(run.await_for_completion(print_func=print))
    await looks(empty_kube_api, 2)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    assert left_behind(empty_kube_api) == []


async def test_a_successor_of_the_same_name_is_not_deleted(make_job: Any, empty_kube_api: KubeApi) -> None:
    run = await make_job().atrigger()
    empty_kube_api.play.delete_job("load")
    empty_kube_api.create("jobs", manifest(), "default")
    with pytest.raises(KubernetesJobFailedError, match="was deleted"):
        await run.await_for_completion()
    assert "load" in left_behind(empty_kube_api)


# What is refused


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda job: job.pop("metadata"), "metadata"),
        (lambda job: job["metadata"].pop("name"), r"metadata\.name"),
        (lambda job: job.update(kind="CronJob"), "kind"),
        (lambda job: job.update(apiVersion="batch/v1beta1"), "apiVersion"),
        (lambda job: job["metadata"].update(namespace="other"), r"metadata\.namespace"),
        (lambda job: job["metadata"].update(labels={"version": 1.0}), r"metadata\.labels: version"),
        (lambda job: job["metadata"].update(annotations=["a"]), r"metadata\.annotations"),
        (lambda job: job.pop("spec"), r"spec\.template\.spec"),
        (lambda job: pod_of(job).pop("restartPolicy"), r"spec\.template\.spec\.restartPolicy"),
        (lambda job: pod_of(job).update(restartPolicy="Always"), r"restartPolicy is 'Always'"),
        (lambda job: pod_of(job).update(containers=[]), r"spec\.template\.spec\.containers"),
        (lambda job: pod_of(job)["containers"][0].pop("image"), r"containers\[0\]\.image"),
        (lambda job: pod_of(job)["containers"][0].update(args="echo hi"), r"containers\[0\]\.args"),
        (lambda job: pod_of(job)["containers"][0].update(command=["sleep", 5]), r"containers\[0\]\.command"),
        (lambda job: pod_of(job)["containers"][0].update(env=[{"name": "N", "value": 5}]), r"env\[0\]\.value"),
        (lambda job: pod_of(job).update(initContainers=["x"]), r"initContainers\[0\]"),
    ],
    ids=range(16),
)
async def test_a_malformed_manifest_names_the_field_before_any_request(
    make_job: Any, empty_kube_api: KubeApi, change: Any, field: str
) -> None:
    job = manifest()
    change(job)
    with pytest.raises(KubernetesJobDefinitionError, match=field):
        await make_job(v1_job=job).atrigger()
    assert empty_kube_api.calls == []


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]


async def test_what_only_the_server_finds_names_the_field_too(make_job: Any, empty_kube_api: KubeApi) -> None:
    job = manifest()
    job["metadata"]["labels"] = {"app": "x" * 64}
    with pytest.raises(KubernetesInvalid, match=r"metadata\.labels"):
        await make_job(v1_job=job).atrigger()
    assert left_behind(empty_kube_api) == []


async def test_an_exceeded_quota_is_told(make_job: Any, empty_kube_api: KubeApi) -> None:
    empty_kube_api.set_quota({"count/jobs.batch": "0"})
    with pytest.raises(KubernetesQuotaExceeded, match="exceeded quota"):
        await make_job().atrigger()


async def test_a_wait_without_permission_names_the_rule_and_leaves_no_job(
    make_job: Any, empty_kube_api: KubeApi, make_credentials: Any
) -> None:
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "delete"]}]
    token = empty_kube_api.add_user("limited", rules, namespace="default")
    run = await make_job(credentials=make_credentials(token)).atrigger()
    with pytest.raises(KubernetesAccessDenied, match="jobs/status"):
        await run.await_for_completion()
    assert left_behind(empty_kube_api) == []


# From a file


def test_a_manifest_is_read_from_yaml(tmp_path: Path, kube_credentials: KubernetesCredentials) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(manifest()))
    for given in (path, str(path)):
        block = KubernetesJob.from_yaml_file(given, credentials=kube_credentials, namespace="data")
        assert (block.v1_job, block.namespace) == (manifest(), "data")


@pytest.mark.parametrize("text", ["a: 1\n---\nb: 2\n", "- a\n", "", "a: ["], ids=["two", "list", "empty", "broken"])
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(KubernetesJobDefinitionError, match=r"job\.yaml"):
        KubernetesJob.from_yaml_file(path)


def test_the_block_does_not_show_its_manifest(make_job: Any) -> None:
    job = manifest()
    pod_of(job)["containers"][0]["env"] = [{"name": "PASSWORD", "value": "hunter2"}]
    assert "hunter2" not in repr(make_job(v1_job=job))


def test_a_run_takes_a_model_of_the_sdk_too(make_job: Any) -> None:
    run = KubernetesJobRun(make_job(), V1Job(metadata=V1ObjectMeta(name="load", generate_name="l-")))
    assert run.v1_job_model == {"metadata": {"name": "load", "generateName": "l-"}}


def test_the_published_error_is_found_where_it_was() -> None:
    assert jobs.KubernetesJobTimeoutError is KubernetesJobTimeoutError


async def test_a_job_runs_by_a_client_of_the_callers_own(
    kube_credentials: KubernetesCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a client's pods may say nothing of their containers, and its logs are text."""
    batch, core = AsyncMock(), AsyncMock()
    job = {**manifest(), "metadata": {"name": "load", "namespace": "default", "uid": "u"}}
    done = {**job, "status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}}
    batch.create_namespaced_job.return_value = job
    batch.read_namespaced_job.return_value = batch.read_namespaced_job_status.return_value = done
    pod: dict[str, Any] = {"metadata": {"name": "load-x"}, "spec": {}, "status": {"phase": "Succeeded"}}
    core.list_namespaced_pod.return_value = V1PodList(items=[pod])
    core.read_namespaced_pod_log.return_value = "hello\n"

    @asynccontextmanager
    async def own_client(self: KubernetesCredentials, client_type: str) -> AsyncIterator[AsyncMock]:
        yield {"batch": batch, "core": core}[client_type]

    monkeypatch.setattr(KubernetesCredentials, "get_client", own_client)
    lines: list[str] = []
    run = await KubernetesJob(v1_job=manifest(), credentials=kube_credentials, interval_seconds=1).atrigger()
    await run.await_for_completion(lines.append)
    assert await run.afetch_result() == {"load-x": "hello\n"}
    assert lines == ["hello"]


DONE = [V1JobCondition(type="Complete", status="True")]
STAND_INS: dict[str, tuple[Any, Any, Any]] = {
    "models that say little": (
        V1Job(metadata=V1ObjectMeta(name="load")),
        V1Job(status=V1JobStatus(succeeded=1, conditions=DONE)),
        V1PodList(items=[V1Pod(metadata=V1ObjectMeta(name="load-x"))]),
    ),
    "mocks": (
        MagicMock(),
        MagicMock(**{"status.conditions": DONE}),
        MagicMock(items=[MagicMock(**{"metadata.name": "load-x"})]),
    ),
    "plain objects": (
        SimpleNamespace(metadata=SimpleNamespace(name="load")),
        SimpleNamespace(status=SimpleNamespace(conditions=[SimpleNamespace(type="Complete", status="True")])),
        SimpleNamespace(items=[SimpleNamespace(metadata=SimpleNamespace(name="load-x"))]),
    ),
}


@pytest.mark.parametrize("kind", STAND_INS)
async def test_a_job_runs_by_answers_that_a_test_makes_up(
    kind: str, kube_credentials: KubernetesCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, core = AsyncMock(), AsyncMock()
    created, done, pods = STAND_INS[kind]
    batch.create_namespaced_job.return_value = created
    batch.read_namespaced_job_status.return_value = done
    core.list_namespaced_pod.return_value = pods
    core.read_namespaced_pod_log.return_value = "hello\n"

    @asynccontextmanager
    async def own_client(self: KubernetesCredentials, client_type: str) -> AsyncIterator[AsyncMock]:
        yield {"batch": batch, "core": core}[client_type]

    monkeypatch.setattr(KubernetesCredentials, "get_client", own_client)
    job = KubernetesJob(v1_job=manifest(), credentials=kube_credentials, interval_seconds=1, timeout_seconds=60)
    run = await job.atrigger()
    await run.await_for_completion()
    assert await run.afetch_result() == {"load-x": "hello\n"}
    assert core.read_namespaced_pod_log.call_args.kwargs["container"] == "main"
    deletion = batch.delete_namespaced_job.call_args.kwargs
    assert (deletion["name"], deletion["body"]) == ("load", {"propagationPolicy": "Background"})
