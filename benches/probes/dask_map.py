"""Map a trivial task over numbers on Dask, and wait for all of it; print seconds.

Arguments: how many numbers.
"""

import json
import sys
from typing import Any

from _map import measure_map


def task_runner() -> Any:
    """Two processes of one thread each."""
    from prefect_dask import DaskTaskRunner

    cluster = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=cluster)


if __name__ == "__main__":
    print(json.dumps(measure_map(int(sys.argv[1]), task_runner)))
