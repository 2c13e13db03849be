"""Keep secrets out of the SDKs' own logs.

At DEBUG, `urllib3` logs the query of each request, and that of a shared access signature is the signature.
"""

from __future__ import annotations

import logging
import re

_LOGGERS = ("urllib3.connectionpool", "azure.core.pipeline.policies.http_logging_policy", "msal", "uamqp")
_SIGNATURE = re.compile(r"(?i)((?:^|[?&;\s])(?:sig|signature)=)[^&\s\"';]+")


class _Guard(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = _SIGNATURE.sub(r"\1********", message)
        if masked != message:
            record.msg, record.args = masked, None
        return True


_guard = _Guard()


def guard_sdk_logs() -> None:
    """Mask signatures in what the SDKs log from now on. It can be called any number of times."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_guard)  # it is added once only
