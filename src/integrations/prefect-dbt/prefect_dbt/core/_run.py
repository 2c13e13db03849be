"""One invocation of the runner: what it asks of dbt, and what it makes of the outcome."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from .._dbt import DbtEvent, DbtProcess, Invocation, NodeDetails, NodeResult, Outcome
from .._profiles import FILE_NAME, resolved_profiles
from ..errors import DbtError, DbtRunFailed
from ._assets import RECORDED_COMMANDS
from ._command_line import command_of, plain_kwargs, value_of, without
from ._failures import SKIPPED, is_failure
from ._first import dbt_process
from ._guard import Guard
from ._hooks import DbtHookContext, DbtHookEvent, Hooks, run_results
from ._logs import dbt_level, level_of, prefect_level
from ._node_assets import NodeAssets, as_node
from ._observer import RunObserver
from ._outcomes import error_from
from ._retry import RESULTS, RetryMemory
from ._scope import RunScope
from ._unique_target import make_unique_target, publish
from .settings import PrefectDbtSettings, event_level

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

    from ._stores import Storage
    from .state import DbtState

# What `dbt retry` takes over from the command that it goes on from; it knows the rest from that run's results.
_RETRY_OPTIONS = ("target", "profile", "vars", "threads")
_RETRY_KWARGS = frozenset(
    {*_RETRY_OPTIONS, "debug", "log_level", "profiles_dir", "project_dir", "quiet", "target_path"}
)

_QUESTIONS = frozenset({"list", "ls", "show"})
"""Commands that make nothing: the manifest that they write is not that of what lies in the database."""

_TARGET_PATH = "--target-path"
_PROFILES_DIR = "--profiles-dir"


@dataclass(frozen=True)
class RunOptions:
    """What a runner was told; its constructor says what each means."""

    settings: PrefectDbtSettings
    manifest: Manifest | None = None
    raise_on_failure: bool = True
    include_compiled_code: bool = False
    records_assets: bool = True
    records_nodes_always: bool = False
    observes: bool = True
    retry_mode: Literal["failed", "full"] = "failed"
    unique_target: bool = False
    asset_checks: bool = False
    state: DbtState | None = None
    artifacts: Storage | None = None
    timeline: bool | str = False


@dataclass
class LastPlaces:
    """Where the last invocation of a runner read and wrote, for its properties."""

    target_path: Path | None = None
    profiles_dir: Path | None = None
    project_dir: Path | None = None
    log_level: Any = None


@dataclass(frozen=True)
class _Asked:
    """The command line and the keyword arguments that dbt is given, and what is added where the command accepts it."""

    args: tuple[str, ...]
    kwargs: Mapping[str, Any]
    inject: Mapping[str, Any]

    def without(self, option: str) -> _Asked:
        """Leave out an option, which is given otherwise."""
        name = option.lstrip("-").replace("-", "_")
        kwargs = {key: value for key, value in self.kwargs.items() if key != name}
        return replace(self, args=tuple(without(option, self.args)), kwargs=kwargs)


class DbtRun:
    """One invocation."""

    def __init__(
        self,
        owner: object,
        options: RunOptions,
        hooks: Hooks,
        last: LastPlaces,
        args: Sequence[str],
        kwargs: Mapping[str, Any],
    ) -> None:
        """Read the arguments; nothing is started yet.

        Args:
            owner: What hooks are told to belong to.
            options: What the runner was told.
            hooks: What to call.
            last: Where to note the places of this invocation.
            args: The command line.
            kwargs: Parameters of the command by name.
        """
        if isinstance(args, str):
            raise TypeError(f"args is the text {args!r}; give a list of words, such as {args.split()!r}.")
        self._owner = owner
        self._options = options
        self._hooks = hooks
        self._last = last
        self._asked = _Asked(tuple(map(_word, args)), plain_kwargs(kwargs), {})
        self._scope = RunScope.current()
        self._logger = self._scope.logger
        self._guard = Guard(self._logger)
        self._command = command_of(self._asked.args)
        self._began = time.time()
        self._selected: dict[str, set[str]] = {}

        settings = options.settings
        target = self._value(_TARGET_PATH)
        last.project_dir = Path(self._value("--project-dir") or settings.project_dir)
        last.profiles_dir = Path(self._value(_PROFILES_DIR) or settings.profiles_dir)
        self._project_dir = last.project_dir.expanduser().absolute()
        self._profiles_dir = last.profiles_dir.expanduser()
        self._target = self._project_dir / Path(target or settings.target_path).expanduser()
        # It is given as a flag: by keyword, dbt insists on its default folder all the same.
        kwargs = {name: value for name, value in self._asked.kwargs.items() if name != "profiles_dir"}
        self._asked = replace(self._asked, kwargs=kwargs)
        # One that is not given is dbt's to choose: `dbt_project.yml` may say it.
        self._is_target_given = target is not None or "target_path" in settings.model_fields_set

    def execute(self) -> dbtRunnerResult:
        """Run dbt, record it, and raise what it failed with."""
        options = self._options
        memory = RetryMemory.of(self._scope, self._target, self._asked.args, self._asked.kwargs)
        with ExitStack() as stack:
            asked = self._this_attempt(memory)
            if options.state is not None:
                compared = stack.enter_context(options.state.options())
                if self._command == "retry":  # its `--state` is the folder of the attempt that it goes on from
                    compared["defer_state"] = compared.pop("state")
                asked = replace(asked, inject={**asked.inject, **compared})
            profiles_dir, env, asked = self._profiles(stack, asked)
            unique = make_unique_target(self._target) if options.unique_target else None
            if unique is not None:
                asked = asked.without(_TARGET_PATH)
                if self._command == "retry":  # what failed is not in the new folder
                    asked = replace(asked, inject={"state": self._target, **asked.inject})
            observer = self._observer()
            invocation = Invocation(
                args=asked.args,
                kwargs=asked.kwargs,
                profiles_dir=profiles_dir,
                project_dir=options.settings.project_dir,
                target_path=unique or (self._target if self._is_target_given else None),
                log_level=self._log_level(),
                inject=asked.inject,
                manifest=self._pickled_manifest(stack),
                want_nodes=observer is not None,
                include_compiled_code=options.include_compiled_code,
                keep_manifest=bool(self._hooks.selectors),
            )
            process = stack.enter_context(dbt_process(env, "prefect_dbt.core.runner"))
            outcome = self._invoke(process, invocation, observer)
        return self._end(outcome, memory, unique)

    def _end(self, outcome: Outcome, memory: RetryMemory | None, unique: Path | None) -> dbtRunnerResult:
        error = error_from(outcome, self._command)
        with self._guard("noting where dbt's artifacts are"):
            self._note_target(outcome, unique)
        with self._guard("keeping the results for a retry"):
            if memory is not None and outcome.success:
                memory.forget()
            elif memory is not None and outcome.exception is None and outcome.target_path is not None:
                memory.keep(outcome.target_path / RESULTS, since=self._began)
        with self._guard("drawing the timeline"):
            self._draw(outcome)
        self._call_end_hooks(outcome, error)
        if error is not None and (self._options.raise_on_failure or not isinstance(error, DbtRunFailed)):
            raise error
        if outcome.success:
            self._upload(outcome)
        return outcome.result()

    def _invoke(self, process: DbtProcess, invocation: Invocation, observer: RunObserver | None) -> Outcome:
        was_cancelled = True
        if observer is not None:
            observer.is_cancelling = lambda: process.is_cancelling
        try:
            self._resolve_selectors(process, invocation)
            self._call_hooks("on_run_start")
            outcome = process.invoke(invocation, observer or _ignore)
            was_cancelled = outcome.interrupted
            return outcome
        finally:
            if observer is not None:
                observer.close(was_cancelled=was_cancelled)

    def _observer(self) -> RunObserver | None:
        options, scope = self._options, self._scope
        if not options.observes:
            return None
        records_nodes = scope.is_run or options.records_nodes_always
        assets = None
        if records_nodes and options.records_assets and self._command in RECORDED_COMMANDS:
            assets = NodeAssets(
                scope,
                self._project_dir,
                include_compiled_code=options.include_compiled_code,
                checks=options.asset_checks,
            )
        return RunObserver(
            scope,
            record_nodes=records_nodes,
            assets=assets,
            on_node=self._call_model_hooks if self._hooks.has("post_model") else None,
        )

    def _this_attempt(self, memory: RetryMemory | None) -> _Asked:
        """What was asked; or `dbt retry`, if this is a retry and what failed before is known."""
        attempt = self._scope.attempt
        if memory is None or self._options.retry_mode != "failed" or attempt == 1 or not memory.has_failure:
            return self._asked
        self._logger.info(
            "Attempt %d runs `dbt retry`: of `dbt %s`, only what failed or was skipped before.", attempt, self._command
        )
        self._command = "retry"
        given = {name: self._value(f"--{name}") for name in _RETRY_OPTIONS}
        kwargs = {name: value for name, value in self._asked.kwargs.items() if name in _RETRY_KWARGS}
        kept = [
            word
            for option in (_PROFILES_DIR, "--project-dir", _TARGET_PATH, "--log-level")
            if (value := self._value(option)) is not None and option.lstrip("-").replace("-", "_") not in kwargs
            for word in (option, str(value))
        ]
        args = ("retry", "--state", str(memory.folder.absolute()), *kept)
        return _Asked(args, kwargs, {name: value for name, value in given.items() if value is not None})

    def _value(self, option: str) -> Any:
        return value_of(option, self._asked.args, self._asked.kwargs)

    def _profiles(self, stack: ExitStack, asked: _Asked) -> tuple[Path, Mapping[str, str], _Asked]:
        """Fill in what `profiles.yml` refers to; where there is none, dbt says whether it needs one."""
        folder = self._profiles_dir
        if not (folder / FILE_NAME).is_file():
            return folder, {}, asked
        lent = stack.enter_context(
            resolved_profiles(
                folder,
                project_dir=self._project_dir,
                profile=self._value("--profile"),
                target=self._value("--target"),
            )
        )
        return lent.path, lent.env, asked if lent.path == folder else asked.without(_PROFILES_DIR)

    def _log_level(self) -> str:
        """The level for dbt where its arguments give none: the more restrictive of its setting and Prefect's."""
        given = self._value("--log-level")
        if given is not None:
            with self._guard("reading the log level"):
                self._last.log_level = event_level(given)
        setting = str(getattr(self._options.settings.log_level, "value", self._options.settings.log_level))
        return setting if setting == "none" else dbt_level(max(prefect_level(), level_of(setting)))

    def _pickled_manifest(self, stack: ExitStack) -> Path | None:
        if self._options.manifest is None:
            return None
        import pickle

        from .._private_folders import private_folder

        path = stack.enter_context(private_folder()) / "manifest.pickle"
        path.write_bytes(pickle.dumps(self._options.manifest, pickle.HIGHEST_PROTOCOL))
        return path

    def _note_target(self, outcome: Outcome, unique: Path | None) -> None:
        """Say where the artifacts are, and copy them to where the next invocation looks."""
        if unique is not None:
            self._last.target_path = unique
            publish(unique, self._target)
        elif outcome.target_path is not None:
            self._last.target_path = outcome.target_path
        elif self._is_target_given:
            self._last.target_path = self._target

    def _draw(self, outcome: Outcome) -> None:
        if not self._options.timeline or not outcome.nodes or not self._scope.is_run:
            return
        from ._timeline import create_timeline_artifact, span_of

        key = {"key": self._options.timeline} if isinstance(self._options.timeline, str) else {}
        create_timeline_artifact(map(span_of, outcome.nodes), title=f"dbt {outcome.command or self._command}", **key)

    def _upload(self, outcome: Outcome) -> None:
        if self._options.artifacts is None or outcome.target_path is None or self._command in _QUESTIONS:
            return
        from prefect_integration_kit.dispatch import run_coro_as_sync

        from .state import aupload_artifacts

        run_coro_as_sync(aupload_artifacts(outcome.target_path, self._options.artifacts, since=self._began))

    def _call_hooks(self, event: DbtHookEvent, **fields: Any) -> None:
        if self._hooks.has(event):
            context = DbtHookContext(
                event=event, command=self._command, owner=self._owner, args=self._asked.args, **fields
            )
            self._hooks.call(context, resolve=self._nodes_of, logger=self._logger)

    def _call_model_hooks(self, details: NodeDetails, result: NodeResult) -> None:
        if details.resource_type != "model" or result.status in SKIPPED:
            return
        self._call_hooks(
            "post_model",
            node=as_node(details),
            status=result.status,
            result=_entry(result),
            error=result.message if is_failure(result.status) else None,
            node_ids=(result.unique_id,),
        )

    def _call_end_hooks(self, outcome: Outcome, error: DbtError | None) -> None:
        if self._hooks.has("on_run_end"):
            self._call_hooks(
                "on_run_end",
                status="success" if outcome.success else "error",
                run_results=run_results(map(_entry, outcome.nodes)),
                error=error,
                node_ids=tuple(node.unique_id for node in outcome.nodes),
            )

    def _resolve_selectors(self, process: DbtProcess, invocation: Invocation) -> None:
        """Ask dbt what the selectors of hooks mean, in the process that then runs the command."""
        import json

        from ._local import shared_options

        shared = shared_options(self._asked.args, leave_out=("--indirect-selection", "--selector", "--resource-type"))
        kwargs = {name: value for name, value in invocation.kwargs.items() if name in _RETRY_OPTIONS}
        inject = dict(invocation.inject)
        if "defer_state" in inject:  # of `dbt retry`; what a selector compares with is the same
            inject["state"] = inject["defer_state"]
        for selector in self._hooks.selectors:
            found: set[str] = set()

            def note(event: DbtEvent, found: set[str] = found) -> None:
                found.update(
                    json.loads(line)["unique_id"]
                    for line in event.message.splitlines()
                    if line.startswith('{"unique_id"')
                )

            words = ("ls", "--quiet", "--select", selector, "--output", "json", "--output-keys", "unique_id", *shared)
            listing = replace(invocation, args=words, kwargs=kwargs, inject=inject, want_nodes=False, want_result=False)
            if process.invoke(listing, note).success:
                self._selected[selector] = found

    def _nodes_of(self, selector: str) -> set[str]:
        if selector not in self._selected:
            raise ValueError(f"dbt cannot resolve the selector {selector!r}.")
        return self._selected[selector]


def _word(arg: Any) -> str:
    """One word of the command line; numbers, as of `--threads`, are written out."""
    if isinstance(arg, int | float) and not isinstance(arg, bool):
        return str(arg)
    if isinstance(arg, str | os.PathLike):
        return os.fspath(cast("os.PathLike[str] | str", arg))
    raise TypeError(f"args holds {arg!r}, which is no word of a command line. Give texts, paths and numbers.")


def _entry(result: NodeResult) -> dict[str, Any]:
    """The entry of a node in the form of `run_results.json`."""
    from ._local import artifact_of

    return {**artifact_of(result)}


def _ignore(event: DbtEvent) -> None:
    """Take an event and make nothing of it."""
