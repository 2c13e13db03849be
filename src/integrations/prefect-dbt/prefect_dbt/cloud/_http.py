"""HTTP as dbt Cloud wants it: who asks, what may be tried again, and what its answers hold."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import httpx

from prefect_integration_kit.http_failures import (
    REPEATABLE,
    GarbledAnswer,
    had_no_effect,
    passing,
    repeatable_if_refused,
)
from prefect_integration_kit.tls import httpx_context as tls
from prefect_integration_kit.waiting import Backoff

from ._shapes import as_dict

__all__ = [
    "ANSWER_SECONDS",
    "BACKOFF",
    "REPEATABLE",
    "TIMEOUT",
    "GarbledAnswer",
    "authorization",
    "check",
    "explain",
    "had_no_effect",
    "passing",
    "read_data",
    "read_json",
    "read_object",
    "repeatable_if_refused",
    "status_message",
    "tls",
]

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 30.0
TIMEOUT = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)

BACKOFF = Backoff(initial_seconds=0.5, maximum_seconds=10.0, deadline_seconds=60.0, max_attempts=6)
"""For one request: some tries within a minute."""

_LARGE_BYTES = 256 * 1024


def authorization(api_key: str) -> dict[str, str]:
    """Make the header that says who asks.

    Raises:
        ValueError: If the key cannot be one. The message does not repeat it.
    """
    key = api_key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        said = "is empty" if not key else "has characters that no API key has, such as spaces or line breaks"
        raise ValueError(f"api_key {said}. Copy it again from API tokens in dbt Cloud's account settings.")
    return {"Authorization": f"Bearer {key}", "Accept": "application/json"}


def check(response: httpx.Response) -> httpx.Response:
    """Raise what a status says.

    Raises:
        httpx.HTTPStatusError: If it is none of success.
    """
    response.raise_for_status()
    return response


async def read_json(response: httpx.Response) -> Any:
    """Read the body of an answer, a large one in a thread: reading takes a second for each 100 MB.

    Raises:
        GarbledAnswer: If it is no JSON.
    """
    if not isinstance(response, httpx.Response):  # what a test gives in its place
        return cast("Any", response).json()
    try:
        if len(response.content) > _LARGE_BYTES:
            return await asyncio.to_thread(json.loads, response.content)
        return json.loads(response.content)
    except ValueError as exc:
        raise GarbledAnswer(
            f"dbt Cloud answered {response.status_code} with {response.headers.get('Content-Type') or 'something'} "
            "where JSON was expected"
        ) from exc


async def read_data(response: httpx.Response) -> Any:
    """Read what stands under `data` in an answer of the administrative API.

    Raises:
        GarbledAnswer: If there is nothing.
    """
    body = await read_json(response)
    if "data" not in as_dict(body):
        raise GarbledAnswer(f"dbt Cloud answered {response.status_code} without `data`")
    return body["data"]


async def read_object(response: httpx.Response, known_id: int | None = None) -> dict[str, Any]:
    """Read a run or job that stands under `data` in an answer.

    Args:
        response: The answer.
        known_id: The id that was asked for; an answer need not repeat it.

    Raises:
        GarbledAnswer: If there is none.
    """
    data = as_dict(await read_data(response))
    if data and known_id is not None:
        data.setdefault("id", known_id)
    if not isinstance(data.get("id"), int):
        raise GarbledAnswer(f"dbt Cloud answered {response.status_code} without an id")
    return data


def status_message(response: httpx.Response, name: str) -> str | None:
    """Read a text from the `status` of an answer; `None` where there is none.

    Args:
        response: Any answer.
        name: `user_message` or `developer_message`.
    """
    try:
        body = json.loads(response.content)
    except (ValueError, httpx.ResponseNotRead):
        return None
    text = as_dict(as_dict(body).get("status")).get(name)
    return text if isinstance(text, str) and text else None


def explain(exc: BaseException) -> str:
    """Say in one line what went wrong with a request."""
    if isinstance(exc, httpx.HTTPStatusError):
        response = exc.response
        said = status_message(response, "user_message") or status_message(response, "developer_message")
        reason = f"{response.status_code} {response.reason_phrase}".strip()
        remedy = _REMEDIES.get(response.status_code, "")
        text = f"dbt Cloud answered {reason}" + (f": {said.strip()}" if said else "")
        return f"{text if text.endswith(('.', '!', '?')) else f'{text}.'} {remedy}".rstrip()
    text = str(exc).strip()
    if isinstance(exc, GarbledAnswer):
        return f"{text}."
    request = getattr(exc, "_request", None)  # the property raises where there is none
    where = f" at {request.url.host}" if request is not None else ""
    name = type(exc).__name__
    reason = f"{name}: {text}" if text else name
    said = f"No answer from dbt Cloud{where} ({reason})."
    if not isinstance(exc, httpx.ConnectError):
        return said
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"{said} The certificate is not trusted: name the file of its authority in SSL_CERT_FILE."
    return f"{said} Check `domain` of the credentials, and the network."


_REMEDIES = {
    401: "Check `api_key` and `domain` of the credentials.",
    403: "Check that the API key's owner may do this, and `account_id`.",
    404: "Check the id, `account_id` and `domain`, and that the API key's owner may see it.",
}
