"""Build a dbt project and print how long that took.

Arguments: `raw`, `nodes` (a task run for each node) or `plain` (none), and the folder of the project. The environment
names Prefect's server.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def since_start_s() -> float:
    """Seconds since this process began, imports included."""
    stat = Path("/proc/self/stat").read_text(encoding="utf-8")
    began = int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def raw(project: str) -> dict[str, float]:
    """What dbt's own command needs."""
    began = time.perf_counter()
    program = Path(sys.executable).with_name("dbt")
    command = [program, "build", "--project-dir", project, "--profiles-dir", project]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {"build_s": time.perf_counter() - began}


def ours(project: str, *, with_nodes: bool) -> dict[str, float]:
    """What the runner needs, in a flow."""
    from prefect import flow, get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
    from prefect.context import get_run_context

    from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings

    seen: dict[str, float] = {}
    flow_run_id = None

    @flow
    def build() -> None:
        nonlocal flow_run_id
        flow_run_id = get_run_context().flow_run.id
        settings = PrefectDbtSettings(project_dir=Path(project), profiles_dir=Path(project))
        runner = PrefectDbtRunner(settings=settings, _disable_callbacks=not with_nodes)
        began = time.perf_counter()
        runner.invoke(["build"])
        seen["build_s"] = time.perf_counter() - began

    build()
    seen["total_s"] = since_start_s()

    # The server writes task runs down as their events come in; what is still on its way is waited for, unmeasured.
    wanted = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:
        counts = [-1.0, -2.0]
        while with_nodes and (counts[-1] <= 0 or counts[-1] != counts[-2]) and len(counts) < 60:
            time.sleep(1)
            answer = client.request(
                "POST", "/task_runs/count", json={"task_runs": wanted.model_dump(mode="json", exclude_unset=True)}
            )
            counts.append(float(answer.json()))
    seen["task_runs"] = max(counts[-1], 0.0)
    seen["per_s"] = seen["task_runs"] / seen["build_s"]
    return seen


if __name__ == "__main__":
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    how, folder = sys.argv[1:3]
    found = raw(folder) if how == "raw" else ours(folder, with_nodes=how == "nodes")
    print(json.dumps({"total_s": since_start_s(), "task_runs": 0.0, "per_s": 0.0, **found}))
