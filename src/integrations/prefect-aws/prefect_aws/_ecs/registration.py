"""Registered task definitions: each registered once, however many runs ask for it at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import anyio

from ..errors import AwsError, AwsInvalidRequest, AwsNotFound, aws_errors
from .canonical import canonical, digest

_MAX_KNOWN = 4096

Key = tuple[object, str]


class KnownDefinitions:
    """Which ARN a definition was registered under, for the whole process.

    Definitions never change once registered, so a worker looks once at what it did not register itself. One that
    somebody deregistered is noticed when a task is to be run with it.
    """

    def __init__(self, maximum: int = _MAX_KNOWN) -> None:
        self._maximum = maximum
        self._lock = threading.Lock()
        self._arns: OrderedDict[Key, str] = OrderedDict()

    def get(self, key: Key) -> str | None:
        """The ARN, when the definition is known."""
        with self._lock:
            if key in self._arns:
                self._arns.move_to_end(key)
            return self._arns.get(key)

    def keep(self, key: Key, arn: str) -> None:
        """Remember an ARN."""
        with self._lock:
            self._arns[key] = arn
            while len(self._arns) > self._maximum:
                self._arns.popitem(last=False)

    def forget(self, arn: str) -> None:
        """Forget an ARN: it can no longer be run."""
        with self._lock:
            for key in [key for key, known in self._arns.items() if known == arn]:
                del self._arns[key]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._arns.clear()


known_definitions = KnownDefinitions()


class SingleFlight:
    """Do a thing once for all who ask for it while it is being done; an error reaches each of them."""

    def __init__(self) -> None:
        self._flights: dict[object, tuple[anyio.Event, list[Any]]] = {}

    async def do(self, key: object, work: Callable[[], Awaitable[str]]) -> str:
        """Do the work, or wait for the one who does.

        Args:
            key: What the work is for.
            work: What to do.

        Returns:
            The result of the one who did it.

        Raises:
            Exception: What the work raised.
        """
        while key in self._flights:
            done, results = self._flights[key]
            await done.wait()
            if results:
                if isinstance(results[0], Exception):
                    raise results[0]
                return cast("str", results[0])
            # The one who did it was cancelled; one of those who waited goes on.
        done, results = self._flights[key] = (anyio.Event(), [])
        try:
            result = await work()
        except Exception as exc:
            results.append(exc)
            raise
        else:
            results.append(result)
            return result
        finally:
            del self._flights[key]
            done.set()


def key_of(identity: object, definition: Mapping[str, Any]) -> Key:
    """What a definition is remembered by: who registers it, and its canonical form."""
    return identity, digest(definition)


def register(ecs: Any, definition: Mapping[str, Any], *, match_latest: bool) -> str:
    """Register a task definition, or find the family's latest revision to be the same. Blocks.

    Args:
        ecs: A client of ECS.
        definition: Arguments of `RegisterTaskDefinition`.
        match_latest: Whether the latest revision may serve.

    Returns:
        ARN of the definition.

    Raises:
        AwsError: If ECS refuses. The message names the family.
    """
    family = str(definition["family"])
    if match_latest:
        latest = describe(ecs, family)
        if latest and _serves(latest, definition):
            return str(latest["taskDefinitionArn"])
    with aws_errors(f"ECS task definition {family!r}"):
        answer = ecs.register_task_definition(**definition)
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def still_serves(ecs: Any, arn: str, definition: Mapping[str, Any]) -> bool:
    """Look whether what is known under an ARN is active and what it was. Blocks.

    Args:
        ecs: A client of ECS.
        arn: A known ARN.
        definition: What it should be.

    Returns:
        False if it is gone or another; true also if ECS does not let the worker look, as running a task tells then.
    """
    try:
        found = describe(ecs, arn)
    except AwsError:
        return True
    return found is not None and _serves(found, definition)


def _serves(found: Mapping[str, Any], definition: Mapping[str, Any]) -> bool:
    return found.get("status", "ACTIVE") == "ACTIVE" and canonical(found) == canonical(definition)


def describe(ecs: Any, name: str) -> dict[str, Any] | None:
    """Look a definition up. Blocks.

    Args:
        ecs: A client of ECS.
        name: Its ARN, family and revision, or family for the latest active revision.

    Returns:
        The definition; `None` when there is none of this name.
    """
    try:
        with aws_errors(f"ECS task definition {name!r}"):
            return ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
    except AwsNotFound:
        return None
    except AwsInvalidRequest as exc:
        # ECS says ClientException "Unable to describe task definition." of what does not exist.
        if "unable to describe" in str(exc).lower() or "not found" in str(exc).lower():
            return None
        raise


def deregister(ecs: Any, arn: str) -> None:
    """Deregister a definition, so that no further task starts with it; one that is inactive already is fine. Blocks.

    Args:
        ecs: A client of ECS.
        arn: ARN of the definition.

    Raises:
        AwsError: If ECS refuses.
    """
    known_definitions.forget(arn)
    try:
        with aws_errors(f"ECS task definition {arn!r}"):
            ecs.deregister_task_definition(taskDefinition=arn)
    except (AwsNotFound, AwsInvalidRequest) as exc:
        # ECS has no code of its own for it: "The specified task definition is inactive", "... does not exist".
        gone = ("inactive", "not exist", "not found", "unable to describe", "delete_in_progress")
        if not any(words in str(exc).lower() for words in gone):
            raise


def says_gone(exc: AwsError) -> bool:
    """Say whether ECS refused because the task definition is no longer active, or was deleted."""
    words = str(exc).lower()
    return any(sign in words for sign in ("inactive", "unable to describe task definition", "taskdefinition not found"))
