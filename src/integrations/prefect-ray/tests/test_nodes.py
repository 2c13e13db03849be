"""Two nodes: tasks run where they shall, and what becomes of them and of their results when a node dies.

Each test starts nodes of its own, and Ray takes seconds to notice that one is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task

from prefect_ray import RayTaskRunner
from prefect_ray.context import remote_options
from prefect_ray.errors import RayResultLost, RayTaskRunLost

if TYPE_CHECKING:
    from prefect_integration_tests.backends.ray import RayCluster

pytestmark = pytest.mark.slow

Eventually = Callable[[Callable[[], Any]], Any]

NOTICED_SECONDS = 30
"""The cluster of the tests notices within seconds that a node is gone; the machine may be busy."""

LARGE = 5_000_000
"""Bytes of a result that stays on its node."""


@task
def work(number: int, notes: Path, size: int = 0) -> bytes:
    with notes.open("a") as file:
        file.write(f"{number}\n")
    return str(number).encode() + bytes(size)


@task
def length(content: bytes) -> int:
    return len(content)


@task
def until(path: Path, started: Path) -> None:
    started.touch()
    while not path.exists():
        time.sleep(0.02)


@task
def where() -> str:
    import ray

    return ray.get_runtime_context().get_node_id()


class Spare:
    """A second node, and another one after it."""

    def __init__(self, cluster: RayCluster) -> None:
        self._cluster = cluster
        self._nodes: list[Any] = []

    def start(self) -> None:
        self._nodes.append(self._cluster.add_node(num_cpus=2, spare=4))

    def kill(self) -> None:
        while self._nodes:
            self._cluster.kill_node(self._nodes.pop())


@pytest.fixture
def spare(ray_cluster: RayCluster) -> Iterator[Spare]:
    """A node with a resource that the other one has not."""
    node = Spare(ray_cluster)
    node.start()
    yield node
    node.kill()


def _node_with(resource: str) -> str:
    import ray

    return next(node["NodeID"] for node in ray.nodes() if node["Alive"] and resource in node["Resources"])


def _numbers(notes: Path) -> list[int]:
    return sorted(int(line) for line in notes.read_text().split())


@pytest.mark.parametrize("by_address", [False, True], ids=["here", "address"])
def test_needs_say_on_which_node_a_task_runs(
    ray_cluster: RayCluster, runner: RayTaskRunner[Any], spare: Spare, by_address: bool
) -> None:
    @flow(task_runner=RayTaskRunner(address=ray_cluster.address) if by_address else runner)
    def places() -> tuple[set[str], set[str]]:
        with remote_options(resources={"spare": 1}):
            there = [where.submit() for _ in range(4)]
        with remote_options(resources={"head": 1}):
            here = [where.submit() for _ in range(4)]
        return {each.result() for each in there}, {each.result() for each in here}

    assert places() == ({_node_with("spare")}, {_node_with("head")})


def test_a_killed_node_loses_task_runs_and_what_has_ended_is_not_run_again(
    runner: RayTaskRunner[Any], spare: Spare, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    notes, started = tmp_path / "notes", tmp_path / "started"
    found: list[Any] = []  # a future that a flow returns becomes its state

    @flow(task_runner=runner)
    def once() -> None:
        with remote_options(resources={"spare": 1}, max_retries=3):
            # One is small, and comes back with the answer; the other is in the memory of the node.
            small, large = work.submit(1, notes), work.submit(2, notes, size=LARGE)
            eventually(lambda: small.is_ready and large.is_ready)
        with remote_options(resources={"spare": 1}):
            running = until.submit(tmp_path / "never", started)
        waiting = length.submit(running)  # pyright: ignore[reportArgumentType]
        eventually(started.exists)
        began = time.monotonic()
        spare.kill()
        running.wait()
        seconds = time.monotonic() - began
        waiting.wait()
        spare.start()  # Ray makes the large one again, on a node that has what it needs
        large.wait()
        found.extend((running, waiting.state.name, seconds, small.result(), large))

    once()
    running, waiting, seconds, small, large = found
    assert "node that it was on died" in str(running.state.message)
    assert waiting == "NotReady"
    assert seconds < NOTICED_SECONDS
    assert small == b"1"
    with pytest.raises(RayResultLost, match="persist_result=True"):
        large.result()
    assert _numbers(notes) == [1, 2]
    assert seen.final_state(running.task_run_id).is_crashed()
    assert seen.final_state(large.task_run_id).is_completed()


def test_a_task_run_on_a_killed_node_runs_elsewhere_if_asked(
    runner: RayTaskRunner[Any], spare: Spare, eventually: Eventually, tmp_path: Path
) -> None:
    started, release = tmp_path / "started", tmp_path / "release"

    @flow(task_runner=runner)
    def moved() -> str:
        with remote_options(resources={"spare": 1}, max_retries=1):
            future = until.submit(release, started)
        eventually(started.exists)
        spare.kill()
        release.touch()
        spare.start()
        future.wait()
        return future.state.name

    assert moved() == "Completed"


@pytest.mark.parametrize("options", [{}, {"max_retries": 3}], ids=["once", "retried"])
def test_a_persisted_result_outlives_its_node(
    runner: RayTaskRunner[Any], spare: Spare, eventually: Eventually, seen: Any, tmp_path: Path, options: dict[str, Any]
) -> None:
    notes = tmp_path / "notes"
    persisted = work.with_options(persist_result=True)

    @flow(task_runner=runner)
    def kept() -> int:
        with remote_options(resources={"spare": 1}, **options):
            future = persisted.submit(1, notes, size=LARGE)
            eventually(lambda: future.is_ready)
        seen.final_state(future.task_run_id)
        spare.kill()
        spare.start()
        return len(future.result())

    assert kept() == LARGE + 1
    assert _numbers(notes) == [1]


def test_a_result_that_went_with_its_node_is_named(
    runner: RayTaskRunner[Any], spare: Spare, eventually: Eventually, seen: Any, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    found: list[Any] = []

    @flow(task_runner=runner)
    def lost() -> None:
        with remote_options(resources={"spare": 1}):
            future = work.submit(1, notes, size=LARGE)
            eventually(lambda: future.is_ready)
        seen.final_state(future.task_run_id)
        spare.kill()
        with pytest.raises(RayResultLost, match="has ended, but its result was lost"):
            future.result()
        after = length.submit(future)
        after.wait()
        found.extend((future, after.state))

    lost()
    future, after = found
    assert after.name == "NotReady"
    assert "did not reach a 'COMPLETED' state" in str(after.message)
    assert isinstance(future.state.data, RayTaskRunLost)
    assert _numbers(notes) == [1]
    assert seen.final_state(future.task_run_id).is_completed()
