"""Send requests to a workspace: over connections that are kept, again if that is safe, and errors with a subject."""

from __future__ import annotations

import asyncio
import inspect
import json as json_module
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import httpx

from prefect_integration_kit.http_failures import (
    REPEATABLE,
    GarbledAnswer,
    had_no_effect,
    passing,
    repeatable_if_refused,
)
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.redact import secrets_in
from prefect_integration_kit.waiting import Backoff, aretry

from . import _time
from ._connections import connection, request_by
from .errors import DatabricksError, check, masked, translated
from .settings import DatabricksSettings

if TYPE_CHECKING:
    from .credentials import DatabricksCredentials

__all__ = ["call", "is_repeatable", "send"]


_LARGE_BYTES = 256 * 1024

# POSTs that end in the same state however often they are sent:
# https://docs.databricks.com/api/workspace/jobs and https://docs.databricks.com/api/workspace/statementexecution.
_SAME_AGAIN = (
    "/jobs/delete",
    "/jobs/reset",
    "/jobs/update",
    "/jobs/runs/cancel",
    "/jobs/runs/cancel-all",
    "/jobs/runs/delete",
)
_NO_EFFECT_LEFT = "/cancel"

_MAYBE_DONE = "It may have been done: look before you repeat it."


def is_repeatable(method: str, endpoint: str, json: Any = None) -> bool:
    """Say whether a request does nothing more when it is sent twice.

    Args:
        method: Method of the request.
        endpoint: What follows `/api` in its address.
        json: Its body.
    """
    if method.upper() in REPEATABLE:
        return True
    if isinstance(json, Mapping) and cast("Mapping[str, Any]", json).get("idempotency_token"):
        return True
    path = endpoint.partition("?")[0].rstrip("/")
    return path.endswith(_SAME_AGAIN) or ("/sql/statements/" in path and path.endswith(_NO_EFFECT_LEFT))


async def send(
    credentials: DatabricksCredentials,
    method: str,
    endpoint: str,
    *,
    params: dict[str, Any] | None = None,
    json: Any = None,
    repeatable: bool | None = None,
    backoff: Backoff | None = None,
    **kwargs: Any,
) -> httpx.Response:
    """Send a request, again while it fails for a reason that passes, and give the last answer, whatever its status.

    Args:
        credentials: Who asks, and where.
        method: Method of the request.
        endpoint: What follows `/api` in its address.
        params: Query parameters.
        json: Body.
        repeatable: Whether the request may be sent twice though the first may have had its effect; by default it is
            known of its method, endpoint and body.
        backoff: How often and how long it is repeated; by default as the settings say.
        kwargs: Further arguments of `httpx.AsyncClient.request`.

    Raises:
        DatabricksUnavailable: If there was no answer.
        DatabricksCredentialsError: If there is no token to be had.
    """
    method = method.upper()
    may_repeat = is_repeatable(method, endpoint, json) if repeatable is None else repeatable
    subject = f"{method} {endpoint}"

    async def attempt() -> httpx.Response:
        # No body at all rather than `null` where there is none.
        body = {} if json is None else {"json": json}
        answer = request_by(client, method)(endpoint, params=params, **body, **kwargs)
        response = await answer if inspect.isawaitable(answer) else answer
        _forget_token(response)
        # An answer that a test has made may not know its request, and cannot be raised then.
        if getattr(response, "is_error", False) and getattr(response, "_request", None) is not None:
            response.raise_for_status()
        return response

    def tell(exc: Exception, delay: float) -> None:
        reason = masked(_reason(exc), secrets_in(credentials))
        run_logger(__name__).info("%s failed (%s); trying again in %.1f seconds", subject, reason, delay)

    async with connection(credentials) as client:
        try:
            return await aretry(
                attempt,
                is_transient=passing if may_repeat else repeatable_if_refused,
                backoff=backoff or _default_backoff(),
                on_retry=tell,
                clock=_time.clock,
            )
        except httpx.HTTPStatusError as exc:
            return exc.response
        except httpx.HTTPError as exc:
            error = translated(exc, subject, secrets=secrets_in(credentials))
            raise _say_if_maybe_done(error, exc, may_repeat=may_repeat) from exc


async def call(
    credentials: DatabricksCredentials,
    subject: str,
    method: str,
    endpoint: str,
    **options: Any,
) -> dict[str, Any]:
    """Send a request and read the object that Databricks answers with.

    Args:
        credentials: Who asks, and where.
        subject: What could not be done if it fails, as the beginning of a sentence: `Job 7 could not be read`.
        method: Method of the request.
        endpoint: What follows `/api` in its address.
        options: As `send` takes them.

    Raises:
        DatabricksError: If there is no answer, or none of success.
    """
    repeatable = options.get("repeatable")
    may_repeat = is_repeatable(method, endpoint, options.get("json")) if repeatable is None else bool(repeatable)
    response = await send(credentials, method, endpoint, **options)
    secrets = secrets_in(credentials)
    try:
        check(response, subject, secrets=secrets)
    except DatabricksError as exc:
        _say_if_maybe_done(exc, exc, may_repeat=may_repeat)
        raise
    try:
        return await read_object(response)
    except GarbledAnswer as exc:
        raise _say_if_maybe_done(translated(exc, subject, secrets=secrets), exc, may_repeat=may_repeat) from exc


def _say_if_maybe_done(error: DatabricksError, cause: Exception, *, may_repeat: bool) -> DatabricksError:
    """Add to an error that the request may have had its effect, if it was not repeated for that."""
    if not may_repeat and not had_no_effect(cause):
        error.args = (f"{error} {_MAYBE_DONE}", *error.args[1:])
    return error


async def read_object(response: httpx.Response) -> dict[str, Any]:
    """Read the object in an answer, a large one in a thread; an empty answer gives an empty one.

    Raises:
        GarbledAnswer: If it is something else.
    """
    content = getattr(response, "content", None)  # what a test answers with may have `json` alone
    if isinstance(content, bytes) and not content.strip():
        return {}
    large = content if isinstance(content, bytes) and len(content) > _LARGE_BYTES else None
    try:
        body = response.json() if large is None else await asyncio.to_thread(json_module.loads, large)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        kind = response.headers.get("Content-Type") or "something"
        raise GarbledAnswer(f"Databricks answered {response.status_code} with {kind} where JSON was expected")
    return cast("dict[str, Any]", body)


def _reason(exc: Exception) -> str:
    if isinstance(exc, httpx.HTTPStatusError):
        return f"{exc.response.status_code} {exc.response.reason_phrase}".strip()
    text = str(exc).strip()
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__


def _default_backoff() -> Backoff:
    return Backoff(initial_seconds=0.5, maximum_seconds=15.0, deadline_seconds=DatabricksSettings().retry_seconds)


def _forget_token(response: httpx.Response) -> None:
    """Take the token out of what an answer remembers of its request: answers are kept as results of tasks."""
    for answer in (response, *getattr(response, "history", ())):
        request = getattr(answer, "_request", None)
        if isinstance(request, httpx.Request):
            for name in list(request.headers):
                if name in _SECRET_HEADERS:
                    del request.headers[name]


_SECRET_HEADERS = frozenset({"authorization", "x-databricks-azure-sp-management-token"})
