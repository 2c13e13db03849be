"""Ask for tokens over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import httpx

from prefect_integration_kit.http_failures import passing
from prefect_integration_kit.waiting import Backoff, Verdict, retry

from .. import _time
from ..errors import DatabricksCredentialsError, DatabricksUnavailable, masked, translated
from ..settings import DatabricksSettings
from .tokens import Token

MakeClient = Callable[[], httpx.Client]
"""Makes a client with the proxies and authorities that the credentials have."""

_BACKOFF_SECONDS = 30.0


def ask(
    make_client: MakeClient,
    subject: str,
    method: str,
    url: str,
    *,
    secrets: list[str | None],
    remedy: str,
    passing_statuses: frozenset[int] = frozenset(),
    if_unreachable: str = "Check the address and the network.",
    **options: Any,
) -> dict[str, Any]:
    """Send a request to who issues tokens, again while it fails for a reason that passes, and read its object.

    Args:
        make_client: Makes the client.
        subject: What could not be done if it fails, as the beginning of a sentence.
        method: Method of the request.
        url: Where to send it.
        secrets: Values that must not be repeated.
        remedy: What to do when the request is refused.
        passing_statuses: Statuses that pass there though they usually do not.
        if_unreachable: What to do when there is no answer.
        options: Further arguments of `httpx.Client.request`.

    Raises:
        DatabricksCredentialsError: If it is refused.
        DatabricksUnavailable: If there is no answer.
    """

    def attempt() -> httpx.Response:
        return client.request(method, url, **options).raise_for_status()

    def is_transient(exc: Exception) -> Verdict:
        if isinstance(exc, httpx.HTTPStatusError) and exc.response.status_code in passing_statuses:
            return True
        return passing(exc)

    deadline = min(_BACKOFF_SECONDS, DatabricksSettings().retry_seconds)
    with make_client() as client:
        try:
            response = retry(
                attempt,
                is_transient=is_transient,
                backoff=Backoff(initial_seconds=0.5, maximum_seconds=5.0, deadline_seconds=deadline),
                clock=_time.clock,
            )
        except httpx.HTTPStatusError as exc:
            error = translated(exc, subject, secrets=secrets)
            if isinstance(error, DatabricksUnavailable):
                raise error from None
            text = f"{subject}: {url} answered {_said(exc.response)}. {remedy}"
            # Not `from exc`: the request behind it holds the secret.
            refused = DatabricksCredentialsError(masked(text, secrets), subject=subject)
            refused.status_code, refused.error_code = exc.response.status_code, error.error_code
            raise refused from None
        except httpx.HTTPError as exc:
            raise _unreachable(exc, subject, url, secrets, if_unreachable) from None
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        text = f"{subject}: {url} did not answer with a token, but with {_kind(response)}. {remedy}"
        raise DatabricksCredentialsError(masked(text, secrets), subject=subject)
    return cast("dict[str, Any]", body)


def read_token(body: Mapping[str, Any], subject: str, issuer: str) -> Token:
    """Read a token in an answer of OAuth, https://httpwg.org/specs/rfc6749.html#section-5.1.

    Args:
        body: The answer.
        subject: What could not be done if there is none.
        issuer: Who answered.

    Raises:
        DatabricksCredentialsError: If there is none.
    """
    value = body.get("access_token")
    if not isinstance(value, str) or not value:
        raise DatabricksCredentialsError(f"{subject}: {issuer} answered without an access token.", subject=subject)
    return Token(value, _end(body))


def _end(body: Mapping[str, Any]) -> float | None:
    """Azure's managed identities write numbers as texts, and some only when the token ends."""
    for name, origin in (("expires_in", _time.now()), ("expires_on", 0.0)):
        try:
            seconds = float(body[name])
        except (KeyError, TypeError, ValueError):
            continue
        if seconds > 0:
            return origin + seconds
    return None


def _unreachable(exc: httpx.HTTPError, subject: str, url: str, secrets: list[str | None], remedy: str) -> Exception:
    if passing(exc) is False:
        return translated(exc, subject, secrets=secrets)
    text = f"{subject}: no answer from {url} ({type(exc).__name__}: {exc}). {remedy}"
    return DatabricksUnavailable(masked(text, secrets), subject=subject)


def _said(response: httpx.Response) -> str:
    status = f"{response.status_code} {response.reason_phrase}".strip()
    try:
        body: Any = json.loads(response.content)
    except ValueError:
        return status
    if not isinstance(body, dict):
        return status
    fields = cast("dict[str, Any]", body)
    parts = [fields.get(name) for name in ("error", "error_code", "error_description", "message")]
    # Azure's description goes on with ids of the request, line by line.
    said = [part.splitlines()[0].rstrip(". ") for part in parts if isinstance(part, str) and part.strip()]
    return ": ".join([status, *said])


def _kind(response: httpx.Response) -> str:
    return response.headers.get("Content-Type") or "something else"
