"""What a task run of Dask waits for, as it is packed."""

from __future__ import annotations

from typing import Any

from prefect_integration_kit.task_run_orders import Packer, Waits

from .errors import DaskArgumentError


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
