"""Async flows that sync flows and tasks may call, too: what `dispatch.async_task` is for tasks."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, TypeVar, cast

import prefect

from prefect_integration_kit.awaitables import awaitable
from prefect_integration_kit.coroutines import run_to_end
from prefect_integration_kit.dispatch import is_in_sync_run
from prefect_integration_kit.flow_calls import remember_caller

P = ParamSpec("P")
R = TypeVar("R")


class Flow(prefect.Flow[P, R], Generic[P, R]):
    """An async flow that the body of a sync flow or sync task may call without `await`.

    Outside of a run a call always returns a coroutine, so that `asyncio.run(flow(...))` works; in a sync run that
    works, too, since what a call returns may be awaited once more. `flow_calls` knows who calls.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the flow; `_sync=True` or `_sync=False` overrides the choice of the face."""
        wants_sync: bool | None = kwargs.pop("_sync", None)
        is_sync = is_in_sync_run() if wants_sync is None else wants_sync
        remember_caller()
        if is_sync:
            return awaitable(self._sibling()(*args, **kwargs))
        return super().__call__(*args, **kwargs)

    def _sibling(self) -> prefect.Flow[..., Any]:
        sibling: Any = copy.copy(self)
        sibling.__class__ = prefect.Flow  # a plain flow: its call must not choose again
        fn = cast("Callable[..., Coroutine[Any, Any, Any]]", self.fn)

        @functools.wraps(fn)
        def body(*args: Any, **kwargs: Any) -> Any:
            return run_to_end(fn(*args, **kwargs))

        # Prefect reads the annotations, which are texts, with the globals of the function that it is given.
        body.__signature__ = signature = inspect.signature(fn, eval_str=True)  # pyright: ignore[reportAttributeAccessIssue]
        body.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
        sibling.fn = body
        sibling.isasync = False
        return sibling

    def with_options(self, **options: Any) -> Flow[P, R]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Copy the flow with other options; see `prefect.Flow.with_options`."""
        return _dual(super().with_options(**options))


def _dual(flow: prefect.Flow[Any, Any]) -> Flow[Any, Any]:
    dual: Any = copy.copy(flow)
    dual.__class__ = Flow
    return dual


def async_flow(**options: Any) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Flow[P, Coroutine[Any, Any, R]]]:
    """Make an async flow that sync runs may call, too.

    Args:
        options: Options of `prefect.flow`.
    """

    def decorator(fn: Callable[P, Coroutine[Any, Any, R]]) -> Flow[P, Coroutine[Any, Any, R]]:
        return _dual(prefect.flow(fn, **options))

    return decorator
