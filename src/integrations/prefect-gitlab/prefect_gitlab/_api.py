"""Requests to GitLab's REST API, through the SDK: repeated while it is safe, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from prefect_integration_kit.dispatch import run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.redact import Secret
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, aretry, retry, retry_after_seconds

from ._login import secrets_of
from .errors import GitLabError, GitLabUnavailable, gitlab_errors, is_transient

if TYPE_CHECKING:
    from types import TracebackType

    import requests
    from typing_extensions import Self

    from .credentials import GitLabCredentials

T = TypeVar("T")
Json = dict[str, Any]
Verdict = Callable[[Exception], bool | float]

clock: Clock = SYSTEM_CLOCK
"""Time between attempts, and between two looks at a pipeline."""

BACKOFF = Backoff()
"""How long a request is repeated that fails for a moment."""


def project_path(project: str | int) -> str:
    """Write a project, by its path or its number, as a part of an address."""
    if str(project).strip("/ ") in (".", ".."):
        raise ValueError(f"project is {project!r}, which an address loses. Give the path, such as 'group/name'.")
    if not str(project).strip("/ "):
        raise ValueError("project is empty. Give the path, such as 'group/name', or the number.")
    return f"/projects/{quote(str(project).strip('/'), safe='')}"


class Api:
    """A client that is open: `with Api(credentials) as api`. One thread at a time may use it."""

    def __init__(self, credentials: GitLabCredentials, secrets: Iterable[Secret] = ()) -> None:
        """Build the client.

        Args:
            credentials: Who asks.
            secrets: What else must not be said.
        """
        self._client = credentials.get_client()
        self._client.session.hooks["response"].append(self._hear)
        self._secrets = [*secrets_of(credentials), *secrets]
        self._retry_after: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.session.close()

    def _hear(self, response: requests.Response, **_: Any) -> None:
        self._retry_after = retry_after_seconds(response.headers.get("Retry-After"))

    def _ask(self, verb: str, path: str, subject: str, body: Json | None, query: Json | None) -> Any:
        """Ask once."""
        self._retry_after = None
        makes = verb == "post"
        try:
            with gitlab_errors(subject, self._secrets, makes=makes):
                response = self._client.http_request(
                    verb, path, query_data=query or {}, post_data=body, obey_rate_limit=False
                )
        except GitLabUnavailable as exc:
            exc.retry_after = self._retry_after
            raise
        try:
            return response.json()
        except ValueError as exc:
            raise GitLabError(
                f"{subject}: the answer is no JSON. Check that `url` is the address of a GitLab, without /api/v4; it "
                "may be its sign-in page.",
                subject=subject,
                http_status=response.status_code,
            ) from exc

    def ask(
        self,
        verb: str,
        path: str,
        subject: str,
        body: Json | None = None,
        query: Json | None = None,
        verdict: Verdict = is_transient,
    ) -> Any:
        """Ask, and again while it fails for a moment.

        Args:
            verb: `get` or `post`. What a `post` makes is made once: it is repeated only if GitLab has not begun.
            path: Behind `/api/v4`.
            subject: What it is about, for messages.
            body: JSON to send.
            query: Parameters of the address.
            verdict: Says which errors pass.
        """
        return retry(
            lambda: self._ask(verb, path, subject, body, query),
            is_transient=verdict,
            backoff=BACKOFF,
            on_retry=say_retry,
            clock=clock,
        )

    async def aask(
        self,
        verb: str,
        path: str,
        subject: str,
        body: Json | None = None,
        query: Json | None = None,
        verdict: Verdict = is_transient,
    ) -> Any:
        """Async form of `ask`; a thread is taken for the time of a request only."""
        return await aretry(
            lambda: run_sync_in_worker_thread(self._ask, verb, path, subject, body, query),
            is_transient=verdict,
            backoff=BACKOFF,
            on_retry=say_retry,
            clock=clock,
        )


def say_retry(exc: Exception, delay: float) -> None:
    """Say that a request is repeated."""
    run_logger(__name__).warning("%s Trying again in %.1f seconds.", exc, delay)


def field(answer: Any, name: str, kind: type[T], subject: str) -> T:
    """Read a field of an answer.

    Raises:
        GitLabError: If it is not there, or of another type.
    """
    value = answer.get(name) if isinstance(answer, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    if not isinstance(value, kind):
        raise GitLabError(f"{subject}: the answer has no {name!r}. Check that `url` is the address of a GitLab.")
    return value
