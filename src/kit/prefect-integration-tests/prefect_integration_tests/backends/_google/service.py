"""What a service of the local REST server is: methods of one API, and what they keep."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .discovery import Document, Method, document
from .errors import Json, invalid_argument

if TYPE_CHECKING:
    from .rest_server import RestServer

F = TypeVar("F", bound=Callable[..., Any])

_ANSWERS = "__answers__"


@dataclass(frozen=True)
class ApiRequest:
    """A request that has been checked against the schema."""

    method: Method
    params: Json
    """Variables of the path (`parent`, `name`) and parameters of the query, with their types."""

    body: Json
    """Names in lowerCamelCase, without output-only fields."""

    email: str
    """Who asks; `tester@example.com` when tokens are not checked."""

    region: str
    """Region of a regional host, as `GoogleApi.endpoint_of` gives; empty on the global one."""

    @property
    def name(self) -> str:
        """Parameter `name`: the thing that is asked for."""
        return self.params["name"]

    @property
    def parent(self) -> str:
        """Parameter `parent`: what it is in."""
        return self.params["parent"]


def answers(method_id: str) -> Callable[[F], F]:
    """Mark a method of a service as the one that answers a method of the API.

    Args:
        method_id: As in the discovery document, such as `run.projects.locations.jobs.create`.
    """

    def mark(function: F) -> F:
        setattr(function, _ANSWERS, method_id)
        return function

    return mark


class Service(ABC):
    """One API of the server.

    ```python
    class PubSub(Service):
        api, version = "pubsub", "v1"

        @answers("pubsub.projects.topics.create")
        def create_topic(self, request: ApiRequest) -> Json: ...
    ```

    A handler answers with JSON of the method's response, or raises `ApiError`. All handlers are called under
    `server.lock`; one that waits uses `server.changed.wait(...)`, which lets others in.
    """

    api: ClassVar[str]
    version: ClassVar[str]

    def __init__(self, server: RestServer) -> None:
        """Stand in a server.

        Args:
            server: It has the lock, the clock and the operations.
        """
        self.server = server
        self.document: Document = document(self.api, self.version)
        marked = {name: getattr(getattr(type(self), name), _ANSWERS, None) for name in dir(type(self))}
        self.handlers: dict[str, Callable[[ApiRequest], Mapping[str, Any]]] = {
            method_id: getattr(self, name) for name, method_id in marked.items() if method_id is not None
        }
        unknown = self.handlers.keys() - self.document.methods.keys()
        if unknown:
            raise ValueError(f"{self.api} {self.version} has no method {', '.join(sorted(unknown))}.")

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""

    def knows(self, method: Method, params: Mapping[str, str]) -> bool:
        """Is a path that two APIs have (such as that of an operation) this one's? By default, yes.

        Args:
            method: The method of this API that it may be.
            params: Variables of its path.
        """
        return True

    def close(self) -> None:  # noqa: B027 - few have anything to end
        """End what it has started."""


def etag_of(data: object) -> str:
    """Make an etag of what a thing holds, quoted as Google's are."""
    digest = hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).digest()
    return f'"{base64.b64encode(digest[:18]).decode()}"'


def page(
    items: Iterable[Json], params: Mapping[str, Any], field: str, *, default_size: int = 100, largest_size: int = 1000
) -> Json:
    """Answer with one page of a list, by `pageSize` and `pageToken`.

    Args:
        items: All of them, in their order.
        params: Of the request.
        field: Where the page stands in the answer.
        default_size: Size of a page when the request does not say.
        largest_size: Requests for more get this many.

    Raises:
        ApiError: 400, of a token that was not given out.
    """
    everything = list(items)
    token = params.get("pageToken") or ""
    size = min(int(params.get("pageSize") or 0) or default_size, largest_size)
    if size < 0:
        raise invalid_argument("Page size must not be negative.", ("page_size", "Page size must not be negative."))
    start = read_token(token) if token else 0
    answer: Json = {field: everything[start : start + size]} if everything[start : start + size] else {}
    if start + size < len(everything):
        answer["nextPageToken"] = new_token(start + size)
    return answer


def new_token(start: int) -> str:
    """Make an opaque page token."""
    return base64.urlsafe_b64encode(f"at:{start}".encode()).decode()


def read_token(token: str) -> int:
    """Read a page token.

    Raises:
        ApiError: 400.
    """
    try:
        kind, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if kind == "at":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise invalid_argument("Invalid page token.", ("page_token", "The page token is invalid."))
