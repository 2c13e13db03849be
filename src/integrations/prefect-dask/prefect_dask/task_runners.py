"""A task runner that submits tasks to a Dask scheduler.

With the task runner, `submit` and `map` run tasks on a cluster, in other processes or on other machines:

```python
import time

from prefect import flow, task
from prefect_dask import DaskTaskRunner


@task
def shout(number: int) -> None:
    time.sleep(0.5)
    print(f"#{number}")


@flow(task_runner=DaskTaskRunner())
def count_to(highest_number: int) -> None:
    shout.map(range(highest_number)).wait()


if __name__ == "__main__":
    count_to(10)
```
"""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import ExitStack
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, overload
from weakref import WeakSet

from prefect.context import FlowRunContext, TaskRunContext
from prefect.futures import PrefectFuture, PrefectFutureList
from prefect.logging.loggers import get_logger
from prefect.task_runners import TaskRunner
from typing_extensions import ParamSpec, Self

from prefect_integration_kit.extras import is_installed
from prefect_integration_kit.task_run_futures import futures_in
from prefect_integration_kit.task_run_losses import Submitted, started
from prefect_integration_kit.task_run_orders import is_for_worker, one_batch, own_server

from ._clusters import close_cluster, connect, described, import_cluster_class, start_cluster, tell_of_workers
from ._deaths import Deaths, tell_api
from ._futures import PrefectDaskFuture, PrefectDaskFutureList
from ._slots import current_worker, slot_released
from ._startup_log import StartupLog
from .errors import DaskConfigurationError, DaskTaskRunLost

if TYPE_CHECKING:
    from uuid import UUID

    from distributed.deploy.cluster import Cluster
    from prefect import Task
    from prefect.client.schemas.objects import RunInput

    from ._gathering import Series
    from .client import PrefectDaskClient as PrefectDaskClient

__all__ = ["DaskTaskRunner", "PrefectDaskClient", "PrefectDaskFuture"]

logger = get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=PrefectFuture[Any])
R = TypeVar("R")

_series: ContextVar[Series | None] = ContextVar("series", default=None)


def __getattr__(name: str) -> Any:
    if name == "PrefectDaskClient":  # loads Dask
        from .client import PrefectDaskClient

        return PrefectDaskClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class DaskTaskRunner(TaskRunner[Any]):
    """A task runner that submits tasks to a `dask.distributed` scheduler.

    Without arguments it starts a `distributed.LocalCluster` when the flow run starts, and closes it at the end. It uses
    another cluster class if told so, or a cluster that runs already, which it never closes.

    A cluster of processes imports the script again: call the flow under `if __name__ == "__main__":`.

    Args:
        cluster: A cluster that runs already.
        address: Address of a scheduler that runs already.
        cluster_class: The class of the temporary cluster, its full name, or a function that makes a cluster.
        cluster_kwargs: Keyword arguments of `cluster_class`.
        adapt_kwargs: Keyword arguments of the cluster's `adapt`; without them it does not scale. Not with `address`.
        client_kwargs: Keyword arguments of `distributed.Client`. Unless `set_as_default` is among them, the client is
            not the one that Dask takes for all of the process.
        performance_report_path: File for Dask's performance report; without it there is none.

    Raises:
        DaskConfigurationError: If the arguments contradict each other.

    Examples:
        A temporary cluster on this machine:

        ```python
        from prefect import flow
        from prefect_dask import DaskTaskRunner


        @flow(task_runner=DaskTaskRunner(cluster_kwargs={"n_workers": 4, "threads_per_worker": 2}))
        def my_flow(): ...
        ```

        A temporary cluster elsewhere:

        ```python
        DaskTaskRunner(
            cluster_class="dask_cloudprovider.aws.FargateCluster",
            cluster_kwargs={"image": "prefecthq/prefect:latest", "n_workers": 5},
        )
        ```

        A cluster that runs already:

        ```python
        DaskTaskRunner(address="tcp://192.0.2.255:8786")
        ```
    """

    def __init__(
        self,
        cluster: Cluster | None = None,
        address: str | None = None,
        cluster_class: str | Callable[[], Cluster] | None = None,
        cluster_kwargs: dict[str, Any] | None = None,
        adapt_kwargs: dict[str, Any] | None = None,
        client_kwargs: dict[str, Any] | None = None,
        performance_report_path: str | None = None,
    ) -> None:
        _check_options(cluster, address, cluster_class, cluster_kwargs, adapt_kwargs, client_kwargs)
        self.address = address
        self.cluster_class = cluster_class
        self.resolved_cluster_class: Callable[..., Any] | None = None
        if isinstance(cluster_class, str):
            self.resolved_cluster_class = import_cluster_class(cluster_class)
        elif cluster_class is not None:
            self.resolved_cluster_class = cluster_class
        self.cluster_kwargs: dict[str, Any] = dict(cluster_kwargs or {})
        self.adapt_kwargs: dict[str, Any] = dict(adapt_kwargs or {})
        self.client_kwargs: dict[str, Any] = {"set_as_default": False, **(client_kwargs or {})}
        self.performance_report_path = performance_report_path
        self._given_cluster = cluster
        self._reset()
        super().__init__()

    def _reset(self) -> None:
        self._cluster: Any = self._given_cluster
        self._client: PrefectDaskClient | None = None
        self._deaths: Deaths | None = None
        self._owns_cluster = False
        self._stack = ExitStack()
        self._submitted: WeakSet[PrefectDaskFuture[Any]] = WeakSet()
        self._startup = StartupLog()
        self._client_lock = threading.RLock()

    def __eq__(self, other: object) -> bool:
        """Whether the other one has the same options."""
        return isinstance(other, DaskTaskRunner) and self._options() == other._options()

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def _options(self) -> dict[str, Any]:
        return {
            "cluster": self._given_cluster,
            "address": self.address,
            "cluster_class": self.cluster_class,
            "cluster_kwargs": self.cluster_kwargs,
            "adapt_kwargs": self.adapt_kwargs,
            "client_kwargs": self.client_kwargs,
            "performance_report_path": self.performance_report_path,
        }

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the options, for a process that starts the flow; for a worker, what it needs to find the cluster.

        A cluster that runs already becomes its address.
        """
        cluster = self._cluster if self._cluster is not None else self._given_cluster
        address = self.address or getattr(cluster, "scheduler_address", None)
        if is_for_worker():
            return {"options": {"address": address, "client_kwargs": _picklable(self.client_kwargs)}, "more": {}}
        options = {**self._options(), "cluster": None, "address": address}
        if address:
            options.update(cluster_class=None, cluster_kwargs=None, adapt_kwargs=None)
        more = {name: value for name, value in vars(self).items() if name not in _own_attributes()}
        return {"options": options, "more": more}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickle."""
        DaskTaskRunner.__init__(self, **state["options"])
        vars(self).update(state["more"])  # of a subclass

    def duplicate(self) -> Self:
        """Make another task runner with the same options."""
        return type(self)(**self._options())

    @property
    def client(self) -> PrefectDaskClient:
        """The Dask client, connected when first asked for; where no cluster is given, that starts one.

        On a worker it is a client of the cluster that the worker belongs to. The end of the task runner closes it.

        Raises:
            DaskClusterUnavailable: If the cluster does not start or does not answer.
        """
        with self._client_lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> PrefectDaskClient:
        worker = current_worker()
        if worker is not None:
            options = {"security": worker.security, **self.client_kwargs, "set_as_default": False}
            with slot_released():
                client = connect(worker.scheduler.address, options)
            self._stack.callback(client.close)
            return client
        target: Any = self.address if self.address else self._cluster
        if target is None:
            target = self._start_cluster()
        elif self.address:
            self._startup.info("Connecting to an existing Dask cluster at %s", self.address)
        else:
            self._startup.info("Connecting to the Dask cluster %s", described(target))
            if self.adapt_kwargs:
                target.adapt(**self.adapt_kwargs)
        client = connect(target, self.client_kwargs)
        self._stack.callback(_close_client, client)
        if not self._owns_cluster:
            tell_of_workers(client, self._startup)
        if "dashboard" in (client.scheduler_info().get("services") or {}):
            self._startup.info("The Dask dashboard is available at %s", client.dashboard_link)
        self._deaths = Deaths(client)
        self._stack.callback(self._deaths.listen_no_more)
        if self._owns_cluster and (url := own_server()) is not None:
            client.serve_api_at(url)
        return client

    def _start_cluster(self) -> Any:
        cluster_class = self.resolved_cluster_class
        if cluster_class is None:
            from distributed import LocalCluster

            cluster_class = self.resolved_cluster_class = LocalCluster
        name = f"{cluster_class.__module__}.{getattr(cluster_class, '__qualname__', type(cluster_class).__name__)}"
        self._startup.info("Creating a new Dask cluster with `%s`", name)
        self._cluster, closing = start_cluster(cluster_class, name, self.cluster_kwargs)
        self._owns_cluster = True
        self._stack.callback(self._close_cluster, closing)
        if self.adapt_kwargs:
            self._cluster.adapt(**self.adapt_kwargs)
        return self._cluster

    def _close_cluster(self, closing: Callable[[], object]) -> None:
        from .settings import DaskSettings

        close_cluster(self._cluster, closing, DaskSettings().close_timeout_seconds, self.logger)

    @overload
    def submit(
        self,
        task: Task[P, Coroutine[Any, Any, R]],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectDaskFuture[R]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectDaskFuture[R]: ...

    @overload
    def submit(
        self,
        task: Task[Any, R],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectDaskFuture[R]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectDaskFuture[R]: ...

    def submit(
        self,
        task: Task[P, Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectDaskFuture[Any]] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectDaskFuture[Any]:
        """Submit a task to the Dask scheduler.

        `dask.annotate` says with which priority, resources, workers and retries.

        Args:
            task: The task.
            parameters: Its arguments by name. Futures in them, however deep, become their results on the worker.
            wait_for: Futures that must be done before it starts.
            dependencies: Inputs of the task run that are known already.

        Returns:
            The future of the task run.

        Raises:
            RuntimeError: If the task runner has not been started.
            DaskArgumentError: If an argument cannot be sent to a worker.
        """
        if not self._started:
            raise RuntimeError("The task runner must be started before submitting work.")
        client = self.client
        self._startup.tell_flow_run()
        waited = None if wait_for is None else list(wait_for)
        wrapped = client.submit(
            task, parameters=parameters, wait_for=waited, dependencies=dependencies, return_type="state"
        )
        future: PrefectDaskFuture[Any] = PrefectDaskFuture(wrapped.task_run_id, wrapped)
        future.belongs_to(
            Submitted(task, FlowRunContext.get(), TaskRunContext.get(), dependencies),
            _series.get(),
            futures_in((parameters, waited), PrefectDaskFuture),
        )
        self._submitted.add(future)
        return future

    @overload
    def map(
        self,
        task: Task[P, Coroutine[Any, Any, R]],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
    ) -> PrefectFutureList[PrefectDaskFuture[R]]: ...

    @overload
    def map(
        self,
        task: Task[P, R],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
    ) -> PrefectFutureList[PrefectDaskFuture[R]]: ...

    def map(
        self,
        task: Task[P, Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
    ) -> PrefectFutureList[PrefectDaskFuture[Any]]:
        """Submit a task once for each element of its arguments.

        What the calls have in common, such as an `unmapped` argument, travels to the cluster once.

        Args:
            task: The task.
            parameters: Its arguments by name.
            wait_for: Futures that must be done before the first one starts.

        Returns:
            The futures, in order.
        """
        from ._gathering import Series

        token = _series.set(Series())
        try:
            with one_batch():
                futures = super().map(task, parameters, wait_for)
                return PrefectDaskFutureList(futures)  # pyright: ignore[reportAbstractUsage] - as Prefect's own
        finally:
            _series.reset(token)

    def __enter__(self) -> Self:
        """Start: connect, and start the cluster where none is given. On a worker that happens when it is needed."""
        super().__enter__()
        if self._client is None:  # else somebody has asked for it before
            self._reset()
        if current_worker() is not None:
            return self
        try:
            self._check_report()
            client = self.client
            if self.performance_report_path:
                self._stack.enter_context(_reported(client, self.performance_report_path, self.logger))
        except BaseException:
            self._stack.close()
            self._client = None
            super().__exit__(None, None, None)
            raise
        return self

    def _check_report(self) -> None:
        if self.performance_report_path and not is_installed("bokeh"):
            raise DaskConfigurationError(
                "`performance_report_path` is set, and Dask draws its report with Bokeh. Install it: pip install bokeh"
            )

    def __exit__(self, *args: Any) -> None:
        """Stop: what has not ended is cancelled, and a cluster that was started here is closed.

        Args:
            *args: The error that ended the flow, if there is one.
        """
        self._startup.tell_flow_run(is_last=True)
        lost: list[PrefectDaskFuture[Any]] = []
        ran: set[UUID] = set()
        try:
            if self._client is not None and current_worker() is None:
                lost, ran = self._end_task_runs(self._client)
        finally:
            try:
                with contextlib.suppress(Exception) if args and args[0] else contextlib.nullcontext():
                    self._stack.close()
            finally:
                self._report(lost, ran)
                self._client = None
                self._cluster = self._given_cluster
                self._owns_cluster = False
                super().__exit__(*args)

    def cancel_all(self) -> None:
        """Cancel all task runs that have not ended."""
        if self._client is not None:
            self._report(*self._end_task_runs(self._client))

    def _end_task_runs(self, client: PrefectDaskClient) -> tuple[list[PrefectDaskFuture[Any]], set[UUID]]:
        """Cancel what has not ended, and have the workers send what they have logged.

        Returns:
            What was cancelled, and which of it ran.
        """
        unfinished = [f for f in list(self._submitted) if not f.is_settled and f.wrapped_future.status == "pending"]
        ran: set[UUID] = set()
        if client.status != "running":
            return unfinished, ran
        with contextlib.suppress(Exception):  # the scheduler may be gone
            if unfinished:
                self.logger.warning("%d task runs had not ended with the flow; they are cancelled.", len(unfinished))
                client.cancel([future.wrapped_future for future in unfinished], force=True)
                ran = client.stop_task_runs([future.task_run_id for future in unfinished])
            client.flush_workers()
            if self._deaths is not None and self._deaths.any:
                tell_api(client.ended_task_runs())
            client.forget_ledger()
        return unfinished, ran

    def _report(self, lost: list[PrefectDaskFuture[Any]], ran: set[UUID]) -> None:
        """Settle what was cancelled: a task run that had begun ends as crashed in the API, too."""
        if not lost:
            return
        # The API hears of a start a little later than it happens.
        begun = ran | started(future.task_run_id for future in lost)
        for future in lost:
            error = DaskTaskRunLost("The flow run ended before this task run did.")
            future.lose(error, is_reported=future.task_run_id in begun)


def _check_options(
    cluster: Any, address: Any, cluster_class: Any, cluster_kwargs: Any, adapt_kwargs: Any, client_kwargs: Any
) -> None:
    given = {
        "cluster": cluster,
        "address": address,
        "cluster_class": cluster_class,
        "cluster_kwargs": cluster_kwargs,
        "adapt_kwargs": adapt_kwargs,
    }
    existing = next((name for name in ("address", "cluster") if given[name]), None)
    if existing is not None:
        possible = (existing, "adapt_kwargs") if existing == "cluster" else (existing,)
        others = [name for name, value in given.items() if value and name not in possible]
        if others:
            raise DaskConfigurationError(
                f"Cannot specify `{existing}` together with {', '.join(f'`{name}`' for name in others)}: `{existing}` "
                "is of a cluster that runs already, the others are for one to be started."
            )
    if getattr(cluster, "asynchronous", False) is True:  # what stands in for a cluster may have anything there
        raise DaskConfigurationError("`cluster` is asynchronous. Make it without `asynchronous=True`.")
    for name, options in (("cluster_kwargs", cluster_kwargs), ("client_kwargs", client_kwargs)):
        if options and options.get("asynchronous"):
            raise DaskConfigurationError(f"`{name}` cannot set `asynchronous`, which the task runner decides.")
    if cluster_class is not None and not isinstance(cluster_class, str) and not callable(cluster_class):
        raise DaskConfigurationError("`cluster_class` must be a class, its full name, or a function.")


@lru_cache(maxsize=1)
def _own_attributes() -> frozenset[str]:
    """Names of what a task runner of this class, and not of a subclass, has."""
    return frozenset(vars(DaskTaskRunner()))


def _picklable(options: dict[str, Any]) -> dict[str, Any]:
    """Client options that another process can have; it has its own security from the worker."""
    return {name: value for name, value in options.items() if isinstance(value, str | int | float | bool | None)}


def _close_client(client: PrefectDaskClient) -> None:
    with contextlib.suppress(Exception):  # its scheduler may be gone
        client.close(timeout=5)


@contextlib.contextmanager
def _reported(client: Any, path: str, log: logging.Logger) -> Generator[None, None, None]:
    """Write Dask's report at the end; that it cannot be written is no reason for the flow to fail."""
    from distributed import performance_report

    report: Any = performance_report(filename=path)
    with client.as_current():
        report.__enter__()
    yield
    try:
        with client.as_current():
            report.__exit__(None, None, None)
    except Exception as exc:  # noqa: BLE001 - whatever drawing or writing it raises
        log.warning("Dask's performance report could not be written to %s: %s", path, exc)
