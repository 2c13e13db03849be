"""The line breaks to the server that Sentinels or a Cluster have named: what is kept there meets the same faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.processes import free_port
from prefect_integration_tests.backends.redis import RedisServer

from . import test_faults as faults
from ._redis_edge import RedisEdge

hurried = faults.hurried


def until(look: Callable[[], bool], subject: str) -> None:
    poll(lambda: look() or None, subject=subject, interval_seconds=0.02, timeout_seconds=10)


@pytest.fixture(scope="module")
def sentinel() -> Iterator[RedisServer]:
    """A Sentinel that watches nothing yet."""
    with RedisServer.start(is_sentinel=True) as server:
        yield server


class _BehindSentinel:
    """The Sentinel names the edge as the primary."""

    @pytest.fixture
    def edge_at_place(self, server: RedisServer, sentinel: RedisServer) -> Iterator[RedisEdge]:
        edge = RedisEdge(server.port)
        edge.url = f"redis+sentinel://127.0.0.1:{sentinel.port}/primary/0"
        with sentinel.client() as client:
            client.execute_command("SENTINEL", "MONITOR", "primary", "127.0.0.1", str(edge.port), "1")
            yield edge
            client.execute_command("SENTINEL", "REMOVE", "primary")


class TestDatabaseBehindSentinel(_BehindSentinel, faults.TestDatabase): ...


class TestCommandsBehindSentinel(_BehindSentinel, faults.TestCommands): ...


class TestLocksBehindSentinel(_BehindSentinel, faults.TestLocks): ...


class TestMessagesBehindSentinel(_BehindSentinel, faults.TestMessages): ...


class TestLeasesBehindSentinel(_BehindSentinel, faults.TestLeases): ...


@pytest.fixture(scope="module")
def node() -> Iterator[RedisServer]:
    """A Cluster of one."""
    with RedisServer.start(options=["--cluster-enabled", "yes", "--cluster-port", str(free_port())]) as server:
        with server.client() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
            until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok", "the Cluster")
        yield server


class _InCluster:
    """The node of the Cluster says that it is where the edge is."""

    @pytest.fixture
    def admin(self, node: RedisServer) -> Iterator[Any]:
        node.empty()
        with node.client() as client:
            yield client

    @pytest.fixture
    def edge_at_place(self, node: RedisServer, admin: Any) -> RedisEdge:
        edge = RedisEdge(node.port)
        edge.url = f"redis+cluster://127.0.0.1:{edge.port}"
        admin.config_set("cluster-announce-ip", "127.0.0.1")
        admin.config_set("cluster-announce-port", edge.port)
        until(lambda: str(edge.port) in str(admin.execute_command("CLUSTER SLOTS")), "the new port")
        return edge


class TestDatabaseInCluster(_InCluster, faults.TestDatabase): ...


class TestCommandsInCluster(_InCluster, faults.TestCommands): ...


class TestLocksInCluster(_InCluster, faults.TestLocks): ...


class TestMessagesInCluster(_InCluster, faults.TestMessages):
    stream = "{events}"


class TestLeasesInCluster(_InCluster, faults.TestLeases):
    held = "{prefect:concurrency}:held-until"
