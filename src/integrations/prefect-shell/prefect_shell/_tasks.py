"""What the tasks have in common: from their parameters to a command, and from its run to their result."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger
from pydantic import SecretStr

from prefect_shell._command import Command
from prefect_shell._execution import Execution
from prefect_shell._options import check_directory
from prefect_shell.errors import ShellOptionError

if TYPE_CHECKING:
    from prefect.blocks.abstract import LoggerOrAdapter


@dataclass(frozen=True)
class TaskRun:
    """A command and the form of its result."""

    command: Command
    return_all: bool

    def run(self) -> list[str] | str:
        """Run the command and return its output."""
        logger = _logger()
        execution = Execution.start(self.command, logger)
        execution.wait()
        return self._result(execution, logger)

    async def arun(self) -> list[str] | str:
        """Async form of `run`."""
        logger = _logger()
        execution = await Execution.astart(self.command, logger)
        await execution.await_()
        return self._result(execution, logger)

    def _result(self, execution: Execution, logger: LoggerOrAdapter) -> list[str] | str:
        execution.raise_for_failure("Command failed with exit code", "Command")
        execution.warn_when_cut(logger)
        lines = execution.lines("stdout")
        if self.return_all:
            return lines
        return next((line.rstrip() for line in reversed(lines) if line.strip()), "")


def _logger() -> LoggerOrAdapter:
    try:
        return get_run_logger()
    except MissingContextError:
        return get_logger("prefect_shell")


def _directory(cwd: str | bytes | os.PathLike[str] | None) -> Path | None:
    if cwd is None:
        return None
    path = Path(os.fsdecode(cwd))
    check_directory("cwd", path)
    return path


def _secret_env(values: Mapping[str, SecretStr | str] | None) -> dict[str, SecretStr]:
    return {name: value if isinstance(value, SecretStr) else SecretStr(value) for name, value in (values or {}).items()}


def command_run(
    *,
    command: str,
    env: Mapping[str, str] | None,
    helper_command: str | None,
    cwd: str | bytes | os.PathLike[str] | None,
    return_all: bool,
    secret_env: Mapping[str, SecretStr | str] | None,
    **options: Any,
) -> TaskRun:
    """Read the parameters of `shell_run_command`; `options` are fields of `Command`.

    Raises:
        ShellOptionError: If one of them cannot work.
        WorkingDirectoryError: If `cwd` is no directory.
    """
    if not isinstance(command, str):
        raise ShellOptionError(
            f"command: {type(command).__name__} is not text. Give text, or an argument list to run_args."
        )
    if not command.strip():
        raise ShellOptionError(f"command: there is nothing to run in {command!r}. Give a command.")
    helpers = [helper_command] if helper_command else []
    return TaskRun(
        Command(
            commands=[*helpers, command],
            env=env or {},
            secret_env=_secret_env(secret_env),
            working_dir=_directory(cwd),
            capture_stderr=False,
            **options,
        ),
        return_all,
    )


def args_run(
    *,
    args: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: str | bytes | os.PathLike[str] | None,
    return_all: bool,
    secret_env: Mapping[str, SecretStr | str] | None,
    **options: Any,
) -> TaskRun:
    """Read the parameters of `run_args`; `options` are fields of `Command`.

    Raises:
        ShellOptionError: If one of them cannot work.
        WorkingDirectoryError: If `cwd` is no directory.
    """
    return TaskRun(
        Command(
            args=args if isinstance(args, str) else [os.fsdecode(arg) for arg in args],
            env=env or {},
            secret_env=_secret_env(secret_env),
            working_dir=_directory(cwd),
            capture_stderr=False,
            **options,
        ),
        return_all,
    )


def shell_run_command_sync(
    command: str,
    env: dict[str, str] | None = None,
    helper_command: str | None = None,
    shell: str | None = None,
    extension: str | None = None,
    return_all: bool = False,
    stream_level: int = logging.INFO,
    cwd: str | bytes | os.PathLike[str] | None = None,
    *,
    secret_env: Mapping[str, SecretStr | str] | None = None,
    stdin: str | bytes | None = None,
    fail_fast: bool = False,
    timeout_seconds: float | None = None,
    terminate_grace_seconds: float = 10.0,
    success_exit_codes: Sequence[int] = (0,),
    log_output: bool = True,
    stderr_level: int | None = None,
    capture_output: bool = True,
    max_captured_bytes: int | None = None,
    encoding: str = "utf-8",
    errors: str = "replace",
) -> list[str] | str:
    """Sync face of `shell_run_command`."""
    return command_run(**locals()).run()


def run_args_sync(
    args: Sequence[str],
    *,
    env: dict[str, str] | None = None,
    return_all: bool = False,
    stream_level: int = logging.INFO,
    cwd: str | bytes | os.PathLike[str] | None = None,
    secret_env: Mapping[str, SecretStr | str] | None = None,
    stdin: str | bytes | None = None,
    timeout_seconds: float | None = None,
    terminate_grace_seconds: float = 10.0,
    success_exit_codes: Sequence[int] = (0,),
    log_output: bool = True,
    stderr_level: int | None = None,
    capture_output: bool = True,
    max_captured_bytes: int | None = None,
    encoding: str = "utf-8",
    errors: str = "replace",
) -> list[str] | str:
    """Sync face of `run_args`."""
    return args_run(**locals()).run()
