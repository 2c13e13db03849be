"""Map a trivial task over numbers on Ray, and wait for all of it; print seconds."""

import json
import os
import sys
import time
import warnings


def cpu() -> float:
    """CPU seconds of this process."""
    return sum(os.times()[:2])


def main() -> None:
    warnings.simplefilter("ignore")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    count = int(sys.argv[1])
    from prefect import flow, task
    from prefect.testing.utilities import prefect_test_harness

    from prefect_ray import RayTaskRunner

    @task
    def double(number: int) -> int:
        return 2 * number

    @flow(task_runner=RayTaskRunner(init_kwargs={"num_cpus": 2, "include_dashboard": False}))
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
        print(json.dumps(doubles()))


if __name__ == "__main__":
    main()
