"""A Dask cluster on this machine, of processes: a scheduler, and workers that tests may kill."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from .processes import HOST, LocalServer, ServerError, accepts_connections, free_port

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DaskCluster"]

_JOIN_SECONDS = 60
_QUIET = ["--no-dashboard"]


class DaskCluster:
    """A scheduler and workers with one thread each, which nobody starts again when they die.

    ```python
    with DaskCluster.start(workers=2) as cluster:
        client = distributed.Client(cluster.address)
    ```
    """

    def __init__(self, *, allowed_failures: int = 3, env: Mapping[str, str] | None = None) -> None:
        """Describe the cluster; `start` starts it.

        Args:
            allowed_failures: How many workers may die of a piece of work before Dask gives it up.
            env: Variables to add to the environment of all processes.
        """
        self.port = free_port()
        self._env = {
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(allowed_failures),
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s",
            "PYTHONWARNINGS": "ignore",
            **(env or {}),
        }
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
        argv = [*command, "--host", HOST, "--port", str(self.port), *_QUIET]
        self.scheduler = LocalServer(argv, lambda: accepts_connections(self.port), name="dask-scheduler", env=self._env)
        self.workers: list[LocalServer] = []
        self._numbers = count()

    @classmethod
    def start(cls, workers: int = 2, *, allowed_failures: int = 3, env: Mapping[str, str] | None = None) -> Self:
        """Start a scheduler and its workers (about 4 s), and wait until they have joined it.

        Args:
            workers: How many.
            allowed_failures: How many workers may die of a piece of work before Dask gives it up.
            env: Variables to add to the environment of all processes.

        Raises:
            ServerError: If one of them does not start.
        """
        cluster = cls(allowed_failures=allowed_failures, env=env)
        try:
            cluster.scheduler.start()
            cluster.add_workers(workers)
        except BaseException:
            cluster.stop()
            raise
        return cluster

    @property
    def address(self) -> str:
        """Address of the scheduler."""
        return f"tcp://{HOST}:{self.port}"

    def add_workers(self, number: int = 1) -> list[LocalServer]:
        """Start more workers, and wait until they have joined.

        Args:
            number: How many.

        Returns:
            Their processes, for tests that kill them.
        """
        command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address]
        options = ["--nthreads", "1", "--no-nanny", "--host", HOST, "--death-timeout", "60", *_QUIET]
        started: list[LocalServer] = []
        for _ in range(number):
            index = next(self._numbers)  # a name is not free at once when its worker was killed
            worker = LocalServer(
                [*command, *options, "--name", f"worker-{index}"],
                lambda: True,
                name=f"dask-worker-{index}",
                env=self._env,
            )
            worker.start()
            self.workers.append(worker)
            started.append(worker)
        self._wait_for(self._running())
        return started

    def repair(self, workers: int = 2) -> None:
        """Start what has died, so that the scheduler runs and has so many workers.

        Args:
            workers: How many.
        """
        if not self.scheduler.is_running:
            for worker in self.workers:
                worker.stop()
            self.scheduler.restart()
        self.workers = [worker for worker in self.workers if worker.is_running]
        missing = workers - len(self.workers)
        if missing > 0:
            self.add_workers(missing)

    def _running(self) -> int:
        return sum(worker.is_running for worker in self.workers)

    def _wait_for(self, number: int) -> None:
        import distributed

        connect: Any = distributed.Client
        with connect(self.address, timeout=30, set_as_default=False) as client:
            deadline = time.monotonic() + _JOIN_SECONDS
            while len(client.nthreads()) < number:
                dead = [worker for worker in self.workers if not worker.is_running]
                if dead or time.monotonic() > deadline:
                    tails = "\n".join(worker.log_tail() for worker in dead or self.workers)
                    raise ServerError(f"{number} Dask workers did not join the scheduler:\n{tails}")
                time.sleep(0.05)

    def stop(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.stop()
        self.scheduler.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@pytest.fixture(scope="session")
def dask_cluster_processes() -> Iterator[DaskCluster]:
    """A cluster for the whole session; see `dask_cluster`."""
    with DaskCluster.start(workers=2) as cluster:
        yield cluster


@pytest.fixture
def dask_cluster(dask_cluster_processes: DaskCluster) -> DaskCluster:
    """A scheduler and two workers; what a test before has killed was started again."""
    dask_cluster_processes.repair()
    return dask_cluster_processes
