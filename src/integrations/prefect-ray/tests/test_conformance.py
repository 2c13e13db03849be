"""What holds for every integration, shown for this one."""

from __future__ import annotations

from prefect_integration_tests.suites.interface import InterfaceSuite
from prefect_integration_tests.suites.package import PackageSuite


class TestPackage(PackageSuite):
    package = "prefect_ray"
    one_face = frozenset({"prefect_ray.task_runners", "prefect_ray.context"})  # a context, and Prefect's own face


class TestInterface(InterfaceSuite):
    package = "prefect_ray"
