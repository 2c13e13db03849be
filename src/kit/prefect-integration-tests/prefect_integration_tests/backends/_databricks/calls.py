"""Calls that the local Databricks workspace got, and refusals in the words of its API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    502: "BAD_GATEWAY",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""What stands under `error_code` when nothing else is said."""


@dataclass
class DatabricksCall:
    """One request."""

    operation: str
    """Name of the operation, such as `SubmitRun`; empty when the path is none of the API's."""

    http_method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Names in lower case; the authorization is left out."""

    body: Json = field(default_factory=dict[str, Any])
    version: str = ""
    """The API's version, such as `2.1`."""

    ids: tuple[str, ...] = ()
    """Ids in the path."""

    status: int = 0
    """HTTP status of the answer; 0 when the connection was closed."""

    connection: int = 0
    """Number of the connection that it came by."""

    has_authorization: bool = False
    """Whether the header came with it."""

    @property
    def method(self) -> str:
        """The operation, by which faults find it."""
        return self.operation

    def value(self, name: str) -> str | None:
        """Give a parameter of the query."""
        return self.query.get(name, [None])[0]


class ApiError(Exception):
    """A refusal."""

    def __init__(
        self, status: int, message: str = "", code: str = "", *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Say what is refused.

        Args:
            status: HTTP status.
            message: What is said.
            code: What stands under `error_code`; by default what is usual for that status.
            headers: Headers of the answer.
        """
        super().__init__(message)
        self.status = status
        self.code = code or _CODES.get(status, "UNKNOWN")
        self.message = message or self.code.replace("_", " ").capitalize()
        self.headers = dict(headers or {})

    @property
    def body(self) -> Json:
        """The answer."""
        return {"error_code": self.code, "message": self.message}


def invalid(message: str) -> ApiError:
    """Refuse a value, as the API does for what is missing and for what does not exist."""
    return ApiError(400, message)
