"""Refusals of the Kubernetes API server: `Status` objects, worded as the real one words them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .json import Json

if TYPE_CHECKING:
    from .resources import Resource


_CAUSES = {
    "Required value": "FieldValueRequired",
    "Invalid value": "FieldValueInvalid",
    "Unsupported value": "FieldValueNotSupported",
    "Forbidden": "FieldValueForbidden",
    "Too long": "FieldValueTooLong",
    "Duplicate value": "FieldValueDuplicate",
}


@dataclass(frozen=True)
class Cause:
    """Why one field is refused."""

    field: str
    message: str
    """Such as `Required value` or `Invalid value: "x": must be ...`."""

    @property
    def reason(self) -> str:
        """Word for machines, after the first words of the message."""
        return next(
            (reason for words, reason in _CAUSES.items() if self.message.startswith(words)), "FieldValueInvalid"
        )


class Refusal(Exception):
    """A request is answered by a `Status` of failure."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        retry_after_seconds: int | None = None,
    ) -> None:
        """Word the refusal.

        Args:
            code: HTTP status.
            reason: Word for machines, such as `NotFound`.
            message: Words for people.
            details: What it is about: name, group, kind, causes.
            retry_after_seconds: Sent as `Retry-After`, too.
        """
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})
        self.retry_after_seconds = retry_after_seconds
        if retry_after_seconds is not None:
            self.details["retryAfterSeconds"] = retry_after_seconds

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers beyond the usual."""
        return {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}

    @property
    def status(self) -> Json:
        """The body."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        return {**status, "code": self.code}


def success(resource: Resource, name: str, uid: str) -> Json:
    """Word the success of a deletion."""
    details = {**_about(resource, name), "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _about(resource: Resource, name: str) -> Json:
    about: Json = {"name": name} if name else {}
    if resource.group:
        about["group"] = resource.group
    return {**about, "kind": resource.plural}


def not_found(resource: Resource, name: str) -> Refusal:
    """Say that there is no such object."""
    return Refusal(404, "NotFound", f'{resource.qualified} "{name}" not found', _about(resource, name))


def already_exists(resource: Resource, name: str) -> Refusal:
    """Say that the name is taken."""
    return Refusal(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _about(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> Refusal:
    """Say that the object is not what the client took it for."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return Refusal(409, "Conflict", message, _about(resource, name))


def conflict_by_kind(resource: Resource, name: str, why: str) -> Refusal:
    """Say that a precondition does not hold; here the real server names the kind, not the resource."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    about = {**_about(resource, name), "kind": resource.kind}
    return Refusal(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": {why}', about)


def forbidden(resource: Resource, name: str, why: str) -> Refusal:
    """Say that policy (access, quota, admission) forbids it."""
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    return Refusal(403, "Forbidden", f"{subject} is forbidden: {why}", _about(resource, name))


def unauthorized() -> Refusal:
    """Say that the token is not known."""
    return Refusal(401, "Unauthorized", "Unauthorized")


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> Refusal:
    """Say which fields are wrong."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    about: Json = {"name": name, "kind": resource.kind}
    if resource.group:
        about["group"] = resource.group
    about["causes"] = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return Refusal(422, "Invalid", f'{kind} "{name}" is invalid: {joined}', about)


def bad_request(message: str) -> Refusal:
    """Say that the request cannot be read."""
    return Refusal(400, "BadRequest", message)


def method_not_allowed() -> Refusal:
    """Say that the resource does not know the verb."""
    message = "the server does not allow this method on the requested resource"
    return Refusal(405, "MethodNotAllowed", message)


def unsupported_media_type(content_type: str) -> Refusal:
    """Say that a patch of this type is not known."""
    known = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json"
    message = f"the body of the request was in an unknown format - accepted media types include: {known}"
    return Refusal(415, "UnsupportedMediaType", message, {"contentType": content_type})


def too_many_requests(retry_after_seconds: int = 1) -> Refusal:
    """Say that the server, or a disruption budget, asks for patience."""
    message = "Too many requests, please try again later."
    return Refusal(429, "TooManyRequests", message, retry_after_seconds=retry_after_seconds)


def watch_expired(asked: int, oldest: int) -> Refusal:
    """Say that a watch cannot start that far back."""
    return Refusal(410, "Expired", f"too old resource version: {asked} ({oldest})")


def page_expired() -> Refusal:
    """Say that the rest of a list is no more known."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results."
    )
    return Refusal(410, "Expired", message)
