"""What a task run of Dask waits for, and what of a task runner travels with it, as it is packed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from prefect_integration_kit.task_run_orders import Packer, Waits

from .errors import DaskArgumentError

_is_for_worker: ContextVar[bool] = ContextVar("is_for_worker", default=False)


@contextmanager
def for_worker() -> Generator[None, None, None]:
    """Say that what is pickled in the block goes to a worker of the cluster, which is connected already."""
    token = _is_for_worker.set(True)
    try:
        yield
    finally:
        _is_for_worker.reset(token)


def is_for_worker() -> bool:
    """Whether what is pickled now goes to a worker of the cluster."""
    return _is_for_worker.get()


def make_packer(ledger: str) -> Packer:
    """Make a packer of task runs for Dask.

    Args:
        ledger: Under which the scheduler keeps what has ended.
    """
    return Packer(ledger, "a Dask worker", DaskArgumentError, _upstream_of)


def _upstream_of(item: Any) -> Any:
    """Look whether something in an argument is a future of Dask."""
    from distributed import Future

    from ._futures import PrefectDaskFuture

    if isinstance(item, PrefectDaskFuture):
        return item.state_to_send() or Waits(item.wrapped_future)
    if isinstance(item, Future):
        return Waits(item)
    return None
