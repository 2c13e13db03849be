"""The executor that runs dbt Core on this machine, in child processes that are kept between nodes."""

from __future__ import annotations

import copy
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from prefect.logging import get_logger

from .._dbt import DbtEvent, Invocation, NodeResult, Outcome
from ..errors import DbtError, DbtInvocationFailed
from ._executor import OK_STATUSES, WARNING_STATUSES, ExecutionResult, LogMessage, NodeArtifact
from ._failures import run_failed
from ._local_target import LocalTarget
from ._manifest import DbtNode
from ._outcomes import error_from
from .settings import PrefectDbtSettings

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DbtCoreExecutor", "listener"]

# What of the arguments of a build also decides which nodes are selected and how the project is parsed; with the number
# of values that follow, where "many" goes on to the next option.
_SHARED_OPTIONS: Mapping[str, int | str] = {
    "--vars": 1,
    "--profile": 1,
    "--state": 1,
    "--defer": 0,
    "--no-defer": 0,
    "--defer-state": 1,
    "--favor-state": 0,
    "--no-favor-state": 0,
    "--indirect-selection": 1,
    "--selector": 1,
    "--resource-type": "many",
    "--resource-types": "many",
    "--exclude-resource-type": "many",
    "--exclude-resource-types": "many",
}

listener: ContextVar[Callable[[DbtEvent], None] | None] = ContextVar("dbt-listener", default=None)
"""Who is told of dbt's events and of details of nodes while an executor works, instead of getting lines afterwards."""


@runtime_checkable
class Cancellable(Protocol):
    """A listener that wants to know whether dbt is being cancelled: a node that fails meanwhile did not fail."""

    is_cancelling: Callable[[], bool]


class DbtCoreExecutor:
    """Runs nodes with dbt Core, each invocation in a child process.

    A child takes two seconds to import dbt and parse the project, so children are kept and reused, and the project is
    parsed once in each. A database that is a file, such as DuckDB's, lets one process write at a time: then there is
    one child.
    """

    def __init__(
        self,
        settings: PrefectDbtSettings | None = None,
        *,
        processes: int | None = None,
        include_compiled_code: bool = False,
        inject: Mapping[str, Any] | None = None,
        logger: logging.Logger | logging.LoggerAdapter[Any] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            settings: Where project and profiles are; read from the environment when `None`.
            processes: Most invocations at once; the `threads` of the target when `None`.
            include_compiled_code: Whether results bring the SQL that ran.
            inject: More of dbt's parameters by name, given where the command accepts them, such as `state`.
            logger: Where it says what it decides.
        """
        self.settings = settings or PrefectDbtSettings()
        self._wanted = processes
        self._include_compiled_code = include_compiled_code
        self._inject = dict(inject or {})
        self._logger = logger or get_logger(__name__)
        self._lock = threading.Lock()
        self._targets: dict[str | None, LocalTarget] = {}
        self._told: set[str] = set()

    def max_concurrency(self, target: str | None = None) -> int:
        """How many invocations can run at once on a target.

        Args:
            target: Name of the target; the profile's own when `None`.
        """
        return self._target(target).limit

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
            target: Name of the target in the profile; the profile's own when `None`.
            extra_cli_args: Further arguments of dbt, at the end.
        """
        args = [command, "--select", node.dbt_selector]
        if command == "build":
            args += ["--indirect-selection", "empty"]
        if full_refresh and command in {"run", "seed", "build"}:
            args.append("--full-refresh")
        return self._execute([*args, *(extra_cli_args or ())], [node], target)

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
            nodes: The nodes, at least one.
            full_refresh: Rebuild incremental models and seeds.
            indirect_selection: Which tests come along, in dbt's words; dbt's own choice when `None`.
            target: Name of the target in the profile; the profile's own when `None`.
            extra_cli_args: Further arguments of dbt, at the end.

        Raises:
            ValueError: If there are no nodes.
        """
        if not nodes:
            raise ValueError("A wave needs at least one node.")
        args = ["build", "--select", *(node.dbt_selector for node in nodes)]
        if indirect_selection is not None:
            args += ["--indirect-selection", indirect_selection]
        if full_refresh:
            args.append("--full-refresh")
        return self._execute([*args, *(extra_cli_args or ())], nodes, target)

    def resolve_manifest_path(self) -> Path:
        """Return `manifest.json` in the target folder; the project is parsed if there is none."""
        path = self._target_folder / "manifest.json"
        if not path.is_file():
            self._check(self._invoke(["parse"], None), "parse")
        return path

    def list_nodes(
        self,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        *,
        selector: str | None = None,
        target: str | None = None,
        extra_cli_args: Sequence[str] = (),
    ) -> list[str]:
        """Ask dbt which nodes a selection means; the manifest is written on the way.

        Args:
            select: dbt's selectors; everything when empty.
            exclude: What to leave out.
            selector: Name of a selector in `selectors.yml`, instead of `select`.
            target: Name of the target; the profile's own when `None`.
            extra_cli_args: Arguments of the build; those that matter here are passed on.

        Returns:
            Unique ids of nodes of all types, sorted.

        Raises:
            DbtError: If dbt cannot parse the project, or does not know the selection.
        """
        args = ["--write-json", "ls", "--quiet", "--output", "json", "--output-keys", "unique_id"]
        for option, values in (("--select", select), ("--exclude", exclude)):
            if values:
                args += [option, *values]
        if selector is not None:
            args += ["--selector", selector]
        found: set[str] = set()

        def note(event: DbtEvent) -> None:
            for line in event.message.splitlines():
                if line.startswith('{"unique_id"'):
                    found.add(json.loads(line)["unique_id"])

        outcome = self._invoke([*args, *shared_options(extra_cli_args)], target, note)
        self._check(outcome, "ls")
        return sorted(found)

    def source_freshness(
        self, sources: Sequence[DbtNode], *, target: str | None = None, extra_cli_args: Sequence[str] = ()
    ) -> Path:
        """Ask the database how fresh sources are.

        Args:
            sources: The sources.
            target: Name of the target; the profile's own when `None`.
            extra_cli_args: Arguments of the build; those that matter here are passed on.

        Returns:
            The `sources.json` that dbt wrote. A stale source is no error.

        Raises:
            DbtError: If dbt could not do it at all.
        """
        path = self._target_folder / "sources.json"
        path.unlink(missing_ok=True)
        selectors = [source.dbt_selector for source in sources]
        shared = shared_options(extra_cli_args, leave_out=("--indirect-selection", "--selector", "--resource-type"))
        outcome = self._invoke(
            ["--write-json", "source", "freshness", "--select", *selectors, *shared], target, listener.get()
        )
        if outcome.exception is not None or outcome.interrupted:
            self._check(outcome, "source freshness")
        return path

    def identify_database(self, target: str | None = None) -> str | None:
        """Name the database of a target, so that what was built elsewhere is not taken for what is here.

        Args:
            target: Name of the target; the profile's own when `None`.

        Returns:
            A hash without secrets; `None` for a database that no other run can see.
        """
        return self._target(target).database

    def view(self, inject: Mapping[str, Any] | None = None, *, include_compiled_code: bool = False) -> DbtCoreExecutor:
        """Look at this executor with other options; children are shared, and closing it is left to this one.

        Args:
            inject: More of dbt's parameters by name, as for the constructor.
            include_compiled_code: Whether results bring the SQL that ran, if this executor's do not anyway.
        """
        view = copy.copy(self)
        changed: dict[str, Any] = {
            "_inject": {**self._inject, **(inject or {})},
            "_include_compiled_code": self._include_compiled_code or include_compiled_code,
        }
        vars(view).update(changed)
        return view

    def close(self) -> None:
        """End the children and take the resolved profiles away. The executor can be used again."""
        with self._lock:
            targets = list(self._targets.values())
            self._targets.clear()  # views look at the same
        for target in targets:
            target.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def _target_folder(self) -> Path:
        return self.settings.project_dir / self.settings.target_path

    def _target(self, name: str | None) -> LocalTarget:
        with self._lock:
            if name not in self._targets:
                self._targets[name] = LocalTarget(self.settings, name, self._wanted)
            target = self._targets[name]
            if target.note and target.note not in self._told:
                self._told.add(target.note)
                self._logger.info(target.note)
            return target

    def _execute(self, args: list[str], nodes: Sequence[DbtNode], target: str | None) -> ExecutionResult:
        """Run dbt on nodes. Artifacts of children would overwrite each other, so none writes any."""
        told, logs = listener.get(), cast("dict[str, list[LogMessage]]", {})

        def note(event: DbtEvent) -> None:
            if told is not None:
                told(event)
            elif event.shown and event.message.strip():
                of = event.node.unique_id if event.node else ""
                logs.setdefault(of, []).append({"level": event.level, "message": event.message})

        command = args[0]
        outcome = self._invoke(["--no-write-json", *args], target, note)
        artifacts = {result.unique_id: artifact_of(result) for result in outcome.nodes}
        error: Exception | None = None
        if outcome.exception is not None or outcome.interrupted:
            error = _error(outcome, command)
        elif not outcome.success:
            error = run_failed(command, [_Ended(result) for result in outcome.nodes])
        elif missing := [node.unique_id for node in nodes if node.unique_id not in artifacts]:
            error = DbtInvocationFailed(
                f"dbt {command} did not run {', '.join(missing)}: its selector matched nothing. Was the node disabled "
                "or renamed, or is the manifest of another version of the project?"
            )
        return ExecutionResult(
            success=error is None,
            node_ids=list(dict.fromkeys([*(node.unique_id for node in nodes), *artifacts])),
            error=error,
            artifacts=artifacts,
            log_messages=logs,
        )

    def _invoke(
        self, args: Sequence[str], target: str | None, on_event: Callable[[DbtEvent], None] | None = None
    ) -> Outcome:
        settings, told = self.settings, listener.get()
        place = self._target(target)
        with place.lend() as child:
            if isinstance(told, Cancellable):
                told.is_cancelling = lambda: child.is_cancelling
            return child.invoke(
                Invocation(
                    args=tuple(args),
                    profiles_dir=place.profiles.path,
                    project_dir=settings.project_dir,
                    target_path=settings.target_path,
                    log_level=str(getattr(settings.log_level, "value", settings.log_level)),
                    inject={"target": target, **self._inject},
                    include_compiled_code=self._include_compiled_code,
                    want_result=False,
                    want_nodes=told is not None,
                    keep_manifest=True,
                ),
                on_event or (lambda event: None),
            )

    def _check(self, outcome: Outcome, command: str) -> None:
        if not outcome.success or outcome.exception is not None:
            raise _error(outcome, command)


def shared_options(args: Sequence[str], *, leave_out: Sequence[str] = ()) -> list[str]:
    """Pick from the arguments of a build what also decides on parsing and selecting.

    Args:
        args: The arguments.
        leave_out: Options not to pick.
    """
    picked: list[str] = []
    taking: int | str = 0
    for arg in args:
        name = arg.partition("=")[0]
        if arg.startswith("--"):
            count = _SHARED_OPTIONS.get(name, 0) if name not in leave_out else 0
            wanted = name in _SHARED_OPTIONS and name not in leave_out
            if wanted:
                picked.append(arg)
            taking = 0 if "=" in arg or not wanted else count
        elif taking:
            picked.append(arg)
            taking = taking if taking == "many" else cast("int", taking) - 1
    return picked


def artifact_of(result: NodeResult) -> NodeArtifact:
    """Put a result into the form of `run_results.json`; see https://schemas.getdbt.com/dbt/run-results/v6.json."""
    return {
        "unique_id": result.unique_id,
        "status": result.status,
        "message": result.message or None,
        "failures": result.failures,
        "execution_time": result.execution_time,
        "timing": [
            {"name": name, "started_at": started_at, "completed_at": completed_at}
            for name, started_at, completed_at in result.timing
        ],
        "adapter_response": result.adapter_response,
        "thread_id": result.thread,
        "compiled_code": result.compiled_code,
        "relation_name": result.relation_name or None,
    }


class _Ended:
    """A result with the fields that messages on failures are made of."""

    def __init__(self, result: NodeResult) -> None:
        self.unique_id = result.unique_id
        self.name = result.name
        self.resource_type = result.resource_type
        self.status = result.status
        self.message: str | None = result.message


def _error(outcome: Outcome, command: str) -> DbtError:
    error = error_from(outcome, command)
    return error or DbtInvocationFailed(f"dbt {command} failed and gave no reason; see its log.")


def succeeded(status: str | None) -> bool:
    """Say whether a status means that a node did what it should."""
    return status in OK_STATUSES or status in WARNING_STATUSES
