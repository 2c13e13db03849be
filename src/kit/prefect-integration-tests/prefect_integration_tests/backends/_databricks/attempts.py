"""One attempt of one task: when it starts, how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .calls import Json
from .plays import TaskPlay
from .programs import Outcome, Program

FAILED_MESSAGE = "Workload failed, see run output for details"
_CODES = {
    "SUCCESS": "SUCCESS",
    "FAILED": "RUN_EXECUTION_ERROR",
    "TIMEDOUT": "RUN_EXECUTION_ERROR",
    "CANCELED": "USER_CANCELED",
    "UPSTREAM_FAILED": "SKIPPED",
    "UPSTREAM_CANCELED": "SKIPPED",
    "EXCLUDED": "SKIPPED",
    "SKIPPED": "SKIPPED",
    "INTERNAL_ERROR": "INTERNAL_ERROR",
}
_TYPES = {"SUCCESS": "SUCCESS", "SKIPPED": "SUCCESS", "INTERNAL_ERROR": "INTERNAL_ERROR"}
_MESSAGES = {
    "FAILED": FAILED_MESSAGE,
    "TIMEDOUT": "Run timed out.",
    "CANCELED": "Run cancelled.",
    "UPSTREAM_FAILED": "An upstream task failed.",
    "UPSTREAM_CANCELED": "An upstream task was canceled.",
    "EXCLUDED": "The condition of this task was not met.",
}


@dataclass
class Attempt:
    """An attempt, as it goes on."""

    spec: Json
    run_id: int
    created: float
    play: TaskPlay
    number: int = 0
    started: float | None = None
    ended: float | None = None
    result: str = ""
    message: str = ""
    stopped: float | None = None
    """When it was told to stop."""

    program: Program | None = field(default=None, repr=False)
    outcome: Outcome | None = None

    @property
    def key(self) -> str:
        """Key of the task."""
        return self.spec["task_key"]

    @property
    def has_failed(self) -> bool:
        """Whether it has ended otherwise than well."""
        return self.ended is not None and self.result not in ("SUCCESS", "EXCLUDED")

    def end(self, moment: float, result: str, message: str = "") -> None:
        """Let it end."""
        if self.ended is not None:
            return
        self.ended, self.result = moment, result
        self.message = message or _MESSAGES.get(result, "")
        if self.program is not None:
            self.program.kill()

    def exited(self, outcome: Outcome, moment: float) -> None:
        """Take up how its program ended."""
        if self.ended is not None:
            return
        self.outcome = outcome
        if self.stopped is None:  # else it was killed, and ends when the cancelling does
            self.end(moment, "SUCCESS" if outcome.exit_code == 0 else "FAILED")

    @property
    def life_cycle(self) -> str:
        """Its state in API 2.1."""
        if self.ended is not None:
            return self.result if self.result in ("SKIPPED", "INTERNAL_ERROR") else "TERMINATED"
        if self.stopped is not None:
            return "TERMINATING"
        return "PENDING" if self.started is None else "RUNNING"

    @property
    def states(self) -> tuple[Json, Json]:
        """Its state as API 2.1 tells it, and its status as API 2.2 does."""
        return states(self.life_cycle, self.result, self.message, self.play.code)

    def view(self, endpoint: str, is_blocked: bool) -> Json:
        """Give what the API shows, with state and status."""
        state, status = states("BLOCKED", "", "") if is_blocked and self.ended is None else self.states
        return {
            **self.spec,
            "run_id": self.run_id,
            "attempt_number": self.number,
            "run_page_url": f"{endpoint}/?o=1#job/run/{self.run_id}",
            "start_time": int((self.created if self.started is None else self.started) * 1000),
            "end_time": 0 if self.ended is None else int(self.ended * 1000),
            "setup_duration": int(self.play.pending_seconds * 1000),
            "execution_duration": int(((self.ended or self.created) - (self.started or self.created)) * 1000),
            "cleanup_duration": 0,
            "state": state,
            "status": status,
        }

    def output(self) -> Json:
        """Give what the API shows of its output, by the kind of the task."""
        play, outcome = self.play, self.outcome
        if self.ended is None:
            return {}
        shown: Json = {}
        text = outcome.result if outcome else play.output
        logs = outcome.logs if outcome else play.logs
        if "notebook_task" in self.spec:
            ended_well = self.result == "SUCCESS"
            exited: Json = {"result": text} if ended_well and text else {}
            shown["notebook_output"] = {**exited, "truncated": play.is_truncated}
        elif "dbt_task" in self.spec:
            shown["dbt_output"] = {"artifacts_link": "https://dbt.example.com/artifacts.tgz", "artifacts_headers": {}}
        elif "sql_task" in self.spec:
            shown["sql_output"] = {"query_output": {"query_text": "SELECT 1", "output_link": "https://sql.example.com"}}
        if logs or "spark_python_task" in self.spec:
            shown |= {"logs": logs, "logs_truncated": play.is_truncated}
        if self.has_failed and self.result == "FAILED":
            trace = outcome.errors if outcome else play.error_trace
            last = trace.strip().splitlines()[-1:] or [FAILED_MESSAGE]
            shown |= {"error": play.error or last[0], "error_trace": trace}
        return shown


def states(life_cycle: str, result: str, message: str, code: str = "") -> tuple[Json, Json]:
    """Write a state as API 2.1 does, and the status of API 2.2."""
    state: Json = {"life_cycle_state": life_cycle, "state_message": message, "user_cancelled_or_timedout": False}
    if life_cycle in ("TERMINATED", "INTERNAL_ERROR"):
        state["result_state"] = "FAILED" if result == "INTERNAL_ERROR" else result
        state["user_cancelled_or_timedout"] = result in ("CANCELED", "TIMEDOUT")
    has_ended = life_cycle in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
    status: Json = {"state": "TERMINATED" if has_ended else life_cycle.replace("WAITING_FOR_RETRY", "WAITING")}
    if has_ended:
        status["termination_details"] = {
            "code": code or ("SUCCESS_WITH_FAILURES" if result == "SUCCESS_WITH_FAILURES" else _CODES[result]),
            "type": _TYPES.get(
                result, "SUCCESS" if result in ("SUCCESS_WITH_FAILURES", "EXCLUDED") else "CLIENT_ERROR"
            ),
            "message": message,
        }
    if life_cycle == "QUEUED":
        status["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": message}
        state["queue_reason"] = message
    return state, status


def is_met(condition: str, upstream: list[Any]) -> bool:
    """Say whether a task runs after these results, by its `run_if`."""
    good = [each == "SUCCESS" for each in upstream]
    bad = [each not in ("SUCCESS", "EXCLUDED") for each in upstream]
    return {
        "ALL_DONE": True,
        "NONE_FAILED": not any(bad),
        "AT_LEAST_ONE_SUCCESS": any(good),
        "ALL_FAILED": all(bad),
        "AT_LEAST_ONE_FAILED": any(bad),
    }.get(condition, all(good))
