"""A command with its options, and the run that comes of it. Blocks and tasks are two ways to write one down."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from prefect_integration_kit.redact import Redactor
from prefect_shell._dialect import find_program, find_shell
from prefect_shell._options import CHECKS, check_together, format_prefix, popen_arguments
from prefect_shell._output import Capture, LineReader, Stream
from prefect_shell._script import Arguments, Script, script_lines
from prefect_shell._supervisor import Supervisor
from prefect_shell.errors import ShellOptionError

if TYPE_CHECKING:
    from prefect.blocks.abstract import LoggerOrAdapter

_SHOWN_CHARS = 500
# The longest form of a character that the redactor knows: `\\uXXXX` for each of two UTF-16 halves.
_LONGEST_FORM = 12


@dataclass(frozen=True)
class Command:
    """What to run and how; the fields are those of `ShellOperation`.

    Raises:
        ShellOptionError: If an option cannot work.
    """

    commands: Sequence[str] = ()
    args: Sequence[str] | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    secret_env: Mapping[str, SecretStr] = field(default_factory=dict[str, SecretStr])
    working_dir: Path | None = None
    shell: str | None = None
    extension: str | None = None
    fail_fast: bool = False
    stdin: str | bytes | None = None
    timeout_seconds: float | None = None
    terminate_grace_seconds: float = 10.0
    interrupt_grace_seconds: float = 0.0
    success_exit_codes: Sequence[int] = (0,)
    log_output: bool = True
    log_prefix: str | None = None
    stream_level: int = logging.INFO
    stderr_level: int | None = logging.INFO
    capture_output: bool = True
    capture_stderr: bool = True
    max_captured_bytes: int | None = None
    encoding: str = "utf-8"
    errors: str = "replace"

    def __post_init__(self) -> None:
        for name, check in CHECKS.items():
            check(getattr(self, name))
        check_together(self.commands, self.args, fail_fast=self.fail_fast)

    def secrets(self) -> list[str]:
        """The values that are masked in logs and errors."""
        return [secret.get_secret_value() for secret in self.secret_env.values()]

    def redactor(self) -> Redactor:
        """Masks the values of `secret_env`."""
        return Redactor(self.secrets())

    def shown(self, command: str | None = None) -> str:
        """A command for people to read: redacted and of bounded length.

        Args:
            command: Its text; all commands when not given.
        """
        if command is None:
            command = script_lines(self.commands) if self.args is None else " ".join(map(repr, self.args))
        text = self.redactor().redact(command)
        return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"

    def prepare(
        self,
        logger: LoggerOrAdapter,
        open_kwargs: Mapping[str, Any] | None = None,
        on_start: Callable[[int], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> tuple[Supervisor, Capture]:
        """Check all that can be checked before the start.

        Args:
            logger: Gets the output.
            open_kwargs: Further arguments of `subprocess.Popen`.
            on_start: Told the id of the process before any output is logged.
            on_end: Called when the process has ended, before those who wait for it go on.

        Returns:
            The run, which is yet to be started, and what it will keep.

        Raises:
            ShellError: If the command cannot be started.
        """
        secret_env = {name: secret.get_secret_value() for name, secret in self.secret_env.items()}
        arguments = popen_arguments(
            open_kwargs or {},
            env={**os.environ, **self.env, **secret_env},
            cwd=self.working_dir,
            has_stdin=self.stdin is not None,
        )
        env, cwd = arguments["env"], arguments["cwd"]
        if self.args is not None:
            job = Arguments(find_program(self.args[0], env, cwd, field="args"), list(self.args))
        else:
            shell, dialect = find_shell(self.shell, env, cwd)
            job = Script(shell, dialect, self.commands, self.extension, self.fail_fast)
        capture = Capture(self.max_captured_bytes)
        run = Supervisor(
            job,
            open_kwargs=arguments,
            make_streams=self.streams_for(capture, logger, on_start),
            stdin=_encoded(self.stdin, self.encoding),
            timeout_seconds=self.timeout_seconds,
            grace_seconds=self.terminate_grace_seconds,
            interrupt_seconds=self.interrupt_grace_seconds,
            on_end=on_end,
        )
        return run, capture

    def streams_for(
        self, capture: Capture, logger: LoggerOrAdapter, on_start: Callable[[int], None] | None = None
    ) -> Callable[[int], dict[str, Stream]]:
        """Make the sinks of both outputs, once the process has an id."""
        margin = _LONGEST_FORM * max((len(secret) for secret in self.secrets()), default=0)
        redactor = self.redactor()

        def make(pid: int) -> dict[str, Stream]:
            if on_start is not None:
                on_start(pid)
            streams: dict[str, Stream] = {}
            for name, level, is_kept in (
                ("stdout", self.stream_level, self.capture_output),
                ("stderr", self.stderr_level, self.capture_output and self.capture_stderr),
            ):
                prefix = format_prefix(self.log_prefix, pid, name)
                streams[name] = Stream(
                    name,
                    encoding=self.encoding,
                    errors=self.errors,
                    capture=capture if is_kept else None,
                    reader=LineReader(redactor, margin),
                    log=_logs_at(logger, level, prefix) if self.log_output and level is not None else None,
                )
            return streams

        return make


def _encoded(stdin: str | bytes | None, encoding: str) -> bytes | None:
    if not isinstance(stdin, str):
        return stdin
    try:
        return stdin.encode(encoding)
    except UnicodeEncodeError as error:
        raise ShellOptionError(
            f"stdin: the character at position {error.start} cannot be written in {encoding}. Choose another encoding."
        ) from None


def _logs_at(logger: LoggerOrAdapter, level: int, prefix: str) -> Callable[[str], None]:
    def log(text: str) -> None:
        logger.log(level, "%s%s", prefix, text)

    return log
