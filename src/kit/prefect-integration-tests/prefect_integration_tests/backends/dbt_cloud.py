"""dbt Cloud on this machine: jobs, runs and artifacts behind its administrative API, and the metadata API.

It stands at the network's edge: real clients talk to it by HTTP, requests are checked (paths with their slashes,
methods, the key, the fields of bodies and their types), runs are played by a clock that tests set, and their steps
leave artifacts in dbt's own shapes. What is known of the API: https://docs.getdbt.com/dbt-cloud/api-v2.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import pytest

from ._call_faults import Fault, When
from ._dbt_cloud.calls import CloudCall, CloudError, Json, envelope
from ._dbt_cloud.checks import check_job, check_trigger
from ._dbt_cloud.project import PlayedProject
from ._dbt_cloud.runs import ENDED, ERROR, SUCCESS, CloudRun, Play, retried, stamp
from ._dbt_cloud.server import CloudServer

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._server_clock import Clock

__all__ = ["ACCOUNT", "API_KEY", "CloudCall", "CloudError", "DbtCloud", "Play", "dbt_cloud", "dbt_cloud_server"]

ACCOUNT = 70403
API_KEY = "dbtc_0123456789abcdef"
PROJECT, ENVIRONMENT = 100, 10

_ids = itertools.count(1000)  # never the same twice in a process: clients remember what they have got


class DbtCloud:
    """The server, what it holds, and what a test may do to it. Every method may be called from any thread.

    Attributes:
        project: The project that runs execute: nodes, and which of them fail.
        play: How runs go, unless there is one in `plays`.
        plays: How the next runs go, one after the other.
        visible_after_seconds: How long a run that was triggered cannot be read yet.
        offers_retry: Whether runs can be retried from where they failed.
        artifacts: More artifacts of all runs, by path.
        on_query: Answers queries of the metadata API: query, variables and name of the operation give the result.
    """

    def __init__(self) -> None:
        """Start to listen on a free loopback port (milliseconds)."""
        self.server = CloudServer(ACCOUNT, API_KEY, self._answer)
        self.reset()

    def reset(self) -> None:
        """Forget everything: jobs, runs, faults, calls, the time that was let pass. Ids are never given twice."""
        server = self.server
        server.faults.clear()
        server.clock.reset()
        with server.lock:
            server.calls.clear()
            self.project = PlayedProject()
            self.play = Play()
            self.plays: list[Play] = []
            self.visible_after_seconds = 0.0
            self.offers_retry = True
            self.artifacts: dict[str, Any] = {}
            self.on_query: Callable[[str, Json, str | None], Json] = _no_answer
            self._jobs: dict[int, Json] = {}
            self._runs: dict[int, CloudRun] = {}

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port`, for every API; it serves as the domain of credentials, too."""
        return self.server.endpoint

    @property
    def clock(self) -> Clock:
        """The server's time: `clock.advance(3600)`."""
        return self.server.clock

    @property
    def calls(self) -> list[CloudCall]:
        """All requests since the last reset, in order."""
        return self.server.calls

    def calls_of(self, operation: str) -> list[CloudCall]:
        """Give the calls of one operation so far.

        Args:
            operation: Its name, such as `GetRun`; `*` stands for anything in it.
        """
        return [call for call in list(self.calls) if fnmatchcase(call.operation, operation)]

    def fail(
        self,
        operation: str,
        status: int = 503,
        *,
        times: int | None = 1,
        when: When = "before",
        skip: int = 0,
        user_message: str = "",
        developer_message: str = "",
        retry_after: str | None = None,
        delay_seconds: float = 0.0,
    ) -> None:
        """Let calls fail, or be slow.

        Args:
            operation: Name of the operation; `*` stands for anything in it.
            status: HTTP status of the refusal.
            times: How many calls; `None` for all.
            when: What happens; see `When`.
            skip: How many calls pass first.
            user_message: What is said to users; by default what dbt Cloud says for that status.
            developer_message: What is said to developers.
            retry_after: The header `Retry-After`.
            delay_seconds: Wait before anything else.
        """
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        error = CloudError(status, user_message, developer_message, headers=headers)
        self.server.faults.add(Fault(operation, error, times, when, skip, delay_seconds))

    def heal(self) -> None:
        """End all faults."""
        self.server.faults.clear()

    # What there is

    def add_job(self, *execute_steps: str, name: str = "Nightly") -> int:
        """Add a job, and give its id.

        Args:
            execute_steps: What it runs; `dbt build` by default.
            name: Its name.
        """
        fields: Json = {
            "account_id": ACCOUNT,
            "project_id": PROJECT,
            "environment_id": ENVIRONMENT,
            "name": name,
            "execute_steps": list(execute_steps or ["dbt build"]),
            "settings": {"threads": 4, "target_name": "prod"},
        }
        with self.server.lock:
            return self._store(fields)["id"]

    @property
    def jobs(self) -> list[Json]:
        """All jobs, the oldest first."""
        with self.server.lock:
            return list(self._jobs.values())

    @property
    def runs(self) -> list[Json]:
        """All runs with what belongs to them, the oldest first."""
        with self.server.lock:
            return [self._view(run, ("trigger", "job", "run_steps")) for run in self._runs.values()]

    def run(self, run_id: int) -> Json:
        """Give a run with what belongs to it.

        Raises:
            LookupError: If there is none.
        """
        with self.server.lock:
            if run_id not in self._runs:
                raise LookupError(f"There is no run {run_id} among {sorted(self._runs)}.")
            return self._view(self._runs[run_id], ("trigger", "job", "run_steps"))

    def start_run(self, job_id: int, cause: str = "By hand", **trigger: Any) -> int:
        """Trigger a job as somebody else would, and give the id of the run."""
        with self.server.lock:
            return self._trigger(job_id, {"cause": cause, **trigger}).id

    def end(self, run_id: int) -> None:
        """End a run now."""
        with self.server.lock:
            self._runs[run_id].end(self.clock.seconds(), self.project)

    def cancel(self, run_id: int) -> None:
        """Cancel a run as somebody else would."""
        with self.server.lock:
            self._cancel(self._runs[run_id])

    def executed(self, run_id: int | None = None) -> list[str]:
        """List the nodes that ran, in order, of all runs or of one; those that were skipped are left out."""
        with self.server.lock:
            for run in self._runs.values():
                self._status(run)
            return [node for run, node in self.project.executed if run_id in (None, run)]

    # What the API answers

    def _answer(self, call: CloudCall, rest: str) -> Any:
        name = re.sub(r"(?<!^)([A-Z])", r"_\1", call.operation).lower()
        return getattr(self, f"_{name}")(call, rest)

    def _status(self, run: CloudRun) -> int:
        return run.advance(self.clock.seconds(), self.project)

    def _view(self, run: CloudRun, related: tuple[str, ...]) -> Json:
        return run.view(self._status(run), ACCOUNT, self.endpoint, related)

    def _store(self, fields: Json) -> Json:
        moment = stamp(self.clock.seconds())
        job_id = next(_ids)
        job: Json = {"state": 1, **fields, "id": job_id, "created_at": moment, "updated_at": moment}
        self._jobs[job_id] = job
        return job

    def _job_of(self, call: CloudCall) -> Json:
        job = self._jobs.get(call.ids[1])
        if job is None or job["state"] == 2:
            raise CloudError(404, developer_message=f"No job {call.ids[1]}")
        return job

    def _run_of(self, call: CloudCall) -> CloudRun:
        run = self._runs.get(call.ids[1])
        if run is None or self.clock.seconds() - run.created < self.visible_after_seconds:
            raise CloudError(404, developer_message=f"No run {call.ids[1]}")
        return run

    def _list_jobs(self, call: CloudCall, _: str) -> Json:
        project = call.query.get("project_id", [None])[0]
        jobs = [job for job in self._jobs.values() if project is None or job["project_id"] == int(project)]
        return _page(call, [job for job in jobs if job["state"] == 1])

    def _create_job(self, call: CloudCall, _: str) -> Json:
        check_job(call.body)
        if call.body["account_id"] != ACCOUNT:
            raise CloudError(403)
        return envelope(self._store(call.body), status=201)

    def _get_job(self, call: CloudCall, _: str) -> Json:
        return envelope(self._job_of(call))

    def _delete_job(self, call: CloudCall, _: str) -> Json:
        job = self._job_of(call)
        job["state"] = 2
        del self._jobs[job["id"]]
        return envelope(job)

    def _trigger_job_run(self, call: CloudCall, _: str) -> Json:
        self._job_of(call)
        check_trigger(call.body)
        return envelope(self._view(self._trigger(call.ids[1], call.body), ("trigger", "job")))

    def _trigger(self, job_id: int, trigger: Json) -> CloudRun:
        job = self._jobs[job_id]
        commands = [(each, None) for each in trigger.get("steps_override") or job["execute_steps"]]
        return self._add(CloudRun(next(_ids), job, trigger, self.clock.seconds(), self._next_play(), [*commands]))

    def _add(self, run: CloudRun) -> CloudRun:
        self._runs[run.id] = run
        return run

    def _next_play(self) -> Play:
        return replace(self.plays.pop(0) if self.plays else self.play)

    def _rerun_job(self, call: CloudCall, _: str) -> Json:
        job = self._job_of(call)
        last = max((run for run in self._runs.values() if run.job["id"] == job["id"]), key=_id, default=None)
        if last is None or self._status(last) != ERROR:
            return envelope(self._view(self._trigger(job["id"], {"cause": "Rerun"}), ()))
        return self._retry(last)

    def _retry_run(self, call: CloudCall, _: str) -> Json:
        if not self.offers_retry:
            raise CloudError(404)
        run = self._run_of(call)
        if self._status(run) != ERROR:
            raise CloudError(400, "Only runs that failed can be retried.")
        return self._retry(run)

    def _retry(self, run: CloudRun) -> Json:
        new = retried(run, next(_ids), self.clock.seconds(), self._next_play())
        return envelope(self._view(self._add(new), ("trigger",)))

    def _list_runs(self, call: CloudCall, _: str) -> Json:
        job = call.query.get("job_definition_id", [None])[0]
        runs = [run for run in self._runs.values() if job is None or run.job["id"] == int(job)]
        related = _related(call)
        return _page(call, [self._view(run, related) for run in runs])

    def _get_run(self, call: CloudCall, _: str) -> Json:
        return envelope(self._view(self._run_of(call), _related(call)))

    def _cancel_run(self, call: CloudCall, _: str) -> Json:
        run = self._run_of(call)
        self._cancel(run)
        return envelope(self._view(run, ()))

    def _cancel(self, run: CloudRun) -> None:
        if self._status(run) not in ENDED:
            run.cancelled = self.clock.seconds()

    def _list_artifacts(self, call: CloudCall, _: str) -> Json:
        run = self._run_of(call)
        if self._status(run) not in ENDED:
            raise CloudError(404, "The run has not finished.")
        return envelope([*run.artifact_paths(_step(call), self.project), *self.artifacts])

    def _get_artifact(self, call: CloudCall, path: str) -> Any:
        run = self._run_of(call)
        self._status(run)
        return self._content(run, path, _step(call))

    def _get_job_artifact(self, call: CloudCall, path: str) -> Any:
        job = self._job_of(call)
        good = [run for run in self._runs.values() if run.job["id"] == job["id"] and self._status(run) == SUCCESS]
        if not good:
            raise CloudError(404, "No successful run of this job was found.")
        return self._content(max(good, key=_id), path, None)

    def _content(self, run: CloudRun, path: str, step: int | None) -> Any:
        content = self.artifacts.get(path)
        content = run.artifact(path, step, self.project) if content is None else content
        if content is None:
            raise CloudError(404, f"The artifact {path} was not found.")
        return content

    def _list_projects(self, call: CloudCall, _: str) -> Json:
        return _page(call, [{"id": PROJECT, "account_id": ACCOUNT, "name": self.project.name}])

    def _get_account(self, _call: CloudCall, _: str) -> Json:
        return envelope({"id": ACCOUNT, "name": "Tests", "state": 1})

    def _query_metadata(self, call: CloudCall, _: str) -> Json:
        query = call.body.get("query")
        unknown = set(call.body) - {"query", "variables", "operationName"}
        if not isinstance(query, str) or unknown:
            raise CloudError(400, developer_message=f"No query, or unknown fields: {sorted(unknown)}")
        return self.on_query(query, call.body.get("variables") or {}, call.body.get("operationName"))

    def close(self) -> None:
        """Stop to listen."""
        self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False


def _id(run: CloudRun) -> int:
    return run.id


def _no_answer(query: str, variables: Json, operation_name: str | None) -> Json:
    del variables, operation_name
    return {"errors": [{"message": f"Nothing is prepared for {query!r}."}], "data": None}


def _related(call: CloudCall) -> tuple[str, ...]:
    given = ",".join(call.query.get("include_related", []))
    related = tuple(each for each in re.split(r"[\[\],'\" ]+", given) if each)
    unknown = set(related) - {"trigger", "job", "run_steps", "debug_logs", "environment"}
    if unknown:
        raise CloudError(400, developer_message=f"include_related: {sorted(unknown)}")
    return related


def _step(call: CloudCall) -> int | None:
    given = call.query.get("step")
    if given is None:
        return None
    if not given[0].isdigit() or given[0] == "0":
        raise CloudError(400, developer_message="step must be a positive number.")
    return int(given[0])


def _page(call: CloudCall, things: list[Json]) -> Json:
    order = call.query.get("order_by", ["id"])[0]
    things = sorted(things, key=lambda each: each[order.lstrip("-")], reverse=order.startswith("-"))
    limit, offset = (int(call.query.get(name, [usual])[0]) for name, usual in (("limit", "100"), ("offset", "0")))
    if not 0 < limit <= 100:
        raise CloudError(400, developer_message="limit must be between 1 and 100.")
    shown = things[offset : offset + limit]
    pages = {"count": len(shown), "total_count": len(things)}
    return envelope(shown, {"filters": {"limit": limit, "offset": offset}, "order_by": order, "pagination": pages})


@pytest.fixture(scope="session")
def dbt_cloud_server() -> Iterator[DbtCloud]:
    """The local server in the shape of dbt Cloud; tests share it, see `dbt_cloud`."""
    with DbtCloud() as cloud:
        yield cloud


@pytest.fixture
def dbt_cloud(dbt_cloud_server: DbtCloud) -> DbtCloud:
    """The local dbt Cloud after a reset."""
    dbt_cloud_server.reset()
    return dbt_cloud_server
