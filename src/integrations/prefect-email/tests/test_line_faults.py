"""What becomes of a mail when the line to the server breaks or crawls, or the clock jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from prefect_email import EmailConnection, EmailServerCredentials
from prefect_email.errors import EmailConnectionLost
from prefect_integration_tests.backends.faults import FaultProxy
from prefect_integration_tests.backends.smtp import SMTPBackend

Maker = Callable[..., EmailServerCredentials]
MAIL: dict[str, Any] = {"subject": "Hi", "msg": "x", "email_from": "me@x.com", "email_to": "a@x.com"}
LARGE = {**MAIL, "attachments": [("large.bin", bytes(range(256)) * 4_000)]}
HUGE = {**MAIL, "attachments": [("huge.bin", bytes(range(256)) * 24_000)]}
"""More than the system takes over before it has been sent, so that a break is seen while it is being sent."""


@pytest.fixture
def line(plain: SMTPBackend, fault_proxy: Callable[..., FaultProxy]) -> FaultProxy:
    """The line to a server without TLS."""
    return fault_proxy("127.0.0.1", plain.port)


@pytest.fixture
def connection(plain: SMTPBackend, line: FaultProxy, credentials_for: Maker, fake_clock: Any) -> EmailConnection:
    """A connection over the line, which waits for nothing, with three tries."""
    return EmailConnection(credentials_for(plain, smtp_port=line.port, max_attempts=3), clock=fake_clock)


def test_a_message_that_breaks_off_is_sent_again_whole(
    plain: SMTPBackend, line: FaultProxy, connection: EmailConnection
) -> None:
    line.set(reset_after_bytes=300_000, reset_times=1)
    sent = connection.send(**HUGE)
    assert plain.mailbox.only().message["Message-ID"] == sent.message_id
    assert len(plain.mailbox.only().content) > 6_000_000
    assert line.connections == 2


def test_a_line_that_always_breaks_is_told_and_nothing_is_delivered(
    plain: SMTPBackend, line: FaultProxy, connection: EmailConnection, fake_clock: Any
) -> None:
    line.set(reset_after_bytes=300_000)
    with pytest.raises(EmailConnectionLost, match=rf"127\.0\.0\.1:{line.port} closed the connection"):
        connection.send(**HUGE)
    assert (line.connections, len(fake_clock.sleeps)) == (3, 2)
    assert plain.mailbox.mails == []
    assert not connection.is_open


def test_a_break_after_all_was_handed_to_the_system_is_told_and_nothing_is_sent_twice(
    plain: SMTPBackend, line: FaultProxy, connection: EmailConnection, fake_clock: Any
) -> None:
    line.set(reset_after_bytes=300_000, reset_times=1)
    with pytest.raises(EmailConnectionLost, match="may have been delivered: look before you send it again"):
        connection.send(**LARGE)
    assert (line.connections, fake_clock.sleeps) == (1, [])
    connection.send(**LARGE)
    assert len(plain.mailbox.mails) == 1


def test_a_slow_line_is_waited_for(
    plain: SMTPBackend, line: FaultProxy, connection: EmailConnection, fake_clock: Any
) -> None:
    line.set(bytes_per_second=2_000_000, latency_seconds=0.05)
    connection.send(**LARGE)
    assert len(plain.mailbox.only().content) > 1_000_000
    assert (line.connections, fake_clock.sleeps) == (1, [])


def test_a_clock_that_jumps_does_not_matter(
    plain: SMTPBackend, connection: EmailConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.mailbox.fail("MAIL", "451 4.3.0 Try later", times=2)
    right, jumps = time.time, iter([86_400.0, -86_400.0, 86_400.0])
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps, 0.0))
    sent = connection.send(**MAIL)
    assert plain.mailbox.only().message["Message-ID"] == sent.message_id
