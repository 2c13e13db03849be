"""What builds and pushes say: written to standard output as it comes, without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from prefect_integration_kit.redact import RedactingFilter, Redactor

_MIN_SECRET = 4  # shorter ones stand in every other word


def error_in(event: Mapping[str, Any]) -> str | None:
    """The failure that an event of the engine tells of, under status 200; `None` for any other event.

    Args:
        event: One of those that a build or a push streams.
    """
    detail: Any = event.get("errorDetail") or {}
    message: Any = event.get("error") or detail.get("message") or event.get("message")
    return str(message) if message else None


class Output:
    """Standard output, with secrets masked."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Choose what to hide.

        Args:
            secrets: The values to hide.
        """
        self._secrets = [secret for secret in secrets if len(secret) >= _MIN_SECRET]
        self._redactor = Redactor(self._secrets)

    @contextmanager
    def hushed(self) -> Generator[None, None, None]:
        """Mask the secrets in the HTTP client's log too: at DEBUG it holds addresses, with build arguments in them."""
        log, mask = logging.getLogger("urllib3.connectionpool"), RedactingFilter(self._secrets)
        if not self._secrets:
            yield
            return
        log.addFilter(mask)
        try:
            yield
        finally:
            log.removeFilter(mask)

    def redact(self, text: str) -> str:
        """Return `text` with every secret masked."""
        return self._redactor.redact(text)

    def write(self, text: str) -> None:
        """Write text as it is, but for secrets.

        Args:
            text: Whole lines, as a secret is not found across two calls.
        """
        sys.stdout.write(self.redact(text))
        sys.stdout.flush()

    def line(self, text: str) -> None:
        """Write text and end the line."""
        self.write(f"{text}\n")
