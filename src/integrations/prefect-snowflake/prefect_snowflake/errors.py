"""What can go wrong at Snowflake, as Python exceptions.

    SnowflakeError
    ├── SnowflakeInvalidRequest (ValueError)     an argument or a block's field cannot be meant
    │   └── SnowflakeCredentialsError            the fields of the credentials do not fit together
    │       └── InvalidPemFormat                 the private key cannot be read
    ├── SnowflakeLoginRefused (PermissionError)  wrong password, unknown key, expired token
    ├── SnowflakeAccessDenied (PermissionError)  the role may not do this
    ├── SnowflakeObjectNotFound (LookupError)    no such table, schema, stage, or not for this role
    ├── SnowflakeSyntaxError (ValueError)        the statement cannot be compiled
    ├── SnowflakeConstraintViolation             a row breaks a constraint
    ├── SnowflakeWarehouseUnavailable            none selected, suspended, or out of its quota
    ├── SnowflakeQueryCancelled                  somebody has cancelled the query
    ├── SnowflakeQueryTimeout (TimeoutError)     it took longer than it may
    ├── SnowflakeSessionExpired                  the session is gone; a new one is needed
    └── SnowflakeUnavailable (ConnectionError)   not reachable, or an error on Snowflake's side

`snowflake_errors` is the only place where the connector's exceptions are translated. What it raises is an instance of
one of these classes and also of the connector's own class, with its attributes: code that catches
`snowflake.connector.errors.ProgrammingError` and reads `errno` goes on working.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.redact import Redactor, Secret
from prefect_integration_kit.sdk_errors import TranslatedError, combined, mask_secrets

if TYPE_CHECKING:
    from snowflake.connector.errors import Error

__all__ = [
    "InvalidPemFormat",
    "SnowflakeAccessDenied",
    "SnowflakeConstraintViolation",
    "SnowflakeCredentialsError",
    "SnowflakeError",
    "SnowflakeInvalidRequest",
    "SnowflakeLoginRefused",
    "SnowflakeObjectNotFound",
    "SnowflakeQueryCancelled",
    "SnowflakeQueryTimeout",
    "SnowflakeSessionExpired",
    "SnowflakeSyntaxError",
    "SnowflakeUnavailable",
    "SnowflakeWarehouseUnavailable",
    "is_transient",
    "snowflake_errors",
]


class SnowflakeError(TranslatedError):
    """A request to Snowflake failed. Its text names the thing, what is wrong, and the remedy.

    Attributes:
        errno: Snowflake's number of the error; `None` when there was no answer.
        sqlstate: The SQLSTATE; `None` when there was no answer.
        sfqid: ID of the query; `None` when there was none.
    """

    errno: int | None = None
    sqlstate: str | None = None
    sfqid: str | None = None


class SnowflakeInvalidRequest(SnowflakeError, ValueError):
    """An argument, or a field of a block, cannot be meant."""


class SnowflakeCredentialsError(SnowflakeInvalidRequest):
    """The fields of the credentials do not fit together, or one of them cannot be read."""


class InvalidPemFormat(SnowflakeCredentialsError):
    """The private key cannot be read."""


class SnowflakeLoginRefused(SnowflakeError, PermissionError):
    """Snowflake does not let this user in."""

    remedy = (
        "Check account, user and the secret of the credentials block, and the network policy of the account "
        "(https://docs.snowflake.com/en/user-guide/authentication-policies)."
    )


class SnowflakeAccessDenied(SnowflakeError, PermissionError):
    """The role may not do this."""

    remedy = "Grant the privilege to the role, or give another `role` in the credentials block."


class SnowflakeObjectNotFound(SnowflakeError, LookupError):
    """A table, schema, stage or function does not exist, or this role may not know that it does."""

    remedy = "Check its name, `database` and `schema` of the connector block, and the grants of the role."


class SnowflakeSyntaxError(SnowflakeError, ValueError):
    """The statement cannot be compiled."""

    remedy = "Correct the statement."


class SnowflakeConstraintViolation(SnowflakeError):
    """A row breaks a constraint of its table."""

    remedy = "Correct the row, or the table's definition. Nothing of the statement was stored."


class SnowflakeWarehouseUnavailable(SnowflakeError):
    """No warehouse runs the statement: none is selected, it is suspended, or its quota is used up."""

    remedy = "Check `warehouse` of the connector block, resume it (ALTER WAREHOUSE ... RESUME), or raise its quota."


class SnowflakeQueryCancelled(SnowflakeError):
    """The query was cancelled."""

    remedy = "Look at it in the query history to see by whom."


class SnowflakeQueryTimeout(SnowflakeError, TimeoutError):
    """The query took longer than it may; it was cancelled."""

    remedy = "Give it a larger `timeout`, or a larger warehouse."


class SnowflakeSessionExpired(SnowflakeError):
    """The session has ended at Snowflake's side."""

    remedy = "Connect again."


class SnowflakeUnavailable(SnowflakeError, ConnectionError):
    """Snowflake cannot be reached, or has an error of its own."""

    remedy = "Check `account` and the network; if they are right, try again later."


_LOGIN = (SnowflakeLoginRefused, None)
_SESSION = (SnowflakeSessionExpired, None)
# Numbers of Snowflake's server, and of the connector from 250000 on:
# https://github.com/snowflakedb/snowflake-connector-python/blob/main/src/snowflake/connector/errorcode.py
_BY_ERRNO: dict[int, tuple[type[SnowflakeError], str | None]] = {
    601: (SnowflakeQueryCancelled, None),
    604: (SnowflakeQueryCancelled, None),
    606: (SnowflakeWarehouseUnavailable, None),
    607: (SnowflakeWarehouseUnavailable, None),
    609: (SnowflakeWarehouseUnavailable, None),
    630: (SnowflakeQueryTimeout, None),
    1003: (SnowflakeSyntaxError, None),
    2003: (SnowflakeObjectNotFound, None),
    2043: (SnowflakeObjectNotFound, None),
    3001: (SnowflakeAccessDenied, None),
    3540: (SnowflakeAccessDenied, None),
    90073: (SnowflakeWarehouseUnavailable, None),
    90105: (SnowflakeObjectNotFound, "Give `database` and `schema` in the connector block."),
    100072: (SnowflakeConstraintViolation, None),
    200001: (SnowflakeConstraintViolation, None),
    390111: _SESSION,
    390112: _SESSION,
    390113: _SESSION,
    390114: _SESSION,
    390115: _SESSION,
    390104: _SESSION,
    390100: _LOGIN,
    390101: _LOGIN,
    390144: (
        SnowflakeLoginRefused,
        "Check that the key's public half is set for the user (RSA_PUBLIC_KEY).",
    ),
    390189: (SnowflakeLoginRefused, "Check `role`: it must exist and be granted to the user."),
    390195: _LOGIN,
    390201: (SnowflakeObjectNotFound, "Check `database`, `schema` and `warehouse` of the connector block."),
    390303: (SnowflakeLoginRefused, "The token is not valid. Get a new one."),
    390318: (SnowflakeLoginRefused, "The token has expired. Get a new one; `token_file_path` is read at each login."),
    250001: (SnowflakeUnavailable, None),
    250002: _SESSION,
    250003: (SnowflakeUnavailable, None),
    250005: (SnowflakeUnavailable, None),
    250006: (
        SnowflakeLoginRefused,
        "The identity provider gave no token. Check the client or user, its secret and scope; it may be out of order.",
    ),
    251001: (SnowflakeCredentialsError, None),
    251005: (SnowflakeCredentialsError, None),
    251006: (SnowflakeCredentialsError, None),
    251007: (SnowflakeCredentialsError, None),
    251008: (InvalidPemFormat, None),
}
# The HTTP status of an answer, behind 290; the connector adds it twice in some places.
_HTTP = (range(290_400, 290_600), range(580_400, 580_600))
# The connector gives 250001 to a refused login, too, and Snowflake's own number only in the text.
_LOGINS = range(390_000, 400_000)
_NO_CONNECTION = "08001"
_MIN_MASKED = 4  # what is shorter stands in every other word
_BROKEN = frozenset({"ChunkedEncodingError", "ConnectionError", "ProtocolError", "IncompleteRead"})
_NO_ANSWER = "snowflake.connector.vendored.urllib3.exceptions.HTTPError"
_WAREHOUSE_WORDS = ("warehouse", "suspended")


def _kind(exc: Any) -> tuple[type[SnowflakeError], str]:
    errno = exc.errno if isinstance(exc.errno, int) else 0
    text = str(exc.msg or exc.args or "")
    if any(errno in numbers for numbers in _HTTP):
        return SnowflakeUnavailable, SnowflakeUnavailable.remedy
    if errno == 250001 and not _says_unreachable(text):
        return SnowflakeLoginRefused, SnowflakeLoginRefused.remedy
    found, remedy = _BY_ERRNO.get(errno, (SnowflakeError, None))
    if found is SnowflakeError and errno in _LOGINS and str(exc.sqlstate) == _NO_CONNECTION:
        found = SnowflakeLoginRefused
    if found is SnowflakeError:
        found = _by_class(exc, text)
    return found, found.remedy if remedy is None else remedy


def _says_unreachable(text: str) -> bool:
    lowered = text.lower()
    return any(words in lowered for words in ("could not connect to snowflake backend", "http 40", "404 not found"))


def _by_class(exc: Any, text: str) -> type[SnowflakeError]:
    from snowflake.connector import errors

    lowered = text.lower()
    if all(word in lowered for word in _WAREHOUSE_WORDS):
        return SnowflakeWarehouseUnavailable
    if isinstance(exc, errors.IntegrityError):
        return SnowflakeConstraintViolation
    if isinstance(exc, errors.OperationalError):
        return SnowflakeUnavailable
    return SnowflakeError


@contextmanager
def snowflake_errors(subject: str, *, secrets: Iterable[Secret] = ()) -> Generator[None, None, None]:
    """Raise the connector's failures as this package's errors.

    Args:
        subject: What the work is about, such as `Query 01b2...` or `Login to account 'acme'`.
        secrets: Values that may stand in the connector's message; they are masked.

    Raises:
        SnowflakeError: In place of an error of the connector.
    """
    try:
        yield
    except SnowflakeError:
        raise
    except Exception as exc:
        from snowflake.connector.errors import Error

        if is_broken_answer(exc):
            raise SnowflakeUnavailable(
                f"{subject}: the answer broke off. It is not known whether it was done: look before you repeat it.",
                subject=subject,
            ) from exc
        hidden = list(secrets)
        if is_unreachable(exc):
            raise SnowflakeUnavailable(
                f"{subject}: {Redactor(hidden).redact(str(exc))}. {SnowflakeUnavailable.remedy}", subject=subject
            ) from exc
        if not isinstance(exc, Error):
            raise
        mask_secrets(exc, hidden)
        raise translated(exc, subject, hidden) from exc


def is_broken_answer(exc: BaseException) -> bool:
    """Say whether an answer of Snowflake ended too early; the connector passes that on as it comes.

    Args:
        exc: What the connector raised.
    """
    kind = type(exc)
    return kind.__module__.startswith("snowflake.connector.vendored.") and kind.__name__ in _BROKEN


def is_unreachable(exc: BaseException) -> bool:
    """Say whether no server was found; the connector passes on as it comes what happens at a token endpoint.

    Args:
        exc: What the connector raised.
    """
    return any(f"{kind.__module__}.{kind.__name__}" == _NO_ANSWER for kind in type(exc).__mro__)


def translated(exc: Error, subject: str, secrets: Iterable[Secret] = ()) -> SnowflakeError:
    """Make this package's error of one of the connector.

    Args:
        exc: The connector's.
        subject: What the work was about.
        secrets: Values to mask in the message.
    """
    own, remedy = _kind(exc)
    redactor = Redactor(secret for secret in secrets if secret is not None and len(str(secret)) >= _MIN_MASKED)
    said = redactor.redact(" ".join(str(exc.raw_msg or exc.msg or exc).split()))
    message = f"{subject}: {said.rstrip('.')}."
    if isinstance(exc.errno, int) and exc.errno > 0 and f"{exc.errno:06d}" not in message:
        message = f"{subject}: {exc.errno:06d}: {said.rstrip('.')}."
    error = combined(own, type(exc))(f"{message} {remedy}".rstrip(), subject=subject)
    kept = {name: getattr(exc, name, None) for name in ("errno", "sqlstate", "sfqid", "msg", "raw_msg", "query")}
    vars(error).update(kept)
    return error


def is_transient(error: Exception) -> bool:
    """Say whether the same request may succeed a moment later.

    Args:
        error: What it raised.
    """
    return isinstance(error, SnowflakeUnavailable)
