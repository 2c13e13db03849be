"""Tasks and a block that run shell commands.

`shell_run_command` and `run_args` are tasks for one command; `ShellOperation` is a block that can be saved, started in
the background and used as a context manager. All of them read both outputs as they come, end the whole process group
when a run is cancelled or its time is up, and raise the errors of `prefect_shell.errors`.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.blocks.abstract import JobBlock, JobRun
from pydantic import (
    DirectoryPath,
    Field,
    HttpUrl,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch
from prefect_integration_kit.late_imports import late_names
from prefect_shell._command import Command
from prefect_shell._execution import Execution, aend_all, end_all
from prefect_shell._options import CHECKS, check_directory, check_together
from prefect_shell._registry import OpenProcesses
from prefect_shell.errors import WorkingDirectoryError

if TYPE_CHECKING:
    from anyio.abc import Process

    from prefect_shell._command_tasks import run_args, shell_run_command

__all__ = ["ShellOperation", "ShellProcess", "run_args", "shell_run_command"]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "run_args": "._command_tasks",
        "shell_run_command": "._command_tasks",
    },
)


def _without_ends(lines: list[str]) -> list[str]:
    return [line.rstrip() for line in lines]  # as published, in both faces


class ShellProcess(JobRun[list[str]]):
    """A process that `ShellOperation.trigger` started.

    It also looks after a process that was started elsewhere, by `subprocess.Popen` or by anyio: both outputs are read
    as the operation says. An anyio process belongs to its event loop, so it can only be awaited.
    """

    def __init__(
        self,
        shell_operation: ShellOperation,
        process: Process | subprocess.Popen[bytes] | Execution,
    ):
        """Look after a process.

        Args:
            shell_operation: The operation that says how output is kept and logged.
            process: The process; it runs already.
        """
        from prefect_shell._adopted import adopt

        self._shell_operation = shell_operation
        self._execution = (
            process if isinstance(process, Execution) else adopt(process, shell_operation.to_command(), self.logger)
        )

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._execution.run.pid

    @property
    def return_code(self) -> int | None:
        """The exit code of the process, or `None` while it runs; `-N` when signal number N ended it."""
        return self._execution.run.returncode

    async def await_for_completion(self) -> None:
        """Async form of `wait_for_completion`. Cancelling it ends the process."""
        await self._execution.acomplete(self.logger)

    @async_dispatch(await_for_completion)
    def wait_for_completion(self) -> None:
        """Wait until the process has ended and all its output was read.

        An exception that interrupts the wait, such as Ctrl+C, ends the process first.

        Raises:
            ShellCommandFailed: If the exit code is no success. It is a `RuntimeError`.
            ShellTimeout: If the operation's `timeout_seconds` have passed since the start.
            TypeError: If the process is one of anyio, which can only be awaited.
        """
        self._execution.complete(self.logger)

    def _fetch(self) -> list[str]:
        if not self._execution.run.finished.is_set():
            self.logger.info("Process is still running, result may be incomplete.")
        return _without_ends(self._execution.lines())

    async def afetch_result(self) -> list[str]:
        """Async form of `fetch_result`."""
        return self._fetch()

    @async_dispatch(afetch_result)
    def fetch_result(self) -> list[str]:
        """Return the lines of output that were kept so far, without waiting.

        Returns:
            The lines of standard output and, unless `capture_stderr` is off, of standard error, in the order in which
            they came, without line ends and the white space before them. While the process runs, the lines that are
            complete.
        """
        return self._fetch()

    @property
    def stdout_lines(self) -> list[str]:
        """The kept lines of standard output alone."""
        return self._execution.lines("stdout")

    @property
    def stderr_lines(self) -> list[str]:
        """The kept lines of standard error alone; empty when `capture_stderr` is off."""
        return self._execution.lines("stderr")

    async def aterminate(self) -> None:
        """Async form of `terminate`."""
        await self._execution.aend("closed")

    @async_dispatch(aterminate)
    def terminate(self) -> None:
        """End the process and all that it started, and wait until they are gone.

        They get SIGTERM, and what is left after the operation's `terminate_grace_seconds` gets SIGKILL.
        """
        self._execution.end("closed")


class ShellOperation(QuickKey, JobBlock):  # pyright: ignore[reportMissingTypeArgument] - `JobBlock[...]` would be a block
    """A shell operation: commands that one shell runs as one script.

    For short operations use `run`, which waits for the end. For long ones use `trigger` and the block as a context
    manager, which ends at its exit all that is still running; without a context manager, call `close`. The block can
    be used any number of times, and several processes of it can run at once.

    Attributes:
        commands: The commands to run, in order. They are one script, so variables, functions and `cd` carry on.
        stream_output: Whether output is logged.
        env: Environment variables, over those of this process.
        working_dir: Directory in which the commands run.
        shell: The shell that runs the commands.
        extension: Extension of the script file; when not given `.ps1` on Windows and `.sh` elsewhere.

    Examples:
        Use what was saved:
        ```python
        from prefect_shell import ShellOperation

        nightly = ShellOperation.load("BLOCK_NAME")
        nightly.run()
        ```

        Stop at the first command that fails, and at the latest after a minute:
        ```python
        from prefect_shell import ShellOperation

        ShellOperation(
            commands=["mkdir -p reports", "date > reports/today.txt"],
            fail_fast=True,
            timeout_seconds=60,
        ).run()
        ```
    """

    _block_type_name = "Shell Operation"
    _logo_url = HttpUrl(
        "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos/terminal.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-shell")

    commands: list[str] = Field(default_factory=list, description="The commands to run, in order, as one script.")
    stream_output: bool = Field(default=True, description="Whether output is logged.")
    log_prefix: str | None = Field(
        default="PID {pid} {label}:\n",
        title="Log Prefix",
        description=(
            "Text before each logged piece of output, with the placeholders `{pid}`, `{label}` (stream output) and "
            "`{stream}` (stdout or stderr); none when not set."
        ),
    )
    env: dict[str, str] = Field(
        default_factory=dict,
        title="Environment Variables",
        description="Environment variables, over those of the process that runs the flow.",
    )
    working_dir: DirectoryPath | None = Field(
        default=None,
        title="Working Directory",
        description="The directory in which the commands run; that of the flow's process when not set.",
    )
    shell: str | None = Field(
        default=None,
        description="Name or path of the shell; when not set bash, or sh where bash is missing; Windows: PowerShell.",
    )
    extension: str | None = Field(
        default=None,
        description="Extension of the script file, with its dot; when not set `.ps1` on Windows and `.sh` elsewhere.",
    )
    args: list[str] | None = Field(
        default=None,
        description="A program and its arguments, run without a shell; instead of `commands`.",
    )
    secret_env: dict[str, SecretStr] = Field(
        default_factory=dict,
        title="Secret Environment Variables",
        description="Environment variables whose values are masked in logs and errors; the result is not masked.",
    )
    stdin: str | None = Field(
        default=None, description="What the commands read on standard input; nothing when not set."
    )
    fail_fast: bool = Field(
        default=False,
        description="Whether the first command that fails ends the script, as `set -e -o pipefail` does.",
    )
    timeout_seconds: float | None = Field(
        default=None,
        description="Seconds after which the commands and all that they started are ended; never when not set.",
    )
    terminate_grace_seconds: float = Field(
        default=10.0,
        description="Seconds between SIGTERM and SIGKILL when the commands are ended.",
    )
    interrupt_grace_seconds: float = Field(
        default=0.0,
        description=(
            "Seconds between SIGINT, which is what Ctrl+C sends, and SIGTERM when the commands are ended, for programs "
            "that tidy up at SIGINT only; no SIGINT when 0."
        ),
    )
    success_exit_codes: list[int] = Field(default_factory=lambda: [0], description="Exit codes that mean success.")
    log_output: bool | None = Field(
        default=None, description="Whether output is logged; when not set `stream_output` decides."
    )
    stream_level: int = Field(default=logging.INFO, description="Logging level of the lines of standard output.")
    stderr_level: int | None = Field(
        default=logging.INFO,
        description="Logging level of the lines of standard error; they are not logged when it is null.",
    )
    capture_output: bool = Field(
        default=True, description="Whether output is kept for the result, which is empty otherwise."
    )
    capture_stderr: bool = Field(
        default=True,
        description="Whether the lines of standard error are part of the result, as they come.",
    )
    max_captured_bytes: int | None = Field(
        default=None,
        description="Most bytes of output that are kept, the last ones; all when not set.",
    )
    encoding: str = Field(default="utf-8", description="Encoding of the output and of `stdin`.")
    errors: str = Field(
        default="replace",
        description="What becomes of bytes that do not fit the encoding: replace, backslashreplace, ignore or strict.",
    )

    _processes: OpenProcesses[Execution] = PrivateAttr(default_factory=OpenProcesses)

    @field_validator(*(name for name in CHECKS))
    @classmethod
    def _check_field(cls, value: Any, info: ValidationInfo) -> Any:
        CHECKS[str(info.field_name)](value)
        return value

    @field_validator("working_dir", mode="before")
    @classmethod
    def _check_working_dir(cls, value: Any) -> Any:
        if isinstance(value, str | Path):
            try:
                check_directory("working_dir", Path(value))
            except WorkingDirectoryError as error:
                raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _check_together(self) -> ShellOperation:
        check_together(self.commands, self.args, fail_fast=self.fail_fast)
        return self

    def to_command(self) -> Command:
        """Return the operation as the engine takes it."""
        options: dict[str, Any] = {option.name: getattr(self, option.name) for option in fields(Command)}
        options["log_output"] = self.stream_output if self.log_output is None else self.log_output
        return Command(**options)

    def _reporter(self) -> Callable[[int], None]:
        logger = self.logger
        what = f"{len(self.commands)} commands" if self.args is None else f"program {self.args[0]!r}"

        def report(pid: int) -> None:
            where = self.working_dir or "."
            logger.info("PID %s triggered with %s running inside the %r directory.", pid, what, where)

        return report

    def _prepare(self) -> tuple[Command, Callable[[], None]]:
        """Get what is started, and what tidies up after it: for operations that bring files or folders of their own.

        The latter is called when the process has ended or could not be started, perhaps twice, and raises nothing.
        """
        return self.to_command(), _do_nothing

    async def _aprepare(self) -> tuple[Command, Callable[[], None]]:
        """Async form of `_prepare`."""
        return self._prepare()

    def _start(self, open_kwargs: dict[str, Any]) -> Execution:
        command, tidy_up = self._prepare()
        try:
            return Execution.start(command, self.logger, open_kwargs, self._reporter(), tidy_up)
        except BaseException:
            tidy_up()
            raise

    async def _astart(self, open_kwargs: dict[str, Any]) -> Execution:
        command, tidy_up = await self._aprepare()
        try:
            return await Execution.astart(command, self.logger, open_kwargs, self._reporter(), tidy_up)
        except BaseException:
            tidy_up()
            raise

    async def atrigger(self, **open_kwargs: Any) -> ShellProcess:
        """Async form of `trigger`."""
        execution = await self._astart(open_kwargs)
        self._processes.add(execution)
        return ShellProcess(self, execution)

    @async_dispatch(atrigger)
    def trigger(self, **open_kwargs: Any) -> ShellProcess:
        """Start the commands and return at once.

        Args:
            **open_kwargs: Further arguments of `subprocess.Popen`, in both faces. `env` is merged over the block's,
                `cwd` replaces `working_dir`; those that the block manages itself are refused.

        Returns:
            The process. Its output is read and logged from now on, whether or not somebody waits for it.

        Raises:
            ShellNotFound: If the shell or program does not exist.
            WorkingDirectoryError: If the working directory is missing by now.
            ShellOptionError: If an argument is unknown or not the caller's to set.

        Examples:
            Pack a folder while the flow goes on with other work:
            ```python
            from prefect_shell import ShellOperation

            with ShellOperation(commands=["tar -czf backup.tar.gz reports"]) as backup:
                process = backup.trigger()
                ...  # other work
                process.wait_for_completion()
                print(process.fetch_result())
            ```
        """
        execution = self._start(open_kwargs)
        self._processes.add(execution)
        return ShellProcess(self, execution)

    async def arun(self, **open_kwargs: Any) -> list[str]:
        """Async form of `run`. Cancelling it ends the process."""
        execution = await self._astart(open_kwargs)
        await execution.acomplete(self.logger)
        return _without_ends(execution.lines())

    @async_dispatch(arun)
    def run(self, **open_kwargs: Any) -> list[str]:
        """Start the commands, wait for their end and return their output.

        What the commands left running in the background on purpose, with its output sent elsewhere, is left alone when
        they end by themselves.

        Args:
            **open_kwargs: Further arguments of `subprocess.Popen`; see `trigger`.

        Returns:
            The lines of output; see `ShellProcess.fetch_result`.

        Raises:
            ShellCommandFailed: If the exit code is no success. It is a `RuntimeError`.
            ShellTimeout: If `timeout_seconds` have passed. It is a `TimeoutError`.
            ShellNotFound: If the shell or program does not exist.
            WorkingDirectoryError: If the working directory is missing by now.
            ShellOptionError: If an argument is unknown or not the caller's to set.

        Examples:
            Count the lines of a file:
            ```python
            from prefect_shell import ShellOperation

            [count] = ShellOperation(commands=["wc -l < orders.csv"]).run()
            ```
        """
        execution = self._start(open_kwargs)
        execution.complete(self.logger)
        return _without_ends(execution.lines())

    def _close(self) -> None:
        end_all(self._processes.take())
        self.logger.info("Successfully closed all open processes.")

    async def aclose(self) -> None:
        """Async form of `close`."""
        await aend_all(self._processes.take())
        self.logger.info("Successfully closed all open processes.")

    @async_dispatch(aclose)
    def close(self) -> None:
        """End all processes that `trigger` started, with all that they started, and wait until they are gone.

        They get SIGTERM, after SIGINT where `interrupt_grace_seconds` is set, and what is left after
        `terminate_grace_seconds` gets SIGKILL. The block can be used again.
        """
        self._close()

    def __copy__(self) -> ShellOperation:
        copied = super().__copy__()
        copied._processes = OpenProcesses()  # noqa: SLF001
        return copied

    async def __aenter__(self) -> ShellOperation:
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self.aclose()

    def __enter__(self) -> ShellOperation:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._close()


def _do_nothing() -> None:
    """Nothing has to be tidied up."""
