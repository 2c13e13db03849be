"""Receive messages for ever, act on each, and take it from the service only when that has succeeded.

A package describes its service by a `MessageSource`; `message_actions` has what can be done with a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from .dispatch import run_sync_in_worker_thread
from .health import Health, HealthMonitor
from .logs import run_logger
from .message_actions import Action, M, Malformed, NotYet, identity_of
from .remote_work import Failures
from .waiting import Backoff, Clock

V = TypeVar("V")

_FOR_EVER = float("inf")
_PAUSE = Backoff(initial_seconds=1.0, maximum_seconds=60.0, deadline_seconds=_FOR_EVER)
_EMPTY_SECONDS = 1.0
_REMEMBERED = 10_000
_PATIENCE, _ERRORS = 3, 5


@dataclass
class TriggerCounts:
    """What a trigger has done.

    Attributes:
        started: Messages that were acted on, such as by starting a flow run, and were taken from the service.
        malformed: Messages that nothing can be made of; they stay with the service, or are put aside there.
        failed: Deliveries that could not be handled at the time; the messages come again.
    """

    started: int = 0
    malformed: int = 0
    failed: int = 0


class MessageSource(ABC, Generic[M]):
    """Where messages come from. The methods make one request each, block the thread, and raise translated errors.

    Attributes:
        failures: The package's errors.
        max_batch: How many messages one request gives at most.
        remedy: What is said, after its subject, of a source that puts no messages aside.
        waits: Whether `receive` waits at the service when there is no message.
        lease_seconds: Seconds until a message that is being worked on must be kept once more; `None` when it never is.
    """

    failures: ClassVar[Failures]
    max_batch: ClassVar[int] = 10
    remedy: ClassVar[str] = ""
    waits: bool = True
    lease_seconds: float | None = None

    @property
    @abstractmethod
    def subject(self) -> str:
        """What it is, for messages."""

    @abstractmethod
    def puts_aside(self) -> bool:
        """Say whether messages that are received too often go elsewhere. A missing source is an error."""

    @abstractmethod
    def is_missing(self, error: Exception) -> bool:
        """Say whether an error means that the source is not there."""

    @abstractmethod
    def receive(self, maximum: int) -> list[M]:
        """Receive messages, which others do not get for a while."""

    @abstractmethod
    def take(self, message: M) -> str | None:
        """Take a message away for good; returns why it could not be, if it comes again."""

    @abstractmethod
    def hide(self, message: M, seconds: int) -> None:
        """Have a message come again after so many seconds; 0 gives it back at once."""

    def reject(self, message: M, why: str) -> bool:
        """Put a message aside at once, because nothing can be made of it, and say so.

        Where the service cannot, it is left there, and put aside after some deliveries if the service is told to.

        Args:
            message: The message.
            why: What is wrong with it.

        Returns:
            Whether it was put aside.
        """
        del message, why
        return False

    def keep(self, messages: Sequence[M]) -> None:
        """Keep messages that are being worked on from others for `lease_seconds` and more."""

    async def close(self) -> None:
        """Give back what is still held, and close what was opened; nothing is received any more."""

    async def in_thread(self, call: Callable[[], V], *, waits: bool = False) -> V:
        """Make a request in a thread: one of Prefect's, unless a package has a pool of its own for requests.

        Args:
            call: The request.
            waits: Whether the service may keep the request for long, as with `receive`.
        """
        del waits
        return await run_sync_in_worker_thread(call)


class TriggerRun(Generic[M]):
    """One call of `run`: what is under way, and what went wrong lately.

    Args:
        source: Where messages come from.
        action: What is done with each.
        concurrency: How many messages are worked on at a time.
        max_backoff_seconds: Most seconds for which a message is put back.
        clock: Time.
    """

    def __init__(
        self, source: MessageSource[M], action: Action[M], *, concurrency: int, max_backoff_seconds: float, clock: Clock
    ) -> None:
        self._source = source
        self._action = action
        self._concurrency = concurrency
        self._put_back = Backoff(
            initial_seconds=min(10.0, max_backoff_seconds),
            maximum_seconds=max_backoff_seconds,
            deadline_seconds=_FOR_EVER,
        )
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._counts = TriggerCounts()
        self._receive_failures = 0  # one after the other
        self._work_failures = 0
        self._warned: OrderedDict[str, None] = OrderedDict()
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._work: set[asyncio.Task[None]] = set()
        self._logger = run_logger(__name__)
        self._monitor = HealthMonitor(source.subject, self._logger, Health(), patience=_PATIENCE, memory=_ERRORS)

    @property
    def health(self) -> Health:
        """Whether the service answers, and what is asked of others works."""
        return self._monitor.health

    def stop(self) -> None:
        """Return when what is under way is finished; any thread may call it."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def run(self, *, until_empty: bool) -> TriggerCounts:
        """Receive and act, until stopped.

        Args:
            until_empty: Whether to return when there are no more messages.

        Raises:
            Exception: What will not pass: a missing source, a denied request.
        """
        self._monitor.starting()
        try:
            return await self._run(until_empty)
        finally:
            self._monitor.stopped()

    async def _run(self, until_empty: bool) -> TriggerCounts:
        await self._look_at_source()
        await self._await_action()
        self._logger.info("Starting %s for messages of %s", self._action.subject, self._source.subject)
        try:
            while not self._stopping.is_set():
                if await self._turn():
                    continue
                if until_empty and not self._work:
                    break
                if until_empty:
                    await self._wait_for_work(asyncio.ALL_COMPLETED)
                elif not self._source.waits:  # the request did not wait, and each one costs something
                    await self._unless_stopped(self._clock.asleep(_EMPTY_SECONDS))
            await self._wait_for_work(asyncio.ALL_COMPLETED)
        finally:
            for work in self._work:
                work.cancel()
            await asyncio.gather(*self._work, return_exceptions=True)
        self._logger.info("Stopped receiving from %s: %s", self._source.subject, self._counts)
        return self._counts

    async def _turn(self) -> bool:
        """Receive once, and say whether there may be more."""
        free = self._concurrency - len(self._work)
        if free < 1:
            await self._wait_for_work(asyncio.FIRST_COMPLETED)
            return True
        if failures := max(self._receive_failures, self._work_failures):
            await self._unless_stopped(self._clock.asleep(_PAUSE.delay(failures)))
        await self._wait_for_work(None)
        messages = await self._receive(free)
        if messages is None:
            return True
        if self._stopping.is_set():
            for message in messages:
                await self._hide(message, 0)
            return True
        for group in in_groups(messages):
            self._work.add(asyncio.create_task(self._handle_all(group)))
        return bool(messages)

    async def _wait_for_work(self, until: str | None) -> None:
        """Take note of work that is done; an error that will not pass ends the run."""
        if until is not None and self._work:
            await asyncio.wait(self._work, return_when=until)
        done = {work for work in self._work if work.done()}
        self._work -= done
        for work in done:
            work.result()

    async def _unless_stopped(self, wait: Coroutine[Any, Any, None]) -> None:
        waits = [asyncio.ensure_future(wait), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _receive(self, free: int) -> list[M] | None:
        """Receive once; `None` when that failed for a passing reason."""
        # After a failure one message is enough to see whether it is over: services count deliveries.
        has_failed = self._receive_failures or self._work_failures
        maximum = 1 if has_failed else min(free, self._source.max_batch)
        try:
            messages = await self._source.in_thread(partial(self._source.receive, maximum), waits=True)
        except self._source.failures.base as exc:
            if self._source.failures.is_passing(exc) is False:
                raise
            self._receive_failures += 1
            self._monitor.failed(str(exc))
            self._logger.warning("Could not receive from %s, will try again: %s", self._source.subject, exc)
            return None
        self._receive_failures = 0
        if not self._work_failures:
            self._monitor.succeeded()
        return messages

    async def _look_at_source(self) -> None:
        try:
            puts_aside = await self._source.in_thread(self._source.puts_aside)
        except self._source.failures.base as exc:  # not everyone may ask, and nothing depends on it
            if self._source.is_missing(exc):
                raise
            self._logger.debug("Could not look at %s: %s", self._source.subject, exc)
            return
        if not puts_aside:
            self._logger.warning("%s %s", self._source.subject, self._source.remedy)

    async def _await_action(self) -> None:
        """Get the action ready; what cannot be reached yet is waited for."""
        while not self._stopping.is_set():
            try:
                await self._action.prepare()
            except NotYet as exc:
                self._work_failures += 1
                self._monitor.failed(str(exc))
                self._logger.warning("Not ready, will try again: %s", exc)
            else:
                break
            await self._unless_stopped(self._clock.asleep(_PAUSE.delay(self._work_failures)))
        self._work_failures = 0

    async def _handle_all(self, group: list[M]) -> None:
        """Handle messages in order; behind one that stays with the service the others must stay, too."""
        left = list(group)
        async with self._kept(left):
            while left:
                if not await self._handle(left[0]):
                    return
                left.pop(0)

    @contextlib.asynccontextmanager
    async def _kept(self, left: list[M]) -> AsyncGenerator[None]:
        """Keep messages from others while they are worked on."""
        if self._source.lease_seconds is None:
            yield
            return
        keeping = asyncio.create_task(self._keep(left, self._source.lease_seconds))
        try:
            yield
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping

    async def _keep(self, left: list[M], seconds: float) -> None:
        while True:
            await self._clock.asleep(seconds)
            messages = list(left)
            try:
                await self._source.in_thread(partial(self._source.keep, messages))
            except self._source.failures.base as exc:  # at worst it is delivered twice
                self._logger.warning("Could not keep %d messages from others: %s", len(messages), exc)

    async def _handle(self, message: M) -> bool:
        try:
            done = await self._action.act(message)
        except Malformed as exc:
            await self._leave_malformed(message, str(exc))
            return False
        except NotYet as exc:
            await self._leave_for_later(message, str(exc))
            return False
        self._logger.info("Message %s %s", message.message_id, done)
        self._work_failures = 0
        self._monitor.succeeded()
        self._attempts.pop(identity_of(message), None)
        return await self._take(message)

    async def _leave_malformed(self, message: M, why: str) -> None:
        """Have the service put the message aside, or leave it there, where that happens after some deliveries."""
        is_aside = False
        try:
            is_aside = await self._source.in_thread(partial(self._source.reject, message, why))
        except self._source.failures.base as exc:  # it comes again, and is put aside then
            self._logger.debug("Could not put message %s aside: %s", message.message_id, exc)
        identity = identity_of(message)
        if identity in self._warned:
            return
        self._warned[identity] = None
        if len(self._warned) > _REMEMBERED:
            self._warned.popitem(last=False)
        self._counts.malformed += 1
        became = "was put aside" if is_aside else "stays there"
        self._logger.warning(
            "Message %s of %s is malformed and %s: %s", message.message_id, self._source.subject, became, why
        )

    async def _leave_for_later(self, message: M, why: str) -> None:
        self._work_failures += 1
        self._monitor.failed(why)
        self._counts.failed += 1
        identity = identity_of(message)
        attempts = self._attempts[identity] = self._attempts.get(identity, 0) + 1
        if len(self._attempts) > _REMEMBERED:
            self._attempts.popitem(last=False)
        seconds = max(1, round(self._put_back.delay(max(attempts, message.receive_count))))
        self._logger.warning(
            "No %s for message %s yet, it comes again in %d seconds: %s",
            self._action.outcome,
            message.message_id,
            seconds,
            why,
        )
        await self._hide(message, seconds)

    async def _hide(self, message: M, seconds: int) -> None:
        try:
            await self._source.in_thread(partial(self._source.hide, message, seconds))
        except self._source.failures.base as exc:  # it comes again all the same, at another time
            self._logger.debug("Could not put message %s back: %s", message.message_id, exc)

    async def _take(self, message: M) -> bool:
        why = await self._source.in_thread(partial(self._source.take, message))
        if why is not None:
            self._logger.warning(
                "Message %s could not be taken away and comes again; it has its %s and gets no other: %s",
                message.message_id,
                self._action.outcome,
                why,
            )
            return False
        self._counts.started += 1
        return True


def in_groups(messages: list[M]) -> Iterator[list[M]]:
    """Put messages of one group together, in order; others stand alone."""
    groups: dict[str, list[M]] = {}
    for message in messages:
        key = f"group {message.group_id}" if message.group_id is not None else f"message {message.message_id}"
        groups.setdefault(key, []).append(message)
    yield from groups.values()


class Runs(Generic[M]):
    """The calls of `run` that a trigger has under way, to stop them and to ask how they are."""

    def __init__(self) -> None:
        self._runs: list[TriggerRun[M]] = []
        self._last: Health = Health()

    def __len__(self) -> int:
        return len(self._runs)

    async def run(self, run: TriggerRun[M], *, until_empty: bool) -> TriggerCounts:
        """Have one run, and know of it meanwhile."""
        self._runs.append(run)
        try:
            return await run.run(until_empty=until_empty)
        finally:
            self._runs.remove(run)
            self._last = run.health

    def stop(self) -> None:
        """Stop them all; any thread may call it."""
        for run in list(self._runs):
            run.stop()

    @property
    def health(self) -> Health:
        """The health of the latest; of the one that ended last when there is none."""
        runs = list(self._runs)
        return runs[-1].health if runs else self._last

    async def until_told(self, run: Coroutine[Any, Any, TriggerCounts]) -> TriggerCounts:
        """Await a run that SIGTERM and SIGINT stop, where this is the main thread."""
        loop = asyncio.get_running_loop()
        handled: list[int] = []
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                with contextlib.suppress(NotImplementedError):  # Windows
                    loop.add_signal_handler(number, self.stop)
                    handled.append(number)
        try:
            return await run
        finally:
            for number in handled:
                loop.remove_signal_handler(number)
