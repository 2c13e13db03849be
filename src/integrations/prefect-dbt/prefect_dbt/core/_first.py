"""The process that dbt is invoked in, for those who mostly invoke it once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import cast

from .._dbt import DbtProcess

_has_begun = threading.Event()


def dbt_process(env: Mapping[str, str], place: str) -> DbtProcess:
    """Start a process for dbt.

    The first is not forked: most flows invoke dbt once, and the process that dbt is forked from would only cost them
    memory, some 40 to 90 MB.

    Args:
        env: Variables to add to this process's environment.
        place: Name of the module in which a test may have replaced dbt's runner: that is called instead.
    """
    if "dbt.cli.main" in sys.modules:  # else nobody has replaced anything of it
        from ._replaced import ReplacedRunner, replaced_runner

        runner = replaced_runner(place)
        if runner is not None:
            return cast("DbtProcess", ReplacedRunner(runner, env))
    may_fork = _has_begun.is_set()
    _has_begun.set()
    return DbtProcess(env=env, may_fork=may_fork)
