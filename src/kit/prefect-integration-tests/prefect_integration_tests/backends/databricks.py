"""A Databricks workspace on this machine: jobs and their runs, SQL statements, tokens.

It stands at the network's edge: real clients, databricks-sdk among them, talk to it by HTTP. Requests are checked
(paths, methods, tokens, fields and their types), runs go by a clock that tests set, or execute programs and
notebooks in processes, and statements are executed by DuckDB. What is known of the APIs:
https://docs.databricks.com/api/workspace/jobs and https://docs.databricks.com/api/workspace/statementexecution.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import pytest

from ._call_faults import Fault, When
from ._databricks.calls import ApiError, DatabricksCall, Json
from ._databricks.checks import unknown_fields
from ._databricks.identity import Identity
from ._databricks.jobs import Jobs
from ._databricks.plays import StatementPlay, TaskPlay
from ._databricks.server import WorkspaceServer
from ._databricks.statements import Statements

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._server_clock import Clock

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "TOKEN",
    "WAREHOUSE",
    "ApiError",
    "Databricks",
    "DatabricksCall",
    "StatementPlay",
    "TaskPlay",
    "databricks",
    "databricks_server",
]

TOKEN = "dapi0123456789abcdef0123456789abcdef"
CLIENT_ID = "5f0c1a52-0000-4000-8000-1234567890ab"
CLIENT_SECRET = "dose0123456789abcdef0123456789abcdef"
WAREHOUSE = "abcdef0123456789"


class Databricks:
    """The server, what it holds, and what a test may do to it. Every method may be called from any thread.

    Attributes:
        jobs_api: Jobs and runs: `play`, `plays`, `cancel_seconds`, `failed_life_cycle`, `visible_after_seconds`.
        sql: Statements: `play`, `plays`, `rows_per_chunk`, `inline_limit_bytes`, `link_seconds`.
        identity: Tokens: `lifetime_seconds`, `clients`, `subject_tokens`, `refresh_tokens`, `issued`.
        answers: Answers to any other request, by method and path; a function gets the call.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        """Start to listen on a free loopback port (milliseconds).

        Args:
            context: With its certificate TLS is spoken.
        """
        self.answers: dict[tuple[str, str], Json | Callable[[DatabricksCall], Any]] = {}
        self.server = WorkspaceServer(self._answer, self._check, self._grant, context)
        self.jobs_api = Jobs(self.clock.seconds, self.server.lock, lambda: self.endpoint)
        self.sql = Statements(self.clock.seconds, WAREHOUSE, lambda: self.endpoint)
        self.reset()

    def reset(self) -> None:
        """Forget everything: jobs, runs, statements, tokens, faults, calls. Ids are never given twice."""
        server = self.server
        server.faults.clear()
        server.clock.reset()
        with server.lock:
            server.calls.clear()
            self.answers.clear()
            self.jobs_api.reset()
            self.sql.reset()
            self.identity = Identity(TOKEN, {CLIENT_ID: CLIENT_SECRET}, self.clock.seconds)

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port`, the workspace's address."""
        return self.server.endpoint

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return self.endpoint.partition("://")[2]

    @property
    def clock(self) -> Clock:
        """The server's time: `clock.advance(3600)`."""
        return self.server.clock

    @property
    def calls(self) -> list[DatabricksCall]:
        """All requests since the last reset, in order."""
        return self.server.calls

    def calls_of(self, operation: str) -> list[DatabricksCall]:
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
        message: str = "",
        code: str = "",
        retry_after: str | None = None,
        delay_seconds: float = 0.0,
        where: Callable[[DatabricksCall], bool] | None = None,
    ) -> None:
        """Let calls fail, or be slow.

        Args:
            operation: Name of the operation, such as `GetRun`; `*` stands for anything in it.
            status: HTTP status of the refusal.
            times: How many calls; `None` for all.
            when: What happens; see `When`.
            skip: How many calls pass first.
            message: What is said.
            code: What stands under `error_code`; by default what is usual for that status.
            retry_after: The header `Retry-After`.
            delay_seconds: Wait before anything else.
            where: Which calls.
        """
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        error = ApiError(status, message, code, headers=headers)
        self.server.faults.add(Fault(operation, error, times, when, skip, delay_seconds, where))

    def heal(self) -> None:
        """End all faults."""
        self.server.faults.clear()

    # What there is

    def script(self, task_key: str, *plays: TaskPlay) -> None:
        """Say how the next attempts of a task go, one after the other; then they go as `jobs_api.play` says."""
        with self.server.lock:
            self.jobs_api.plays[task_key] = list(plays)

    def add_notebook(self, path: str, source: str) -> None:
        """Put a notebook or a script of Python into the workspace: tasks that name it run it in a process.

        Args:
            path: What `notebook_path` or `python_file` says.
            source: Its code; `dbutils.widgets.get` and `dbutils.notebook.exit` work.
        """
        with self.server.lock:
            self.jobs_api.notebooks[path] = source

    def add_job(self, *tasks: Json, **settings: Any) -> int:
        """Add a job, and give its id.

        Args:
            tasks: What it consists of; by default the notebook `/Shared/nightly`, task key `main`.
            settings: Its other settings.
        """
        usual: Json = {"task_key": "main", "notebook_task": {"notebook_path": "/Shared/nightly"}}
        with self.server.lock:
            return self.jobs_api.add_job({"name": "Nightly", **settings, "tasks": list(tasks or [usual])})

    @property
    def jobs(self) -> list[Json]:
        """All jobs, the oldest first."""
        with self.server.lock:
            return list(self.jobs_api.jobs.values())

    @property
    def runs(self) -> list[Json]:
        """All runs as API 2.2 shows them, the oldest first."""
        with self.server.lock:
            self.jobs_api.advance()
            return [run.view(self.endpoint, "2.2") for run in self.jobs_api.runs.values() if not run.is_deleted]

    def run(self, run_id: int) -> Json:
        """Give a run as API 2.2 shows it.

        Raises:
            LookupError: If there is none.
        """
        found = [run for run in self.runs if run["run_id"] == run_id]
        if not found:
            raise LookupError(f"There is no run {run_id} among {[run['run_id'] for run in self.runs]}.")
        return found[0]

    def start_run(self, job_id: int, **parameters: Any) -> int:
        """Start a job as somebody else would, and give the id of the run."""
        with self.server.lock:
            return self.jobs_api.start(self.jobs_api.jobs[job_id], parameters).run_id

    def cancel(self, run_id: int) -> None:
        """Cancel a run as somebody else would."""
        with self.server.lock:
            self.jobs_api.cancel(self.jobs_api.runs[run_id])

    def result_of(self, run_id: int) -> str:
        """Say how a run ended; empty while it goes on."""
        with self.server.lock:
            self.jobs_api.advance()
            return self.jobs_api.runs[run_id].result

    def unknown_fields(self) -> list[str]:
        """List the fields of all requests so far that the Jobs API does not know."""
        return [name for call in list(self.calls) for name in unknown_fields(call.operation, call.body)]

    # What the API answers

    def _check(self, authorization: str) -> None:
        self.identity.check(authorization)

    def _grant(self, form: Json, authorization: str) -> Json:
        return self.identity.grant(form, authorization)

    def _answer(self, call: DatabricksCall) -> Any:
        prepared = self.answers.get((call.http_method, call.path))
        if prepared is not None:
            return prepared(call) if callable(prepared) else prepared
        if not call.operation:
            raise ApiError(404, f"No API found for '{call.http_method} {call.path}'", "ENDPOINT_NOT_FOUND")
        name = re.sub(r"(?<!^)([A-Z])", r"_\1", call.operation).lower()
        for part in (self, self.jobs_api, self.sql):
            method = getattr(part, name, None)
            if method is not None:
                self.jobs_api.advance()
                return method(call)
        raise ApiError(501, f"{call.operation} is not implemented")

    def get_me(self, call: DatabricksCall) -> Json:
        """GET preview/scim/v2/Me."""
        del call
        return {"id": "1", "userName": "tests@example.com", "active": True, "displayName": "Tests"}

    def discover_oidc(self, call: DatabricksCall) -> Json:
        """GET oidc/.well-known/oauth-authorization-server."""
        del call
        base = f"{self.endpoint}/oidc/v1"
        return {"token_endpoint": f"{base}/token", "authorization_endpoint": f"{base}/authorize"}

    def discover_host(self, call: DatabricksCall) -> Json:
        """GET .well-known/databricks-config."""
        del call
        return {"oidc_endpoint": f"{self.endpoint}/oidc", "account_id": "0", "workspace_id": "1", "cloud": "AWS"}

    def close(self) -> None:
        """Stop to listen."""
        with self.server.lock:
            self.jobs_api.reset()
        self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False


@pytest.fixture(scope="session")
def databricks_server() -> Iterator[Databricks]:
    """The local server in the shape of a Databricks workspace; tests share it, see `databricks`."""
    with Databricks() as workspace:
        yield workspace


@pytest.fixture
def databricks(databricks_server: Databricks) -> Databricks:
    """The local Databricks workspace after a reset."""
    databricks_server.reset()
    return databricks_server
