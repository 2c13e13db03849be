"""What GitHub's answers mean: data, errors with their path, rate limits with the time to wait. All of it is pure."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.waiting import retry_after_seconds

from .errors import (
    GitHubAccessDenied,
    GitHubAuthenticationFailed,
    GitHubError,
    GitHubInvalidRequest,
    GitHubNotFound,
    GitHubRateLimited,
    GitHubUnavailable,
    GitHubUncertain,
)

if TYPE_CHECKING:
    import httpx

_SHOWN_CHARACTERS = 400
_SHOWN_ERRORS = 5
_SERVER_ERRORS = 500
_TOO_MANY = 429

# "Otherwise, wait for at least one minute before retrying", says
# https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#exceeding-the-rate-limit
_SECONDARY_SECONDS = 60.0
_SECONDARY = re.compile(r"secondary rate limit|abuse detection", re.IGNORECASE)
_SPENT = re.compile(r"API rate limit (?:already )?exceeded", re.IGNORECASE)
_BROKEN = re.compile(r"^Something went wrong while executing your query", re.IGNORECASE)

_BY_STATUS: dict[int, type[GitHubError]] = {
    400: GitHubInvalidRequest,
    401: GitHubAuthenticationFailed,
    403: GitHubAccessDenied,
    404: GitHubNotFound,
    408: GitHubUnavailable,
    409: GitHubInvalidRequest,
    422: GitHubInvalidRequest,
}
_BY_TYPE: dict[str, type[GitHubError]] = {
    "NOT_FOUND": GitHubNotFound,
    "FORBIDDEN": GitHubAccessDenied,
    "INSUFFICIENT_SCOPES": GitHubAccessDenied,
    "UNAUTHENTICATED": GitHubAuthenticationFailed,
    "MAX_NODE_LIMIT_EXCEEDED": GitHubInvalidRequest,
    "EXCESSIVE_PAGINATION": GitHubInvalidRequest,
    "MISSING_PAGINATION_BOUNDARIES": GitHubInvalidRequest,
    "UNPROCESSABLE": GitHubInvalidRequest,
    "BAD_USER_INPUT": GitHubInvalidRequest,
}

Errors = list[dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP.

    Attributes:
        status: Its status.
        headers: Its headers, by names in lower case.
        body: Its JSON; `None` if it is none.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None

    @property
    def request_id(self) -> str | None:
        """Number of the request."""
        return self.headers.get("x-github-request-id")


def answer_of(response: httpx.Response) -> Answer:
    """Read an answer of httpx."""
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def data_of(answer: Answer, subject: str, *, changes: bool, error_key: str = "errors") -> dict[str, Any]:
    """Read the data of a GraphQL answer.

    Args:
        answer: What came.
        subject: What it is about, for messages.
        changes: Whether the request changes something.
        error_key: The key that errors stand under.

    Raises:
        GitHubError: Of the class that tells what is wrong.
    """
    body = _mapping(answer.body)
    errors = _errors(body.get("errors") if body else None)
    data = body.get("data") if body else None
    _refuse_limits(answer, subject, errors, is_done=changes and _has_value(data))
    if answer.status != 200:
        raise from_status(answer, subject, changes=changes)
    if body is None or ("data" not in body and not errors and not body.get(error_key)):
        raise GitHubError(
            f"{subject}: the answer is no answer of GraphQL. Check that `base_url` is the address of a GitHub; it may "
            "be the sign-in page of a proxy.",
            subject=subject,
            http_status=answer.status,
        )
    if body.get(error_key):
        raise _from_errors(answer, subject, _errors(body[error_key]), _mapping(data), changes=changes)
    return _mapping(data) or {}


def from_status(answer: Answer, subject: str, *, changes: bool = False, remedy: str = "") -> GitHubError:
    """Make the error for an answer whose status says that something is wrong.

    Args:
        answer: What came.
        subject: What it is about.
        changes: Whether the request changes something.
        remedy: What to do about it; the advice of the class if not given.
    """
    cls = _BY_STATUS.get(answer.status, GitHubUnavailable if answer.status >= _SERVER_ERRORS else GitHubError)
    if changes and answer.status >= _SERVER_ERRORS:
        cls = GitHubUncertain  # whoever says so, the request may have gone on to one that has begun with it
    said = said_in(answer)
    parts = [f"{subject}: GitHub answered {answer.status}" + (f" ({said})." if said else "."), remedy or cls.remedy]
    return cls(
        " ".join(part for part in parts if part),
        subject=subject,
        http_status=answer.status,
        retry_after=retry_after_seconds(answer.headers.get("retry-after")),
        request_id=answer.request_id,
    )


def refuse_limits(answer: Answer, subject: str) -> None:
    """Raise if an answer of the REST API says that a rate limit is used up.

    Args:
        answer: What came.
        subject: What it is about.

    Raises:
        GitHubRateLimited: Then, with the seconds to wait.
    """
    _refuse_limits(answer, subject, [], is_done=False)


def said_in(answer: Answer) -> str:
    """Write what GitHub says in an answer without data, on one line."""
    body = _mapping(answer.body) or {}
    text = " ".join(str(body.get("message") or "").split()).rstrip(".")
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def sent_at(answer: Answer) -> float:
    """When GitHub wrote an answer, by its own clock: seconds since 1970. Ours may be wrong."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        return time.time()


# Rate limits


def _refuse_limits(answer: Answer, subject: str, errors: Errors, *, is_done: bool) -> None:
    said = [said_in(answer), *(str(error.get("message", "")) for error in errors)]
    is_secondary = any(map(_SECONDARY.search, said))
    is_spent = any(error.get("type") == "RATE_LIMITED" for error in errors) or any(map(_SPENT.search, said))
    if answer.status in (403, _TOO_MANY):
        is_spent = is_spent or answer.status == _TOO_MANY or answer.headers.get("x-ratelimit-remaining") == "0"
        is_spent = is_spent or "retry-after" in answer.headers
    elif answer.status != 200:
        return
    if not (is_secondary or is_spent):
        return
    seconds = _limit_seconds(answer)
    cls = GitHubUncertain if is_done else GitHubRateLimited  # some of the mutations were done: not to be sent again
    raise cls(
        f"{subject}: {_limit_text(answer, seconds, is_secondary=is_secondary)} {cls.remedy}",
        subject=subject,
        http_status=answer.status,
        retry_after=seconds,
        errors=errors,
        request_id=answer.request_id,
    )


def _limit_seconds(answer: Answer) -> float:
    asked = retry_after_seconds(
        answer.headers.get("retry-after"), datetime.fromtimestamp(sent_at(answer), timezone.utc)
    )
    if asked is not None:
        return asked
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return max(0.0, int(reset) - sent_at(answer)) + 1.0  # a second of 1970 has begun at its number
    return _SECONDARY_SECONDS


def _limit_text(answer: Answer, seconds: float, *, is_secondary: bool) -> str:
    at = datetime.fromtimestamp(sent_at(answer) + seconds, timezone.utc)
    until = f"until {at:%H:%M:%S} UTC, in {seconds:.0f} seconds"
    if is_secondary:
        return f"GitHub's secondary rate limit, for too much at a time, holds {until}."
    limit, resource = answer.headers.get("x-ratelimit-limit"), answer.headers.get("x-ratelimit-resource")
    of = f" of {limit} points" if limit else ""
    kind = f" for {resource}" if resource else ""
    return f"GitHub's rate limit{of}{kind} is used up {until}."


# Errors of GraphQL


def _from_errors(
    answer: Answer, subject: str, errors: Errors, data: dict[str, Any] | None, *, changes: bool
) -> GitHubError:
    classes = [_class_of(error, changes=changes) for error in errors]
    cls = next((found for found in classes if found is not GitHubError), GitHubError)
    shown = "; ".join(_text(error) for error in errors[:_SHOWN_ERRORS])
    more = f"; and {len(errors) - _SHOWN_ERRORS} more" if len(errors) > _SHOWN_ERRORS else ""
    parts = [f"{subject} answered with errors. {shown}{more}.", cls.remedy]
    return cls(
        " ".join(part for part in parts if part),
        subject=subject,
        http_status=answer.status,
        errors=errors,
        data=data,
        request_id=answer.request_id,
    )


def _class_of(error: dict[str, Any], *, changes: bool) -> type[GitHubError]:
    kind = str(error.get("type", ""))
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    if _BROKEN.match(str(error.get("message", ""))):
        return GitHubUncertain if changes else GitHubUnavailable
    # The document does not fit the schema: `extensions` has GitHub's word for how.
    if "code" in (_mapping(error.get("extensions")) or {}) or (not kind and "locations" in error):
        return GitHubInvalidRequest
    return GitHubError


def _text(error: dict[str, Any]) -> str:
    path = written_path(error.get("path"))
    message = " ".join(str(error.get("message", "")).split()).rstrip(".")
    message = message if len(message) <= _SHOWN_CHARACTERS else f"{message[:_SHOWN_CHARACTERS]}…"
    kind = error.get("type")
    return (f"{path}: " if path else "") + message + (f" ({kind})" if kind else "")


def written_path(path: Any) -> str:
    """Write the path of a field, such as `repository.issues.nodes[0].title`; empty if there is none.

    Args:
        path: Names and indices, as in an error of GraphQL.
    """
    if not isinstance(path, Sequence) or isinstance(path, str):
        return ""
    text = ""
    for part in cast("Sequence[Any]", path):
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _errors(found: Any) -> Errors:
    if isinstance(found, list):
        return [_mapping(error) or {"message": str(error)} for error in cast("list[Any]", found)]
    return [] if not found else [_mapping(found) or {"message": str(found)}]


def _mapping(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _has_value(data: Any) -> bool:
    members = _mapping(data)
    return members is not None and any(value is not None for value in members.values())
