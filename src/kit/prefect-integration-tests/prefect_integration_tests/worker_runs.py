"""Deployed flows in the hands of a worker process: a project, its work pool, the worker, and what becomes of the runs.

All is done as users do it, with the `prefect` command in processes of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

from prefect_integration_kit.waiting import poll

from .backends.processes import LocalServer

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

FLOWS_FOLDER = "/opt/flows"
"""Where the containers have `flows.py`."""

_COMMAND_SECONDS = 300


def own_environment(*foreign: str) -> dict[str, str]:
    """The environment of this process, as it is when its virtual environment is active.

    Args:
        foreign: Prefixes of variables to leave out, besides `PREFECT_` and `SSL_`: bundles carry the caller's settings,
            and SSL_CERT_FILE names a file that containers do not have.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*foreign, "PREFECT_", "SSL_"))}
    return {**kept, "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])}


def python(environment: Mapping[str, str], folder: Path, *arguments: str) -> str:
    """Run Python in a folder, and return what it has printed, errors last; it must succeed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def prefect(environment: Mapping[str, str], folder: Path, *arguments: str) -> str:
    """Run the `prefect` command in a folder, and return what it has printed, errors last; it must succeed."""
    return python(environment, folder, "-m", "prefect", *arguments)


_COMMANDS = """
import json, sys
from prefect.cli import app

for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        app()
    except SystemExit as end:
        if end.code:
            raise
"""


def prefect_commands(environment: Mapping[str, str], folder: Path, *commands: Sequence[str]) -> str:
    """Run the `prefect` command several times, as `prefect` does, in one process: each takes seconds to start.

    Args:
        environment: Of the command line.
        folder: Where to run it.
        commands: The arguments of each call; all must succeed.
    """
    return python(environment, folder, "-c", _COMMANDS, json.dumps(commands))


def deploy(
    environment: Mapping[str, str],
    folder: Path,
    *,
    worker_type: str,
    template: dict[str, Any],
    defaults: Mapping[str, Any],
    flows: str,
    names: Sequence[str],
) -> str:
    """Make a work pool, and deploy flows that are in `FLOWS_FOLDER` of its containers.

    Args:
        environment: Of the command line.
        folder: An empty folder for the project.
        worker_type: Type of the pool.
        template: Base job template, as the worker gives it.
        defaults: Defaults of job variables to set in it.
        flows: Source of `flows.py`, which may be indented.
        names: Names of the functions in it to deploy.

    Returns:
        The name of the pool; each deployment has the same name, as `DeployedFlows` expects.
    """
    pool = f"{worker_type}-{uuid.uuid4().hex[:8]}"
    for variable, value in defaults.items():
        template["variables"]["properties"][variable]["default"] = value
    (folder / "template.json").write_text(json.dumps(template))
    (folder / "flows.py").write_text(textwrap.dedent(flows))
    deployments: list[dict[str, Any]] = [
        {"name": pool, "entrypoint": f"flows.py:{name}", "work_pool": {"name": pool}, "schedules": []} for name in names
    ]
    steps = [{"prefect.deployments.steps.set_working_directory": {"directory": FLOWS_FOLDER}}]
    project: dict[str, Any] = {"name": pool, "build": None, "push": None, "pull": steps, "deployments": deployments}
    (folder / "prefect.yaml").write_text(json.dumps(project))  # JSON is YAML
    create = ("work-pool", "create", "--type", worker_type, pool, "--base-job-template", "template.json")
    prefect_commands(environment, folder, create, ("--no-prompt", "deploy", "--all"))
    return pool


class WorkerProcess(LocalServer):
    """`prefect worker start` as a process.

    Args:
        pool: Work pool to serve.
        worker_type: Type of the worker.
        environment: Its environment.
        log: File for its output.
    """

    def __init__(self, pool: str, worker_type: str, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        super().__init__(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", worker_type],
            lambda: "started!" in self.said(),
            name=f"{worker_type}-worker",
            env=dict(environment),
            log_path=log,
            start_timeout_seconds=100,
            stop_timeout_seconds=20,
        )

    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@contextmanager
def workers(
    pool: str, worker_type: str, environment: Mapping[str, str], new_folder: Callable[[], Path]
) -> Generator[Callable[[], WorkerProcess]]:
    """Give a function that starts one more worker of a pool; all are stopped at the end.

    Args:
        pool: Work pool to serve.
        worker_type: Type of the workers.
        environment: Their environment.
        new_folder: Makes a folder for the output of one.
    """
    with ExitStack() as stack:

        def start() -> WorkerProcess:
            worker = WorkerProcess(pool, worker_type, environment, new_folder() / "log.txt")
            worker.start()
            stack.callback(worker.stop)
            return worker

        yield start


class DeployedFlows:
    """Runs of the flows that `deploy` has deployed.

    Args:
        client: Client of the server that they are deployed to.
        pool: What `deploy` has returned.
        timeout_seconds: How long to wait for a run to start, and to end.
    """

    def __init__(self, client: SyncPrefectClient, pool: str, timeout_seconds: float = 200.0) -> None:
        self._client = client
        self._pool = pool
        self._timeout_seconds = timeout_seconds

    def run(self, flow: str, **job_variables: Any) -> FlowRun:
        """Schedule a run of a flow."""
        deployment = self._client.read_deployment_by_name(f"{flow}/{self._pool}")
        return self._client.create_flow_run_from_deployment(deployment.id, job_variables=job_variables)

    def final(self, run: FlowRun) -> State[Any]:
        """Wait for a run's final state.

        Raises:
            TimeoutError: If it gets none in time.
        """

        def look() -> State[Any] | None:
            state = self._client.read_flow_run(run.id).state
            return state if state is not None and state.is_final() else None

        return self._wait(look, f"final state of {run.name}")

    def infrastructure_of(self, run: FlowRun) -> str:
        """Wait until a run has begun, and tell where it runs: its `infrastructure_pid`.

        Raises:
            TimeoutError: If it does not begin in time.
        """

        def look() -> str | None:
            seen = self._client.read_flow_run(run.id)
            assert seen.state is not None
            assert not seen.state.is_final(), seen.state
            return seen.infrastructure_pid if seen.state.is_running() else None

        return self._wait(look, f"start of {run.name}")

    def logs(self, run: FlowRun, until: str) -> str:
        """Wait until a run's logs contain a text, and return them, a line for each entry.

        Raises:
            TimeoutError: If they do not contain it within 20 seconds.
        """

        async def read() -> str:
            async with PrefectClient(str(self._client.api_url)) as client:
                logs = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
                return "\n".join(log.message for log in logs)

        return poll(
            lambda: text if until in (text := asyncio.run(read())) else None,
            subject=f"{until!r} in the logs of {run.name}",
            interval_seconds=0.2,
            timeout_seconds=20,
        )

    def _wait(self, look: Callable[[], Any], subject: str) -> Any:
        return poll(look, subject=subject, interval_seconds=0.1, timeout_seconds=self._timeout_seconds)
