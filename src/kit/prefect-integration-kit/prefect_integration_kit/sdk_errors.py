"""Errors of a package that are those of its SDK, too: one class of both, which survives pickling.

A package translates what its SDK raises into errors of its own, which say what to do. Code that catches the SDK's class
must go on working, so what is raised is an instance of both. Such a class is made at run time and cannot be imported:
pickling takes it apart and puts it together again.
"""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, cast

from pydantic import SecretBytes, SecretStr

from .redact import Redactor, Secret

# What is shorter stands in every other word, and hiding it would only garble the message; what is longer is not
# repeated by a service as a whole, and takes the redactor minutes to prepare.
_MIN_MASKED, _MAX_MASKED = 4, 2000


class TranslatedError(Exception):
    """Base of a package's errors that may also be instances of the SDK's exceptions.

    Args:
        message: What `str` says: the thing, what is wrong, and the remedy.
        subject: What the work was about, such as `Secret 'db'`.

    Attributes:
        remedy: What a caller can do about errors of the class; empty where there is no common advice.
    """

    remedy: ClassVar[str] = ""
    _sdk: ClassVar[type[BaseException] | None] = None

    def __init__(self, message: str, *, subject: str = "") -> None:
        # Not `super()`: in a class that also inherits an SDK exception, the next initialiser would be the SDK's.
        Exception.__init__(self, message)
        self.subject = subject

    def __str__(self) -> str:
        """Return the message; an SDK's own `__str__` would compose another from the response."""
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as our class, the SDK's, the message and the attributes, as text where they cannot be pickled.

        A class that another process cannot import is replaced by its nearest base that it can.
        """
        state = {name: _picklable(value) for name, value in vars(self).items()}
        return _rebuild, (*_importable_parts(type(self), self._sdk), str(self), state)


Own = TypeVar("Own", bound=TranslatedError)


def combined(own: type[Own], sdk: type[BaseException]) -> type[Own]:
    """Make a class that is both, with the name of ours; ours alone where Python cannot join them.

    Args:
        own: A class of the package.
        sdk: The class of the exception that it stands for.
    """
    return cast("type[Own]", _combined(own, sdk))


@lru_cache(maxsize=512)
def _combined(own: type[TranslatedError], sdk: type[BaseException]) -> type[TranslatedError]:
    if issubclass(own, sdk):
        return own
    names = {"__module__": own.__module__, "__qualname__": own.__qualname__, "__doc__": own.__doc__, "_sdk": sdk}
    try:
        return cast("type[TranslatedError]", type(own.__name__, (own, sdk), names))
    except TypeError:  # their layouts in memory differ
        return own


def standing_for(own: type[Own], exc: BaseException, message: str, *, subject: str, **attributes: Any) -> Own:
    """Make the error that stands for an SDK's exception: of both classes, with the attributes of both.

    Args:
        own: A class of the package.
        exc: The SDK's exception. Where both have an attribute, that of the package counts.
        message: The thing, what is wrong, and the remedy.
        subject: What the work was about.
        **attributes: Further arguments of the package's class.
    """
    make: Callable[..., Own] = combined(own, type(exc))
    error = make(message, subject=subject, **attributes)
    for name, value in vars(exc).items():
        vars(error).setdefault(name, value)
    return error


def _importable_parts(
    cls: type[TranslatedError], sdk: type[BaseException] | None
) -> tuple[type[TranslatedError], type[BaseException] | None]:
    """What a combined class was made from, or the nearest bases: exceptions that a client makes are in no module."""
    own = next(base for base in cls.__mro__ if issubclass(base, TranslatedError) and _is_importable(base))
    if sdk is not None:
        sdk = next(base for base in sdk.__mro__ if issubclass(base, BaseException) and _is_importable(base))
    return own, sdk


def _is_importable(cls: type) -> bool:
    try:
        found: Any = importlib.import_module(cls.__module__)
        for name in cls.__qualname__.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError):
        return False
    return found is cls


def _picklable(value: Any) -> Any:
    if isinstance(value, Mapping):  # also one of an HTTP client, which cannot be pickled as it is
        members = cast("Mapping[Any, Any]", value)
        return {key: _picklable(members[key]) for key in members}
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - whatever an object's own pickling raises
        return str(value)
    return copy.copy(value)


def _rebuild(
    own: type[TranslatedError], sdk: type[BaseException] | None, message: str, state: dict[str, Any]
) -> TranslatedError:
    cls: Callable[[str], TranslatedError] = own if sdk is None else combined(own, sdk)
    error = cls(message)
    vars(error).update(state)
    return error


def mask_secrets(exc: BaseException, secrets: Iterable[Secret], *, within: Collection[str] = ()) -> None:
    """Mask secrets in an exception and in those behind it, in place: they stay visible as the causes of a translation.

    Services repeat refused values in their messages.

    Args:
        exc: Any exception. Instances of `OSError` are left as they are: what they say is the system's.
        secrets: Values that the request carried. Fewer than 4 characters are not masked.
        within: Names of attributes that hold objects of the SDK; texts that are attributes of those are masked, too.
    """
    errors = [error for error in causes(exc) if not isinstance(error, OSError)]
    states = [state for error in errors for name in within if hasattr(state := getattr(error, name, None), "__dict__")]
    text = "".join(f"{error.args!r} {vars(error)!r}" for error in errors)
    text += "".join(f"{_texts(state)!r}" for state in states)
    redactor = Redactor(part for secret in secrets for part in _parts_to_mask(secret, text))
    if not redactor.found_in(text):
        return
    for error in errors:
        error.args = tuple(_masked(error.args, redactor))
        for name, value in vars(error).items():
            setattr(error, name, _masked(value, redactor))
    for state in states:
        for name, value in _texts(state).items():
            setattr(state, name, _masked(value, redactor))


def _texts(state: Any) -> dict[str, str | bytes]:
    members = cast("dict[str, Any]", vars(state))
    return {name: value for name, value in members.items() if isinstance(value, str | bytes)}


def causes(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those behind it, the outermost first.

    Args:
        exc: Any exception; there is none behind `None`.
    """
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or exc.__context__


def _parts_to_mask(secret: Secret, text: str) -> list[str]:
    """What of a secret to look for: all of it, but of a long one only lines that are there, to be quick."""
    plain = secret.get_secret_value() if isinstance(secret, SecretStr | SecretBytes) else secret or ""
    plain = plain.decode("utf-8", "replace") if isinstance(plain, bytes) else plain
    if len(plain) < _MIN_MASKED:
        return []
    if len(plain) <= _MAX_MASKED:
        return [plain]
    return [line for line in plain.splitlines() if len(line) >= _MIN_MASKED and line in text]


def _masked(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redactor.redact(value)
    if isinstance(value, bytes):
        return redactor.redact(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        members = cast("dict[Any, Any]", value)
        masked = {key: _masked(member, redactor) for key, member in members.items()}
        if type(members) is dict:
            return masked
        members.update(masked)  # an answer of an HTTP client, which has attributes, too
        return members
    if type(value) in (list, tuple):
        items = cast("list[Any] | tuple[Any, ...]", value)
        return type(items)(_masked(item, redactor) for item in items)
    return value
