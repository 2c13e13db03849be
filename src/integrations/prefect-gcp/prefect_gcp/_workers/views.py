"""Jobs, executions and tasks of Cloud Run as its workers see them, whichever version of the API describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class ExecutionRef:
    """What a job says of the execution that was created last."""

    name: str
    """As the API takes it: short in version 1, full in version 2."""

    is_ended: bool = False
    succeeded: bool = False
    ended_at: datetime | None = None
    is_clear: bool = True
    """Whether the job says if it goes on."""

    @property
    def short_name(self) -> str:
        """Name without its parents."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class JobView:
    """A job."""

    name: str
    """Without its parents."""

    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime | None = None
    is_ready: bool = False
    failure: str = ""
    """Why it cannot be made ready."""

    etag: str = ""
    execution: ExecutionRef | None = None


@dataclass(frozen=True)
class ExecutionView:
    """An execution."""

    name: str
    is_ended: bool
    succeeded: bool
    is_cancelled: bool
    message: str
    log_uri: str
    ended_at: datetime | None
    task_count: int = 1


@dataclass(frozen=True)
class TaskView:
    """A task of an execution."""

    index: int
    is_failed: bool
    exit_code: int | None = None
    signal: int | None = None
    message: str = ""
    retried: int = 0


def moment(text: object) -> datetime | None:
    """Read a time as Google writes it; `None` when there is none. Digits below a microsecond are dropped."""
    if not text:
        return None
    from dateutil.parser import isoparse  # comes with Prefect; Python 3.10 itself cannot read nine digits

    try:
        return isoparse(str(text))
    except ValueError:
        return None
