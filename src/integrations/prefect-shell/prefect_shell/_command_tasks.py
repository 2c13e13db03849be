"""Tasks that run a command; they are public in `prefect_shell.commands`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

from pydantic import SecretStr  # noqa: TC002 - who asks for the types of a task gets them

from prefect_integration_kit.dispatch import async_task
from prefect_shell._tasks import args_run, command_run, run_args_sync, shell_run_command_sync


@async_task(shell_run_command_sync)
async def shell_run_command(
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
    """Run a shell command and return its output.

    The command is text that a shell reads from a private file; use `prefect_shell.quote` for values in it, or
    `run_args` where no shell is needed. A coroutine awaits this task; a sync flow or task may call it directly.

    Args:
        command: The command, of one or more lines.
        env: Environment variables, over those of this process.
        helper_command: A command that runs first in the same shell, to change the directory, define functions and so
            on.
        shell: Name or path of the shell; `bash` when not given, or `sh` where bash is missing, and PowerShell on
            Windows.
        extension: Extension of the script file with its dot; `.ps1` on Windows and `.sh` elsewhere when not given.
        return_all: Whether to return all lines of standard output instead of the last one.
        stream_level: Logging level of the lines of standard output.
        cwd: Directory in which the command runs.
        secret_env: Environment variables whose values are masked in logs and errors. The returned output is not
            masked.
        stdin: What the command reads on standard input; nothing when not given.
        fail_fast: Whether the first failing line ends the script (`set -e -o pipefail`, PowerShell's `Stop`). The
            error then names it. Known for bash, sh, ksh, zsh and PowerShell.
        timeout_seconds: Seconds until the command and all that it started are ended; `None` waits for ever.
        terminate_grace_seconds: Seconds between SIGTERM and SIGKILL when the command is ended.
        success_exit_codes: Exit codes that mean success.
        log_output: Whether output is logged.
        stderr_level: Logging level of the lines of standard error; `None` does not log them.
        capture_output: Whether output is kept for the result, which is empty otherwise.
        max_captured_bytes: Keep only the last lines, up to this many bytes; a longer line keeps its end. `None` keeps
            all.
        encoding: Encoding of the output and of `stdin`.
        errors: What becomes of bytes that do not fit the encoding; see
            [error handlers](https://docs.python.org/3/library/codecs.html#error-handlers).

    Returns:
        With `return_all` the lines of standard output without line ends, else the last line that is not blank, without
        trailing white space; `''` when there is none.

    Raises:
        ShellCommandFailed: If the exit code is no success. It is a `RuntimeError`, and its message ends with the last
            lines of standard error.
        ShellTimeout: If the time was up. It is a `TimeoutError`.
        ShellNotFound: If the shell does not exist.
        WorkingDirectoryError: If `cwd` is missing or no directory.
        ShellOptionError: If an option cannot work. It is a `ValueError`.

    Example:
        Count the lines of a file, and fail when the file is not there:
        ```python
        from prefect import flow
        from prefect_shell import quote, shell_run_command


        @flow
        async def count_lines(path: str) -> int:
            return int(await shell_run_command(f"wc -l < {quote(path)}"))
        ```
    """
    return await command_run(**locals()).arun()


@async_task(run_args_sync)
async def run_args(
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
    """Run one program with a list of arguments and no shell, so that nothing in them needs quoting.

    Arguments are visible to other users of the machine; pass secrets by `secret_env` or `stdin`. The parameters that
    `shell_run_command` has too mean the same.

    Args:
        args: The program, by name or path, and its arguments.
        env: Environment variables, over those of this process.
        return_all: Whether to return all lines of standard output instead of the last one.
        stream_level: Logging level of the lines of standard output.
        cwd: Directory in which the program runs.
        secret_env: Environment variables whose values are masked in logs and errors.
        stdin: What the program reads on standard input; nothing when not given.
        timeout_seconds: Seconds until the program and all that it started are ended; `None` waits for ever.
        terminate_grace_seconds: Seconds between SIGTERM and SIGKILL when the program is ended.
        success_exit_codes: Exit codes that mean success.
        log_output: Whether output is logged.
        stderr_level: Logging level of the lines of standard error; `None` does not log them.
        capture_output: Whether output is kept for the result, which is empty otherwise.
        max_captured_bytes: Keep only the last lines, up to this many bytes. `None` keeps all.
        encoding: Encoding of the output and of `stdin`.
        errors: What becomes of bytes that do not fit the encoding.

    Returns:
        As `shell_run_command`.

    Raises:
        ShellCommandFailed: If the exit code is no success.
        ShellTimeout: If the time was up.
        ShellNotFound: If the program does not exist.
        WorkingDirectoryError: If `cwd` is missing or no directory.
        ShellOptionError: If an option cannot work.

    Example:
        ```python
        from prefect import flow
        from prefect_shell import run_args


        @flow
        async def find(pattern: str, path: str) -> list[str]:
            # exit code 1 of grep means that nothing matches
            return await run_args(
                ["grep", "-n", "-e", pattern, "--", path], return_all=True, success_exit_codes=[0, 1]
            )
        ```
    """
    return await args_run(**locals()).arun()
