"""A flow with `@ecs` above it travels through the pool's bucket and runs elsewhere, by the commands of Prefect."""

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

from prefect_aws import AwsCredentials, S3Bucket
from prefect_aws.bundles.execute import execute_bundle_from_s3
from prefect_aws.decorators import ecs
from prefect_aws.errors import AwsBundleRefused
from prefect_aws.workers import ECSWorker
from prefect_integration_kit.waiting import apoll


@flow(name="add", retries=2)
def add(a: int, b: int = 1) -> int:
    return a + b


@flow
async def add_later(a: int) -> int:
    return a + 1


def test_every_option_reaches_the_flow() -> None:
    bound = ecs(
        "pool",
        ["data/"],
        ["python"],
        include_files_base_dir=Path("/shop"),
        cpu=2048,
        vpc_id="vpc-1",
        env={"A": "b"},
    )(add)
    assert isinstance(bound, InfrastructureBoundFlow)
    assert (bound.name, bound.retries, bound.work_pool, bound.worker_cls) == ("add", 2, "pool", ECSWorker)
    assert bound.job_variables == {"cpu": 2048, "vpc_id": "vpc-1", "env": {"A": "b"}}
    assert (bound.include_files, bound.include_files_base_dir) == (["data/"], "/shop")
    assert bound.launcher == {"upload": ["python"], "execution": ["python"]}
    assert inspect.signature(bound) == inspect.signature(add)


def test_options_are_changed_in_a_copy() -> None:
    bound = ecs(work_pool="pool", cpu=256)(add_later)
    other = bound.with_options(job_variables={"cpu": 512}, retries=4)
    assert (other.job_variables, other.retries, other.work_pool, other.worker_cls) == (
        {"cpu": 512},
        4,
        "pool",
        ECSWorker,
    )
    assert (bound.job_variables, bound.isasync) == ({"cpu": 256}, True)


def test_what_is_wrong_is_said_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="@ecs: work_pool is empty"):
        ecs(work_pool="")
    with pytest.raises(TypeError, match=r'Write @ecs\(work_pool="\.\.\."\)'):
        ecs(add)  # pyright: ignore[reportArgumentType] - parentheses forgotten
    with pytest.raises(TypeError, match=r"Put @ecs\(\.\.\.\) above @flow"):
        ecs(work_pool="pool")(add.fn)  # pyright: ignore[reportArgumentType] - in the wrong order


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
def pool(api: None, s3_credentials: AwsCredentials, bucket: S3Bucket) -> str:
    """An ECS work pool whose storage is configured as the documentation says."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.testing.cli import invoke_and_assert

    name = f"ecs-{uuid.uuid4().hex[:8]}"
    template = ECSWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=name, type="ecs", base_job_template=template))
    S3Bucket.register_type_and_schema()
    s3_credentials.save(f"{name}-store")
    launcher = [f"--launcher-arg={argument}" for argument in STRICT_PYTHON[1:]]
    store = ["--bucket", bucket.bucket_name, "--aws-credentials-block-name", f"{name}-store"]
    invoke_and_assert(
        ["work-pool", "storage", "configure", "s3", name, *store, "--launcher", STRICT_PYTHON[0], *launcher],
        expected_code=0,
        expected_output_contains=f"Configured S3 storage for work pool {name!r}",
    )
    return name


def command_of(flow_run_id: uuid.UUID) -> list[str]:
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(flow_run_id)
    return shlex.split((flow_run.job_variables or {})["command"])


@pytest.fixture
def execute(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command as the container of a task does: in an empty folder, with the run's ID."""

    def run(command: list[str], flow_run_id: object) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "task"
        folder.mkdir()
        env = {**os.environ, "PREFECT__FLOW_RUN_ID": str(flow_run_id)}
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=200)

    return run


@in_own_processes
def test_a_submitted_flow_runs_from_the_generated_command_unless_its_bundle_was_changed(
    pool: str, behind: Any, execute: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = tmp_path / "prices"
    prices.mkdir()
    (prices / "bread.txt").write_text("3")
    (prices / "draft.txt").write_text("0")

    @ecs(work_pool=pool, include_files=["*.txt", "!draft.txt"], include_files_base_dir=prices, cpu=512)
    @flow(name=f"sum-{pool}")
    def total(loaves: int) -> tuple[int, list[str]]:
        return loaves * int(Path("bread.txt").read_text()), os.listdir()

    future = total.submit_to_work_pool(loaves=4)
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(future.flow_run_id)
    assert flow_run.job_variables is not None
    assert (future.state.name, flow_run.work_pool_name, flow_run.job_variables["cpu"]) == ("Scheduled", pool, 512)

    command = command_of(future.flow_run_id)
    module, block = "prefect_aws.experimental.bundles.execute", f"{pool}-store"
    options = ["--bucket", behind.bucket, "--aws-credentials-block-name", block]
    assert command[:-1] == [*STRICT_PYTHON, "-m", module, *options, "--key"]
    key = str(uuid.UUID(command[-1]))
    files = [name for name in behind.keys() if name != key]  # noqa: SIM118 - not a dictionary
    assert len(files) == 1
    assert files[0].startswith("files/")

    monkeypatch.chdir(tmp_path)
    stored = behind.client.get_object(Bucket=behind.bucket, Key=key)
    content, metadata = stored["Body"].read(), stored["Metadata"]
    behind.client.put_object(Bucket=behind.bucket, Key=key, Body=content + b" ", Metadata=metadata)
    with pytest.raises(AwsBundleRefused, match=f"s3://{behind.bucket}/{key} is not what was uploaded"):
        execute_bundle_from_s3(behind.bucket, key, block)
    assert not Path("bread.txt").exists()
    assert future.state.is_scheduled()

    behind.client.put_object(Bucket=behind.bucket, Key=key, Body=content, Metadata=metadata)
    done = execute(command, future.flow_run_id)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert future.result(timeout=30) == (12, ["bread.txt"])


# The way through the worker ------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(aws_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A cluster of the emulator, where boto3 finds it. Its tasks start no containers."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", aws_emulator.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", aws_emulator.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws_emulator.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws_emulator.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_ENABLED", "false")
    name = f"cluster-{uuid.uuid4().hex[:8]}"
    return aws_emulator.client("ecs").create_cluster(clusterName=name)["cluster"]["clusterArn"]


def container_of_task(aws_emulator: Any, cluster: str) -> dict[str, Any] | None:
    """What the only task of a cluster runs; `None` while there is none."""
    ecs_client = aws_emulator.client("ecs")
    if not (arns := ecs_client.list_tasks(cluster=cluster)["taskArns"]):
        return None
    (task,) = ecs_client.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    return task["overrides"]["containerOverrides"][0]


@in_own_processes
async def test_a_direct_call_gives_what_the_task_returns(pool: str, cluster: str, aws_emulator: Any) -> None:
    @ecs(work_pool=pool, cluster=cluster)
    @flow(name=f"double-{pool}")
    async def double(number: int) -> int:
        return 2 * number

    async def be_the_container() -> None:
        started = await apoll(
            lambda: to_thread.run_sync(container_of_task, aws_emulator, cluster),
            subject="The task",
            interval_seconds=0.1,
            timeout_seconds=200,
        )
        option = {name: value for name, value in pairwise(started["command"]) if name.startswith("--")}
        block = option["--aws-credentials-block-name"]
        await to_thread.run_sync(execute_bundle_from_s3, option["--bucket"], option["--key"], block)

    async with create_task_group() as group:
        group.start_soon(be_the_container)
        assert await double(21) == 42


@in_own_processes
@pytest.mark.slow
def test_a_submitted_flow_is_started_from_here_and_not_waited_for(
    pool: str, cluster: str, aws_emulator: Any, behind: Any
) -> None:
    bound = ecs(work_pool=pool, cluster=cluster, launcher=STRICT_PYTHON)(add)
    future = bound.submit(1, b=2)
    started = container_of_task(aws_emulator, cluster)
    assert started is not None
    assert {"name": "PREFECT__FLOW_RUN_ID", "value": str(future.flow_run_id)} in started["environment"]
    assert started["command"][: len(STRICT_PYTHON)] == STRICT_PYTHON
    assert behind.keys() == [started["command"][-1]]
    assert not future.state.is_final()
