"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from prefect import flow, task

from prefect_dask import DaskTaskRunner
from prefect_integration_tests.backends.processes import free_port
from prefect_integration_tests.suites import GuideSuite


@task
def read(connection: Any) -> None: ...


class TestGuide(GuideSuite):
    distribution = "prefect-dask"

    @pytest.fixture
    def surroundings(self, page_folder: Path, prefect_harness: None) -> None:
        """Nothing but a place for files."""

    @pytest.fixture
    def provocations(self, prefect_harness: None) -> Mapping[str, Callable[[], object]]:
        def run(**options: Any) -> None:
            with DaskTaskRunner(**options):
                pass

        def send_a_lock() -> None:
            here = {"n_workers": 1, "processes": False, "dashboard_address": None}

            @flow(task_runner=DaskTaskRunner(cluster_kwargs=here))
            def reads() -> None:
                read.submit(Lock())

            reads()

        nothing = f"tcp://127.0.0.1:{free_port()}"
        return {
            "Nothing answers at the address": partial(run, address=nothing, client_kwargs={"timeout": 1}),
            "The address is of another kind": partial(run, address="http://my-dask-cluster"),
            "An argument cannot be sent": send_a_lock,
            "Options contradict each other": partial(run, address=nothing, cluster_kwargs={"n_workers": 2}),
        }
