"""The script that a shell runs: its text, its private file, and what it tells of a failed command."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect_shell._dialect import WINDOWS, Dialect, default_extension, launch_arguments
from prefect_shell.errors import ShellOptionError, ShellStartError

# Generous for `sh -n` on one command, which takes about a millisecond.
_CHECK_SECONDS = 10


@dataclass
class Arguments:
    """A program and its arguments, run without a shell."""

    program: str
    args: list[str]
    failed_command: str | None = field(default=None, init=False)

    @contextlib.contextmanager
    def prepared(self, open_kwargs: dict[str, Any]) -> Generator[dict[str, Any]]:
        """Yield the arguments of `Popen`; `executable` keeps the program's name as given in `argv[0]`."""
        yield {**open_kwargs, "args": self.args, "executable": self.program}


@dataclass
class Script:
    """Commands that one shell reads from a file.

    Attributes:
        shell: Path of the shell's program.
        dialect: Its family.
        commands: The commands, in order; together they are one script.
        extension: Extension of the file; `None` takes the family's default.
        fail_fast: Whether the first command that fails ends the script.
        failed_command: With `fail_fast`, the command that failed, once the script has ended and when it is known.
    """

    shell: str
    dialect: Dialect
    commands: Sequence[str]
    extension: str | None = None
    fail_fast: bool = False
    failed_command: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.fail_fast and self.dialect in (Dialect.OTHER, Dialect.CMD):
            raise ShellOptionError(
                f"fail_fast: not known for the shell {self.shell!r}. "
                "Use bash, sh, zsh, ksh or PowerShell, or leave it off."
            )

    @contextlib.contextmanager
    def prepared(self, open_kwargs: dict[str, Any]) -> Generator[dict[str, Any]]:
        """Write the script, yield the arguments of `Popen`, and remove it at the end, whatever happens.

        The folder is for this user alone and so is the file, since commands may hold what others must not read.
        """
        with _told("folder for the script", tempfile.gettempdir()):
            folder = Path(tempfile.mkdtemp(prefix="prefect-shell-")).absolute()
        try:
            report = folder / "failed"
            extension = self.extension or default_extension(self.dialect)
            script = folder / ("script" + (extension if "." in extension else f".{extension}"))
            with _told("script", script):
                descriptor = os.open(script, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(self._encoded(self._text(report)))
            if (owner := open_kwargs.get("user")) is not None:
                shutil.chown(folder, owner)
                shutil.chown(script, owner)
            yield {**open_kwargs, "args": launch_arguments(self.shell, self.dialect, script)}
            with contextlib.suppress(OSError):
                self.failed_command = self._command_of(report.read_text("utf-8", "replace"))
        finally:
            # On Windows a process that outlives the run may hold the file; nothing is gained by failing for that.
            shutil.rmtree(folder, ignore_errors=True)

    def _encoded(self, text: str) -> bytes:
        # Windows PowerShell takes a file without a mark for the ANSI code page.
        encoding = "utf-8-sig" if self.dialect is Dialect.POWERSHELL else "utf-8"
        try:
            return text.encode(encoding, "surrogateescape")
        except UnicodeEncodeError as error:
            raise ShellOptionError(f"commands: {text[error.start]!a} is half a character. Remove it.") from None

    def _text(self, report: Path) -> str:
        if self.dialect is Dialect.POWERSHELL:
            return _powershell_text(self.commands, report if self.fail_fast else None)
        if self.dialect is Dialect.CMD:
            return "\r\n".join(["@echo off", *self.commands, ""])
        lines = list(self.commands)
        if self.fail_fast and self.dialect is Dialect.BASH:
            lines[0] = _bash_prologue(report) + lines[0]
        elif self.fail_fast:
            if all(self._is_complete(command) for command in lines):
                lines = [f"__prefect_step={n}; {command}" for n, command in enumerate(lines)]
            lines[0] = _posix_prologue(report) + lines[0]
        return "\n".join(lines) + "\n"

    def _is_complete(self, command: str) -> bool:
        """Say whether text may be put in front of what follows `command` without changing its meaning."""
        if "<<" in command or command.endswith("\\"):
            return False
        checked = subprocess.run(
            [self.shell, "-n"],
            input=command.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
        return checked.returncode == 0

    def _command_of(self, report: str) -> str | None:
        """Read `line N`, `step N` or `text …` as the script's prologue wrote it."""
        kind, _, value = report.strip().partition(" ")
        if kind == "text":
            return value
        if kind == "step" and value.isdigit() and int(value) < len(self.commands):
            return self.commands[int(value)]
        if kind == "line" and value.isdigit():
            before = 0
            for command in self.commands:
                lines = command.split("\n")
                if before < int(value) <= before + len(lines):
                    return lines[int(value) - before - 1].strip()
                before += len(lines)
        return None


@contextlib.contextmanager
def _told(what: str, path: Path | str) -> Generator[None]:
    """Name what could not be written, as on a full disk: the system's own message does not."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ShellStartError(
            f"The {what} could not be written to {str(path)!r}: {reason}. Make room there, or set TMPDIR."
        ) from error


def _bash_prologue(report: Path) -> str:
    """Stop at the first failure and write its line; an explicit `exit` has no line, but its text is known.

    It stands on the first command's own line, so that bash's messages count the lines as the user wrote them.
    """
    path = shlex.quote(str(report))
    # Subshells are left out: the shell that waits for one fails itself, or goes on. In a function or a sourced file the
    # outermost call counts, which is the line that the user wrote here.
    on_error = (
        "[ $BASH_SUBSHELL -ne 0 ] || { __n=${#BASH_LINENO[@]}; __l=$LINENO; "
        f'[ $__n -lt 2 ] || __l=${{BASH_LINENO[__n-2]}}; printf "line %s" "$__l" >{path}; }}'
    )
    on_exit = f'[ $? -eq 0 ] || [ -e {path} ] || printf "text %s" "$BASH_COMMAND" >{path}'
    return f"set -eE -o pipefail; trap {shlex.quote(on_error)} ERR; trap {shlex.quote(on_exit)} EXIT; "


def _posix_prologue(report: Path) -> str:
    """Stop at the first failure and write the number of the command; dash knows neither ERR nor a line in EXIT."""
    on_exit = f'[ $? -eq 0 ] || printf "step %s" "$__prefect_step" >{shlex.quote(str(report))}'
    # Older dash has no pipefail, and a failing `set` would end the script.
    pipefail = "if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi"
    return f"set -e; {pipefail}; trap {shlex.quote(on_exit)} EXIT; "


def _powershell_text(commands: Sequence[str], report: Path | None) -> str:
    """PowerShell ends with the exit code of the last program; with `report`, at the first failure.

    `ErrorActionPreference` covers cmdlets alone, so the exit code of programs is looked at after each command
    (https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_preference_variables).
    """
    if report is None:
        return "\r\n".join([*commands, "exit $LASTEXITCODE", ""])
    write = f"[IO.File]::WriteAllText('{str(report).replace(chr(39), chr(39) * 2)}', \"step $__prefect_step\")"
    trap = f"trap {{ {write}; [Console]::Error.WriteLine($_); exit 1 }}"
    lines = [f"$ErrorActionPreference = 'Stop'; $global:LASTEXITCODE = 0; {trap}"]
    for number, command in enumerate(commands):
        lines.append(f"$__prefect_step = {number}")
        lines.append(command)
        lines.append(f"if ($LASTEXITCODE) {{ {write}; exit $LASTEXITCODE }}")
    return "\r\n".join([*lines, "exit 0", ""])


def script_lines(commands: Sequence[str]) -> str:
    """Join the commands to one text, for messages."""
    return ("\r\n" if WINDOWS else "\n").join(commands)
