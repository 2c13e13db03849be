"""List the jobs of the workspace that the argument describes."""

from __future__ import annotations

import json
import sys

from prefect import flow

from prefect_databricks import DatabricksCredentials
from prefect_databricks.jobs import jobs_list


@flow
def count_jobs(instance: str, token: str) -> int:
    """Count the jobs."""
    return len(jobs_list(DatabricksCredentials(databricks_instance=instance, token=token), limit=5)["jobs"])


print(count_jobs(**json.loads(sys.argv[1])))
