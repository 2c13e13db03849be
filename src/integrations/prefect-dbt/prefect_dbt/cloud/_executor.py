"""Execute nodes of a dbt project in dbt Cloud, for the orchestrator."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tempfile
import threading
import uuid
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpx

from prefect_integration_kit.coroutines import run_to_end
from prefect_integration_kit.logs import run_logger

from ..core._executor import ExecutionResult, LogMessage, NodeArtifact
from ._artifacts import read_artifact, read_artifact_if_any
from ._failures import cloud_errors
from ._http import read_json
from ._links import announce
from ._opening import open_client
from ._retrying import read_run
from ._rounds import check_success
from ._shapes import as_dict, dicts_in
from ._triggering import create_job, trigger, watched_start
from ._watching import Patience, watch
from .exceptions import DbtCloudException, DbtCloudGetRunArtifactFailed
from .models import TriggerJobRunOptions

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..core._manifest import DbtNode
    from .clients import DbtCloudAdministrativeClient
    from .credentials import DbtCloudCredentials

_NAME_CHARACTERS = 100
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_REFRESHED = frozenset({"run", "seed", "build"})


class DbtCloudExecutor:
    """Executes nodes in dbt Cloud, each call by a job of its own that is deleted afterwards.

    The methods block, and may be called from several threads. A call that is interrupted cancels its run.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt import PrefectDbtOrchestrator
        from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudExecutor

        @flow
        def build_in_dbt_cloud():
            executor = DbtCloudExecutor(
                credentials=DbtCloudCredentials.load("BLOCK_NAME"), project_id=100, environment_id=10
            )
            PrefectDbtOrchestrator(executor=executor).run_build()
        ```
    """

    def __init__(
        self,
        credentials: DbtCloudCredentials,
        project_id: int,
        environment_id: int,
        job_name_prefix: str = "prefect-orchestrator",
        timeout_seconds: int = 900,
        poll_frequency_seconds: int = 10,
        threads: int | None = None,
        defer_to_job_id: int | None = None,
    ) -> None:
        """Say where to execute; nothing is sent yet.

        Args:
            credentials: Who we are at dbt Cloud.
            project_id: ID of the project.
            environment_id: ID of the environment that the jobs run in.
            job_name_prefix: What the names of the jobs begin with.
            timeout_seconds: Seconds until which each run must have ended.
            poll_frequency_seconds: Seconds between two looks at a run.
            threads: Number of dbt's threads; 4 by default.
            defer_to_job_id: Job whose last successful run references are deferred to, and whose manifest is that of the
                project.

        Raises:
            ValueError: If a number is out of range, or the prefix is empty.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}; it must be at least 1.")
        if not job_name_prefix.strip():
            raise ValueError("job_name_prefix is empty; jobs that are left behind are told by it.")
        self._patience = Patience(
            timeout_seconds, poll_frequency_seconds, names=("timeout_seconds", "poll_frequency_seconds")
        )
        self._patience.check()
        self._credentials = credentials
        self._project_id = project_id
        self._environment_id = environment_id
        self._prefix = job_name_prefix
        self._threads = threads
        self._defer_to_job_id = defer_to_job_id
        self._lock = threading.Lock()
        self._manifest_path: Path | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project_id={self._project_id}, environment_id={self._environment_id})"

    def fetch_manifest_from_job(self, job_id: int) -> dict[str, Any]:
        """Get the manifest that the last successful run of a job wrote.

        Args:
            job_id: ID of the job.

        Returns:
            Content of its `manifest.json`.

        Raises:
            DbtCloudGetRunArtifactFailed: If there is none, or it could not be had.
        """

        async def fetch() -> dict[str, Any]:
            subject = f"The manifest of dbt Cloud job {job_id} could not be read"
            with cloud_errors(DbtCloudGetRunArtifactFailed, subject, self._credentials):
                async with open_client(self._credentials) as client:
                    content = await read_json(await client.get_job_artifact(job_id, "manifest.json"))
            return _manifest(content, f"dbt Cloud job {job_id}")

        return run_to_end(fetch())

    def generate_manifest(self) -> dict[str, Any]:
        """Let dbt Cloud compile the project, by a job that is deleted afterwards.

        Returns:
            Content of the `manifest.json` that it wrote.

        Raises:
            DbtCloudException: If the job could not be made, or its run failed or did not end in time.
        """

        async def generate() -> dict[str, Any]:
            async with open_client(self._credentials) as client:
                job_id = await self._create_job(client, "dbt compile", "manifest", None)
                try:
                    run = await self._run(client, job_id)
                    await check_success(self._credentials, client, run)
                    subject = f"The manifest of dbt Cloud run {run['id']} could not be read"
                    with cloud_errors(DbtCloudGetRunArtifactFailed, subject, self._credentials, run_id=run["id"]):
                        content = await read_artifact(client, run["id"], "manifest.json")
                finally:
                    await self._delete_job(client, job_id)
            return _manifest(content, f"dbt Cloud run {run['id']}")

        return run_to_end(generate())

    def resolve_manifest_path(self) -> Path:
        """Return a file with the manifest of the project.

        It is that of `defer_to_job_id` if there is one; otherwise dbt Cloud compiles the project. It is made once, in a
        private folder that goes with the executor.

        Returns:
            The file.

        Raises:
            DbtCloudException: If the manifest cannot be had.
        """
        with self._lock:
            if self._manifest_path is None or not self._manifest_path.is_file():
                self._manifest_path = self._write_manifest()
            return self._manifest_path

    def _write_manifest(self) -> Path:
        job_id = self._defer_to_job_id
        manifest = self.generate_manifest() if job_id is None else self.fetch_manifest_from_job(job_id)
        folder = Path(tempfile.mkdtemp(prefix="prefect-dbt-cloud-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = folder / "manifest.json"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        return path

    def identify_database(self, target: str | None = None) -> str:
        """Name where jobs build, so that what was built in another environment is not taken for what is here.

        Args:
            target: Name of the target; it is looked at by the caller.
        """
        del target
        return f"dbt Cloud environment {self._environment_id} of project {self._project_id}"

    def execute_node(
        self,
        node: DbtNode,
        command: str,
        full_refresh: bool = False,
        target: str | None = None,
        extra_cli_args: list[str] | None = None,
    ) -> ExecutionResult:
        """Execute one node.

        Args:
            node: The node.
            command: dbt's command for it: `run`, `seed`, `snapshot`, `test` or `build`.
            full_refresh: Rebuild incremental models and seeds; ignored where the command does not know it.
            target: Value of dbt's `target.name`; that of the environment by default.
            extra_cli_args: Further arguments of dbt, at the end.

        Returns:
            How it ended. What goes wrong in dbt Cloud is `error` of it.
        """
        args = ["dbt", command, "--select", node.dbt_selector]
        if command == "build":
            args += ["--indirect-selection", "empty"]
        if full_refresh and command in _REFRESHED:
            args.append("--full-refresh")
        return self._execute(args, [node], node.name, target, extra_cli_args)

    def execute_wave(
        self,
        nodes: list[DbtNode],
        full_refresh: bool = False,
        indirect_selection: str | None = None,
        target: str | None = None,
        extra_cli_args: list[str] | None = None,
    ) -> ExecutionResult:
        """Execute nodes with one `dbt build`.

        Args:
            nodes: The nodes; at least one.
            full_refresh: Rebuild incremental models and seeds.
            indirect_selection: Which tests come along; dbt's own default when `None`, none with `empty`.
            target: Value of dbt's `target.name`; that of the environment by default.
            extra_cli_args: Further arguments of dbt, at the end.

        Returns:
            How it ended. What goes wrong in dbt Cloud is `error` of it.

        Raises:
            ValueError: If there is no node.
        """
        if not nodes:
            raise ValueError("A wave needs at least one node.")
        args = ["dbt", "build", "--select", *(node.dbt_selector for node in nodes)]
        if indirect_selection is not None:
            args += ["--indirect-selection", indirect_selection]
        if full_refresh:
            args.append("--full-refresh")
        return self._execute(args, nodes, f"wave-of-{len(nodes)}", target, extra_cli_args)

    def _execute(
        self, args: list[str], nodes: list[DbtNode], name: str, target: str | None, extra_cli_args: list[str] | None
    ) -> ExecutionResult:
        given = ["--target", target] if target is not None else []
        command = shlex.join([*args, *given, *(extra_cli_args or ())])
        return run_to_end(self._executed(command, [node.unique_id for node in nodes], name, target))

    async def _executed(self, command: str, node_ids: list[str], name: str, target: str | None) -> ExecutionResult:
        try:
            async with open_client(self._credentials) as client:
                job_id = await self._create_job(client, command, name, target)
                try:
                    run = await self._run(client, job_id)
                    return await self._result(client, run, node_ids)
                finally:
                    await self._delete_job(client, job_id)
        except DbtCloudException as exc:
            return ExecutionResult(success=False, node_ids=node_ids, error=exc)

    async def _create_job(
        self, client: DbtCloudAdministrativeClient, command: str, name: str, target: str | None
    ) -> int:
        others: dict[str, Any] = {
            "settings": {"threads": self._threads or 4, "target_name": target or "default"},
            "description": "Made by Prefect for one run, and deleted after it.",
        }
        if self._defer_to_job_id is not None:
            others["deferring_job_definition_id"] = self._defer_to_job_id
        unique = f"-{uuid.uuid4().hex[:12]}"
        full_name = f"{self._prefix}-{name}"[: _NAME_CHARACTERS - len(unique)] + unique
        fields = client.job_fields(self._project_id, self._environment_id, full_name, [command], others)
        return (await create_job(client, fields))["id"]

    async def _delete_job(self, client: DbtCloudAdministrativeClient, job_id: int) -> None:
        """Delete a job, also when the call is being cancelled. What goes wrong is only told."""
        with anyio.CancelScope(shield=True):
            try:
                await client.delete_job(job_id)
            except httpx.HTTPStatusError as exc:
                if exc.response.status_code != 404:
                    self._left_behind(client, job_id, exc)
            except Exception as exc:  # noqa: BLE001 - how the run ended is what counts
                self._left_behind(client, job_id, exc)

    @staticmethod
    def _left_behind(client: DbtCloudAdministrativeClient, job_id: int, exc: Exception) -> None:
        said = client.explain(exc)
        run_logger(__name__).warning("dbt Cloud job %s could not be deleted and is left behind: %s", job_id, said)

    async def _run(self, client: DbtCloudAdministrativeClient, job_id: int) -> dict[str, Any]:
        options = TriggerJobRunOptions(threads_override=self._threads)
        async with watched_start(client, stops=True):
            run = await trigger(client, job_id, options)
            await announce(self._credentials, run)
        return await watch(self._credentials, client, run["id"], self._patience)

    async def _result(
        self, client: DbtCloudAdministrativeClient, run: dict[str, Any], node_ids: list[str]
    ) -> ExecutionResult:
        error: Exception | None = None
        try:
            await check_success(self._credentials, client, run)
        except (DbtCloudException, RuntimeError) as exc:
            error = exc
        artifacts: dict[str, NodeArtifact] | None = None
        logs: dict[str, list[LogMessage]] | None = None
        try:
            artifacts = _node_artifacts(await read_artifact_if_any(client, run["id"], "run_results.json"))
            logs = _log_messages(await read_run(client, run["id"]))
        except httpx.HTTPError as exc:
            said = client.explain(exc)
            if artifacts is None and error is None:
                subject = f"The results of dbt Cloud run {run['id']} could not be read"
                error = DbtCloudGetRunArtifactFailed(f"{subject}: {said}")
            run_logger(__name__).warning("The results of dbt Cloud run %s are not complete: %s", run["id"], said)
        found = [*node_ids, *(each for each in artifacts or {} if each not in node_ids)]
        return ExecutionResult(
            success=error is None, node_ids=found, error=error, artifacts=artifacts, log_messages=logs
        )

    def close(self) -> None:
        """Remove the manifest from the disk; it is made again when it is asked for."""
        with self._lock:
            path, self._manifest_path = self._manifest_path, None
        if path is not None:
            shutil.rmtree(path.parent, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _manifest(content: Any, where: str) -> dict[str, Any]:
    if not isinstance(content, dict) or "nodes" not in content:
        raise DbtCloudGetRunArtifactFailed(f"The manifest of {where} has no nodes.")
    return cast("dict[str, Any]", content)


def _node_artifacts(run_results: Any) -> dict[str, NodeArtifact] | None:
    if not isinstance(run_results, dict):
        return None
    entries = dicts_in(as_dict(run_results).get("results"))
    return {str(each["unique_id"]): cast("NodeArtifact", each) for each in entries if "unique_id" in each}


def _log_messages(run: dict[str, Any]) -> dict[str, list[LogMessage]]:
    """Take the lines of the steps that call dbt; dbt Cloud does not say which node a line is about."""
    lines: list[LogMessage] = []
    for step in dicts_in(run.get("run_steps")):
        if "`dbt " in str(step.get("name")) and "`dbt deps" not in str(step.get("name")):
            for line in str(step.get("logs") or "").splitlines():
                text = _ANSI.sub("", line).rstrip()
                if text:
                    lines.append({"level": _level(text), "message": text})
    return {"": lines} if lines else {}


def _level(text: str) -> str:
    if re.search(r"\bERROR\b|\bError in\b|\bFAIL\b", text):
        return "error"
    return "warn" if re.search(r"\bWARN(ING)?\b", text) else "info"
