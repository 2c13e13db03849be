"""One run of dbt's command line for a task: profiles, log lines, the summary, the error that it ends in."""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.artifacts import acreate_markdown_artifact, create_markdown_artifact

from prefect_integration_kit.brakes import Brake
from prefect_integration_kit.dispatch import run_stoppable
from prefect_integration_kit.logs import run_logger

from .._dbt import DbtEvent, DbtProcess, Invocation, Outcome
from ..core._artifacts import consolidate_run_results, create_summary_markdown
from ..core._command_line import command_of, value_of, without
from ..core._first import dbt_process
from ..core._logs import RunLogs, level_of
from ..core._outcomes import error_from
from ..core._scope import RunScope
from ..errors import DbtUsageError
from ._profile_files import PathLike, profiles_for

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

    from .credentials import DbtCliProfile

# What Prefect accepts: `prefect.types.names.ArtifactKey`.
_ARTIFACT_KEY = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True)
class CommandRun:
    """A dbt command with the options of the tasks.

    Raises:
        DbtUsageError: If the command cannot be read, or the key of the artifact is none.
    """

    command: str
    profiles_dir: PathLike | None = None
    project_dir: PathLike | None = None
    overwrite_profiles: bool = False
    dbt_cli_profile: DbtCliProfile | None = None
    create_summary_artifact: bool = False
    summary_artifact_key: str | None = None
    extra_command_args: Sequence[str] | None = None
    stream_output: bool = True
    args: list[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "args", _words(self.command, self.extra_command_args))
        key = self.summary_artifact_key
        if self.create_summary_artifact and (key is None or not _ARTIFACT_KEY.fullmatch(key)):
            raise DbtUsageError(
                f"summary_artifact_key {key!r} is no key of an artifact. Use lower-case letters, digits and dashes."
            )

    @property
    def name(self) -> str:
        """The command without its options, such as `source freshness`."""
        return command_of(self.args)

    def run(self) -> dbtRunnerResult:
        """Run the command; in the end create the artifact, and raise what went wrong."""
        with self._process() as (process, invocation):
            outcome = process.invoke(invocation, self._listener())
        summary = self._summary(outcome)
        if summary is not None:
            create_markdown_artifact(summary, key=self.summary_artifact_key)
        return self._settled(outcome)

    async def arun(self) -> dbtRunnerResult:
        """Async form of `run`. Cancelling it cancels dbt, and waits until its queries have ended."""
        listener = self._listener()

        def body(brake: Brake) -> Outcome:
            with self._process() as (process, invocation):
                watcher = threading.Thread(target=_cancel_on, args=(brake, process), name="dbt-cancel", daemon=True)
                watcher.start()
                try:
                    if brake.is_set():  # cancelled meanwhile; who awaits has got that already
                        return Outcome.failed("cancelled before the start", interrupted=True)
                    return process.invoke(invocation, listener)
                finally:
                    brake.set()  # lets the watcher go
                    watcher.join()

        outcome = await run_stoppable(body)
        summary = self._summary(outcome)
        if summary is not None:
            await acreate_markdown_artifact(summary, key=self.summary_artifact_key)
        return self._settled(outcome)

    @contextmanager
    def _process(self) -> Generator[tuple[DbtProcess, Invocation], None, None]:
        args = self.args
        given_profiles: str | None = value_of("--profiles-dir", args, {})
        given_project: str | None = value_of("--project-dir", args, {})
        lending = profiles_for(
            self.name,
            profiles_dir=given_profiles or self.profiles_dir,
            project_dir=given_project or self.project_dir or os.environ.get("DBT_PROJECT_DIR") or Path.cwd(),
            overwrite_profiles=self.overwrite_profiles,
            dbt_cli_profile=self.dbt_cli_profile,
            profile=value_of("--profile", args, {}),
            target=value_of("--target", args, {}),
        )
        with lending as lent:
            invocation = Invocation(
                args=tuple(without("--profiles-dir", args) if lent else args),
                profiles_dir=None if lent is None else lent.path,
                project_dir=None if self.project_dir is None else Path(self.project_dir).expanduser(),
                want_nodes=False,
                include_compiled_code=self.create_summary_artifact,
            )
            with dbt_process({} if lent is None else lent.env, "prefect_dbt.cli.commands") as process:
                yield process, invocation

    def _listener(self) -> _Listener:
        run_logger(__name__).info("Running dbt command: dbt %s", self.name or self.args[0])
        return _Listener(RunLogs(RunScope.current()) if self.stream_output else None)

    def _summary(self, outcome: Outcome) -> str | None:
        if not self.create_summary_artifact or not outcome.nodes:
            return None
        return create_summary_markdown(consolidate_run_results(outcome.nodes), outcome.command or self.name)

    def _settled(self, outcome: Outcome) -> dbtRunnerResult:
        error = error_from(outcome, self.name)
        if error is None:
            return outcome.result()
        raise error


def _words(command: str, extra: Sequence[str] | None) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise DbtUsageError(f"The command {command!r} cannot be read: {error}. Close its quotes.") from None
    words = words[1:] if words[:1] == ["dbt"] else words
    if isinstance(extra, str):
        raise DbtUsageError(f"extra_command_args is the text {extra!r}. Give a list of words.")
    words += [str(word) for word in extra or ()]
    if not words:
        raise DbtUsageError("The command is empty. Give a dbt command, such as 'dbt build'.")
    return words


class _Listener:
    """Writes what dbt's console would show to the logs of the run."""

    def __init__(self, logs: RunLogs | None) -> None:
        self._logs = logs

    def __call__(self, event: DbtEvent) -> None:
        if self._logs is not None and event.shown:
            self._logs.write(level_of(event.level), event.message, event.timestamp)


def _cancel_on(brake: Brake, process: DbtProcess) -> None:
    brake.wait()
    process.cancel()
