"""dbt Core in child processes: what every entry point of this package stands on.

dbt keeps its flags, adapters, event manager and plug-ins in globals of the process, so two invocations in one process
disturb each other, and a thread that waits for a query cannot be ended. Each invocation therefore runs in a process
of its own, which imports dbt but neither Prefect nor this package, and sends compact events over a pipe. On Linux it is
a fork of a process that has imported dbt already (`fork_server`), which spares the next invocation two seconds.
"""

from __future__ import annotations

from ..errors import DbtProcessDied
from .events import DbtEvent, NodeDetails, NodeInfo, NodeResult
from .invocation import Invocation
from .outcome import ExceptionInfo, Outcome
from .process import DbtProcess

__all__ = [
    "DbtEvent",
    "DbtProcess",
    "DbtProcessDied",
    "ExceptionInfo",
    "Invocation",
    "NodeDetails",
    "NodeInfo",
    "NodeResult",
    "Outcome",
]
