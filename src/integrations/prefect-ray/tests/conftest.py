"""Ray to run tasks on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prefect_ray import RayTaskRunner

if TYPE_CHECKING:
    from prefect_integration_tests.backends.ray import RayCluster


@pytest.fixture
def runner(prefect_harness: None, ray_cluster: RayCluster) -> RayTaskRunner[Any]:
    """A task runner on the cluster that this process is connected to."""
    return RayTaskRunner()


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker of pytest-xdist have Ray: it takes long to start, and much memory."""
    for item in items:
        if "ray_cluster_processes" in getattr(item, "fixturenames", ()) and item.path.parent == Path(__file__).parent:
            # Groups add up to others, and the pages of a guide have theirs.
            item.own_markers[:] = [mark for mark in item.own_markers if mark.name != "xdist_group"]
            item.add_marker(pytest.mark.xdist_group("ray"))
