"""The line between a flow run and the server of `ray://` addresses breaks: for a moment, in a result, for good."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect.settings import PREFECT_API_URL

if TYPE_CHECKING:
    from prefect_integration_tests.backends.ray import RayCluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

# A process has one connection to Ray, and that of the tests is of another kind.
SCRIPT = """
import json, sys, time
from pathlib import Path

from prefect import flow, task
from prefect_ray import RayTaskRunner
from prefect_integration_tests.backends.faults import FaultProxy
from prefect_integration_tests.seen import eventually

folder, port = Path(sys.argv[1]), int(sys.argv[2])


@task
def until(path, started):
    with started.open("a") as file:
        file.write("ran\\n")
    while not path.exists():
        time.sleep(0.02)
    return 7

@task
def make(size, notes):
    with notes.open("a") as file:
        file.write("ran\\n")
    return bytes(size)

def tell(**found):
    print(json.dumps(found), flush=True)

def main(proxy):
    @flow(task_runner=RayTaskRunner(address=f"ray://127.0.0.1:{proxy.port}"))
    def numbers():
        running = until.submit(folder / "go", folder / "reset")
        eventually((folder / "reset").exists)
        proxy.reset_connections()
        (folder / "go").touch()
        tell(reset=running.result())

        large = make.submit(3_000_000, folder / "cut")
        eventually(lambda: large.is_ready)
        proxy.set(reset_after_bytes=500_000, reset_times=1)
        tell(cut=len(large.result()), healed=proxy.reset_after_bytes is None)

        lost = until.submit(folder / "never", folder / "lost")
        after = make.submit(lost, folder / "after")
        eventually((folder / "lost").exists)
        proxy.refuse = True
        proxy.reset_connections()
        began = time.monotonic()
        lost.wait()
        after.wait()
        names = [lost.state.name, after.state.name]
        tell(lost=str(lost.task_run_id), names=names, message=lost.state.message, seconds=time.monotonic() - began)
        (folder / "never").touch()

    numbers()
    tell(ended=True)

if __name__ == "__main__":
    with FaultProxy("127.0.0.1", port) as proxy:
        main(proxy)
"""


@pytest.fixture(scope="module")
def told(
    prefect_harness: None, ray_cluster_processes: RayCluster, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the script has told, and how often each of its task runs ran."""
    folder = tmp_path_factory.mktemp("lines")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    environment = {
        **os.environ,
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "3",
    }
    with ray_cluster_processes.client_server() as port:
        done = subprocess.run(
            [sys.executable, str(script), str(folder), str(port)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    found: dict[str, Any] = {"errors": done.stderr[-4000:]}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found.update(json.loads(line))
    return {**found, **{f"{name} ran": _runs(folder / name) for name in ("reset", "cut", "lost", "after")}}


def _runs(notes: Path) -> int:
    return len(notes.read_text().split()) if notes.exists() else 0


def test_a_line_that_breaks_is_opened_again_and_nothing_runs_twice(told: dict[str, Any]) -> None:
    assert told.get("reset") == 7, told["errors"]
    assert told["reset ran"] == 1


def test_a_result_that_is_cut_off_is_fetched_again(told: dict[str, Any]) -> None:
    assert told.get("cut") == 3_000_000, told["errors"]
    assert told["healed"]  # the line did break
    assert told["cut ran"] == 1


def test_a_line_that_stays_broken_is_told(told: dict[str, Any], seen: Any) -> None:
    assert told.get("names") == ["Crashed", "NotReady"], told["errors"]
    assert "The connection to the Ray cluster was lost" in told["message"]
    assert told["seconds"] < 30
    assert told["after ran"] == 0
    assert told["ended"]
    assert seen.final_state(told["lost"]).is_crashed()
