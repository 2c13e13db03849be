"""What becomes of containers and images when the line to the engine or the registry fails, or answers are spoilt."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from prefect_docker import DockerHost
from prefect_docker import _pulls as pulls
from prefect_docker._engine import open_engine
from prefect_docker._images import ensure_image
from prefect_docker.errors import DockerError, DockerUnavailable
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.http_edge import EdgeCall, HttpEdge, Refusal
from prefect_integration_tests.pool_runs import Started

from ._runs import Pool

logger = logging.getLogger("test-engine-faults")


@pytest.fixture
def pool(prefect_harness: None, busybox_image: str) -> Pool:
    return Pool(busybox_image)


@pytest.fixture
def edge(docker_engine: Any, http_edge: Callable[..., HttpEdge], monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpEdge]:
    """An edge before the engine, which the environment names."""
    from prefect_integration_tests.backends.docker_front import DockerFront

    with DockerFront.start(docker_engine, tls=False) as front:
        found = http_edge(front.base_url.replace("tcp://", "http://"))
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{found.port}")
        monkeypatch.setenv("DOCKER_CLIENT_TIMEOUT", "2")
        monkeypatch.setenv("PREFECT_INTEGRATIONS_DOCKER_WORKER_POLL_INTERVAL_SECONDS", "0.1")
        yield found


def containers_of(docker_client: Any, pool: Pool) -> list[Any]:
    return docker_client.containers.list(all=True, filters={"label": f"io.prefect.work-pool-name={pool.name}"})


@contextlib.contextmanager
def swept(docker_client: Any, pool: Pool) -> Iterator[None]:
    try:
        yield
    finally:
        for container in containers_of(docker_client, pool):
            container.remove(force=True, v=True)


def creates(call: EdgeCall) -> bool:
    return call.method == "POST" and "/containers/create" in call.path


def asks_for_events(call: EdgeCall) -> bool:
    return call.path.partition("?")[0].endswith("/events")


async def run(pool: Pool, command: str) -> Any:
    """Run a container by a worker that has no streams: the edge hands on whole answers only."""
    async with pool.worker() as worker:
        engine = await worker._runs.engines.open(None)
        if engine.wire is not None:
            await engine.wire.close()
            engine.wire = None
        flow_run = await pool.new_run()
        return await worker.run(flow_run, pool.configure(flow_run, command=command), Started())


@pytest.mark.parametrize("fault", ["reset", "time-out", "500", "503", "truncated", "lost"])
async def test_a_start_that_fails_is_told_and_leaves_nothing(
    fault: Any, edge: HttpEdge, pool: Pool, docker_client: Any
) -> None:
    with swept(docker_client, pool):
        with edge.fault(fault, where=creates) as struck, pytest.raises(DockerError, match="Container"):
            await asyncio.wait_for(run(pool, "sleep 600"), 60)
        assert struck() == 1
        assert containers_of(docker_client, pool) == []


async def test_a_slow_engine_is_waited_for(edge: HttpEdge, pool: Pool, docker_client: Any) -> None:
    with swept(docker_client, pool), edge.fault("slow", where=creates) as struck:
        result = await run(pool, "sh -c 'exit 7'")
        assert struck() == 1
    assert result.status_code == 7


async def test_an_engine_that_gives_no_events_is_looked_at(
    edge: HttpEdge, pool: Pool, docker_client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy before the engine may not let them pass."""
    kept = Refusal(403, b'{"message": "not for you"}')
    with swept(docker_client, pool), edge.fault("500", times=None, where=asks_for_events, refusal=kept):
        async with pool.worker() as worker:
            run = await pool.new_run()
            configuration = pool.configure(run, command="sh -c 'exit 7'", stream_output=False)
            result = await asyncio.wait_for(worker.run(run, configuration, Started()), 60)
    assert result.status_code == 7
    assert "gives no events (not for you), so its containers are looked at" in caplog.text


async def test_an_engine_whose_disk_is_full_is_told_and_leaves_nothing(
    edge: HttpEdge, pool: Pool, docker_client: Any
) -> None:
    said = "write /var/lib/docker/x: no space left on device"
    full = Refusal(500, f'{{"message": "{said}"}}'.encode())
    with edge.fault("500", where=creates, refusal=full), pytest.raises(DockerError, match=said):
        await run(pool, "true")
    assert containers_of(docker_client, pool) == []


async def test_a_clock_that_jumps_loses_no_end(
    edge: HttpEdge, pool: Pool, docker_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, jumps = time.time, iter([86_400.0, -86_400.0] * 20)
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps, 0.0))
    with swept(docker_client, pool):
        assert (await run(pool, "sh -c 'sleep 0.5; exit 7'")).status_code == 7


def test_a_host_that_no_resolver_knows_is_told() -> None:
    with pytest.raises(DockerUnavailable, match=UNRESOLVABLE_HOST):
        open_engine(DockerHost(base_url=f"tcp://{UNRESOLVABLE_HOST}:2375"))


# The registry


@pytest.fixture
def pulled_by_edge(
    docker_engine: Any, docker_client: Any, busybox_image: str, http_edge: Callable[..., HttpEdge]
) -> Iterator[tuple[HttpEdge, str]]:
    """An edge before a registry that everybody may read, and the name of an image there which the engine lacks."""
    from prefect_integration_tests.backends.registry import DockerRegistry

    with DockerRegistry.start(login=False) as registry:
        edge = http_edge(f"http://{registry.host}")
        repository = f"tests/faults-{uuid.uuid4().hex[:8]}"
        registry.push(docker_engine, busybox_image, f"{registry.host}/{repository}:1")
        _push_unknown_manifest(f"http://{registry.host}/v2/{repository}/manifests")
        name = f"127.0.0.1:{edge.port}/{repository}:2"
        yield edge, name
        with contextlib.suppress(Exception):
            docker_client.images.remove(name, force=True)


def _push_unknown_manifest(url: str) -> None:
    """Give the image another manifest: of an image that was removed the engine may still have the old one."""
    kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    read = urllib.request.Request(f"{url}/1", headers={"Accept": kinds})
    with urllib.request.urlopen(read, timeout=10) as answer:
        kind, manifest = answer.headers["Content-Type"], json.loads(answer.read())
    manifest["annotations"] = {"com.example.test": uuid.uuid4().hex}
    content = json.dumps(manifest).encode()
    write = urllib.request.Request(f"{url}/2", content, {"Content-Type": kind}, method="PUT")
    urllib.request.urlopen(write, timeout=10).close()


def reads_manifest(call: EdgeCall) -> bool:
    return call.method == "GET" and "/manifests/" in call.path


@pytest.mark.parametrize("fault", ["reset", "500", "503", "truncated", "slow", "lost"])
def test_a_registry_that_fails_for_a_moment_is_asked_again(
    fault: Any,
    pulled_by_edge: tuple[HttpEdge, str],
    docker_client: Any,
    fake_clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edge, name = pulled_by_edge
    monkeypatch.setattr(pulls, "_clock", fake_clock)
    with edge.fault(fault, where=reads_manifest) as struck:
        assert name in ensure_image(docker_client, name, logger=logger, policy="Always").tags
        assert struck() == 1


def test_a_registry_that_limits_pulls_is_told_at_once(
    pulled_by_edge: tuple[HttpEdge, str], docker_client: Any, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such limits last for hours, and are wider for those who log in."""
    edge, name = pulled_by_edge
    monkeypatch.setattr(pulls, "_clock", fake_clock)
    limited = Refusal(429, b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your limit."}]}')
    with (
        edge.fault("429", times=None, where=reads_manifest, refusal=limited),
        pytest.raises(DockerError, match=r"You have reached your limit\. Give a DockerRegistryCredentials block"),
    ):
        ensure_image(docker_client, name, logger=logger, policy="Always")
    assert fake_clock.sleeps == []


def test_a_registry_that_no_resolver_knows_is_named(
    docker_client: Any, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "_clock", fake_clock)
    with pytest.raises(DockerError, match=f"registry '{UNRESOLVABLE_HOST}'"):
        ensure_image(docker_client, f"{UNRESOLVABLE_HOST}/tests/x:1", logger=logger, policy="Always")
