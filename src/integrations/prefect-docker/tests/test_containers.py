"""Containers are created, started, read, stopped and removed on the engine that is meant."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import docker
import pytest
from prefect import flow
from pydantic import PrivateAttr

from prefect_docker import DockerHost
from prefect_docker.containers import (
    create_docker_container,
    get_docker_container_logs,
    remove_docker_container,
    start_docker_container,
    stop_docker_container,
)
from prefect_docker.errors import (
    DockerConflict,
    DockerError,
    DockerImageNotFound,
    DockerInvalidRequest,
    DockerNotFound,
    DockerUnavailable,
)
from prefect_integration_kit.waiting import poll

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture
def name(docker_client: Any) -> Any:
    """A name for a container, which is removed at the end."""
    name = f"test-{uuid.uuid4().hex}"
    yield name
    for container in docker_client.containers.list(all=True, filters={"name": name}):
        container.remove(force=True, v=True)


class TestLifeOfAContainer:
    async def test_an_async_flow_leads_a_container_through_its_life(
        self, engine: Any, busybox_image: str, name: str, docker_client: Any, prefect_harness: None
    ) -> None:
        @flow
        async def life() -> tuple[str, str]:
            made = await create_docker_container(
                busybox_image, ["sh", "-c", "echo $WORD; sleep 60"], name, environment={"WORD": "hello"}
            )
            started = await start_docker_container(made.id)
            assert started.status == "running"
            said = poll(
                lambda: docker_client.containers.get(name).logs() or None,
                subject="output",
                interval_seconds=0.05,
                timeout_seconds=30,
            )
            assert said
            logs = await get_docker_container_logs(made.id)
            stopped = await stop_docker_container(made.id, timeout=0)
            await remove_docker_container(made.id)
            return logs, stopped.status

        assert await life() == ("hello\n", "exited")
        with pytest.raises(docker.errors.NotFound):
            docker_client.containers.get(name)

    def test_a_sync_flow_does_so_without_await(
        self, engine: Any, busybox_image: str, name: str, prefect_harness: None
    ) -> None:
        @flow
        def life() -> str:
            made = create_docker_container(image=busybox_image, command="echo 'hello world!'", name=name)
            start_docker_container(container_id=made.short_id)
            logs = get_docker_container_logs(container_id=made.id, follow=True)
            stop_docker_container(container_id=name)
            remove_docker_container(container_id=name, v=True)
            return logs

        assert life() == "hello world!\n"


class TestCreate:
    async def test_what_is_asked_for_reaches_the_container(
        self, engine: Any, busybox_image: str, name: str, docker_client: Any
    ) -> None:
        made = await create_docker_container.fn(
            busybox_image,
            ["-c", "exit 3"],
            name,
            detach=True,
            entrypoint=["sh"],
            environment=["A=1"],
            labels={"shop": "yes"},
            mem_limit="32m",
        )
        config = docker_client.containers.get(made.id).attrs
        assert config["Config"]["Entrypoint"] == ["sh"]
        assert config["Config"]["Cmd"] == ["-c", "exit 3"]
        assert "A=1" in config["Config"]["Env"]
        assert config["Config"]["Labels"]["shop"] == "yes"
        assert config["HostConfig"]["Memory"] == 32 * 1024 * 1024
        assert config["State"]["Status"] == "created"

    async def test_an_image_that_is_not_there_is_named_with_the_remedy(self, engine: Any) -> None:
        with pytest.raises(DockerImageNotFound, match=r"'absent:1'.*Pull or build the image first") as caught:
            await create_docker_container.fn("absent:1")
        assert isinstance(caught.value, docker.errors.ImageNotFound)

    async def test_a_name_that_is_taken_is_a_conflict(self, engine: Any, busybox_image: str, name: str) -> None:
        await create_docker_container.fn(busybox_image, name=name)
        with pytest.raises(DockerConflict, match=f"Container '{name}'") as caught:
            await create_docker_container.fn(busybox_image, name=name)
        assert caught.value.response.status_code == 409  # pyright: ignore[reportAttributeAccessIssue]

    async def test_what_the_engine_does_not_take_is_an_invalid_request(self, engine: Any, busybox_image: str) -> None:
        with pytest.raises(DockerInvalidRequest) as caught:
            await create_docker_container.fn(busybox_image, name="no/slashes")
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, docker.errors.APIError)


@pytest.mark.parametrize(
    "operation", [get_docker_container_logs, start_docker_container, stop_docker_container, remove_docker_container]
)
async def test_a_container_that_is_not_there_is_named(operation: Any, engine: Any) -> None:
    with pytest.raises(DockerNotFound, match="Container 'absent'") as caught:
        await operation.fn("absent")
    assert isinstance(caught.value, LookupError)
    assert isinstance(caught.value, docker.errors.NotFound)


async def test_the_engine_of_the_block_is_used(
    docker_engine: Any, new_container: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    container = new_container(["true"])
    host = DockerHost(base_url=docker_engine.socket_url)
    assert (await start_docker_container.fn(container.id, host)).id == container.id
    with pytest.raises(DockerUnavailable):
        await start_docker_container.fn(container.id)


async def test_a_container_that_cannot_start_says_why(engine: Any, new_container: Callable[..., Any]) -> None:
    container = new_container(["/no/such/program"])
    with pytest.raises(DockerError, match="/no/such/program"):
        await start_docker_container.fn(container.id)


async def test_a_container_that_runs_is_removed_by_force_only(engine: Any, new_container: Callable[..., Any]) -> None:
    container = new_container(["sleep", "60"])
    container.start()
    with pytest.raises(DockerConflict):
        await remove_docker_container.fn(container.id)
    await remove_docker_container.fn(container.id, force=True)


async def test_a_container_that_removes_itself_can_be_stopped(engine: Any, new_container: Callable[..., Any]) -> None:
    container = new_container(["sleep", "60"], auto_remove=True)
    container.start()
    assert (await stop_docker_container.fn(container.id, timeout=0)).id == container.id


async def test_starting_and_stopping_twice_is_the_same_as_once(engine: Any, new_container: Callable[..., Any]) -> None:
    container = new_container(["sleep", "60"])
    for _ in range(2):
        assert (await start_docker_container.fn(container.id)).status == "running"
    for _ in range(2):
        assert (await stop_docker_container.fn(container.id, timeout=0)).status == "exited"


class TestLogs:
    async def test_both_streams_are_read_and_odd_bytes_replaced(
        self, engine: Any, new_container: Callable[..., Any]
    ) -> None:
        container = new_container(["sh", "-c", r"printf 'a\377'; printf b >&2"])
        container.start()
        container.wait(timeout=30)
        logs = await get_docker_container_logs.fn(container.id)
        assert sorted(logs) == ["a", "b", "\ufffd"]
        assert await get_docker_container_logs.fn(container.id, stdout=False) == "b"

    async def test_logs_that_come_in_pieces_are_one_text(self, engine: Any, new_container: Callable[..., Any]) -> None:
        container = new_container(["sh", "-c", "for i in 1 2 3; do echo $i; done"])
        container.start()
        assert await get_docker_container_logs.fn(container.id, stream=True, follow=True) == "1\n2\n3\n"

    async def test_a_container_may_be_silent_for_longer_than_the_time_out(
        self, engine: Any, new_container: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_CLIENT_TIMEOUT", "0.5")
        container = new_container(["sh", "-c", "sleep 1.5; echo done"])
        container.start()
        assert await get_docker_container_logs.fn(container.id, follow=True) == "done\n"


async def test_the_event_loop_is_not_blocked(engine: Any, new_container: Callable[..., Any]) -> None:
    seen: set[int] = set()
    original = docker.models.containers.Container.logs

    def spy(self: Any, **options: Any) -> Any:
        seen.add(threading.get_ident())
        return original(self, **options)

    container = new_container(["true"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docker.models.containers.Container, "logs", spy)
        await get_docker_container_logs.fn(container.id)
    assert seen
    assert threading.get_ident() not in seen


class OwnHost(DockerHost):
    """A host whose clients are the test's."""

    _block_type_name = "Own Docker Host"
    _client: Any = PrivateAttr(default=None)

    def get_client(self) -> Any:
        return self._client


def _replace(kind: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "method":
        monkeypatch.setattr(DockerHost, "get_client", lambda self: client)
    else:
        owner = docker.DockerClient if kind == "class method" else docker
        monkeypatch.setattr(owner, "from_env", lambda **options: client)


@pytest.mark.parametrize("kind", ["subclass", "stand-in", "method", "from_env", "class method", "block"])
async def test_a_client_of_the_callers_own_is_used(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MagicMock()
    client.__enter__.return_value = client
    client.containers.get.return_value.logs.return_value = b"hello"
    host: Any = None
    if kind == "subclass":
        host = OwnHost()
        host._client = client
    elif kind == "stand-in":
        host = MagicMock(spec=DockerHost, **{"get_client.return_value": client})
    else:
        _replace(kind, client, monkeypatch)
        host = DockerHost(timeout=30) if kind == "block" else None
    assert await create_docker_container.fn("alpine", docker_host=host) is client.containers.create.return_value
    client.containers.create.assert_called_once_with(
        image="alpine", command=None, name=None, detach=None, entrypoint=None, environment=None
    )
    assert await get_docker_container_logs.fn("c157", docker_host=host) == "hello"
