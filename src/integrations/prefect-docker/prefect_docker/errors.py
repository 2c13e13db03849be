"""What can go wrong with Docker, as Python exceptions.

    DockerError
    ├── DockerUnavailable (ConnectionError, RuntimeError)   no engine answers, or the connection to it broke
    ├── DockerTimeout (TimeoutError)            the engine took longer than the client waits
    ├── DockerContextInvalid (ValueError)       the Docker context does not exist or cannot be read
    ├── DockerNotFound (LookupError)
    │   └── DockerImageNotFound
    ├── DockerConflict                          the name is taken, or the state does not allow it
    ├── DockerAccessDenied (PermissionError)
    │   └── DockerLoginFailed                   a registry does not accept the credentials
    ├── DockerInvalidRequest (ValueError)
    ├── DockerEngineFailed                      the engine had a failure of its own
    ├── ImagePullFailed (RuntimeError)
    │   ├── ImagePullDenied (PermissionError)
    │   ├── ImagePullNotFound (LookupError)
    │   └── ImageDigestMismatch                 what came is not what was asked for
    ├── ImageBuildFailed (BuildError)           Prefect's own class for a build that failed
    ├── BuildxMissing (RuntimeError)            the Docker CLI or its plugin buildx is not installed
    └── ImagePushFailed (PushError, OSError)    Prefect's own class for a push that failed
        └── ImagePushDenied (PermissionError)

`docker_errors` is the only place where the SDK's exceptions are translated. What it raises is an instance of one of
these classes and also of the SDK's own class, with its attributes: code that catches `docker.errors.NotFound` and looks
into `.response` goes on working.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager

from prefect.utilities.dockerutils import BuildError, PushError

from prefect_integration_kit.redact import Redactor, Secret
from prefect_integration_kit.sdk_errors import TranslatedError, standing_for


class DockerError(TranslatedError):
    """Something asked of Docker failed.

    Args:
        message: What `str` says: the thing, what is wrong, and the remedy.
        subject: What was asked for, such as `Container 'web'`.
        reason: The engine's own words, empty when it said nothing.
    """

    def __init__(self, message: str, *, subject: str = "", reason: str = "") -> None:
        super().__init__(message, subject=subject)
        self.reason = reason


class DockerUnavailable(DockerError, ConnectionError, RuntimeError):
    """No engine answers at the address, it cannot be talked to, or the connection broke."""

    remedy = "See that the Docker engine runs and can be reached from here."


class DockerTimeout(DockerError, TimeoutError):
    """The engine did not answer within the client's time-out."""

    remedy = "Raise `timeout` of the Docker host block or DOCKER_CLIENT_TIMEOUT, in seconds, if it needs longer."


class DockerContextInvalid(DockerError, ValueError):
    """The Docker context that was chosen does not exist or cannot be read."""


class DockerNotFound(DockerError, LookupError):
    """The engine has no such thing."""

    remedy = "Check the name or ID, and that it belongs to this engine."


class DockerImageNotFound(DockerNotFound):
    """The engine does not have the image."""

    remedy = "Pull or build the image first, or correct its name and tag."


class DockerConflict(DockerError):
    """The name is taken, or the state of the thing does not allow what was asked."""


class DockerAccessDenied(DockerError, PermissionError):
    """The engine or a registry does not allow it."""


class DockerLoginFailed(DockerAccessDenied):
    """A registry does not accept the user name and password."""

    remedy = "Check registry_url, username and password; many registries want an access token in place of the password."


class DockerInvalidRequest(DockerError, ValueError):
    """The request is not one that the engine accepts."""


class DockerEngineFailed(DockerError):
    """The engine had a failure of its own; its message says which."""


class ImagePullFailed(DockerError, RuntimeError):
    """An image could not be pulled."""


class ImagePullDenied(ImagePullFailed, PermissionError):
    """The registry does not let these credentials, or none, pull the image."""


class ImagePullNotFound(ImagePullFailed, LookupError):
    """The registry has no such image, or hides it from these credentials."""


class ImageDigestMismatch(ImagePullFailed):
    """The image that the engine holds is not the one that was asked for or sent."""


class ImageBuildFailed(DockerError, BuildError):
    """An image could not be built; `reason` is what the builder said."""


class BuildxMissing(DockerError, RuntimeError):
    """The Docker CLI is not installed, or has no plugin buildx."""


class ImagePushFailed(DockerError, PushError, OSError):
    """An image could not be pushed."""


class ImagePushDenied(ImagePushFailed, PermissionError):
    """The registry does not let these credentials, or none, push the image."""


_BY_STATUS: dict[int, type[DockerError]] = {
    400: DockerInvalidRequest,
    401: DockerAccessDenied,
    403: DockerAccessDenied,
    404: DockerNotFound,
    409: DockerConflict,
}
_BY_NAME: dict[str, type[DockerError]] = {
    "ImageNotFound": DockerImageNotFound,
    "NotFound": DockerNotFound,
    "InvalidArgument": DockerInvalidRequest,
    "InvalidRepository": DockerInvalidRequest,
    "NullResource": DockerInvalidRequest,
    "TLSParameterError": DockerInvalidRequest,
    "InvalidConfigFile": DockerInvalidRequest,
    "InvalidVersion": DockerInvalidRequest,
    "ConnectTimeout": DockerUnavailable,
    "Timeout": DockerTimeout,
    "ReadTimeoutError": DockerTimeout,
    "ConnectionError": DockerUnavailable,
    "ChunkedEncodingError": DockerUnavailable,
    "ProtocolError": DockerUnavailable,
}
_SDK_PACKAGES = ("docker.", "requests.", "urllib3.")


@contextmanager
def docker_errors(
    subject: str,
    *,
    choose: Callable[[BaseException], type[DockerError]] | None = None,
    remedy: str = "",
    secrets: Iterable[Secret] = (),
) -> Generator[None, None, None]:
    """Raise failures of the Docker SDK as this package's errors, naming `subject`.

    Args:
        subject: What the work is about: `Container 'web'`, `Image 'shop:1'`.
        choose: Chooses the class for an SDK exception, where the work tells more than `classify` can know.
        remedy: What to do, in place of what the class of the error advises.
        secrets: Values that the request carries; they are masked should an answer repeat them.

    Raises:
        DockerError: One of its subclasses, also an instance of the SDK's exception, with that one as its cause.
    """
    try:
        yield
    except DockerError:
        raise
    except Exception as exc:
        cls = choose(exc) if choose is not None and is_sdk_error(exc) else None
        error = translate(exc, subject, as_class=cls, remedy=remedy, secrets=secrets)
        if error is None:
            raise
        raise error from exc


def translate(
    exc: Exception,
    subject: str,
    *,
    as_class: type[DockerError] | None = None,
    message: str = "",
    reason: str = "",
    remedy: str = "",
    secrets: Iterable[Secret] = (),
) -> DockerError | None:
    """Make this package's error of an SDK exception; `None` for any other.

    Args:
        exc: Any exception. Secrets that it quotes are masked in place, since it stays visible as the cause.
        subject: What the work is about.
        as_class: The class to make, where the caller knows better than status and name of the exception.
        message: All that the error says, in place of what is made of the rest.
        reason: What happened, in place of the engine's words.
        remedy: What to do, in place of what the class advises.
        secrets: Values to mask.
    """
    if not is_sdk_error(exc):
        return None
    cls = as_class or classify(exc)
    _mask(exc, secrets)
    said = reason_of(exc)
    message = message or f"{subject}: {(reason or said).rstrip('.')}. {remedy or cls.remedy}".rstrip()
    return standing_for(cls, exc, message, subject=subject, reason=said)


def is_sdk_error(exc: BaseException) -> bool:
    """Say whether the Docker SDK, or the HTTP client beneath it, raised it.

    Args:
        exc: Any exception.
    """
    return any(f"{cls.__module__}.".startswith(_SDK_PACKAGES) for cls in type(exc).__mro__)


def classify(exc: BaseException) -> type[DockerError]:
    """Find the class of this package for an SDK exception, by its type and HTTP status.

    Args:
        exc: An exception of the SDK.
    """
    if any(type(error).__name__ == "ReadTimeoutError" for error in chain(exc)):
        return DockerTimeout  # in the middle of an answer it comes as a failure of the connection
    names = [cls.__name__ for cls in type(exc).__mro__ if f"{cls.__module__}.".startswith(_SDK_PACKAGES)]
    for name in names:
        if name in _BY_NAME:
            return _BY_NAME[name]
    status = getattr(getattr(exc, "response", None), "status_code", None)
    if isinstance(status, int):
        if status >= 500:
            return DockerEngineFailed
        return _BY_STATUS.get(status, DockerError)
    # The SDK wraps what happens while it asks for the engine's version in its most general class.
    wrapped = [error for error in chain(exc) if error is not exc]
    if any(isinstance(error, OSError) and not hasattr(error, "explanation") for error in wrapped):
        return DockerUnavailable
    return DockerError


def reason_of(exc: BaseException) -> str:
    """What happened, in the engine's words or the system's.

    Args:
        exc: Any exception.
    """
    explanation = getattr(exc, "explanation", None)
    if explanation:
        return (explanation.decode("utf-8", "replace") if isinstance(explanation, bytes) else str(explanation)).strip()
    root = root_of(exc)
    if isinstance(root, OSError) and root.strerror:
        return root.strerror
    return str(exc).strip() or type(exc).__name__


def chain(exc: BaseException | None) -> Iterator[BaseException]:
    """An exception and those behind it, nearest first; also those that an exception carries as an argument.

    Args:
        exc: Any exception, or `None`.
    """
    seen: set[int] = set()
    waiting = [exc]
    while waiting:
        error = waiting.pop(0)
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        yield error
        # urllib3 hands the socket's error on as an argument or as `reason`, not as a cause.
        carried = (*error.args, getattr(error, "reason", None))
        waiting += [item for item in carried if isinstance(item, BaseException)]
        waiting += [error.__cause__, error.__context__]


def root_of(exc: BaseException) -> BaseException:
    """The operating system's error behind an exception, else the exception itself.

    Args:
        exc: Any exception.
    """
    for error in chain(exc):
        if isinstance(error, OSError) and not is_sdk_error(error) and not isinstance(error, DockerError):
            return error
    return exc


def _mask(exc: BaseException, secrets: Iterable[Secret]) -> None:
    """Mask secrets in an exception and in those behind it, which stay visible as its causes."""
    redactor = Redactor(secrets)
    for error in chain(exc):
        if is_sdk_error(error) and redactor.found_in(f"{error.args!r} {getattr(error, 'explanation', '')}"):
            error.args = tuple(redactor.redact(arg) if isinstance(arg, str) else arg for arg in error.args)
            if isinstance(explanation := getattr(error, "explanation", None), str):
                vars(error)["explanation"] = redactor.redact(explanation)
