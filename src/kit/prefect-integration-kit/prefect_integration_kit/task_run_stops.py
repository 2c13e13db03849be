"""Where the stop of a task run may arrive: in the function of its task, and not in the midst of logging.

Python raises what one thread sends to another, or what a signal asks for, wherever that thread is. Among what tells
Prefect that a task run begins or ends, that would be lost. Where a thread has just taken a lock of `logging`, nobody
would give that back, and every thread of the process that logs would wait for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from functools import wraps
from types import GeneratorType
from typing import TYPE_CHECKING, Any, cast

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
    """Have the function of a task run in a context, each time it is called; what it yields belongs to it.

    Args:
        task: A copy that nobody else uses; its function is replaced.
        entered: Makes the context.
    """
    function: Callable[..., Any] = task.fn

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with entered():
            return run_to_its_end(function(*args, **kwargs))

    @wraps(function)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        with entered():
            return await function(*args, **kwargs)

    task.fn = acall if task.isasync else call


def run_to_its_end(returned: Any) -> Any:
    """Run the generator that a function has returned, which Prefect would do a little later, outside of the function.

    Args:
        returned: What the function has returned; all but generators are left as they are.

    Returns:
        A generator still: of a list that the function returns, Prefect makes another state.
    """
    if not isinstance(returned, GeneratorType):
        return returned
    yielded = list(cast("Generator[Any, Any, Any]", returned))
    return (each for each in yielded)
