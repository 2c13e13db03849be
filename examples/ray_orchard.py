# ---
# title: An orchard's photographs on Ray
# description: Look at many photographs in parallel on Ray, share a large model, and outlast what hangs and what dies.
# icon: apple-whole
# keywords: ["ray", "map", "parallel", "remote options", "timeout", "crash"]
# dependencies: ["prefect-ray"]
# cmd: ["python", "examples/ray_orchard.py"]
# order: 17
# ---
#
# A drone photographs an orchard, and a program counts the apples on every tree. The model that counts is large, and all
# tasks need it. One photograph is broken, one makes the task hang, and one makes its process die.
#
# It needs no account and no network: Ray runs on this machine, starts and ends with the flow, and a temporary Prefect
# server starts with the program.

import os
import random
import signal
import time
from typing import Any

from prefect import flow, task, unmapped
from prefect.testing.utilities import prefect_test_harness
from prefect.utilities.annotations import allow_failure

from prefect_ray import RayTaskRunner
from prefect_ray.context import remote_options

# ## The tasks
#
# Nothing in them is about Ray. Each is a task run in Prefect, with its own state and logs, wherever it runs.

TREES = 12


@task
def photograph(tree: int) -> list[int]:
    """What the drone sees of a tree."""
    if tree == 5:
        raise OSError("A crow sat on the camera.")
    dice = random.Random(tree)
    return [dice.randrange(256) for _ in range(1000)]


@task
def count(picture: list[int], model: bytes) -> int:
    """Apples on a picture: what is as red as the model says."""
    return sum(pixel > model[0] for pixel in picture)


@task
def harvest(counts: list[Any]) -> int:
    """All apples; trees that nobody could count have none."""
    return sum(each for each in counts if isinstance(each, int))


# ## What goes wrong
#
# A time limit ends a task that blocks. A process that dies takes its task run along: it ends as `Crashed`, in the flow
# and in the Prefect API, and the flow goes on.


@task(timeout_seconds=0.5)
def ask_the_gardener() -> int:
    """The gardener's own estimate, which never comes."""
    time.sleep(60)
    return 0


@task
def run_out_of_memory() -> None:
    """What the kernel does to a process that takes too much."""
    os.kill(os.getpid(), signal.SIGKILL)


# ## The flow
#
# The model is put into Ray's store once, however many tasks take it. Pictures go from one task to the next, and never
# through the flow. `remote_options` says what tasks need.


@flow(task_runner=RayTaskRunner(init_kwargs={"num_cpus": 2, "include_dashboard": False}))
def orchard() -> dict[str, Any]:
    model = bytes([200]) + bytes(1_000_000)
    pictures = photograph.map(range(TREES))
    with remote_options(num_cpus=0.5):
        counts = count.map(pictures, unmapped(model))
        gardener, greedy = ask_the_gardener.submit(), run_out_of_memory.submit()
    apples = harvest.submit([allow_failure(each) for each in counts])
    for each in (*counts, gardener, greedy):
        each.wait()
    return {
        "photographs": sorted({str(each.state.name) for each in pictures if each.wait() is None}),
        "counts": sorted({str(each.state.name) for each in counts}),
        "apples": apples.result(),
        "gardener": gardener.state.name,
        "greedy": greedy.state.name,
    }


def main() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with prefect_test_harness():
        report = orchard()
    for name, value in report.items():
        print(f"{name}: {value}")
    assert report["photographs"] == ["Completed", "Failed"]
    assert report["counts"] == ["Completed", "NotReady"]
    assert (report["gardener"], report["greedy"]) == ("TimedOut", "Crashed")


if __name__ == "__main__":
    main()
