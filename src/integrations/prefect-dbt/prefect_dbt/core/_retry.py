"""Remember what failed, so that a Prefect retry runs only that: `dbt retry`, which needs the results of the run before.

The results lie in a folder of the target path, by the run and by what it asked of dbt. So several invocations of one
flow do not disturb each other, and a retry in another process finds them if it sees the same disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._command_line import command_of
from ._scope import RunScope

RETRYABLE = frozenset(
    {"build", "clone", "compile", "docs generate", "run", "run-operation", "seed", "snapshot", "test"}
)
"""Commands whose results `dbt retry` can go on from: https://docs.getdbt.com/reference/commands/retry."""

FOLDER = "prefect_retry"
RESULTS = "run_results.json"

_KEPT_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class RetryMemory:
    """Where the results of one invocation of one run lie if it failed."""

    folder: Path

    @classmethod
    def of(cls, scope: RunScope, target: Path, args: Sequence[str], kwargs: Mapping[str, Any]) -> RetryMemory | None:
        """Find the place of an invocation; `None` outside of a run, or if dbt cannot retry the command.

        Args:
            scope: Who invokes dbt. All attempts of a flow run, and of a task run, are one run.
            target: The folder of dbt's artifacts.
            args: The arguments.
            kwargs: Keyword arguments of `invoke`.
        """
        run = scope.flow_run_id or scope.task_run_id
        if run is None or command_of(args) not in RETRYABLE:
            return None
        asked = json.dumps([str(run), list(args), sorted(kwargs.items())], default=str)
        return cls(target / FOLDER / hashlib.sha256(asked.encode()).hexdigest()[:24])

    @property
    def has_failure(self) -> bool:
        """Whether the last attempt failed and left results."""
        return (self.folder / RESULTS).is_file()

    def keep(self, results: Path, *, since: float) -> None:
        """Keep the results of an attempt that failed.

        Args:
            results: The `run_results.json` that dbt wrote.
            since: When the attempt began, in seconds since the epoch; an older file is not of that attempt.
        """
        if not results.is_file() or results.stat().st_mtime < since - 1:
            return
        _sweep(self.folder.parent)
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{RESULTS}.part"
        shutil.copyfile(results, part)
        part.replace(self.folder / RESULTS)

    def forget(self) -> None:
        """Remove what is kept, as the run has succeeded or must begin anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()


def _sweep(folder: Path) -> None:
    """Remove what runs left behind that were never retried."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if time.time() - entry.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(entry, ignore_errors=True)
