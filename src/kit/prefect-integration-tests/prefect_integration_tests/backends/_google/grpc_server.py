"""A gRPC server for Google's services: it knows no service, reads requests by the SDK's own classes, and can fail."""

from __future__ import annotations

import importlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from .._lifetime import Stopped
from ..faults import FaultProxy
from ..processes import HOST, ServerError
from .grpc_checks import problem_with

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..certificates import Certificate

When = Literal["before", "after", "lost", "cut", "silent"]
"""When a call fails.

- `before`: it is refused.
- `after`: it is done, and answered with the error all the same.
- `lost`: it is done, and the connection breaks before the answer.
- `cut`: the connection breaks before it is done.
- `silent`: it is done, and never answered; the client's deadline ends the wait.
"""

_THREADS = 64
_SILENCE_SECONDS = 120


class GrpcRefused(Exception):
    """A call is refused."""

    def __init__(self, code: str, message: str) -> None:
        """Say why.

        Args:
            code: Name of the status, such as `NOT_FOUND`.
            message: What Google says.
        """
        super().__init__(code, message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class GrpcCall:
    """One call that came in."""

    method: str
    """Service and method, such as `JobService.CreateCustomJob`."""
    request: Any
    """The message, of the SDK's class."""
    metadata: Mapping[str, str]
    account: str | None
    """E-mail of the caller, where the server checks tokens."""
    at_seconds: float
    """When it came, on the monotonic clock."""


class GrpcService(ABC):
    """One service: each public method in CamelCase answers the method of that name.

    A method takes a `GrpcCall` and returns a message, or `None` for an empty answer, or raises `GrpcRefused`.
    """

    name: ClassVar[str]
    """Full name, such as `google.cloud.aiplatform.v1.JobService`."""
    types: ClassVar[str]
    """Module of the SDK that has the message classes. It is imported when the first call comes."""

    def request_class(self, method: str) -> type[Any]:
        """Return the class of a method's requests.

        Args:
            method: Short name, such as `CreateCustomJob`.
        """
        return getattr(importlib.import_module(self.types), f"{method}Request")

    @abstractmethod
    def reset(self) -> None:
        """End what runs, and forget everything."""


@dataclass
class _Fault:
    method: str
    code: str
    message: str
    when: When
    matches: Callable[[Any], bool]
    left: int


S = TypeVar("S", bound=GrpcService)


@dataclass
class _State:
    calls: list[GrpcCall] = field(default_factory=list[GrpcCall])
    faults: list[_Fault] = field(default_factory=list[_Fault])
    hooks: list[tuple[str, Callable[[GrpcCall], None]]] = field(
        default_factory=list[tuple[str, Callable[[GrpcCall], None]]]
    )


class GoogleGrpc(Stopped):
    """A gRPC server on a loopback port, with the services that it is given.

    Clients that dial it with an insecure channel need no credentials:

    ```python
    with GoogleGrpc.start(Secrets()) as server:
        channel = grpc.insecure_channel(server.target)
        server.fail("SecretManagerService.AccessSecretVersion", "UNAVAILABLE", when="lost")
        ...
        assert server.calls_of("AccessSecretVersion")[0].request.name == "projects/p/secrets/s/versions/1"
    ```
    """

    def __init__(self, services: tuple[GrpcService, ...], certificate: Certificate | None) -> None:
        """Start to listen on a free port; see `start`."""
        import grpc  # pyright: ignore[reportMissingTypeStubs]

        self._grpc: Any = grpc
        self._lock = threading.RLock()
        self._state = _State()
        self._services: dict[str, GrpcService] = {}
        self._is_secure = certificate is not None
        self.check_token: Callable[[str], str | None] | None = None
        """Given a bearer token, says whose it is; `None` refuses it. Without this, anybody may call."""
        for service in services:
            self.add(service)
        self._server: Any = self._grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="google-grpc"),
            handlers=[_handlers(self._grpc, self._handler_of)],
            # One port must not be shared in silence with the server of another process.
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)],
        )
        if certificate is None:
            port = self._server.add_insecure_port(f"{HOST}:0")
        else:
            pair = (certificate.key_file.read_bytes(), certificate.cert_file.read_bytes())
            port = self._server.add_secure_port(f"{HOST}:0", self._grpc.ssl_server_credentials([pair]))
        if not port:
            raise ServerError(f"The gRPC server found no port on {HOST}.")
        self._server.start()
        self._front = FaultProxy(HOST, port)

    @classmethod
    def start(cls, *services: GrpcService, certificate: Certificate | None = None) -> Self:
        """Start a server.

        Args:
            services: What it offers; `add` adds more.
            certificate: Certificate for 127.0.0.1, for a server that speaks TLS.
        """
        return cls(services, certificate)

    @property
    def target(self) -> str:
        """Host and port, as channels take them."""
        return f"{HOST}:{self._front.port}"

    @property
    def endpoint(self) -> str:
        """The address as a URL; `http` stands for an unencrypted channel."""
        return f"{'https' if self._is_secure else 'http'}://{self.target}"

    def add(self, service: S) -> S:
        """Offer a service, and return it."""
        self._services[service.name] = service
        return service

    def service(self, cls: type[S]) -> S:
        """Return the service of a class.

        Raises:
            KeyError: If the server has none.
        """
        for item in self._services.values():
            if isinstance(item, cls):
                return item
        raise KeyError(f"The server offers no {cls.__name__}.")

    # What came in

    @property
    def calls(self) -> list[GrpcCall]:
        """All calls since the last reset, oldest first; those that failed as well."""
        with self._lock:
            return list(self._state.calls)

    def calls_of(self, method: str) -> list[GrpcCall]:
        """Return the calls of one method.

        Args:
            method: Such as `CreateCustomJob`, `JobService.CreateCustomJob`, or with the full name of the service.
        """
        return [call for call in self.calls if _is_named(call.method, method)]

    def on_call(self, method: str, hook: Callable[[GrpcCall], None]) -> None:
        """Have a function called before each call of a method is answered. What it raises is answered.

        Args:
            method: As for `calls_of`.
            hook: It may raise `GrpcRefused`.
        """
        self._require(method)
        with self._lock:
            self._state.hooks.append((method, hook))

    # What goes wrong

    def fail(
        self,
        method: str,
        code: str = "UNAVAILABLE",
        message: str = "The service is currently unavailable.",
        *,
        times: int = 1,
        when: When = "before",
        matches: Callable[[Any], bool] = lambda _: True,
    ) -> None:
        """Let the next calls of a method fail.

        Args:
            method: As for `calls_of`.
            code: Name of the status, such as `RESOURCE_EXHAUSTED`.
            message: What is said.
            times: How many calls.
            when: See `When`. A broken connection ends every call that is under way on it, as it does at Google's.
            matches: Given the request, says whether the fault is meant for it.

        Raises:
            KeyError: If no service has the method.
        """
        self._require(method)
        if not hasattr(self._grpc.StatusCode, code):
            raise KeyError(f"gRPC has no status {code!r}.")
        with self._lock:
            self._state.faults.append(_Fault(method, code, message, when, matches, times))

    @property
    def pending_faults(self) -> int:
        """How many calls are still to fail."""
        with self._lock:
            return sum(fault.left for fault in self._state.faults)

    @property
    def line(self) -> FaultProxy:
        """The line to the server, to make it slow or dead."""
        return self._front

    def break_connections(self) -> None:
        """Break every open connection, now."""
        self._front.reset_connections()

    def reset(self) -> None:
        """Forget calls, faults and hooks, heal the line, and empty every service."""
        with self._lock:
            self._state = _State()
        self._front.heal()
        self.check_token = None
        for service in self._services.values():
            service.reset()

    def stop(self) -> None:
        """End the server."""
        self._front.close()
        self._server.stop(0).wait(5)
        for service in self._services.values():
            service.reset()

    # Inside

    def _require(self, method: str) -> None:
        *path, short = method.replace("/", ".").strip(".").split(".")
        named = ".".join(path)
        for name, service in self._services.items():
            if _method_of(service, short) is not None and (not named or f".{name}".endswith(f".{named}")):
                return
        raise KeyError(f"No service has a method {method!r}.")

    def _handler_of(self, path: str) -> Any:
        name, _, method = path.strip("/").rpartition("/")
        service = self._services.get(name)
        answer = _method_of(service, method) if service is not None else None
        if service is None or answer is None:
            return None  # gRPC answers UNIMPLEMENTED
        label = f"{name.rpartition('.')[2]}.{method}"

        def read(data: bytes) -> Any:
            cls = service.request_class(method)
            return cls.deserialize(data) if hasattr(cls, "deserialize") else cls.FromString(data)

        return self._grpc.unary_unary_rpc_method_handler(
            partial(self._serve, label, answer), request_deserializer=read, response_serializer=_serialise
        )

    def _serve(self, method: str, answer: Callable[[GrpcCall], Any], request: Any, context: Any) -> Any:
        metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
        call = GrpcCall(method, request, metadata, self._account(metadata), time.monotonic())
        with self._lock:
            self._state.calls.append(call)
            fault = self._take_fault(method, request)
            hooks = [hook for named, hook in self._state.hooks if _is_named(method, named)]
        try:
            if fault is None:
                return self._answer(call, answer, hooks)
            if fault.when in ("after", "lost", "silent"):
                self._answer(call, answer, hooks)
        except GrpcRefused as exc:
            return context.abort(getattr(self._grpc.StatusCode, exc.code), exc.message)
        if fault.when in ("lost", "cut"):
            self._front.reset_connections()
        if fault.when in ("lost", "cut", "silent"):
            _wait_for_the_end(context)
        return context.abort(getattr(self._grpc.StatusCode, fault.code), fault.message)

    def _answer(
        self, call: GrpcCall, answer: Callable[[GrpcCall], Any], hooks: list[Callable[[GrpcCall], None]]
    ) -> Any:
        self._authorise(call)
        if problem := problem_with(call.request):
            raise GrpcRefused("INVALID_ARGUMENT", problem)
        for hook in hooks:
            hook(call)
        return answer(call)

    def _take_fault(self, method: str, request: Any) -> _Fault | None:
        for fault in self._state.faults:
            if fault.left and _is_named(method, fault.method) and fault.matches(request):
                fault.left -= 1
                return fault
        return None

    def _account(self, metadata: Mapping[str, str]) -> str | None:
        scheme, _, token = metadata.get("authorization", "").partition(" ")
        if self.check_token is None or scheme != "Bearer":
            return None
        return self.check_token(token)

    def _authorise(self, call: GrpcCall) -> None:
        if self.check_token is not None and call.account is None:
            raise GrpcRefused(
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
                "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
            )


def _wait_for_the_end(context: Any) -> None:
    """Wait until the client gives up, or its connection is gone."""
    ended = threading.Event()
    if context.add_callback(ended.set):
        ended.wait(_SILENCE_SECONDS)


def _handlers(grpc: Any, find: Callable[[str], Any]) -> Any:
    class Handlers(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            return find(handler_call_details.method)

    return Handlers()


def _method_of(service: GrpcService, method: str) -> Callable[[GrpcCall], Any] | None:
    return getattr(service, method, None) if method[:1].isupper() else None


def _is_named(method: str, wanted: str) -> bool:
    """Say whether `Service.Method` is meant by `Method`, `Service.Method` or `google.x.v1.Service/Method`."""
    wanted = wanted.replace("/", ".").strip(".")
    return f".{method}".endswith(f".{wanted}") or f".{wanted}".endswith(f".{method}")


def _serialise(message: Any) -> bytes:
    if message is None:
        return b""  # google.protobuf.Empty
    cls: Any = message.__class__
    return cls.serialize(message) if hasattr(cls, "serialize") else message.SerializeToString()
