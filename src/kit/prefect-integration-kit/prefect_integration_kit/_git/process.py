"""Run git: no prompt, no terminal, one process group, which ends when time is up or nobody waits any more."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from prefect_integration_kit.redact import Redactor

from .carrier import Carried
from .errors import GitError, GitNotInstalled, GitTimeout
from .failures import Meaning, meaning_of
from .values import without_userinfo

_SLICE_SECONDS = 0.1
_GRACE_SECONDS = 3.0
_LEFTOVER_SECONDS = 1.0
_KEPT_BYTES = 64 * 1024
_LISTING_BYTES = 64 * 1024 * 1024

# What ties a process to a repository of somebody else, as in a hook: `git rev-parse --local-env-vars`.
_LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_TEMPLATE_DIR",
)  # fmt: skip

# A connection without a byte in five minutes is dead. Servers say something every few seconds, even while they count.
_STALL = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "300"}

_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "GIT_TRACE_REDACT": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",  # what is in LFS is fetched at once, afterwards
    "LC_ALL": "C",  # its messages are read
    "LANGUAGE": "",
}


class Stopped(GitError):
    """Nobody waits for the result any more."""


class GitFailed(Exception):
    """A git process ended with an error, which is translated before users see it.

    Attributes:
        code: How it ended; negative for a signal.
        text: What it said, without secrets.
        meaning: What that means. It was looked up before secrets were taken out: one that is short, such as `re`,
            takes parts of other words along.
    """

    def __init__(self, code: int, text: str, meaning: Meaning) -> None:
        super().__init__(code, text, meaning)
        self.code = code
        self.text = text
        self.meaning = meaning


def environment(env: Mapping[str, str] | None = None, *, without: Iterable[str] = ()) -> dict[str, str]:
    """Make the environment of git: that of this process, but for what would make it ask or work elsewhere.

    Args:
        env: Further variables.
        without: Further ones to leave out.
    """
    left_out = {*_LOCAL, *without}
    base = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**_STALL, **base, **_QUIET, **(env or {})}


class Limit:
    """When a pull must end: time is up, or nobody waits any more."""

    def __init__(self, timeout_seconds: float | None = None, stop: threading.Event | None = None) -> None:
        """Start the time.

        Args:
            timeout_seconds: How long it may take; `None` for no end.
            stop: Set when nobody waits any more.
        """
        self.stop = stop
        self._timeout_seconds = timeout_seconds
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds

    def check(self) -> None:
        """Raise if it must end.

        Raises:
            GitTimeout: If time is up.
            Stopped: If nobody waits.
        """
        if self.stop is not None and self.stop.is_set():
            raise Stopped("The pull was stopped.")
        if self.left_seconds() <= 0:
            raise GitTimeout(
                f"git did not finish within {self._timeout_seconds:g} seconds and was ended. "
                "Raise timeout_seconds, or pull less: a smaller depth, only some directories."
            )

    def left_seconds(self) -> float:
        """Seconds that are left."""
        return float("inf") if self._deadline is None else self._deadline - time.monotonic()


@dataclass
class Git:
    """Runs git for one pull.

    Attributes:
        carried: The configuration that every process gets.
        env: Its environment.
        redactor: Hides secrets in what git says.
        limit: When to end.
    """

    carried: Carried
    env: dict[str, str] = field(repr=False)
    redactor: Redactor = field(repr=False)
    limit: Limit

    def run(self, *arguments: str, folder: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run a command to its end.

        Args:
            arguments: The command and its arguments.
            folder: Where to run it; the working directory if not given.
            env: Further variables.

        Returns:
            Its standard output.

        Raises:
            GitFailed: If it ends with an error.
            GitTimeout: If the deadline passes.
            GitNotInstalled: If there is no `git`.
        """
        code, output, errors = self._run(arguments, folder, env)
        if code:
            said = (errors or output).decode("utf-8", "replace")
            raise GitFailed(code, self.clean(said), meaning_of(said, code))
        return output.decode("utf-8", "surrogateescape")

    def look_for(self, pattern: re.Pattern[str], *arguments: str, env: Mapping[str, str]) -> list[str]:
        """Run a command, whatever comes of it, and find something in what it says on standard error.

        Returns:
            What the pattern found, as git said it: secrets may be in it.
        """
        _, _, errors = self._run(arguments, None, env)
        return pattern.findall(errors.decode("utf-8", "replace"))

    def clean(self, text: str) -> str:
        """Take secrets out of what a process said."""
        return without_userinfo(self.redactor.redact(text))

    def _run(
        self, arguments: tuple[str, ...], folder: Path | None, env: Mapping[str, str] | None
    ) -> tuple[int, bytes, bytes]:
        self.limit.check()
        program = shutil.which("git")
        if program is None:
            raise GitNotInstalled("There is no program 'git' on PATH. Install git where the flow's code is pulled.")
        command = [program, *self.carried.arguments, *arguments]
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**self.env, **self.carried.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=self.carried.descriptors,
                # A session of its own has no terminal, so that nothing below git can ask on one.
                start_new_session=True,
                # Python ignores SIGXFSZ, and so does git then: at a limit (`ulimit -f`) it says what is wrong instead
                # of dying without a word. SIGPIPE, which Python ignores as well, git sets back by itself.
                restore_signals=False,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as exc:
            raise GitError(f"git could not be started: {exc.strerror or exc}.") from exc
        with process:
            output, errors = _Reader(process.stdout, _LISTING_BYTES), _Reader(process.stderr, _KEPT_BYTES)
            try:
                code = self._wait(process, output, errors)
            except BaseException:
                _end_group(process)
                raise
            finally:
                output.finish()
                errors.finish()
        return code, output.content(), errors.content()

    def _wait(self, process: subprocess.Popen[bytes], *readers: _Reader) -> int:
        """Wait for the end.

        Python waits for a process by looking again and again, ever more seldom. What reads its pipes wakes when it
        ends, unless something that it leaves behind keeps them open.
        """
        while (code := process.poll()) is None:
            self.limit.check()
            seconds = max(0.0, min(_SLICE_SECONDS, self.limit.left_seconds()))
            reading = next((reader for reader in readers if reader.is_reading), None)
            if reading is not None:
                reading.finish(seconds)
                continue
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        return code


class _Reader:
    """Drains a pipe in a thread, and keeps the end of what came."""

    def __init__(self, pipe: IO[bytes] | None, keep_bytes: int) -> None:
        self._pipe = pipe
        self._keep = keep_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._thread = threading.Thread(target=self._drain, name="git-output", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            while self._pipe is not None and (part := os.read(self._pipe.fileno(), 65536)):
                self._parts.append(part)
                self._size += len(part)
                while self._size > self._keep and len(self._parts) > 1:
                    self._size -= len(self._parts.pop(0))

    @property
    def is_reading(self) -> bool:
        return self._thread.is_alive()

    def finish(self, seconds: float = _LEFTOVER_SECONDS) -> None:
        # What git leaves running in the background, such as a shared connection of ssh, keeps the pipe open.
        self._thread.join(seconds)

    def content(self) -> bytes:
        return b"".join(self._parts)[-self._keep :]


if sys.platform == "win32":

    def _end_group(process: subprocess.Popen[bytes]) -> None:
        command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)
        process.wait()

else:

    def _end_group(process: subprocess.Popen[bytes]) -> None:
        """End git and all that it started: politely, so that it removes its temporary files, then at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
            give_up = time.monotonic() + _GRACE_SECONDS
            while time.monotonic() < give_up:
                process.poll()  # one that has ended counts until it is asked for
                os.killpg(process.pid, 0)
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
