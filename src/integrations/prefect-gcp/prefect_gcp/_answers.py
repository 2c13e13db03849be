"""What an exception of one of Google's SDKs says, in one form.

Four libraries raise for the same kind of failure: `google.api_core` (gRPC, Cloud Storage, BigQuery),
`googleapiclient` (REST by discovery documents), `google.auth` (tokens) and what lies below them (`requests`, `urllib3`,
`httplib2`, sockets). Nothing is imported here: who raised it has imported it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from prefect_integration_kit.network_errors import is_network_error, no_answer
from prefect_integration_kit.waiting import retry_after_seconds

_PERMISSION = re.compile(r"\b([a-z][A-Za-z]+\.[A-Za-z]+\.[A-Za-z]+)\b(?=[\"']? (?:access|denied|permission))")
_PERMISSION_QUOTED = re.compile(r"[Pp]ermission:? [\"'`]?([a-z][A-Za-z]*(?:\.[A-Za-z]+){2,})")
_NETWORK = ("requests.exceptions", "urllib3.exceptions", "httplib2", "httplib2.error")


@dataclass(frozen=True)
class Answer:
    """The failure.

    Attributes:
        kind: Whether a service answered, no answer came, or no token was to be had.
        message: The service's own words.
        http_status: Of the answer, or that of the gRPC status.
        status: Google's canonical code or the first reason.
        reasons: All codes and reasons that the answer carries.
        permission: The missing permission.
        retry_after: Seconds that the service asks to wait.
        help_url: Where the service sends the reader.
        quota_is_daily: Whether the exhausted quota is one for a day.
        retryable: Whether the library says that it may be repeated.
        missing: Whether there are no credentials at all.
        malformed: Whether the credentials are not well formed.
    """

    kind: Literal["service", "connection", "credentials"]
    message: str
    http_status: int | None = None
    status: str = ""
    reasons: frozenset[str] = frozenset()
    permission: str = ""
    retry_after: float | None = None
    help_url: str = ""
    quota_is_daily: bool = False
    retryable: bool = False
    missing: bool = False
    malformed: bool = False


@dataclass
class _Details:
    """What the `details` and `errors` of an answer add."""

    reasons: list[str] = field(default_factory=list[str])
    permission: str = ""
    retry_after: float | None = None
    help_url: str = ""
    quota_is_daily: bool = False


def read_answer(exc: BaseException) -> Answer | None:
    """Read an exception; `None` when it is none of Google's SDKs' and no failure of the network."""
    names = {f"{cls.__module__}.{cls.__name__}" for cls in type(exc).__mro__}
    modules = {cls.__module__ for cls in type(exc).__mro__}
    if "google.api_core.exceptions.GoogleAPICallError" in names:
        return _of_api_core(exc)
    if "google.api_core.exceptions.RetryError" in names:
        cause = cast("BaseException | None", getattr(exc, "cause", None))
        inner = read_answer(cause) if cause is not None else None
        return inner or Answer("connection", str(exc))
    if "googleapiclient.errors.HttpError" in names:
        return _of_http_error(exc)
    if "google.auth.exceptions.GoogleAuthError" in names:
        return _of_auth(exc, names)
    if "google.cloud.storage.exceptions.InvalidResponse" in names or "google.resumable_media" in modules:
        return _of_response(exc)
    if modules & set(_NETWORK) or is_network_error(exc):
        return Answer("connection", no_answer(exc))
    if "googleapiclient.errors" in modules or "google.api_core.exceptions" in modules:
        return Answer("service", str(exc))
    if any(module.startswith("grpc") for module in modules) and callable(getattr(exc, "code", None)):
        return _of_grpc(exc)
    return None


def _of_api_core(exc: BaseException) -> Answer:
    source: Any = exc
    code = source.code
    grpc_status = getattr(getattr(source, "grpc_status_code", None), "name", "")
    details = _details([*_listed(source.details), *_listed(source.errors)])
    if own := getattr(source, "reason", None):
        details.reasons.append(str(own))
    metadata = getattr(source, "metadata", None)
    if isinstance(metadata, dict):
        _read_metadata(details, cast("dict[str, Any]", metadata))
    response: Any = getattr(source, "response", None)
    headers = getattr(response, "headers", None)
    message = str(getattr(source, "message", "") or exc)
    if not details.reasons:  # of transfers, Cloud Storage's client reads no more of an answer than its status
        status, own_message, own_details = _of_body(getattr(response, "content", None))
        if own_message:
            grpc_status, message, details = grpc_status or status, own_message, own_details
    # Cloud Storage's client puts the request line first: "GET https://…: text".
    message = re.sub(r"^(?:GET|PUT|POST|PATCH|DELETE|HEAD) \S+: ", "", message)
    return _answer(int(code) if code is not None else None, grpc_status, message, details, headers)


def _of_http_error(exc: BaseException) -> Answer:
    source: Any = exc
    status, message, details = _of_body(source.content)
    return _answer(int(source.resp.status), status, message or str(source.reason), details, source.resp)


def _of_response(exc: BaseException) -> Answer:
    response: Any = getattr(exc, "response", None)
    if response is None:
        return Answer("service", str(exc))
    status, message, details = _of_body(getattr(response, "content", b""))
    return _answer(int(response.status_code), status, message or str(exc), details, response.headers)


def _of_grpc(exc: BaseException) -> Answer:
    from google.api_core import exceptions

    return _of_api_core(cast("Any", exceptions).from_grpc_error(exc))


def _of_auth(exc: BaseException, names: set[str]) -> Answer:
    source: Any = exc
    retryable = bool(getattr(source, "retryable", False))
    http_status = cast("int | None", getattr(source, "http_status", None))
    if "google.auth.exceptions.TransportError" in names or "google.auth.exceptions.TimeoutError" in names:
        return Answer("connection", no_answer(exc), http_status=http_status)
    if isinstance(exc.__cause__, Exception) and type(exc.__cause__).__name__ == "TransportError":
        return Answer("connection", str(exc))  # the metadata server
    message = str(exc.args[0]) if exc.args else type(exc).__name__
    body_status, body_message, details = _of_body(next((part for part in exc.args[1:2]), None))
    if body_message and body_message not in message:
        message = f"{message.rstrip('.: ')}: {body_message}"
    reasons = frozenset(part for part in (body_status, *details.reasons) if part)
    malformed = bool({"google.auth.exceptions.MalformedError", "google.auth.exceptions.InvalidValue"} & names)
    return Answer(
        "credentials",
        message,
        http_status=http_status or _BY_NAME.get(body_status),
        status=body_status,
        reasons=reasons,
        permission=details.permission or _permission(message),
        retryable=retryable,
        missing=not malformed and "google.auth.exceptions.DefaultCredentialsError" in names,
        malformed=malformed,
    )


_BY_NAME = {"PERMISSION_DENIED": 403, "UNAUTHENTICATED": 401, "NOT_FOUND": 404, "UNAVAILABLE": 503, "INTERNAL": 500}


def _answer(code: int | None, status: str, message: str, details: _Details, headers: Any) -> Answer:
    retry_after = details.retry_after
    if retry_after is None and headers is not None:
        retry_after = retry_after_seconds(headers.get("retry-after") or headers.get("Retry-After"))
    return Answer(
        "service",
        message,
        http_status=code,
        status=status or next(iter(details.reasons), ""),
        reasons=frozenset(part for part in (status, *details.reasons) if part),
        permission=details.permission or _permission(message),
        retry_after=retry_after,
        help_url=details.help_url,
        quota_is_daily=details.quota_is_daily,
    )


def _of_body(content: Any) -> tuple[str, str, _Details]:
    """Canonical code, message and details of an error's body: Google's JSON, OAuth's, or text."""
    if isinstance(content, bytes):
        content = content.decode("utf-8", "replace")
    body: Any = content
    if isinstance(content, str):
        try:
            body = json.loads(content)
        except ValueError:
            return "", "", _Details()
    if isinstance(body, list) and body:
        body = cast("list[Any]", body)[0]
    if not isinstance(body, dict):
        return "", "", _Details()
    answer = cast("dict[str, Any]", body)
    error = answer.get("error")
    if isinstance(error, str):  # https://datatracker.ietf.org/doc/html/rfc6749#section-5.2
        return error, str(answer.get("error_description") or error), _Details()
    if not isinstance(error, dict):
        return "", "", _Details()
    inner = cast("dict[str, Any]", error)
    details = _details([*_listed(inner.get("details")), *_listed(inner.get("errors"))])
    return str(inner.get("status") or ""), str(inner.get("message") or ""), details


def _listed(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        yield from cast("list[Any]", value)


def _details(items: list[Any]) -> _Details:
    """Read `google.rpc` details (https://cloud.google.com/apis/design/errors#error_details), as JSON or as messages."""
    found = _Details()
    for item in items:
        detail = cast("dict[str, Any]", item) if isinstance(item, dict) else _of_message(item)
        if reason := detail.get("reason"):
            found.reasons.append(str(reason))
        if isinstance(metadata := detail.get("metadata"), dict):
            _read_metadata(found, cast("dict[str, Any]", metadata))
        if delay := detail.get("retryDelay"):
            found.retry_after = _seconds(str(delay))
        for violation in _listed(detail.get("violations")):
            if isinstance(violation, dict) and "PerDay" in str(cast("dict[str, Any]", violation)):
                found.quota_is_daily = True
    return found


def _read_metadata(found: _Details, metadata: dict[str, Any]) -> None:
    found.permission = found.permission or str(metadata.get("permission") or "")
    found.help_url = found.help_url or str(metadata.get("activationUrl") or "")
    if "PerDay" in str(metadata.get("quota_limit") or ""):
        found.quota_is_daily = True


def _of_message(item: Any) -> dict[str, Any]:
    """A detail that came over gRPC, in the form that it has in JSON."""
    if not hasattr(item, "DESCRIPTOR"):
        return {}
    from google.protobuf.json_format import MessageToDict

    try:
        return MessageToDict(item)
    except (TypeError, ValueError):
        return {}


def _seconds(text: str) -> float | None:
    try:
        return float(text.removesuffix("s"))
    except ValueError:
        return None


def _permission(message: str) -> str:
    match = _PERMISSION_QUOTED.search(message) or _PERMISSION.search(message)
    return match.group(1) if match else ""
