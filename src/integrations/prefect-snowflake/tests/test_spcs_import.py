"""The Snowpark worker is light: Snowflake's connector is loaded by the first run, not by the import."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from prefect_snowflake.experimental.workers.spcs import SPCSWorker
from prefect.workers.base import BaseWorker

assert BaseWorker.get_worker_class_from_type("snowpark-container-service") is SPCSWorker
SPCSWorker.get_default_base_job_template()
SPCSWorker(work_pool_name="pool").job_runs
print("snowflake.connector" in sys.modules)
"""


def test_importing_the_worker_loads_no_connector() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
