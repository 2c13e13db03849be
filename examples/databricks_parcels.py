# ---
# title: A night at Databricks
# description: Run a job's notebooks from a flow, repair only the task that failed, and read the result by SQL.
# icon: fire
# keywords: ["databricks", "notebook", "job run", "repair", "retries", "SQL warehouse", "parameters"]
# dependencies: ["prefect-databricks", "prefect-integration-tests", "duckdb"]
# cmd: ["python", "examples/databricks_parcels.py"]
# order: 13
# ---
#
# A shop counts its parcels every night. The job has two notebooks at Databricks: one cleans the day's parcels, the
# other sums them up. Tonight the second one fails. A retry should not clean everything again, nor leave two runs
# behind: it repairs the run. Then a report is read from a SQL warehouse.
#
# The program needs no account: a server in the shape of a Databricks workspace starts with it, executes the notebooks
# in processes and the SQL by DuckDB, and ends with it. So does a Prefect server.

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from prefect_databricks import DatabricksCredentials
from prefect_databricks.flows import DatabricksJobTerminated, jobs_runs_submit_by_id_and_wait_for_completion
from prefect_databricks.jobs import jobs_create
from prefect_databricks.sql import DatabricksSqlWarehouse
from prefect_integration_tests.backends.databricks import TOKEN, WAREHOUSE, Databricks

FOLDER = TemporaryDirectory()
RATES = Path(FOLDER.name) / "rates.csv"

# ## The job
#
# Two notebooks, the second after the first, and a parameter of the job that both read. The second fails while a file
# is missing, which stands for whatever fails at night and is mended by somebody else.

CLEAN = """
parcels = [{"id": 1, "kg": 3}, {"id": 2, "kg": 5}, {"id": 2, "kg": 5}]
unique = {each["id"]: each for each in parcels}
print(f"{len(parcels)} parcels on", dbutils.widgets.get("day"))
dbutils.notebook.exit(f"{len(unique)} parcels")
"""

SUM_UP = """
from pathlib import Path
if not Path(dbutils.widgets.get("rates")).exists():
    raise FileNotFoundError("the rates of the day have not come yet")
dbutils.notebook.exit("8 kg on " + dbutils.widgets.get("day"))
"""


@task
def create_job(credentials: DatabricksCredentials) -> int:
    tasks = [
        {"task_key": "clean", "notebook_task": {"notebook_path": "/Shared/clean"}},
        {
            "task_key": "sum_up",
            "depends_on": [{"task_key": "clean"}],
            "notebook_task": {"notebook_path": "/Shared/sum_up", "base_parameters": {"rates": str(RATES)}},
        },
    ]
    parameters = [{"name": "day", "default": "2026-01-01"}]
    return jobs_create(credentials, name="parcels", tasks=tasks, parameters=parameters)["job_id"]


# ## The night
#
# The flow that runs a job is an ordinary flow, so `with_options` gives it retries. With `repair_on_retry` a retry runs
# what failed, in the same run: `clean` is not executed again. What went wrong is in the message, with the end of the
# notebook's trace.


def mend() -> None:
    RATES.write_text("NO,9\n")


run_job = jobs_runs_submit_by_id_and_wait_for_completion


@flow(name="Night", retries=1, retry_delay_seconds=0)
def night(job_id: int, day: str) -> dict[str, str]:
    credentials = DatabricksCredentials.load("databricks")
    options = {"job_parameters": {"day": day}, "poll_frequency_seconds": 1, "repair_on_retry": True}
    try:
        outputs = run_job(credentials, job_id, **options)
    except DatabricksJobTerminated as error:
        print(f"\n{error}\n")
        mend()
        raise
    return {key: output["result"] for key, output in outputs.items()}


# ## The report
#
# Values are bound by the warehouse. A fetch goes on where the last one stopped, and a result that is not wanted any
# more is not read.


@flow(name="Report")
def report(least_kg: int) -> list[tuple]:
    with DatabricksSqlWarehouse.load("warehouse") as warehouse:
        warehouse.execute("CREATE TABLE parcels (id INT, country STRING, kg INT)")
        warehouse.execute_many(
            "INSERT INTO parcels VALUES (:id, :country, :kg)",
            [{"id": 1, "country": "NO", "kg": 3}, {"id": 2, "country": "PT", "kg": 5}],
        )
        return warehouse.fetch_all("SELECT country, kg FROM parcels WHERE kg >= :least", {"least": least_kg})


# ## See what Databricks has seen


def show(workspace: Databricks) -> None:
    for run in workspace.runs:
        attempts = sorted((each["task_key"], each["attempt_number"]) for each in run["tasks"])
        told = ", ".join(f"{key} (attempt {number + 1})" for key, number in attempts)
        print(f"Run {run['run_name']}: {run['state']['result_state']}: {told}")


if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    with Databricks() as workspace, prefect_test_harness(server_startup_timeout=120):
        workspace.add_notebook("/Shared/clean", CLEAN)
        workspace.add_notebook("/Shared/sum_up", SUM_UP)
        credentials = DatabricksCredentials(databricks_instance=workspace.endpoint, token=TOKEN)
        credentials.save("databricks")
        DatabricksSqlWarehouse(databricks_credentials=credentials, warehouse_id=WAREHOUSE).save("warehouse")

        with FOLDER:
            job_id = create_job(credentials)
            print(f"\n{night(job_id, '2026-05-04')}\n")
        print(f"{report(least_kg=4)}\n")
        show(workspace)
