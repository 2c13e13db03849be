"""Two real Prefect servers on one database share what they have in Redis: events flow, an automation fires once."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.postgres import Postgres, postgres_program
from prefect_integration_tests.backends.processes import HOST, LocalServer, answers_http, free_port
from prefect_integration_tests.backends.redis import RedisServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

_PATIENCE = 60


class Servers:
    """Two processes of `prefect server`, each with its services."""

    def __init__(self, folder: Path, database: str, redis: RedisServer) -> None:
        environment = {
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT__SERVER_FINAL": "1",
            "PREFECT_UI_ENABLED": "false",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database.replace("postgresql://", "postgresql+asyncpg://"),
            "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
            "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
            "PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE": "prefect_redis.cleanup_queue",
            "PREFECT_REDIS_MESSAGING_URL": redis.url_for(db=0),
            "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": redis.url_for(db=0),
            "PREFECT_SERVER_DOCKET_URL": redis.url_for(db=1),
            "NO_PROXY": f"{HOST},localhost",
            "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "0.5",
        }
        self.ports = [free_port(), free_port()]
        self.processes = [
            LocalServer(
                [
                    *(sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"),
                    *("--lifespan", "on", "--host", HOST, "--port", str(port), "--log-level", "error"),
                ],
                lambda port=port: answers_http(f"http://{HOST}:{port}/api/health"),
                name=f"prefect-server-{number}",
                env=environment,
                log_path=folder / f"server-{number}.log",
                start_timeout_seconds=180,
                stop_signal=signal.SIGKILL,
            )
            for number, port in enumerate(self.ports)
        ]

    def client(self, number: int) -> httpx.Client:
        return httpx.Client(base_url=f"http://{HOST}:{self.ports[number]}/api", timeout=60, trust_env=False)


@pytest.fixture(scope="module")
def redis_of_servers() -> Iterator[RedisServer]:
    with RedisServer.start(is_durable=True) as server:
        yield server


@pytest.fixture(scope="module")
def servers(
    postgres: Postgres, redis_of_servers: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    if postgres_program("postgres") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    name = f"prefect_{uuid4().hex[:8]}"
    postgres.run(f"CREATE DATABASE {name}")
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    pair = Servers(tmp_path_factory.mktemp("servers"), url, redis_of_servers)
    with contextlib.ExitStack() as stack:
        for process in pair.processes:  # one after the other: the first migrates the database
            stack.enter_context(process)
        yield pair


def send(client: httpx.Client, name: str, **fields: Any) -> str:
    event_id = str(uuid4())
    body = {
        "occurred": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "event": name,
        "resource": {"prefect.resource.id": "shop.1"},
        "payload": {},
        "id": event_id,
        **fields,
    }
    client.post("/events", json=[body]).raise_for_status()
    return event_id


def stored(client: httpx.Client, name: str) -> list[str]:
    filters = {"filter": {"event": {"name": [name]}}, "limit": 50}
    return [each["id"] for each in client.post("/events/filter", json=filters).raise_for_status().json()["events"]]


def until(client: httpx.Client, name: str, ids: set[str]) -> list[str]:
    def look() -> list[str] | None:
        found = stored(client, name)
        return found if ids <= set(found) else None

    return poll(look, subject=f"events {name}", interval_seconds=0.2, timeout_seconds=_PATIENCE)


def test_events_sent_to_either_server_are_stored_once(servers: Servers) -> None:
    with servers.client(0) as one, servers.client(1) as two:
        ids = {send(client, "test.flow") for _ in range(10) for client in (one, two)}
        assert sorted(until(two, "test.flow", ids)) == sorted(ids)


def test_an_automation_fires_once(servers: Servers) -> None:
    with servers.client(0) as one, servers.client(1) as two:
        automation = {
            "name": f"once-{uuid4()}",
            "trigger": {"type": "event", "expect": ["test.fire"], "posture": "Reactive", "threshold": 1, "within": 0},
            "actions": [{"type": "do-nothing"}],
        }
        created = one.post("/automations/", json=automation).raise_for_status().json()

        def fired() -> list[str]:
            fired_by = f"prefect.automation.{created['id']}"
            filters = {"filter": {"event": {"name": ["prefect.automation.triggered"]}}, "limit": 50}
            events = two.post("/events/filter", json=filters).raise_for_status().json()["events"]
            return [each["id"] for each in events if each["resource"]["prefect.resource.id"] == fired_by]

        def once_loaded() -> bool | None:
            """Each server loads automations by itself, a moment after they were made."""
            send(one, "test.fire")
            send(two, "test.fire")
            time.sleep(0.5)
            return bool(fired()) or None

        poll(once_loaded, subject="the first firing", interval_seconds=0.1, timeout_seconds=_PATIENCE)
        last = {send(two, "test.mark")}
        until(one, "test.mark", last)
        before = len(fired())
        sent = {send(client, "test.fire") for client in (one, two, one)}
        until(one, "test.fire", sent)

        def all_fired() -> bool | None:
            return len(fired()) >= before + 3 or None

        poll(all_fired, subject="three firings", interval_seconds=0.2, timeout_seconds=_PATIENCE)
        marks = {send(one, "test.mark")}
        until(two, "test.mark", marks)
        assert len(fired()) == before + 3


def test_slots_are_leased_at_one_server_and_returned_at_the_other(servers: Servers) -> None:
    with servers.client(0) as one, servers.client(1) as two:
        name = f"limit-{uuid4()}"
        one.post("/v2/concurrency_limits/", json={"name": name, "limit": 1, "active": True}).raise_for_status()
        wanted = {"names": [name], "slots": 1, "mode": "concurrency", "lease_duration": 60}
        lease = one.post("/v2/concurrency_limits/increment-with-lease", json=wanted).raise_for_status().json()
        assert two.post("/v2/concurrency_limits/increment-with-lease", json=wanted).status_code == 423
        lease_id = UUID(lease["lease_id"])
        renewal = two.post(f"/v2/concurrency_limits/leases/{lease_id}/renew", json={"lease_duration": 60})
        renewal.raise_for_status()
        two.post("/v2/concurrency_limits/decrement-with-lease", json={"lease_id": str(lease_id)}).raise_for_status()
        one.post("/v2/concurrency_limits/increment-with-lease", json=wanted).raise_for_status()


def test_a_killed_server_and_a_restarted_redis_lose_no_event(servers: Servers, redis_of_servers: RedisServer) -> None:
    with servers.client(0) as one, servers.client(1) as two:
        ids = {send(two, "test.survive") for _ in range(10)}
        until(one, "test.survive", ids)  # what a server has taken from Redis and not stored yet dies with it
        servers.processes[1].kill()
        redis_of_servers.process.restart()
        ids |= {send(one, "test.survive") for _ in range(10)}
        assert sorted(until(one, "test.survive", ids)) == sorted(ids)
