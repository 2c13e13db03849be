"""A worker takes the client that a test of flows puts in the place of `docker.from_env`, and no engine is needed."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import docker
import pytest
from docker.errors import APIError, ImageNotFound, NotFound
from prefect.events.worker import EventsWorker
from prefect.exceptions import InfrastructureNotFound

from prefect_docker import DockerRegistryCredentials
from prefect_docker.errors import DockerError
from prefect_integration_tests.pool_runs import state_of

from ._runs import Pool

ADDRESS = "http+docker://my-engine"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_POLL_INTERVAL_SECONDS", "0.05")


@pytest.fixture
def container() -> Any:
    container = MagicMock(id="c0ffee", status="exited", attrs={})
    container.name = "my-run"
    container.wait.return_value = {"StatusCode": 0}
    container.logs.return_value = b"2026-01-01T00:00:00.000000000Z hello\n"
    return container


@pytest.fixture
def client(container: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What tests of flows have: the SDK's objects, and an address."""
    client = MagicMock(spec=docker.DockerClient)
    client.api = MagicMock(base_url=ADDRESS)
    client.version.return_value = {"Version": "20.10"}
    client.containers.create.return_value = container
    client.containers.get.return_value = container
    monkeypatch.setattr(docker, "from_env", lambda: client)
    return client


@pytest.fixture
def pool(prefect_harness: None) -> Pool:
    return Pool("my-image")


async def test_a_run_is_created_started_and_awaited(
    client: Any, container: Any, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    async with pool.worker() as worker:
        _, result = await pool.submit(worker, name="my-run", volumes=["a:/b"], env={"A": "1"}, auto_remove=True)
    assert (result.identifier, result.status_code) == (f"{ADDRESS}:c0ffee", 0)
    client.images.pull.assert_called_once_with("my-image", "latest")
    options = client.containers.create.call_args.kwargs
    assert (options["image"], options["name"], options["volumes"]) == ("my-image", "my-run", ["a:/b"])
    assert options["environment"]["A"] == "1"
    container.start.assert_called_once_with()
    container.remove.assert_called_once()
    assert "hello" in capsys.readouterr().out


async def test_a_bare_mock_will_do(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "from_env", MagicMock())
    async with pool.worker() as worker:
        _, result = await pool.submit(worker)
    assert result.status_code == 0


async def test_an_exit_code_is_the_runs(client: Any, container: Any, pool: Pool) -> None:
    container.wait.return_value = {"StatusCode": 9}
    async with pool.worker() as worker:
        flow_run, result = await pool.submit(worker)
    assert result.status_code == 9
    assert (await state_of(flow_run)).is_crashed()


@pytest.mark.parametrize("taken", [0, 1, 5])
async def test_a_name_that_is_taken_gets_a_number(taken: int, client: Any, container: Any, pool: Pool) -> None:
    conflict = APIError("Conflict. The container name 'my-run' is already in use")
    client.containers.create.side_effect = [conflict] * taken + [container]
    async with pool.worker() as worker:
        await pool.submit(worker, name="my-run")
    names = [call.kwargs["name"] for call in client.containers.create.call_args_list]
    assert names == ["my-run", *(f"my-run-{number}" for number in range(1, taken + 1))]


async def test_a_refusal_to_start_is_an_error_and_leaves_nothing(client: Any, container: Any, pool: Pool) -> None:
    container.start.side_effect = APIError("no such command")
    async with pool.worker() as worker:
        with pytest.raises(DockerError, match="no such command"):
            await pool.submit(worker)
    assert container.remove.call_args.kwargs["force"] is True


@pytest.mark.parametrize(
    ("policy", "pulls"), [("Never", False), ("IfNotPresent", True), ("Always", True)], ids=lambda value: str(value)
)
async def test_the_policy_says_whether_to_pull(policy: str, pulls: bool, client: Any, pool: Pool) -> None:
    client.images.get.side_effect = ImageNotFound("none") if policy == "IfNotPresent" else None
    async with pool.worker() as worker:
        await pool.submit(worker, image="registry.acme.io/shop/etl:7", image_pull_policy=policy)
    assert [call.args for call in client.images.pull.call_args_list] == [("registry.acme.io/shop/etl", "7")] * pulls


async def test_a_stand_in_is_logged_in(client: Any, pool: Pool) -> None:
    block = DockerRegistryCredentials(username="me", password="p", registry_url="registry.acme.io")
    async with pool.worker() as worker:
        await pool.submit(worker, registry_credentials=block, image_pull_policy="Always")
    client.login.assert_called_once()
    assert client.login.call_args.kwargs["username"] == "me"


async def test_a_container_is_stopped_by_its_identifier(client: Any, container: Any, pool: Pool) -> None:
    async with pool.worker() as worker:
        await worker.kill_infrastructure(f"{ADDRESS}:c0ffee", pool.configured(), grace_seconds=7)
        client.containers.get.assert_called_with("c0ffee")
        container.stop.assert_called_once_with(timeout=7)
        client.containers.get.side_effect = NotFound("gone")
        with pytest.raises(InfrastructureNotFound, match="does not have it"):
            await worker.kill_infrastructure(f"{ADDRESS}:c0ffee", pool.configured())


async def test_each_status_of_a_container_is_an_event(client: Any, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    monkeypatch.setattr(EventsWorker, "send", lambda self, *items: events.extend(items))
    async with pool.worker() as worker:
        flow_run, _ = await pool.submit(worker)
    events = [event for event in events if event.event.startswith("prefect.docker.container.")]
    assert [event.event.rpartition(".")[2] for event in events] == ["created", "running", "exited"]
    assert [event.follows for event in events] == [None, events[0].id, events[1].id]
    for event in events:
        assert (event.resource.id, event.resource.name) == ("prefect.docker.container.c0ffee", "my-run")
        related = {resource.role: resource.id for resource in event.related}
        assert related["flow-run"] == f"prefect.flow-run.{flow_run.id}"
        assert related["worker"].startswith("prefect.worker.docker.")
