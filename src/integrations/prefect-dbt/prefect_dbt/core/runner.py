"""Run dbt Core commands from flows and tasks, with a task run for each node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import DbtRunFailed
from ..utilities import format_asset_name, format_resource_id, kwargs_to_args
from ._failures import FAILED, FAILURE_MESSAGE, SKIPPED, is_failure
from ._hooks import DbtHookMixin
from ._run import DbtRun, LastPlaces, RunOptions
from ._tracker import NodeTaskTracker
from .settings import PrefectDbtSettings

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest
    from dbt.graph.graph import Graph
    from dbt_common.events.base_types import EventLevel, EventMsg
    from prefect.client.orchestration import PrefectClient

    from ._stores import Storage
    from .state import DbtState

__all__ = [
    "FAILURE_MSG",
    "FAILURE_STATUSES",
    "MATERIALIZATION_NODE_TYPES",
    "REFERENCE_NODE_TYPES",
    "SETTINGS_CONFIG",
    "SKIPPED_STATUSES",
    "PrefectDbtRunner",
    "PrefectDbtSettings",
    "execute_dbt_node",
    "format_asset_name",
    "format_resource_id",
    "kwargs_to_args",
]

FAILURE_STATUSES = list(FAILED)
"""dbt's statuses of nodes that failed."""

SKIPPED_STATUSES = list(SKIPPED)
"""dbt's statuses of nodes that did not run."""

MATERIALIZATION_NODE_TYPES = ["model", "seed", "snapshot"]
"""Types of nodes that dbt makes, which are materialized assets."""

REFERENCE_NODE_TYPES = ["exposure", "source"]
"""Types of nodes that dbt only knows of, which are referenced assets."""

SETTINGS_CONFIG = ["target_path", "profiles_dir", "project_dir", "log_level"]
"""The settings that `invoke` takes from `PrefectDbtSettings` where its arguments do not give them."""

FAILURE_MSG = FAILURE_MESSAGE


def __getattr__(name: str) -> Any:
    if name != "dbtRunner":  # which tests replace here; see `_replaced`
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dbt.cli.main import dbtRunner

    return dbtRunner


def execute_dbt_node(task_state: NodeTaskTracker, node_id: str, asset_id: str | None) -> None:
    """Wait until dbt has ended with a node, and fail if the node did; to be called in a task that stands for the node.

    Args:
        task_state: How far dbt is.
        node_id: The node's unique id.
        asset_id: Key of the asset that the task materializes; it gets the result of the node as metadata, if
            `task_state` keeps results. `None` for no asset.

    Raises:
        DbtRunFailed: If the node failed.
    """
    from prefect.context import AssetContext

    from prefect_integration_kit.logs import run_logger

    task_state.set_task_logger(node_id, run_logger(__name__))
    status = task_state.wait_for_node(node_id)
    context, result = AssetContext.get(), task_state.get_node_result(node_id)
    if asset_id is not None and context is not None and result is not None:
        values: Any = result._asdict() if hasattr(result, "_asdict") else result
        context.add_asset_metadata(asset_id, values if isinstance(values, dict) else {"node_status": status})  # pyright: ignore[reportUnknownArgumentType]
    if status is None or is_failure(status):
        raise DbtRunFailed(f"Node {node_id} finished with status {status or 'unknown'}", node_ids=[node_id])


class PrefectDbtRunner(DbtHookMixin):
    """Runs dbt commands, and shows what dbt does in Prefect.

    dbt runs in a process of its own, so that invocations do not disturb each other and end with all of their queries
    when the run is cancelled or times out. Inside a flow or task run each node that dbt begins with gets a task run, to
    which its log lines belong. Outside of both, log lines go to Prefect's logger.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt import PrefectDbtRunner


        @flow
        def run_dbt():
            PrefectDbtRunner().invoke(["build"])


        run_dbt()
        ```
    """

    def __init__(
        self,
        manifest: Manifest | None = None,
        settings: PrefectDbtSettings | None = None,
        raise_on_failure: bool = True,
        client: PrefectClient | None = None,
        include_compiled_code: bool = False,
        disable_assets: bool = False,
        _force_nodes_as_tasks: bool = False,
        _disable_callbacks: bool = False,
        *,
        retry_mode: Literal["failed", "full"] = "failed",
        unique_target: bool = False,
        asset_checks: bool = False,
        state: DbtState | Storage | None = None,
        defer: bool = False,
        favor_state: bool = False,
        artifacts: Storage | None = None,
        timeline: bool | str = False,
    ):
        """Say how to run; nothing is read or started yet.

        Args:
            manifest: A project that is parsed already; dbt then does not parse it.
            settings: Where project and profiles are; read from the environment when `None`.
            raise_on_failure: Whether nodes that failed raise an error. An error of dbt itself, such as a project that
                cannot be parsed, is raised in any case.
            client: A Prefect client, kept for those who look for it. What the runner records needs none.
            include_compiled_code: Whether the SQL that ran is appended to the descriptions of assets.
            disable_assets: Whether no assets are recorded, even for nodes whose `prefect` config has `enable_assets`.
            _force_nodes_as_tasks: Whether nodes get task runs outside of flow and task runs, too.
            _disable_callbacks: Whether nothing is made of dbt's events: no task runs, no log lines, no assets, and no
                hooks on models.
            retry_mode: What `invoke` does when Prefect retries a flow or task in which it failed before. `failed` runs
                `dbt retry` instead, so that what succeeded is not run again, if the results of that attempt are still
                in the target folder. `full` runs the same command again.
            unique_target: Whether each invocation writes to a folder of its own in the target path, so that several
                can run at once. The latest artifacts are copied to the target path.
            asset_checks: Whether the outcome of a test is recorded as a check of the assets that it tests.
            state: The artifacts of an earlier run, for selectors such as `state:modified+` and for `defer`: a file
                system block, the slug of one such as `s3-bucket/prod`, a folder, or a `DbtState`. They are fetched for
                each invocation, and given to commands that know `--state`.
            defer: Whether references to models that were not selected and do not exist go to those of the earlier run.
            favor_state: Whether they go there even if the models exist; it implies `defer`.
            artifacts: Where to upload dbt's artifacts after each invocation that succeeded, for the `state` of others;
                not those of `ls` and `show`, which make nothing.
            timeline: Whether a picture of when each node ran becomes an artifact of the run; a text is the key of it.
        """
        if retry_mode not in ("failed", "full"):
            raise ValueError(f"retry_mode is {retry_mode!r}; it must be 'failed' or 'full'.")
        self.settings = settings or PrefectDbtSettings()
        self.raise_on_failure = raise_on_failure
        self.client = client
        self.include_compiled_code = include_compiled_code
        self.disable_assets = disable_assets
        self.retry_mode: Literal["failed", "full"] = retry_mode
        self.unique_target = unique_target
        self.asset_checks = asset_checks
        self.artifacts = artifacts
        self.timeline = timeline
        self.state: DbtState | None = None
        if state is not None:
            from .state import DbtState

            self.state = DbtState.of(state, defer=defer, favor_state=favor_state)
        elif defer or favor_state:
            raise ValueError("defer and favor_state need the artifacts of an earlier run: give state with them.")
        self._force_nodes_as_tasks = _force_nodes_as_tasks
        self._disable_callbacks = _disable_callbacks
        self._given_manifest = manifest
        self._loaded_manifest: Manifest | None = None
        self._graph: Graph | None = None
        self._project_name: str | None = None
        self._last = LastPlaces()

    @property
    def target_path(self) -> Path:
        """The folder that dbt writes its artifacts to: that of the last invocation, else the setting."""
        return self._last.target_path or self.settings.target_path

    @property
    def profiles_dir(self) -> Path:
        """The folder of `profiles.yml`: that of the last invocation, else the setting."""
        return self._last.profiles_dir or self.settings.profiles_dir

    @property
    def project_dir(self) -> Path:
        """The folder of `dbt_project.yml`: that of the last invocation, else the setting."""
        return self._last.project_dir or self.settings.project_dir

    @property
    def log_level(self) -> EventLevel:
        """The log level of dbt: that of the last invocation, else the setting."""
        return self.settings.log_level if self._last.log_level is None else self._last.log_level

    @property
    def manifest(self) -> Manifest:
        """The project as dbt knows it: the manifest that was given, else that in the target folder, loaded once.

        Raises:
            DbtStateError: If there is none.
            DbtManifestError: If another version of dbt wrote it.
        """
        if self._given_manifest is not None:
            return self._given_manifest
        if self._loaded_manifest is None:
            from ._project import load_manifest

            self._loaded_manifest = load_manifest(self._manifest_path)
        return self._loaded_manifest

    @property
    def graph(self) -> Graph:
        """The nodes of the manifest and which of them reads which.

        Raises:
            DbtStateError: If there is no manifest.
        """
        if self._graph is None:
            from ._project import graph_of

            self._graph = graph_of(self.manifest)
        return self._graph

    @property
    def project_name(self) -> str:
        """The name of the project.

        Raises:
            DbtProjectError: If there is no project.
        """
        if self._project_name is None:
            from ._project import project_name_of

            if self._given_manifest is not None and (name := self._given_manifest.metadata.project_name):
                self._project_name = name
            else:
                self._project_name = project_name_of(self.project_dir, self._manifest_path)
        return self._project_name

    @property
    def _manifest_path(self) -> Path:
        return self.project_dir / self.target_path / "manifest.json"

    @staticmethod
    def get_dbt_event_msg(event: EventMsg) -> str:
        """Return the text of an event of dbt.

        Args:
            event: The event, as a callback of `dbtRunner` gets it.
        """
        info: Any = event.info  # a message of protobuf, whose fields have no static types
        return info.msg

    def invoke(self, args: list[str], **kwargs: Any) -> dbtRunnerResult:
        """Run a dbt command and wait until it has ended.

        It takes the arguments of `dbtRunner.invoke()`; see
        https://docs.getdbt.com/reference/programmatic-invocations. A project, profiles, target path or log level that
        they do not give comes from the settings. If the run that calls is cancelled or times out, dbt ends its queries
        before this returns.

        In an async flow this blocks the event loop, as each function does that is not awaited; see `ainvoke`.

        Args:
            args: The command line, such as `["build", "--select", "staging"]`. Flags may stand in front of the command.
            **kwargs: Parameters of the command by name, such as `select=["staging"]`, `log_level="error"`.

        Returns:
            dbt's own result. Its parts are loaded, and dbt imported, when they are looked at.

        Raises:
            DbtRunFailed: If nodes failed, unless `raise_on_failure` is off. The message names each of them.
            DbtInvocationFailed: If dbt could not do its work. Subclasses say why; dbt's own exception is the cause.
            DbtCancelled: If dbt was cancelled from outside.
            DbtProcessDied: If dbt's process ended without a result.
            DbtStateError: If `state` cannot be fetched, or `artifacts` not be stored after a run that succeeded.
        """
        self._loaded_manifest = self._graph = None  # what dbt writes now comes next
        options = RunOptions(
            settings=self.settings,
            manifest=self._given_manifest,
            raise_on_failure=self.raise_on_failure,
            include_compiled_code=self.include_compiled_code,
            records_assets=not self.disable_assets,
            records_nodes_always=self._force_nodes_as_tasks,
            observes=not self._disable_callbacks,
            retry_mode=self.retry_mode,
            unique_target=self.unique_target,
            asset_checks=self.asset_checks,
            state=self.state,
            artifacts=self.artifacts,
            timeline=self.timeline,
        )
        return DbtRun(self, options, self._hooks, self._last, args, kwargs).execute()

    async def ainvoke(self, args: list[str], **kwargs: Any) -> dbtRunnerResult:
        """Async form of `invoke`: the event loop goes on meanwhile. Cancelling cancels dbt, and waits for its end."""
        from ._calls import call_in_thread

        return await call_in_thread(lambda: self.invoke(args, **kwargs))
