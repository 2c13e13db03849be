"""A Dask cluster of processes: it computes, its workers may die, and it is repaired."""

from __future__ import annotations

import pytest

pytest.importorskip("distributed")

from distributed import Client

from prefect_integration_tests.backends.dask import DaskCluster


def test_it_computes(dask_cluster: DaskCluster) -> None:
    with Client(dask_cluster.address, set_as_default=False) as client:
        assert client.submit(sum, [1, 2]).result(timeout=30) == 3
        assert len(client.nthreads()) == 2


def test_a_killed_worker_is_replaced(dask_cluster: DaskCluster) -> None:
    dask_cluster.workers[0].kill()
    dask_cluster.repair()
    with Client(dask_cluster.address, set_as_default=False) as client:
        assert len(client.nthreads()) >= 2
    assert all(worker.is_running for worker in dask_cluster.workers)
