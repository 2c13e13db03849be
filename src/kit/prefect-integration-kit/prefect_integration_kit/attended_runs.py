"""The runs that a worker attends to until what they run in has ended: jobs of a cloud, containers of an engine.

One body for the workers that see each run through. A run whose infrastructure ended without a word is settled, a
cancelled one stopped, and what has ended is cleared away. A package says how its infrastructure is started, how its end
is learnt, how it is stopped and cleared away, and what it said last.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from uuid import UUID

import anyio
import anyio.abc

from . import workers
from .background import Background
from .cancellation import Cancellation
from .logs import Log
from .settlement import Ended, Settled, settle
from .waiting import Backoff, aretry

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.workers.base import BaseJobConfiguration, BaseWorker

    C = TypeVar("C", bound=BaseJobConfiguration)
else:
    C = TypeVar("C")

T = TypeVar("T")
"""What one run runs in, once it has been started."""

_DRAIN_SECONDS = 10.0
_SETTLE = Backoff(deadline_seconds=60.0)


class Attendance(Protocol):
    """Settings that say how runs are attended to."""

    @property
    def cancellation_grace_seconds(self) -> float:
        """Seconds that a cancelled run has to end by itself."""
        ...

    @property
    def report_grace_seconds(self) -> float:
        """Seconds after which a run that has reported no end counts as crashed, when its infrastructure succeeded."""
        ...

    @property
    def crash_log_lines(self) -> int:
        """How many of the last lines of output are sent to the logs of a run that crashes."""
        ...


@dataclass(frozen=True)
class Finished:
    """Infrastructure that has come to its end; without an identifier when there never was any."""

    identifier: str
    status_code: int


@dataclass(frozen=True)
class End:
    """How infrastructure ended.

    Attributes:
        ended: The same, as runs are settled by it.
        status_code: Its exit code.
        is_left: Whether there is something to clear away.
    """

    ended: Ended
    status_code: int
    is_left: bool


class AttendedRuns(ABC, Generic[C, T]):
    """The runs of one worker."""

    def __init__(
        self,
        worker: BaseWorker[C, Any, Any],
        attendance: Attendance,
        *,
        look_seconds: float,
        retry_seconds: float,
        infrastructure: str,
        plain_secrets: Mapping[str, str],
    ) -> None:
        """Say for which worker.

        Args:
            worker: The worker.
            attendance: How runs are attended to.
            look_seconds: Seconds between two looks for runs that were cancelled.
            retry_seconds: Seconds after which a report that failed is tried again.
            infrastructure: What gets the environments of runs, in the plural: `Docker containers`.
            plain_secrets: Variables whose values are secret, and for each the remedy, should one go out as plain text.
        """
        self.serving = False
        self.running: dict[UUID, T] = {}
        self.settled: set[UUID] = set()
        self._worker = worker
        self._attendance = attendance
        self._look_seconds = look_seconds
        self._retry_seconds = retry_seconds
        self._cancelled: dict[UUID, bool] = {}
        self._ending: set[UUID] = set()
        self._background = Background()
        self._serving = Background()
        self._unattended: dict[UUID, asyncio.Task[None]] = {}
        self._plain_secrets = workers.PlainSecretWarning(workers.logger_of(worker), infrastructure, plain_secrets)

    # What a package says

    @abstractmethod
    async def _begin(self, flow_run: FlowRun, configuration: C, is_wanted: Callable[[], bool], logger: Log) -> T | None:
        """Start what a run runs in, and log that; `None` when the run was cancelled before."""

    @abstractmethod
    async def _await_end(self, item: T) -> End:
        """Wait until it has ended, or is gone."""

    @abstractmethod
    async def _stop(self, item: T) -> None:
        """Stop it, since its run was cancelled. Called again and again until its end is seen; raises what fails."""

    @abstractmethod
    async def _clear_away(self, item: T) -> None:
        """Remove what has ended, unless it is to be kept. What fails is logged: the run's end counts."""

    @abstractmethod
    async def _last_lines(self, item: T, count: int) -> str:
        """The last lines of its output."""

    @abstractmethod
    def _identifier_of(self, item: T) -> str:
        """What the run's `infrastructure_pid` says."""

    @abstractmethod
    def _title_of(self, item: T) -> str:
        """Kind and name, as messages say it within a sentence: `container 'x'`."""

    @abstractmethod
    def _rounds(self) -> Iterable[Coroutine[Any, Any, None]]:
        """What a worker that serves its pool does beside its runs, for ever."""

    # While the worker is open

    def open(self) -> None:
        """Begin to look after cancelled runs; where the worker serves its pool, after what was left behind, too."""
        self._background.open()
        cancellation = Cancellation(
            self._worker,
            running=self.running,
            stop=self._stop,
            interval_seconds=self._look_seconds,
            grace_seconds=self._attendance.cancellation_grace_seconds,
        )
        self._background.start(cancellation.repeat())
        if self.serving:
            self._serving.open()
            for work in self._rounds():
                self._serving.start(work)

    async def begin_to_close(self) -> None:
        """Pick up nothing more. Where a flow was called, give what it runs in time to end when its run has."""
        await self._serving.close()
        client = workers.client_of(self._worker)
        if self.serving or client is None:
            return
        ending: list[asyncio.Task[None]] = []
        for flow_run_id, task in list(self._unattended.items()):
            try:
                flow_run = await client.read_flow_run(flow_run_id)
            except Exception:  # noqa: BLE001, S112 - then it is not waited for
                continue
            if flow_run.state is not None and flow_run.state.is_final():
                ending.append(task)
        if ending:
            await asyncio.wait(ending, timeout=_DRAIN_SECONDS)

    async def close(self) -> None:
        """Stop looking. What runs goes on; the next worker finds it."""
        await self._background.close()

    # Running

    async def run(self, flow_run: FlowRun, configuration: C, task_status: anyio.abc.TaskStatus[Any] | None) -> Finished:
        """Start what a run runs in, and see it through until it is cleared away."""
        item = await self._start(flow_run, configuration)
        if task_status is not None:
            task_status.started(None if item is None else self._identifier_of(item))
        elif item is not None:
            await self._store_identifier(flow_run, item)
        if item is None:
            return Finished("", 0)
        return await self._see_through(flow_run, item)

    async def initiate(self, flow_run: FlowRun, configuration: C) -> None:
        """Start what a run runs in, and see it through in the background for as long as the worker is open."""
        item = await self._start(flow_run, configuration)
        if item is not None:
            await self._store_identifier(flow_run, item)
            self._see_through_in_background(flow_run, item)

    def _see_through_in_background(self, flow_run: FlowRun, item: T) -> None:
        """Look after what runs. It counts towards the worker's limit until its end."""
        self.running[flow_run.id] = item
        workers.take_slot(self._worker, flow_run.id)
        if (task := self._background.start(self._unattended_run(flow_run, item))) is not None:
            self._unattended[flow_run.id] = task

    async def _unattended_run(self, flow_run: FlowRun, item: T) -> None:
        try:
            await self._see_through(flow_run, item)
            self.settled.discard(flow_run.id)
        except Exception:
            logger = self._worker.get_flow_run_logger(flow_run)
            logger.exception("%s is not looked after any more.", self._subject_of(item))
        finally:
            self._unattended.pop(flow_run.id, None)
            workers.release_slot(self._worker, flow_run.id)

    async def _start(self, flow_run: FlowRun, configuration: C) -> T | None:
        """Start it; `None` when the run was cancelled before."""
        self.settled.discard(flow_run.id)
        self._cancelled[flow_run.id] = False

        def is_wanted() -> bool:
            return not self._cancelled.get(flow_run.id)

        try:
            self._plain_secrets.look_at(configuration.env)
            logger = self._worker.get_flow_run_logger(flow_run)
            item = await self._begin(flow_run, configuration, is_wanted, logger)
            if item is None:
                return None
            self.running[flow_run.id] = item
            if not is_wanted():
                await self._stop_at_once(item)
        finally:
            self._cancelled.pop(flow_run.id, None)
        return item

    async def _see_through(self, flow_run: FlowRun, item: T) -> Finished:
        """Wait for the end, settle the run, clear away."""
        try:
            end = await self._await_end(item)
            self._ending.add(flow_run.id)
        finally:
            self.running.pop(flow_run.id, None)
        settled = None
        try:
            settled = await self._settle(flow_run, item, end.ended)
            if end.is_left:
                await self._clear_away(item)
        finally:
            if settled is not Settled.LATER:
                self._ending.discard(flow_run.id)
        if settled is not None and end.status_code != 0:
            self.settled.add(flow_run.id)
        return Finished(self._identifier_of(item), end.status_code)

    async def _stop_at_once(self, item: T) -> None:
        try:
            await self._stop(item)
        except Exception as exc:  # noqa: BLE001 - the look for cancelled runs tries again
            logger = workers.logger_of(self._worker)
            logger.warning("%s could not be stopped at once; trying on: %s", self._subject_of(item), exc)

    async def _store_identifier(self, flow_run: FlowRun, item: T) -> None:
        await workers.store_identifier(self._worker, flow_run, self._identifier_of(item), self._title_of(item))

    def _subject_of(self, item: T) -> str:
        """The title as a sentence begins with it."""
        title = self._title_of(item)
        return title[:1].upper() + title[1:]

    # Settling

    async def _settle(self, flow_run: FlowRun, item: T, ended: Ended) -> Settled | None:
        """Give the run its final state if it lacks one; say what was done, `None` when nobody could be asked."""
        client = workers.client_of(self._worker)
        if client is None:
            return None
        logger = self._worker.get_flow_run_logger(flow_run)
        grace = self._attendance.report_grace_seconds

        async def work() -> Settled:
            return await settle(flow_run.id, ended, client=client, logger=logger, grace_seconds=grace)

        try:
            settled = await aretry(work, is_transient=lambda _: True, backoff=_SETTLE)
        except Exception as exc:  # noqa: BLE001 - it has ended, whatever the API says
            logger.warning("The end of %s could not be reported: %s", ended.name, exc)
            return None
        if settled is Settled.CRASHED:
            await self._explain(flow_run, item)
        elif settled is Settled.LATER and self._background.start(self._settle_later(flow_run, ended)) is None:
            self._ending.discard(flow_run.id)
        return settled

    async def _settle_later(self, flow_run: FlowRun, ended: Ended) -> None:
        """Wait for the run's own report, and settle it when it does not come."""
        logger = self._worker.get_flow_run_logger(flow_run)
        grace = self._attendance.report_grace_seconds
        settled = Settled.LATER
        while settled is Settled.LATER:
            passed = (datetime.now(timezone.utc) - ended.ended_at).total_seconds() if ended.ended_at else 0.0
            await anyio.sleep(max(0.5, grace - passed))
            try:
                client = self._worker.client
                settled = await settle(flow_run.id, ended, client=client, logger=logger, grace_seconds=grace)
            except Exception as exc:  # noqa: BLE001 - tried again
                logger.warning("The end of %s could not be reported; trying on: %s", ended.name, exc)
                await anyio.sleep(self._retry_seconds)
        self._ending.discard(flow_run.id)

    async def _explain(self, flow_run: FlowRun, item: T) -> None:
        """Tell a crashed run's logs what was said last."""
        if not self._attendance.crash_log_lines:
            return
        try:
            said = await self._last_lines(item, self._attendance.crash_log_lines)
        except Exception as exc:  # noqa: BLE001 - it only explains
            logger = workers.logger_of(self._worker)
            logger.warning("The last output of %s cannot be read: %s", self._title_of(item), exc)
            return
        if said.strip():
            logger = self._worker.get_flow_run_logger(flow_run)
            logger.info("The last output of %s:\n%s", self._title_of(item), said.rstrip())

    # Ends

    def cancel_requested(self, flow_run_id: UUID) -> None:
        """A run that is being submitted is no longer wanted."""
        if flow_run_id in self._cancelled:
            self._cancelled[flow_run_id] = True

    def is_busy_with(self, flow_run_id: UUID) -> bool:
        """Whether what the run runs in is being started or looked after, or its end being reported."""
        return flow_run_id in self._cancelled or flow_run_id in self.running or flow_run_id in self._ending

    def holds_slot(self, flow_run_id: UUID) -> bool:
        """Whether a run that is looked after in the background counts towards the worker's limit."""
        return flow_run_id in self._unattended
