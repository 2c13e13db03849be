"""An AWS endpoint that answers as the test says: states over time, refusals, malformed answers.

It stands at the network's edge: real clients talk to it by HTTP, each request is checked against botocore's service
model, and answers are checked against it too, so a test cannot script what the service would never say.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._aws_answers import write_answer, write_error
from ._aws_model import HttpAnswer, HttpRequest, load_model, validation_errors
from ._aws_requests import UnknownOperation, read_request
from ._boto import open_client
from .aws_faults import AwsError, Fault, StubMisused
from .processes import HOST

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AwsCall", "AwsError", "AwsStub", "Fault", "HangUp", "StubMisused", "session_credentials"]

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True)
class HangUp:
    """No answer: the connection ends. botocore tries again, or raises `ConnectionClosedError`."""


def session_credentials(number: int, expires_in_seconds: float) -> dict[str, Any]:
    """Make the output of AssumeRole and its relatives, with keys that tell one session from another.

    Args:
        number: Which session this is; key and token end in it.
        expires_in_seconds: Seconds from now until it expires; negative for one that has.
    """
    expiry = datetime.fromtimestamp(time.time() + expires_in_seconds, timezone.utc)
    return {
        "Credentials": {
            "AccessKeyId": f"ASIASESSION{number:09d}",
            "SecretAccessKey": f"secret-{number}",
            "SessionToken": f"token-{number}",
            "Expiration": expiry,
        }
    }


@dataclass(frozen=True)
class AwsCall:
    """One request, read by the service's model."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    headers: Mapping[str, str]
    at_seconds: float
    """When it came, on the monotonic clock."""

    @property
    def _credential(self) -> tuple[str, ...]:
        match = _CREDENTIAL.search(self.headers.get("authorization", ""))
        return match.groups() if match else ("", "", "")

    @property
    def access_key(self) -> str:
        """Access key that signed the request; empty when it is unsigned."""
        return self._credential[0]

    @property
    def region(self) -> str:
        """Region that the request was signed for; empty when it is unsigned."""
        return self._credential[1]

    @property
    def session_token(self) -> str:
        """Session token that came with the signature; empty for lasting keys."""
        return self.headers.get("x-amz-security-token", "")


Output = Mapping[str, Any]
Answer = Output | AwsError | Fault | HangUp | Callable[[AwsCall], "Output | AwsError | Fault | HangUp"]


@dataclass
class _Scripted:
    answer: Answer
    left: int | None  # how often it is still given; `None` for ever


class AwsStub:
    """An HTTP endpoint for some AWS services, in a thread.

    ```python
    with AwsStub("glue") as stub:
        stub.respond("StartJobRun", {"JobRunId": "jr_1"})
        stub.respond("GetJobRun", run("RUNNING"), run("RUNNING"), run("STOPPED"))
        stub.fail("GetJobRun", Fault.THROTTLED, times=1)  # the first look
        ...
        assert [call.operation for call in stub.calls] == ["StartJobRun", *["GetJobRun"] * 4]
    ```

    Leaving the block raises `StubMisused` if a request was not scripted or does not fit the model.
    """

    region = "us-east-1"

    def __init__(self, *services: str) -> None:
        """Start to listen on a free loopback port.

        Args:
            services: botocore's names of the services to speak for, such as `glue`.
        """
        if not services:
            raise ValueError("Name at least one service, such as 'glue'.")
        self._models = {service: load_model(service) for service in services}
        self._script: dict[str, list[_Scripted]] = {}
        self._lock = threading.Lock()
        self.calls: list[AwsCall] = []
        self.problems: list[str] = []
        self._http = _Server((HOST, 0), _Handler)
        self._http.stub = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="aws-stub", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return self._http.server_address[1]

    @property
    def endpoint_url(self) -> str:
        """URL that clients take as `endpoint_url`."""
        return f"http://{HOST}:{self.port}"

    def client(self, service: str, **options: Any) -> Any:
        """Open a boto3 client that talks to the stub.

        Args:
            service: One of the stub's services.
            options: Further arguments of `boto3.session.Session.client`, which win over the stub's, and `access_key`,
                `secret_key` and `region`.
        """
        return open_client(
            service,
            **{
                "endpoint_url": self.endpoint_url,
                "access_key": "testing",
                "secret_key": "testing-secret",
                "region": self.region,
                **options,
            },
        )

    def respond(self, operation: str, *answers: Answer) -> None:
        """Say what an operation answers from now on: each answer once, the last one for ever.

        Args:
            operation: Name in the model, such as `GetJobRun`.
            answers: Outputs by the names of the model; errors; or functions of the call, which return one of these.

        Raises:
            StubMisused: If no service has the operation, or an output does not fit its model.
        """
        if not answers:
            raise StubMisused(f"No answer was given for {operation}.")
        model = self._model_of(operation)
        for answer in answers:
            self._check_output(model.operation_model(operation), answer)
        script = [_Scripted(answer, 1) for answer in answers[:-1]] + [_Scripted(answers[-1], None)]
        with self._lock:
            self._script[operation] = script

    def fail(
        self,
        operation: str,
        error: str | Fault | HangUp,
        message: str = "",
        *,
        status: int = 400,
        times: int | None = None,
    ) -> None:
        """Let an operation fail: the next `times` calls, before what is scripted already, or all of them.

        Args:
            operation: Name in the model.
            error: A fault, or the service's own error code.
            message: Message for an error code.
            status: HTTP status for an error code.
            times: How often; for ever by default.
        """
        self._model_of(operation)
        answer = AwsError(error, message, status) if isinstance(error, str) else error
        with self._lock:
            rest = self._script.get(operation, []) if times is not None else []
            self._script[operation] = [_Scripted(answer, times), *rest]

    def calls_of(self, operation: str) -> list[AwsCall]:
        """Return the calls of one operation so far, in order."""
        return [call for call in self.calls if call.operation == operation]

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def check(self) -> None:
        """Look at what went wrong so far.

        Raises:
            StubMisused: If a request was not scripted, or does not fit the model.
        """
        if self.problems:
            raise StubMisused("\n".join(self.problems))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if exc is None:
            self.check()

    def _model_of(self, operation: str) -> Any:
        for model in self._models.values():
            if operation in model.operation_names:
                return model
        raise StubMisused(f"None of {', '.join(self._models)} has an operation {operation!r}.")

    def _check_output(self, operation: Any, answer: Any) -> None:
        if isinstance(answer, Mapping):
            errors = validation_errors(answer, operation.output_shape)
            if errors:
                raise StubMisused(f"The answer to {operation.name} does not fit the model: {errors}")

    def _problem(self, model: Any, text: str) -> HttpAnswer:
        """Note a misuse and answer with an error that is not retried and says so."""
        self.problems.append(text)
        return write_error(model, "StubMisused", text, 400)

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        """Answer one request; `None` asks to hang up."""
        model = self._service_of(request)
        try:
            operation, parameters = read_request(model, request)
        except (UnknownOperation, ValueError) as exc:
            return self._problem(model, f"{request.method} {request.target}: {exc}")
        call = AwsCall(model.service_name, operation.name, parameters, request.headers, time.monotonic())
        with self._lock:
            self.calls.append(call)
            answer = self._next_answer(operation.name)
        errors = validation_errors(parameters, operation.input_shape)
        if errors:
            return self._problem(model, f"The request for {operation.name} does not fit the model: {errors}")
        if answer is None:
            return self._problem(model, f"{operation.name} is not scripted: call respond or fail first.")
        try:
            if callable(answer):
                answer = answer(call)
                self._check_output(operation, answer)
            return self._write(model, operation, answer)
        except Exception as exc:  # noqa: BLE001 - the test's own function may raise anything
            return self._problem(model, f"{operation.name}: {type(exc).__name__}: {exc}")

    def _write(self, model: Any, operation: Any, answer: Any) -> HttpAnswer | None:
        if isinstance(answer, HangUp):
            return None
        if isinstance(answer, Fault):
            answer = answer.error(model)
        if isinstance(answer, AwsError):
            return write_error(model, answer.code, answer.message, answer.status, answer.details)
        return write_answer(operation, answer)

    def _next_answer(self, operation: str) -> Answer | None:
        script = self._script.get(operation)
        if not script:
            return None
        entry = script[0]
        if entry.left is not None:
            entry.left -= 1
            if entry.left <= 0:
                script.pop(0)
        return entry.answer

    def _service_of(self, request: HttpRequest) -> Any:
        """Find the service by the scope of the signature; unsigned requests go to the one that knows the operation."""
        match = _CREDENTIAL.search(request.headers.get("authorization", ""))
        for model in self._models.values():
            if match and match[3] in (model.signing_name, model.endpoint_prefix):
                return model
        for model in self._models.values():
            with contextlib.suppress(UnknownOperation, ValueError):
                read_request(model, request)
                return model
        return next(iter(self._models.values()))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    stub: AwsStub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - it is made by this server alone

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._read_body(headers)
        answer = None
        if body is not None:
            answer = self.server.stub.answer(HttpRequest(self.command, self.path, headers, body))
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        is_head = self.command == "HEAD"
        size = answer.headers.get("Content-Length", len(answer.body)) if is_head else len(answer.body)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if not is_head:
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815 - the base class wants these names

    def _read_body(self, headers: Mapping[str, str]) -> bytes | None:
        """Read what was sent; `None` from a client that was stopped meanwhile."""
        if headers.get("transfer-encoding", "").lower() != "chunked":
            size = int(headers.get("content-length", 0))
            body = self.rfile.read(size)
            if len(body) < size:
                return None
        else:
            body = _read_chunks(self.rfile)
            while self.rfile.readline().strip():
                pass  # trailers
        if "aws-chunked" in headers.get("content-encoding", ""):
            body = _read_chunks(io.BytesIO(body))  # a second framing inside the first
        return body

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: pytest shows what a test asserts."""


def _read_chunks(stream: Any) -> bytes:
    parts: list[bytes] = []
    while size := int(stream.readline().split(b";")[0], 16):
        parts.append(stream.read(size))
        stream.readline()
    return b"".join(parts)
