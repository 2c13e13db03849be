"""Results that may be awaited once more.

In a sync flow a call of our async flows and tasks gives its result at once. Programs written before that was so hand
what the call gives to `asyncio.run` there: it has to be something that can be awaited, and gives itself.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NoReturn, cast


class Awaitable:
    """As a coroutine that has ended: awaited or run, it gives itself."""

    def _value(self) -> Any:
        return self

    def __await__(self) -> Generator[Any, None, Any]:
        """Give the result."""
        return self._value()
        yield  # which makes it a generator

    def send(self, _: Any, /) -> NoReturn:
        """End, as a coroutine does that was awaited to its end."""
        raise StopIteration(self._value())

    def throw(self, error: Any, value: Any = None, *_: Any) -> NoReturn:
        """Raise what is thrown in, given as an error or as its class."""
        if isinstance(error, BaseException):
            raise error
        raise value if isinstance(value, BaseException) else error()

    def close(self) -> None:
        """There is nothing to close."""


class AwaitableDict(Awaitable, dict[str, Any]):
    """A dictionary that `await` and `asyncio.run` give back. Pickled, it is a plain one."""

    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return id(self)  # `asyncio.gather` keeps coroutines as keys

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class AwaitableTuple(Awaitable, tuple[Any, ...]):
    """A tuple that `await` and `asyncio.run` give back. Pickled, it is a plain one."""

    def __hash__(self) -> int:
        try:
            return super().__hash__()
        except TypeError:  # for `asyncio.gather`, as above
            return id(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)


class AwaitableStr(Awaitable, str):
    """A text that `await` and `asyncio.run` make a plain one, and so does pickling."""

    __slots__ = ()

    def _value(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


class AwaitableBytes(Awaitable, bytes):
    """Bytes that `await` and `asyncio.run` make plain ones, and so does pickling."""

    def _value(self) -> bytes:
        return bytes(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return bytes, (bytes(self),)


class AwaitableNone(Awaitable):
    """What `await` and `asyncio.run` make `None`. It is falsy, yet not `None` itself."""

    def _value(self) -> None:
        return None

    def __bool__(self) -> bool:
        return False


def awaitable(result: Any) -> Any:
    """Make dictionaries and tuples such that they may be awaited; leave anything else as it is."""
    kind = cast("type[Any]", type(result))
    if kind is dict:
        return AwaitableDict(cast("dict[str, Any]", result))
    return AwaitableTuple(cast("tuple[Any, ...]", result)) if kind is tuple else result
