"""Calls that the local dbt Cloud got, refusals, and the envelope of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_USUAL = {
    400: "The request was invalid. Please double check the provided data and try again.",
    401: "Invalid token.",
    403: "You do not have permission to perform this action.",
    404: "The requested resource was not found.",
    405: "Method not allowed.",
    429: "Request was throttled.",
    500: "An internal server error occurred.",
    503: "Service temporarily unavailable.",
}


@dataclass
class CloudCall:
    """One request."""

    operation: str
    """Name of the operation, such as `TriggerJobRun`; empty when the path is none of the API's."""

    http_method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Names in lower case; the authorization is left out."""

    body: Json = field(default_factory=dict[str, Any])
    ids: tuple[int, ...] = ()
    """Ids in the path behind the account's."""

    status: int = 0
    """HTTP status of the answer; 0 when the connection was closed."""

    connection: int = 0
    """Number of the connection that it came by."""

    @property
    def method(self) -> str:
        """The operation, by which faults find it."""
        return self.operation


class CloudError(Exception):
    """A refusal."""

    def __init__(
        self,
        status: int,
        user_message: str = "",
        developer_message: str = "",
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say what is refused.

        Args:
            status: HTTP status.
            user_message: What is said to users; by default what dbt Cloud says for that status.
            developer_message: What is said to developers.
            data: What stands under `data`, such as the fields that are wrong.
            headers: Headers of the answer.
        """
        super().__init__(user_message)
        self.status = status
        self.user_message = user_message or _USUAL.get(status, "")
        self.developer_message = developer_message
        self.data = data
        self.headers = dict(headers or {})

    @property
    def body(self) -> Json:
        """The answer."""
        said = {"user_message": self.user_message, "developer_message": self.developer_message}
        return {"status": {"code": self.status, "is_success": False, **said}, "data": self.data}


def envelope(data: Any, extra: Json | None = None, status: int = 200) -> Json:
    """Wrap what the administrative API answers."""
    said = {"user_message": "Success!", "developer_message": ""}
    return {"status": {"code": status, "is_success": True, **said}, "data": data, "extra": extra or {}}
