"""Functions of users that the runner and the orchestrator call as dbt's work goes on.

A hook sees what happens and cannot change it: one that fails is logged with its traceback and ignored, as Prefect does
with hooks on states, and what the run ends with is dbt's word alone. To prevent a run, raise before `invoke`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

if TYPE_CHECKING:
    from prefect_integration_kit.logs import Log

DbtHookEvent = Literal["on_run_start", "on_run_end", "post_model"]
"""When a hook is called: by the name of the decorator."""


class DbtHookNode(Protocol):
    """What a hook can rely on to know of a node."""

    @property
    def unique_id(self) -> str:
        """The unique id, such as `model.shop.customers`."""
        ...

    @property
    def name(self) -> str:
        """The node's name."""
        ...

    @property
    def resource_type(self) -> str:
        """`model`, `seed`, `snapshot`, ..."""
        ...


@dataclass(frozen=True)
class DbtHookContext:
    """What a hook is told.

    Attributes:
        event: `on_run_start`, `on_run_end` or `post_model`.
        command: dbt's command, such as `build` or `source freshness`.
        owner: The runner or orchestrator that the hook belongs to.
        args: The arguments of the invocation.
        node: For `post_model`, the model.
        status: dbt's status of the model, such as `success` or `error`; at the end of a run `success` or `error`.
        result: For `post_model`, the model's entry in the form of `run_results.json`: `unique_id`, `status`, `message`,
            `execution_time` in seconds, `failures`, `adapter_response`, ...
        run_results: At the end of a run, the results of all nodes, in the form of `run_results.json`: under `results` a
            list with one entry for each node.
        error: The message of a model that failed; at the end of a run the exception that ends it.
        node_ids: At the end of a run, the unique ids of the nodes that dbt reported on, or those of them that `select`
            matches.
    """

    event: DbtHookEvent
    command: str
    owner: Any
    args: tuple[str, ...] = field(default_factory=tuple)
    node: DbtHookNode | None = None
    status: str | None = None
    result: dict[str, Any] | None = None
    run_results: dict[str, Any] | None = None
    error: Any = None
    node_ids: tuple[str, ...] = field(default_factory=tuple)

    @property
    def node_id(self) -> str | None:
        """The unique id of the model; `None` for hooks on the run."""
        return None if self.node is None else self.node.unique_id


DbtHookCallable = Callable[[DbtHookContext], Any]
"""A hook: a function, or a coroutine function, of the context. What it returns is ignored."""

DbtHookDecorator = Callable[[DbtHookCallable], DbtHookCallable]

SelectorResolver = Callable[[str], Collection[str]]
"""Gives the unique ids that a selector of dbt matches."""


@dataclass(frozen=True)
class _Hook:
    event: DbtHookEvent
    fn: DbtHookCallable
    select: str | None


class Hooks:
    """The hooks of one runner or orchestrator, in the order of their registration."""

    def __init__(self) -> None:
        """Begin with none."""
        self._all: list[_Hook] = []

    def add(self, event: DbtHookEvent, fn: DbtHookCallable, select: str | None) -> None:
        """Register a hook.

        Args:
            event: When to call it.
            fn: The function.
            select: A selector of dbt, which limits what it is called for.
        """
        if not callable(fn):
            raise TypeError(f"{event} takes a function of the hook's context, not {fn!r}.")
        self._all.append(_Hook(event, fn, select))

    def has(self, event: DbtHookEvent) -> bool:
        """Say whether there is a hook on an event."""
        return any(hook.event == event for hook in self._all)

    @property
    def selectors(self) -> list[str]:
        """The selectors of all hooks, each once, for those who resolve them in advance."""
        return list(dict.fromkeys(hook.select for hook in self._all if hook.select is not None))

    def call(
        self,
        context: DbtHookContext,
        *,
        resolve: SelectorResolver | None = None,
        logger: Log | None = None,
    ) -> None:
        """Call the hooks on an event. Nothing is raised but what ends the run.

        Args:
            context: What they are told.
            resolve: Gives the nodes that a selector matches. A hook whose selector cannot be resolved is not called.
            logger: Is told of hooks that fail.
        """
        logger = logger or logging.getLogger(__name__)
        for hook in self._all:
            if hook.event != context.event:
                continue
            name = getattr(hook.fn, "__name__", repr(hook.fn))
            try:
                narrowed = _narrowed(context, hook.select, resolve)
                if narrowed is not None:
                    _call(hook.fn, narrowed)
            except Exception:
                logger.exception("The hook %r on %s failed; dbt's run goes on as if it had not.", name, context.event)


class DbtHookMixin:
    """Registers hooks, by decorators with or without parentheses.

    Example:
        ```python
        from prefect_dbt import PrefectDbtRunner

        runner = PrefectDbtRunner()


        @runner.post_model(select="tag:nightly")
        def tell(context):
            print(context.node_id, context.status)


        @runner.on_run_end
        def sum_up(context):
            print(context.command, context.status, len(context.node_ids))
        ```
    """

    @overload
    def on_run_start(self, fn: DbtHookCallable) -> DbtHookCallable: ...
    @overload
    def on_run_start(self, fn: None = None) -> DbtHookDecorator: ...
    def on_run_start(self, fn: DbtHookCallable | None = None) -> DbtHookCallable | DbtHookDecorator:
        """Call a function before dbt starts.

        Args:
            fn: The function, when used without parentheses.

        Returns:
            The function, unchanged, or the decorator.
        """
        return self._register("on_run_start", fn, None)

    @overload
    def on_run_end(self, fn: DbtHookCallable, *, select: str | None = None) -> DbtHookCallable: ...
    @overload
    def on_run_end(self, fn: None = None, *, select: str | None = None) -> DbtHookDecorator: ...
    def on_run_end(
        self, fn: DbtHookCallable | None = None, *, select: str | None = None
    ) -> DbtHookCallable | DbtHookDecorator:
        """Call a function when dbt has ended, whether or not it failed, and before its failure is raised.

        Args:
            fn: The function, when used without parentheses.
            select: A selector of dbt. The function is called only if the run reported on a node that it matches, and
                `node_ids` are those nodes.

        Returns:
            The function, unchanged, or the decorator.
        """
        return self._register("on_run_end", fn, select)

    @overload
    def post_model(self, fn: DbtHookCallable, *, select: str | None = None) -> DbtHookCallable: ...
    @overload
    def post_model(self, fn: None = None, *, select: str | None = None) -> DbtHookDecorator: ...
    def post_model(
        self, fn: DbtHookCallable | None = None, *, select: str | None = None
    ) -> DbtHookCallable | DbtHookDecorator:
        """Call a function after each model that ran, successful or not; skipped models are none that ran.

        dbt goes on meanwhile. Hooks are called one after another; the run ends when all of them have.

        Args:
            fn: The function, when used without parentheses.
            select: A selector of dbt, such as `tag:nightly` or `staging+`; every model when not given.

        Returns:
            The function, unchanged, or the decorator.
        """
        return self._register("post_model", fn, select)

    def _register(
        self, event: DbtHookEvent, fn: DbtHookCallable | None, select: str | None
    ) -> DbtHookCallable | DbtHookDecorator:
        if select is not None and not select.strip():
            raise ValueError(f"select of {event} is {select!r}; give a selector of dbt, such as 'tag:nightly'.")

        def decorate(hook: DbtHookCallable) -> DbtHookCallable:
            self._hooks.add(event, hook, select)
            return hook

        return decorate if fn is None else decorate(fn)

    @property
    def _hooks(self) -> Hooks:
        # Not made in an `__init__`: subclasses need not call one.
        return self.__dict__.setdefault("_registered_hooks", Hooks())


def _narrowed(context: DbtHookContext, select: str | None, resolve: SelectorResolver | None) -> DbtHookContext | None:
    """The context as a hook with this selector is told; `None` if nothing that the selector matches took part."""
    if select is None:
        return context
    if resolve is None:
        raise ValueError(f"The selector {select!r} cannot be resolved here.")
    matching = resolve(select)
    if context.node is not None:
        return context if context.node.unique_id in matching else None
    kept = tuple(node_id for node_id in context.node_ids if node_id in matching)
    return replace(context, node_ids=kept) if kept else None


def _call(fn: DbtHookCallable, context: DbtHookContext) -> None:
    returned = fn(context)
    if inspect.isawaitable(returned):
        from prefect.utilities.asyncutils import run_coro_as_sync

        async def wait() -> None:
            await returned

        run_coro_as_sync(wait())


def run_results(results: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Put results of nodes into the form of `run_results.json`.

    Args:
        results: One entry for each node.
        **more: Further keys, such as `elapsed_time` in seconds.
    """
    return {"results": list(results), **more}
