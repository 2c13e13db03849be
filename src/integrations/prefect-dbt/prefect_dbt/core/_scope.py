"""On whose behalf dbt is invoked: a flow run, a task run, or nobody."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from prefect.context import FlowRunContext, TagsContext, TaskRunContext
from prefect.exceptions import MissingContextError
from prefect.logging.loggers import get_logger, get_run_logger
from typing_extensions import ParamSpec

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun

    from prefect_integration_kit.logs import Log

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class RunScope:
    """The run that invokes dbt, for threads that work for it.

    Attributes:
        context: The context variables of the caller; threads do their work in copies.
        logger: The logger of the run; one of Prefect's own outside of a run.
        flow_run_id: The flow run; `None` outside of one.
        flow_run_name: Its name, for log lines.
        flow_name: Name of the flow.
        flow_run_count: How many times the flow run has been started.
        task_run_id: The task run; `None` if the flow itself invokes dbt, or nobody does.
        task_run_count: How many times the task run has been started.
        tags: Tags that task runs get here.
    """

    context: Context
    logger: Log
    flow_run_id: UUID | None = None
    flow_run_name: str = "<unknown>"
    flow_name: str = "<unknown>"
    flow_run_count: int = 0
    task_run_id: UUID | None = None
    task_run_count: int = 0
    tags: tuple[str, ...] = ()

    @classmethod
    def current(cls) -> RunScope:
        """Read the scope from the context that calls."""
        try:
            logger: Log = get_run_logger()
        except MissingContextError:
            logger = get_logger("dbt")
        flow_context, task_context = FlowRunContext.get(), TaskRunContext.get()
        flow_run = flow_context.flow_run if flow_context else None
        task_run = task_context.task_run if task_context else None
        flow = flow_context.flow if flow_context else None
        flow_run_id = flow_run.id if flow_run else (task_run.flow_run_id if task_run else None)
        if task_run and task_run.flow_run_id != flow_run_id:
            task_run = None  # a subflow of that task invokes dbt
        context = copy_context()
        if flow_context is None:
            # Prefect's events worker lays a context over that of the flow which first started the worker, so one that
            # says nothing would be taken for that flow's.
            context.run(cast("Any", FlowRunContext.__var__).set, None)
        return cls(
            context=context,
            logger=logger,
            flow_run_id=flow_run_id,
            flow_run_name=flow_run.name if flow_run else "<unknown>",
            flow_name=flow.name if flow else "<unknown>",
            flow_run_count=flow_run.run_count if flow_run else 0,
            task_run_id=task_run.id if task_run else None,
            task_run_count=task_run.run_count if task_run else 0,
            tags=tuple(sorted(TagsContext.get().current_tags)),
        )

    @property
    def is_run(self) -> bool:
        """Whether a flow run or a task run invokes dbt."""
        return self.flow_run_id is not None or self.task_run_id is not None

    @property
    def attempt(self) -> int:
        """Which attempt this is of the innermost run that has been retried; 1 for the first."""
        return max(self.flow_run_count, self.task_run_count, 1)

    def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function as the run, from any thread."""
        return self.context.copy().run(fn, *args, **kwargs)

    def context_of(self, task_run: TaskRun) -> Context:
        """Make a context in which a task run is the current one, to emit events and write logs as an engine would."""
        context = self.context.copy()
        # Not validated: the engine's own context holds a client and a result store, which nothing here needs.
        context.run(TaskRunContext.__var__.set, TaskRunContext.model_construct(task_run=task_run))
        return context
