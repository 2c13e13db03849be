"""Values that are expensive to make, each made once and kept: SDK clients, sessions, tokens.

Equal credentials share one client. Equality is that of the content, nested dictionaries included, and of what the SDK
would read besides; secrets enter the key only through a keyed hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic import Secret as PydanticSecret

V = TypeVar("V")

_FINGERPRINT_KEY = secrets.token_bytes(32)


class SharedValues(Generic[V]):
    """The most recently used values, each built once however many threads ask for it at a time.

    Args:
        maximum: How many values to keep; the one that was not used for longest is dropped first.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self.clear()

    def clear(self) -> None:
        """Forget everything, locks included: a forked child must not inherit a locked one."""
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._building: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, build: Callable[[], V]) -> V:
        """Return the value of `key`, built if need be. An error is raised to the caller and not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            turn = self._building.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = build()
                with self._lock:
                    self._values[key] = value
                    while len(self._values) > self._maximum:
                        self._values.popitem(last=False)
            finally:
                with self._lock:
                    self._building.pop(key, None)
            return value

    def forget(self, key: Hashable, value: V | None = None) -> None:
        """Drop the value of `key`, if there is one and, where `value` is given, if it is that one."""
        with self._lock:
            if key in self._values and (value is None or self._values[key] is value):
                del self._values[key]


class Only:
    """A part of a key that equals itself alone, and lives as long as the key.

    Args:
        value: What it stands for, such as a function or a block that makes the value in its own way.
    """

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Only) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)


def fingerprint(*parts: Any) -> bytes:
    """Tell values apart by their content, within this process.

    Args:
        parts: Blocks, models, secrets, mappings, sequences, plain values.

    Returns:
        A keyed hash: it says nothing about the secrets among the parts, and is another one in the next process.
    """
    content = repr([_content(part) for part in parts])
    return hmac.new(_FINGERPRINT_KEY, content.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def changed_at(paths: Iterable[Path | str]) -> list[int]:
    """When each file changed last, in nanoseconds of the system's clock; 0 for one that cannot be looked at."""
    return [_changed_at(Path(path)) for path in paths]


def _changed_at(path: Path) -> int:
    try:
        return path.expanduser().stat().st_mtime_ns
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return 0


def _content(value: Any) -> Any:
    if isinstance(value, SecretStr | SecretBytes | PydanticSecret):
        return _content(cast("PydanticSecret[Any]", value).get_secret_value())
    if isinstance(value, BaseModel):
        return f"{type(value).__module__}.{type(value).__qualname__}", _content(dict(value))
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        return sorted((repr(key), repr(_content(member))) for key, member in members.items())
    if isinstance(value, list | tuple):
        return [_content(member) for member in cast("list[Any] | tuple[Any, ...]", value)]
    if isinstance(value, set | frozenset):
        return sorted(repr(_content(member)) for member in cast("set[Any] | frozenset[Any]", value))
    return value
