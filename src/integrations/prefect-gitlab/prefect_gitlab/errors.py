"""What can go wrong at GitLab's API, as Python exceptions.

    GitLabError
    ├── GitLabCredentialsError (ValueError)     the block cannot be used for this
    ├── GitLabAuthenticationFailed (PermissionError)
    ├── GitLabAccessDenied (PermissionError)    the token lacks a scope, or its owner a role
    ├── GitLabNotFound (LookupError)            or the token may not see it
    ├── GitLabInvalidRequest (ValueError)
    ├── GitLabUnavailable (ConnectionError)     may succeed when repeated
    │   ├── GitLabCertificateError              not that: GitLab cannot prove who it is
    │   └── GitLabUncertain                     it is not known whether something was made
    ├── GitLabPipelineFailed (RuntimeError)
    │   └── GitLabPipelineCanceled
    └── GitLabPipelineTimeout (TimeoutError)

`gitlab_errors` is the only place where errors of the SDK are translated. What it raises is an instance of one of these
classes and also of the SDK's own, such as `gitlab.exceptions.GitlabHttpError`.

Pulls of repositories raise the errors of `prefect_integration_kit.git`: `GitAuthenticationFailed`,
`GitReferenceNotFound` and so on.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prefect_integration_kit.network_errors import no_answer
from prefect_integration_kit.redact import Secret
from prefect_integration_kit.sdk_errors import TranslatedError, combined, mask_secrets

if TYPE_CHECKING:
    import gitlab.exceptions

_SHOWN_CHARACTERS = 400


class GitLabError(TranslatedError):
    """A request to GitLab failed.

    Args:
        message: What `str` says: the thing, what is wrong, and the remedy.
        subject: What the request was about, such as `Pipeline 7 of shop/etl`.
        http_status: Status of the answer; `None` when there was none.
        retry_after: Seconds after which GitLab wants the next attempt, if it said so.
    """

    def __init__(
        self, message: str, *, subject: str = "", http_status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, subject=subject)
        self.http_status = http_status
        self.retry_after = retry_after


class GitLabCredentialsError(GitLabError, ValueError):
    """The credentials block lacks something, or is of a kind that cannot do this."""


class GitLabAuthenticationFailed(GitLabError, PermissionError):
    """GitLab does not accept the token."""

    remedy = "Check that the token is whole, has not expired or been revoked, and belongs to this GitLab; see `url`."


class GitLabAccessDenied(GitLabError, PermissionError):
    """GitLab knows the token, and does not let it do this."""

    remedy = "The token needs the scope api, and its owner a role in the project that allows it, such as Developer."


class GitLabNotFound(GitLabError, LookupError):
    """There is no such thing, or the token may not see it."""

    remedy = "Check the project (group/name, or its number) and that the token's owner is a member of it."


class GitLabInvalidRequest(GitLabError, ValueError):
    """GitLab cannot do what was asked, as it was asked."""


class GitLabUnavailable(GitLabError, ConnectionError):
    """GitLab cannot be reached, is in trouble, or asks to come back later."""

    remedy = "Check `url`, the network and the certificate (`ca_bundle`); try again later."


class GitLabCertificateError(GitLabUnavailable):
    """GitLab cannot prove who it is. Another attempt would end in the same way."""

    remedy = "Check `url`, and set `ca_bundle` to the certificate of the authority that has signed that of the server."


class GitLabUncertain(GitLabUnavailable):
    """The answer was lost, so that it is not known whether something was made. It is not repeated by itself."""

    remedy = "Look at GitLab whether it was made before you try again."


class GitLabPipelineFailed(GitLabError, RuntimeError):
    """A pipeline did not succeed.

    Args:
        message: What `str` says.
        subject: The pipeline.
        status: GitLab's word for how it ended.
        web_url: Its page.
    """

    def __init__(self, message: str, *, subject: str = "", status: str = "", web_url: str = "") -> None:
        super().__init__(message, subject=subject)
        self.status = status
        self.web_url = web_url


class GitLabPipelineCanceled(GitLabPipelineFailed):
    """Somebody cancelled the pipeline."""


class GitLabPipelineTimeout(GitLabError, TimeoutError):
    """The pipeline took longer than it was given."""


_BY_STATUS: dict[int, type[GitLabError]] = {
    400: GitLabInvalidRequest,
    401: GitLabAuthenticationFailed,
    403: GitLabAccessDenied,
    404: GitLabNotFound,
    409: GitLabInvalidRequest,
    422: GitLabInvalidRequest,
    408: GitLabUnavailable,
    429: GitLabUnavailable,
}
_SERVER_ERRORS = 500


def is_transient(error: Exception) -> bool | float:
    """Say whether another attempt may succeed, and after how many seconds if GitLab said so.

    Args:
        error: What the last attempt raised.
    """
    if not isinstance(error, GitLabUnavailable) or isinstance(error, GitLabUncertain | GitLabCertificateError):
        return False
    return True if error.retry_after is None else error.retry_after


@contextmanager
def gitlab_errors(subject: str, secrets: Iterable[Secret] = (), *, makes: bool = False) -> Generator[None, None, None]:
    """Raise the SDK's failures as this package's errors.

    Args:
        subject: What the request is about, such as `Pipeline 7 of shop/etl`.
        secrets: What must not be said, such as the token.
        makes: Whether the request makes something, so that it must not be repeated once GitLab may have acted on it.

    Raises:
        GitLabError: In place of an error of the SDK.
    """
    import gitlab.exceptions
    import requests

    try:
        yield
    except gitlab.exceptions.GitlabError as exc:
        mask_secrets(exc, secrets)
        raise _from_answer(exc, subject, makes=makes) from exc
    except requests.exceptions.RequestException as exc:
        mask_secrets(exc, secrets)
        raise _from_network(exc, subject, makes=makes) from exc


def _from_answer(exc: gitlab.exceptions.GitlabError, subject: str, *, makes: bool) -> GitLabError:
    status = exc.response_code
    code = status or 0
    cls = _BY_STATUS.get(code, GitLabUnavailable if code >= _SERVER_ERRORS else GitLabError)
    # 502 and 504 come from a proxy that has passed the request on, 500 from a server that has begun with it.
    if makes and code >= _SERVER_ERRORS and code != 503:
        cls = GitLabUncertain
    said = _text(exc.error_message)
    how = f"GitLab answered {status}" if status else "GitLab's answer cannot be read"
    parts = [f"{subject}: {how}" + (f" ({said})." if said else "."), cls.remedy]
    message = " ".join(part for part in parts if part)
    return combined(cls, type(exc))(message, subject=subject, http_status=status)


def _from_network(exc: Exception, subject: str, *, makes: bool) -> GitLabError:
    import requests

    if isinstance(exc, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(exc):
        cls = GitLabCertificateError
    else:
        cls = GitLabUncertain if makes and not _was_not_sent(exc) else GitLabUnavailable
    # Its own class is an OSError, whose layout in memory agrees with that of ConnectionError.
    return combined(cls, type(exc))(f"{subject}: {no_answer(exc)}. {cls.remedy}", subject=subject)


def _was_not_sent(exc: Exception) -> bool:
    """Say whether there never was a connection that the request could have gone over."""
    import requests
    import urllib3

    if isinstance(exc, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return True
    reason: object = getattr(next(iter(exc.args), None), "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError)


def _text(message: object) -> str:
    """Write what GitLab says, which may be text, a list, or texts by field (https://docs.gitlab.com/api/rest/#data-validation-and-error-reporting)."""
    if isinstance(message, bytes):
        message = message.decode("utf-8", "replace")
    text = re.sub(r"<[^>]+>", " ", message) if isinstance(message, str) else str(message)
    text = " ".join(text.split()).rstrip(".")
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
