"""Runs of jobs in the local dbt Cloud: played by the clock, step by step."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal

from .calls import Json
from .project import DBT_VERSION, PlayedProject

QUEUED, STARTING, RUNNING, SUCCESS, ERROR, CANCELLED = 1, 2, 3, 10, 20, 30
WORDS = {QUEUED: "Queued", STARTING: "Starting", RUNNING: "Running", SUCCESS: "Success", ERROR: "Error"}
WORDS[CANCELLED] = "Cancelled"
ENDED = (SUCCESS, ERROR, CANCELLED)

_RETRIED = frozenset({"error", "fail", "skipped", "runtime error", "partial success"})
_PREPARATION = ("Clone git repository", "Create profile from connection Warehouse", "Invoke dbt with `dbt deps`")


@dataclass(frozen=True)
class Play:
    """How a run goes.

    Attributes:
        queued_seconds: How long it is queued.
        starting_seconds: How long it then starts.
        running_seconds: How long it then runs; `None` until it is ended by hand.
        outcome: Status code with which it ends; by default what its nodes make of it.
        status_message: What dbt Cloud says of its end.
        fails_at: A preparing step that fails, so that dbt is not called.
        fails_command: What a command that executes no nodes begins with to fail, such as `dbt docs`.
        has_results: Whether steps leave a `run_results.json` behind.
    """

    queued_seconds: float = 1.0
    starting_seconds: float = 1.0
    running_seconds: float | None = 3.0
    outcome: int | None = None
    status_message: str | None = None
    fails_at: Literal["clone", "profile", "deps"] | None = None
    fails_command: str | None = None
    has_results: bool = True


@dataclass
class Step:
    """A step that has run."""

    name: str
    status: int
    run_results: Json | None = None


@dataclass
class CloudRun:
    """A run.

    Attributes:
        id: Its id.
        job: The job, as it was when it was triggered.
        trigger: What it was triggered with.
        created: Seconds since the epoch.
        play: How it goes.
        commands: What it executes, each with the nodes that a retry narrows it to.
        cancelled: When it was cancelled, in seconds since the epoch.
    """

    id: int
    job: Json
    trigger: Json
    created: float
    play: Play
    commands: list[tuple[str, Collection[str] | None]]
    cancelled: float | None = None
    ended: float | None = None
    steps: list[Step] = field(default_factory=list[Step])
    outcome: int = SUCCESS

    def advance(self, now: float, project: PlayedProject) -> int:
        """Let it come as far as the time is, and give its status."""
        if self.cancelled is not None:
            return CANCELLED
        if self.ended is not None:
            return self.outcome
        waited = self.play.queued_seconds + self.play.starting_seconds
        elapsed = now - self.created
        if elapsed < self.play.queued_seconds:
            return QUEUED
        if elapsed < waited:
            return STARTING
        if self.play.running_seconds is None or elapsed < waited + self.play.running_seconds:
            return RUNNING
        self.end(self.created + waited + self.play.running_seconds, project)
        return self.outcome

    def end(self, now: float, project: PlayedProject) -> None:
        """Play its steps, at once."""
        self.ended = now
        preparing = ("clone", "profile", "deps")
        for key, name in zip(preparing, _PREPARATION, strict=True):
            failed = self.play.fails_at == key
            self.steps.append(Step(name, ERROR if failed else SUCCESS))
            if failed:
                self.outcome = ERROR
                return
        for command, only in self.commands:
            step = self._played(command, only, project)
            self.steps.append(step)
            if step.status == ERROR:
                self.outcome = ERROR
                break
        self.outcome = self.play.outcome or self.outcome

    def _played(self, command: str, only: Collection[str] | None, project: PlayedProject) -> Step:
        name = f"Invoke dbt with `{command}`"
        if self.play.fails_command is not None and command.startswith(self.play.fails_command):
            return Step(name, ERROR)
        results = project.execute(self.id, command, only)
        failed = any(each["status"] in ("error", "fail") for each in results["results"])
        return Step(name, ERROR if failed else SUCCESS, results if self.play.has_results else None)

    def rest(self) -> list[tuple[str, Collection[str] | None]]:
        """List what a retry from the point of failure executes."""
        done = self.steps[len(_PREPARATION) :]
        for number, step in enumerate(done):
            if step.status == ERROR:
                results = (step.run_results or {}).get("results", [])
                only = [each["unique_id"] for each in results if each["status"] in _RETRIED]
                narrowed = (self.commands[number][0], only or None)
                return [narrowed, *self.commands[number + 1 :]]
        return self.commands

    def view(self, status: int, account_id: int, endpoint: str, related: Collection[str]) -> Json:
        """Give it as the API does."""
        ended = self.ended if self.ended is not None else self.cancelled
        started = self.created + self.play.queued_seconds
        data: Json = {
            "id": self.id,
            "trigger_id": self.id + 1_000_000,
            "account_id": account_id,
            "environment_id": self.job["environment_id"],
            "project_id": self.job["project_id"],
            "job_definition_id": self.job["id"],
            "job_id": self.job["id"],
            "status": status,
            "status_humanized": WORDS.get(status, str(status)),
            "status_message": self.play.status_message if status in ENDED else None,
            "dbt_version": self.trigger.get("dbt_version_override") or DBT_VERSION,
            "git_branch": self.trigger.get("git_branch") or "main",
            "git_sha": self.trigger.get("git_sha"),
            "owner_thread_id": None,
            "artifacts_saved": status in ENDED,
            "has_docs_generated": False,
            "has_sources_generated": False,
            "notifications_sent": False,
            "created_at": stamp(self.created),
            "updated_at": stamp(ended or self.created),
            "dequeued_at": None if status == QUEUED else stamp(started),
            "started_at": None if status == QUEUED else stamp(started),
            "finished_at": None if ended is None else stamp(ended),
            "in_progress": status not in ENDED,
            "is_complete": status in ENDED,
            "is_success": status == SUCCESS,
            "is_error": status == ERROR,
            "is_cancelled": status == CANCELLED,
            "is_running": status == RUNNING,
            "href": f"{endpoint}/deploy/{account_id}/projects/{self.job['project_id']}/runs/{self.id}/",
            "trigger": None,
            "job": None,
            "environment": None,
            "run_steps": [],
        }
        if "trigger" in related:
            data["trigger"] = {"id": data["trigger_id"], "job_definition_id": self.job["id"], **self.trigger}
        if "job" in related:
            data["job"] = self.job
        if "run_steps" in related:
            data["run_steps"] = [self._step_view(number, step) for number, step in enumerate(self.steps, 1)]
        return data

    def _step_view(self, index: int, step: Step) -> Json:
        failed = step.status == ERROR
        logs = f"12:00:00  Running\n12:00:01  {'Encountered an error' if failed else 'Completed successfully'}\n"
        return {
            "id": self.id * 100 + index,
            "run_id": self.id,
            "account_id": self.job["account_id"],
            "index": index,
            "name": step.name,
            "status": step.status,
            "status_humanized": WORDS[step.status],
            "logs": logs,
            "debug_logs": "",
            "log_location": "db",
        }

    def artifact(self, path: str, step: int | None, project: PlayedProject) -> Any:
        """Give an artifact; `None` if there is none."""
        number = len(self.steps) if step is None else step
        if self.ended is None or not 0 < number <= len(self.steps):
            return None
        played = self.steps[number - 1]
        if not played.name.startswith("Invoke dbt") or "`dbt deps" in played.name:
            return None
        if path == "run_results.json":
            return played.run_results
        if path == "manifest.json":
            return project.manifest()
        if path.startswith("compiled/"):
            return "select 1 as id\n"
        return None

    def artifact_paths(self, step: int | None, project: PlayedProject) -> list[str]:
        """List the artifacts of a step, the last one by default."""
        paths = ("manifest.json", "run_results.json", f"compiled/{project.name}/models/orders.sql")
        return [path for path in paths if self.artifact(path, step, project) is not None]


def retried(run: CloudRun, new_id: int, now: float, play: Play) -> CloudRun:
    """Make the run that retries another from where it failed."""
    trigger = {**run.trigger, "cause": f"Retry of run {run.id}"}
    return CloudRun(new_id, run.job, trigger, now, replace(play), run.rest())


def stamp(seconds: float) -> str:
    """Write a time as dbt Cloud does."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00:00")
