"""An account with Snowpark Container Services: its compute pools, jobs and secrets, and what statements do to them."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .snowpark_jobs import JobService
from .snowpark_spec import read_specification
from .snowpark_sql import Command, SqlError, command_of

Json = dict[str, Any]
Row = dict[str, Any]

DATABASE, SCHEMA, POOL = "FLOWS", "RUNS", "SMALL"
"""What is there at the beginning."""

_NO_IMAGE = "Failed to pull image"
_SLOW_SECONDS = 0.3


@dataclass
class Pool:
    """A compute pool.

    Attributes:
        state: As DESCRIBE COMPUTE POOL says it.
        start_seconds: How long it is STARTING when it is resumed; `None` for ever.
        auto_resume: Whether a job resumes it.
    """

    state: str = "IDLE"
    start_seconds: float | None = 0.0
    auto_resume: bool = True
    message: str = ""
    resumed: int = 0
    started_at: float = 0.0


@dataclass
class Fault:
    """What some statements meet: `when` is `before` (refused), `lost` (done, not answered), `slow`, `http` (a 503)."""

    kind: str
    times: int | None
    when: str
    error: SqlError


@dataclass
class Login:
    """How somebody has signed in."""

    user: str
    account: str
    authenticator: str
    application: str
    token: str
    role: str


@dataclass
class State:
    """All that an account has, and all that it was asked.

    Attributes:
        images: Images that can be pulled; `None` for all.
        statements: Texts of all statements, as the query history keeps them.
        bindings: Values that came apart from them.
        commands: Those that were understood.
        started: All jobs, also those that are gone.
        denied: Kinds of statements that the role may not send.
    """

    pools: dict[str, Pool] = field(default_factory=dict[str, Pool])
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    schemas: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    integrations: set[str] = field(default_factory=set[str])
    warehouses: set[str] = field(default_factory=set[str])
    images: set[str] | None = None
    jobs: dict[tuple[str, ...], JobService] = field(default_factory=dict[tuple[str, ...], JobService])
    statements: list[str] = field(default_factory=list[str])
    bindings: list[list[str]] = field(default_factory=list[list[str]])
    commands: list[Command] = field(default_factory=list[Command])
    started: list[JobService] = field(default_factory=list[JobService])
    logins: list[Login] = field(default_factory=list[Login])
    faults: list[Fault] = field(default_factory=list[Fault])
    denied: set[str] = field(default_factory=set[str])
    answers: dict[str, Json] = field(default_factory=dict[str, Json])


class Account:
    """The account, and what a test may do to it. Every method may be called from any thread."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="snowpark-")
        self.lock = threading.RLock()
        self.state = State()
        self.reset()

    def reset(self) -> None:
        """Forget everything; what is there at the beginning is there again."""
        self.end_jobs()
        self.state = State(pools={POOL: Pool()}, schemas={(DATABASE, SCHEMA)})
        self.default_place: tuple[str | None, str | None] = (None, None)
        self.grace_seconds = 5.0
        self.delete_seconds = 0.0
        self.pull_seconds: float | None = 0.0

    def end_jobs(self) -> None:
        """Kill all containers."""
        for job in [*self.state.started]:
            job.kill()

    # What a test does

    def fail(
        self,
        kind: str,
        *,
        times: int | None = 1,
        when: str = "before",
        error: SqlError | None = None,
    ) -> None:
        """Let statements of a kind meet a fault; `*` stands for all."""
        refusal = error or SqlError(603, "XX000", "SQL execution internal error.")
        self.state.faults.append(Fault(kind, times, when, refusal))

    def deny(self, *kinds: str) -> None:
        """Let the role not send statements of these kinds."""
        self.state.denied.update(kinds)

    def count(self, kind: str) -> int:
        """How many statements of a kind have come."""
        return sum(command.kind == kind for command in self.state.commands)

    @property
    def jobs(self) -> list[JobService]:
        """The jobs that are there."""
        return list(self.state.jobs.values())

    @property
    def alive(self) -> list[JobService]:
        """Jobs whose container runs, dropped ones too."""
        return [job for job in self.state.started if job.is_alive]

    # Statements

    def run(self, text: str, values: list[str], place: tuple[str | None, str | None]) -> tuple[list[Row], str | None]:
        """Do what a statement says.

        Returns:
            Rows, and what befalls the answer.

        Raises:
            SqlError: If it is refused.
        """
        with self.lock:
            self.state.statements.append(text)
            self.state.bindings.append(values)
        return self.do(command_of(text, values), place)

    def do(self, command: Command, place: tuple[str | None, str | None]) -> tuple[list[Row], str | None]:
        """Do what a statement, or a request for the same, says.

        Returns:
            Rows, and what befalls the answer.

        Raises:
            SqlError: If it is refused.
        """
        if command.name and len(command.name) < 3 and _is_placed(command.kind):
            if not all(place):
                raise SqlError(90105, "22000", "Cannot perform operation. This session does not have a current schema.")
            command = Command(command.kind, (*map(str, place), *command.name[-1:]), command.options)
        with self.lock:
            self.state.commands.append(command)
            fault = self._fault_of(command)
        if fault is not None and fault.when == "before":
            raise fault.error
        if command.kind in self.state.denied:
            raise SqlError(
                3001, "42501", "SQL access control error:\nInsufficient privileges to operate on the object."
            )
        if fault is not None and fault.when == "http":
            return [], "http"
        if fault is not None and fault.when == "slow":
            time.sleep(_SLOW_SECONDS)
        with self.lock:
            rows = self._DO[command.kind](self, command)
        return rows, fault.when if fault is not None else None

    def _fault_of(self, command: Command) -> Fault | None:
        for fault in self.state.faults:
            if fault.kind in {"*", command.kind} and fault.times != 0:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def _missing(self, what: str, name: str) -> SqlError:
        return SqlError(2003, "02000", f"SQL compilation error:\n{what} '{name}' does not exist or not authorized.")

    def _pool(self, name: str) -> Pool:
        if (pool := self.state.pools.get(name)) is None:
            raise self._missing("Compute pool", name)
        passed = time.monotonic() - pool.started_at
        if pool.state == "STARTING" and pool.start_seconds is not None and passed >= pool.start_seconds:
            pool.state = "IDLE"
        return pool

    def _describe_pool(self, command: Command) -> list[Row]:
        name = command.name[-1]
        pool = self._pool(name)
        return [
            {
                "name": name,
                "state": pool.state,
                "min_nodes": 1,
                "max_nodes": 1,
                "instance_family": "CPU_X64_XS",
                "num_services": 0,
                "num_jobs": len(self.jobs),
                "auto_suspend_secs": 3600,
                "auto_resume": str(pool.auto_resume).lower(),
                "error_code": "",
                "status_message": pool.message,
            }
        ]

    def _resume(self, command: Command) -> list[Row]:
        pool = self._pool(command.name[-1])
        if pool.state == "STOPPING":
            raise SqlError(392300, "55000", "Compute pool is stopping; try again when it is suspended.")
        if pool.state != "SUSPENDED":
            raise SqlError(392301, "55000", f"Compute pool '{command.name[-1]}' is not suspended.")
        pool.state, pool.started_at = "STARTING", time.monotonic()
        pool.resumed += 1
        return [{"status": "Statement executed successfully."}]

    def _schema(self, name: tuple[str, ...]) -> None:
        if name[:2] not in self.state.schemas:
            raise self._missing("Schema", ".".join(name[:2]))

    def _execute_job(self, command: Command) -> list[Row]:
        options = command.options
        self._schema(command.name)
        spec = read_specification(str(options["SPECIFICATION"]))
        pool = self._pool(str(options["COMPUTE_POOL"]))
        for integration in options.get("EXTERNAL_ACCESS_INTEGRATIONS", []):
            if integration not in self.state.integrations:
                raise self._missing("Integration", integration)
        warehouse = options.get("QUERY_WAREHOUSE")
        if warehouse is not None and warehouse not in self.state.warehouses:
            raise self._missing("Warehouse", warehouse)
        environment: dict[str, str] = {}
        for secret in spec["containers"][0].get("secrets", []):
            named: Any = secret["snowflakeSecret"]
            named = named if isinstance(named, str) else named.get("objectName")
            if named.upper() not in self.state.secrets:
                raise self._missing("Secret", named)
            if secret.get("envVarName"):
                environment[secret["envVarName"]] = self.state.secrets[named.upper()]
        if command.name in self.state.jobs:
            raise SqlError(2002, "42710", f"SQL compilation error:\nObject '{command.name[-1]}' already exists.")
        if pool.state == "SUSPENDED" and pool.auto_resume:
            pool.state, pool.started_at = "STARTING", time.monotonic()
        folder = Path(tempfile.mkdtemp(dir=self.folder.name))
        job = JobService(command.name, spec, environment, dict(options), folder, self.grace_seconds)
        self.state.jobs[command.name] = job
        self.state.started.append(job)
        self._begin(job)
        return [{"status": f"Started Snowpark Container Services Job '{command.name[-1]}'."}]

    def _begin(self, job: JobService) -> None:
        images = self.state.images
        if images is not None and job.container["image"] not in images:
            job.message = f"{_NO_IMAGE} {job.container['image']}: not found"
        elif self.pull_seconds is None:
            job.message = "Waiting to start"
        elif self.pull_seconds == 0:
            job.start()
        else:
            threading.Timer(self.pull_seconds, job.start).start()

    def _job(self, command: Command) -> JobService:
        self._schema(command.name)
        if (job := self.state.jobs.get(command.name)) is None:
            raise self._missing("Service", ".".join(command.name))
        return job

    @staticmethod
    def _row_of(job: JobService) -> Row:
        database, schema, name = job.name
        return {
            "name": name,
            "status": "DELETING" if job.is_dropped else job.status,
            "database_name": database,
            "schema_name": schema,
            "owner": "ROLE",
            "compute_pool": job.options["COMPUTE_POOL"],
            "current_instances": 1,
            "target_instances": 1,
            "created_on": job.created_at,
            "updated_on": job.created_at,
            "comment": job.options.get("COMMENT"),
            "query_warehouse": job.options.get("QUERY_WAREHOUSE"),
            "is_job": "true",
            "is_async_job": "true",
        }

    def _show_jobs(self, command: Command) -> list[Row]:
        self._schema(command.name)
        rows = [self._row_of(job) for job in self.jobs if job.name[:2] == command.name]
        rows = sorted(
            (row for row in rows if row["name"] > command.options.get("FROM", "")), key=lambda row: row["name"]
        )
        return rows[: command.options.get("LIMIT", 10_000)]

    def _describe_job(self, command: Command) -> list[Row]:
        job = self._job(command)
        return [{**self._row_of(job), "spec": json.dumps({"spec": job.spec})}]

    def _show_containers(self, command: Command) -> list[Row]:
        job = self._job(command)
        status = {"RUNNING": "READY"}.get(job.status, job.status)
        return [
            {
                "database_name": job.name[0],
                "schema_name": job.name[1],
                "service_name": job.name[2],
                "service_status": job.status,
                "instance_id": "0",
                "instance_status": status,
                "container_name": job.container["name"],
                "status": status,
                "message": job.message,
                "image_name": job.container["image"],
                "restart_count": 0,
                "start_time": job.created_at,
                "last_exit_code": job.exit_code,
            }
        ]

    def _logs(self, command: Command) -> list[Row]:
        job = self._job(command)
        instance, container, *rest = command.options["ARGUMENTS"]
        if (instance, container) != ("0", job.container["name"]):
            raise self._missing("Container", container)
        count = rest[0] if rest else 500
        return [{"SYSTEM$GET_SERVICE_LOGS": job.log(count, with_times=len(rest) > 2 and rest[2])}]

    def _drop(self, command: Command) -> list[Row]:
        self._schema(command.name)
        if (job := self.state.jobs.get(command.name)) is None:
            if command.options["IF EXISTS"]:
                return [{"status": "Drop statement executed successfully."}]
            raise self._missing("Service", ".".join(command.name))
        job.is_dropped = True
        threading.Thread(target=self._end, args=(job,), daemon=True).start()
        return [{"status": f"{command.name[-1]} successfully dropped."}]

    def _end(self, job: JobService) -> None:
        job.drop()
        if self.delete_seconds:
            time.sleep(self.delete_seconds)
        with self.lock:
            if self.state.jobs.get(job.name) is job:
                del self.state.jobs[job.name]

    def _create_secret(self, command: Command) -> list[Row]:
        self.state.secrets[".".join(command.name).upper()] = command.options["SECRET_STRING"]
        return [{"status": "Secret successfully created."}]

    def _clients(self, _: Command) -> list[Row]:
        return [{"SYSTEM$CLIENT_VERSION_INFO()": json.dumps([])}]  # every version of every client will do

    def _end_transaction(self, _: Command) -> list[Row]:
        return [{"status": "Statement executed successfully."}]

    _DO: dict[str, Callable[[Account, Command], list[Row]]] = {  # noqa: RUF012
        "EXECUTE JOB SERVICE": _execute_job,
        "DESCRIBE COMPUTE POOL": _describe_pool,
        "ALTER COMPUTE POOL RESUME": _resume,
        "SHOW JOB SERVICES": _show_jobs,
        "DESCRIBE SERVICE": _describe_job,
        "SHOW SERVICE CONTAINERS": _show_containers,
        "SYSTEM$GET_SERVICE_LOGS": _logs,
        "DROP SERVICE": _drop,
        "CREATE SECRET": _create_secret,
        "SYSTEM$CLIENT_VERSION_INFO": _clients,
        "COMMIT": _end_transaction,
        "ROLLBACK": _end_transaction,
    }


def _is_placed(kind: str) -> bool:
    return kind in {
        "EXECUTE JOB SERVICE", "DESCRIBE SERVICE", "SHOW SERVICE CONTAINERS", "SYSTEM$GET_SERVICE_LOGS", "DROP SERVICE",
    }  # fmt: skip
