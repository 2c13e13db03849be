"""How requests to Blob Storage are repeated: the house's policy inside the client's pipeline.

The client's own policy waits 15 seconds before its second try, knows neither 429 nor Retry-After, and does not say
whether an answer is that of a repeated request.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from prefect_azure.errors import is_transient
from prefect_integration_kit.waiting import Backoff, retry_after_seconds

if TYPE_CHECKING:
    from azure.core.pipeline.policies import HTTPPolicy

WAS_REPEATED = "was_repeated"
"""Attribute of an answer: whether the request had been sent before, and may have been carried out then."""

_OPTIONS = ("retry_connect", "retry_read", "retry_status", "retry_to_secondary", "location_mode", "hosts", "retry_hook")
_SLOWEST_SECONDS = 30.0


def retry_policy(seconds: float) -> HTTPPolicy[Any, Any]:
    """Make a policy.

    Args:
        seconds: For how long a request that fails for a moment is repeated; 0 for a single try.
    """
    return _policy_class()(seconds)


@cache
def _policy_class() -> Any:  # the base is the SDK's, which is imported when it is needed
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.policies import HTTPPolicy

    class BlobRetryPolicy(HTTPPolicy[Any, Any]):
        def __init__(self, seconds: float) -> None:
            super().__init__()
            self._seconds = seconds
            self._backoff = Backoff(initial_seconds=0.5, maximum_seconds=_SLOWEST_SECONDS, deadline_seconds=seconds)

        def __repr__(self) -> str:
            return f"BlobRetryPolicy({self._seconds})"  # equal policies make equal clients, which are kept

        def send(self, request: Any) -> Any:
            options = request.context.options
            for name in _OPTIONS:
                options.pop(name, None)
            most = options.pop("retry_total", None)
            position = _position(request.http_request.body)
            start, attempt = time.monotonic(), 0
            while True:
                attempt += 1
                response: Any = None
                failure: AzureError | None = None
                try:
                    response = self.next.send(request)
                except AzureError as exc:
                    failure, verdict = exc, is_transient(exc)
                else:
                    response.http_response.location_mode = "primary"
                    setattr(response.http_response, WAS_REPEATED, attempt > 1)
                    verdict = _is_transient_answer(response.http_response)
                delay = None
                if verdict is not False and (most is None or attempt <= most):
                    asked = None if verdict is True else float(verdict)
                    delay = self._backoff.next_delay(attempt, time.monotonic() - start, asked)
                if delay is None or not _rewind(request.http_request.body, position):
                    if failure is not None:
                        raise failure
                    return response
                time.sleep(delay)

    return BlobRetryPolicy


def _is_transient_answer(response: Any) -> bool | float:
    status = int(response.status_code)
    if status not in (408, 429) and (status < 500 or status in (501, 505)):
        return False
    return retry_after_seconds(response.headers.get("Retry-After")) or True


def _position(body: Any) -> int | None:
    if not hasattr(body, "read"):
        return 0
    try:
        return body.tell()
    except (AttributeError, OSError):
        return None


def _rewind(body: Any, position: int | None) -> bool:
    """Go back to where the body began; say whether that could be done."""
    if not hasattr(body, "read"):
        return True
    if position is None:
        return False
    try:
        body.seek(position)
    except (AttributeError, OSError, ValueError):
        return False
    return True
