"""Programs of tasks: commands, and notebooks of the workspace, in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SHIM = """\
import json, os, sys, types
_arguments = json.loads(os.environ["DATABRICKS_NOTEBOOK_ARGUMENTS"])
class _Exit(BaseException):
    pass
def _get(name):
    if name not in _arguments:
        raise KeyError(f"No input widget named {name} is defined")
    return _arguments[name]
def _exit(value):
    with open(os.environ["DATABRICKS_NOTEBOOK_RESULT"], "w", encoding="utf-8") as file:
        file.write(str(value))
    raise _Exit
def _default(name, value, *_):
    _arguments.setdefault(name, value)
widgets = types.SimpleNamespace(get=_get, text=_default, getAll=lambda: dict(_arguments))
notebook = types.SimpleNamespace(exit=_exit)
dbutils = types.SimpleNamespace(widgets=widgets, notebook=notebook)
sys.argv = [sys.argv[1], *sys.argv[2:]]
try:
    _code = compile(os.environ["DATABRICKS_NOTEBOOK_SOURCE"], sys.argv[0], "exec")
    exec(_code, {"__name__": "__main__", "dbutils": dbutils})
except _Exit:
    pass
"""


@dataclass(frozen=True)
class Outcome:
    """How a program ended."""

    exit_code: int
    logs: str
    errors: str
    result: str


class Program:
    """A process, with a thread that waits for its end."""

    def __init__(self, argv: tuple[str, ...], env: Mapping[str, str], ended: Callable[[Outcome], None]) -> None:
        """Start it.

        Args:
            argv: Program and arguments.
            env: Variables to add to this process's environment.
            ended: Is told how it ended, in another thread.
        """
        handle, name = tempfile.mkstemp(prefix="notebook-result-")
        os.close(handle)
        self._result = Path(name)
        self._ended = ended
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **env, "DATABRICKS_NOTEBOOK_RESULT": name},
            start_new_session=True,
        )
        threading.Thread(target=self._wait, name="databricks-task", daemon=True).start()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def _wait(self) -> None:
        out, err = self._process.communicate()
        result = self._result.read_text("utf-8")
        self._result.unlink(missing_ok=True)
        code = self._process.returncode
        self._ended(Outcome(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), result))

    def kill(self) -> None:
        """End it with its children, at once."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def python_program(
    path: str, source: str, arguments: Mapping[str, Any], parameters: list[str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Give command and environment of Python code that knows `dbutils`.

    Args:
        path: Its place in the workspace, the name of the program.
        source: The code.
        arguments: What `dbutils.widgets.get` finds.
        parameters: What stands in `sys.argv`.
    """
    env = {"DATABRICKS_NOTEBOOK_ARGUMENTS": json.dumps(dict(arguments)), "DATABRICKS_NOTEBOOK_SOURCE": source}
    return (sys.executable, "-c", _SHIM, path, *parameters), env
