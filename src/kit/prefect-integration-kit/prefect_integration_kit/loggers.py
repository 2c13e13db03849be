"""What a logger is: one of the standard library's, or Prefect's, which adapts such a one to a run."""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

# As text: before Python 3.11 an adapter cannot be subscripted at run time.
Log: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"
"""A logger."""
