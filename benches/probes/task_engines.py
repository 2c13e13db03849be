"""Run small task runs, and some that share a large argument, on one task runner; print seconds."""

import json
import os
import sys
import time
import warnings
from typing import Any

TASKS_WITH_ARGUMENT = 20
ARGUMENT_BYTES = 64 * 1024 * 1024


def runner_of(engine: str) -> Any:
    """Make a task runner of two workers."""
    if engine == "Dask":
        from prefect_dask import DaskTaskRunner

        cluster = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
        return DaskTaskRunner(cluster_kwargs=cluster)
    if engine == "Ray":
        from prefect_ray import RayTaskRunner

        return RayTaskRunner(init_kwargs={"num_cpus": 2, "include_dashboard": False})
    from prefect import task_runners

    name = {"threads": "ThreadPoolTaskRunner", "processes": "ProcessPoolTaskRunner"}[engine]
    return getattr(task_runners, name)(max_workers=2)


def main() -> None:
    warnings.simplefilter("ignore")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    engine, count = sys.argv[1], int(sys.argv[2])
    from prefect import flow, task, unmapped
    from prefect.testing.utilities import prefect_test_harness

    @task
    def double(number: int) -> int:
        return 2 * number

    @task
    def size_of(content: bytes, number: int) -> int:
        return len(content) + number

    @flow(task_runner=runner_of(engine))
    def doubles(began: float) -> dict[str, float]:
        double.submit(1).result()
        started = time.perf_counter()
        double.map(range(4)).result()  # all workers have imported everything then
        begin = time.perf_counter()
        assert sum(double.map(range(count)).result()) == count * (count - 1)
        mapped = time.perf_counter()
        sizes = size_of.map(unmapped(bytes(ARGUMENT_BYTES)), range(TASKS_WITH_ARGUMENT)).result()
        end = time.perf_counter()
        assert sizes[1] == ARGUMENT_BYTES + 1
        return {"start_s": started - began, "each_ms": (mapped - begin) / count * 1000, "argument_s": end - mapped}

    with prefect_test_harness(server_startup_timeout=120):
        print(json.dumps(doubles(time.perf_counter())))


if __name__ == "__main__":
    main()
