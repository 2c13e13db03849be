"""Triggers as programs have them: described once, then served until the process is told to end.

A package's trigger inherits `Trigger`, and `StartsRuns` or `EmitsEvents` before it, which say what is done with each
message. It checks its arguments, has `run` and `serve`, which call `_run` and `_serve`, and gives its methods their
types.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic

import anyio

from .message_actions import Action, EmitEvent, M, ParameterMap, StartRun, make_parameters, problems_of
from .message_trigger import MessageSource, Runs, TriggerCounts, TriggerRun
from .waiting import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


async def act_on_messages(
    source: MessageSource[M],
    action: Action[M],
    *,
    concurrency: int,
    max_backoff_seconds: float,
    until_empty: bool,
    clock: Clock,
    runs: Runs[M] | None = None,
) -> TriggerCounts:
    """Receive messages and act on them, until stopped or until there are no more; then close the source.

    Args:
        source: Where messages come from.
        action: What is done with each.
        concurrency: How many messages are worked on at a time.
        max_backoff_seconds: Most seconds for which a message is put back.
        until_empty: Whether to return when there are no more messages.
        clock: Time.
        runs: Those that can be stopped from elsewhere; this one is among them meanwhile.
    """
    try:
        run = TriggerRun(source, action, concurrency=concurrency, max_backoff_seconds=max_backoff_seconds, clock=clock)
        # `Runs` without a run are false.
        return await (Runs[M]() if runs is None else runs).run(run, until_empty=until_empty)
    finally:
        with anyio.CancelScope(shield=True):
            await source.close()


class Trigger(ABC, Generic[M]):
    """What is received, and how.

    Args:
        subject: What errors call it: "Trigger of SQS queue 'orders'".
        concurrency: How many messages are worked on at a time.
        max_backoff_seconds: Most seconds for which a message is put back.
    """

    _key: ClassVar[str]
    """Start of the keys by which runs and events are known, such as `sqs`."""

    def __init__(self, subject: str, *, concurrency: int, max_backoff_seconds: float) -> None:
        self._subject = subject
        self._concurrency = concurrency
        self._max_backoff_seconds = max_backoff_seconds
        self._clock: Clock = SYSTEM_CLOCK
        self._runs: Runs[M] = Runs()

    @abstractmethod
    def _source(self) -> MessageSource[M]:
        """Where messages come from; a new one for each call of `_run`."""

    @abstractmethod
    def _action(self, client: PrefectClient) -> Action[M]:
        """What is done with each message."""

    async def _run(self, until_empty: bool) -> TriggerCounts:
        """Run until cancelled or stopped; signals are not handled."""
        from prefect.client.orchestration import get_client

        async with get_client() as client:
            return await act_on_messages(
                self._source(),
                self._action(client),
                concurrency=self._concurrency,
                max_backoff_seconds=self._max_backoff_seconds,
                until_empty=until_empty,
                clock=self._clock,
                runs=self._runs,
            )

    def _serve(self, until_empty: bool) -> TriggerCounts:
        """Run until SIGTERM or SIGINT."""
        return asyncio.run(self._runs.until_told(self._run(until_empty)))

    def stop(self) -> None:
        """Let `run` and `serve` return when what is under way is finished; any thread may call it."""
        self._runs.stop()


class StartsRuns(Generic[M]):
    """A trigger that starts a run of a deployment for each message."""

    if TYPE_CHECKING:
        _key: ClassVar[str]
        _subject: str

    def _describe_runs(
        self,
        deployment: str,
        parameters: ParameterMap[M] | None,
        body_format: str,
        tags: Sequence[str],
    ) -> list[str]:
        """Keep what is said of the runs; return what makes no sense in it."""
        self._deployment = deployment
        self._parameters = parameters
        self._body_format = body_format
        self._tags = tuple(tags)
        return problems_of(parameters, body_format, deployment)

    def _action(self, client: PrefectClient) -> Action[M]:
        return StartRun(
            client, self._subject, self._key, self._deployment, self._parameters, self._body_format, self._tags
        )

    def _parameters_of(self, message: M) -> dict[str, Any]:
        return make_parameters(message, self._parameters, self._body_format)


class EmitsEvents(ABC, Generic[M]):
    """A trigger that emits an event of Prefect for each message."""

    if TYPE_CHECKING:
        _key: ClassVar[str]

    def _describe_events(
        self,
        event: str | Callable[[M], str],
        resource: Callable[[M], Mapping[str, str]] | None,
        body_format: str,
    ) -> list[str]:
        """Keep what is said of the events; return what makes no sense in it."""
        self._event = event
        self._resource = resource
        self._body_format = body_format
        problems = problems_of(None, body_format, None)
        if not event:
            problems.append("event is empty; give the name of the events, or a function")
        return problems

    @abstractmethod
    def event_fields(self, message: M) -> dict[str, Any]:
        """Make the event for a message."""

    def _action(self, client: PrefectClient) -> Action[M]:
        return EmitEvent(client, self._key, self.event_fields)

    def _fields_of(
        self, message: M, resource: Mapping[str, str], details: Mapping[str, Any], occurred: datetime | None
    ) -> dict[str, Any]:
        """Make the event for a message.

        Args:
            message: The message.
            resource: Labels of the event's resource, unless a function makes them.
            details: What the payload has besides the message's ID and body.
            occurred: When it was sent; `None` when that is not known.
        """
        body = message.json() if self._body_format == "json" else message.body
        fields: dict[str, Any] = {
            "event": self._event if isinstance(self._event, str) else self._event(message),
            "resource": dict(resource if self._resource is None else self._resource(message)),
            "payload": {"message_id": message.message_id, "body": body, **details},
        }
        return {**fields, "occurred": occurred} if occurred else fields
