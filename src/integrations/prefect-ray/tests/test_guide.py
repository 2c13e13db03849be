"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task

from prefect_integration_tests.backends.processes import free_port
from prefect_integration_tests.suites import GuideSuite
from prefect_ray import RayTaskRunner
from prefect_ray._connection import check_address
from prefect_ray.context import remote_options

if TYPE_CHECKING:
    from prefect_integration_tests.backends.ray import RayCluster


@task
def read(connection: Any) -> None: ...


class TestGuide(GuideSuite):
    distribution = "prefect-ray"

    @pytest.fixture
    def surroundings(self, page_folder: Path, prefect_harness: None, ray_cluster: RayCluster) -> None:
        """A connection to Ray, which is quicker than one of the reader's own, and a place for files."""

    @pytest.fixture
    def provocations(self, runner: RayTaskRunner[Any]) -> Mapping[str, Callable[[], object]]:
        def send_a_lock() -> None:
            @flow(task_runner=runner)
            def reads() -> None:
                read.submit(Lock())

            reads()

        def misspell() -> None:
            with remote_options(num_cpu=1):
                pass

        return {
            "Nothing answers at the address": partial(check_address, f"ray://127.0.0.1:{free_port()}"),
            "The address is of another kind": partial(check_address, "http://my-ray-head:8265"),
            "An argument cannot be sent": send_a_lock,
            "An option is misspelt": misspell,
        }
