"""Wait for CloudFormation, tell what happens meanwhile, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, WaitTimeout, poll

from ..errors import AwsConnectionFailed, AwsError, AwsThrottled, AwsUnavailable
from .failures import CommandFailed

if TYPE_CHECKING:
    from .stacks import Event, Stack, Stacks

_clock: Clock = SYSTEM_CLOCK
_INTERVAL_SECONDS = 5.0
_TIMEOUT_SECONDS = 3600.0
_LISTED = 12
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


class Watch:
    """Follows one stack from here on.

    Args:
        stacks: Where the stack is.
        stack_id: Its ID; events of an earlier stack of the same name do not count.
        say: Told each line of progress.
    """

    def __init__(self, stacks: Stacks, stack_id: str, say: Callable[[str], None] = typer.echo) -> None:
        self._stacks = stacks
        self._id = stack_id
        self._say = say
        self._seen: set[str] = set()
        self._failures: list[Event] = []
        self._stack_states: set[str] = set()

    def skip_what_was(self) -> None:
        """Take what happened so far as known: it is of an earlier operation."""
        self._seen.update(event.id for page in self._stacks.events(self._id) for event in page)

    def until_done(self) -> Stack | None:
        """Wait until CloudFormation is no longer at work on the stack.

        Returns:
            The stack; `None` when it is gone.

        Raises:
            CommandFailed: If it takes longer than an hour.
        """
        try:
            found = poll(
                self._look,
                subject=f"The end of the work on stack {self._id}",
                interval_seconds=_INTERVAL_SECONDS,
                timeout_seconds=_TIMEOUT_SECONDS,
                clock=_clock,
            )
        except WaitTimeout as exc:
            raise CommandFailed(
                f"CloudFormation is still at work after {_TIMEOUT_SECONDS:.0f} seconds and goes on. "
                f"`prefect-aws ecs-worker status` tells what becomes of it."
            ) from exc
        return None if isinstance(found, bool) else found

    def _look(self) -> Stack | bool | None:
        """One look; `True` says that the stack is gone."""
        try:
            stack = self._stacks.find(self._id)
            self._tell()
        except (AwsThrottled, AwsUnavailable, AwsConnectionFailed) as exc:
            self._say(f"Cannot look right now, and tries again: {exc}")
            return None
        if stack is None or stack.status == "DELETE_COMPLETE":
            return True
        # Just after the request, the stack may still show the state that it had before: only an event tells that a
        # state was reached by this operation.
        return stack if not stack.is_under_way and stack.status in self._stack_states else None

    def _tell(self) -> None:
        new: list[Event] = []
        for page in self._stacks.events(self._id):
            unknown = [event for event in page if event.id not in self._seen]
            new += unknown
            if len(unknown) < len(page):
                break  # what is older is known
        for event in reversed(new):
            self._seen.add(event.id)
            if event.is_of_stack:
                self._stack_states.add(event.status)
            elif event.has_failed:
                self._failures.append(event)
            when = f"{event.at:%H:%M:%S} " if event.at else ""
            reason = f": {event.reason}" if event.reason else ""
            self._say(f"{when}{event.status} {event.resource} ({event.type}){reason}")

    def cause(self) -> str:
        """The first failure, in a sentence; empty when none was seen."""
        if not self._failures:
            return ""
        first = self._failures[0]
        reason = first.reason or "no reason was given"
        return f"{first.resource} ({first.type}) was the first to fail, as {first.status}: {reason}"

    def failure(self, stack: Stack) -> CommandFailed:
        """Put the failed end of an operation into an error."""
        parts = [f"Stack {stack.name!r} is {stack.status}."]
        cause = self.cause() or stack.reason
        if cause:
            parts.append(f"{cause.rstrip('.')}.")
        parts.append(stack.advice)
        if stack.status in ("CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED") and (left := self._left()):
            more = f" and {len(left) - _LISTED} more" if len(left) > _LISTED else ""
            parts.append(f"Still there: {', '.join(left[:_LISTED])}{more}.")
        return CommandFailed(" ".join(part for part in parts if part))

    def _left(self) -> list[str]:
        try:
            return self._stacks.leftovers(self._id)
        except AwsError:
            return []


def last_failure(stacks: Stacks, stack: Stack) -> str:
    """Find in a stack's events why its last operation failed, as far back as that operation goes."""
    found = ""
    for event in (event for page in stacks.events(stack.id) for event in page):
        if event.is_of_stack and event.status in _BEGINNINGS:
            break
        if event.has_failed and not event.is_of_stack:  # newest first, so the last that is found came first
            found = f"{event.resource} ({event.type}) {event.status}: {event.reason or 'no reason was given'}"
    return found
