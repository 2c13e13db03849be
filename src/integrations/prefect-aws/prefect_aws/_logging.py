"""The logger of the run, or the package's own outside of one."""

import logging

from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger


def run_logger() -> "logging.Logger | logging.LoggerAdapter[logging.Logger]":
    """Find the logger of the flow or task run that the caller is in."""
    try:
        return get_run_logger()
    except MissingContextError:
        return get_logger("prefect_aws")
