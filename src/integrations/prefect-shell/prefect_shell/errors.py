"""What can go wrong when a command runs.

```text
ShellError
├── ShellOptionError        (ValueError)          an option that cannot work, named with its value
├── ShellStartError         (OSError)             the operating system refused to start the program
│   ├── ShellNotFound       (FileNotFoundError)   no such shell or program
│   └── ShellNotExecutable  (PermissionError)     it is there and may not be executed
├── WorkingDirectoryError   (FileNotFoundError,   the working directory is missing or is a file
│                            NotADirectoryError)
├── ShellCommandFailed      (RuntimeError)        the command ended with an exit code that is no success
└── ShellTimeout            (TimeoutError)        the command was ended because its time was up
```

Every class also is the builtin error named beside it. All survive pickling, and none holds a value of `secret_env`.
"""

from __future__ import annotations

__all__ = [
    "ShellCommandFailed",
    "ShellError",
    "ShellNotExecutable",
    "ShellNotFound",
    "ShellOptionError",
    "ShellStartError",
    "ShellTimeout",
    "WorkingDirectoryError",
]


class ShellError(Exception):
    """Base of all errors of this package."""


class ShellOptionError(ShellError, ValueError):
    """An option has a value that cannot work, or two options exclude each other."""


class ShellStartError(ShellError, OSError):
    """The operating system did not start the program."""


class ShellNotFound(ShellStartError, FileNotFoundError):
    """The shell or program does not exist."""


class ShellNotExecutable(ShellStartError, PermissionError):
    """The shell or program exists and may not be executed."""


class WorkingDirectoryError(ShellError, FileNotFoundError, NotADirectoryError):
    """The working directory does not exist or is not a directory."""


class ShellCommandFailed(ShellError, RuntimeError):
    """The command ended with an exit code that is not one of `success_exit_codes`.

    Args:
        message: What is shown.
        exit_code: The exit code; `-N` when signal number N ended the process (POSIX).
        stderr_tail: The last lines of standard error, at most 8 KiB, with secret values masked.
        command: The command that failed. With `fail_fast` it is the one that stopped the run, else the whole text,
            shortened to 500 characters; secret values are masked.
    """

    def __init__(
        self,
        message: str,
        *,
        exit_code: int | None = None,
        stderr_tail: str = "",
        command: str | None = None,
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail
        self.command = command


class ShellTimeout(ShellError, TimeoutError):
    """The command did not end within `timeout_seconds`; it and what it started were ended.

    Args:
        message: What is shown.
        timeout_seconds: The limit that was exceeded.
        stderr_tail: The last lines of standard error, at most 8 KiB, with secret values masked.
        command: The command, shortened to 500 characters; secret values are masked.
    """

    def __init__(
        self,
        message: str,
        *,
        timeout_seconds: float | None = None,
        stderr_tail: str = "",
        command: str | None = None,
    ) -> None:
        super().__init__(message)
        self.timeout_seconds = timeout_seconds
        self.stderr_tail = stderr_tail
        self.command = command
