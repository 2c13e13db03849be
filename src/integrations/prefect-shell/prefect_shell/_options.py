"""What the options of a command may be. Blocks and tasks are held to the same checks.

Each check raises `ShellOptionError` with the option's name, its value and the remedy.
"""

from __future__ import annotations

import codecs
import inspect
import logging
import math
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from prefect_shell.errors import ShellOptionError, WorkingDirectoryError

_LABEL = "stream output"


def _check_texts(name: str, value: Sequence[str], *, may_be_blank: bool) -> None:
    if isinstance(value, str):
        raise ShellOptionError(f"{name}: {value!r} is one text. Give a list of texts.")
    if not may_be_blank and not any(text.strip() for text in value):
        raise ShellOptionError(f"{name}: there is nothing to run in {list(value)!r}. Give at least one command.")
    if any("\0" in text for text in value):
        raise ShellOptionError(f"{name}: a NUL character cannot be part of a command. Remove it.")


def check_commands(value: Sequence[str]) -> None:
    """Refuse commands with nothing to run."""
    if value:
        _check_texts("commands", value, may_be_blank=False)


def check_args(value: Sequence[str] | None) -> None:
    """Refuse an argument list without a program."""
    if value is None:
        return
    _check_texts("args", value, may_be_blank=True)
    if not value or not value[0].strip():
        raise ShellOptionError(f"args: {list(value)!r} names no program. Put the program first.")


def check_environment(name: str) -> Callable[[Mapping[str, str | SecretStr]], None]:
    """Make a check of variable names and values; a value is never shown."""

    def check(value: Mapping[str, str | SecretStr]) -> None:
        for variable, content in value.items():
            if not variable or "=" in variable or "\0" in variable:
                raise ShellOptionError(
                    f"{name}: {variable!r} cannot name an environment variable. Leave out '=' and NUL characters."
                )
            plain = content.get_secret_value() if isinstance(content, SecretStr) else content
            if not isinstance(plain, str):
                raise ShellOptionError(f"{name}: the value of {variable} is of type {type(plain).__name__}. Give text.")
            if "\0" in plain:
                raise ShellOptionError(f"{name}: the value of {variable} holds a NUL character. Remove it.")

    return check


def check_extension(value: str | None) -> None:
    """Refuse an extension that would leave the folder of the script. One without a dot gets it: blocks have such."""
    if value is None:
        return
    if value == "." or "/" in value or "\\" in value or "\0" in value:
        raise ShellOptionError(f"extension: {value!r} is none. Give only an extension, such as '.sh'.")


def check_shell(value: str | None) -> None:
    """Refuse a shell without a name."""
    if value is not None and (not value.strip() or "\0" in value):
        raise ShellOptionError(f"shell: {value!r} names no program. Give a name or path, or leave it unset.")


def check_encoding(value: str) -> None:
    """Refuse an encoding that Python does not know, or that is none of text."""
    try:
        info = codecs.lookup(value)
    except (LookupError, ValueError):
        info = None
    # `_is_text_encoding` is how Python itself tells hex or zlib from text (bytes.decode).
    if info is None or not getattr(info, "_is_text_encoding", True):
        raise ShellOptionError(f"encoding: {value!r} is no text encoding. Use 'utf-8', or another that Python lists.")


def check_errors(value: str) -> None:
    """Refuse an error handler that Python does not know."""
    try:
        codecs.lookup_error(value)
    except LookupError:
        raise ShellOptionError(
            f"errors: {value!r} is no decoding error handler. Use 'replace', 'backslashreplace', 'ignore' or 'strict'."
        ) from None


def check_log_prefix(value: str | None) -> None:
    """Refuse a prefix with an unknown placeholder."""
    if value is None:
        return
    try:
        format_prefix(value, 1, "stdout")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ShellOptionError(
            f"log_prefix: {value!r} cannot be filled in ({error}). "
            "Use {pid}, {label} and {stream}; double other braces."
        ) from None


def format_prefix(prefix: str | None, pid: int, stream: str) -> str:
    """Fill in what stands before each logged piece of output."""
    return (prefix or "").format(pid=pid, label=_LABEL, stream=stream)


def check_level(name: str) -> Callable[[int | None], None]:
    """Make a check of a logging level."""

    def check(value: int | None) -> None:
        if value is None and name == "stderr_level":
            return
        if not isinstance(value, int) or isinstance(value, bool) or value < logging.NOTSET:
            raise ShellOptionError(f"{name}: {value!r} is no logging level. Use a number, such as logging.INFO.")

    return check


def check_seconds(name: str, *, least: float, exclusive: bool) -> Callable[[float | None], None]:
    """Make a check of a duration."""

    def check(value: float | None) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ShellOptionError(f"{name}: {value!r} is no number of seconds.")
        if value < least or (exclusive and value == least):
            bound = "more than" if exclusive else "at least"
            raise ShellOptionError(f"{name}: {value!r} is too small. Give {bound} {least:g} seconds.")

    return check


def check_max_captured_bytes(value: int | None) -> None:
    """Refuse a bound that keeps nothing."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ShellOptionError(
            f"max_captured_bytes: {value!r} keeps nothing. Give at least 1, or set capture_output to False."
        )


def check_success_exit_codes(value: Sequence[int]) -> None:
    """Refuse a list by which no command succeeds."""
    if not value or any(not isinstance(code, int) or isinstance(code, bool) for code in value):
        raise ShellOptionError(f"success_exit_codes: {value!r} is no list of exit codes. Use [0], or [0, 1].")


CHECKS: dict[str, Callable[[Any], None]] = {
    "commands": check_commands,
    "args": check_args,
    "env": check_environment("env"),
    "secret_env": check_environment("secret_env"),
    "shell": check_shell,
    "extension": check_extension,
    "encoding": check_encoding,
    "errors": check_errors,
    "log_prefix": check_log_prefix,
    "stream_level": check_level("stream_level"),
    "stderr_level": check_level("stderr_level"),
    "timeout_seconds": check_seconds("timeout_seconds", least=0, exclusive=True),
    "terminate_grace_seconds": check_seconds("terminate_grace_seconds", least=0, exclusive=False),
    "interrupt_grace_seconds": check_seconds("interrupt_grace_seconds", least=0, exclusive=False),
    "max_captured_bytes": check_max_captured_bytes,
    "success_exit_codes": check_success_exit_codes,
}


def check_together(commands: Sequence[str], args: Sequence[str] | None, *, fail_fast: bool) -> None:
    """Refuse options that exclude each other."""
    if args is not None and commands:
        raise ShellOptionError(
            "commands: cannot be given together with args. Use args for one program without a shell."
        )
    if args is None and not commands:
        raise ShellOptionError("commands: there is nothing to run. Give at least one command, or args.")
    if args is not None and fail_fast:
        raise ShellOptionError("fail_fast: has no meaning with args, which is one program. Leave it off.")


def check_directory(name: str, path: Path) -> None:
    """Refuse a working directory that is none.

    Raises:
        WorkingDirectoryError: Naming the option, the path and the remedy.
    """
    if not path.exists():
        raise WorkingDirectoryError(f"{name}: {str(path)!r} does not exist. Create it first.")
    if not path.is_dir():
        raise WorkingDirectoryError(f"{name}: {str(path)!r} is not a directory. Name the directory.")


_POPEN_ARGUMENTS = frozenset(inspect.signature(subprocess.Popen.__init__).parameters) - {"self"}

_OURS = {
    "args": "Use the option `args`.",
    "executable": "Use the option `shell`.",
    "shell": "Use the option `shell`.",
    "bufsize": "Output is read as it comes.",
    "text": "Output is always decoded, as the option `encoding` says.",
    "universal_newlines": "Output is always decoded, as the option `encoding` says.",
    "encoding": "Use the option `encoding`.",
    "errors": "Use the option `errors`.",
    "start_new_session": "The command always gets a session of its own, so that all of it can be ended.",
    "process_group": "The command always gets a process group of its own, so that all of it can be ended.",
}

# What some of them may say all the same: how it is anyway.
_AS_IT_IS: Mapping[str, tuple[Any, ...]] = {
    "shell": (False,),
    "bufsize": (-1, 0, 1),
    "text": (False, None),
    "universal_newlines": (False, None),
    "encoding": (None,),
    "errors": (None,),
    "start_new_session": (True,),
}


def popen_arguments(
    open_kwargs: Mapping[str, Any], *, env: Mapping[str, str], cwd: Path | None, has_stdin: bool
) -> dict[str, Any]:
    """Merge what the caller wants of `subprocess.Popen` with what the command says.

    Args:
        open_kwargs: The caller's arguments; `env` is merged over the command's, `cwd` replaces the command's.
        env: The command's complete environment.
        cwd: The command's working directory.
        has_stdin: Whether the command has text for standard input.

    Raises:
        ShellOptionError: If an argument does not exist, or is not the caller's to set.
        WorkingDirectoryError: If `cwd` is no directory.
    """
    for name, value in open_kwargs.items():
        if name in _OURS and value not in _AS_IT_IS.get(name, ()):
            raise ShellOptionError(f"{name}: cannot be set here. {_OURS[name]}")
        if name not in _POPEN_ARGUMENTS:
            raise ShellOptionError(f"{name}: is no argument of subprocess.Popen. Remove it.")
    arguments = {name: value for name, value in open_kwargs.items() if name not in _OURS}
    if arguments.get("stdin") == subprocess.PIPE:
        raise ShellOptionError("stdin: nobody would write to the pipe. Give the text by the option `stdin`.")
    if has_stdin and arguments.get("stdin") is not None:
        raise ShellOptionError("stdin: is set as an option already. Give one of the two.")
    extra: Mapping[str, str] = arguments.pop("env", None) or {}
    check_environment("env")(extra)
    directory = arguments.pop("cwd", None)
    where = cwd if directory is None else Path(os.fsdecode(directory))
    if where is not None:
        check_directory("cwd" if directory is not None else "working_dir", where)
    return {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        # Nothing to read, rather than the terminal of the process that runs the flow.
        "stdin": subprocess.PIPE if has_stdin else subprocess.DEVNULL,
        **arguments,
        "env": {**env, **extra},
        "cwd": where,
    }
