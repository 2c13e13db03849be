"""Runs in container groups end as their containers do, say why, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from prefect import get_client
from prefect.exceptions import InfrastructureNotFound
from prefect.states import Cancelling, Running

from prefect_azure.credentials import AzureContainerInstanceCredentials
from prefect_azure.errors import (
    AzureAccessDenied,
    AzureError,
    AzureNotFound,
    AzureQuotaExceeded,
    AzureWaitTimeout,
)
from prefect_azure.workers.container_instance import AzureContainerWorker
from prefect_docker.credentials import DockerRegistryCredentials
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION, AzureApi
from prefect_integration_tests.pool_runs import Started, logs_of, state_of, until

from ._aci import GROUP, SETTINGS, Pool, configured, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")

SECRET = "canary-91bc2"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def api(empty_azure_api: AzureApi) -> AzureApi:
    return empty_azure_api


@pytest.fixture
def pool(prefect_harness: None, api: AzureApi) -> Pool:
    return Pool(api)


@pytest.mark.parametrize("exit_code", [0, 1, 3, 255])
async def test_a_run_has_the_exit_code_of_its_container(pool: Pool, api: AzureApi, exit_code: int) -> None:
    api.play(exit_code=exit_code)
    async with pool.worker() as worker:
        started = Started()
        run = await pool.new_run()
        result = await worker.run(run, pool.configure(run), started)  # type: ignore[arg-type]
    assert result.status_code == exit_code
    assert bool(result) is (exit_code == 0)
    assert result.identifier == started.identifier
    flow_run_id, _, name = result.identifier.partition(":")
    assert flow_run_id == str(run.id)
    assert name.endswith(api.calls_of("Deployments_CreateOrUpdate")[0].name)
    assert api.left_over == []


async def test_the_worker_asks_azure_for_what_the_run_wants(pool: Pool, api: AzureApi) -> None:
    api.play(seconds=None)
    async with pool.worker() as worker:
        run = await pool.new_run()
        configuration = pool.configure(
            run,
            command="echo hello",
            env={"LIST": "[1, 2]", "EXPRESSION": "[resourceGroup().id]", "PREFECT_API_KEY": SECRET},
            cpu=0.5,
            memory=0.5,
        )
        task = asyncio.create_task(worker.run(run, configuration))
        await until(lambda: api.play.running or task.done(), "a container")
        assert not task.done(), task
        name = configuration.container_group_name
        environment = api.environment_of(name)
        group = api.container_group(name)
        api.play.end(name)
        await task
    container = group["properties"]["containers"][0]["properties"]
    assert container["command"] == ["/opt/prefect/entrypoint.sh", "echo", "hello"]
    assert container["resources"]["requests"] == {"cpu": 0.5, "memoryInGB": 0.5}
    assert environment["LIST"] == "[1, 2]"
    assert environment["EXPRESSION"] == "[resourceGroup().id]"
    assert environment["PREFECT_API_KEY"] == SECRET
    assert group["tags"]["prefect-io-flow-run-id"] == str(run.id)
    assert group["location"] == "eastus"
    deployment = api.calls_of("Deployments_CreateOrUpdate")[0].body
    assert SECRET not in json.dumps(deployment["properties"]["template"])


@pytest.mark.parametrize(
    ("exit_code", "reason", "said"),
    [
        (137, "OOMKilled", "raise `memory`"),
        (137, "Error", "killed by SIGKILL"),
        (127, "Error", "The command was not found"),
        (143, "Error", "stopped by SIGTERM"),
        (139, "Error", "SIGSEGV"),
        (2, "Error", "exited with code 2"),
    ],
)
async def test_a_run_that_crashes_says_what_happened_and_what_to_do(
    pool: Pool, api: AzureApi, exit_code: int, reason: str, said: str
) -> None:
    api.play(exit_code=exit_code, reason=reason, lines=["Traceback: boom"])
    async with pool.worker() as worker:
        run, result = await pool.submit(worker)
        assert result.status_code == exit_code
        state = await state_of(run)
        assert state.is_crashed()
        assert said in str(state.message)
        assert "Container group '" in str(state.message)
        await logs_of(run, "Traceback: boom")


async def test_a_run_that_has_reported_its_end_keeps_its_state(pool: Pool, api: AzureApi) -> None:
    from prefect.states import Failed

    api.play(seconds=None, exit_code=1)
    async with pool.worker() as worker:
        run = await pool.new_run()
        task = asyncio.create_task(worker.run(run, pool.configure(run)))
        await until(lambda: api.play.running, "a container")
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Failed(message="own words"), force=True)
        api.play.end(exit_code=1)
        assert (await task).status_code == 1
    assert (await state_of(run)).message == "own words"


# What cannot be started


async def _fails(pool: Pool, error: type[Exception], **variables: Any) -> str:
    async with pool.worker() as worker:
        run = await pool.new_run()
        with pytest.raises(error) as caught:
            await worker.run(run, pool.configure(run, **variables))
    await until(lambda: not pool.api.left_over, "the deletion")
    assert pool.api.play.running == 0
    return str(caught.value)


@pytest.mark.parametrize(
    "script",
    [{"image_problem": True}, {"pull_problem": 'Failed to pull image "no/such:1": manifest unknown'}],
    ids=["when it is made", "later"],
)
async def test_an_image_that_cannot_be_pulled_is_said_with_its_remedy(
    pool: Pool, api: AzureApi, script: dict[str, Any]
) -> None:
    api.play(**script)
    message = await _fails(pool, AzureError, image="no/such:1")
    assert "Container group '" in message
    assert "no/such:1" in message
    assert "Check `image`" in message
    assert "AcrPull" in message


@pytest.mark.parametrize("limit", ["core_quota", "group_quota"])
async def test_a_quota_that_is_used_up_is_said_with_its_remedy(pool: Pool, api: AzureApi, limit: str) -> None:
    setattr(api.settings, limit, 0)
    message = await _fails(pool, AzureError)
    assert "quota" in message.lower()
    assert "higher quota" in message


async def test_a_full_deployment_history_is_said(pool: Pool, api: AzureApi) -> None:
    api.settings.deployment_history = 0
    message = await _fails(pool, AzureQuotaExceeded)
    assert "DeploymentQuotaExceeded" in message


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("Deployments_CreateOrUpdate", "Microsoft.Resources/deployments/write"),
        ("ContainerGroups_Get", "Microsoft.ContainerInstance/containerGroups/read"),
    ],
)
async def test_an_identity_without_permission_is_told_which_action_and_role(
    pool: Pool, api: AzureApi, operation: str, action: str
) -> None:
    api.fail(operation, status=403, times=None)
    async with pool.worker() as worker:
        run = await pool.new_run()
        with pytest.raises(AzureAccessDenied, match=action) as caught:
            await worker.run(run, pool.configure(run))
    assert "role" in str(caught.value)
    assert isinstance(caught.value, PermissionError)
    assert api.groups_started == 0


async def test_a_resource_group_that_does_not_exist_is_said(pool: Pool, api: AzureApi) -> None:
    api.settings.missing_groups = {GROUP}
    message = await _fails(pool, AzureNotFound)
    assert GROUP in message


async def test_a_container_that_does_not_start_in_time_is_deleted(pool: Pool, api: AzureApi) -> None:
    api.settings.create_seconds = 600
    message = await _fails(pool, AzureWaitTimeout, task_start_timeout_seconds=1)
    assert "not running after 1 seconds" in message
    assert "`task_start_timeout_seconds`" in message


async def test_a_template_that_azure_refuses_is_said(pool: Pool, api: AzureApi) -> None:
    template = configured().arm_template
    template["resources"][0]["properties"]["containers"][0]["properties"]["ports"] = [{"port": "[nonsense()]"}]
    message = await _fails(pool, AzureError, arm_template=template)
    assert "nonsense" in message


async def test_refusals_repeat_no_secret(pool: Pool, api: AzureApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api.fail("Deployments_CreateOrUpdate", status=400, message=f"The value '{SECRET}' is not valid.")
    registry = DockerRegistryCredentials(username="me", password=SECRET, registry_url="r.example")
    async with pool.worker() as worker:
        run = await pool.new_run()
        with pytest.raises(AzureError) as caught:
            await worker.run(run, pool.configure(run, image_registry=registry, env={"API_KEY": SECRET}))
    assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text


# Keeping and killing


async def test_a_group_that_is_to_be_kept_stays_and_its_deployment_does_not(pool: Pool, api: AzureApi) -> None:
    async with pool.worker() as worker:
        _, result = await pool.submit(worker, keep_container_group=True)
    name = result.identifier.partition(":")[2]
    assert [group["name"] for group in api.container_groups] == [name]
    assert api.deployments == []


async def _running(pool: Pool, worker: AzureContainerWorker, **variables: Any) -> tuple[Any, Any, asyncio.Task[Any]]:
    run = await pool.new_run()
    configuration = pool.configure(run, **variables)
    started = Started()
    task = asyncio.create_task(worker.run(run, configuration, started))  # type: ignore[arg-type]
    await until(lambda: started.identifier and pool.api.play.running, "a container")
    return started.identifier, configuration, task


FORMS: dict[str, Callable[[str], str]] = {
    "of a worker": lambda pid: pid,
    "name": lambda pid: pid.partition(":")[2],
    "resource": lambda pid: (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/"
        + pid.partition(":")[2]
    ),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_killed_group_is_deleted(pool: Pool, api: AzureApi, form: str) -> None:
    api.play(seconds=None)
    async with pool.worker() as worker:
        identifier, configuration, task = await _running(pool, worker)
        async with pool.worker(name="another") as another:
            await another.kill_infrastructure(FORMS[form](identifier), configuration)
        assert api.left_over == []
        assert api.play.running == 0
        assert (await asyncio.wait_for(task, 30)).status_code != 0


async def test_a_killed_group_that_is_to_be_kept_is_stopped(pool: Pool, api: AzureApi) -> None:
    api.play(seconds=None)
    async with pool.worker() as worker:
        identifier, configuration, task = await _running(pool, worker, keep_container_group=True)
        await worker.kill_infrastructure(identifier, configuration)
        assert api.play.running == 0
        assert api.container_group(identifier.partition(":")[2])
        assert api.calls_of("ContainerGroups_Delete") == []
        await asyncio.wait_for(task, 30)


async def test_a_group_that_does_not_exist_cannot_be_killed(pool: Pool, api: AzureApi) -> None:
    run = await pool.new_run()
    async with pool.worker() as worker:
        for keep in (False, True):
            configuration = pool.configure(run, keep_container_group=keep)
            with pytest.raises(InfrastructureNotFound, match="'gone'"):
                await worker.kill_infrastructure(f"{run.id}:gone", configuration)
        with pytest.raises(ValueError, match="does not name a container group"):
            await worker.kill_infrastructure("a/b", configuration)


async def test_a_cancelled_run_is_stopped_and_its_group_deleted(pool: Pool, api: AzureApi) -> None:
    api.play(seconds=None)
    async with pool.worker() as worker:
        identifier, _, task = await _running(pool, worker)
        run_id = identifier.partition(":")[0]
        async with get_client() as client:
            await client.set_flow_run_state(run_id, Running(), force=True)
            await client.set_flow_run_state(run_id, Cancelling(), force=True)
        await asyncio.wait_for(task, 30)
        async with get_client() as client:
            state = (await client.read_flow_run(run_id)).state
    assert state is not None
    assert state.is_cancelled()
    assert api.left_over == []


async def test_a_run_that_is_cancelled_while_its_image_is_pulled_is_not_started(pool: Pool, api: AzureApi) -> None:
    api.settings.create_seconds = 600
    async with pool.worker() as worker:
        run = await pool.new_run()
        task = asyncio.create_task(worker.run(run, pool.configure(run)))
        await until(lambda: api.container_groups, "a group")
        worker.job_runs.cancel_requested(run.id)
        result = await asyncio.wait_for(task, 30)
    assert (result.identifier, result.status_code) == ("", 0)
    await until(lambda: not api.left_over, "the deletion")


async def test_a_run_whose_group_somebody_deletes_crashes(pool: Pool, api: AzureApi) -> None:
    api.play(seconds=None)
    async with pool.worker() as worker:
        identifier, _, task = await _running(pool, worker)
        api.forget(identifier.partition(":")[2])
        assert (await asyncio.wait_for(task, 30)).status_code == -1
        async with get_client() as client:
            state = (await client.read_flow_run(identifier.partition(":")[0])).state
    assert state is not None
    assert state.is_crashed()
    assert "was deleted before its end was seen" in str(state.message)


# Containers of users' templates


def _with_sidecar() -> dict[str, Any]:
    template = configured().arm_template
    resources = {"requests": {"cpu": 1, "memoryInGB": 1}}
    template["resources"][0]["properties"]["containers"].insert(
        0, {"name": "sidecar", "properties": {"image": "busybox:dev", "resources": resources}}
    )
    return template


@pytest.mark.parametrize("exit_code", [0, 4])
async def test_a_run_ends_with_its_own_container_whatever_runs_beside_it(
    pool: Pool, api: AzureApi, exit_code: int
) -> None:
    api.play(exit_code=exit_code, lines=["of the flow"])
    api.play(container="sidecar", seconds=None, lines=["of the sidecar"])
    async with pool.worker() as worker:
        run, result = await pool.submit(worker, arm_template=_with_sidecar())
        assert result.status_code == exit_code
        if exit_code:
            assert "of the sidecar" not in await logs_of(run, "of the flow")
    assert api.left_over == []


async def test_a_container_with_a_name_of_its_own_is_the_run_s_too(
    pool: Pool, api: AzureApi, capsys: pytest.CaptureFixture[str]
) -> None:
    template = configured().arm_template
    template["resources"][0]["properties"]["containers"][0]["name"] = "main"
    del template["parameters"]["container_name"]
    api.play(container="main", lines=["hello"])
    async with pool.worker() as worker:
        _, result = await pool.submit(worker, arm_template=template, stream_output=True)
    assert result.status_code == 0
    assert "hello\n" in capsys.readouterr().err


# Output


async def test_output_is_printed_without_loss_and_in_order(
    pool: Pool, api: AzureApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.play(seconds=None, lines=["first"])
    lines = [f"line {number}" for number in range(10_000)]
    async with pool.worker() as worker:
        identifier, _, task = await _running(pool, worker, stream_output=True)
        name = identifier.partition(":")[2]
        printed = ""

        def has_printed(text: str) -> bool:
            nonlocal printed
            printed += capsys.readouterr().err
            return text in printed

        await until(lambda: has_printed("first\n"), "the first line")
        api.play.write(name, lines[:5000])
        await until(lambda: has_printed("line 4999\n"), "half of the lines")
        api.play.write(name, lines[5000:])
        api.play.end(name)
        await asyncio.wait_for(task, 60)
    has_printed("")
    assert [line for line in printed.splitlines() if line == "first" or line.startswith("line ")] == ["first", *lines]


@pytest.mark.parametrize("keep", [False, True])
async def test_the_last_lines_are_printed_before_a_group_is_gone(
    pool: Pool, api: AzureApi, capsys: pytest.CaptureFixture[str], keep: bool
) -> None:
    api.play(lines=["one", "two"], exit_code=1)
    async with pool.worker() as worker:
        await pool.submit(worker, stream_output=True, keep_container_group=keep, task_watch_poll_interval=0.3)
    assert "one\ntwo\n" in capsys.readouterr().err


async def test_output_is_not_printed_unless_that_is_asked_for(
    pool: Pool, api: AzureApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.play(lines=["private"])
    async with pool.worker() as worker:
        await pool.submit(worker)
    captured = capsys.readouterr()
    assert "private" not in captured.err + captured.out
    assert api.calls_of("Containers_ListLogs") == []


# Clients and settings


async def test_clients_of_a_block_of_the_user_s_own_are_used(pool: Pool, api: AzureApi) -> None:
    asked: list[tuple[str, str]] = []

    class OwnCredentials(AzureContainerInstanceCredentials):
        _block_type_slug = "own-container-instance-credentials"

        def get_container_client(self, subscription_id: str) -> Any:
            asked.append(("container", subscription_id))
            return api.container_instance_client(subscription_id)

        def get_resource_client(self, subscription_id: str) -> Any:
            asked.append(("resource", subscription_id))
            return api.resource_client(subscription_id)

    run = await pool.new_run()
    configuration = configured(task_watch_poll_interval=0.1)
    configuration.aci_credentials = OwnCredentials()
    configuration.prepare_for_flow_run(run, work_pool=pool.work_pool)
    async with pool.worker() as worker:
        assert (await worker.run(run, configuration)).status_code == 0
    assert sorted(asked) == [("container", SUBSCRIPTION), ("resource", SUBSCRIPTION)]


async def test_a_bad_setting_is_refused_by_its_name(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{SETTINGS}_CALL_DEADLINE_SECONDS", "-1")
    with pytest.raises(ValueError, match="call_deadline_seconds"):
        async with pool.worker():
            pass


async def test_the_time_that_calls_are_repeated_for_is_the_operator_s(
    pool: Pool, api: AzureApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{SETTINGS}_CALL_DEADLINE_SECONDS", "0")
    api.fail("Deployments_CreateOrUpdate", status=503, times=1)
    async with pool.worker() as worker:
        run = await pool.new_run()
        with pytest.raises(AzureError, match="503"):
            await worker.run(run, pool.configure(run))
    assert len(api.calls_of("Deployments_CreateOrUpdate")) == 1
