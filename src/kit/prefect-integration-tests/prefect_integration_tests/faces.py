"""Call one operation by its sync or its async face, as a user of that face would."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Literal, cast

Face = Literal["sync", "async"]
AnyCallable = Callable[..., Any]


class NoSuchFace(AttributeError):
    """An operation lacks one of its two faces."""


def _bound(owner: Any, function: AnyCallable) -> AnyCallable:
    """Bind what a method's `.aio` holds, which is the plain function."""
    if isinstance(owner, ModuleType) or inspect.ismethod(function):
        return function
    return partial(function, owner)


def sync_face(owner: Any, name: str) -> AnyCallable:
    """Find the sync face of an operation.

    Args:
        owner: An instance, a class or a module.
        name: The sync name.

    Raises:
        NoSuchFace: If `owner` has nothing callable of that name.
    """
    face = getattr(owner, name, None)
    if not callable(face):
        raise NoSuchFace(f"{owner!r} has no operation {name!r}.")
    return cast("AnyCallable", face)


def async_face(owner: Any, name: str) -> AnyCallable:
    """Find the async face of an operation.

    It is `a<name>`, else the `.aio` of the sync name, else the name itself.

    Args:
        owner: An instance, a class or a module.
        name: The sync name. It may be a coroutine function, as operations are that have one face
            only.

    Raises:
        NoSuchFace: If there is no async face.
    """
    twin = getattr(owner, f"a{name}", None)
    if callable(twin):
        return cast("AnyCallable", twin)
    face = sync_face(owner, name)
    aio = getattr(face, "aio", None)
    if callable(aio):
        return aio if _is_task(face) else _bound(owner, cast("AnyCallable", aio))
    if is_coroutine_function(face):
        return face
    raise NoSuchFace(f"{name!r} of {owner!r} has no async face: neither 'a{name}' nor '.aio'.")


def _is_task(function: Any) -> bool:
    return callable(getattr(function, "fn", None))


def is_coroutine_function(function: Any) -> bool:
    """Say whether a function, method, task or flow is async."""
    return inspect.iscoroutinefunction(getattr(function, "fn", function))


def _faces_of_function(function: AnyCallable) -> tuple[AnyCallable, AnyCallable]:
    """Find both faces of a module-level function or task."""
    plain = getattr(function, "fn", function)
    module = sys.modules.get(getattr(plain, "__module__", ""))
    name = getattr(plain, "__name__", "")
    aio = getattr(function, "aio", None)
    twin = getattr(module, f"a{name}", None) if module is not None else None
    for candidate in (aio, twin):
        if callable(candidate):
            return function, cast("AnyCallable", candidate)
    if is_coroutine_function(function):
        return function, function
    raise NoSuchFace(f"{name!r} has no async face: neither '.aio' nor 'a{name}' in its module.")


class Call:
    """Calls operations by one face; the fixture `call` runs a test once for each.

    Three ways to name an operation:

    - `await call(owner, "read_path", "a.txt")`: a method of an instance or class, or a function of
      a module;
    - `await call(read, "a.txt")`: a function or task that knows its twin;
    - `await call((read, aread), "a.txt")`: a pair.

    The sync face runs in a plain thread without an event loop, so it behaves as in a script. The
    async face is awaited on the test's own loop.
    """

    def __init__(self, face: Face) -> None:
        """Choose the face."""
        self.face: Face = face

    def __repr__(self) -> str:
        return f"Call({self.face!r})"

    @property
    def is_async(self) -> bool:
        """Whether this is the async face."""
        return self.face == "async"

    async def __call__(self, target: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call the operation and return its result.

        Raises:
            NoSuchFace: If the operation lacks the face.
            TypeError: If the sync face returns an awaitable or the async face returns none.
        """
        sync, asynchronous, args = _resolve(target, args)
        if self.is_async:
            return await _awaited(asynchronous, args, kwargs)
        return await asyncio.to_thread(_in_plain_thread, sync, args, kwargs)


def _resolve(target: Any, args: tuple[Any, ...]) -> tuple[AnyCallable, AnyCallable, tuple[Any, ...]]:
    if isinstance(target, tuple):
        sync, asynchronous = cast("tuple[AnyCallable, AnyCallable]", target)
        return sync, asynchronous, args
    if _is_task(target) or inspect.isroutine(target):
        return (*_faces_of_function(cast("AnyCallable", target)), args)
    name, *rest = args
    return (
        partial(_late, sync_face, target, name),
        partial(_late, async_face, target, name),
        tuple(rest),
    )


def _late(find: Callable[[Any, str], AnyCallable], owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """Look a face up only when it is called, so that a lack of the other face does not matter."""
    return find(owner, name)(*args, **kwargs)


async def _awaited(face: AnyCallable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = face(*args, **kwargs)
    if not inspect.isawaitable(result):
        raise TypeError(f"The async face {face!r} returned {type(result).__name__}, which cannot be awaited.")
    return await result


def _in_plain_thread(face: AnyCallable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = face(*args, **kwargs)
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError(f"The sync face {face!r} returned a coroutine to a caller without an event loop.")
    return result
