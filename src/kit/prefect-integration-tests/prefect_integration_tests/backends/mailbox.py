"""What a mail server of a test has seen, and what it shall do wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from email.message import EmailMessage

Stage = Literal["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"]
HANG, DROP = "hang", "drop"
"""Faults other than a reply."""


@dataclass(frozen=True)
class ReceivedMail:
    """One message that the server took, with the envelope it came in."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    mail_options: tuple[str, ...]
    is_encrypted: bool
    username: str | None

    @property
    def message(self) -> EmailMessage:
        """The content, parsed."""
        return message_from_bytes(self.content, policy=policy.default)


@dataclass(frozen=True)
class Login:
    """One attempt to log in."""

    mechanism: str
    username: str
    is_accepted: bool
    is_encrypted: bool


@dataclass
class _Fault:
    stage: Stage
    action: str
    times: int | None
    recipient: str | None

    def strikes(self, stage: Stage, recipient: str | None) -> bool:
        return self.stage == stage and self.recipient in (None, recipient)


@dataclass
class MailBox:
    """What a server saw, and what it shall do wrong.

    Faults are taken in the order in which they were asked for; one with `times=None` stays until `reset`.
    """

    mails: list[ReceivedMail] = field(default_factory=list["ReceivedMail"])
    logins: list[Login] = field(default_factory=list["Login"])
    connections: int = 0
    _faults: list[_Fault] = field(default_factory=list["_Fault"])
    _open: dict[asyncio.WriteTransport, asyncio.AbstractEventLoop] = field(
        default_factory=dict[asyncio.WriteTransport, asyncio.AbstractEventLoop], repr=False
    )
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def reset(self) -> None:
        """Forget all mails, logins and faults, and cut every connection that is still open."""
        self.drop_connections()
        with self._changed:
            self.mails.clear()
            self.logins.clear()
            self._faults.clear()
            self.connections = 0

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    @property
    def messages(self) -> list[EmailMessage]:
        """All messages, parsed, in the order of arrival."""
        return [mail.message for mail in self.mails]

    def only(self) -> ReceivedMail:
        """Return the one mail that is here.

        Raises:
            AssertionError: If there is none or more than one.
        """
        assert len(self.mails) == 1, f"{len(self.mails)} mails arrived, not one"
        return self.mails[0]

    def fail(self, stage: Stage, reply: str, *, times: int | None = 1, recipient: str | None = None) -> None:
        """Answer the next commands of a stage with an error.

        Args:
            stage: The command; `CONNECT` is the greeting.
            reply: Code and text, such as `450 4.2.0 Come back later`.
            times: How often; `None` for always.
            recipient: Only for this address, with stage `RCPT`.
        """
        self._add(_Fault(stage, reply, times, recipient))

    def refuse(self, recipient: str, reply: str = "550 5.1.1 No such user") -> None:
        """Refuse one recipient, always."""
        self.fail("RCPT", reply, times=None, recipient=recipient)

    def hang(self, stage: Stage, *, times: int | None = 1) -> None:
        """Give no answer to the next commands of a stage. After `DATA` the message is read, but not kept."""
        self._add(_Fault(stage, HANG, times, None))

    def drop(self, stage: Stage, *, times: int | None = 1) -> None:
        """Cut the connection instead of an answer. In `DATA` the message is read, but not kept."""
        self._add(_Fault(stage, DROP, times, None))

    def drop_connections(self) -> None:
        """Cut every open connection, as a server does with idle ones; returns when they are gone."""
        with self._changed:
            connections = list(self._open.items())
        for transport, loop in connections:
            loop.call_soon_threadsafe(transport.abort)
        with self._changed:
            self._changed.wait_for(lambda: not self._open, timeout=5)

    def wait_for(self, predicate: Callable[[MailBox], bool], timeout_seconds: float = 10) -> None:
        """Wait until something holds of the mailbox.

        Raises:
            TimeoutError: If it does not within the time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self), timeout_seconds):
                raise TimeoutError(f"Not seen within {timeout_seconds:g} seconds: {self}")

    def _add(self, fault: _Fault) -> None:
        with self._changed:
            self._faults.append(fault)

    # What the server tells.

    def take_fault(self, stage: Stage, recipient: str | None = None) -> str | None:
        """Return what shall go wrong now, and count it: a reply, `HANG` or `DROP`."""
        with self._changed:
            for fault in self._faults:
                if fault.strikes(stage, recipient):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self._faults.remove(fault)
                    return fault.action
        return None

    def add_mail(self, mail: ReceivedMail) -> None:
        """Keep a mail."""
        with self._changed:
            self.mails.append(mail)
            self._changed.notify_all()

    def add_login(self, login: Login) -> None:
        """Keep an attempt to log in."""
        with self._changed:
            self.logins.append(login)
            self._changed.notify_all()

    def opened(self, transport: asyncio.WriteTransport, loop: asyncio.AbstractEventLoop) -> None:
        """Count a connection."""
        with self._changed:
            self.connections += 1
            self._open[transport] = loop
            self._changed.notify_all()

    def closed(self, transport: asyncio.WriteTransport) -> None:
        """Know that a connection has ended."""
        with self._changed:
            self._open.pop(transport, None)
            self._changed.notify_all()
