"""Runs of the worker in real containers: what they ask for, how they end, and what Prefect is told."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from prefect import get_client
from prefect.exceptions import InfrastructureNotFound
from prefect.states import Cancelling, Completed, Paused, Running, Scheduled
from pydantic import ValidationError

from prefect_docker import DockerHost
from prefect_docker.errors import DockerError, DockerNotFound, DockerUnavailable, ImagePullFailed
from prefect_docker.worker import DockerWorker, DockerWorkerResult
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.pool_runs import Started, state_of

from ._runs import Pool, states_of

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("engine", "swept")]


@pytest.fixture
def pool(prefect_harness: None, busybox_image: str) -> Pool:
    return Pool(busybox_image)


@pytest.fixture
def swept(pool: Pool, docker_client: Any) -> Iterator[None]:
    """Containers of the pool are removed at the end."""
    yield
    for container in containers_of(docker_client, pool):
        with contextlib.suppress(Exception):
            container.remove(force=True, v=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WATCH_INTERVAL_SECONDS": "0.2", "STOP_GRACE_SECONDS": "0"}.items():
        monkeypatch.setenv(f"PREFECT_INTEGRATIONS_DOCKER_WORKER_{name}", value)


@pytest.fixture
def shaky_engine(docker_engine: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The engine over a line that can break."""
    from prefect_integration_tests.backends.docker_front import DockerFront
    from prefect_integration_tests.backends.faults import FaultProxy

    with DockerFront.start(docker_engine, tls=False) as front:
        host, _, port = front.base_url.removeprefix("tcp://").partition(":")
        with FaultProxy(host, int(port)) as proxy:
            monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}:{proxy.port}")
            yield proxy


@pytest.fixture
def private_image(docker_engine: Any, docker_registry: Any, docker_client: Any, busybox_image: str) -> Iterator[str]:
    """An image that is in a registry which wants a login, and not on the engine."""
    name = docker_registry.new_name()
    docker_registry.push(docker_engine, busybox_image, name)
    yield name
    docker_client.images.remove(name, force=True)


def containers_of(docker_client: Any, pool: Pool) -> list[Any]:
    return docker_client.containers.list(all=True, filters={"label": f"io.prefect.work-pool-name={pool.name}"})


async def run(pool: Pool, worker: DockerWorker, command: str, **variables: Any) -> tuple[Any, DockerWorkerResult]:
    flow_run = await pool.new_run()
    configuration = pool.configure(flow_run, command=command, **variables)
    return flow_run, await worker.run(flow_run, configuration, Started())


@contextlib.asynccontextmanager
async def running(pool: Pool, worker: DockerWorker, command: str, **variables: Any) -> Any:
    """A run whose container is running; its task is cancelled at the end."""
    flow_run = await pool.new_run()
    status = Started()
    task = asyncio.create_task(worker.run(flow_run, pool.configure(flow_run, command=command, **variables), status))

    async def look() -> str | None:
        if task.done():
            task.result()
        return status.identifier or None

    await apoll(look, subject="the container", interval_seconds=0.02, timeout_seconds=30)
    try:
        yield flow_run, status.identifier, task
    finally:
        task.cancel()
        await asyncio.wait([task])


# How containers end --------------------------------------------------------------------------------------------------


async def test_a_container_that_fails_gives_its_exit_code_its_output_and_one_crash_with_the_cause(
    pool: Pool, docker_engine: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with pool.worker() as worker:
        flow_run, result = await run(pool, worker, "sh -c 'echo said; echo moaned >&2; exit 3'")
        await worker._propose_crashed_state(flow_run, "the word of Prefect's own worker")
    assert result.status_code == 3
    assert not result
    assert result.identifier.startswith(f"{docker_engine.socket_url}:")
    assert len(result.identifier.rpartition(":")[2]) == 64
    assert sorted(capsys.readouterr().out.split()) == ["moaned", "said"]
    crashes = [state for state in await states_of(flow_run) if state.is_crashed()]
    assert [state.message for state in crashes] == [f"Container '{flow_run.name}' exited with code 3."]
    assert "The last output of container" in caplog.text
    assert "moaned" in caplog.text


async def test_a_container_that_runs_out_of_memory_crashes_its_run_with_the_limit(pool: Pool) -> None:
    async with pool.worker() as worker:
        flow_run, result = await run(pool, worker, "tail /dev/zero", mem_limit="16m", memswap_limit="16m")
    assert result.status_code == 137
    state = await state_of(flow_run)
    assert state.is_crashed()
    assert "ran out of memory" in str(state.message)
    assert "16 MiB" in str(state.message)


async def test_a_container_that_ends_well_without_a_report_crashes_its_run_after_the_grace(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_REPORT_GRACE_SECONDS", "1")
    async with pool.worker() as worker:
        flow_run, result = await run(pool, worker, "true")
        assert result
        assert (await state_of(flow_run)).is_pending()

        async def crashed() -> str | None:
            state = await state_of(flow_run)
            return state.message if state.is_crashed() else None

        said = await apoll(crashed, subject="the crash", interval_seconds=0.1, timeout_seconds=30)
    assert "ended without reporting" in said


async def test_a_run_that_needs_no_container_keeps_its_state(pool: Pool) -> None:
    async with pool.worker() as worker, contextlib.AsyncExitStack() as stack, get_client() as client:
        states = (Paused(), Scheduled(), Completed())
        runs = [await stack.enter_async_context(running(pool, worker, "sleep 600")) for _ in states]
        for (run, pid, task), state in zip(runs, states, strict=True):
            await client.set_flow_run_state(run.id, state, force=True)
            await worker.kill_infrastructure(pid, pool.configure(run), grace_seconds=0)
            assert (await task).status_code == 137
            await worker._propose_crashed_state(run, "the word of Prefect's own worker")
            assert (await state_of(run)).type == state.type


async def test_a_container_that_removes_itself_leaves_exit_code_and_output(
    pool: Pool, docker_client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with pool.worker() as worker:
        flow_run, result = await run(pool, worker, "sh -c 'echo last words; exit 4'", auto_remove=True)
    assert result.status_code == 4
    assert "last words" in capsys.readouterr().out
    assert "exited with code 4" in str((await state_of(flow_run)).message)
    assert containers_of(docker_client, pool) == []


async def test_a_container_that_is_removed_by_hand_ends_its_run_with_what_is_known(
    pool: Pool, docker_client: Any
) -> None:
    async with pool.worker() as worker, running(pool, worker, "sleep 600") as (flow_run, _, task):
        containers_of(docker_client, pool)[0].remove(force=True)
        result = await task
    assert result.status_code in (-1, 137)
    assert (await state_of(flow_run)).is_crashed()


# What containers are made of -----------------------------------------------------------------------------------------


async def test_limits_volumes_networks_and_options_reach_the_container(
    pool: Pool, docker_client: Any, tmp_path: Path
) -> None:
    (tmp_path / "greeting").write_text("from outside")
    networks = [docker_client.networks.create(f"net-{uuid.uuid4().hex[:8]}") for _ in range(2)]
    try:
        async with pool.worker() as worker:
            _, result = await run(
                pool,
                worker,
                "grep outside /in/greeting",
                networks=[network.name for network in networks],
                volumes=[f"{tmp_path}:/in:ro"],
                mem_limit="64m",
                memswap_limit="80m",
                cpus=0.5,
                shm_size="8m",
                ipc_mode="private",
                runtime="runc",
                ulimits=[{"name": "nofile", "soft": 100, "hard": 200}],
                log_config={"type": "json-file", "config": {"max-size": "1m"}},
                env={"COLOUR": "blue"},
                labels={"team": "shop"},
                container_create_kwargs={"working_dir": "/in", "hostname": "web"},
            )
        assert result
        (container,) = containers_of(docker_client, pool)
        host, config = container.attrs["HostConfig"], container.attrs["Config"]
        assert host["Binds"] == [f"{tmp_path}:/in:ro"]
        assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (64 << 20, 80 << 20, 500_000_000)
        assert (host["ShmSize"], host["IpcMode"], host["Runtime"]) == (8 << 20, "private", "runc")
        assert host["Ulimits"] == [{"Name": "nofile", "Hard": 200, "Soft": 100}]
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m"}}
        assert host["AutoRemove"] is False
        assert "COLOUR=blue" in config["Env"]
        assert (config["WorkingDir"], config["Hostname"], config["Labels"]["team"]) == ("/in", "web", "shop")
        joined = container.attrs["NetworkSettings"]["Networks"]
        assert {network.name for network in networks} <= set(joined)
        container.remove()
    finally:
        for network in networks:
            network.remove()


async def test_a_request_for_gpus_reaches_the_engine_and_leaves_nothing_where_there_are_none(
    pool: Pool, docker_client: Any
) -> None:
    from prefect_docker._worker.starting import create

    async with pool.worker() as worker:
        flow_run = await pool.new_run()
        configuration = pool.configure(flow_run, command="true", gpus="device=0,1", privileged=True)
        engine = await worker._runs.engines.open(None)
        made = await create(engine, flow_run.id, configuration, worker._logger)
        host = docker_client.containers.get(made.container_id).attrs["HostConfig"]
        assert host["Privileged"]  # which the machine of the tests may not let start
        (request,) = host["DeviceRequests"]
        assert (request["DeviceIDs"], request["Capabilities"]) == (["0", "1"], [["gpu"]])
        docker_client.containers.get(made.container_id).remove()
        with pytest.raises(DockerError, match="device driver"):
            await worker.run(flow_run, configuration)
    assert containers_of(docker_client, pool) == []


async def test_names_are_those_of_the_runs_and_do_not_collide(pool: Pool, docker_client: Any) -> None:
    name = f"sell {uuid.uuid4().hex[:8]}"
    async with pool.worker() as worker:
        for _ in range(2):
            await run(pool, worker, "true", name=name)
    legal = name.replace(" ", "-")
    assert {container.name for container in containers_of(docker_client, pool)} == {legal, f"{legal}-1"}


@pytest.mark.parametrize(
    ("variables", "error", "words"),
    [
        ({"image": "no-such-image:1", "image_pull_policy": "Never"}, DockerNotFound, "no-such-image:1"),
        ({"networks": ["no-such-net"]}, DockerNotFound, "Docker network 'no-such-net'"),
        ({"command": "no-such-command"}, DockerError, "no-such-command"),
        ({"runtime": "no-such-runtime"}, DockerError, "no-such-runtime"),
        ({"docker_host": {"base_url": "unix:///nowhere.sock"}}, DockerUnavailable, "/nowhere.sock"),
    ],
    ids=["image", "network", "command", "runtime", "engine"],
)
async def test_what_cannot_start_is_named_and_leaves_nothing(
    pool: Pool, docker_client: Any, variables: dict[str, Any], error: type[Exception], words: str
) -> None:
    async with pool.worker() as worker:
        flow_run = await pool.new_run()
        with pytest.raises(error, match=words):
            await worker.run(flow_run, pool.configure(flow_run, **{"command": "true", **variables}))
    assert containers_of(docker_client, pool) == []


async def test_a_secret_in_the_environment_is_warned_of_once_and_not_shown(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    async with pool.worker() as worker:
        for _ in range(2):
            await run(pool, worker, "true", env={"PREFECT_API_KEY": "canary-81c4"})
    warnings = [record for record in caplog.records if "plain environment variable" in record.getMessage()]
    assert len(warnings) == 1
    assert "canary-81c4" not in caplog.text


async def test_a_worker_overrides_what_depends_on_its_machine(
    pool: Pool, docker_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_OVERRIDES", '{"mem_limit": "32m", "network_mode": "none"}')
    async with pool.worker() as worker:
        await run(pool, worker, "true", mem_limit="64m")
    host = containers_of(docker_client, pool)[0].attrs["HostConfig"]
    assert (host["Memory"], host["NetworkMode"]) == (32 << 20, "none")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_OVERRIDES", '{"mem_limit": "much"}')
    with pytest.raises(ValidationError, match="'much' is no size"):
        async with pool.worker():
            pass


async def test_a_private_image_is_pulled_with_the_pools_credentials(
    pool: Pool, docker_client: Any, private_image: str, docker_registry: Any
) -> None:
    credentials = {
        "username": docker_registry.username,
        "password": docker_registry.password,
        "registry_url": docker_registry.host,
    }
    async with pool.worker() as worker:
        flow_run = await pool.new_run()
        with pytest.raises(ImagePullFailed, match=docker_registry.host):
            await worker.run(flow_run, pool.configure(flow_run, image=private_image, command="true"))
        assert containers_of(docker_client, pool) == []
        _, result = await run(pool, worker, "true", image=private_image, registry_credentials=credentials)
        assert result
        policy = {"image_pull_policy": "Always", "registry_credentials": {**credentials, "password": "canary-52ab"}}
        with pytest.raises(ImagePullFailed) as caught:
            await run(pool, worker, "true", image=private_image, **policy)
    assert "canary-52ab" not in str(caught.value)


# Stopping ------------------------------------------------------------------------------------------------------------


async def test_a_container_is_stopped_on_the_engine_where_it_was_started(
    pool: Pool, docker_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool.worker() as worker, running(pool, worker, "sleep 600") as (flow_run, pid, task):
        monkeypatch.setenv("DOCKER_HOST", "unix:///another.sock")
        async with pool.worker(test_mode=True) as other:
            await other.kill_infrastructure(pid, pool.configure(flow_run), grace_seconds=0)
            assert (await task).status_code == 137
            docker_client.containers.get(pid.rpartition(":")[2]).remove()
            with pytest.raises(InfrastructureNotFound, match="does not have it"):
                await other.kill_infrastructure(pid, pool.configure(flow_run))


async def test_an_identifier_of_an_older_worker_means_the_workers_own_engine(pool: Pool) -> None:
    async with pool.worker() as worker, running(pool, worker, "sleep 600") as (flow_run, pid, task):
        older = f"http+docker://localhost:{pid.rpartition(':')[2]}"
        await worker.kill_infrastructure(older, pool.configure(flow_run), grace_seconds=0)
        assert (await task).status_code == 137


async def test_a_hung_container_of_a_cancelled_run_is_stopped_after_the_grace(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_CANCELLATION_GRACE_SECONDS", "0.5")
    async with pool.worker() as worker, running(pool, worker, "sleep 600") as (flow_run, _, task):
        async with get_client() as client:
            await client.set_flow_run_state(flow_run.id, Running(), force=True)
            await client.set_flow_run_state(flow_run.id, Cancelling(), force=True)
        result = await asyncio.wait_for(task, 30)
    assert result.status_code == 137
    assert [state.type.value for state in await states_of(flow_run)][-2:] == ["CANCELLING", "CANCELLED"]


async def test_a_run_that_is_cancelled_before_its_container_starts_gets_none(pool: Pool, docker_client: Any) -> None:
    async with pool.worker() as worker:
        flow_run = await pool.new_run()
        task = asyncio.create_task(worker.run(flow_run, pool.configure(flow_run, command="sleep 600"), Started()))
        while not worker._runs.is_busy_with(flow_run.id):
            await asyncio.sleep(0)
        worker._runs.cancel_requested(flow_run.id)
        result = await asyncio.wait_for(task, 30)
    assert (result.identifier, result.status_code) == ("", 0)
    assert containers_of(docker_client, pool) == []


# Many at a time ------------------------------------------------------------------------------------------------------


async def test_containers_that_run_hold_no_threads(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_MAX_CONCURRENT_CALLS", "2")
    async with pool.worker() as worker, contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(running(pool, worker, "sleep 600"))
        before = {thread.name for thread in threading.enumerate() if "AnyIO" in thread.name}
        for _ in range(4):
            await stack.enter_async_context(running(pool, worker, "sleep 600"))
        after = {thread.name for thread in threading.enumerate() if "AnyIO" in thread.name}
        assert len(after) <= len(before) + 2
        watches = list(worker._runs._watches.values())
        assert len(watches) == 1


async def test_calls_that_hang_leave_prefects_own_threads_free(pool: Pool, shaky_engine: Any) -> None:
    async with pool.worker() as worker:
        engine = await worker._runs.engines.open(None)
        shaky_engine.blackhole = True
        hanging = [asyncio.create_task(engine.inspect("nothing")) for _ in range(60)]
        try:
            await asyncio.wait_for(to_thread.run_sync(lambda: None), 10)
            assert to_thread.current_default_thread_limiter().borrowed_tokens == 0
        finally:
            for task in hanging:
                task.cancel()
            shaky_engine.blackhole = False
            shaky_engine.reset_connections()
            await asyncio.wait(hanging)


# Other engines -------------------------------------------------------------------------------------------------------


async def test_a_pool_may_span_engines_that_a_block_names(
    pool: Pool, docker_tls_front: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    folder = docker_tls_front.cert_folder
    tls = {"ca_cert": f"{folder}/ca.pem", "client_cert": [f"{folder}/cert.pem", f"{folder}/key.pem"]}
    block = DockerHost(base_url=docker_tls_front.base_url, client_kwargs={"tls": tls})
    name = f"host-{uuid.uuid4().hex[:8]}"
    await block.asave(name)
    async with pool.worker() as worker:
        flow_run = await pool.new_run()
        reference = {"$ref": {"block_document_id": str(block._block_document_id)}}
        variables = {"command": "sh -c 'echo over TLS; exit 5'", "image": pool.image, "docker_host": reference}
        configuration = await worker.job_configuration.from_template_and_values(
            pool.template, variables, client=worker.client
        )
        configuration.prepare_for_flow_run(flow_run, work_pool=pool.work_pool)
        result = await worker.run(flow_run, configuration)
    assert result.identifier.startswith(f"{docker_tls_front.base_url}:")
    assert result.status_code == 5
    assert "over TLS" in capsys.readouterr().out
    async with get_client() as client:
        assert (await client.read_flow_run(flow_run.id)).infrastructure_pid == result.identifier


async def test_a_worker_without_an_engine_opens_and_says_what_is_missing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    async with pool.worker():
        pass
    assert "unix:///nowhere.sock" in caplog.text
    caplog.clear()
    monkeypatch.setenv("PREFECT_DOCKER_TEST_MODE", "1")
    async with pool.worker() as worker:
        assert worker.test_mode
    assert "unix:///nowhere.sock" not in caplog.text


async def test_a_broken_line_loses_no_output_no_line_twice_and_no_end(
    pool: Pool, shaky_engine: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "sh -c 'for i in $(seq 40); do echo line $i; sleep 0.05; done; exit 6'"
    said: list[str] = []
    async with pool.worker() as worker, running(pool, worker, command) as (_, _, task):

        async def heard() -> bool | None:
            said.extend(capsys.readouterr().out.splitlines())
            return True if len(said) >= 5 else None

        await apoll(heard, subject="the first lines", interval_seconds=0.02, timeout_seconds=30)
        shaky_engine.reset_connections()
        result = await asyncio.wait_for(task, 60)
    said.extend(capsys.readouterr().out.splitlines())
    assert result.status_code == 6
    assert said == [f"line {number}" for number in range(1, 41)]


async def test_an_engine_without_streams_is_polled(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_POLL_INTERVAL_SECONDS", "0.1")
    async with pool.worker() as worker:
        engine = await worker._runs.engines.open(None)
        assert engine.wire is not None
        await engine.wire.close()
        engine.wire = None  # as by SSH
        command = "sh -c 'for i in $(seq 10); do echo line $i; sleep 0.1; done; exit 7'"
        _, result = await run(pool, worker, command)
    assert result.status_code == 7
    assert capsys.readouterr().out.splitlines() == [f"line {number}" for number in range(1, 11)]
