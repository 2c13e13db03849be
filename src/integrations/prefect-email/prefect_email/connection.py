"""One connection for many mails: made when needed, renewed when it breaks, with second tries for what may pass."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from prefect_email import _transaction
from prefect_email._replies import Peer, field_of, is_smtp
from prefect_email.errors import (
    EmailConnectionError,
    EmailConnectionLost,
    EmailError,
    EmailRecipientsRefused,
    EmailServerUnavailable,
    Reply,
)
from prefect_email.mime import Email, EmailDraft, OutgoingEmail, draft_email
from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, retry

if TYPE_CHECKING:
    from smtplib import SMTP
    from types import TracebackType

    from typing_extensions import Unpack

    from prefect_email.credentials import EmailServerCredentials

_RECIPIENTS_PER_TRANSACTION = 100  # RFC 5321, section 4.5.3.1.8: servers need not take more at once
_GOODBYE_SECONDS = 5.0  # how long to wait for the answer to QUIT, which changes nothing


@dataclass(frozen=True)
class SentEmail:
    """What remains of a mail that was sent.

    Attributes:
        message_id: The message's `Message-ID` header.
        recipients: All addresses that the server took it for, blind copies included.
    """

    message_id: str
    recipients: tuple[str, ...]


@dataclass
class _Delivery:
    """Who has the mail, who must not be asked again, and who is left."""

    pending: list[str]
    accepted: list[str] = field(default_factory=list[str])
    refused: dict[str, Reply] = field(default_factory=dict[str, Reply])
    deferred: dict[str, Reply] = field(default_factory=dict[str, Reply])

    def record(self, batch: list[str], refused: Mapping[str, Reply]) -> None:
        self.accepted += [recipient for recipient in batch if recipient not in refused]
        for recipient, (code, reply) in refused.items():
            group = self.deferred if 400 <= code < 500 else self.refused
            group[recipient] = (code, reply)
        self.pending = self.pending[len(batch) :]

    def start_round(self) -> None:
        self.pending += self.deferred
        self.deferred = {}

    def failure(self, peer: Peer, cause: EmailError | None = None) -> EmailRecipientsRefused:
        """Describe who did not get the mail."""
        untried = {recipient: (0, str(cause).encode()) for recipient in self.pending}
        left_out = {**self.refused, **self.deferred, **untried}
        reasons = "; ".join(
            f"{recipient} ({peer.said(code, reply) if code else 'not tried'})"
            for recipient, (code, reply) in left_out.items()
        )
        got_it = ", ".join(self.accepted) or "nobody"
        after = f" The last failure: {cause}" if untried and cause is not None else ""
        return EmailRecipientsRefused(
            f"{peer} did not take the mail for {reasons}. It was delivered to {got_it}.{after}",
            recipients=left_out,
            accepted=tuple(self.accepted),
        )


class EmailConnection:
    """A connection to a mail server that many mails share.

    It opens when the first mail is sent. When the server has closed it meanwhile, as servers do with idle ones, it
    is opened again. Leaving the `with` or `async with` block closes it; it may be entered again later. Threads and
    coroutines may share it: mails go one after the other.

    Failures that may pass (codes 4xx, a lost connection, no answer) are tried again, up to the block's
    `max_attempts`, and only for the recipients who have not got the mail. A new try has the same `Message-ID`.

    Example:
        Send one mail to each of many readers, in an async flow:

        ```python
        from prefect_email import EmailServerCredentials

        async def send_news(readers: list[str]) -> None:
            credentials = await EmailServerCredentials.aload("BLOCK_NAME")
            async with credentials.connect() as connection:
                for reader in readers:
                    await connection.asend(subject="News", msg="<p>Hello!</p>", email_to=reader)
        ```
    """

    def __init__(
        self,
        email_server_credentials: EmailServerCredentials,
        *,
        backoff: Backoff | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Prepare a connection; nothing is sent yet.

        Args:
            email_server_credentials: The server, and the account to use.
            backoff: Delays between tries, and how many there are; the block's `max_attempts` when not given.
            clock: Time, for the delays.
        """
        self._credentials = email_server_credentials
        self._peer = Peer.of(email_server_credentials)
        attempts: int = field_of(email_server_credentials, "max_attempts")
        self._backoff = backoff or Backoff(
            max_attempts=attempts,
            deadline_seconds=attempts * self._peer.timeout_seconds,
        )
        self._clock = clock
        self._server: SMTP | None = None
        self._stand_in: contextlib.AbstractContextManager[Any] | None = None
        self._lock = threading.RLock()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection now, as far as we know."""
        return self._server is not None

    def _send(self, **email: Unpack[Email]) -> SentEmail:
        return self.deliver(self.draft(**email).build())

    async def asend(self, **email: Unpack[Email]) -> SentEmail:
        """Async form of `send`. The event loop is free meanwhile."""
        return await run_sync_in_worker_thread(self._send, **email)

    @async_dispatch(asend)
    def send(self, **email: Unpack[Email]) -> SentEmail:
        """Send a mail.

        Args:
            **email: The arguments of `email_send_message` but for the credentials; `Email` lists them.

        Returns:
            The message ID and the recipients.

        Raises:
            InvalidEmail: If the mail cannot be built; nothing was sent.
            EmailRecipientsRefused: If some or all recipients were refused; the others have got the mail.
            EmailError: If nothing could be sent. The subclass says why.
        """
        return self._send(**email)

    def draft(self, **email: Unpack[Email]) -> EmailDraft:
        """Check a mail, with the block's user name and size limit where it has none of its own.

        Args:
            **email: As for `send`.

        Returns:
            The mail, whose attachments are read when it is built.

        Raises:
            InvalidEmail: If the mail cannot be built.
        """
        email["email_from"] = email.get("email_from") or field_of(self._credentials, "username")
        email["max_message_bytes"] = email.get("max_message_bytes") or field_of(self._credentials, "max_message_bytes")
        return draft_email(**email)

    def deliver(self, mail: OutgoingEmail) -> SentEmail:
        """Send a mail that was built before.

        Args:
            mail: The message and its envelope.

        Raises:
            EmailRecipientsRefused: If some or all recipients were refused; the others have got the mail.
            EmailError: If nothing could be sent. The subclass says why.
        """
        delivery = _Delivery(list(mail.recipients))
        with self._lock:
            try:
                retry(
                    lambda: self._deliver_to_pending(mail, delivery),
                    is_transient=lambda exc: isinstance(exc, EmailError) and exc.is_transient,
                    backoff=self._backoff,
                    on_retry=_log_retry,
                    clock=self._clock,
                )
            except EmailError as exc:
                if isinstance(exc, EmailRecipientsRefused) or delivery.accepted or delivery.refused:
                    raise delivery.failure(self._peer, exc) from exc.__cause__
                raise
        if delivery.refused:
            raise delivery.failure(self._peer)
        sent = SentEmail(str(mail.message["Message-ID"]), tuple(delivery.accepted))
        run_logger(__name__).info("Sent mail %s to %d recipients", sent.message_id, len(sent.recipients))
        return sent

    def _deliver_to_pending(self, mail: OutgoingEmail, delivery: _Delivery) -> None:
        """Try once to reach everybody who is left."""
        delivery.start_round()
        while batch := delivery.pending[:_RECIPIENTS_PER_TRANSACTION]:
            server, content = self._begin(mail)
            with self._recovering(server):
                if content is None:
                    refused = _transaction.send_by(server, self._peer, mail, batch)
                else:
                    refused = _transaction.hand_over(server, self._peer, batch, content)
            delivery.record(batch, refused)
        if delivery.deferred:
            raise delivery.failure(self._peer)

    def _begin(self, mail: OutgoingEmail) -> tuple[SMTP, bytes | None]:
        """Announce a mail, on a new connection if the old one has gone."""
        was_open = self.is_open
        try:
            return self._announce(mail)
        except (EmailConnectionLost, EmailServerUnavailable):
            if not was_open:
                raise
            return self._announce(mail)  # it was idle for too long; nothing has been said of this mail

    def _announce(self, mail: OutgoingEmail) -> tuple[SMTP, bytes | None]:
        if self._server is None:
            self._server = self._open()
        server = self._server
        if not is_smtp(server):
            return server, None
        with self._recovering(server):
            return server, _transaction.begin(server, self._peer, mail)

    def _open(self) -> SMTP:
        server: Any = self._credentials.get_server()
        if is_smtp(server) or not hasattr(cast("object", type(server)), "__enter__"):
            return server
        # `get_server` or `smtplib` itself was replaced, as in tests of flows: what `with` gives is the server.
        opened = server.__enter__()
        self._stand_in = server
        return opened

    @contextlib.contextmanager
    def _recovering(self, server: SMTP) -> Generator[None]:
        """Leave the connection usable, or drop it, when a transaction fails."""
        try:
            yield
        except EmailConnectionError:
            self._drop()
            raise
        except EmailError:
            if is_smtp(server):
                _transaction.abandon(server)
            raise
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        server, self._server = self._server, None
        stand_in, self._stand_in = self._stand_in, None
        if stand_in is not None:
            stand_in.__exit__(None, None, None)
        elif server is not None and is_smtp(server):
            server.close()

    def _close(self) -> None:
        with self._lock:
            server = self._server
            if self._stand_in is None and server is not None and is_smtp(server) and server.sock is not None:
                with contextlib.suppress(OSError):
                    server.sock.settimeout(min(_GOODBYE_SECONDS, self._peer.timeout_seconds))
                    server.quit()
            self._drop()

    async def aclose(self) -> None:
        """Async form of `close`."""
        await run_sync_in_worker_thread(self._close)

    @async_dispatch(aclose)
    def close(self) -> None:
        """End the conversation. The next mail opens another."""
        self._close()

    def __enter__(self) -> EmailConnection:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    async def __aenter__(self) -> EmailConnection:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _log_retry(error: Exception, delay_seconds: float) -> None:
    run_logger(__name__).warning("%s Trying again in %.1f seconds.", error, delay_seconds)
