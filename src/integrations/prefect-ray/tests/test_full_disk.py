"""Ray moves results to disk when its memory is full, and the disk is full, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

# A Ray of its own, for which any disk is too full.
SCRIPT = """
import json

from prefect import flow, task
from prefect_ray import RayTaskRunner

SIZE = 30_000_000


@task
def make(size):
    return bytes(size)

def tell(futures):
    for future in futures:
        future.wait()
    return [[future.state.name, future.state.message, str(future.task_run_id)] for future in futures]

system = {"local_fs_capacity_threshold": 0.0001, "local_fs_monitor_interval_ms": 10}
options = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False, "_system_config": system}

@flow(task_runner=RayTaskRunner(init_kwargs=options))
def large():
    plain = [make.submit(SIZE) for _ in range(4)]
    print(json.dumps({"plain": tell(plain)}), flush=True)
    kept = make.with_options(persist_result=True).submit(SIZE)
    print(json.dumps({"kept": len(kept.result())}), flush=True)

if __name__ == "__main__":
    large()
"""


@pytest.fixture(scope="module")
def told(prefect_harness: None) -> dict[str, Any]:
    """What the script has told."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    found: dict[str, Any] = {"errors": done.stderr[-4000:]}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found.update(json.loads(line))
    return found


def test_a_result_without_room_is_told_and_what_has_room_stays(told: dict[str, Any]) -> None:
    ends = told.get("plain", [])
    assert {name for name, *_ in ends} == {"Completed", "Crashed"}, told["errors"]
    assert all("no room for its result" in message for name, message, _ in ends if name == "Crashed")


def test_a_persisted_result_needs_no_room_in_ray(told: dict[str, Any]) -> None:
    assert told.get("kept") == 30_000_000, told["errors"]
