"""Run shell commands from Prefect flows."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

from .commands import ShellOperation, ShellProcess
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

if TYPE_CHECKING:
    from .commands import run_args, shell_run_command

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

__getattr__, __dir__ = late_names(
    __name__,
    {
        "run_args": ".commands",
        "shell_run_command": ".commands",
    },
)
