"""Job services of one schema of Snowflake as a service that runs containers as jobs.

Each submission of a run has a job of its own, whose name follows from the submission: whoever asks for it again, and
after whatever loss, finds the same job.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import anyio
from prefect.logging import get_logger

from prefect_integration_kit.job_service import JobService, Seen
from prefect_integration_kit.kept import fingerprint
from prefect_integration_kit.output_streams import MOST_TAIL_LINES
from prefect_integration_kit.settlement import Ended
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, WaitTimeout, apoll

from ....errors import SnowflakeAccessDenied, SnowflakeError, SnowflakeObjectNotFound
from . import names, outcomes, statements
from .connection import Session
from .errors import ALREADY_EXISTS, SPCSJobFailed, SPCSWaitTimeout
from .listing import Listing
from .looks import Looks
from .names import ServiceName, read_identifier
from .output import Outputs
from .pools import ComputePools
from .views import SUCCEEDED, WAITING, ContainerView, ServiceView, main_of

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from prefect_integration_kit.logs import Log

    from ..settings import SPCSWorkerSettings
    from .configuration import SPCSWorkerConfiguration
    from .statements import JobRequest

_logger = get_logger("prefect_snowflake.spcs")

_LEAST_INTERVAL_SECONDS = 0.05
_ENDING_INTERVAL_SECONDS = 1.0


class SnowparkJobs(JobService["SPCSWorkerConfiguration"]):
    """Job services of one schema.

    Args:
        configuration: Names credentials, database and schema, and the interval.
        settings: Retries and time-outs.
        work_pool_id: Label of the worker's pool; empty outside of one.
        clock: Time.
    """

    kind = "Snowpark job"

    def __init__(
        self,
        configuration: SPCSWorkerConfiguration,
        *,
        settings: SPCSWorkerSettings,
        work_pool_id: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        credentials = configuration.snowflake_credentials
        database, schema = configuration.place
        interval = max(_LEAST_INTERVAL_SECONDS, float(configuration.service_watch_poll_interval))
        self.poll_interval_seconds = self._interval_seconds = interval
        self._settings = settings
        self._work_pool_id = work_pool_id
        self._clock = clock
        self._place = (database or "", schema or "")
        self._key = (fingerprint(credentials), *self._place, work_pool_id, interval)
        self._session = Session(credentials, settings, database=database, schema=schema, clock=clock)
        self._pools = ComputePools(self._session, interval_seconds=interval, clock=clock)
        self._listing = Listing(self._session, interval_seconds=interval, clock=clock)
        self._outputs = Outputs(
            interval_seconds=interval, tail_lines=settings.stream_tail_lines, logger=_logger, clock=clock
        )
        self._ended_at: dict[str, datetime] = {}
        self._unplaced: set[str] = set()

    @property
    def key(self) -> Hashable:
        """Two with the same key see the same jobs."""
        return self._key

    def name_of(self, identifier: str) -> str:
        """Name of the service."""
        return read_identifier(identifier).name

    def normal(self, identifier: str) -> str:
        """Write an identifier as `start` does; one without database and schema stays so until they are known."""
        read = read_identifier(identifier)
        if not read.database:
            if all(self._place):
                return str(ServiceName(read.name, *self._place))
            self._unplaced.add(read.name)
        return str(read)

    async def close(self) -> None:
        """End the session, and print nothing more."""
        await self._outputs.close()
        await self._session.close()

    async def _located(self, identifier: str) -> ServiceName:
        """A service with its database and schema.

        Raises:
            ValueError: If nothing says in which schema it is.
        """
        read = read_identifier(identifier)
        if read.database:
            return read
        return ServiceName(read.name, *await self._schema())

    async def _schema(self) -> tuple[str, str]:
        """Database and schema that jobs are made in.

        Raises:
            ValueError: If there are none, or have names that Snowflake does not take there.
        """
        if not all(self._place):
            database, schema = await self._session.place()
            if not database or not schema:
                raise ValueError(
                    "`service_database` and `service_schema` are missing, and the user of the credentials has no "
                    "default ones. Name the database and the schema that jobs are made in."
                )
            self._place = (
                names.plain_name(database, "service_database"),
                names.plain_name(schema, "service_schema"),
            )
        return self._place

    # Starting

    async def start(
        self,
        flow_run: FlowRun,
        configuration: SPCSWorkerConfiguration,
        *,
        submission: str,
        is_wanted: Callable[[], bool],
        logger: Log,
    ) -> str | None:
        """Start the job of a submission, and wait until its container runs, or has run.

        Raises:
            SPCSJobFailed: If the compute pool cannot take it.
            SPCSWaitTimeout: If compute pool or container take too long.
            SnowflakeError: If Snowflake refuses, or does not answer.
            ValueError: If the configuration contradicts itself.
        """
        request = configuration.job_request(configuration.name_for(submission), self._settings)
        service = await self._located(request.name)
        if not await self._pools.ready(
            request.compute_pool, configuration.pool_start_timeout_seconds, is_wanted, logger
        ):
            return None
        logger.info("Making Snowpark job '%s' in compute pool '%s'...", service, request.compute_pool)
        is_ours = False
        try:
            await self._execute(service, request, flow_run)
            is_ours = True
            runs = await self._running(service, configuration.service_start_timeout_seconds, is_wanted, logger)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(service, flow_run, logger, is_ours=is_ours)
            raise
        if not runs:
            await self._discard(service, flow_run, logger, is_ours=True)
            return None
        if configuration.stream_output:
            self._print_output(service)
        return str(service)

    async def _execute(self, service: ServiceName, request: JobRequest, flow_run: FlowRun) -> None:
        """Ask for a job, once: one of the name and for the run is there because somebody has asked before.

        Raises:
            SPCSJobFailed: If there is one of the name for something else.
        """
        try:
            statement = statements.execute_job(service, request)
            await self._session.rows(statement, f"Snowpark job {str(service)!r}", to_its_end=True)
        except SnowflakeError as exc:
            if exc.errno != ALREADY_EXISTS:
                raise
            if not await self._is_of(service, flow_run):
                message = f"{exc} It is not a job of flow run {flow_run.id}. Drop it, or give the run another name."
                raise SPCSJobFailed(message, subject=str(service)) from exc

    async def _is_of(self, service: ServiceName, flow_run: FlowRun) -> bool:
        view = await self._view(service)
        return view is not None and names.flow_run_of(view.labels) == flow_run.id

    async def _running(
        self, service: ServiceName, timeout_seconds: float, is_wanted: Callable[[], bool], logger: Log
    ) -> bool:
        """Wait until a job runs or has run; whether that is wanted still.

        Raises:
            SPCSWaitTimeout: If it takes too long.
        """
        looks, said = Looks(timeout_seconds, self._interval_seconds, self._clock), ""
        while is_wanted():
            view = await self._look(service)
            if view is not None and view.status not in WAITING and not view.is_going:
                return is_wanted()
            if view is not None and view.status != said:
                logger.info("Snowpark job '%s' is %s...", service, view.status)
                said = view.status
            if looks.are_over:
                containers = await self._containers(service)
                raise SPCSWaitTimeout(outcomes.why_late(str(service), view, containers, timeout_seconds))
            await looks.pause()
        return False

    async def _look(self, service: ServiceName) -> ServiceView | None:
        """How a job is, by the list that all share; one that is not listed yet by itself."""
        try:
            view = (await self._listing.jobs(service.database, service.schema)).get(service.name)
        except (SnowflakeAccessDenied, SnowflakeObjectNotFound):
            view = None
        return view or await self._view(service)

    async def _view(self, service: ServiceName) -> ServiceView | None:
        """Look at one job; `None` when there is none."""
        try:
            rows = await self._session.rows(statements.describe_service(service), f"Snowpark job {str(service)!r}")
        except SnowflakeObjectNotFound:
            return None
        return ServiceView.of(rows[0]) if rows else None

    async def _containers(self, service: ServiceName) -> list[ContainerView]:
        try:
            rows = await self._session.rows(statements.show_containers(service), f"Snowpark job {str(service)!r}")
        except SnowflakeObjectNotFound:
            return []
        return [ContainerView.of(row) for row in rows]

    async def _discard(self, service: ServiceName, flow_run: FlowRun, logger: Log, *, is_ours: bool) -> None:
        """Drop what was made in vain. Failing that, it is left to the sweep: the first error counts."""
        try:
            # An answer that was lost may have been a yes.
            if is_ours or await self._is_of(service, flow_run):
                await self._drop(service)
        except Exception as exc:  # noqa: BLE001 - see above
            logger.warning("Snowpark job '%s' could not be dropped; it is swept later: %s", service, exc)

    async def find(self, flow_run: FlowRun, configuration: SPCSWorkerConfiguration, *, submission: str) -> str | None:
        """Look for the job of a submission. One that waits to be started is none: who submits it again waits for it."""
        service = await self._located(configuration.name_for(submission))
        view = await self._view(service)
        if view is None or view.status in WAITING or view.is_going or names.flow_run_of(view.labels) != flow_run.id:
            return None
        return str(service)

    # Looking

    async def list_jobs(self) -> AsyncIterator[Seen]:
        """List the schema's jobs, in one list for all who want to know."""
        jobs = await self._listing.jobs(*await self._schema())
        self._ended_at = {name: moment for name, moment in self._ended_at.items() if name in jobs}
        for view in jobs.values():
            # Why a job failed, its containers say, which are not in the list.
            seen = self._seen(view, None, has_details=view.status in {SUCCEEDED} or not view.is_ended)
            yield seen
            if view.service.name in self._unplaced:
                yield self._seen(view, None, has_details=seen.has_details, identifier=view.service.name)

    async def inspect(self, identifier: str) -> Seen | None:
        """Look at one job, with all that Snowflake says of its end."""
        service = await self._located(identifier)
        view = await self._view(service)
        if view is None or view.status == "DELETED":
            return None
        container = None
        if view.is_ended and view.status != SUCCEEDED:
            container = main_of(await self._containers(service), view.labels.get(names.CONTAINER, ""))
        return self._seen(view, container, identifier=identifier)

    def _seen(
        self,
        view: ServiceView,
        container: ContainerView | None,
        *,
        has_details: bool = True,
        identifier: str | None = None,
    ) -> Seen:
        ended = None
        if view.is_ended:
            name = view.service.name
            self._outputs.has_ended(name)
            ended = Ended(
                name=f"Snowpark job {name}",
                message=outcomes.message_of(view, container),
                succeeded=view.status == SUCCEEDED,
                # Snowflake does not say when; what was seen first is a little later.
                ended_at=self._ended_at.setdefault(name, datetime.now(timezone.utc)),
                is_named_by=lambda pid: _names(pid, name),
                label=name,
            )
        pool = view.labels.get(names.WORK_POOL_ID)
        return Seen(
            identifier=identifier or str(view.service),
            flow_run_id=names.flow_run_of(view.labels),
            ended=ended,
            exit_code=outcomes.exit_code_of(view, container),
            created_at=view.created_at,
            is_ours=bool(self._work_pool_id) and pool == self._work_pool_id and not view.is_going,
            is_kept=view.labels.get(names.KEEP) == "true",
            has_details=has_details,
        )

    # Output

    def _print_output(self, service: ServiceName) -> None:
        container = ""

        async def read(lines: int | None) -> str:
            nonlocal container
            container = container or await self._container_of(service)
            return await self._log(service, container, lines or MOST_TAIL_LINES, with_times=True)

        self._outputs.start(service.name, read)

    async def _container_of(self, service: ServiceName) -> str:
        """Name of the container that runs the flow.

        Raises:
            SnowflakeObjectNotFound: If there is none.
        """
        view = await self._view(service)
        label = view.labels.get(names.CONTAINER, "") if view is not None else ""
        if not label and (main := main_of(await self._containers(service))) is not None:
            label = main.name
        if not label:
            raise SnowflakeObjectNotFound(f"Snowpark job {str(service)!r} has no container.")
        return label

    async def _log(self, service: ServiceName, container: str, lines: int, *, with_times: bool) -> str:
        statement = statements.service_logs(service, container, lines, with_times=with_times)
        rows = await self._session.rows(statement, f"Output of Snowpark job {str(service)!r}")
        value: Any = next(iter(rows[0].values()), "") if rows else ""
        return str(value or "")

    async def last_lines(self, identifier: str, count: int) -> str:
        """What the container that runs the flow printed last."""
        service = await self._located(identifier)
        return await self._log(service, await self._container_of(service), count, with_times=False)

    # Ends

    async def stop(self, identifier: str, grace_seconds: float) -> bool:
        """Drop a job that has not ended: Snowflake has no other way to end one. Its container gets SIGTERM.

        See https://docs.snowflake.com/en/sql-reference/sql/drop-service.
        """
        service = await self._located(identifier)
        view = await self._view(service)
        if view is None or view.status == "DELETED":
            return False
        if view.is_ended:
            return True
        await self._outputs.finish(service.name)
        try:
            await self._drop(service, grace_seconds)
        except SPCSWaitTimeout:
            return True
        return True

    async def delete(self, identifier: str) -> None:
        """Drop a job until Snowflake does not know it any more. All that it has printed is printed before."""
        service = await self._located(identifier)
        await self._outputs.finish(service.name)
        await self._drop(service)

    async def finish(self, identifier: str) -> None:
        """Print the output of a job that stays to its end."""
        await self._outputs.finish(self.name_of(identifier))

    async def _drop(self, service: ServiceName, timeout_seconds: float | None = None) -> None:
        """Drop a job, and wait until it is gone.

        Raises:
            SPCSWaitTimeout: If that takes too long.
        """
        subject = f"Snowpark job {str(service)!r}"
        try:
            await self._session.rows(statements.drop_service(service), subject)
        except SnowflakeObjectNotFound:
            return

        async def look() -> bool | None:
            view = await self._view(service)
            return True if view is None or view.status == "DELETED" else None

        timeout = self._settings.delete_timeout_seconds if timeout_seconds is None else timeout_seconds
        interval = min(_ENDING_INTERVAL_SECONDS, self._interval_seconds)
        try:
            await apoll(
                look,
                subject=f"The end of {subject}",
                interval_seconds=interval,
                timeout_seconds=timeout,
                clock=self._clock,
            )
        except WaitTimeout as exc:
            raise SPCSWaitTimeout(str(exc)) from exc


def _names(infrastructure_pid: str, name: str) -> bool:
    try:
        return read_identifier(infrastructure_pid).name == name
    except ValueError:
        return False


def located(configuration: SPCSWorkerConfiguration, identifier: str) -> SPCSWorkerConfiguration:
    """The configuration with the database and schema that an identifier names, where it does.

    Raises:
        ValueError: If the identifier names no service.
    """
    read = read_identifier(identifier)
    if not read.database:
        return configuration
    return configuration.model_copy(update={"service_database": read.database, "service_schema": read.schema})
