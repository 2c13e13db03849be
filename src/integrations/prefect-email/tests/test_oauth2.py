"""OAuth 2.0: tokens are fetched, kept, refreshed in time and once, and never shown."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from prefect_email import EmailServerCredentials
from prefect_email._oauth2 import TokenCache, TokenRequest
from prefect_email._tls import client_context
from prefect_email.errors import (
    EmailAuthenticationError,
    EmailInsecureAuthentication,
    EmailNotSupported,
    EmailTokenError,
)
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.smtp import OAUTH2_TOKEN, USERNAME, SMTPBackend

SECRET = "c4nary-client/secret+"
REFRESH = "c4nary-refresh"


@dataclass
class TokenServer:
    """A token server: gives the next of `answers`, then new tokens."""

    url: str
    ca_file: Path
    asked: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    lifetime: int | None = 3600

    def answer(self, form: dict[str, str]) -> tuple[int, dict[str, Any], dict[str, str]]:
        self.asked.append(form)
        if self.answers:
            return self.answers.pop(0)
        answer: dict[str, Any] = {"access_token": f"token-{len(self.asked)}", "token_type": "Bearer"}
        if self.lifetime is not None:
            answer["expires_in"] = self.lifetime
        return 200, answer, {}


@pytest.fixture
def token_server(private_ca: PrivateCA) -> Iterator[TokenServer]:
    """A token server over HTTPS with a private certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            status, answer, headers = state.answer(dict(parse_qsl(self.rfile.read(length).decode())))
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    certificate = private_ca.issue("tokens", "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert_file, certificate.key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    state = TokenServer(f"https://localhost:{server.server_port}/token", private_ca.ca_file)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def request_to(token_server: TokenServer) -> TokenRequest:
    return TokenRequest(token_server.url, "app", SECRET, REFRESH, "mail.send")


@pytest.fixture
def fetch(token_server: TokenServer, fake_clock: Any) -> Callable[..., str]:
    """Ask one cache, on a clock that tests set."""
    cache = TokenCache(fake_clock)
    context = client_context(verify=True, ca_file=token_server.ca_file)
    return lambda request, rejected=None: cache.token(request, lambda: context, 5, rejected)


def test_a_token_is_fetched_by_refresh_token(
    token_server: TokenServer, request_to: TokenRequest, fetch: Callable[..., str]
) -> None:
    assert fetch(request_to) == "token-1"
    assert token_server.asked == [
        {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH,
            "client_id": "app",
            "client_secret": SECRET,
            "scope": "mail.send",
        }
    ]


def test_a_token_is_fetched_by_client_credentials(token_server: TokenServer, fetch: Callable[..., str]) -> None:
    assert fetch(TokenRequest(token_server.url, "app", SECRET)) == "token-1"
    assert token_server.asked == [{"grant_type": "client_credentials", "client_id": "app", "client_secret": SECRET}]


@pytest.mark.parametrize(("lifetime", "kept"), [(3600, 3539), (100, 49), (None, 239)])
def test_a_token_is_kept_until_shortly_before_it_expires(
    lifetime: int | None,
    kept: int,
    token_server: TokenServer,
    request_to: TokenRequest,
    fetch: Callable[..., str],
    fake_clock: Any,
) -> None:
    token_server.lifetime = lifetime
    assert fetch(request_to) == "token-1"
    fake_clock.sleep(kept)
    assert fetch(request_to) == "token-1"
    fake_clock.sleep(2)
    assert fetch(request_to) == "token-2"


def test_concurrent_askers_share_one_request(
    token_server: TokenServer, request_to: TokenRequest, fetch: Callable[..., str]
) -> None:
    with ThreadPoolExecutor(16) as pool:
        tokens = list(pool.map(lambda _: fetch(request_to), range(16)))
    assert set(tokens) == {"token-1"}
    assert len(token_server.asked) == 1


def test_different_accounts_have_different_tokens(token_server: TokenServer, fetch: Callable[..., str]) -> None:
    first = TokenRequest(token_server.url, "app", SECRET, "refresh-a")
    second = TokenRequest(token_server.url, "app", SECRET, "refresh-b")
    assert (fetch(first), fetch(second), fetch(first)) == ("token-1", "token-2", "token-1")


def test_a_new_refresh_token_replaces_the_old(
    token_server: TokenServer, request_to: TokenRequest, fetch: Callable[..., str]
) -> None:
    token_server.answers = [(200, {"access_token": "a", "refresh_token": "next", "expires_in": 0}, {})]
    fetch(request_to)
    fetch(request_to)
    assert [form["refresh_token"] for form in token_server.asked] == [REFRESH, "next"]


def test_a_passing_failure_is_tried_again_when_the_server_wants(
    token_server: TokenServer, request_to: TokenRequest, fetch: Callable[..., str], fake_clock: Any
) -> None:
    token_server.answers = [(503, {}, {"Retry-After": "4"}), (429, {"error": "slow_down"}, {})]
    before = fake_clock.monotonic()
    assert fetch(request_to) == "token-3"
    assert fake_clock.monotonic() - before >= 4


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (400, {"error": "invalid_grant", "error_description": f"{REFRESH} is expired"}, "sign in again"),
        (401, {"error": "invalid_client", "error_description": SECRET}, "Check oauth2_client_id"),
        (400, {"error": "invalid_scope"}, "Check oauth2_scope"),
        (200, {"token_type": "Bearer"}, "no access token in the answer"),
        (302, {}, "Check oauth2_token_url"),
    ],
)
def test_a_refusal_says_what_to_do_and_no_secret(
    status: int,
    answer: dict[str, Any],
    message: str,
    token_server: TokenServer,
    request_to: TokenRequest,
    fetch: Callable[..., str],
) -> None:
    token_server.answers = [(status, answer, {"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(EmailTokenError, match=message) as caught:
        fetch(request_to)
    assert "localhost" in str(caught.value)
    assert "c4nary" not in f"{caught.value} {request_to!r}"
    assert len(token_server.asked) == 1


@pytest.mark.parametrize("url", ["https://[broken", "gopher://localhost/token"])
def test_an_address_that_cannot_be_one_is_reported(url: str, fetch: Callable[..., str]) -> None:
    with pytest.raises(EmailTokenError, match="Check oauth2_token_url"):
        fetch(TokenRequest(url, "app", SECRET))


def test_an_untrusted_token_server_gets_no_secret(
    token_server: TokenServer, request_to: TokenRequest, fake_clock: Any
) -> None:
    context = client_context(verify=True)
    with pytest.raises(EmailTokenError, match="no answer"):
        TokenCache(fake_clock).token(request_to, lambda: context, 5)
    assert token_server.asked == []


# Through the block


@pytest.fixture
def credentials(xoauth2: SMTPBackend, token_server: TokenServer) -> EmailServerCredentials:
    return EmailServerCredentials(
        **xoauth2.fields,
        oauth2_token_url=token_server.url,
        oauth2_client_id="app",
        oauth2_client_secret=SECRET,
        timeout_seconds=5,
    )


def test_a_given_token_logs_in(xoauth2: SMTPBackend, credentials_for: Callable[..., EmailServerCredentials]) -> None:
    credentials_for(xoauth2, oauth2_token=OAUTH2_TOKEN).get_server().quit()
    (login,) = xoauth2.mailbox.logins
    assert (login.mechanism, login.username, login.is_accepted, login.is_encrypted) == ("XOAUTH2", USERNAME, True, True)


def test_a_refused_token_is_reported_and_not_shown(
    xoauth2: SMTPBackend, credentials_for: Callable[..., EmailServerCredentials]
) -> None:
    with pytest.raises(EmailAuthenticationError, match="535") as caught:
        credentials_for(xoauth2, oauth2_token="c4nary-old").get_server()
    assert "c4nary" not in str(caught.value)


def test_a_fetched_token_logs_in_and_is_shared_by_later_connections(
    xoauth2: SMTPBackend, credentials: EmailServerCredentials, token_server: TokenServer
) -> None:
    xoauth2.tokens.add("token-1")
    credentials.get_server().quit()
    EmailServerCredentials(**credentials.model_dump()).get_server().quit()
    assert [login.is_accepted for login in xoauth2.mailbox.logins] == [True, True]
    assert len(token_server.asked) == 1
    xoauth2.tokens.discard("token-1")


def test_a_revoked_token_is_replaced_once(
    xoauth2: SMTPBackend, credentials: EmailServerCredentials, token_server: TokenServer
) -> None:
    xoauth2.tokens.add("token-2")
    credentials.get_server().quit()
    assert [login.is_accepted for login in xoauth2.mailbox.logins] == [False, True]
    xoauth2.tokens.discard("token-2")
    with pytest.raises(EmailAuthenticationError):
        credentials.get_server()
    assert len(token_server.asked) == 3


def test_a_server_without_xoauth2_is_reported(
    tls: SMTPBackend, credentials_for: Callable[..., EmailServerCredentials]
) -> None:
    with pytest.raises(EmailNotSupported, match="XOAUTH2"):
        credentials_for(tls, oauth2_token=OAUTH2_TOKEN).get_server()
    assert tls.mailbox.logins == []


def test_a_secret_is_not_sent_to_a_token_server_without_tls(
    xoauth2: SMTPBackend, credentials: EmailServerCredentials
) -> None:
    unsafe = credentials.model_copy(update={"oauth2_token_url": "http://127.0.0.1:1/token"})
    with pytest.raises(EmailInsecureAuthentication, match="https"):
        unsafe.get_server()
