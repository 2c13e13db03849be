"""A task runner that runs tasks on Ray.

With the task runner, `submit` and `map` run tasks in other processes or on other machines:

```python
import time

from prefect import flow, task
from prefect_ray import RayTaskRunner


@task
def shout(number: int) -> None:
    time.sleep(0.5)
    print(f"#{number}")


@flow(task_runner=RayTaskRunner)
def count_to(highest_number: int) -> None:
    shout.map(range(highest_number)).wait()


if __name__ == "__main__":
    count_to(10)
```
"""

# Ray is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload
from uuid import uuid4

from prefect.context import FlowRunContext, TaskRunContext
from prefect.futures import PrefectFuture, PrefectFutureList
from prefect.logging.loggers import get_logger
from prefect.task_runners import TaskRunner
from typing_extensions import ParamSpec, Self
from typing_extensions import TypeVar as TypeVarWithDefault

from prefect_integration_kit.task_run_futures import futures_in
from prefect_integration_kit.task_run_losses import Submitted
from prefect_integration_kit.task_run_orders import is_for_worker, one_batch, own_server

from ._connection import attach, detach, on_worker
from ._futures import PrefectRayFuture
from .context import RemoteOptionsContext
from .errors import RayConfigurationError

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import RunInput

    from ._submitting import Submitter

__all__ = ["PrefectRayFuture", "RayTaskRunner", "RemoteOptionsContext"]

logger = get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=PrefectFuture[Any])
R = TypeVar("R")
_Any = TypeVarWithDefault("_Any", default=Any)  # `RayTaskRunner[int]` was a type before, and is one still


class RayTaskRunner(TaskRunner[Any], Generic[_Any]):
    """A task runner that runs tasks on Ray.

    Without arguments it starts Ray on this machine when the flow run starts, and ends it with the last flow run of this
    process. It uses a cluster that runs already if it has its `address`, and the connection that this process has, if
    there is one. What it has not started, it never ends.

    Args:
        address: Address of a cluster that runs already, such as `"ray://host:10001"` or `"auto"`.
        init_kwargs: More keyword arguments of `ray.init`.

    Raises:
        RayConfigurationError: If the arguments contradict each other.

    Examples:
        A temporary Ray on this machine:

        ```python
        from prefect import flow
        from prefect_ray import RayTaskRunner


        @flow(task_runner=RayTaskRunner(init_kwargs={"num_cpus": 4}))
        def my_flow(): ...
        ```

        A cluster that runs already:

        ```python
        RayTaskRunner(address="ray://192.0.2.255:10001")
        ```
    """

    def __init__(self, address: str | None = None, init_kwargs: dict[str, Any] | None = None) -> None:
        other = (init_kwargs or {}).get("address")
        if address and other and other != address:
            raise RayConfigurationError(
                f"`address` is {address!r}, and `init_kwargs['address']` is {other!r}. Give one of them."
            )
        self.address = address
        self.init_kwargs: dict[str, Any] = dict(init_kwargs or {})
        self._submitter: Submitter | None = None
        self._is_attached = False
        super().__init__()

    def __eq__(self, other: object) -> bool:
        """Whether the other one has the same options."""
        return (
            isinstance(other, RayTaskRunner) and self.address == other.address and self.init_kwargs == other.init_kwargs
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the options, for a process that starts the flow; a worker is connected already."""
        if is_for_worker():
            return {"options": {"address": self.address}, "more": {}}
        more = {name: value for name, value in vars(self).items() if name not in _own_attributes()}
        return {"options": {"address": self.address, "init_kwargs": self.init_kwargs}, "more": more}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickle."""
        RayTaskRunner.__init__(self, **state["options"])  # pyright: ignore[reportUnknownMemberType]
        vars(self).update(state["more"])  # of a subclass

    def duplicate(self) -> Self:
        """Make another task runner with the same options."""
        return type(self)(address=self.address, init_kwargs=self.init_kwargs)

    @overload
    def submit(
        self,
        task: Task[P, Coroutine[Any, Any, R]],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectRayFuture[R]: ...

    @overload
    def submit(
        self,
        task: Task[P, R],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectRayFuture[R]: ...

    def submit(
        self,
        task: Task[P, Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectRayFuture[Any]:
        """Submit a task to Ray.

        `remote_options` says what it needs.

        Args:
            task: The task.
            parameters: Its arguments by name. Futures in them, however deep, become their results on the worker.
            wait_for: Futures that must be done before it starts.
            dependencies: Inputs of the task run that are known already.

        Returns:
            The future of the task run.

        Raises:
            RuntimeError: If the task runner has not been started.
            RayArgumentError: If an argument cannot be sent to a worker.
            RayConfigurationError: If Ray refuses a remote option.
        """
        if not self._started or self._submitter is None:
            raise RuntimeError("The task runner must be started before submitting work.")
        waited = None if wait_for is None else list(wait_for)
        options = RemoteOptionsContext.get().current_remote_options
        sent = self._submitter.submit(task, parameters, waited, dependencies, options)
        future: PrefectRayFuture[Any] = PrefectRayFuture(sent.task_run_id, sent.reference)
        future.belongs_to(
            Submitted(task, FlowRunContext.get(), TaskRunContext.get(), dependencies),
            futures_in((parameters, waited), PrefectRayFuture),
            sent.holds,
        )
        self._submitter.watch(future)
        return future

    @overload
    def map(
        self,
        task: Task[P, Coroutine[Any, Any, R]],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
    ) -> PrefectFutureList[PrefectRayFuture[R]]: ...

    @overload
    def map(
        self,
        task: Task[P, R],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
    ) -> PrefectFutureList[PrefectRayFuture[R]]: ...

    def map(
        self,
        task: Task[P, Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
    ) -> PrefectFutureList[PrefectRayFuture[Any]]:
        """Submit a task once for each element of its arguments.

        What the calls have in common, such as an `unmapped` argument, travels to the cluster once.

        Args:
            task: The task.
            parameters: Its arguments by name.
            wait_for: Futures that must be done before the first one starts.

        Returns:
            The futures, in order.
        """
        with one_batch():
            return super().map(task, parameters, wait_for)

    def __enter__(self) -> Self:
        """Start: connect to Ray, or start it. A worker of Ray is connected already."""
        super().__enter__()
        try:
            from ._submitting import Submitter
            from ._worker import current_ledger

            is_worker = on_worker()
            is_local = False
            if not is_worker:
                is_local = attach(self.address, self.init_kwargs, self.logger)
                self._is_attached = True
            ledger = current_ledger() if is_worker else None
            self._submitter = Submitter(ledger or uuid4().hex, self.logger, is_flow_run=not is_worker)
            if is_local:
                self._submitter.serve_api_at(own_server())
        except BaseException:
            self._leave()
            super().__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *exc_info: Any) -> None:
        """Stop: what has not ended is cancelled, and Ray is ended if it was started here.

        Args:
            *exc_info: The error that ended the flow, if there is one.
        """
        try:
            if self._submitter is not None:
                self._submitter.close()
        finally:
            self._leave()
            super().__exit__(*exc_info)

    def _leave(self) -> None:
        self._submitter = None
        if self._is_attached:
            self._is_attached = False
            detach()

    def cancel_all(self) -> None:
        """Cancel all task runs that have not ended."""
        if self._submitter is not None:
            self._submitter.cancel()


@lru_cache(maxsize=1)
def _own_attributes() -> frozenset[str]:
    """Names of what a task runner of this class, and not of a subclass, has."""
    return frozenset(vars(RayTaskRunner[Any]()))
