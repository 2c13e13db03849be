"""Mail servers with empty mailboxes, and credentials for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prefect_email import EmailServerCredentials
from prefect_integration_kit.waiting import Backoff
from prefect_integration_tests.backends.smtp import SMTPBackend

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360f8cfc000000301010018dd8db00000000049454e44ae426082"
)


def _emptied(backend: SMTPBackend) -> SMTPBackend:
    backend.mailbox.reset()
    return backend


@pytest.fixture
def plain(smtp_plain: SMTPBackend) -> SMTPBackend:
    """A server without TLS and login."""
    return _emptied(smtp_plain)


@pytest.fixture
def starttls(smtp_starttls: SMTPBackend) -> SMTPBackend:
    """A server with STARTTLS and login."""
    return _emptied(smtp_starttls)


@pytest.fixture
def tls(smtp_ssl: SMTPBackend) -> SMTPBackend:
    """A server with TLS from the first byte and login."""
    return _emptied(smtp_ssl)


@pytest.fixture
def xoauth2(smtp_xoauth2: SMTPBackend) -> SMTPBackend:
    """A server with STARTTLS and login by token."""
    return _emptied(smtp_xoauth2)


@pytest.fixture
def credentials_for() -> Callable[..., EmailServerCredentials]:
    """A maker of credentials for a server; keywords are further fields of the block."""

    def make(backend: SMTPBackend, **fields: Any) -> EmailServerCredentials:
        return EmailServerCredentials(**{**backend.fields, "timeout_seconds": 5, **fields})

    return make


@pytest.fixture
def no_delay() -> Backoff:
    """Second tries at once."""
    return Backoff(initial_seconds=0, max_attempts=4)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between the tries of a task."""
    from prefect_integration_kit import waiting

    monkeypatch.setattr(waiting.SYSTEM_CLOCK, "sleep", lambda seconds: None)


@pytest.fixture
def png() -> bytes:
    """A picture of one pixel."""
    return PNG
