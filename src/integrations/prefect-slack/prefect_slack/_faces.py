"""The two tasks that earlier releases published as coroutines: sync flows may call them plainly now.

In a sync flow their guide writes `asyncio.run(send_chat_message(...))`. That must go on working, so the result of a
plain call there can be awaited once more.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from prefect.client.schemas.objects import State

from prefect_integration_kit import dispatch
from prefect_integration_kit.awaitables import AwaitableNone, awaitable

P = ParamSpec("P")
R = TypeVar("R")


class Task(dispatch.Task[P, R]):
    """A task whose plain call in a sync run returns something that may be awaited."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = super().__call__(*args, **kwargs)
        if isinstance(result, Coroutine | State):
            return cast("Any", result)
        return AwaitableNone() if result is None else awaitable(result)

    def with_options(self, **options: Any) -> Task[P, R]:
        return _published(super().with_options(**options))


def _published(task: dispatch.Task[P, R]) -> Task[P, R]:
    changed: Any = task
    changed.__class__ = Task
    return changed


def published_task(
    sync_impl: Callable[..., Any],
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Task[P, Coroutine[Any, Any, R]]]:
    """Make an async task, as published, that a sync flow may call plainly, too.

    Args:
        sync_impl: The body for sync runs.
    """

    def decorator(async_impl: Callable[P, Coroutine[Any, Any, R]]) -> Task[P, Coroutine[Any, Any, R]]:
        return _published(dispatch.async_task(sync_impl)(async_impl))

    return decorator
