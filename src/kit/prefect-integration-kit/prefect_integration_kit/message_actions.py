"""What becomes of a message: a run of a deployment, an event of Prefect, or whatever a function does with it."""

from __future__ import annotations

import contextlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, cast
from uuid import NAMESPACE_URL, UUID, uuid5

from .dispatch import run_sync_in_worker_thread

if TYPE_CHECKING:
    import httpx
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

# What Prefect's API answers when what it is sent does not fit, and will not fit later.
_UNFIT = frozenset({400, 409, 422})
_NOT_FOUND = 404
_WHOLE_BODY = "."
_MAX_SAID = 500


class Message(Protocol):
    """What a message of any service has.

    Where senders choose the ID, a message has an `identity` besides, which no other one has: runs are told apart by it.
    """

    @property
    def message_id(self) -> str:
        """The same each time that it is received."""
        ...

    @property
    def body(self) -> str:
        """Its text; a `ValueError` if it has none."""
        ...

    @property
    def receive_count(self) -> int:
        """How often it was received, this time included; 0 when the service does not count."""
        ...

    @property
    def group_id(self) -> str | None:
        """Messages of one group come in order."""
        ...

    def json(self) -> Any:
        """Read the body; a `ValueError` that does not quote it, if it is no JSON."""
        ...


M = TypeVar("M", bound=Message)
M_contra = TypeVar("M_contra", bound=Message, contravariant=True)


def identity_of(message: Message) -> str:
    """What no other message of the service has, and this one each time that it is received."""
    return str(getattr(message, "identity", message.message_id))


class Malformed(ValueError):
    """Nothing can be made of a message, now or later."""


class NotYet(Exception):
    """It could not be done at the time; it may be later."""


class Action(ABC, Generic[M_contra]):
    """What is done with each message. It must be safe to repeat: messages come at least once.

    Attributes:
        outcome: What a message has when it is done.
    """

    outcome: ClassVar[str] = "result"

    @property
    @abstractmethod
    def subject(self) -> str:
        """What it does, after the word "Starting", for the log."""

    async def prepare(self) -> None:
        """Get ready, before the first message.

        Raises:
            NotYet: If that must be tried again later.
            LookupError: If something is missing.
        """

    @abstractmethod
    async def act(self, message: M_contra) -> str:
        """Do it, and return what the log says of the message, such as `has flow run …`.

        Raises:
            Malformed: If nothing can be made of the message.
            NotYet: If it could not be done at the time.
        """


# Parameters of flow runs

ParameterMap = Mapping[str, str] | Callable[[M], Mapping[str, Any]]
"""Paths of values in the body by name, or a function that makes parameters of a message."""


def make_parameters(message: M, parameters: ParameterMap[M] | None, body_format: str) -> dict[str, Any]:
    """Make parameters of a message.

    Args:
        message: The message.
        parameters: How; when not given, there is one called `message`, the whole body.
        body_format: `json` or `text`.

    Raises:
        ValueError: If no parameters can be made of it. It says why, and quotes no value of the message.
    """
    if callable(parameters):
        try:
            return dict(parameters(message))
        except (ValueError, LookupError, TypeError) as exc:
            raise Malformed(f"{type(exc).__name__}: {exc}") from exc
    body = message.json() if body_format == "json" else message.body
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


def problems_of(parameters: object, body_format: str, deployment: str | None) -> list[str]:
    """Say what makes no sense in what a trigger is to do; nothing when all does.

    Args:
        parameters: A `ParameterMap`, or nothing.
        body_format: `json` or `text`.
        deployment: Its name or ID; not looked at when there is none.
    """
    found: list[str] = []
    if deployment is not None and "/" not in deployment and not _is_uuid(deployment):
        found.append(f"deployment is {deployment!r}; give it as flow/deployment, or its ID")
    if body_format not in ("json", "text"):
        found.append(f"body_format is {body_format!r}; it must be 'json' or 'text'")
    if isinstance(parameters, Mapping):
        paths = cast("Mapping[str, Any]", parameters)
        wrong = [name for name, path in paths.items() if not isinstance(path, str)]
        empty = [name for name, path in paths.items() if path == ""]
        found += [f"the path of parameter {name!r} is no text; give it as in 'order.number'" for name in wrong]
        found += [f"the path of parameter {name!r} is empty; '.' is the whole body" for name in empty]
    elif parameters is not None and not callable(parameters):
        found.append(f"parameters is a {type(parameters).__name__}; give paths by name, or a function")
    return found


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


# The actions


@dataclass
class StartRun(Action[M]):
    """Create a run of a deployment; a message that comes again has the same run.

    Attributes:
        client: Asks Prefect.
        trigger: Whose it is, for errors: "Trigger of SQS queue 'orders'".
        key: Start of the runs' idempotency keys; the ID of the message follows.
        deployment: Name as `flow/deployment`, or ID.
        parameters: How parameters are made of a message.
        body_format: `json` or `text`.
        tags: Tags of the runs.
    """

    client: PrefectClient
    trigger: str
    key: str
    deployment: str
    parameters: ParameterMap[M] | None
    body_format: str
    tags: Sequence[str] = ()

    outcome: ClassVar[str] = "flow run"

    def __post_init__(self) -> None:
        self._deployment_id = UUID(int=0)

    @property
    def subject(self) -> str:
        """The deployment."""
        return self.deployment

    async def prepare(self) -> None:
        """Find the deployment."""
        import httpx

        try:
            self._deployment_id = await self._find_deployment()
        except httpx.TransportError as exc:
            raise NotYet(f"Could not ask Prefect for the deployment: {said(exc)}") from exc

    async def _find_deployment(self) -> UUID:
        from prefect.exceptions import ObjectNotFound

        name = self.deployment
        try:
            if "/" in name:
                return (await self.client.read_deployment_by_name(name)).id
            return (await self.client.read_deployment(UUID(name))).id
        except ObjectNotFound as exc:
            raise LookupError(
                f"{self.trigger}: Prefect has no deployment {name!r}. Deploy the flow first, or "
                "correct the name; it looks like flow/deployment."
            ) from exc

    async def act(self, message: M) -> str:
        """Create the run, or find it."""
        import httpx

        try:
            parameters = make_parameters(message, self.parameters, self.body_format)
        except ValueError as exc:
            raise Malformed(str(exc)) from exc
        try:
            run = await self._create_or_find_deployment(message, parameters)
        except httpx.HTTPStatusError as exc:
            if exc.response.status_code in _UNFIT:
                raise Malformed(f"Prefect refuses the parameters: {said(exc)}") from exc
            raise NotYet(said(exc)) from exc
        except (httpx.HTTPError, LookupError) as exc:
            raise NotYet(said(exc)) from exc
        except (TypeError, ValueError) as exc:  # parameters that are not JSON
            raise Malformed(f"the parameters cannot be sent: {exc}") from exc
        return f"has flow run {run.name} ({run.id})"

    async def _create_or_find_deployment(self, message: M, parameters: dict[str, Any]) -> FlowRun:
        import httpx

        try:
            return await self._create(message, parameters)
        except httpx.HTTPStatusError as exc:
            if exc.response.status_code != _NOT_FOUND:
                raise
        # The deployment was deleted, and perhaps made again, as some do on each release.
        self._deployment_id = await self._find_deployment()
        return await self._create(message, parameters)

    async def _create(self, message: M, parameters: dict[str, Any]) -> FlowRun:
        return await self.client.create_flow_run_from_deployment(
            self._deployment_id,
            parameters=parameters,
            idempotency_key=f"{self.key}-{identity_of(message)}",
            tags=self.tags,
        )


@dataclass
class EmitEvent(Action[M]):
    """Emit an event; a message that comes again has the event with the same ID, which Prefect records once.

    Attributes:
        client: Sends the events by HTTP, whose answer says that Prefect has them.
        key: Start of what the events' IDs are made of; the ID of the message follows.
        make: Makes fields of a `prefect.events.Event` of a message: `event`, `resource`, `payload`, `occurred`.
    """

    client: PrefectClient
    key: str
    make: Callable[[M], Mapping[str, Any]]

    outcome: ClassVar[str] = "event"

    @property
    def subject(self) -> str:
        """What it does."""
        return "events"

    async def act(self, message: M) -> str:
        """Emit the event."""
        import httpx
        from prefect.events import Event

        event_id = uuid5(NAMESPACE_URL, f"{self.key}-{identity_of(message)}")
        try:
            event = Event.model_validate({"id": event_id, **self.make(message)})
            content = [event.model_dump(mode="json")]
        except (ValueError, LookupError, TypeError) as exc:
            raise Malformed(f"no event can be made of it: {exc}") from exc
        try:
            await self.client.request("POST", cast("Any", "/events"), json=content)
        except httpx.HTTPStatusError as exc:
            if exc.response.status_code in _UNFIT:
                raise Malformed(f"Prefect refuses the event: {said(exc)}") from exc
            raise NotYet(said(exc)) from exc
        except httpx.HTTPError as exc:
            raise NotYet(said(exc)) from exc
        return f"has event {event.event} ({event_id})"


@dataclass
class CallHandler(Action[M]):
    """Hand messages to a function, sync (in a thread) or async. What it raises has the message come again.

    Attributes:
        handler: The function.
    """

    handler: Callable[[M], Awaitable[object] | object]

    @property
    def subject(self) -> str:
        """The function."""
        return getattr(self.handler, "__qualname__", type(self.handler).__name__)

    async def act(self, message: M) -> str:
        """Call the function."""
        try:
            if inspect.iscoroutinefunction(self.handler):
                await self.handler(message)
            else:
                done = await run_sync_in_worker_thread(self.handler, message)
                if inspect.isawaitable(done):
                    await done
        except Exception as exc:
            raise NotYet(said(exc)) from exc
        return f"was handled by {self.subject}"


def said(exc: Exception) -> str:
    """What an error says, or what Prefect's API says with it."""
    import httpx

    text = str(exc)
    if isinstance(exc, httpx.HTTPStatusError):
        response: httpx.Response = exc.response
        text = response.text or text
        with contextlib.suppress(ValueError, LookupError, TypeError):
            text = str(response.json()["detail"])
    return (text or type(exc).__name__)[:_MAX_SAID]
