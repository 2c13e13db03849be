"""What can go wrong at Acme, as Python exceptions.

    AcmeError
    ├── AcmeObjectNotFound (FileNotFoundError)
    ├── AcmeAccessDenied (PermissionError)
    └── AcmeUnavailable (ConnectionError)

`acme_errors` is the only place where the client's exceptions are translated.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prefect_integration_kit.waiting import retry_after_seconds

if TYPE_CHECKING:
    import httpx


class AcmeError(Exception):
    """A request to Acme failed."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Describe the failure.

        Args:
            message: The thing, what happened, and the remedy.
            retry_after: Seconds after which Acme wants the next attempt, if it said so.
        """
        super().__init__(message)
        self.retry_after = retry_after


class AcmeObjectNotFound(AcmeError, FileNotFoundError):
    """No object is stored under the key."""


class AcmeAccessDenied(AcmeError, PermissionError):
    """The token is wrong, or may not do this."""


class AcmeUnavailable(AcmeError, ConnectionError):
    """Acme did not answer, or asks to come back later."""


_BY_STATUS: dict[int, tuple[type[AcmeError], str]] = {
    401: (AcmeAccessDenied, "The token was refused. Check `api_token`."),
    403: (AcmeAccessDenied, "The token may not do this. Ask for access to the bucket."),
    404: (AcmeObjectNotFound, "It does not exist. Check bucket and key."),
}
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


@contextmanager
def acme_errors(subject: str) -> Generator[None, None, None]:
    """Raise the client's failures as this package's errors.

    Args:
        subject: What the request is about, such as `acme://bucket/key`.

    Raises:
        AcmeError: In place of an error of the client.
    """
    import httpx

    try:
        yield
    except httpx.HTTPStatusError as exc:
        raise _from_response(subject, exc.response) from exc
    except httpx.TransportError as exc:
        message = f"{subject}: Acme cannot be reached ({type(exc).__name__}: {exc}). Check `url`."
        raise AcmeUnavailable(message) from exc


def _from_response(subject: str, response: httpx.Response) -> AcmeError:
    status = response.status_code
    if status in _TRANSIENT:
        wait = retry_after_seconds(response.headers.get("Retry-After"))
        message = f"{subject}: Acme answered {status}. Try again later."
        return AcmeUnavailable(message, retry_after=wait)
    error, remedy = _BY_STATUS.get(status, (AcmeError, "See Acme's own log for the cause."))
    return error(f"{subject}: Acme answered {status}. {remedy}")


def is_transient(error: Exception) -> bool | float:
    """Say whether another attempt may succeed, and after how many seconds if Acme said so.

    Args:
        error: What the last attempt raised.
    """
    if not isinstance(error, AcmeUnavailable):
        return False
    return True if error.retry_after is None else error.retry_after
