"""A cluster that runs already, reached from outside and from inside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

SCRIPT = """
import os, sys, time
from pathlib import Path

import ray
from prefect import flow, task
from prefect_ray import RayTaskRunner
from prefect_ray.context import remote_options
from prefect_ray.errors import RayResultLost
from prefect_integration_tests.backends.processes import free_port
from prefect_integration_tests.backends.ray import RayCluster
from prefect_integration_tests.seen import Seen


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

@task
def where():
    return ray.get_runtime_context().get_node_id()

@task
def note(file, size=0):
    with file.open("a") as opened:
        opened.write("ran\\n")
    return bytes(size)

@task
def forever(started):
    started.touch()
    time.sleep(300)

def soon(look):
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)

def run_on_two_nodes(cluster, address, folder):
    folder.mkdir()
    node = cluster.add_node(num_cpus=2, spare=4)

    @flow(task_runner=RayTaskRunner(address=address))
    def numbers():
        with remote_options(resources={"head": 1}):
            here = where.submit().result()
        with remote_options(resources={"spare": 1}):
            there = where.submit().result()
            small, large = note.submit(folder / "small"), note.submit(folder / "large", size=5_000_000)
            kept = note.with_options(persist_result=True).submit(folder / "kept", size=5_000_000)
            done = (small, large, kept)
            soon(lambda: all(each.is_ready for each in done))
            for each in done:  # a worker tells a little later
                Seen().final_state(each.task_run_id)
            running = forever.submit(folder / "started")
        soon((folder / "started").exists)
        nodes = {name: each["NodeID"] for each in ray.nodes() for name in each["Resources"] if each["Alive"]}
        assert (here, there) == (nodes["head"], nodes["spare"])
        cluster.kill_node(node)
        began = time.monotonic()
        running.wait()
        assert time.monotonic() - began < 30
        assert running.state.is_crashed(), running.state
        assert (small.result(), len(kept.result())) == (b"", 5_000_000)
        try:
            size = len(large.result())
        except RayResultLost:
            size = None
        # The server of a client fetches to its own node what it is asked about.
        assert size == (5_000_000 if address.startswith("ray://") else None), (address, size)
        for name in ("small", "large", "kept"):
            assert (folder / name).read_text() == "ran\\n", name
        return here

    numbers()

if __name__ == "__main__":
    port = free_port()
    with RayCluster.start(client_port=port, head=1) as cluster:
        for number, address in enumerate((cluster.address, f"ray://127.0.0.1:{port}")):
            run(address)
            run_on_two_nodes(cluster, address, Path(sys.argv[1]) / str(number))
        cluster.connect()  # it still runs
        soon(lambda: ray.cluster_resources().get("CPU") == 2)
    print("fine")
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
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
        [sys.executable, str(script), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.rstrip().endswith("fine"), done.stderr[-4000:]
