"""What can go wrong at GitHub's API, as Python exceptions.

    GitHubError (RuntimeError)
    ├── GitHubCredentialsError (ValueError)     the block cannot be used for this
    ├── GitHubAuthenticationFailed (PermissionError)
    ├── GitHubAccessDenied (PermissionError)    the token lacks a scope or permission
    ├── GitHubNotFound (LookupError)            or the token may not see it
    ├── GitHubInvalidRequest (ValueError)       GitHub does not understand it, or cannot do it
    ├── GitHubCertificateError (ConnectionError)
    └── GitHubUnavailable (ConnectionError)     may succeed when repeated
        ├── GitHubRateLimited
        └── GitHubUncertain                     it is not known whether something was changed

`_answers` and `_api` are the only places where answers and failures of the network become these.

Pulls of repositories raise the errors of `prefect_integration_kit.git`: `GitAuthenticationFailed`,
`GitReferenceNotFound` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect_integration_kit.sdk_errors import TranslatedError

from .exceptions import InvalidRepositoryURLError

__all__ = [
    "GitHubAccessDenied",
    "GitHubAuthenticationFailed",
    "GitHubCertificateError",
    "GitHubCredentialsError",
    "GitHubError",
    "GitHubInvalidRequest",
    "GitHubNotFound",
    "GitHubRateLimited",
    "GitHubUnavailable",
    "GitHubUncertain",
    "InvalidRepositoryURLError",
]


class GitHubError(TranslatedError, RuntimeError):
    """A request to GitHub failed.

    Args:
        message: What `str` says: the thing, what is wrong, and the remedy.
        subject: What the request was about, such as `GitHub's GraphQL API at https://api.github.com/graphql`.
        http_status: Status of the answer; `None` when there was none.
        retry_after: Seconds after which GitHub wants the next attempt, if it said so.
        errors: The list of errors of a GraphQL answer, as GitHub wrote them: each has a `message`, and mostly a `type`
            and the `path` of the field (https://spec.graphql.org/October2021/#sec-Errors).
        data: What a GraphQL answer holds beside its errors; fields that failed are `None` in it.
        request_id: Number of the request, which GitHub's support asks for.
    """

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        http_status: int | None = None,
        retry_after: float | None = None,
        errors: Sequence[dict[str, Any]] = (),
        data: dict[str, Any] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, subject=subject)
        self.http_status = http_status
        self.retry_after = retry_after
        self.errors = list(errors)
        self.data = data
        self.request_id = request_id


class GitHubCredentialsError(GitHubError, ValueError):
    """The credentials block lacks something, or something in it is wrong."""


class GitHubAuthenticationFailed(GitHubError, PermissionError):
    """GitHub does not accept the token, or the App's key."""

    remedy = (
        "Check that the token is whole, has not expired or been revoked, and belongs to this GitHub; see `base_url`."
    )


class GitHubAccessDenied(GitHubError, PermissionError):
    """GitHub knows who asks, and does not let them do this."""

    remedy = (
        "Give the token the scope or permission that GitHub names, and access to the repository or organization; an "
        "organization with single sign-on must authorize it, too."
    )


class GitHubNotFound(GitHubError, LookupError):
    """There is no such thing, or the token may not see it."""

    remedy = (
        "Check the name, and that the token may see it: GitHub does not tell a private thing from one that is not "
        "there."
    )


class GitHubInvalidRequest(GitHubError, ValueError):
    """GitHub does not understand what was asked, or cannot do it."""


class GitHubCertificateError(GitHubError, ConnectionError):
    """GitHub cannot prove who it is."""

    remedy = (
        "Check `base_url`, and set `ca_bundle` to the certificate of the authority that has signed that of the server."
    )


class GitHubUnavailable(GitHubError, ConnectionError):
    """GitHub cannot be reached, is in trouble, or asks to come back later."""

    remedy = "Check `base_url`, the network and the certificate (`ca_bundle`); try again later."


class GitHubRateLimited(GitHubUnavailable):
    """A rate limit is used up, and the wait for it would take longer than allowed."""

    remedy = (
        "Ask for less at a time, give the work another token, or raise `rate_limit_wait_seconds` of the credentials."
    )


class GitHubUncertain(GitHubUnavailable):
    """The answer was lost, so that it is not known whether something was changed. It is not repeated by itself."""

    remedy = "Look at GitHub whether it was done before you try again."


def is_transient(error: Exception) -> bool | float:
    """Say whether another attempt may succeed, and after how many seconds if GitHub said so.

    Args:
        error: What the last attempt raised.
    """
    if not isinstance(error, GitHubUnavailable) or isinstance(error, GitHubUncertain):
        return False
    return True if error.retry_after is None else error.retry_after
