"""What is logged while the cluster starts, which is before a flow run has its logger."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler
from prefect.logging.loggers import flow_run_logger, get_logger

if TYPE_CHECKING:
    _LoggerAdapter = logging.LoggerAdapter[logging.Logger]
else:
    _LoggerAdapter = logging.LoggerAdapter  # takes no parameter before Python 3.11


class StartupLog(_LoggerAdapter):
    """A logger whose lines are on the console at once, and in the logs of the flow run as soon as that can be."""

    def __init__(self) -> None:
        super().__init__(get_logger("task_runner.dask"), {})
        self._lines: list[tuple[float, int, str]] = []

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a line, and keep it for the flow run.

        Args:
            level: As of `logging`.
            msg: As of `logging`.
            *args: As of `logging`.
            **kwargs: As of `logging`.
        """
        super().log(level, msg, *args, **kwargs)
        text = str(msg) % args if args else str(msg)
        self._lines.append((time.time(), level, text))

    def tell_flow_run(self, *, is_last: bool = False) -> None:
        """Send the lines to the logs of the flow run, with the times at which they were logged.

        Args:
            is_last: Whether nobody will ask again.
        """
        if not self._lines:
            return
        context = FlowRunContext.get()
        if context is None or context.flow_run is None:
            if is_last:
                self._lines.clear()
            return
        adapter: Any = flow_run_logger(context.flow_run, context.flow)
        handlers = [each for each in adapter.logger.handlers if isinstance(each, APILogHandler)]
        lines, self._lines = self._lines, []
        for created, level, text in lines:
            record = adapter.logger.makeRecord(
                self.logger.name, level, __file__, 0, text, (), None, extra=adapter.extra
            )
            record.created = created
            for handler in handlers:
                handler.handle(record)
