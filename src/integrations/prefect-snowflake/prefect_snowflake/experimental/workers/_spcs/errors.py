"""What can go wrong at Snowpark Container Services beside what can at Snowflake anyway.

    SnowflakeError
    ├── SPCSJobFailed (RuntimeError)     a job cannot be started
    └── SPCSWaitTimeout (TimeoutError)   a compute pool, or a job, was not ready in time

The connector's exceptions are translated by `prefect_snowflake.errors`; here they get remedies that speak of jobs.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from prefect_integration_kit.redact import Secret

from ....errors import (
    SnowflakeAccessDenied,
    SnowflakeError,
    SnowflakeObjectNotFound,
    SnowflakeSessionExpired,
    SnowflakeUnavailable,
    snowflake_errors,
)

ALREADY_EXISTS = 2002
"""Snowflake's number for an object whose name is taken."""
_TOKEN_EXPIRED = 390318

_GRANTS = (
    "Grant the role what it needs: USAGE and MONITOR on the compute pool, USAGE on the database, CREATE SERVICE on the "
    "schema, READ on the image repository and the secrets, USAGE on the warehouse and the external access integrations."
)
_NAMES = "Check its name, and that the role may use it."


class SPCSJobFailed(SnowflakeError, RuntimeError):
    """A job cannot be started."""


class SPCSWaitTimeout(SnowflakeError, TimeoutError):
    """A compute pool, or a job, was not ready in time, or not gone."""


@contextmanager
def spcs_errors(subject: str, secrets: Iterable[Secret] = ()) -> Generator[None, None, None]:
    """Raise the connector's failures as this package's errors, with remedies that speak of jobs.

    Args:
        subject: What the statement is about, such as `Compute pool 'P'`.
        secrets: Values that messages must not repeat.

    Raises:
        SnowflakeError: In place of an error of the connector.
    """
    try:
        with snowflake_errors(subject, secrets=secrets):
            yield
    except SnowflakeAccessDenied as exc:
        exc.args = (str(exc).replace(SnowflakeAccessDenied.remedy, _GRANTS),)
        raise
    except SnowflakeObjectNotFound as exc:
        exc.args = (str(exc).replace(SnowflakeObjectNotFound.remedy, _NAMES),)
        raise
    except (OSError, EOFError) as exc:
        if isinstance(exc, SnowflakeError):
            raise
        message = f"{subject}: Snowflake cannot be reached: {type(exc).__name__}: {exc}. {SnowflakeUnavailable.remedy}"
        raise SnowflakeUnavailable(message, subject=subject) from exc


def is_session_over(exc: SnowflakeError) -> bool:
    """Whether a statement failed because the session has ended: another one may have more luck.

    Args:
        exc: What a statement raised in a session that was opened before.
    """
    return isinstance(exc, SnowflakeSessionExpired | SnowflakeUnavailable) or exc.errno == _TOKEN_EXPIRED
