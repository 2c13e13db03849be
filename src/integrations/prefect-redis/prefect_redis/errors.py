"""What can go wrong at Redis, as Python exceptions.

    RedisDatabaseError
    ├── RedisUrlInvalid (ValueError)             not an address that redis-py can connect to
    ├── RedisUnreachable (ConnectionError)       no answer, or the connection broke
    │   └── RedisTLSError                        no TLS there, or a certificate that is not trusted
    ├── RedisAccessDenied (PermissionError)      wrong password, or the ACL forbids the command or the key
    ├── RedisKeyNotFound (FileNotFoundError)
    ├── RedisValueTooLarge (ValueError)          more than the server takes
    ├── RedisWrongType (TypeError)               the key holds a list, a stream, or something else
    ├── RedisOutOfMemory (MemoryError)           `maxmemory` is reached and nothing may be evicted
    ├── RedisCommandFailed                       the server refused a command
    ├── RedisCommandInvalid (ValueError)         arguments that no command can have
    └── RedisLockNotHeld (ValueError)            somebody else holds the lock

`redis_errors` is the only place where the exceptions of redis-py are translated. What it raises is an instance of one
of these classes and also of redis-py's own: code that catches `redis.exceptions.AuthenticationError` goes on working.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from traceback import walk_tb

from prefect_integration_kit.redact import Redactor, Secret
from prefect_integration_kit.sdk_errors import TranslatedError, combined, mask_secrets

__all__ = [
    "RedisAccessDenied",
    "RedisCommandFailed",
    "RedisCommandInvalid",
    "RedisDatabaseError",
    "RedisKeyNotFound",
    "RedisLockNotHeld",
    "RedisOutOfMemory",
    "RedisTLSError",
    "RedisUnreachable",
    "RedisUrlInvalid",
    "RedisValueTooLarge",
    "RedisWrongType",
    "is_transient",
    "redis_errors",
    "was_not_run",
]


class RedisDatabaseError(TranslatedError):
    """Something went wrong at Redis."""

    def __repr__(self) -> str:
        """Return class and message; redis-py's own needs attributes that do not travel."""
        return f"{type(self).__name__}({str(self)!r})"


class RedisUrlInvalid(RedisDatabaseError, ValueError):
    """A URL is not one that can be connected to."""


class RedisUnreachable(RedisDatabaseError, ConnectionError):
    """There was no answer from the server, or the connection to it broke."""

    remedy = "Check host and port, that the server runs, and the network's way to it."


class RedisTLSError(RedisUnreachable):
    """The server speaks no TLS, or its certificate is not trusted."""

    remedy = "Check `ssl`, and name the authority's certificate: `ssl_ca_certs`."


class RedisAccessDenied(RedisDatabaseError, PermissionError):
    """The server does not accept user name and password, or the user may not do that."""

    remedy = "Check username and password, and what the user's ACL allows (`ACL GETUSER`)."


class RedisKeyNotFound(RedisDatabaseError, FileNotFoundError):
    """Nothing is stored under the key: it was never written, has expired, or was evicted."""

    remedy = "Check the key, the database number, and `key_ttl`."


class RedisValueTooLarge(RedisDatabaseError, ValueError):
    """A key or value has more bytes than the server takes."""

    remedy = "Store it elsewhere, or raise `proto-max-bulk-len` of the server."


class RedisWrongType(RedisDatabaseError, TypeError):
    """The key holds something that the command does not work on."""

    remedy = "Check the key; `TYPE` says what it holds."


class RedisOutOfMemory(RedisDatabaseError, MemoryError):
    """The server has reached `maxmemory` and may evict nothing."""

    remedy = "Free memory, raise `maxmemory`, or set `key_ttl` so that values expire."


class RedisCommandFailed(RedisDatabaseError):
    """The server refused a command."""


class RedisCommandInvalid(RedisDatabaseError, ValueError):
    """Arguments that no command can have."""


class RedisLockNotHeld(RedisDatabaseError, ValueError):
    """The lock is held by somebody else."""


# What a server says that is starting, failing over or moving slots: the same command will work soon.
_PASSING = ("LOADING", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "BUSY ", "NOREPLICAS", "UNBLOCKED")


def is_transient(exc: BaseException) -> bool:
    """Say whether the same command may work a moment later.

    Args:
        exc: An exception of redis-py or of this package.
    """
    from redis import exceptions

    if isinstance(exc, RedisDatabaseError) and exc.__cause__ is not None:
        exc = exc.__cause__  # our message begins with the subject
    if isinstance(exc, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return False
    if isinstance(exc, RedisTLSError) or _is_about_tls(exc):
        return False
    if isinstance(exc, exceptions.BusyLoadingError | exceptions.ReadOnlyError):
        return True
    if isinstance(exc, exceptions.ConnectionError | exceptions.TimeoutError | ConnectionError | TimeoutError):
        return not isinstance(exc, exceptions.MaxConnectionsError) if _has_max_connections() else True
    if _is_of_closed_connection(exc):
        return True
    return isinstance(exc, exceptions.ResponseError) and str(exc).startswith(_PASSING)


def was_not_run(exc: BaseException) -> bool:
    """Say whether a command was certainly not run and may work a moment later: it was refused, or never sent.

    Args:
        exc: An exception of redis-py or of this package.
    """
    from redis import exceptions

    if not is_transient(exc):
        return False
    cause = exc.__cause__ if isinstance(exc, RedisDatabaseError) and exc.__cause__ is not None else exc
    said = str(cause)
    if isinstance(cause, exceptions.BusyLoadingError | exceptions.ReadOnlyError | exceptions.ResponseError):
        return True
    return any(words in said for words in ("connecting to", "No master found", "max number of clients"))


def _has_max_connections() -> bool:
    from redis import exceptions

    return hasattr(exceptions, "MaxConnectionsError")


def _is_of_closed_connection(exc: BaseException) -> bool:
    """Tell what comes of it that redis-py 8 lets a Cluster's first commands use connections that it closes."""
    if not isinstance(exc, AttributeError | TypeError):
        return False
    # The connection has let go of its stream; or, since Python 3.12, the stream's transport of its event loop.
    frames = [frame.f_code.co_name for frame, _ in walk_tb(exc.__traceback__)]
    return frames[-1:] == ["writelines"] or "writelines" in str(exc)


def _is_about_tls(exc: BaseException) -> bool:
    import ssl

    behind = exc.__cause__ or exc.__context__
    if isinstance(exc, ssl.SSLError) or isinstance(behind, ssl.SSLError):
        return True
    return any(word in str(exc) for word in ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "SSLV3_", "TLSV1_"))


@contextmanager
def redis_errors(subject: str, secrets: Iterable[Secret] = ()) -> Generator[None, None, None]:
    """Raise failures of redis-py as this package's errors.

    Args:
        subject: What the work was about, such as `Redis at localhost:6379/0, key 'a'`.
        secrets: Values that must not stand in a message.

    Raises:
        RedisDatabaseError: A subclass for what happened, which is also the class of redis-py's exception.
    """
    from redis import exceptions

    try:
        yield
    except RedisDatabaseError:
        raise
    except (exceptions.RedisError, OSError) as exc:
        hidden = [secret for secret in secrets if secret]
        mask_secrets(exc, hidden)
        own = _own_class(exc)
        said = Redactor(hidden).redact(" ".join(str(exc).split())).rstrip(".") or type(exc).__name__
        message = f"{subject}: {said}. {own.remedy}".rstrip()
        raise combined(own, type(exc))(message, subject=subject) from exc
    except (AttributeError, TypeError) as exc:
        if not _is_of_closed_connection(exc):
            raise
        message = f"{subject}: the connection was closed before the command. {RedisUnreachable.remedy}".rstrip()
        raise RedisUnreachable(message, subject=subject) from exc


def _own_class(exc: BaseException) -> type[RedisDatabaseError]:
    from redis import exceptions

    if isinstance(exc, exceptions.AuthenticationError | exceptions.AuthorizationError | exceptions.NoPermissionError):
        return RedisAccessDenied
    if _is_about_tls(exc):
        return RedisTLSError
    said = str(exc)
    if "invalid bulk length" in said or "string exceeds maximum" in said:
        return RedisValueTooLarge
    if isinstance(exc, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return RedisUnreachable
    if said.startswith("WRONGTYPE"):
        return RedisWrongType
    if isinstance(exc, exceptions.OutOfMemoryError) or said.startswith("OOM"):
        return RedisOutOfMemory
    if isinstance(exc, exceptions.DataError):
        return RedisCommandInvalid
    if said.startswith(("NOPERM", "NOAUTH", "WRONGPASS")):
        return RedisAccessDenied
    return RedisCommandFailed
