"""Options of the task runner, what it connects to, and what it says when that cannot work."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import cloudpickle
import prefect
import pytest
from distributed import Client, LocalCluster, Security, default_client
from prefect import flow, task

from prefect_dask import DaskTaskRunner, get_async_dask_client, get_dask_client
from prefect_dask._clusters import tell_of_workers
from prefect_dask.errors import DaskClusterUnavailable, DaskConfigurationError
from prefect_integration_tests.backends.processes import free_port

HERE = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}


@task
def one() -> int:
    return 1


def test_a_wrong_address_is_named_in_time(prefect_harness: None) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    began = time.monotonic()

    @flow(task_runner=DaskTaskRunner(address=address, client_kwargs={"timeout": 1}))
    def nowhere() -> None: ...

    with pytest.raises(DaskClusterUnavailable, match=address):
        nowhere()
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "tcp://h:1", "cluster_kwargs": {"n_workers": 1}}, "Cannot specify `address`"),
        ({"address": "tcp://h:1", "cluster_class": "distributed.LocalCluster"}, "Cannot specify `address`"),
        ({"address": "tcp://h:1", "adapt_kwargs": {"maximum": 1}}, "Cannot specify `address`"),
        ({"cluster_kwargs": {"asynchronous": True}}, "`cluster_kwargs` cannot set `asynchronous`"),
        ({"client_kwargs": {"asynchronous": True}}, "`client_kwargs` cannot set `asynchronous`"),
        ({"cluster_class": "no.such.Cluster"}, "cannot be imported"),
        ({"cluster_class": "os.sep"}, "neither a class nor a function"),
        ({"cluster_class": 3}, "must be a class"),
    ],
    ids=["kwargs", "class", "adapt", "cluster-async", "client-async", "no-module", "no-class", "number"],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DaskConfigurationError, match=message):
        DaskTaskRunner(**options)


@pytest.mark.parametrize(
    ("cluster_class", "error"),
    [("no.such.Cluster", ImportError), ("distributed.NoSuchCluster", AttributeError)],
    ids=["module", "class"],
)
def test_a_class_that_is_not_there_is_an_error_of_imports_too(cluster_class: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="cannot be imported") as caught:
        DaskTaskRunner(cluster_class=cluster_class)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


@pytest.mark.parametrize("is_class", [False, True], ids=["function", "class"])
def test_a_cluster_may_be_made_by_a_context_manager(prefect_harness: None, *, is_class: bool) -> None:
    ended: list[str] = []

    @contextmanager
    def start(**options: Any) -> Iterator[LocalCluster]:
        with LocalCluster(**options) as cluster:
            yield cluster
        ended.append(cluster.status.name)

    class Start:
        def __init__(self, **options: Any) -> None:
            self._manager = start(**options)

        def __enter__(self) -> LocalCluster:
            return self._manager.__enter__()

        def __exit__(self, *exc: Any) -> None:
            self._manager.__exit__(*exc)

    made_by: Any = Start if is_class else start

    @flow(task_runner=DaskTaskRunner(cluster_class=made_by, cluster_kwargs=HERE))
    def numbers() -> int:
        return one.submit().result()

    assert numbers() == 1
    assert ended == ["closed"]


def test_a_cluster_that_was_passed_in_adapts(prefect_harness: None) -> None:
    with LocalCluster(**{**HERE, "n_workers": 0}) as cluster:

        @flow(task_runner=DaskTaskRunner(cluster=cluster, adapt_kwargs={"minimum": 1, "maximum": 1}))
        def numbers() -> int:
            return one.submit().result()

        assert numbers() == 1


def test_what_stands_in_for_a_cluster_is_no_asynchronous_one() -> None:
    cluster = MagicMock()
    assert DaskTaskRunner(cluster=cluster).duplicate() == DaskTaskRunner(cluster=cluster)


def test_the_client_is_there_before_the_start_and_closed_at_the_end(prefect_harness: None) -> None:
    runner = DaskTaskRunner(cluster_kwargs=HERE)
    client = runner.client
    assert client.submit(int, 7).result() == 7
    with runner:
        assert runner.client is client
        assert runner.submit(one, {}).result() == 1
    assert client.status == "closed"
    with runner:
        assert runner.client is not client


def test_the_client_of_a_flow_is_not_that_of_the_process(threads_cluster: LocalCluster) -> None:
    @flow(task_runner=DaskTaskRunner(cluster_kwargs=HERE))
    def default() -> tuple[Client, Client]:
        with get_dask_client() as client:
            assert default_client() is client
        return default_client(), client

    mine = Client(threads_cluster)
    try:
        outside, inside = default()
    finally:
        mine.close()
    assert outside is mine
    assert inside is not mine


def test_a_cluster_that_does_not_start_is_named(prefect_harness: None) -> None:
    def start() -> Any:
        raise RuntimeError("no quota")

    with pytest.raises(DaskClusterUnavailable, match="no quota"), DaskTaskRunner(cluster_class=start):
        pass


def test_a_duplicate_has_the_same_options() -> None:
    options: dict[str, Any] = {"cluster_class": "distributed.LocalCluster", "cluster_kwargs": HERE}
    runner = DaskTaskRunner(**options, adapt_kwargs={"maximum": 2}, performance_report_path="r.html")
    duplicate = runner.duplicate()
    assert duplicate == runner
    assert duplicate is not runner
    assert duplicate.resolved_cluster_class is LocalCluster
    assert duplicate != DaskTaskRunner()


def test_a_pickled_runner_knows_the_address(threads_cluster: LocalCluster) -> None:
    arrived = pickle.loads(pickle.dumps(DaskTaskRunner(cluster=threads_cluster)))
    assert arrived.address == threads_cluster.scheduler_address


class Subclass(DaskTaskRunner):
    """Of a user, with an attribute of its own."""

    team = "none"


@pytest.mark.parametrize(
    "options",
    [
        {"cluster_class": "distributed.LocalCluster", "cluster_kwargs": HERE, "adapt_kwargs": {"maximum": 2}},
        {"address": "tls://h:1", "client_kwargs": {"timeout": 3, "security": Security(require_encryption=True)}},
        {"performance_report_path": "r.html"},
    ],
    ids=["temporary", "existing", "default"],
)
def test_a_flow_that_is_sent_elsewhere_keeps_the_options_of_its_runner(options: dict[str, Any]) -> None:
    runner = Subclass(**options)
    runner.team = "shop"

    @flow(task_runner=runner)
    def sent() -> None: ...

    # As bundles do, and flow runs in a process of their own.
    arrived: Any = cloudpickle.loads(cloudpickle.dumps(sent)).task_runner
    assert (type(arrived), arrived.team) == (Subclass, "shop")
    for name in ("cluster_class", "cluster_kwargs", "adapt_kwargs", "address", "performance_report_path"):
        assert getattr(arrived, name) == getattr(runner, name)
    assert arrived.resolved_cluster_class is runner.resolved_cluster_class
    assert {**arrived.client_kwargs, "security": None} == {**runner.client_kwargs, "security": None}
    assert copy.deepcopy(arrived).cluster_kwargs == runner.cluster_kwargs


def test_what_only_starts_the_cluster_does_not_travel_to_its_workers(prefect_harness: None) -> None:
    options = {**HERE, "name": "canary"}

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=options))
    def sent() -> list[bytes]:
        future = one.submit()
        future.wait()
        return [parcel.result() for parcel in future.wrapped_future.parcels]

    parcels = sent()
    assert parcels
    assert not any(b"canary" in each for each in parcels)


def test_an_option_that_the_client_does_not_know_is_no_wrong_address(
    threads_cluster: LocalCluster,
) -> None:
    runner = DaskTaskRunner(address=threads_cluster.scheduler_address, client_kwargs={"time_out": 3})
    with pytest.raises(DaskConfigurationError, match=r"`client_kwargs` cannot be used: .*time_out"), runner:
        pass


def test_a_worker_that_says_nothing_does_not_hold_up_the_start(killable_cluster: Any) -> None:
    with Client(killable_cluster.address, set_as_default=False) as client:
        pid = next(iter(client.run(os.getpid).values()))
    os.kill(pid, signal.SIGSTOP)
    goes_on = threading.Timer(25, os.kill, [pid, signal.SIGCONT])
    goes_on.start()
    began = time.monotonic()
    try:
        with DaskTaskRunner(address=killable_cluster.address):
            seconds = time.monotonic() - began
            os.kill(pid, signal.SIGCONT)
    finally:
        goes_on.cancel()
        os.kill(pid, signal.SIGCONT)
    assert seconds < 20


def test_a_cluster_adapts(prefect_harness: None) -> None:
    @flow(
        task_runner=DaskTaskRunner(cluster_kwargs={**HERE, "n_workers": 0}, adapt_kwargs={"minimum": 1, "maximum": 2})
    )
    def adapted() -> int:
        return one.submit().result()

    assert adapted() == 1


def test_a_cluster_that_scales_from_none_takes_large_arguments(prefect_harness: None) -> None:
    @task
    def size(content: bytes) -> int:
        return len(content)

    @flow(
        task_runner=DaskTaskRunner(cluster_kwargs={**HERE, "n_workers": 0}, adapt_kwargs={"minimum": 0, "maximum": 1})
    )
    def adapted() -> int:
        return size.submit(b"x" * 20_000_000).result()

    assert adapted() == 20_000_000


def test_other_versions_of_workers_are_told(caplog: pytest.LogCaptureFixture) -> None:
    from prefect_dask._clusters import _tell

    with caplog.at_level(logging.WARNING):
        answers = {"tcp://a:1": "3.0.0", "tcp://b:1": "3.9.1", "tcp://c:1": ModuleNotFoundError("prefect")}
        _tell("prefect", "3.9.1", answers, logging.getLogger("told"))
    assert "3.0.0 there, 3.9.1 here (tcp://a:1)" in caplog.text
    assert "none there" in caplog.text
    assert "tcp://b:1" not in caplog.text


def test_a_worker_with_another_version_is_told_in_the_logs(
    killable_cluster: Any, eventually: Any, seen: Any, tmp_path: Path
) -> None:
    installed = tmp_path / "prefect-3.0.0.dist-info"
    installed.mkdir()
    installed.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: prefect\nVersion: 3.0.0\n")
    other = next(iter(killable_cluster.scheduler.workers))

    def see_first(folder: str) -> None:
        sys.path.insert(0, folder)

    with Client(killable_cluster.address, set_as_default=False) as client:
        client.run(see_first, str(tmp_path), workers=[other])

    @task
    def nothing() -> None:
        pass

    @flow(task_runner=DaskTaskRunner(address=killable_cluster.address))
    def warned() -> Any:
        nothing.submit().wait()
        return prefect.runtime.flow_run.id

    flow_run_id = warned()
    warning = f"another version of prefect than this flow run: 3.0.0 there, {prefect.__version__} here ({other})"
    eventually(lambda: any(warning in each["message"] for each in seen.logs(flow_run_id)))
    killable_cluster.kill({other})


def test_a_cluster_without_workers_is_told(caplog: pytest.LogCaptureFixture, prefect_harness: None) -> None:
    options = {**HERE, "n_workers": 0}
    with (
        LocalCluster(**options) as cluster,
        caplog.at_level(logging.WARNING),
        DaskTaskRunner(cluster=cluster) as runner,
    ):
        tell_of_workers(runner.client, logging.getLogger("told"))
    assert "has no workers" in caplog.text


def test_collections_are_computed_by_all_workers(runner: DaskTaskRunner) -> None:
    @task
    def mean() -> float:
        import dask.array

        with get_dask_client(timeout="30s") as client:
            return float(client.compute(dask.array.arange(101, chunks=10).mean(), sync=True))

    @task
    async def amean() -> float:
        import dask.array

        async with get_async_dask_client(timeout="30s") as client:
            return float(await client.compute(dask.array.arange(101, chunks=10).mean()))

    @flow(task_runner=runner)
    def means() -> list[float]:
        with get_dask_client() as client:
            in_flow = client.submit(lambda: 7.0).result()
        return [mean.submit().result(), amean.submit().result(), in_flow]

    assert means() == [50.0, 50.0, 7.0]


def test_a_worker_with_one_thread_computes_for_its_own_task(prefect_harness: None) -> None:
    @task
    def mean() -> float:
        import dask.array

        with get_dask_client() as client:
            return float(client.compute(dask.array.arange(101, chunks=10).mean(), sync=True))

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=HERE))
    def means() -> list[float]:
        return [each.result() for each in [mean.submit(), mean.submit()]]

    assert means() == [50.0, 50.0]


def test_collections_travel_between_tasks(runner: DaskTaskRunner) -> None:
    @task
    def numbers() -> Any:
        import dask.array

        return dask.array.arange(11, chunks=5)

    @task
    def total(collection: Any) -> int:
        with get_dask_client():
            return int(collection.sum().compute())

    @flow(task_runner=runner)
    def sums() -> int:
        return total.submit(numbers.submit()).result()

    assert sums() == 55


def test_a_report_that_cannot_be_written_is_refused_at_the_start(
    runner: DaskTaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    import prefect_dask.task_runners

    monkeypatch.setattr(prefect_dask.task_runners, "is_installed", lambda module: False)
    runner.performance_report_path = "report.html"
    with pytest.raises(DaskConfigurationError, match="bokeh"), runner:
        pass


def test_import_loads_no_dask() -> None:
    import subprocess
    import sys

    code = "import sys, prefect_dask; assert not {'dask', 'distributed', 'tornado'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
