"""The logger of the run that calls, or an ordinary one outside of a run."""

from __future__ import annotations

import logging
from typing import Any

from prefect.exceptions import MissingContextError
from prefect.logging.loggers import get_logger, get_run_logger


def run_logger(name: str) -> logging.Logger | logging.LoggerAdapter[Any]:
    """Get the run logger, so that lines reach the Prefect API; outside of a run, the logger called `name`.

    Args:
        name: Usually `__name__`.
    """
    try:
        return get_run_logger()
    except MissingContextError:
        return get_logger(name)
