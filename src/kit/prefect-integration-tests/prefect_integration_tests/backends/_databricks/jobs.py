"""The Jobs API: jobs, runs, and what starts, stops and repairs them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from .attempts import Attempt
from .calls import DatabricksCall, Json, invalid
from .checks import check_body, check_parameters, check_tasks, page_limit
from .plays import TaskPlay, task_kind
from .programs import Outcome, Program, python_program
from .runs import Run

_ids = itertools.count(1001)  # never the same twice in a process


class Jobs:
    """Jobs and runs of a workspace. The server's lock is held by whoever calls."""

    def __init__(self, seconds: Callable[[], float], lock: Any, endpoint: Callable[[], str]) -> None:
        """Start with none.

        Args:
            seconds: The server's time.
            lock: The server's lock, for threads that wait for programs.
            endpoint: The workspace's address.
        """
        self._seconds = seconds
        self._lock = lock
        self._endpoint = endpoint
        self.runs: dict[int, Run] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything, and end all programs."""
        for run in self.runs.values():
            for attempt in run.attempts:
                attempt.end(0, "CANCELED")
        self.jobs: dict[int, Json] = {}
        self.runs = {}
        self.play = TaskPlay()
        self.plays: dict[str, list[TaskPlay]] = {}
        self.notebooks: dict[str, str] = {}
        self.cancel_seconds = 0.0
        self.failed_life_cycle = "TERMINATED"
        self.visible_after_seconds = 0.0
        self._tokens: dict[str, int] = {}

    # Jobs

    def create_job(self, call: DatabricksCall) -> Json:
        """POST jobs/create."""
        check_body("CreateJob", call.body)
        check_tasks(call.body.get("tasks", []))
        return {"job_id": self.add_job(call.body)}

    def add_job(self, settings: Json) -> int:
        """Keep a job."""
        job_id = next(_ids)
        kept = {"name": "Untitled", "max_concurrent_runs": 1, "format": "MULTI_TASK", **settings}
        acl = kept.pop("access_control_list", None)
        self.jobs[job_id] = {
            "job_id": job_id,
            "creator_user_name": "tests@example.com",
            "created_time": int(self._seconds() * 1000),
            "settings": kept,
        }
        del acl
        return job_id

    def _job(self, job_id: Any) -> Json:
        if job_id not in self.jobs:
            raise invalid(f"Job {job_id} does not exist.")
        return self.jobs[job_id]

    def get_job(self, call: DatabricksCall) -> Json:
        """GET jobs/get."""
        return dict(self._job(_number(call, "job_id")))

    def list_jobs(self, call: DatabricksCall) -> Json:
        """GET jobs/list, the newest first."""
        name = call.value("name")
        jobs = [job for job in self.jobs.values() if not name or job["settings"]["name"].lower() == name.lower()]
        shown, more = _page(call, jobs[::-1], page_limit(call.value("limit"), 20, 100))
        if call.value("expand_tasks") != "true":
            hidden = ("tasks", "job_clusters", "environments", "parameters")
            shown = [
                {**job, "settings": {name: value for name, value in job["settings"].items() if name not in hidden}}
                for job in shown
            ]
        return {**({"jobs": shown} if shown else {}), **more}

    def update_job(self, call: DatabricksCall) -> Json:
        """POST jobs/update."""
        check_body("UpdateJob", call.body)
        settings = self._job(call.body["job_id"])["settings"]
        new = call.body.get("new_settings", {})
        check_body("CreateJob", new)
        settings |= {name: value for name, value in new.items() if name != "tasks"}
        if "tasks" in new:
            changed = {task["task_key"]: task for task in [*settings.get("tasks", []), *new["tasks"]]}
            check_tasks([*changed.values()])
            settings["tasks"] = [*changed.values()]
        for name in call.body.get("fields_to_remove", []):
            settings.pop(name, None)
        return {}

    def reset_job(self, call: DatabricksCall) -> Json:
        """POST jobs/reset."""
        check_body("ResetJob", call.body)
        new = call.body.get("new_settings", {})
        check_body("CreateJob", new)
        check_tasks(new.get("tasks", []))
        self._job(call.body["job_id"])["settings"] = {"name": "Untitled", "max_concurrent_runs": 1, **new}
        return {}

    def delete_job(self, call: DatabricksCall) -> Json:
        """POST jobs/delete."""
        check_body("DeleteJob", call.body)
        del self.jobs[self._job(call.body["job_id"])["job_id"]]
        return {}

    # Start of runs

    def run_now(self, call: DatabricksCall) -> Json:
        """POST jobs/run-now."""
        check_body("RunNow", call.body)
        job = self._job(call.body["job_id"])
        check_parameters(job["settings"], call.body)
        run = self._by_token(call.body) or self.start(job, call.body)
        return {"run_id": run.run_id, "number_in_job": run.run_id}

    def start(self, job: Json, body: Json) -> Run:
        """Start a run of a job, put it into the queue, or skip it."""
        parameters = {
            name: value for name, value in body.items() if name.endswith(("_params", "_commands", "_parameters"))
        }
        run = self._new_run(job["job_id"], dict(job["settings"]), "JOB_RUN", parameters)
        settings = job["settings"]
        active = [each for each in self._runs_of(job["job_id"]) if not each.has_ended and each is not run]
        if len(active) >= settings.get("max_concurrent_runs", 1):
            if body.get("queue", settings.get("queue", {})).get("enabled"):
                run.is_queued = True
            else:
                run.skipped = "Skipped because the maximum number of concurrent runs has been reached."
        return self._add(run, body)

    def submit_run(self, call: DatabricksCall) -> Json:
        """POST jobs/runs/submit."""
        check_body("SubmitRun", call.body)
        tasks = call.body.get("tasks", [])
        kind = task_kind(call.body)
        if not tasks and not kind:
            raise invalid("One of tasks or a task type must be provided.")
        check_tasks(tasks)
        settings = call.body if tasks else {**call.body, "tasks": [{"task_key": "main", **_old_task(call.body)}]}
        run = self._by_token(call.body)
        if run is None:
            run = self._add(self._new_run(next(_ids), dict(settings), "SUBMIT_RUN", {}), call.body)
        return {"run_id": run.run_id}

    def _by_token(self, body: Json) -> Run | None:
        token = body.get("idempotency_token")
        if not token or token not in self._tokens:
            return None
        run = self.runs[self._tokens[token]]
        if run.is_deleted:
            raise invalid(f"The run with the idempotency token {token} was deleted.")
        return run

    def _new_run(self, job_id: int, settings: Json, run_type: str, parameters: Json) -> Run:
        return Run(
            next(_ids),
            job_id,
            settings,
            run_type,
            self._seconds(),
            self._new_attempt,
            self._launch,
            self.cancel_seconds,
            parameters,
            failed_life_cycle=self.failed_life_cycle,
        )

    def _add(self, run: Run, body: Json) -> Run:
        self.runs[run.run_id] = run
        if body.get("idempotency_token"):
            self._tokens[body["idempotency_token"]] = run.run_id
        if not run.is_queued and not run.skipped:
            run.begin(self._seconds())
        self.advance()
        return run

    def _new_attempt(self, run: Run, spec: Json, number: int, moment: float) -> Attempt:
        del run
        plays = self.plays.get(spec["task_key"], [])
        return Attempt(spec, next(_ids), moment, plays.pop(0) if plays else self.play, number)

    def _launch(self, run: Run, attempt: Attempt) -> None:
        argv, env = attempt.play.command, dict[str, str]()
        kind = task_kind(attempt.spec)
        task: Json = attempt.spec[kind] if kind else {}
        path = task.get("notebook_path") or task.get("python_file")
        if not argv and path in self.notebooks:
            given = {each["name"]: each["value"] for each in run.job_parameters}
            arguments = {**task.get("base_parameters", {}), **run.parameters.get("notebook_params", {}), **given}
            parameters: list[str] = run.parameters.get("python_params") or task.get("parameters") or []
            argv, env = python_program(path, self.notebooks[path], arguments, parameters)
        if not argv:
            return

        def ended(outcome: Outcome) -> None:
            with self._lock:
                attempt.exited(outcome, self._seconds())
                run.retry(attempt)
                self.advance()

        attempt.program = Program(argv, env, ended)

    def advance(self) -> None:
        """Let everything happen that is due."""
        now = self._seconds()
        for run in list(self.runs.values()):
            run.advance(now)
        for run in list(self.runs.values()):
            if run.is_queued and not any(
                each.run_id < run.run_id and not each.has_ended for each in self._runs_of(run.job_id)
            ):
                run.begin(now)
                run.advance(now)

    def _runs_of(self, job_id: int) -> list[Run]:
        return [run for run in self.runs.values() if run.job_id == job_id]

    # Runs

    def run_of(self, run_id: Any) -> Run:
        """Find a run."""
        run = self.runs.get(run_id)
        if run is None or run.is_deleted or self._seconds() - run.created < self.visible_after_seconds:
            raise invalid(f"Run {run_id} does not exist.")
        run.advance(self._seconds())
        return run

    def get_run(self, call: DatabricksCall) -> Json:
        """GET jobs/runs/get, of a run or of one of its tasks."""
        run_id = _number(call, "run_id")
        if run_id not in self.runs:
            run, attempt = self._attempt(run_id)
            view = attempt.view(self._endpoint(), is_blocked=False)
            return {**view, "job_id": run.job_id, "run_type": run.run_type, "run_name": attempt.key}
        page = int(call.value("page_token") or 0)
        with_history = call.value("include_history") == "true"
        return self.run_of(run_id).view(self._endpoint(), call.version, page=page, with_history=with_history)

    def _attempt(self, run_id: Any) -> tuple[Run, Attempt]:
        for run in self.runs.values():
            for attempt in run.attempts:
                if attempt.run_id == run_id and not run.is_deleted:
                    run.advance(self._seconds())
                    return run, attempt
        raise invalid(f"Run {run_id} does not exist.")

    def list_runs(self, call: DatabricksCall) -> Json:
        """GET jobs/runs/list, the newest first."""
        job_id = call.value("job_id")
        if call.value("active_only") == "true" and call.value("completed_only") == "true":
            raise invalid("Only one of active_only and completed_only may be true.")
        runs = [run for run in self.runs.values() if not run.is_deleted and (not job_id or run.job_id == int(job_id))]
        if call.value("active_only") == "true":
            runs = [run for run in runs if not run.has_ended]
        if call.value("completed_only") == "true":
            runs = [run for run in runs if run.has_ended]
        if run_type := call.value("run_type"):
            runs = [run for run in runs if run.run_type == run_type]
        start, end = call.value("start_time_from"), call.value("start_time_to")
        runs = [run for run in runs if not start or run.created * 1000 >= int(start)]
        runs = [run for run in runs if not end or run.created * 1000 <= int(end)]
        shown, more = _page(call, runs[::-1], page_limit(call.value("limit"), 20, 25))
        views = [run.view(self._endpoint(), call.version) for run in shown]
        if call.value("expand_tasks") != "true":
            for view in views:
                view.pop("tasks", None)
        return {**({"runs": views} if views else {}), **more}

    def get_run_output(self, call: DatabricksCall) -> Json:
        """GET jobs/runs/get-output, of a task's run or of a run with one task."""
        run_id = _number(call, "run_id")
        if run_id in self.runs:
            run = self.run_of(run_id)
            if len(run.current) > 1:
                raise invalid(
                    "Retrieving the output of runs with multiple tasks is not supported. "
                    "Please retrieve the output of each individual task run instead."
                )
            metadata = run.view(self._endpoint(), call.version)
            return {"metadata": metadata, **(next(iter(run.current.values())).output() if run.current else {})}
        run, attempt = self._attempt(run_id)
        view = attempt.view(self._endpoint(), is_blocked=False)
        return {"metadata": {**view, "job_id": run.job_id, "run_name": attempt.key}, **attempt.output()}

    def export_run(self, call: DatabricksCall) -> Json:
        """GET jobs/runs/export, of a notebook's run."""
        run_id = _number(call, "run_id")
        attempts = [*self.run_of(run_id).current.values()] if run_id in self.runs else [self._attempt(run_id)[1]]
        wanted = call.value("views_to_export") or "CODE"
        if wanted not in ("CODE", "DASHBOARDS", "ALL"):
            raise invalid(f"{wanted} is not one of CODE, DASHBOARDS, ALL.")
        if len(attempts) > 1 or "notebook_task" not in attempts[0].spec:
            raise invalid("Only runs with one notebook task can be exported.")
        path = attempts[0].spec["notebook_task"]["notebook_path"]
        content = f"<!DOCTYPE html>\n<html><body>{self.notebooks.get(path, '')}</body></html>"
        return {"views": [{"content": content, "name": path.rsplit("/", 1)[-1], "type": "NOTEBOOK"}]}

    def cancel_run(self, call: DatabricksCall) -> Json:
        """POST jobs/runs/cancel."""
        check_body("CancelRun", call.body)
        self.cancel(self.run_of(call.body["run_id"]))
        return {}

    def cancel(self, run: Run) -> None:
        """Tell a run to stop."""
        run.cancel(self._seconds())
        self.advance()

    def cancel_all_runs(self, call: DatabricksCall) -> Json:
        """POST jobs/runs/cancel-all."""
        check_body("CancelAllRuns", call.body)
        job_id = call.body.get("job_id")
        if job_id is None and not call.body.get("all_queued_runs"):
            raise invalid("job_id must be provided.")
        if job_id is not None:
            self._job(job_id)
        for run in list(self.runs.values()):
            if job_id in (None, run.job_id) and not (call.body.get("all_queued_runs") and not run.is_queued):
                self.cancel(run)
        return {}

    def delete_run(self, call: DatabricksCall) -> Json:
        """POST jobs/runs/delete."""
        check_body("DeleteRun", call.body)
        run = self.run_of(call.body["run_id"])
        if not run.has_ended:
            raise invalid(f"Run {run.run_id} is active and cannot be deleted.")
        run.is_deleted = True
        return {}

    def repair_run(self, call: DatabricksCall) -> Json:
        """POST jobs/runs/repair."""
        body = call.body
        check_body("RepairRun", body)
        run = self.run_of(body["run_id"])
        if not run.has_ended or run.skipped:
            raise invalid(f"Run {run.run_id} is not in a state that can be repaired.")
        last = run.repairs[-1]["id"] if run.repairs else None
        if body.get("latest_repair_id") != last:
            raise invalid(f"latest_repair_id must be {last}: the run was repaired before.")
        if bool(body.get("rerun_tasks")) == bool(body.get("rerun_all_failed_tasks")):
            raise invalid("Exactly one of rerun_tasks and rerun_all_failed_tasks must be provided.")
        keys = list(body.get("rerun_tasks") or run.failed_keys())
        unknown = [key for key in keys if key not in run.current]
        if unknown or not keys:
            raise invalid(f"There is no task to repair: {', '.join(unknown) or 'none has failed'}.")
        if body.get("rerun_dependent_tasks"):
            keys = run.dependents(keys)
        run.parameters |= {name: value for name, value in body.items() if name.endswith(("_params", "_parameters"))}
        repair_id = next(_ids)
        run.repair(keys, repair_id, self._seconds())
        self.advance()
        return {"repair_id": repair_id}


def _number(call: DatabricksCall, name: str) -> int:
    given = call.value(name)
    if not given or not given.isdigit():
        raise invalid(f"{name} must be a number.")
    return int(given)


def _old_task(body: Json) -> Json:
    return {
        name: body[name] for name in body if name.endswith("_task") or name in ("new_cluster", "existing_cluster_id")
    }


def _page(call: DatabricksCall, things: list[Any], limit: int) -> tuple[list[Any], Json]:
    offset = int(call.value("page_token") or call.value("offset") or 0)
    if call.version >= "2.2" and call.value("offset") not in (None, "0"):
        raise invalid("offset is not supported by this version of the API. Use page_token.")
    shown = things[offset : offset + limit]
    has_more = len(things) > offset + limit
    more: Json = {"has_more": has_more}
    if has_more:
        more["next_page_token"] = str(offset + limit)
    if offset:
        more["prev_page_token"] = str(max(offset - limit, 0))
    return shown, more
