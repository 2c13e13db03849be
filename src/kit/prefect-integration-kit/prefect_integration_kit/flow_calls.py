"""Which call of a flow this is, the same in all attempts of the run that makes it.

When Prefect retries a flow, its run stays the same. When it retries the flow or the task that calls the flow, each
attempt makes a new run of the flow: which of them belong together only the order of the calls can tell.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from contextvars import ContextVar
from typing import NamedTuple
from uuid import UUID

_REMEMBERED = 10_000
_lock = threading.Lock()
_numbers: OrderedDict[tuple[UUID, int, Hashable], dict[UUID, int]] = OrderedDict()

_caller: ContextVar[tuple[UUID, int] | None] = ContextVar("integration_flow_caller", default=None)
"""The task run or flow run that calls a flow, and how often it has been started."""


class FlowCall(NamedTuple):
    """A call of a flow.

    Attributes:
        scope: The run that calls, or the flow run itself where nobody does.
        number: Which of the same calls in that run it is: 1 for the first.
        flow_run_id: The flow run that this attempt is.
        is_retry: Whether Prefect has started the flow run, or the run that calls, before.
    """

    scope: UUID
    number: int
    flow_run_id: UUID
    is_retry: bool


def remember_caller() -> None:
    """Note who calls a flow, before Prefect's engine enters it."""
    from prefect.context import FlowRunContext, TaskRunContext

    task_context, flow_context = TaskRunContext.get(), FlowRunContext.get()
    task_run = None if task_context is None else task_context.task_run
    flow_run = None if flow_context is None else flow_context.flow_run
    # Within a flow that a task calls, that task is still in the context.
    if task_run is not None and (flow_run is None or task_run.flow_run_id == flow_run.id):
        _caller.set((task_run.id, task_run.run_count))
    else:
        _caller.set(None if flow_run is None else (flow_run.id, flow_run.run_count))


def current_call(request: Hashable) -> FlowCall | None:
    """Say which call this is, from within the flow; `None` outside of a flow run.

    Args:
        request: What is asked for. Calls that ask for something else are counted by themselves.
    """
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    own = None if context is None else context.flow_run
    if own is None:
        return None
    scope, attempt = _caller.get() or (own.id, 0)
    with _lock:
        numbers = _numbers.setdefault((scope, attempt, request), {})
        number = numbers.setdefault(own.id, len(numbers) + 1)
        if len(_numbers) > _REMEMBERED:
            _numbers.popitem(last=False)
    return FlowCall(scope, number, own.id, attempt > 1 or own.run_count > 1)


def forget() -> None:
    """Forget what this process has seen, as another one would not know it."""
    with _lock:
        _numbers.clear()
