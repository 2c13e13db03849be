"""A flow with a decorator above it travels through the pool's container and runs elsewhere, by Prefect's commands."""

from __future__ import annotations

import asyncio
import inspect
import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from anyio import create_task_group, to_thread
from prefect import flow, get_client
from prefect.flows import InfrastructureBoundFlow

from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.blob_storage import AzureBlobStorageContainer
from prefect_azure.bundles.execute import execute_bundle_from_azure_blob_storage
from prefect_azure.decorators import azure_container_app_job, azure_container_instance
from prefect_azure.errors import AzureBundleRefused
from prefect_azure.workers.container_apps import AzureContainerAppJobWorker
from prefect_azure.workers.container_instance import AzureContainerWorker
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION

if TYPE_CHECKING:
    from prefect_integration_tests.backends.azure_api import AzureApi
    from prefect_integration_tests.backends.azure_identity import AzureIdentity
    from prefect_integration_tests.backends.azurite import Azurite

DECORATORS: dict[str, tuple[Any, Any]] = {
    "azure_container_instance": (azure_container_instance, AzureContainerWorker),
    "azure_container_app_job": (azure_container_app_job, AzureContainerAppJobWorker),
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
        memory=2.0,
        env={"A": "b"},
    )(add)
    assert isinstance(bound, InfrastructureBoundFlow)
    assert (bound.name, bound.retries, bound.work_pool, bound.worker_cls) == ("add", 2, "pool", worker)
    assert bound.job_variables == {"memory": 2.0, "env": {"A": "b"}}
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


# The way through the container ---------------------------------------------------------------------------------------

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
def bucket(azurite: Azurite, azure_container: str) -> Any:
    """An empty container, by Azure's own client."""
    return azurite.client().get_container_client(azure_container)


@pytest.fixture
def make_pool(api: None, azurite: Azurite, azure_container: str) -> Callable[[str], str]:
    """Make a work pool of a type, whose storage is configured as the documentation says."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.testing.cli import invoke_and_assert

    def make(decorator: str) -> str:
        worker = DECORATORS[decorator][1]
        name = f"{worker.type}-{uuid.uuid4().hex[:8]}"
        template = worker.get_default_base_job_template()
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=name, type=worker.type, base_job_template=template))
        AzureBlobStorageContainer.register_type_and_schema()
        AzureBlobStorageCredentials(connection_string=azurite.connection_string).save(f"{name}-store")
        launcher = [f"--launcher-arg={argument}" for argument in STRICT_PYTHON[1:]]
        store = ["--container", azure_container, "--azure-blob-storage-credentials-block-name", f"{name}-store"]
        command = ["work-pool", "storage", "configure", "azure-blob-storage", name, *store]
        invoke_and_assert(
            [*command, "--launcher", STRICT_PYTHON[0], *launcher],
            expected_code=0,
            expected_output_contains=f"Configured Azure Blob Storage for work pool {name!r}",
        )
        return name

    return make


def command_of(flow_run_id: uuid.UUID) -> list[str]:
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(flow_run_id)
    command = (flow_run.job_variables or {})["command"]
    return command if isinstance(command, list) else shlex.split(command)


def run_bundle(container: str, key: str, block: str, **options: Any) -> None:
    asyncio.run(execute_bundle_from_azure_blob_storage(container, key, block, **options))


@pytest.fixture
def execute(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command as the container of a run does: in an empty folder, with the run's ID."""

    def run(command: list[str], flow_run_id: object) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / f"job-{uuid.uuid4().hex}"
        folder.mkdir()
        env = {**os.environ, "PREFECT__FLOW_RUN_ID": str(flow_run_id)}
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=200)

    return run


@in_own_processes
@pytest.mark.parametrize(
    "name", ["azure_container_instance", pytest.param("azure_container_app_job", marks=pytest.mark.slow)]
)
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
    container, block = bucket.container_name, f"{pool}-store"
    key = str(uuid.UUID(command[command.index("--key") + 1]))  # random, so nobody can guess it
    assert command[:5] == [*STRICT_PYTHON, "-m", "prefect_azure.experimental.bundles.execute"]
    rest = command[5:]
    assert dict(zip(rest[::2], rest[1::2], strict=True)) == {
        "--container": container,
        "--azure-blob-storage-credentials-block-name": block,
        "--key": key,
    }
    files = [found for found in bucket.list_blob_names() if found != key]
    assert len(files) == 1
    assert files[0].startswith("files/")

    monkeypatch.chdir(tmp_path)
    stored = bucket.get_blob_client(key)
    content, metadata = stored.download_blob().readall(), stored.get_blob_properties().metadata
    stored.upload_blob(content + b" ", metadata=metadata, overwrite=True)
    with pytest.raises(AzureBundleRefused, match=f"azure://{container}/{key} is not what was uploaded"):
        run_bundle(container, key, block)
    assert not Path("bread.txt").exists()
    assert future.state.is_scheduled()

    stored.upload_blob(content, metadata=metadata, overwrite=True)
    done = execute(command, future.flow_run_id)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert future.result(timeout=30) == (12, ["bread.txt"])
    assert stored.exists()  # a retry in the UI needs it

    run_bundle(container, key, block, delete_after_run=True)  # delivered once more
    assert not Path("bread.txt").exists()
    assert not stored.exists()
    assert bucket.get_blob_client(files[0]).exists()  # others may share it


@in_own_processes
@pytest.mark.slow
def test_a_bundle_that_is_delivered_twice_runs_once_and_stays_unless_told_otherwise(
    make_pool: Any, bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool("azure_container_instance")
    count = tmp_path / "count"

    @azure_container_instance(work_pool=pool)
    @flow(name=f"count-{pool}")
    def note() -> None:
        with count.open("a") as file:
            file.write("x")

    future = note.submit_to_work_pool()
    (key,) = list(bucket.list_blob_names())
    monkeypatch.chdir(tmp_path)
    for is_last in (False, False, True):
        run_bundle(bucket.container_name, key, f"{pool}-store", delete_after_run=is_last)
        assert count.read_text() == "x"
        assert bucket.get_blob_client(key).exists() is not is_last
    future.wait(timeout=30)
    assert future.state.is_completed()


# The way through the worker ------------------------------------------------------------------------------------------


@pytest.fixture
def job_variables(
    azure_identity: AzureIdentity, empty_azure_api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Where container groups are made, and who makes them."""
    azure_identity.reset()
    for name, value in azure_identity.trust_environment().items():
        monkeypatch.setenv(name, value)
    application = azure_identity.application("decorated")
    credentials = {
        "tenant_id": azure_identity.tenant_id,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "endpoints": {"arm": empty_azure_api.endpoint},
    }
    return {
        "resource_group_name": "shop",
        "subscription_id": SUBSCRIPTION,
        "image": "shop-flows:may",
        "aci_credentials": credentials,
        "task_watch_poll_interval": 0.1,
    }


@in_own_processes
@pytest.mark.slow
async def test_a_direct_call_gives_what_the_container_returns(
    make_pool: Any,
    empty_azure_api: AzureApi,
    job_variables: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = await to_thread.run_sync(make_pool, "azure_container_instance")
    monkeypatch.chdir(tmp_path)
    empty_azure_api.play(seconds=None)  # the container is played below

    @azure_container_instance(work_pool=pool, **job_variables)
    @flow(name=f"double-{pool}")
    async def double(number: int) -> int:
        return 2 * number

    async def command_of_the_container() -> list[str] | None:
        if not empty_azure_api.play.running:
            return None
        (created,) = empty_azure_api.container_groups
        (container,) = created["properties"]["containers"]
        return shlex.split(" ".join(container["properties"]["command"]))

    async def be_the_container() -> None:
        command = await apoll(
            command_of_the_container, subject="The container", interval_seconds=0.1, timeout_seconds=200
        )
        option = {name: value for name, value in pairwise(command) if name.startswith("--")}
        block = option["--azure-blob-storage-credentials-block-name"]
        await execute_bundle_from_azure_blob_storage(option["--container"], option["--key"], block)
        (created,) = empty_azure_api.container_groups
        empty_azure_api.play.end(created["name"])

    async with create_task_group() as group:
        group.start_soon(be_the_container)
        assert await double(21) == 42
    assert empty_azure_api.left_over == []


@in_own_processes
@pytest.mark.slow
def test_a_container_that_cannot_be_made_crashes_the_run_with_its_cause(
    make_pool: Any, empty_azure_api: AzureApi, job_variables: dict[str, Any]
) -> None:
    pool = make_pool("azure_container_instance")
    empty_azure_api.fail("Deployments_*", status=403, times=None)
    bound = azure_container_instance(work_pool=pool, **job_variables)(add)
    future = bound.submit(1)
    future.wait(timeout=60)
    assert future.state.is_crashed()
    assert "Microsoft.Resources/deployments" in str(future.state.message)
    assert empty_azure_api.left_over == []
