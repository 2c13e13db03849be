"""Ten thousand task runs at once: all end, and the scheduler stays small."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from prefect import flow, task, unmapped

from prefect_dask import DaskTaskRunner
from prefect_integration_tests.backends.dask import DaskCluster

COUNT = 10_000
MIB = 2**20


@task
def add(number: int, table: bytes) -> int:
    return number + len(table)


def resident(pid: int | None) -> int:
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


@contextmanager
def peak(pid: int | None) -> Iterator[list[int]]:
    """Look at the memory of a process, as long as the block lasts."""
    found, ended = [resident(pid)], threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            found.append(resident(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def kept(dask_scheduler: Any) -> tuple[int, int, int]:
    """How many keys a scheduler has, how many ledgers, and how many bytes are in them."""
    ledgers = dask_scheduler.task_metadata.get("prefect-dask") or {}
    return len(dask_scheduler.tasks), len(ledgers), sum(len(each) for one in ledgers.values() for each in one.values())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_ten_thousand_items_leave_the_scheduler_small(
    dask_cluster: DaskCluster, eventually: Any, prefect_harness: None, capsys: pytest.CaptureFixture[str]
) -> None:
    table = b"x" * 5_000_000
    pid = dask_cluster.scheduler.pid
    told: list[str] = []

    @flow(task_runner=DaskTaskRunner(address=dask_cluster.address))
    def mapped() -> tuple[float, int]:
        began = time.perf_counter()
        futures = add.map(range(COUNT), unmapped(table))
        submitted = time.perf_counter() - began
        results = futures.result()
        told.append(f"submit {submitted:.1f} s, all {time.perf_counter() - began:.1f} s")
        with Client(dask_cluster.address, set_as_default=False) as client:
            keys, _, size = client.run_on_scheduler(kept)
        told.append(f"{keys} keys, {size} bytes in the ledger at the end of the flow")
        assert results == [number + len(table) for number in range(COUNT)]
        return submitted, keys

    sizes = [resident(pid)]
    peaks: list[int] = []
    with Client(dask_cluster.address, set_as_default=False) as client:
        for _ in range(3):
            with peak(pid) as found:
                submitted, keys = mapped()
            # Once the flow has ended the scheduler keeps nothing of it.
            assert eventually(lambda: client.run_on_scheduler(kept) == (0, 0, 0))
            peaks.append(max(found))
            sizes.append(resident(pid))
            assert submitted < 20
            assert keys < COUNT + 10
    with capsys.disabled():
        sums = [", ".join(f"{size / MIB:.0f}" for size in each) for each in (sizes, peaks)]
        print(f"\n{'; '.join(told)}; scheduler MiB before and after each: {sums[0]}; peaks: {sums[1]}")
    assert peaks[0] - sizes[0] < COUNT * 20_000
    # What Python keeps for itself does not add up.
    assert peaks[2] - peaks[1] < 30 * MIB
