"""Results of sync calls that programs written for coroutines may hand to `await` or `asyncio.run` all the same."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any, NoReturn, ParamSpec, TypeVar

from prefect_integration_kit.awaitables import awaitable

P = ParamSpec("P")
R = TypeVar("R")


class Awaited:
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


class AwaitedStr(Awaited, str):
    """A text that `await` and `asyncio.run` make a plain one, and so does pickling."""

    __slots__ = ()

    def _value(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


class AwaitedBytes(Awaited, bytes):
    """Bytes that `await` and `asyncio.run` make plain ones, and so does pickling."""

    def _value(self) -> bytes:
        return bytes(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return bytes, (bytes(self),)


def awaited(call: Callable[P, R]) -> Callable[P, R]:
    """Let what a function returns be given to `await` and `asyncio.run` as well.

    Args:
        call: Returns text, bytes or a dictionary.
    """

    @functools.wraps(call)
    def result_of(*args: P.args, **kwargs: P.kwargs) -> Any:
        result = call(*args, **kwargs)
        if isinstance(result, str):
            return AwaitedStr(result)
        return AwaitedBytes(result) if isinstance(result, bytes) else awaitable(result)

    return result_of
