"""The line to the scheduler is slow, breaks, or leads nowhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster, Security
from prefect import flow, task

from prefect_dask import DaskTaskRunner
from prefect_dask.errors import DaskClusterUnavailable, DaskTaskRunLost
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.dask import DaskCluster
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST, FaultProxy

Eventually = Callable[[Callable[[], Any]], Any]


@task
def make(size: int, notes: Path) -> bytes:
    with notes.open("a") as file:
        file.write("ran\n")
    return bytes(size)


@task
def until(path: Path, started: Path) -> None:
    started.write_text(str(os.getpid()))
    while not path.exists():
        time.sleep(0.02)


@pytest.fixture
def proxy(killable_cluster: Any, fault_proxy: Callable[..., FaultProxy]) -> FaultProxy:
    """A line between the flow and the scheduler; workers have their own."""
    host, _, port = killable_cluster.address.rpartition("//")[2].partition(":")
    return fault_proxy(host, int(port))


@pytest.fixture
def runner(proxy: FaultProxy) -> Any:
    return DaskTaskRunner(address=f"tcp://{proxy.host}:{proxy.port}", client_kwargs={"timeout": 3})


def test_a_slow_line_changes_nothing(runner: Any, proxy: FaultProxy, seen: Any, tmp_path: Path) -> None:
    proxy.set(latency_seconds=0.05, bytes_per_second=500_000)

    @flow(task_runner=runner)
    def slow() -> int:
        return len(make.submit(100_000, tmp_path / "notes").result())

    assert slow() == 100_000
    assert (tmp_path / "notes").read_text() == "ran\n"


def test_a_broken_line_is_told_and_the_scheduler_forgets_the_run(
    runner: Any, proxy: FaultProxy, killable_cluster: Any, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    ids: list[Any] = []

    @flow(task_runner=runner)
    def broken() -> None:
        future = until.submit(tmp_path / "end", tmp_path / "started")
        ids.append(future.task_run_id)
        eventually((tmp_path / "started").exists)
        proxy.reset_connections()
        future.result()

    began = time.monotonic()
    with pytest.raises(DaskTaskRunLost, match=r"line|connection|scheduler|client"):
        broken()
    assert time.monotonic() - began < 30
    assert seen.final_state(ids[0]).is_crashed()
    eventually(lambda: not any("until" in str(key) for key in killable_cluster.scheduler.tasks))
    (tmp_path / "end").touch()  # Dask cannot end a thread, and the worker has but one


def test_a_result_that_is_cut_off_is_told(
    runner: Any, proxy: FaultProxy, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    @flow(task_runner=runner)
    def cut() -> None:
        future = make.submit(3_000_000, tmp_path / "notes")
        eventually(lambda: future.wrapped_future.status == "finished")
        proxy.set(reset_after_bytes=500_000, reset_times=1)
        future.result()

    began = time.monotonic()
    with pytest.raises(DaskTaskRunLost):
        cut()
    assert time.monotonic() - began < 30
    assert (tmp_path / "notes").read_text() == "ran\n"


def test_a_scheduler_that_says_nothing_is_given_up_in_time(runner: Any, proxy: FaultProxy) -> None:
    proxy.blackhole = True

    @flow(task_runner=runner)
    def silent() -> None: ...

    began = time.monotonic()
    with pytest.raises(DaskClusterUnavailable, match=rf"{proxy.port}.*connect timeout 3"):
        silent()
    assert time.monotonic() - began < 20


def test_a_host_that_nobody_knows_is_named(prefect_harness: None) -> None:
    @flow(task_runner=DaskTaskRunner(address=f"tcp://{UNRESOLVABLE_HOST}:8786", client_kwargs={"timeout": 2}))
    def nowhere() -> None: ...

    with pytest.raises(DaskClusterUnavailable, match=UNRESOLVABLE_HOST):
        nowhere()


def test_a_certificate_that_nobody_trusts_is_refused(prefect_harness: None, tmp_path: Path) -> None:
    def security(folder: str) -> Security:
        path = tmp_path / folder
        path.mkdir()
        authority = PrivateCA(path)
        issued = authority.issue("dask", "127.0.0.1", "localhost")
        files = {"tls_ca_file": authority.ca_file}
        for role in ("scheduler", "worker", "client"):
            files |= {f"tls_{role}_cert": issued.cert_file, f"tls_{role}_key": issued.key_file}
        return Security(require_encryption=True, **{name: str(file) for name, file in files.items()})

    options = {"n_workers": 0, "dashboard_address": None, "protocol": "tls://", "host": "127.0.0.1"}
    with LocalCluster(security=security("theirs"), **options) as cluster:
        kwargs = {"timeout": 3, "security": security("ours")}

        @flow(task_runner=DaskTaskRunner(address=cluster.scheduler_address, client_kwargs=kwargs))
        def distrusted() -> None: ...

        with pytest.raises(DaskClusterUnavailable, match=r"(?s)tls://.*certificates in `client_kwargs"):
            distrusted()


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_changes_nothing(
    dask_cluster: DaskCluster,
    eventually: Eventually,
    seen: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jump: int,
) -> None:
    """Unless it is set back while the client has just sent something, and waits by this clock to send the next."""
    real = time.time
    clocks = [module for module in [*sys.modules.values()] if vars(module).get("time") is real]

    def set_to(clock: Callable[[], float]) -> None:
        for module in clocks:
            monkeypatch.setattr(module, "time", clock)

    @flow(task_runner=DaskTaskRunner(address=dask_cluster.address))
    def jumps() -> int:
        first = make.submit(10, tmp_path / "notes")
        first.wait()
        line = first.wrapped_future.client.scheduler_comm
        eventually(lambda: line.next_deadline is None)
        set_to(lambda: real() + jump)
        assert until.submit(tmp_path / "never", tmp_path / "started").wait(timeout=0.3) is None
        (tmp_path / "never").touch()
        second = make.submit(20, tmp_path / "notes")
        found = len(first.result()) + len(second.result())
        set_to(real)
        return found

    assert jumps() == 30
