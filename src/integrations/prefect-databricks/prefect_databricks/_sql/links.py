"""Keep signed links out of logs: whoever has one may read the result. httpx logs the address of each request."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

_lock = threading.Lock()
_secret: Counter[str] = Counter()


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out what follows the question mark in links of the moment."""
        if _secret and isinstance(record.args, tuple):
            record.args = tuple(_shortened(each) for each in record.args)
        return True


def _shortened(value: object) -> object:
    return f"{str(value).partition('?')[0]}?…" if str(value) in _secret else value


_filter = _Filter()


@contextmanager
def unlogged(link: str) -> Generator[None, None, None]:
    """Keep a link out of the log of httpx as long as it is used.

    Args:
        link: The address.
    """
    logging.getLogger("httpx").addFilter(_filter)  # once: a filter that is there is not added again
    with _lock:
        _secret[link] += 1
    try:
        yield
    finally:
        with _lock:
            _secret[link] -= 1
            if not _secret[link]:
                del _secret[link]
