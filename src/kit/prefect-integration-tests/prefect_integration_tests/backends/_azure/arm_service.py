"""What a provider of the local Azure server is: operations of one API, and what they keep."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import quote

from .arm_errors import ArmError, Json

if TYPE_CHECKING:
    from .arm_server import ArmServer

F = TypeVar("F", bound=Callable[..., Any])

_ANSWERS = "__arm_answers__"
SUBSCRIPTION_PATH = "/subscriptions/{subscriptionId}"
GROUP_PATH = SUBSCRIPTION_PATH + "/resourceGroups/{resourceGroupName}"


@dataclass(frozen=True)
class Operation:
    """An operation of an API, as its specification names it."""

    id: str
    """Such as `ContainerGroups_Get`."""

    http_method: str
    path: str
    """Such as `/subscriptions/{subscriptionId}/...`."""

    body: str = ""
    """Model of the request; empty for none, or for one that the handler checks. With `?`, there may be none."""

    answer: str = ""
    """Model of the answer; with `[]`, of each item of a list's `value`."""

    is_management: bool = True
    """Whether it is one of Resource Manager: asked with `api-version` and with a token for it."""

    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the path: what is not a variable is matched whatever its case, as Azure does."""
        parts = re.split(r"(\{\w+\})", self.path)
        text = "".join(f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part) for part in parts)
        object.__setattr__(self, "pattern", re.compile(f"^{text}/?$", re.IGNORECASE))


@dataclass(frozen=True)
class ArmRequest:
    """A request that has been checked."""

    operation: Operation
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    headers: Mapping[str, str]
    principal: str
    token: str = field(default="", repr=False)
    """The bearer token."""

    @property
    def subscription(self) -> str:
        """Id of the subscription."""
        return self.params["subscriptionId"]

    @property
    def group(self) -> str:
        """Name of the resource group, as the caller writes it."""
        return self.params["resourceGroupName"]

    @property
    def api_version(self) -> str:
        """Parameter `api-version`."""
        return self.query.get("api-version", "")


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    stream: Iterator[bytes] | None = None
    """Sent piece by piece, instead of a body."""


@dataclass(frozen=True)
class ResourceKey:
    """Where a resource is; names are compared whatever their case."""

    subscription: str
    group: str
    name: str

    @classmethod
    def of(cls, subscription: str, group: str, name: str) -> ResourceKey:
        """Make one of names as they are written."""
        return cls(subscription.lower(), group.lower(), name.lower())


def answers(
    operation_id: str, http_method: str, path: str, *, body: str = "", answer: str = "", is_management: bool = True
) -> Callable[[F], F]:
    """Mark a method of a provider as the one that answers an operation.

    Args:
        operation_id: As in the API's specification, such as `ContainerGroups_Get`.
        http_method: `GET` and so on.
        path: With its variables in braces.
        body: Model that the request's body must fit.
        answer: Model that the answer fits.
        is_management: Whether it is one of Resource Manager: asked with `api-version` and with a token for it.
    """

    def mark(function: F) -> F:
        operation = Operation(operation_id, http_method, path, body, answer, is_management)
        setattr(function, _ANSWERS, [*getattr(function, _ANSWERS, ()), operation])
        return function

    return mark


class Provider(ABC):
    """A resource provider, such as Microsoft.ContainerInstance.

    A handler gives an `Answer`, or raises `ArmError`. All handlers are called under `server.lock`.
    """

    namespace: ClassVar[str]
    version: ClassVar[str] = ""
    """The `api-version` whose answers it gives: those of older ones may have fewer fields."""

    def __init__(self, server: ArmServer) -> None:
        """Stand in a server.

        Args:
            server: It has the lock, the clock and the settings.
        """
        self.server = server
        self.handlers: dict[str, Callable[[ArmRequest], Answer]] = {}
        self.operations: list[Operation] = []
        for name in dir(type(self)):
            for operation in getattr(getattr(type(self), name), _ANSWERS, ()):
                self.operations.append(operation)
                self.handlers[operation.id] = getattr(self, name)

    @abstractmethod
    def model(self, name: str) -> type[Any]:
        """Give a model class of the SDK."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""

    def close(self) -> None:  # noqa: B027 - few have anything to end
        """End what it has started."""


def resource_id(subscription: str, group: str, kind: str, name: str) -> str:
    """Write the id of a resource in a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}"


def page(endpoint: str, path: str, request: ArmRequest, items: Iterable[Json], size: int) -> Json:
    """Answer with one page of a list, with a link to the next.

    Args:
        endpoint: Address of the server.
        path: Path of the list.
        request: What was asked; `$skiptoken` says where the page starts.
        items: All of them.
        size: Most items of a page.
    """
    everything = list(items)
    token = request.query.get("$skiptoken", "0")
    if not token.isdigit():
        raise ArmError(400, "InvalidSkipToken", f"The provided skip token '{token}' is invalid.")
    start = int(token)
    answer: Json = {"value": everything[start : start + size]}
    if start + size < len(everything):
        kept = "".join(
            f"&{quote(name, safe='$')}={quote(value)}"
            for name, value in request.query.items()
            if name not in ("api-version", "$skiptoken")
        )
        version = quote(request.api_version)
        answer["nextLink"] = f"{endpoint}{path}?api-version={version}{kept}&$skiptoken={start + size}"
    return answer
