"""Slack on this machine: a server in the shape of its Web API, of file uploads and of incoming webhooks.

It stands at the network's edge: real clients talk to it by HTTP. Tokens, scopes and the arguments of every method are
checked, messages and files are kept, and errors have the form of Slack's: status 200 with `"ok": false` for methods
(https://docs.slack.dev/apis/web-api), a status and a word for webhooks
(https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest

from ._call_faults import Fault, Faults, When
from ._http_server import Cut, Garbled, HttpHandler, HttpServer
from ._slack_service import TOKEN, WEBHOOK_SECRET, SlackCall, SlackChannel, SlackRefusal, SlackService
from .processes import HOST

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from .certificates import Certificate

__all__ = ["TOKEN", "WEBHOOK_SECRET", "SlackCall", "SlackChannel", "SlackRefusal", "SlackServer", "slack_server"]


class SlackServer(SlackService):
    """The server, and what a test may do to it. Every method may be called from any thread.

    What it holds, `SlackService` describes.

    Attributes:
        calls: All requests since the last reset, in order.
        faults: What some calls meet instead of an answer.
    """

    def __init__(self, certificate: Certificate | None = None) -> None:
        """Start to listen on a free loopback port (milliseconds).

        Args:
            certificate: For TLS.
        """
        super().__init__()
        self.faults: Faults[SlackCall] = Faults()
        context = None
        if certificate is not None:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert_file, certificate.key_file)
        self._http = HttpServer(self, _Handler, context)
        self.endpoint = f"{'https' if context else 'http'}://{HOST}:{self._http.server_address[1]}"
        self.reset()
        self._http.start("slack")

    def reset(self) -> None:
        """Forget everything but the token `TOKEN`, the channels #general and #prefect and the webhook."""
        with self.lock:
            self.faults.clear()
            self.calls: list[SlackCall] = []
            self.forget()  # a call that is slow must not be done after it: `calls` is another list then

    @property
    def api_url(self) -> str:
        """The address of the Web API."""
        return f"{self.endpoint}/api/"

    @property
    def webhook_url(self) -> str:
        """The address of the webhook, which is a secret."""
        return f"{self.endpoint}/services/T00000001/B00000001/{WEBHOOK_SECRET}"

    def revoke(self, token: str = TOKEN, error: str = "token_revoked") -> None:
        """Let a token be no longer good.

        Args:
            token: Which one.
            error: What its callers are told.
        """
        self.dead_tokens[token] = error

    def fail(
        self,
        method: str = "*",
        error: str = "internal_error",
        *,
        status: int = 200,
        times: int | None = 1,
        when: When = "before",
        skip: int = 0,
        retry_after: str | None = None,
        delay_seconds: float = 0.0,
        **more: Any,
    ) -> None:
        """Let calls fail.

        Args:
            method: Name of the method, `webhook` or `upload`; `*` stands for anything in it.
            error: Slack's word for what is wrong.
            status: HTTP status; Slack's methods fail with 200, but for 429 and 5xx.
            times: How many calls; `None` for all that come.
            when: What happens; see `When`.
            skip: How many calls are spared first.
            retry_after: The header `Retry-After`.
            delay_seconds: How long a call that is `slow` takes.
            more: Further fields of the answer.
        """
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        self.faults.add(Fault(method, SlackRefusal(error, status, headers, **more), times, when, skip, delay_seconds))

    def called(self, method: str) -> list[SlackCall]:
        """List the calls of one method."""
        return [call for call in list(self.calls) if call.method == method]

    def close(self) -> None:
        """Stop to listen."""
        self._http.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False

    # Answers

    def handle(self, call: SlackCall, path: str, content: bytes, authorization: str) -> Any:
        """Answer one call, or let it meet a fault."""
        with self.lock:
            calls = self.calls
            calls.append(call)
            fault = self.faults.next(call)
        if fault is not None:
            if fault.when == "before":
                raise fault.error
            if fault.when == "cut":
                raise Cut
            if fault.when == "garbled":
                raise Garbled
            threading.Event().wait(fault.delay_seconds)
        with self.lock:
            if calls is not self.calls:
                raise Cut
            answer = self.answer(call, path, content, authorization)
        if fault is not None and fault.when == "after":
            raise fault.error
        if fault is not None and fault.when == "lost":
            raise Cut
        return answer


class _Handler(HttpHandler):
    def serve(self) -> None:
        """Answer one request."""
        server: SlackServer = self.server.owner
        split = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        authorization = headers.pop("authorization", "")
        kind = split.path.strip("/").split("/")
        method = {"api": kind[-1], "services": "webhook", "upload": "upload"}.get(kind[0], "")
        call = SlackCall(method, headers=headers, proxied_to=split.netloc)
        is_method = method not in ("webhook", "upload")
        sent = {"Content-Type": "application/json" if is_method else "text/plain"}
        try:
            answer, status = server.handle(call, split.path, self.read_content(), authorization), 200
        except Cut:
            raise
        except Garbled as exc:
            call.status = exc.status
            raise
        except SlackRefusal as exc:
            status = exc.status
            answer = {"ok": False, "error": exc.error, **exc.more} if is_method else exc.error
            sent.update(exc.headers)
        except Exception as exc:  # noqa: BLE001 - a test must see what broke, not a lost connection
            answer, status = f"Local server: {type(exc).__name__}: {exc}", 500
        call.status = status
        content = answer if isinstance(answer, str) else json.dumps(answer)
        self.send(status, content.encode(), sent)


@pytest.fixture(scope="session")
def _slack_server() -> Iterator[SlackServer]:  # pyright: ignore[reportUnusedFunction] - found by name
    with SlackServer() as server:
        yield server


@pytest.fixture
def slack_server(_slack_server: SlackServer) -> SlackServer:
    """A server in the shape of Slack, with two empty channels, one token and one webhook."""
    _slack_server.reset()
    return _slack_server
