"""What can go wrong at a database, as Python exceptions.

    DatabaseError
    ├── DatabaseUrlUnsupported (ValueError)      no URL, or of a dialect that is not known
    │   └── DatabaseDriverMismatch               a driver of the other connector
    ├── DatabaseDriverMissing (ImportError)
    ├── DatabaseArgumentInvalid (ValueError)     of a method of the connectors
    ├── DatabaseUnreachable (ConnectionError)    also a connection that broke
    │   └── DatabaseCertificateRefused           TLS that is not trusted, or not to be had
    ├── DatabaseNotFound (LookupError)
    ├── DatabaseAccessDenied (PermissionError)   wrong password, or no right to do that
    ├── DatabaseBusy                             no connection or lock to be had in time
    └── DatabaseStatementFailed
        ├── DatabaseTableNotFound (LookupError)
        ├── DatabaseConstraintViolated
        └── DatabaseFull

`database_errors` is the only place where the exceptions of SQLAlchemy and the drivers are translated. What it raises is
an instance of one of these classes and also of the other's own class, with its attributes: code that catches
`sqlalchemy.exc.IntegrityError` goes on working.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from prefect_integration_kit.redact import Redactor, Secret
from prefect_integration_kit.sdk_errors import TranslatedError, combined, mask_secrets

__all__ = [
    "DatabaseAccessDenied",
    "DatabaseArgumentInvalid",
    "DatabaseBusy",
    "DatabaseCertificateRefused",
    "DatabaseConstraintViolated",
    "DatabaseDriverMismatch",
    "DatabaseDriverMissing",
    "DatabaseError",
    "DatabaseFull",
    "DatabaseNotFound",
    "DatabaseStatementFailed",
    "DatabaseTableNotFound",
    "DatabaseUnreachable",
    "DatabaseUrlUnsupported",
    "database_errors",
]


class DatabaseError(TranslatedError):
    """Something went wrong at a database.

    Args:
        message: What `str` says: the thing, what is wrong, and the remedy.
        subject: Which database it was, such as `postgresql://shop@db.example.com/orders`.
        row: Number of the row that was refused, from 0, where it is known.
    """

    def __init__(self, message: str, *, subject: str = "", row: int | None = None) -> None:
        super().__init__(message, subject=subject)
        self.row = row


class DatabaseUrlUnsupported(DatabaseError, ValueError):
    """The connection information is no URL, or SQLAlchemy has no dialect for it."""

    remedy = "Write it as dialect+driver://username:password@host:port/database, and install the dialect's package."


class DatabaseDriverMismatch(DatabaseUrlUnsupported):
    """The driver is synchronous and the connector is not, or the other way round."""


class DatabaseDriverMissing(DatabaseError, ImportError):
    """The package of the driver is not installed."""


class DatabaseArgumentInvalid(DatabaseError, ValueError):
    """An argument is not one that the method takes."""


class DatabaseUnreachable(DatabaseError, ConnectionError):
    """There was no answer from the server, or the connection to it broke."""

    remedy = "Check host and port, that the server runs, and the network's way to it."


class DatabaseCertificateRefused(DatabaseUnreachable):
    """The server's certificate is not trusted, is of another host or has expired; or the server speaks no TLS."""

    remedy = (
        "Check which CA the driver trusts (such as `sslrootcert`), that the certificate names this host and is in "
        "date, and the clock of this machine."
    )


class DatabaseNotFound(DatabaseError, LookupError):
    """The server has no database of this name, or its file cannot be opened."""

    remedy = "Check `database`."


class DatabaseAccessDenied(DatabaseError, PermissionError):
    """User name or password are wrong, or the user may not do that."""

    remedy = "Check username and password, and what the user was granted."


class DatabaseBusy(DatabaseError):
    """All connections of the pool are in use, or another transaction holds a lock."""

    remedy = "End other transactions and close connections that are not used, or try again later."


class DatabaseStatementFailed(DatabaseError):
    """The database refused a statement."""


class DatabaseTableNotFound(DatabaseStatementFailed, LookupError):
    """A table or view of the statement does not exist."""

    remedy = "Check its name, its schema, and that it was created and committed."


class DatabaseConstraintViolated(DatabaseStatementFailed):
    """A row does not fit a constraint of its table."""


class DatabaseFull(DatabaseStatementFailed):
    """The disk of the database, its file or its table can hold no more."""

    remedy = "Make room on the disk of the database, or raise the limit that it has."


@contextmanager
def database_errors(
    subject: str, secrets: Iterable[Secret] = (), note: str = "", row: int | None = None
) -> Generator[None, None, None]:
    """Raise failures of SQLAlchemy and the drivers as this package's errors.

    Args:
        subject: Which database it is, without a secret.
        secrets: What must not be seen in messages.
        note: What else to say, such as which row it was and what became of the transaction.
        row: Number of the row, where it is known.

    Raises:
        DatabaseError: In place of an exception of SQLAlchemy, of a driver, or of the network.
    """
    try:
        yield
    except DatabaseError:
        raise
    except Exception as exc:
        error = translated(exc, subject, list(secrets), note=note, row=row)
        if error is None:
            raise
        raise error from exc


def translated(
    exc: Exception, subject: str, secrets: list[Secret], *, note: str = "", row: int | None = None
) -> DatabaseError | None:
    """Make the error that stands for an exception.

    Args:
        exc: Any exception; secrets are masked in it, too, since it stays visible as the cause.
        subject: Which database it is.
        secrets: What must not be seen.
        note: What else to say.
        row: Number of the row, where it is known.

    Returns:
        The error; `None` if the exception is of neither SQLAlchemy, a driver, nor the network.
    """
    from ._answers import classify, sdk_class, statement_of, what_happened  # they load SQLAlchemy

    own = classify(exc)
    if own is None:
        return None
    mask_secrets(exc, secrets)
    parts = [part.strip().rstrip(".") for part in (what_happened(exc), note, statement_of(exc), own.remedy)]
    message = Redactor(secrets).redact(". ".join(part for part in parts if part) + ".")
    error = combined(own, sdk_class(exc, own))(f"{subject}: {message}", subject=subject)
    vars(error).update({name: value for name, value in vars(exc).items() if name != "hide_parameters"})
    error.row = row
    return error
