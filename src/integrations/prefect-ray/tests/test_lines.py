"""The way to a cluster leads nowhere, or to somebody who is not Ray; the clock jumps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task

from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_ray import RayTaskRunner
from prefect_ray._connection import check_address
from prefect_ray.errors import RayClusterUnavailable


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def until(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


@pytest.mark.parametrize(
    "address", [f"ray://{UNRESOLVABLE_HOST}:10001", f"{UNRESOLVABLE_HOST}:6379"], ids=["client", "cluster"]
)
def test_a_host_that_nobody_knows_is_named(address: str) -> None:
    with pytest.raises(RayClusterUnavailable, match=UNRESOLVABLE_HOST):
        check_address(address)


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_changes_nothing(
    runner: RayTaskRunner[Any], seen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    real = time.time

    @flow(task_runner=runner)
    def jumps() -> int:
        first = add.submit(1)
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        waiting = until.submit(tmp_path / "go")
        waiting.wait(timeout=0.3)
        assert not waiting.is_ready
        (tmp_path / "go").touch()
        waiting.result()
        second = add.submit(first)  # pyright: ignore[reportArgumentType]
        found = second.result()
        monkeypatch.setattr(time, "time", real)
        return found

    assert jumps() == 3
