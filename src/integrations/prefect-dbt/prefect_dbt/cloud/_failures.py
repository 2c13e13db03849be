"""Raise what goes wrong with requests as this package's errors, and say which of them a task may be retried for."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from prefect_integration_kit.redact import redact, secrets_in

from ._http import explain, had_no_effect, passing
from .exceptions import DbtCloudException

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun

    from .credentials import DbtCloudCredentials


@contextmanager
def cloud_errors(
    error: type[Exception], subject: str, credentials: DbtCloudCredentials, *, run_id: int | None = None
) -> Generator[None, None, None]:
    """Raise failures of requests as an error of the package.

    Args:
        error: What to raise.
        subject: What could not be done, as the beginning of a sentence: `dbt Cloud job 1 could not be read`.
        credentials: Whose key must not be repeated.
        run_id: The run that it is about, if it is about one.
    """
    try:
        yield
    except httpx.HTTPError as exc:
        said = redact(explain(exc), secrets_in(credentials))
        raised = error(f"{subject}: {said}")
        if isinstance(raised, DbtCloudException):
            raised.run_id = run_id
        raise raised from exc


def cause_behind(exc: BaseException | None) -> httpx.HTTPError | None:
    """Find the failed request behind an error."""
    while exc is not None:
        if isinstance(exc, httpx.HTTPError):
            return exc
        exc = exc.__cause__
    return None


def retried(
    *, also: frozenset[int] = frozenset(), is_safe: Callable[[httpx.HTTPError], bool] = lambda _: True
) -> Callable[[Task[Any, Any], TaskRun, State[Any]], bool]:
    """Make the condition under which Prefect retries a task: only for failures that may pass.

    Args:
        also: Statuses that may pass though they usually do not.
        is_safe: Whether the task may be repeated after a failed request.
    """

    def condition(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
        exc = getattr(state.data, "exception", None) if state.data is not None else None
        if exc is None:
            exc = state.data
        if not isinstance(exc, BaseException):
            return True  # nothing is known of it
        failed = cause_behind(exc)
        if failed is None:
            return False  # bad arguments, or a mistake
        if isinstance(failed, httpx.HTTPStatusError) and failed.response.status_code in also:
            return True
        return passing(failed) is not False and is_safe(failed)

    return condition


retried_if_passing = retried()
retried_if_refused = retried(is_safe=had_no_effect)
