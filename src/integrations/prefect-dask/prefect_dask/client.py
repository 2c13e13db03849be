"""A Dask client that can submit Prefect tasks."""

# Dask and cloudpickle are annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import cloudpickle
import dask.config
from dask.base import annotate
from dask.utils import parse_timedelta
from distributed import Client, Future
from prefect import Task
from prefect.utilities.callables import get_call_parameters

from prefect_integration_kit.task_run_orders import all_inputs, for_worker, one_batch

from . import _worker
from ._ledger import ROOT, Ended
from ._orders import make_packer
from ._parcels import Parcels

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from prefect_integration_kit.task_run_orders import Packer

__all__ = ["PrefectDaskClient"]


class _Unset(int):
    """A priority of 0 that nobody has asked for, so that one who asks for 0 gets it."""


_NOT_GIVEN = _Unset(0)


class PrefectDaskClient(Client):
    """A client of `dask.distributed` whose `submit` and `map` take Prefect tasks, too, and run them as task runs.

    It takes the arguments of `distributed.Client`.

    Example:
        ```python
        from distributed import LocalCluster
        from prefect import task
        from prefect_dask import PrefectDaskClient


        @task
        def double(number: int) -> int:
            return 2 * number


        if __name__ == "__main__":
            with LocalCluster(n_workers=2) as cluster, PrefectDaskClient(cluster) as client:
                print(client.gather(client.map(double, range(10))))
        ```
    """

    _packer: Packer
    _parcels: Parcels

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Connect.

        Args:
            *args: As of `distributed.Client`.
            **kwargs: As of `distributed.Client`.
        """
        self._packer = make_packer(uuid4().hex)
        self._parcels = Parcels(super().submit)
        try:
            super().__init__(*args, **kwargs)
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Stop what a constructor that failed has started.

        Else a thread goes on, and the client is closed by whatever collects it as garbage. That may be the start of
        another client, which holds the lock that closing waits for.
        """
        runner = getattr(self, "_loop_runner", None)
        if runner is None or self.asynchronous:
            return
        with suppress(Exception):
            self.close()
        runner.stop()

    async def _ensure_connected(self, timeout: Any = None) -> None:
        """Connect; a scheduler that takes the connection and then says nothing is given up, too, unlike by Dask."""
        limit = parse_timedelta(timeout or dask.config.get("distributed.comm.timeouts.connect"), default="seconds")
        try:
            await asyncio.wait_for(super()._ensure_connected(timeout=timeout), 2 * limit)
        except asyncio.TimeoutError as exc:
            raise OSError("It took the connection and said nothing") from exc

    def submit(
        self,
        func: Any,
        *args: Any,
        key: Any = None,
        workers: Any = None,
        resources: Any = None,
        retries: Any = None,
        priority: Any = _NOT_GIVEN,
        fifo_timeout: Any = "100 ms",
        allow_other_workers: bool = False,
        actor: bool = False,
        actors: bool = False,
        pure: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Submit a function or a Prefect task.

        Args:
            func: The function or task. A task becomes a task run, whose ID the future has as `task_run_id`.
            *args: Its positional arguments.
            key: Name of the work on the cluster; it must be unique.
            workers: Addresses or host names of workers that may do it.
            resources: What it needs of a worker's resources, such as `{"GPU": 1}`.
            retries: How often Dask may try again when it fails. A task run that fails has ended for Dask: its retries
                are those of the task.
            priority: Higher comes first. A given value, 0 too, goes before one of `dask.annotate`.
            fifo_timeout: Time between calls that count as made together.
            allow_other_workers: Whether others than `workers` may do it, too.
            actor: Whether it stays on the worker as a stateful actor; not for tasks.
            actors: The same as `actor`.
            pure: Whether equal calls may share a result; not for tasks, since each call is a task run.
            **kwargs: Its keyword arguments. For a task also `parameters` (all arguments by name, in their place),
                `wait_for`, `dependencies`, and `return_type` (`"result"`, or `"state"` for its final state).

        Returns:
            The future.

        Raises:
            DaskArgumentError: If an argument of a task cannot be sent to a worker.
        """
        options: dict[str, Any] = {
            "workers": workers,
            "resources": resources,
            "retries": retries,
            "fifo_timeout": fifo_timeout,
            "allow_other_workers": allow_other_workers,
        }
        given = priority is not _NOT_GIVEN
        options["priority"] = int(priority) if priority is _NOT_GIVEN else priority
        # Dask leaves a priority of 0 out, and one from `dask.annotate` takes its place.
        with annotate(priority=priority) if given and not priority else nullcontext():
            if isinstance(func, Task):
                return self._submit_task(func, args, kwargs, key, options)
            return super().submit(func, *args, key=key, actor=actor, actors=actors, pure=pure, **options, **kwargs)

    def map(
        self,
        func: Any,
        *iterables: Collection[Any],
        key: Any = None,
        workers: Any = None,
        retries: Any = None,
        resources: Any = None,
        priority: Any = _NOT_GIVEN,
        allow_other_workers: bool = False,
        fifo_timeout: Any = "100 ms",
        actor: bool = False,
        actors: bool = False,
        pure: bool = True,
        batch_size: Any = None,
        **kwargs: Any,
    ) -> list[Any]:
        """Submit a function or a Prefect task once for each element.

        Args:
            func: The function or task.
            *iterables: Its positional arguments, one sequence each; the shortest one ends the mapping.
            key: Prefix of the names of the work on the cluster, or a list of names.
            workers: As of `submit`.
            retries: As of `submit`.
            resources: As of `submit`.
            priority: As of `submit`.
            allow_other_workers: As of `submit`.
            fifo_timeout: As of `submit`.
            actor: As of `submit`.
            actors: As of `submit`.
            pure: As of `submit`.
            batch_size: How many calls go to the scheduler at a time; not for tasks.
            **kwargs: Keyword arguments that are the same for all calls.

        Returns:
            One future for each call, in order.
        """
        options: dict[str, Any] = {
            "workers": workers,
            "resources": resources,
            "retries": retries,
            "priority": priority,
            "fifo_timeout": fifo_timeout,
            "allow_other_workers": allow_other_workers,
        }
        if isinstance(func, Task):
            calls = list(zip(*iterables, strict=False))
            keys = [_key_of(key, index) for index in range(len(calls))]
            with one_batch():
                return [
                    self.submit(func, *call, key=each, **options, **kwargs)
                    for call, each in zip(calls, keys, strict=True)
                ]
        given = priority is not _NOT_GIVEN
        options["priority"] = int(priority) if priority is _NOT_GIVEN else priority
        with annotate(priority=priority) if given and not priority else nullcontext():
            return super().map(  # pyright: ignore[reportReturnType]
                func,
                *iterables,
                key=key,
                actor=actor,
                actors=actors,
                pure=pure,
                batch_size=batch_size,
                **options,
                **kwargs,
            )

    def _submit_task(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], key: Any, options: dict[str, Any]
    ) -> Future[Any]:
        wait_for = kwargs.pop("wait_for", None)
        dependencies = kwargs.pop("dependencies", None)
        return_type = kwargs.pop("return_type", "result")
        task_run_id: UUID = kwargs.pop("task_run_id", None) or uuid4()
        parameters = kwargs.pop("parameters", None)
        if parameters is None:
            parameters = get_call_parameters(task.fn, args, kwargs)
        dependencies = all_inputs(parameters, wait_for, dependencies)
        with for_worker():
            packed = self._packer.pack(task, task_run_id, parameters, wait_for, dependencies, return_type)
        parcels = [self._parcels.send(content) for content in packed.parcels]
        # Positional, since that is how every version of Dask finds futures among the arguments.
        future: Any = super().submit(
            _worker.run_order,
            cloudpickle.dumps(packed.order),
            *parcels,
            *packed.upstream,
            key=key or f"{task.name}-{task_run_id.hex}",
            pure=False,
            **options,
        )
        future.task_run_id = task_run_id
        future.parcels = parcels  # who holds the future may need them again, when a worker dies
        return future

    def flush_workers(self, timeout_seconds: float = 5.0) -> None:
        """Have all workers send their logs and the states of their task runs to the Prefect API.

        Args:
            timeout_seconds: How long that may take.
        """
        self._on_workers(_worker.flush, os.getpid(), timeout_seconds, timeout_seconds=timeout_seconds)

    def stop_task_runs(self, task_run_ids: Iterable[UUID], timeout_seconds: float = 5.0) -> set[UUID]:
        """Stop task runs, wherever they run.

        Args:
            task_run_ids: The runs.
            timeout_seconds: How long telling the workers may take.

        Returns:
            Those that were running.
        """
        answers = self._on_workers(_worker.stop_runs, list(task_run_ids), timeout_seconds=timeout_seconds)
        return {each for answer in answers.values() if isinstance(answer, list) for each in answer}

    def ended_task_runs(self, timeout_seconds: float = 5.0) -> list[Ended]:
        """Read from the scheduler which task runs of this client have ended.

        Args:
            timeout_seconds: How long that may take.
        """
        found: Any = self.sync(
            self.scheduler.get_metadata,  # pyright: ignore[reportOptionalMemberAccess]
            keys=[ROOT, self._packer.ledger],
            default={},
            callback_timeout=timeout_seconds,
        )
        return [Ended(UUID(task_run_id), entry) for task_run_id, entry in found.items()]

    def forget_ledger(self, timeout_seconds: float = 5.0) -> None:
        """Remove from the scheduler what it keeps about the task runs of this client.

        Args:
            timeout_seconds: How long that may take.
        """
        root, ledger = ROOT, self._packer.ledger

        # Nested, so that it travels by value: the scheduler need not have this package.
        def forget(dask_scheduler: Any) -> None:
            dask_scheduler.task_metadata.get(root, {}).pop(ledger, None)

        try:
            self.sync(self._run_on_scheduler, forget, callback_timeout=timeout_seconds)
        except Exception:  # noqa: BLE001 - it runs no functions, or has another Python; the empty ledger stays there
            self.sync(
                self.scheduler.set_metadata,  # pyright: ignore[reportOptionalMemberAccess]
                keys=[root, ledger],
                value={},
                callback_timeout=timeout_seconds,
            )

    def serve_api_at(self, url: str) -> None:
        """Tell workers where the Prefect API is, when the settings do not.

        Args:
            url: Address of the API.
        """
        self._packer.api_url = url

    def _on_workers(self, function: Callable[..., Any], *args: Any, timeout_seconds: float) -> Any:
        call = partial(self._run, function, *args, wait=True, on_error="return")
        return self.sync(call, callback_timeout=timeout_seconds + 5)


def _key_of(key: Any, index: int) -> Any:
    if key is None or isinstance(key, list):
        return key and key[index]
    return f"{key}-{index}-{uuid4().hex}"
