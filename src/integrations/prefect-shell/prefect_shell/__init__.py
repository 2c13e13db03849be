"""Run shell commands from Prefect flows."""

from importlib.metadata import version

from .commands import ShellOperation, ShellProcess, run_args, shell_run_command
from .errors import (
    ShellCommandFailed,
    ShellError,
    ShellNotExecutable,
    ShellNotFound,
    ShellOptionError,
    ShellStartError,
    ShellTimeout,
    WorkingDirectoryError,
)
from .quoting import join, quote

__version__ = version("prefect-shell")

__all__ = [
    "ShellCommandFailed",
    "ShellError",
    "ShellNotExecutable",
    "ShellNotFound",
    "ShellOperation",
    "ShellOptionError",
    "ShellProcess",
    "ShellStartError",
    "ShellTimeout",
    "WorkingDirectoryError",
    "__version__",
    "join",
    "quote",
    "run_args",
    "shell_run_command",
]
