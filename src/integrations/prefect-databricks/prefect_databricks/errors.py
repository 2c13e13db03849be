"""What can go wrong at Databricks, as Python exceptions.

    DatabricksError
    ├── DatabricksCredentialsError (ValueError)     there is no token to be had with these credentials
    ├── DatabricksAccessDenied (PermissionError)    the token is wrong, or may not do this
    ├── DatabricksNotFound (LookupError)            there is no such job, run, or other thing
    ├── DatabricksBadRequest (ValueError)           Databricks does not understand the request, or refuses its values
    └── DatabricksUnavailable (ConnectionError)     no answer, or one that asks to come back later

An error that stands for one of httpx is an instance of that class as well, with its `request` and `response`, so code
that catches `httpx.HTTPStatusError` goes on working.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar, cast

import httpx
from pydantic import SecretStr

from prefect_integration_kit.http_failures import PASSING_STATUSES, passing
from prefect_integration_kit.redact import redact
from prefect_integration_kit.sdk_errors import TranslatedError, combined
from prefect_integration_kit.waiting import Verdict, retry_after_seconds

__all__ = [
    "DatabricksAccessDenied",
    "DatabricksBadRequest",
    "DatabricksCredentialsError",
    "DatabricksError",
    "DatabricksNotFound",
    "DatabricksUnavailable",
    "check",
    "is_passing",
    "masked",
    "translated",
]


class DatabricksError(TranslatedError):
    """Something failed at Databricks.

    Attributes:
        status_code: Status of Databricks's answer; `None` where there was none.
        error_code: Databricks's own name for the failure, such as `INVALID_PARAMETER_VALUE`; `None` where it gave none.
        retry_after: Seconds after which Databricks wants the next attempt; `None` where it did not say so.
    """

    status_code: int | None = None
    error_code: str | None = None
    retry_after: float | None = None


class DatabricksCredentialsError(DatabricksError, ValueError):
    """The credentials give no token: something is missing, malformed, or refused by who issues tokens."""


class DatabricksAccessDenied(DatabricksError, PermissionError):
    """The token is wrong, has ended, or its owner may not do this."""

    remedy: ClassVar[str] = "Check the credentials, and what their owner may do in the workspace."


class DatabricksNotFound(DatabricksError, LookupError):
    """There is no such job, run, or other thing in the workspace."""

    remedy: ClassVar[str] = "Check the id, and that `databricks_instance` is the workspace that has it."


class DatabricksBadRequest(DatabricksError, ValueError):
    """Databricks does not understand the request, or refuses its values."""


class DatabricksUnavailable(DatabricksError, ConnectionError):
    """Databricks did not answer, or asks to come back later."""


_BY_STATUS: dict[int, type[DatabricksError]] = {
    400: DatabricksBadRequest,
    401: DatabricksAccessDenied,
    403: DatabricksAccessDenied,
    404: DatabricksNotFound,
    422: DatabricksBadRequest,
}
_REFUSED_TOKEN = "The token was refused. Check the credentials: it may be mistyped, revoked or of another workspace."  # noqa: S105 - no token
_MISSING_CODES = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "ENDPOINT_NOT_FOUND", "FEATURE_DISABLED"})
_MESSAGE_CHARACTERS = 2000
_MIN_MASKED = 4


def is_passing(exc: BaseException) -> Verdict:
    """Say whether the same request may succeed later; a number is how many seconds Databricks wants to be left alone.

    Args:
        exc: What a request raised, translated or not.
    """
    if isinstance(exc, DatabricksUnavailable):
        return True if exc.retry_after is None else exc.retry_after
    return False if isinstance(exc, DatabricksError) else passing(exc)


def check(response: httpx.Response, subject: str, *, secrets: list[Any] | None = None) -> httpx.Response:
    """Raise what an answer says unless it says success.

    Args:
        response: Databricks's answer.
        subject: What could not be done, as the beginning of a sentence: `Job 7 could not be read`.
        secrets: Values that must not be repeated.

    Raises:
        DatabricksError: If the answer is none of success.
    """
    try:
        return response.raise_for_status()
    except httpx.HTTPStatusError as exc:
        raise translated(exc, subject, secrets=secrets) from exc


def translated(exc: httpx.HTTPError, subject: str, *, secrets: list[Any] | None = None) -> DatabricksError:
    """Make an error of this package, with the class of httpx's, too.

    Args:
        exc: What the request raised.
        subject: What could not be done, as the beginning of a sentence.
        secrets: Values that must not be repeated.
    """
    if isinstance(exc, httpx.HTTPStatusError):
        error = _of_status(exc, subject, secrets or [])
    else:
        cls = DatabricksUnavailable if passing(exc) is not False else DatabricksError
        text = masked(f"{subject}: {_no_answer(exc)}", secrets or [])
        error = combined(cls, type(exc))(text, subject=subject)
    if (request := getattr(exc, "_request", None)) is not None:
        vars(error)["_request"] = without_headers(request)
    return error


def masked(text: str, secrets: Iterable[Any]) -> str:
    """Mask secrets in a message: Databricks repeats refused values, and addresses may hold them.

    Args:
        text: The message.
        secrets: The values; those of fewer than 4 characters stand in every other word, and are left.
    """
    return redact(text, [secret for secret in secrets if secret and len(_text(secret)) >= _MIN_MASKED])


def _text(secret: Any) -> str:
    return str(secret.get_secret_value() if isinstance(secret, SecretStr) else secret)


def without_headers(request: httpx.Request) -> httpx.Request:
    """Copy a request without its headers and body: errors are stored, and these hold tokens."""
    return httpx.Request(request.method, request.url)


def _of_status(exc: httpx.HTTPStatusError, subject: str, secrets: list[Any]) -> DatabricksError:
    response = exc.response
    status = response.status_code
    code, said = _read(response)
    cls = _class_of(status, code, said)
    reason = f"{status} {response.reason_phrase}".strip() + (f" {code}" if code else "")
    remedy = _REFUSED_TOKEN if status == 401 else cls.remedy
    parts = [f"{subject}: Databricks answered {reason}" + (f": {said}" if said else "")]
    if not parts[0].endswith((".", "!", "?")):
        parts[0] += "."
    text = masked(" ".join([*parts, remedy]).rstrip(), secrets)
    error = combined(cls, type(exc))(text, subject=subject)
    error.status_code, error.error_code = status, code
    error.retry_after = retry_after_seconds(response.headers.get("Retry-After"))
    kept = httpx.Response(status, headers=_plain_headers(response), content=response.content)
    kept.request = without_headers(response.request)
    vars(error)["response"] = kept
    return error


def _plain_headers(response: httpx.Response) -> list[tuple[str, str]]:
    """Leave out what belongs to the encoding of a body that has been decoded, and cookies."""
    left_out = {"content-encoding", "transfer-encoding", "content-length", "set-cookie"}
    return [(name, value) for name, value in response.headers.multi_items() if name.lower() not in left_out]


def _class_of(status: int, code: str | None, said: str) -> type[DatabricksError]:
    if status in PASSING_STATUSES:
        return DatabricksUnavailable
    # Jobs API 2.1 answers 400 INVALID_PARAMETER_VALUE for "Job 7 does not exist."
    if status == 400 and (code in _MISSING_CODES or "does not exist" in said):
        return DatabricksNotFound
    if status in (302, 303) or (status == 200 and not code):
        return DatabricksAccessDenied  # the page to log in at
    return _BY_STATUS.get(status, DatabricksError)


def _read(response: httpx.Response) -> tuple[str | None, str]:
    """Read Databricks's name for the failure, and what it says of it."""
    try:
        body: Any = json.loads(response.content)
    except (ValueError, httpx.ResponseNotRead):
        return None, ""
    if not isinstance(body, dict):
        return None, ""
    fields = cast("dict[str, Any]", body)
    code = fields.get("error_code") or fields.get("error")
    said = fields.get("message") or fields.get("error_description") or ""
    text = said if isinstance(said, str) else json.dumps(said)
    return (code if isinstance(code, str) else None), text.strip()[:_MESSAGE_CHARACTERS]


def _no_answer(exc: httpx.HTTPError) -> str:
    name, text = type(exc).__name__, str(exc).strip()
    where = getattr(exc, "_request", None)
    host = f" at {where.url.host}" if where is not None else ""
    reason = f"{name}: {text}" if text else name
    if isinstance(exc, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in text:
        return f"the certificate{host} is not trusted ({reason}). Give your authority's in `client_kwargs` as `verify`."
    if isinstance(exc, httpx.TransportError):
        return f"no answer from Databricks{host} ({reason}). Check `databricks_instance` and the network."
    return f"{reason}."
