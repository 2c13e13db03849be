"""Results of sync calls that programs written for coroutines may hand to `await` or `asyncio.run` all the same."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect_integration_kit.awaitables import AwaitableBytes, AwaitableStr, awaitable

P = ParamSpec("P")
R = TypeVar("R")


def awaited(call: Callable[P, R]) -> Callable[P, R]:
    """Let what a function returns be given to `await` and `asyncio.run` as well.

    Args:
        call: Returns text, bytes or a dictionary.
    """

    @functools.wraps(call)
    def result_of(*args: P.args, **kwargs: P.kwargs) -> Any:
        result = call(*args, **kwargs)
        if isinstance(result, str):
            return AwaitableStr(result)
        return AwaitableBytes(result) if isinstance(result, bytes) else awaitable(result)

    return result_of
