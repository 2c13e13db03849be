"""Time in the local Google servers."""

from __future__ import annotations

from .._server_clock import Clock, stamp

__all__ = ["Clock", "stamp"]
