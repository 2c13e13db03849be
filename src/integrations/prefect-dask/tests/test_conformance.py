"""What holds for every integration, shown for this one."""

from __future__ import annotations

from prefect_integration_tests.suites.interface import InterfaceSuite
from prefect_integration_tests.suites.package import PackageSuite


class TestPackage(PackageSuite):
    package = "prefect_dask"
    # Pairs of names that are two faces already, and a client whose methods are Dask's.
    one_face = frozenset(
        {"prefect_dask.utils", "prefect_dask.client", "prefect_dask.task_runners", "prefect_dask.get_async_dask_client"}
    )


class TestInterface(InterfaceSuite):
    package = "prefect_dask"
