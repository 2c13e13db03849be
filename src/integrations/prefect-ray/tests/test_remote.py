"""A cluster that runs already, reached from outside and from inside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

SCRIPT = """
import os, sys
from pathlib import Path

import ray
from prefect import flow, task
from prefect_ray import RayTaskRunner
from prefect_ray.errors import RayTaskRunLost
from prefect_integration_tests.backends.processes import free_port
from prefect_integration_tests.backends.ray import RayCluster


@task
def double(number, given=None):
    return 2 * number

@task
def variables():
    return {name: value for name, value in os.environ.items() if name.startswith(("PREFECT_LOGGING_LEVEL", "MINE"))}

@task
def fetch(references):
    return sum(ray.get(references))

@task
def die():
    os.kill(os.getpid(), 9)

def run(address):
    @flow(task_runner=RayTaskRunner(address=address, init_kwargs={"runtime_env": {"env_vars": {"MINE": "1"}}}))
    def numbers():
        first = double.map(range(5))
        second = double.submit(first[4], given=[first[0]])
        held = fetch.submit([ray.put(1), ray.put(2)])
        dead = die.submit()
        dead.wait()
        return second.result(), held.result(), variables.submit().result(), dead.state.name

    second, held, found, dead = numbers()
    assert (second, held, dead) == (16, 3, "Crashed"), (second, held, dead)
    assert found == {"MINE": "1", "PREFECT_LOGGING_LEVEL": "DEBUG"}, found
    assert not ray.is_initialized()  # the connection was ours

if __name__ == "__main__":
    port = free_port()
    with RayCluster.start(client_port=port) as cluster:
        run(cluster.address)
        run(f"ray://127.0.0.1:{port}")
        cluster.connect()  # it still runs
        assert ray.cluster_resources()["CPU"] == 2
    print("fine")
"""


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_a_cluster_is_reached_by_address_and_by_client_and_left_running(prefect_harness: None, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {
        **os.environ,
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "MINE": "of the flow",
    }
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout.rstrip().endswith("fine"), done.stderr[-4000:]
