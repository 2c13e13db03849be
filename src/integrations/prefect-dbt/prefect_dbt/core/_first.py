"""The process that dbt is invoked in, for those who mostly invoke it once."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from .._dbt import DbtProcess

_has_begun = threading.Event()


def dbt_process(env: Mapping[str, str]) -> DbtProcess:
    """Start a process for dbt.

    The first is not forked: most flows invoke dbt once, and the process that dbt is forked from would only cost them
    memory, some 40 to 90 MB.

    Args:
        env: Variables to add to this process's environment.
    """
    may_fork = _has_begun.is_set()
    _has_begun.set()
    return DbtProcess(env=env, may_fork=may_fork)
