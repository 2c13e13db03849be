"""Results that may be awaited once more.

In a sync flow a call of our async flows and tasks gives its result at once. Programs written before that was so hand
what the call gives to `asyncio.run` there: it has to be something that can be awaited, and gives itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar, NoReturn, cast

from yaml.representer import Representer, SafeRepresenter


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


class _Builtin(Awaitable):
    """A value of one of Python's own types. Awaited, run, copied, pickled or written as YAML, it is a plain one."""

    _plain: ClassVar[type[Any]]

    def __init_subclass__(cls, *, plain: type[Any]) -> None:
        cls._plain = plain
        # By its name Prefect's JSON knows a class, and some drivers of databases, as Snowflake's, how to bind a value.
        cls.__module__, cls.__name__, cls.__qualname__ = plain.__module__, plain.__name__, plain.__qualname__

    def _value(self) -> Any:
        return _followed(self, self._plain(self))

    def __hash__(self) -> int:
        try:
            hash_plainly: Any = self._plain.__hash__
            return hash_plainly(self)
        except TypeError:  # a list, for `asyncio.gather`, as above
            return id(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._plain, (self._plain(self),)


class AwaitableTuple(_Builtin, tuple[Any, ...], plain=tuple):
    """A tuple that `await` and `asyncio.run` make a plain one."""


class AwaitableList(_Builtin, list[Any], plain=list):
    """A list that `await` and `asyncio.run` make a plain one."""


class AwaitableSet(_Builtin, set[Any], plain=set):
    """A set that `await` and `asyncio.run` make a plain one."""

    def __repr__(self) -> str:
        return repr(set(self))  # which names the class otherwise


class AwaitableStr(_Builtin, str, plain=str):
    """A text that `await` and `asyncio.run` make a plain one."""


class AwaitableBytes(_Builtin, bytes, plain=bytes):
    """Bytes that `await` and `asyncio.run` make plain ones."""


class AwaitableInt(_Builtin, int, plain=int):
    """A whole number that `await` and `asyncio.run` make a plain one."""


class AwaitableFloat(_Builtin, float, plain=float):
    """A number that `await` and `asyncio.run` make a plain one."""


class _Answer(_Builtin, dict[Any, Any], plain=dict):
    """A dictionary that `await` and `asyncio.run` make a plain one."""


class AwaitableNone(Awaitable):
    """What `await` and `asyncio.run` make `None`. It is falsy, yet not `None` itself."""

    def _value(self) -> None:
        return None

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "None"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()


_KINDS: dict[type[Any], Callable[[Any], Any]] = {
    dict: _Answer,
    tuple: AwaitableTuple,
    list: AwaitableList,
    set: AwaitableSet,
    str: AwaitableStr,
    bytes: AwaitableBytes,
    int: AwaitableInt,
    float: AwaitableFloat,
}


def awaitable(result: Any) -> Any:
    """Make a value of one of Python's own types such that it may be awaited.

    `None`, `True` and `False`, of which there is one each, and objects of other classes stay as they are.
    """
    kind = _KINDS.get(cast("type[Any]", type(result)))
    return result if kind is None else _followed(result, kind(result))


def _followed(first: Any, second: Any) -> Any:
    """Let one object follow another one of the same value: by identity Prefect knows which task gave an argument."""
    from prefect.context import FlowRunContext
    from prefect.utilities.engine import get_state_for_result, link_state_to_result

    context = FlowRunContext.get()
    if context is not None and (known := get_state_for_result(first)) is not None:
        # The first one ends now, and another object may be at its address next.
        context.run_results.pop(id(first), None)
        link_state_to_result(known[0], second, known[1])
    return second


def _represent(dumper: Any, value: _Builtin) -> Any:
    return dumper.represent_data(value.__reduce__()[0](value))


for _representer in (SafeRepresenter, Representer):
    _representer.add_multi_representer(_Builtin, _represent)
