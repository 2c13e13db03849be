"""Errors of a package that are those of its SDK, too: one class of both, which survives pickling.

A package translates what its SDK raises into errors of its own, which say what to do. Code that catches the SDK's class
must go on working, so what is raised is an instance of both. Such a class is made at run time and cannot be imported:
pickling takes it apart and puts it together again.
"""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, cast


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
