"""Refusals of Google's REST APIs: a code, a status, a message, details.

https://cloud.google.com/apis/design/errors
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

CODES = {
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}
"""Numbers of `google.rpc.Code`."""

WORDS = {
    400: "Request contains an invalid argument.",
    401: (
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    ),
    403: "The caller does not have permission",
    404: "Requested entity was not found.",
    408: "The request timed out.",
    409: "Requested entity already exists",
    412: "Precondition check failed.",
    429: "Resource has been exhausted (e.g. check quota).",
    499: "The operation was cancelled.",
    500: "Internal error encountered.",
    501: "Operation is not implemented, or supported, or enabled.",
    503: "The service is currently unavailable.",
    504: "Deadline expired before operation could complete.",
}
"""What Google says when a service has nothing of its own to say."""


class ApiError(Exception):
    """A refusal, as the service words it."""

    def __init__(
        self,
        code: int,
        message: str = "",
        *,
        status: str = "",
        details: Iterable[Json] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        """Word a refusal.

        Args:
            code: HTTP status.
            message: What is said; by default the usual sentence of that status.
            status: Name in `google.rpc.Code`; by default the usual one of the HTTP status.
            details: More, as messages with `@type`.
            retry_after_seconds: Sent as `Retry-After`.
        """
        self.code = code
        self.message = message or WORDS.get(code, "Unknown Error.")
        self.status = status or STATUSES.get(code, "UNKNOWN")
        self.details = list(details)
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{code} {self.status}: {self.message}")

    @property
    def body(self) -> Json:
        """The answer."""
        error: Json = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}

    @property
    def rpc_status(self) -> Json:
        """The same as a `google.rpc.Status`, as in a failed operation."""
        return {"code": CODES.get(self.status, 2), "message": self.message, "details": self.details}


def invalid_argument(message: str, *violations: tuple[str, str]) -> ApiError:
    """400, with the fields that are wrong, as pairs of path and description."""
    fields = [{"field": field, "description": said} if field else {"description": said} for field, said in violations]
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields}] if fields else []
    return ApiError(400, message, details=details)


def not_found(message: str = "") -> ApiError:
    """404."""
    return ApiError(404, message)


def already_exists(message: str = "") -> ApiError:
    """409, as for a second thing of one name."""
    return ApiError(409, message)


def aborted(message: str) -> ApiError:
    """409 with another status: somebody else changed it (an old etag)."""
    return ApiError(409, message, status="ABORTED")


def failed_precondition(message: str) -> ApiError:
    """400: the thing is not in a state for that. REST maps FAILED_PRECONDITION to 400, not to 412."""
    return ApiError(400, message, status="FAILED_PRECONDITION")
