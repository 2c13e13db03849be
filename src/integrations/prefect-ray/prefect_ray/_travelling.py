"""Whether what is pickled goes to a worker, which is connected already."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_is_for_worker: ContextVar[bool] = ContextVar("is_for_worker", default=False)


@contextmanager
def for_worker() -> Generator[None, None, None]:
    """Say that what is pickled in the block goes to a worker of the cluster."""
    token = _is_for_worker.set(True)
    try:
        yield
    finally:
        _is_for_worker.reset(token)


def is_for_worker() -> bool:
    """Whether what is pickled now goes to a worker of the cluster."""
    return _is_for_worker.get()
