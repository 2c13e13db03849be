"""Runs of jobs: their tasks in order, by the server's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .attempts import Attempt, is_met, states
from .calls import Json, invalid

_PAGE = 100
"""How many tasks API 2.2 shows at once."""


@dataclass
class Run:
    """One run, from its start to its end."""

    run_id: int
    job_id: int
    settings: Json
    """`tasks`, `timeout_seconds`, `run_name` and so on, as the job or the submission has them."""

    run_type: str
    created: float
    new_attempt: Callable[[Run, Json, int, float], Attempt]
    launch: Callable[[Run, Attempt], None]
    cancel_seconds: float = 0.0
    parameters: Json = field(default_factory=dict[str, Any])
    """What `run-now` got: `job_parameters`, `notebook_params` and so on."""

    is_queued: bool = False
    skipped: str = ""
    """Why it was not run."""

    attempts: list[Attempt] = field(default_factory=list[Attempt])
    cancelled: float | None = None
    has_timed_out: bool = False
    failed_life_cycle: str = "TERMINATED"
    repairs: list[Json] = field(default_factory=list[Json])
    is_deleted: bool = False

    @property
    def tasks(self) -> list[Json]:
        """What it consists of."""
        return self.settings.get("tasks", [])

    @property
    def current(self) -> dict[str, Attempt]:
        """The last attempt of each task."""
        return {attempt.key: attempt for attempt in self.attempts}

    def begin(self, moment: float) -> None:
        """Leave the queue, or start at once."""
        self.is_queued = False
        self.attempts = [self.new_attempt(self, spec, 0, moment) for spec in self.tasks]

    # Time

    def advance(self, now: float) -> None:
        """Let everything happen that is due by now."""
        if self.is_queued or self.skipped:
            return
        while any(self._advance(attempt, now) for attempt in self.current.values()):
            pass  # what has ended may let others start
        limit = self.settings.get("timeout_seconds") or 0
        if limit and not self.has_ended and self.created + limit <= now:
            self.has_timed_out = True
            for attempt in self.current.values():
                attempt.end(self.created + limit, "TIMEDOUT")

    def _advance(self, attempt: Attempt, now: float) -> bool:
        if attempt.ended is not None:
            return False
        if attempt.stopped is not None:
            if attempt.stopped + self.cancel_seconds <= now:
                attempt.end(attempt.stopped + self.cancel_seconds, "CANCELED")
            return attempt.ended is not None
        upstream = self._upstream(attempt)
        if any(each.ended is None for each in upstream):
            return False
        ready = max([attempt.created, *(each.ended or 0.0 for each in upstream)])
        if upstream and not is_met(attempt.spec.get("run_if", ""), [each.result for each in upstream]):
            has_cancelled = any(each.result in ("CANCELED", "UPSTREAM_CANCELED") for each in upstream)
            attempt.end(ready, "UPSTREAM_CANCELED" if has_cancelled else "UPSTREAM_FAILED")
            return True
        if attempt.started is None:
            if ready + attempt.play.pending_seconds > now:
                return False
            attempt.started = ready + attempt.play.pending_seconds
            self.launch(self, attempt)
        return self._finish(attempt, now)

    def _finish(self, attempt: Attempt, now: float) -> bool:
        play, started = attempt.play, attempt.started or 0.0
        limit = attempt.spec.get("timeout_seconds") or 0
        seconds = None if attempt.program is not None else play.seconds
        if limit and (seconds is None or seconds > limit) and started + limit <= now:
            attempt.end(started + limit, "TIMEDOUT")
        elif seconds is not None and started + seconds <= now:
            attempt.end(started + seconds, play.result, play.message)
        if attempt.ended is not None:
            self.retry(attempt)
        return attempt.ended is not None

    def retry(self, attempt: Attempt) -> None:
        """Start a new attempt of a task that has failed, if the task says so."""
        done = sum(each.key == attempt.key for each in self.attempts) - 1
        if attempt.result != "FAILED" or done >= attempt.spec.get("max_retries", 0) or self.cancelled is not None:
            return
        wait = attempt.spec.get("min_retry_interval_millis", 0) / 1000
        moment = (attempt.ended or 0.0) + wait
        self.attempts.append(self.new_attempt(self, attempt.spec, attempt.number + 1, moment))

    def _upstream(self, attempt: Attempt) -> list[Attempt]:
        current = self.current
        return [current[each["task_key"]] for each in attempt.spec.get("depends_on", []) if each["task_key"] in current]

    def cancel(self, now: float) -> None:
        """Tell all tasks to stop."""
        if self.is_queued:
            self.begin(now)
        if self.has_ended:
            return
        self.cancelled = now
        for attempt in self.current.values():
            if attempt.ended is None:
                attempt.stopped = now
                if attempt.program is not None:
                    attempt.program.kill()
        self.advance(now)

    def repair(self, keys: list[str], repair_id: int, now: float) -> None:
        """Run tasks again."""
        self.cancelled, self.has_timed_out = None, False
        again = [self.new_attempt(self, self.current[key].spec, self.current[key].number + 1, now) for key in keys]
        self.attempts += again
        self.repairs.append({"id": repair_id, "start": now, "task_run_ids": [each.run_id for each in again]})

    # What it is

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return bool(self.skipped) or (not self.is_queued and all(each.ended for each in self.current.values()))

    @property
    def ended(self) -> float:
        """When it ended; 0 while it has not."""
        return max((each.ended or 0.0 for each in self.attempts), default=self.created) if self.has_ended else 0.0

    @property
    def result(self) -> str:
        """How it ended; empty while it has not."""
        if not self.has_ended:
            return ""
        if self.skipped:
            return "SKIPPED"
        current = self.current
        results = {key: each.result for key, each in current.items()}
        if self.has_timed_out:
            return "TIMEDOUT"
        if "INTERNAL_ERROR" in results.values():
            return "INTERNAL_ERROR"
        if self.cancelled is not None and "CANCELED" in results.values():
            return "CANCELED"
        needed = {each["task_key"] for task in self.tasks for each in task.get("depends_on", [])}
        leaves = [result for key, result in results.items() if key not in needed]
        if all(each in ("SUCCESS", "EXCLUDED") for each in leaves):
            return "SUCCESS" if not any(each.has_failed for each in current.values()) else "SUCCESS_WITH_FAILURES"
        if set(results.values()) & {"FAILED"}:
            return "FAILED"
        return next(
            each for each in ("TIMEDOUT", "CANCELED", "SKIPPED", "FAILED") if each in [*results.values(), "FAILED"]
        )

    @property
    def states(self) -> tuple[Json, Json]:
        """Its state and its status."""
        if self.skipped:
            return states("SKIPPED", "SKIPPED", self.skipped, "MAX_CONCURRENT_RUNS_EXCEEDED")
        if self.is_queued:
            return states("QUEUED", "", "Queued due to reaching maximum concurrent runs of 1.")
        result = self.result
        if result:
            failed = next((each for each in self.current.values() if each.has_failed), None)
            message, code = "", failed.play.code if failed else ""
            if failed is not None and result != "SUCCESS_WITH_FAILURES":
                message = failed.message
                if len(self.current) > 1 and result == "FAILED":
                    message = f"Task {failed.key} failed with message: {failed.message}."
            if result in ("SKIPPED", "INTERNAL_ERROR"):
                return states(result, result, message, code)
            return states(self.failed_life_cycle if result == "FAILED" else "TERMINATED", result, message, code)
        cycles = [each.life_cycle for each in self.current.values()]
        if self.cancelled is not None:
            return states("TERMINATING", "", "Run is being cancelled.")
        is_running = "RUNNING" in cycles or any(each.ended for each in self.attempts)
        return states("RUNNING", "", "In run") if is_running else states("PENDING", "", "Waiting for cluster")

    def view(self, endpoint: str, version: str, *, page: int = 0, with_history: bool = False) -> Json:
        """Give what the API shows.

        Args:
            endpoint: Of the workspace.
            version: Of the API: 2.2 shows the status, and tasks by pages.
            page: Number of the page of tasks.
            with_history: Whether repairs are shown.
        """
        state, status = self.states
        settings = {name: value for name, value in self.settings.items() if name in _SHOWN}
        view: Json = {
            **settings,
            "job_id": self.job_id,
            "run_id": self.run_id,
            "number_in_job": self.run_id,
            "original_attempt_run_id": self.run_id,
            "creator_user_name": "tests@example.com",
            "run_name": self.settings.get("run_name") or self.settings.get("name") or "Untitled",
            "run_page_url": f"{endpoint}/?o=1#job/{self.job_id}/run/{self.run_id}",
            "run_type": self.run_type,
            "trigger": "ONE_TIME",
            "format": "MULTI_TASK",
            "start_time": int(self.created * 1000),
            "end_time": int(self.ended * 1000),
            "run_duration": int(max(self.ended - self.created, 0) * 1000),
            "state": state,
            "status": status,
            "tasks": self._tasks(endpoint),
        }
        if self.parameters.get("job_parameters") or self.settings.get("parameters"):
            view["job_parameters"] = self.job_parameters
        overriding = {name: value for name, value in self.parameters.items() if name != "job_parameters"}
        if overriding:
            view["overriding_parameters"] = overriding
        if with_history:
            view["repair_history"] = self._history()
        if version >= "2.2":
            return _paged(view, page)
        del view["status"]
        for task in view["tasks"]:
            del task["status"]
        return view

    @property
    def job_parameters(self) -> list[Json]:
        """The job's parameters with their values."""
        given: Json = self.parameters.get("job_parameters", {})
        known = {each["name"]: each.get("default", "") for each in self.settings.get("parameters", [])}
        names = [*known, *(name for name in given if name not in known)]
        return [
            {"name": name, "default": known.get(name, ""), "value": given.get(name, known.get(name))} for name in names
        ]

    def _tasks(self, endpoint: str) -> list[Json]:
        # Attempts come in no order that may be relied on: here, the newest first.
        if not self.attempts:
            return [
                {**spec, "attempt_number": 0} | _state("QUEUED" if self.is_queued else "SKIPPED") for spec in self.tasks
            ]
        blocked = [any(up.ended is None for up in self._upstream(each)) for each in self.attempts]
        return [each.view(endpoint, is_blocked) for each, is_blocked in zip(self.attempts, blocked, strict=True)][::-1]

    def _history(self) -> list[Json]:
        state, status = self.states
        original = [each.run_id for each in self.attempts if each.number == 0]
        shown: list[Json] = [{"type": "ORIGINAL", "start_time": int(self.created * 1000), "task_run_ids": original}]
        for repair in self.repairs:
            at = int(repair["start"] * 1000)
            ids = repair["task_run_ids"]
            shown.append({"type": "REPAIR", "id": repair["id"], "start_time": at, "task_run_ids": ids})
        shown[-1] |= {"state": state, "status": status, "end_time": int(self.ended * 1000)}
        return shown

    def failed_keys(self) -> list[str]:
        """Give the keys of tasks that have not succeeded."""
        return [key for key, attempt in self.current.items() if attempt.has_failed]

    def dependents(self, keys: list[str]) -> list[str]:
        """Give keys and those of all tasks that come after them."""
        found = list(keys)
        for key in found:
            found += [
                task["task_key"]
                for task in self.tasks
                if task["task_key"] not in found and any(d["task_key"] == key for d in task.get("depends_on", []))
            ]
        return found


_SHOWN = ("tasks", "job_clusters", "git_source", "schedule", "queue")


def _state(life_cycle: str) -> Json:
    state, status = states(life_cycle, "SKIPPED" if life_cycle == "SKIPPED" else "", "")
    return {"state": state, "status": status, "run_id": 0}


def _paged(view: Json, page: int) -> Json:
    tasks = view["tasks"]
    view["tasks"] = tasks[page * _PAGE : (page + 1) * _PAGE]
    if page and not view["tasks"]:
        raise invalid("Invalid page token.")
    if len(tasks) > (page + 1) * _PAGE:
        view["next_page_token"] = str(page + 1)
    return view
