# ---
# title: A year of weather on Dask
# description: Map a task over a year on Dask, compute on all of it together, and outlast what fails and what hangs.
# icon: layer-group
# keywords: ["dask", "map", "parallel", "annotations", "dask.array", "timeout"]
# dependencies: ["prefect-dask"]
# cmd: ["python", "examples/dask_weather.py"]
# order: 16
# ---
#
# A weather station measures every hour. This program looks at a year of it on a Dask cluster: a task for each month,
# one that waits for all of them, and one that computes on all measurements together. One month has a broken sensor, and
# one task hangs.
#
# It needs no account and no network: the cluster is two processes of this machine, which start and end with the flow,
# and a temporary Prefect server starts with the program.

import math
import random
import time
from typing import Any

import dask
from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness
from prefect.utilities.annotations import allow_failure

from prefect_dask import DaskTaskRunner, get_dask_client

# ## The tasks
#
# Nothing in them is about Dask. Each is a task run in Prefect, with its own state and logs, wherever it runs.

HOURS = 24 * 30


@task
def measure(month: int) -> list[float]:
    """What the station measured in a month, in degrees."""
    if month == 7:
        raise OSError("The sensor of July melted.")
    dice = random.Random(month)
    season = 10 - 12 * math.cos(2 * math.pi * (month - 1) / 12)
    return [season + 5 * math.sin(2 * math.pi * hour / 24) + dice.uniform(-1, 1) for hour in range(HOURS)]


@task
def warmest(months: list[Any]) -> float:
    """The highest temperature; months without measurements do not count."""
    return max(max(month) for month in months if isinstance(month, list))


# ## A Dask collection in a task
#
# Without a client the task would compute the array alone. With one the whole cluster takes part, and the task's own
# worker is free for its pieces meanwhile.


@task
def mean(months: list[Any]) -> float:
    """The mean temperature, computed on the cluster."""
    pieces = [dask.delayed(sum)(month) for month in months if isinstance(month, list)]
    with get_dask_client() as client:
        total = client.compute(dask.delayed(sum)(pieces), sync=True)
    return total / (HOURS * len(pieces))


# ## A task that hangs
#
# A time limit holds on Dask's workers, where the function blocks in a thread.


@task(timeout_seconds=0.5)
def ask_the_neighbour() -> float:
    """The neighbour's thermometer, which never answers."""
    time.sleep(60)
    return 0.0


# ## The flow
#
# Futures go into other tasks as they are, in lists too: the list of months is put together on a worker, and the
# measurements never travel through the flow. `allow_failure` lets July fail.


@flow(task_runner=DaskTaskRunner(cluster_kwargs={"n_workers": 2, "threads_per_worker": 2, "dashboard_address": ":0"}))
def year() -> dict[str, Any]:
    with dask.annotate(priority=10):  # before the months: it takes longest
        neighbour = ask_the_neighbour.submit()
    months = measure.map(range(1, 13))
    parts = [allow_failure(month) for month in months]
    highest, average = warmest.submit(parts), mean.submit(parts)
    months.wait()
    neighbour.wait()
    return {
        "months": sorted({month.state.name for month in months}),
        "warmest": round(highest.result(), 1),
        "mean": round(average.result(), 1),
        "neighbour": neighbour.state.name,
    }


def main() -> None:
    with prefect_test_harness():
        report = year()
    for name, value in report.items():
        print(f"{name}: {value}")
    assert report["months"] == ["Completed", "Failed"]
    assert report["neighbour"] == "TimedOut"


# Workers import this file again, and must not run the flow.

if __name__ == "__main__":
    main()
