"""A Ray cluster on this machine, whose nodes are processes that tests may kill."""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from .processes import HOST, LocalServer, accepts_connections, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RayCluster"]

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",  # else Ray writes a token to the home folder
    "RAY_DEDUP_LOGS": "0",
}


_START_SECONDS = 90


@contextmanager
def _patience() -> Generator[None, None, None]:
    """Give a node longer to start than the 30 seconds that Ray waits, and has no option for."""
    from ray._private import services

    if not hasattr(services, "get_node"):  # older releases do not ask
        yield
        return
    ask: Callable[..., Any] = services.get_node

    def wait(*args: Any, **kwargs: Any) -> Any:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with suppress(RuntimeError):  # it has not said yet that it is there
                return ask(*args, **kwargs)
            time.sleep(0.1)
        return ask(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "get_node", wait)
        yield


class RayCluster:
    """A head node, more nodes when a test wants them, and the connection of this process.

    ```python
    with RayCluster.start() as cluster:
        cluster.connect()
        node = cluster.add_node(spare=1)
        cluster.kill_node(node)
    ```
    """

    def __init__(self, cluster: Any) -> None:
        """Take a cluster; `start` starts one.

        Args:
            cluster: Of `ray.cluster_utils`.
        """
        self._cluster = cluster
        self._nodes: list[Any] = []

    @classmethod
    def start(cls, num_cpus: int = 2, client_port: int | None = None, **resources: float) -> Self:
        """Start the head node (about 8 s).

        Args:
            num_cpus: How many tasks it runs at a time.
            client_port: Port for addresses that begin with `ray://`; without it they do not work.
            **resources: What tasks can ask for, to run there.
        """
        os.environ.update(_ENVIRONMENT)
        from ray.cluster_utils import Cluster

        # By default it takes Ray half a minute to notice that a node is gone. One that is gone refuses to answer, at
        # once; one that answers late, on a busy machine, is not.
        noticing = {
            "health_check_initial_delay_ms": 2000,
            "health_check_period_ms": 1000,
            "health_check_timeout_ms": 20_000,
            "health_check_failure_threshold": 5,
        }
        options: dict[str, Any] = {
            "_system_config": noticing,
            "num_cpus": num_cpus,
            "resources": resources,
            "include_dashboard": False,
            "object_store_memory": 150_000_000,
        }
        if client_port is not None:
            options["ray_client_server_port"] = client_port
        with _patience():
            return cls(Cluster(initialize_head=True, head_node_args=options))

    @property
    def address(self) -> str:
        """Address for `ray.init`."""
        return str(self._cluster.address)

    def connect(self) -> None:
        """Connect this process, unless it is connected."""
        import ray

        if not ray.is_initialized():
            ray.init(address=self.address, log_to_driver=False)

    def disconnect(self) -> None:
        """Close the connection of this process."""
        import ray

        ray.shutdown()

    def add_node(self, num_cpus: int = 1, **resources: float) -> Any:
        """Start another node, and wait until it has joined.

        Args:
            num_cpus: How many tasks it runs at a time.
            **resources: What tasks can ask for, to run there.

        Returns:
            The node, for `kill_node`.
        """
        with _patience():
            node = self._cluster.add_node(num_cpus=num_cpus, resources=resources, object_store_memory=100_000_000)
        self._cluster.wait_for_nodes(timeout=60)
        self._nodes.append(node)
        return node

    def kill_node(self, node: Any) -> None:
        """Kill a node with all its processes.

        Args:
            node: As `add_node` returned it.
        """
        self._nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    @contextmanager
    def client_server(self) -> Generator[int, None, None]:
        """Serve addresses that begin with `ray://` while the block lasts (about 4 s), and yield the port.

        All clients share one process, which suffices for a test.
        """
        port = free_port()
        argv = [sys.executable, "-m", "ray.util.client.server", "--mode=legacy", f"--address={self.address}"]
        argv += [f"--host={HOST}", f"--port={port}"]
        with LocalServer(argv, lambda: accepts_connections(port), name="ray-client-server", env=_ENVIRONMENT):
            yield port

    def stop(self) -> None:
        """Close the connection, and end all nodes."""
        self.disconnect()
        self._cluster.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@pytest.fixture(scope="session")
def ray_cluster_processes() -> Iterator[RayCluster]:
    """A cluster for the whole session; see `ray_cluster`."""
    with RayCluster.start(head=1000) as cluster:
        yield cluster


@pytest.fixture
def ray_cluster(ray_cluster_processes: RayCluster) -> RayCluster:
    """A Ray cluster of one node with two processors, to which this process is connected.

    The node has 1,000 of the resource `head`, for tests that add other nodes.
    """
    ray_cluster_processes.connect()
    return ray_cluster_processes
