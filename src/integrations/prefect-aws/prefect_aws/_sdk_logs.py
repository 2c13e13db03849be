"""Keep secrets out of the SDK's own logs.

At DEBUG botocore logs the bodies of requests and answers, and with each signature the session token. `silent_sdk` drops
these records while a secret is on its way; `hide_session_tokens` masks the token for good.
"""

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_silent: ContextVar[bool] = ContextVar("prefect_aws_silent_sdk", default=False)
_SDKS = ("botocore", "boto3", "urllib3")
_TOKEN = re.compile(r"""(x-amz-security-token["']?\s*[:=]\s*(?:b?["'])?)([^\s'"<>&,;]+)""", re.IGNORECASE)


class _Guard(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.DEBUG:
            return True
        if _silent.get():
            return False
        text = record.getMessage()
        if _TOKEN.search(text):
            record.msg, record.args = _TOKEN.sub(r"\1********", text), None
        return True


_guard = _Guard()


def hide_session_tokens() -> None:
    """Mask session tokens in what the SDK logs from now on. It can be called any number of times."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(_SDKS):
            logging.getLogger(name).addFilter(_guard)  # it is added once only


@contextmanager
def silent_sdk() -> Generator[None, None, None]:
    """Drop the SDK's DEBUG records of this thread or coroutine: what is on its way is secret."""
    hide_session_tokens()  # loggers that came since the client was made
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)
