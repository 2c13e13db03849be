"""The work of an SQS trigger: receive, make parameters, create the flow run, delete the message, or leave it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from prefect_integration_kit.dispatch import run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import Backoff, Clock

from ._remote_work import is_passing
from ._sqs_queue import MAX_BATCH, MAX_VISIBILITY_SECONDS, SqsMessage, SqsQueue
from .errors import AwsBatchRefused, AwsError, AwsInvalidRequest, AwsNotFound

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

ParameterMap = Mapping[str, str] | Callable[[SqsMessage], Mapping[str, Any]]

_FOR_EVER = float("inf")
_PAUSE = Backoff(initial_seconds=1.0, maximum_seconds=60.0, deadline_seconds=_FOR_EVER)
_EMPTY_SECONDS = 1.0
_REMEMBERED = 10_000
_MAX_SAID = 500
# What Prefect's API answers when the parameters do not fit the deployment.
_UNFIT = frozenset({400, 409, 422})
_NOT_FOUND = 404
_WHOLE_BODY = "."


@dataclass
class TriggerCounts:
    """What a trigger has done.

    Attributes:
        started: Messages for which there is a flow run, and which were deleted.
        malformed: Messages that no flow run can be made of; they stay in the queue.
        failed: Deliveries that could not be handled at the time; the messages come again.
    """

    started: int = 0
    malformed: int = 0
    failed: int = 0


class Malformed(ValueError):
    """No flow run can be made of a message."""


@dataclass(frozen=True)
class TriggerOptions:
    """What `SqsFlowTrigger` is made with; its documentation says what each is."""

    queue_url: str
    deployment: str
    parameters: ParameterMap | None
    body_format: str
    concurrency: int
    wait_seconds: int
    visibility_seconds: int
    max_backoff_seconds: int
    tags: tuple[str, ...]

    def check(self, queue: SqsQueue) -> None:
        """Refuse what makes no sense.

        Raises:
            AwsInvalidRequest: Naming the argument.
        """
        queue.check_times(self.wait_seconds, self.visibility_seconds)
        empty = [] if self.parameters is None or callable(self.parameters) else _empty(self.parameters)
        is_known = "/" in self.deployment or _is_uuid(self.deployment)
        most = MAX_VISIBILITY_SECONDS
        checks = [
            (is_known, f"deployment is {self.deployment!r}; give it as flow/deployment, or its ID"),
            (self.concurrency >= 1, f"concurrency is {self.concurrency}; it must be at least 1"),
            (
                1 <= self.max_backoff_seconds <= most,
                f"max_backoff_seconds is {self.max_backoff_seconds}; from 1 to {most} are allowed",
            ),
            (
                self.body_format in ("json", "text"),
                f"body_format is {self.body_format!r}; it must be 'json' or 'text'",
            ),
            (not empty, f"the path of parameter {''.join(empty[:1])!r} is empty; '.' is the whole body"),
        ]
        for is_fine, problem in checks:
            if not is_fine:
                raise AwsInvalidRequest(f"Trigger of {queue.subject}: {problem}.", subject=queue.subject)


def _empty(paths: Mapping[str, str]) -> list[str]:
    return [name for name, path in paths.items() if not path]


def flow_parameters(message: SqsMessage, options: TriggerOptions) -> dict[str, Any]:
    """Make the parameters of the flow run for a message.

    Raises:
        ValueError: If no parameters can be made of it.
    """
    parameters = options.parameters
    if callable(parameters):
        try:
            return dict(parameters(message))
        except (ValueError, LookupError, TypeError) as exc:
            raise Malformed(f"{type(exc).__name__}: {exc}") from exc
    body = message.json() if options.body_format == "json" else message.body
    if parameters is None:
        return {"message": body}
    return {name: find_value(body, path) for name, path in parameters.items()}


def find_value(body: Any, path: str) -> Any:
    """Find a value in what was read from JSON.

    Args:
        body: The body.
        path: Names of fields and places in lists, from 0, with points between; `.` is the whole body.

    Raises:
        Malformed: If there is no such value.
    """
    found = body
    for name in path.split(".") if path != _WHOLE_BODY else ():
        if isinstance(found, dict) and name in found:
            found = cast("dict[str, Any]", found)[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(cast("list[Any]", found)):
            found = cast("list[Any]", found)[int(name)]
        else:
            raise Malformed(f"the body has no {path!r}")
    return found


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


class TriggerRun:
    """One call of `run`: what is under way, and what went wrong lately."""

    def __init__(self, options: TriggerOptions, queue: SqsQueue, client: PrefectClient, clock: Clock) -> None:
        self._options = options
        self._put_back = Backoff(
            initial_seconds=10.0, maximum_seconds=options.max_backoff_seconds, deadline_seconds=_FOR_EVER
        )
        self._clock = clock
        self._queue = queue
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._counts = TriggerCounts()
        self._failures = 0  # one after the other
        self._warned: OrderedDict[str, None] = OrderedDict()
        self._deployment_id = UUID(int=0)
        self._work: set[asyncio.Task[None]] = set()
        self._logger = run_logger(__name__)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def run(self, *, until_empty: bool) -> TriggerCounts:
        await self._look_at_queue()
        await self._await_deployment()
        self._logger.info("Starting %s for messages of %s", self._options.deployment, self._queue.subject)
        try:
            while not self._stopping.is_set():
                if await self._turn():
                    continue
                if until_empty and not self._work:
                    break
                if until_empty:
                    await self._wait_for_work(asyncio.ALL_COMPLETED)
                elif not self._options.wait_seconds:  # the request did not wait, and each one costs money
                    await self._unless_stopped(self._clock.asleep(_EMPTY_SECONDS))
            await self._wait_for_work(asyncio.ALL_COMPLETED)
        finally:
            for work in self._work:
                work.cancel()
            await asyncio.gather(*self._work, return_exceptions=True)
        self._logger.info("Stopped receiving from %s: %s", self._queue.subject, self._counts)
        return self._counts

    async def _turn(self) -> bool:
        """Receive once, and say whether there may be more."""
        free = self._options.concurrency - len(self._work)
        if free < 1:
            await self._wait_for_work(asyncio.FIRST_COMPLETED)
            return True
        if self._failures:
            await self._unless_stopped(self._clock.asleep(_PAUSE.delay(self._failures)))
        await self._wait_for_work(None)
        messages = await self._receive(free)
        if messages is None:
            return True
        if self._stopping.is_set():
            for message in messages:
                await self._hide(message, 0)
            return True
        for group in _in_groups(messages):
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

    async def _receive(self, free: int) -> list[SqsMessage] | None:
        """Receive once; `None` when that failed for a passing reason."""
        options = self._options
        # After a failure one message is enough to see whether it is over: each delivery counts for the redrive policy.
        maximum = 1 if self._failures else min(free, MAX_BATCH)
        receive = partial(self._queue.receive, maximum, options.wait_seconds, options.visibility_seconds)
        try:
            return await run_sync_in_worker_thread(receive)
        except AwsError as exc:
            if not is_passing(exc):
                raise
            self._failures += 1
            self._logger.warning("Could not receive from %s, will try again: %s", self._queue.subject, exc)
            return None

    async def _look_at_queue(self) -> None:
        try:
            has_other = await run_sync_in_worker_thread(self._queue.has_dead_letter_queue)
        except AwsNotFound:
            raise
        except AwsError as exc:  # not everyone may ask, and nothing depends on it
            self._logger.debug("Could not look at %s: %s", self._queue.subject, exc)
            return
        if not has_other:
            self._logger.warning(
                "%s has no dead-letter queue, so malformed messages come again until they expire. Give it a redrive "
                "policy.",
                self._queue.subject,
            )

    async def _await_deployment(self) -> None:
        """Find the deployment; an API that cannot be reached yet is waited for."""
        while not self._stopping.is_set() and not await self._has_deployment():
            await self._unless_stopped(self._clock.asleep(_PAUSE.delay(self._failures)))
        self._failures = 0

    async def _has_deployment(self) -> bool:
        import httpx

        try:
            self._deployment_id = await self._find_deployment()
        except httpx.TransportError as exc:
            self._failures += 1
            self._logger.warning("Could not ask Prefect for the deployment, will try again: %s", _said(exc))
            return False
        return True

    async def _find_deployment(self) -> UUID:
        from prefect.exceptions import ObjectNotFound

        name = self._options.deployment
        try:
            if "/" in name:
                return (await self._client.read_deployment_by_name(name)).id
            return (await self._client.read_deployment(UUID(name))).id
        except ObjectNotFound as exc:
            raise LookupError(
                f"Trigger of {self._queue.subject}: Prefect has no deployment {name!r}. Deploy the flow first, or "
                "correct the name; it looks like flow/deployment."
            ) from exc

    async def _handle_all(self, group: list[SqsMessage]) -> None:
        """Handle messages in order; behind one that stays in the queue the others must stay, too."""
        for message in group:
            if not await self._handle(message):
                return

    async def _handle(self, message: SqsMessage) -> bool:
        try:
            parameters = flow_parameters(message, self._options)
        except ValueError as exc:
            self._leave_malformed(message, str(exc))
            return False
        if not await self._create_run(message, parameters):
            return False
        self._failures = 0
        return await self._delete(message)

    async def _create_run(self, message: SqsMessage, parameters: dict[str, Any]) -> bool:
        import httpx

        try:
            run = await self._create_or_find_deployment(message, parameters)
        except httpx.HTTPStatusError as exc:
            if exc.response.status_code in _UNFIT:
                self._leave_malformed(message, f"Prefect refuses the parameters: {_said(exc)}")
            else:
                await self._leave_for_later(message, exc)
            return False
        except (httpx.HTTPError, LookupError) as exc:
            await self._leave_for_later(message, exc)
            return False
        except (TypeError, ValueError) as exc:  # parameters that are not JSON
            self._leave_malformed(message, f"the parameters cannot be sent: {exc}")
            return False
        self._logger.info("Message %s has flow run %s (%s)", message.message_id, run.name, run.id)
        return True

    async def _create_or_find_deployment(self, message: SqsMessage, parameters: dict[str, Any]) -> FlowRun:
        import httpx

        try:
            return await self._create(message, parameters)
        except httpx.HTTPStatusError as exc:
            if exc.response.status_code != _NOT_FOUND:
                raise
        # The deployment was deleted, and perhaps made again, as some do on each release.
        self._deployment_id = await self._find_deployment()
        return await self._create(message, parameters)

    async def _create(self, message: SqsMessage, parameters: dict[str, Any]) -> FlowRun:
        return await self._client.create_flow_run_from_deployment(
            self._deployment_id,
            parameters=parameters,
            idempotency_key=f"sqs-{message.message_id}",
            tags=self._options.tags,
        )

    def _leave_malformed(self, message: SqsMessage, why: str) -> None:
        """Leave the message in the queue, whose redrive policy puts it aside after some deliveries."""
        if message.message_id in self._warned:
            return
        self._warned[message.message_id] = None
        if len(self._warned) > _REMEMBERED:
            self._warned.popitem(last=False)
        self._counts.malformed += 1
        self._logger.warning(
            "Message %s of %s is malformed and stays there: %s", message.message_id, self._queue.subject, why
        )

    async def _leave_for_later(self, message: SqsMessage, exc: Exception) -> None:
        self._failures += 1
        self._counts.failed += 1
        seconds = max(1, round(self._put_back.delay(message.receive_count)))
        self._logger.warning(
            "No flow run for message %s yet, it comes again in %d seconds: %s", message.message_id, seconds, _said(exc)
        )
        await self._hide(message, seconds)

    async def _hide(self, message: SqsMessage, seconds: int) -> None:
        try:
            await run_sync_in_worker_thread(self._queue.hide, message.receipt_handle, seconds)
        except AwsError as exc:  # it comes again all the same, at another time
            self._logger.debug("Could not put message %s back: %s", message.message_id, exc)

    async def _delete(self, message: SqsMessage) -> bool:
        try:
            await run_sync_in_worker_thread(self._queue.delete, [message.receipt_handle])
        except AwsBatchRefused as exc:
            self._logger.warning(
                "Message %s could not be deleted and comes again; it has its flow run and gets no other: %s",
                message.message_id,
                exc,
            )
            return False
        self._counts.started += 1
        return True


def _said(exc: Exception) -> str:
    """What an error says, or what Prefect's API says with it."""
    import httpx

    text = str(exc)
    if isinstance(exc, httpx.HTTPStatusError):
        text = exc.response.text or text
        with contextlib.suppress(ValueError, LookupError, TypeError):
            text = str(exc.response.json()["detail"])
    return (text or type(exc).__name__)[:_MAX_SAID]


def _in_groups(messages: list[SqsMessage]) -> Iterator[list[SqsMessage]]:
    """Put messages of a FIFO group together, in order; others stand alone."""
    groups: dict[str, list[SqsMessage]] = {}
    for message in messages:
        key = f"group {message.group_id}" if message.group_id is not None else message.message_id
        groups.setdefault(key, []).append(message)
    yield from groups.values()
