"""Clusters to run tasks on."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any
from uuid import uuid4

import dask
import pytest
from distributed import Client, LocalCluster

from prefect_dask import DaskTaskRunner
from prefect_integration_tests.seen import eventually

# Dask's profiler asks for the frames of all threads; where that and the start of a thread meet a collection of garbage,
# older versions of Python stand still for ever: https://github.com/python/cpython/issues/106883
dask.config.set({"distributed.worker.profile.enabled": False})


@pytest.fixture(scope="session")
def threads_cluster(prefect_harness: None) -> Iterator[LocalCluster]:
    """A cluster in this process: two workers with two threads each."""
    with LocalCluster(
        n_workers=2, threads_per_worker=2, processes=False, dashboard_address=None, resources={"GPU": 1}
    ) as cluster:
        yield cluster


@pytest.fixture
def runner(threads_cluster: LocalCluster) -> DaskTaskRunner:
    """A task runner on that cluster."""
    return DaskTaskRunner(cluster=threads_cluster)


_WORKER = """
import asyncio
from distributed import Worker

async def work():
    async with Worker(address, nthreads=1, name=name) as worker:
        await worker.finished()

asyncio.run(work())
"""


# What the first task run of a process loads: Prefect, too, loads every collection that is installed.
_PRELOADED = ["distributed.http", "pytest", "prefect_integration_tests.backends.dask", "prefect_dask.client"]
_PRELOADED += ["prefect_dask.task_runners", "prefect.task_engine", "prefect.flow_engine", "prefect.workers.base"]
_PRELOADED += [each.module for each in entry_points(group="prefect.collections")]


class KillableCluster:
    """Workers with one thread each, processes that are there in a moment: they are forked from one that has it all."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._processes: list[Any] = []

    @property
    def address(self) -> str:
        return self._cluster.scheduler_address

    @property
    def scheduler(self) -> Any:
        return self._cluster.scheduler

    def need(self, workers: int) -> None:
        """Start what is missing, and wait for it."""
        self._processes = [each for each in self._processes if each.is_alive()]
        for _ in range(workers - len(self._processes)):
            names = {"address": self.address, "name": uuid4().hex}
            process = self._context.Process(target=exec, args=(_WORKER, names), daemon=True)
            process.start()
            self._processes.append(process)
        eventually(lambda: len(self.scheduler.workers) >= workers)

    def holders(self, key: Any) -> set[str]:
        """Addresses of the workers that have a result in their memory."""
        found = self.scheduler.tasks.get(key)
        return {worker.address for worker in found.who_has or ()} if found is not None else set()

    def kill(self, addresses: set[str]) -> None:
        """Kill workers; others take their places."""
        assert addresses
        with Client(self.address, set_as_default=False) as client:
            pids = set(client.run(os.getpid, workers=list(addresses)).values())
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for process in self._processes:
            if process.pid in pids:
                process.join()
        eventually(lambda: not addresses & set(self.scheduler.workers))
        self.need(2)

    def stop(self) -> None:
        for process in self._processes:
            process.kill()


@pytest.fixture(scope="session")
def killable_processes(prefect_harness: None) -> Iterator[KillableCluster]:
    """The cluster for the whole session; see `killable_cluster`."""
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        killable = KillableCluster(cluster)
        try:
            yield killable
        finally:
            killable.stop()


@pytest.fixture
def killable_cluster(killable_processes: KillableCluster) -> Iterator[KillableCluster]:
    """A scheduler, and two idle workers that tests may kill."""
    killable_processes.scheduler.allowed_failures = 3
    killable_processes.need(2)
    yield killable_processes
    if busy := {each.address for each in killable_processes.scheduler.workers.values() if each.processing}:
        killable_processes.kill(busy)
