"""A flow with a decorator above it travels through the pool's bucket and runs elsewhere, by the commands of Prefect."""

from __future__ import annotations

import inspect
import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from anyio import create_task_group, to_thread
from prefect import flow, get_client
from prefect.flows import InfrastructureBoundFlow

from prefect_gcp import GcpCredentials
from prefect_gcp.bundles.execute import execute_bundle_from_gcs
from prefect_gcp.cloud_storage import GcsBucket
from prefect_gcp.decorators import cloud_run, vertex_ai
from prefect_gcp.errors import GcpBundleRefused
from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2
from prefect_gcp.workers.vertex import VertexAIWorker
from prefect_integration_kit.waiting import apoll

DECORATORS: dict[str, tuple[Any, Any]] = {
    "cloud_run": (cloud_run, CloudRunWorkerV2),
    "vertex_ai": (vertex_ai, VertexAIWorker),
}
each = pytest.mark.parametrize("name", DECORATORS)


@flow(name="add", retries=2)
def add(a: int, b: int = 1) -> int:
    return a + b


@flow
async def add_later(a: int) -> int:
    return a + 1


@each
def test_every_option_reaches_the_flow(name: str) -> None:
    decorator, worker = DECORATORS[name]
    bound = decorator(
        "pool",
        ["data/"],
        ["python"],
        include_files_base_dir=Path("/shop"),
        memory="2Gi",
        env={"A": "b"},
    )(add)
    assert isinstance(bound, InfrastructureBoundFlow)
    assert (bound.name, bound.retries, bound.work_pool, bound.worker_cls) == ("add", 2, "pool", worker)
    assert bound.job_variables == {"memory": "2Gi", "env": {"A": "b"}}
    assert (bound.include_files, bound.include_files_base_dir) == (["data/"], "/shop")
    assert bound.launcher == {"upload": ["python"], "execution": ["python"]}
    assert inspect.signature(bound) == inspect.signature(add)


@each
def test_options_are_changed_in_a_copy(name: str) -> None:
    decorator, worker = DECORATORS[name]
    bound = decorator(work_pool="pool", image="a")(add_later)
    other = bound.with_options(job_variables={"image": "b"}, retries=4)
    assert (other.job_variables, other.retries, other.work_pool, other.worker_cls) == (
        {"image": "b"},
        4,
        "pool",
        worker,
    )
    assert (bound.job_variables, bound.isasync) == ({"image": "a"}, True)


@each
def test_what_is_wrong_is_said_where_it_is_written(name: str) -> None:
    decorator, _ = DECORATORS[name]
    with pytest.raises(ValueError, match=f"@{name}: work_pool is empty"):
        decorator(work_pool="")
    with pytest.raises(TypeError, match=rf'Write @{name}\(work_pool="\.\.\."\)'):
        decorator(add)  # parentheses forgotten
    with pytest.raises(TypeError, match=rf"Put @{name}\(\.\.\.\) above @flow"):
        decorator(work_pool="pool")(add.fn)  # in the wrong order
    with pytest.raises(TypeError, match="include_files"):
        decorator("pool", "data/")


# The way through the bucket ------------------------------------------------------------------------------------------

STRICT_PYTHON = [sys.executable, "-W", "error"]
in_own_processes = pytest.mark.timeout(300)  # each imports Prefect, which takes a busy machine its time


@pytest.fixture
def api(prefect_harness: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps run as processes of their own, and find the test server."""
    from prefect.settings import get_current_settings

    monkeypatch.setenv("PREFECT_API_URL", str(get_current_settings().api.url))
    monkeypatch.setenv("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "false")
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)  # which `uv pip freeze` describes


@pytest.fixture
def bucket(gcs_server: Any, gcs_bucket_name: str) -> Any:
    """An empty bucket, by Google's own client."""
    return gcs_server.client().bucket(gcs_bucket_name)


@pytest.fixture
def make_pool(api: None, gcs_server: Any, bucket: Any) -> Callable[[str], str]:
    """Make a work pool of a type, whose storage is configured as the documentation says."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.testing.cli import invoke_and_assert

    def make(decorator: str) -> str:
        worker = DECORATORS[decorator][1]
        name = f"{worker.type}-{uuid.uuid4().hex[:8]}"
        template = worker.get_default_base_job_template()
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=name, type=worker.type, base_job_template=template))
        GcsBucket.register_type_and_schema()
        where = {"storage": gcs_server.endpoint}
        GcpCredentials(project=gcs_server.project, api_endpoints=where).save(f"{name}-store")
        launcher = [f"--launcher-arg={argument}" for argument in STRICT_PYTHON[1:]]
        store = ["--bucket", bucket.name, "--gcp-credentials-block-name", f"{name}-store"]
        invoke_and_assert(
            ["work-pool", "storage", "configure", "gcs", name, *store, "--launcher", STRICT_PYTHON[0], *launcher],
            expected_code=0,
            expected_output_contains=f"Configured GCS storage for work pool {name!r}",
        )
        return name

    return make


def command_of(flow_run_id: uuid.UUID) -> list[str]:
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(flow_run_id)
    command = (flow_run.job_variables or {})["command"]
    return command if isinstance(command, list) else shlex.split(command)


@pytest.fixture
def execute(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command as the container of a job does: in an empty folder, with the run's ID."""

    def run(command: list[str], flow_run_id: object) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / f"job-{uuid.uuid4().hex}"
        folder.mkdir()
        env = {**os.environ, "PREFECT__FLOW_RUN_ID": str(flow_run_id)}
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=200)

    return run


@in_own_processes
@pytest.mark.parametrize("name", ["cloud_run", pytest.param("vertex_ai", marks=pytest.mark.slow)])
def test_a_submitted_flow_runs_from_the_generated_command_unless_its_bundle_was_changed(
    name: str, make_pool: Any, bucket: Any, execute: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(name)
    prices = tmp_path / "prices"
    prices.mkdir()
    (prices / "bread.txt").write_text("3")
    (prices / "draft.txt").write_text("0")

    @DECORATORS[name][0](
        work_pool=pool, include_files=["*.txt", "!draft.txt"], include_files_base_dir=prices, image="i"
    )
    @flow(name=f"sum-{pool}", persist_result=True)
    def total(loaves: int) -> tuple[int, list[str]]:
        return loaves * int(Path("bread.txt").read_text()), os.listdir()

    future = total.submit_to_work_pool(loaves=4)
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(future.flow_run_id)
    assert flow_run.job_variables is not None
    assert (future.state.name, flow_run.work_pool_name, flow_run.job_variables["image"]) == ("Scheduled", pool, "i")

    command = command_of(future.flow_run_id)
    module, block = "prefect_gcp.experimental.bundles.execute", f"{pool}-store"
    options = ["--bucket", bucket.name, "--gcp-credentials-block-name", block]
    assert command[:-1] == [*STRICT_PYTHON, "-m", module, *options, "--key"]
    key = str(uuid.UUID(command[-1]))  # random, so nobody can guess it
    files = [blob.name for blob in bucket.list_blobs() if blob.name != key]
    assert len(files) == 1
    assert files[0].startswith("files/")

    monkeypatch.chdir(tmp_path)
    stored = bucket.get_blob(key)
    content = stored.download_as_bytes()
    changed = bucket.blob(key)
    changed.metadata = stored.metadata
    changed.upload_from_string(content + b" ")
    with pytest.raises(GcpBundleRefused, match=f"gs://{bucket.name}/{key} is not what was uploaded"):
        execute_bundle_from_gcs(bucket.name, key, block)
    assert not Path("bread.txt").exists()
    assert future.state.is_scheduled()

    changed.upload_from_string(content)
    done = execute(command, future.flow_run_id)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert future.result(timeout=30) == (12, ["bread.txt"])
    assert bucket.blob(key).exists()  # a retry in the UI needs it

    execute_bundle_from_gcs(bucket.name, key, block, delete_after_run=True)  # delivered once more
    assert not Path("bread.txt").exists()
    assert not bucket.blob(key).exists()
    assert bucket.blob(files[0]).exists()  # others may share it


@in_own_processes
@pytest.mark.slow
def test_a_bundle_that_is_delivered_twice_runs_once_and_stays_unless_told_otherwise(
    make_pool: Any, bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool("cloud_run")
    count = tmp_path / "count"

    @cloud_run(work_pool=pool)
    @flow(name=f"count-{pool}")
    def note() -> None:
        with count.open("a") as file:
            file.write("x")

    future = note.submit_to_work_pool()
    (key,) = [blob.name for blob in bucket.list_blobs()]
    monkeypatch.chdir(tmp_path)
    for is_last in (False, False, True):
        execute_bundle_from_gcs(bucket.name, key, f"{pool}-store", delete_after_run=is_last)
        assert count.read_text() == "x"
        assert bucket.blob(key).exists() is not is_last
    future.wait(timeout=30)
    assert future.state.is_completed()


# The way through the worker ------------------------------------------------------------------------------------------


@in_own_processes
@pytest.mark.slow
async def test_a_direct_call_gives_what_the_job_returns(
    make_pool: Any, empty_google_api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await to_thread.run_sync(make_pool, "cloud_run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_V2_WORKER_POLL_INTERVAL_SECONDS", "0.1")
    empty_google_api.play(seconds=None)  # the container is played below
    endpoints = {"run": empty_google_api.endpoint, "logging": empty_google_api.endpoint}
    credentials = {"project": "test-project", "api_endpoints": endpoints}

    @cloud_run(work_pool=pool, region="us-central1", image="shop-flows:may", credentials=credentials)
    @flow(name=f"double-{pool}")
    async def double(number: int) -> int:
        return 2 * number

    async def command_of_the_job() -> list[str] | None:
        if not empty_google_api.run.running:
            return None
        (created,) = empty_google_api.calls_of("run.projects.locations.jobs.create")
        (container,) = created.body["template"]["template"]["containers"]
        return [*container.get("command", []), *container.get("args", [])]

    async def be_the_container() -> None:
        command = await apoll(command_of_the_job, subject="The job", interval_seconds=0.1, timeout_seconds=200)
        option = {name: value for name, value in pairwise(command) if name.startswith("--")}
        block = option["--gcp-credentials-block-name"]
        await to_thread.run_sync(execute_bundle_from_gcs, option["--bucket"], option["--key"], block)
        empty_google_api.run.end()

    async with create_task_group() as group:
        group.start_soon(be_the_container)
        assert await double(21) == 42


@in_own_processes
@pytest.mark.slow
def test_a_job_that_cannot_be_made_crashes_the_run_with_its_cause(make_pool: Any, empty_google_api: Any) -> None:
    pool = make_pool("cloud_run")
    empty_google_api.fail("run.projects.locations.jobs.create", 403, times=None)
    endpoints = {"run": empty_google_api.endpoint, "logging": empty_google_api.endpoint}
    credentials = {"project": "test-project", "api_endpoints": endpoints}
    bound = cloud_run(work_pool=pool, region="us-central1", image="shop-flows:may", credentials=credentials)(add)
    future = bound.submit(1)
    future.wait(timeout=60)
    assert future.state.is_crashed()
    assert "run.jobs.create" in str(future.state.message)
    assert not empty_google_api.run.jobs
