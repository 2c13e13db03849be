"""Refusals of Azure Resource Manager and its providers: a status, a code, a message, details.

https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md#error-response-content
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]


def rows_of(data: Json, name: str) -> list[Json]:
    """Give a list of objects in an object; empty when it is not there, or null."""
    return data.get(name) or []


def texts_of(data: Json, name: str) -> list[str]:
    """Give a list of texts in an object; empty when it is not there, or null."""
    return data.get(name) or []


def object_of(data: Json, name: str) -> Json:
    """Give an object in an object; empty when it is not there, or null."""
    return data.get(name) or {}


WORDS: dict[int, tuple[str, str]] = {
    400: ("BadRequest", "The request is invalid."),
    401: ("InvalidAuthenticationToken", "The access token is invalid."),
    403: ("AuthorizationFailed", "The client does not have authorization to perform the action."),
    404: ("ResourceNotFound", "The Resource was not found."),
    405: ("MethodNotAllowed", "The requested resource does not support the http method."),
    408: ("RequestTimeout", "The request timed out."),
    409: ("Conflict", "The request conflicts with the current state of the resource."),
    412: ("PreconditionFailed", "The condition 'If-Match' was not satisfied."),
    429: (
        "TooManyRequests",
        (
            "The request is being throttled as the limit has been reached for operation type - "
            "'Read_ObservationWindow_00:05:00'. For more information, see - https://aka.ms/arm-throttling"
        ),
    ),
    500: ("InternalServerError", "Encountered internal server error."),
    502: ("BadGateway", "The server received an invalid response from an upstream server."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable. Please try again later."),
    504: ("GatewayTimeout", "The gateway did not receive a response within the specified time period."),
}
"""Code and message of a status, when nothing else is said."""


class ArmError(Exception):
    """A refusal, as Azure words it."""

    def __init__(
        self,
        status: int,
        code: str = "",
        message: str = "",
        *,
        target: str = "",
        details: Iterable[Json] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Word a refusal.

        Args:
            status: HTTP status.
            code: By default the usual one of that status.
            message: What is said; by default the usual sentence of that status.
            target: What it is about.
            details: Errors below it, each with `code` and `message`.
            headers: Further headers of the answer.
        """
        usual = WORDS.get(status, ("UnknownError", "An error has occurred."))
        self.status = status
        self.code = code or usual[0]
        self.message = message or usual[1]
        self.target = target
        self.details = list(details)
        self.headers = dict(headers or {})
        self.inner: Json = {}
        """`innererror`, which some services send."""

        super().__init__(f"{status} {self.code}: {self.message}")

    @property
    def error(self) -> Json:
        """The error alone, as it also stands in operations and deployments."""
        error: Json = {"code": self.code, "message": self.message}
        if self.target:
            error["target"] = self.target
        if self.details:
            error["details"] = self.details
        if self.inner:
            error["innererror"] = self.inner
        return error

    @property
    def body(self) -> Json:
        """The answer."""
        return {"error": self.error}


def resource_not_found(kind: str, name: str, resource_group: str) -> ArmError:
    """404 of a thing that its resource group has not.

    Args:
        kind: Type of the resource, such as `Microsoft.App/jobs`.
        name: Its name.
        resource_group: The group's name.
    """
    said = f"The Resource '{kind}/{name}' under resource group '{resource_group}' was not found. "
    return ArmError(
        404, "ResourceNotFound", f"{said}For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
