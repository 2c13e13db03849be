"""Failures of requests by httpx."""

from __future__ import annotations

import httpx
import pytest

from prefect_integration_kit.http_failures import (
    REPEATABLE,
    GarbledAnswer,
    had_no_effect,
    passing,
    repeatable_if_refused,
)
from prefect_integration_kit.tls import httpx_context


def status(code: int, **headers: str) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "https://example.com")
    response = httpx.Response(code, headers=headers, request=request)
    return httpx.HTTPStatusError(str(code), request=request, response=response)


@pytest.mark.parametrize(
    ("error", "passes", "harmless"),
    [
        pytest.param(status(408), True, False, id="408"),
        pytest.param(status(429), True, True, id="429"),
        pytest.param(status(503), True, False, id="503"),
        pytest.param(status(524), True, False, id="524 of a proxy"),
        pytest.param(status(400), False, True, id="400"),
        pytest.param(status(403), False, True, id="403"),
        pytest.param(status(501), False, False, id="501"),
        pytest.param(httpx.ConnectError("refused"), True, True, id="no connection"),
        pytest.param(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), False, True, id="no trust"),
        pytest.param(httpx.ConnectTimeout("slow"), True, True, id="no connection in time"),
        pytest.param(httpx.ReadTimeout("slow"), True, False, id="no answer in time"),
        pytest.param(httpx.ReadError("cut"), True, False, id="cut"),
        pytest.param(httpx.RemoteProtocolError("cut"), True, False, id="cut between answers"),
        pytest.param(httpx.UnsupportedProtocol("ftp"), False, True, id="no such protocol"),
        pytest.param(GarbledAnswer("a page"), True, False, id="a page of a proxy"),
        pytest.param(ValueError("ours"), False, False, id="not of httpx"),
    ],
)
def test_which_failures_pass_and_which_had_no_effect(error: Exception, passes: bool, harmless: bool) -> None:
    assert bool(passing(error)) is passes
    assert had_no_effect(error) is harmless
    assert bool(repeatable_if_refused(error)) is (passes and harmless)


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("0", 0.0), ("soon", True)])
def test_retry_after_is_passed_on(said: str, seconds: float) -> None:
    verdict = passing(status(429, **{"Retry-After": said}))
    assert (verdict, type(verdict)) == (seconds, type(seconds))


def test_methods_that_may_be_sent_twice() -> None:
    assert {"GET", "PUT", "DELETE"} <= REPEATABLE
    assert not {"POST", "PATCH"} & REPEATABLE


def test_the_context_of_httpx_is_made_once_for_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    first = httpx_context()
    assert httpx_context() is first
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    assert httpx_context() is not first
