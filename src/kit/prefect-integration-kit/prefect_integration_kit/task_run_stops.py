"""Where the stop of a task run may arrive: in the function of its task, and not in the midst of logging.

Python raises what one thread sends to another, or what a signal asks for, wherever that thread is. Among what tells
Prefect that a task run begins or ends, that would be lost. Where a thread has just taken a lock of `logging`, nobody
would give that back, and every thread of the process that logs would wait for ever.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from prefect import Task


def is_logging(frame: FrameType | None) -> bool:
    """Say whether a thread is in the midst of logging.

    Args:
        frame: What it executes.
    """
    while frame is not None:
        if frame.f_globals.get("__name__") == logging.__name__:
            return True
        frame = frame.f_back
    return False


def around_function(task: Task[..., Any], entered: Callable[[], AbstractContextManager[object]]) -> None:
    """Have the function of a task run in a context, each time it is called; one that is a generator is left as it is.

    Args:
        task: A copy that nobody else uses; its function is replaced.
        entered: Makes the context.
    """
    function: Callable[..., Any] = task.fn
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with entered():
            return function(*args, **kwargs)

    @wraps(function)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        with entered():
            return await function(*args, **kwargs)

    task.fn = acall if task.isasync else call
