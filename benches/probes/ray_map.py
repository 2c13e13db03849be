"""Map a trivial task over numbers on Ray, and wait for all of it; print seconds.

Arguments: how many numbers.
"""

import json
import os
import sys
from typing import Any

from _map import measure_map


def task_runner() -> Any:
    """Two processors of this machine."""
    from prefect_ray import RayTaskRunner

    return RayTaskRunner(init_kwargs={"num_cpus": 2, "include_dashboard": False})


if __name__ == "__main__":
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    print(json.dumps(measure_map(int(sys.argv[1]), task_runner)))
