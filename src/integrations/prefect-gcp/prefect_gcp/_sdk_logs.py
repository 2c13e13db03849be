"""Keep secrets out of the SDK's own logs.

At DEBUG, `google.auth`, `google.cloud` and `googleapiclient` log requests and answers, some with their bodies.
`silent_sdk` drops these records while a secret is on its way.
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_silent: ContextVar[bool] = ContextVar("prefect_gcp_silent_sdk", default=False)
_SDKS = ("google", "googleapiclient", "urllib3", "grpc", "httplib2")


class _Guard(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG or not _silent.get()


_guard = _Guard()


def guard_sdk_logs() -> None:
    """Let `silent_sdk` reach all loggers that the SDK has made so far. It can be called any number of times."""
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in _SDKS:
            logging.getLogger(name).addFilter(_guard)  # it is added once only


@contextmanager
def silent_sdk() -> Generator[None, None, None]:
    """Drop the SDK's DEBUG records of this thread or coroutine: what is on its way is secret."""
    guard_sdk_logs()
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)
