"""Map a trivial task over numbers on a task runner, and wait for all of it."""

import os
import time
import warnings
from collections.abc import Callable
from typing import Any


def cpu() -> float:
    """CPU seconds of this process."""
    return sum(os.times()[:2])


def measure_map(count: int, make_task_runner: Callable[[], Any]) -> dict[str, float]:
    """Run it in a flow beside a Prefect server, and return seconds.

    Args:
        count: How many task runs.
        make_task_runner: Makes the task runner; what it imports is not part of the times.
    """
    warnings.simplefilter("ignore")
    from prefect import flow, task
    from prefect.testing.utilities import prefect_test_harness

    @task
    def double(number: int) -> int:
        return 2 * number

    @flow(task_runner=make_task_runner())
    def doubles() -> dict[str, float]:
        double.map(range(4)).result()  # the workers have imported everything then
        begin, begin_cpu = time.perf_counter(), cpu()
        futures = double.map(range(count))
        submitted = time.perf_counter()
        total = sum(futures.result())
        end = time.perf_counter()
        assert total == count * (count - 1)
        return {"map_s": end - begin, "submit_s": submitted - begin, "flow_cpu_s": cpu() - begin_cpu}

    with prefect_test_harness(server_startup_timeout=120):
        return doubles()
