"""Send what Prefect has queued, while there is still time."""

from __future__ import annotations

import contextvars
import threading

_LONGEST_SECONDS = 5.0
"""How long a process that was told to end waits for a server that does not answer."""

_LOOK_SECONDS = 0.2


def send_queued(timeout_seconds: float = _LONGEST_SECONDS) -> None:
    """Wait until the events and log lines that are queued have been sent, or the time is up.

    Prefect sends both from threads. What is still queued when SIGTERM ends the process is lost, as the handlers for the
    end of the interpreter do not run then (`prefect.utilities.engine.capture_sigterm`).

    Args:
        timeout_seconds: How long to wait at most.
    """
    context = contextvars.copy_context()  # which server it is, settings say
    thread = threading.Thread(target=context.run, args=(_send, timeout_seconds), name="dbt-sending", daemon=True)
    thread.start()
    left = timeout_seconds
    while thread.is_alive() and left > 0:
        thread.join(_LOOK_SECONDS)  # short waits, since an exception thrown into this thread arrives between them
        left -= _LOOK_SECONDS


def _send(timeout_seconds: float) -> None:
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    EventsWorker.instance().wait_until_empty()
    APILogWorker.drain_all(timeout=timeout_seconds)  # later lines find a new worker
