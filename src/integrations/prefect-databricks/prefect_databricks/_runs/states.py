"""What the API says of a run's state, in either of its two ways, and nothing that asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

TERMINATED, SKIPPED, INTERNAL_ERROR = "TERMINATED", "SKIPPED", "INTERNAL_ERROR"
ENDED = (TERMINATED, SKIPPED, INTERNAL_ERROR)
"""Life cycle states of runs that have ended."""

_GOOD = frozenset({"SUCCESS", "EXCLUDED"})
_NOT_RUN = frozenset({"UPSTREAM_FAILED", "UPSTREAM_CANCELED", "SKIPPED", "DISABLED"})
# https://docs.databricks.com/api/workspace/jobs/getrun, `status.termination_details.code`
_SKIPPING = frozenset({"SKIPPED", "MAX_CONCURRENT_RUNS_EXCEEDED", "MAX_JOB_QUEUE_SIZE_EXCEEDED", "DISABLED"})
_RESULTS = {"USER_CANCELED": "CANCELED", "CANCELED": "CANCELED", "SUCCESS_WITH_FAILURES": "SUCCESS_WITH_FAILURES"}
_WITHOUT_QUESTION = frozenset({"SUCCESS", ""})


@dataclass(frozen=True)
class State:
    """Where a run, or one of its tasks, stands.

    Attributes:
        life_cycle: Such as `RUNNING`; empty where nothing is said.
        result: How it ended, such as `FAILED`; empty while it has not.
        message: What Databricks says of it.
        code: Databricks's name for the cause, such as `DRIVER_ERROR`; empty where there is none.
    """

    life_cycle: str
    result: str
    message: str
    code: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.life_cycle in ENDED

    @property
    def is_success(self) -> bool:
        """Whether all went well."""
        return self.life_cycle == TERMINATED and self.result in _GOOD

    @property
    def has_not_run(self) -> bool:
        """Whether a task was left out because of others."""
        return self.has_ended and (self.result in _NOT_RUN or self.life_cycle == SKIPPED)

    @property
    def name(self) -> str:
        """How it ended, else where it stands, for a message."""
        return self.result or self.life_cycle or "unknown"


def state_of(thing: Mapping[str, Any]) -> State:
    """Read the state of a run or of a task: `state` (API 2.1), else `status` (API 2.2).

    Args:
        thing: The run, or a member of its `tasks`.
    """
    status = _dict(thing.get("status"))
    details = _dict(status.get("termination_details"))
    code = _text(details.get("code"))
    code = "" if code in _WITHOUT_QUESTION else code
    state = _dict(thing.get("state"))
    if life_cycle := _text(state.get("life_cycle_state")):
        said = _text(state.get("state_message")) or _text(details.get("message"))
        return State(life_cycle, _text(state.get("result_state")), said, code)
    life_cycle = _text(status.get("state"))
    if life_cycle != TERMINATED:
        return State(life_cycle, "", "")
    message = _text(details.get("message"))
    if code in _SKIPPING:
        return State(SKIPPED, "", message, code)
    if _text(details.get("type")) == INTERNAL_ERROR or code == INTERNAL_ERROR:
        return State(INTERNAL_ERROR, "FAILED", message, code)
    if not code:  # success only where Databricks says so
        return State(TERMINATED, "SUCCESS" if details.get("code") == "SUCCESS" else "", message)
    return State(TERMINATED, _RESULTS.get(code, "FAILED"), message, code)


def latest_tasks(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the last attempt of each task, in the order in which they started.

    After a repair or a retry, a run has several tasks of one key, in no order.

    Args:
        run: The run.
    """
    latest: dict[str, dict[str, Any]] = {}
    tasks = dicts_in(run.get("tasks"))
    for task in sorted(tasks, key=lambda task: (_number(task.get("attempt_number")), _number(task.get("start_time")))):
        latest[_text(task.get("task_key"))] = task
    return sorted(latest.values(), key=lambda task: (_number(task.get("start_time")), _text(task.get("task_key"))))


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def dicts_in(value: Any) -> list[dict[str, Any]]:
    """Give the members of a list that are dictionaries."""
    found: Sequence[Any] = cast("Sequence[Any]", value) if isinstance(value, list) else ()
    return [cast("dict[str, Any]", each) for each in found if isinstance(each, dict)]
