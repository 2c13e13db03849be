"""One SMTP transaction: the commands that hand a message over, and what the server says to each.

`smtplib.SMTP.sendmail` does the same in one call, but does not tell a failure before the message was handed over
from one after, when it may have been taken.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import re
import smtplib
from email.utils import getaddresses, parseaddr
from typing import TYPE_CHECKING, Any

from prefect_email._replies import Peer, email_errors
from prefect_email.errors import EmailConnectionLost, EmailNotSupported, EmailTimeout, EmailTooLarge, Reply
from prefect_email.mime import OutgoingEmail, message_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINE_STARTS = re.compile(rb"(?m)^\.")  # RFC 5321, section 4.5.2: a dot alone would end the message
_READY_FOR_DATA = 354


def begin(server: smtplib.SMTP, peer: Peer, mail: OutgoingEmail) -> bytes:
    """Announce a mail (`MAIL FROM`).

    Returns:
        The message as this server gets it.

    Raises:
        EmailTooLarge: If the server has said that it takes no message of this size.
        EmailNotSupported: If an address is not ASCII and the server does not take such addresses.
        EmailSenderRefused: If the server does not take mail from this sender.
    """
    with email_errors(peer):
        server.ehlo_or_helo_if_needed()
        international = [a for a in (mail.sender, *mail.recipients) if not a.isascii()]
        if international and not server.has_extn("smtputf8"):
            raise EmailNotSupported(
                f"{peer} takes only ASCII addresses (no SMTPUTF8), and {international[0]!r} is none."
            )
        content = message_bytes(mail.message, utf8=bool(international))
        options = ["SMTPUTF8", "BODY=8BITMIME"] if international else []
        if server.has_extn("size"):
            limit = str(server.esmtp_features["size"]).strip()
            if limit.isdecimal() and 0 < int(limit) < len(content):
                raise EmailTooLarge(
                    f"The message has {len(content):,} bytes once encoded, and {peer} takes at most "
                    f"{int(limit):,}. Send less, or a link to the file."
                )
            options.append(f"SIZE={len(content)}")
        code, reply = server.mail(mail.sender, options)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, reply, mail.sender)
    return content


def hand_over(server: smtplib.SMTP, peer: Peer, recipients: Sequence[str], content: bytes) -> dict[str, Reply]:
    """Name the recipients and send the message (`RCPT TO`, `DATA`).

    Returns:
        The server's reply for each recipient that it refused. It took the mail for all others.

    Raises:
        EmailRejected: If the server does not take the message.
        EmailTimeout: If it does not answer. After the whole message, that is not transient: it may have been taken.
        EmailConnectionLost: If it closes the connection. After the whole message, the same holds.
    """
    refused: dict[str, Reply] = {}
    with email_errors(peer):
        for recipient in recipients:
            code, reply = server.rcpt(recipient)
            if code == 421:
                raise smtplib.SMTPDataError(code, reply)
            if code not in (250, 251):
                refused[recipient] = (code, peer.clean(reply).encode())
        if len(refused) == len(recipients):
            abandon(server)
            return refused
        code, reply = server.docmd("DATA")
        if code != _READY_FOR_DATA:
            raise smtplib.SMTPDataError(code, reply)
        server.send(_LINE_STARTS.sub(b"..", content) + b".\r\n")
    try:
        with email_errors(peer):
            code, reply = server.getreply()
            if code != 250:
                raise smtplib.SMTPDataError(code, reply)
    except (EmailTimeout, EmailConnectionLost) as exc:
        is_late = isinstance(exc, EmailTimeout)
        ending = f"did not answer within {peer.timeout_seconds:g} seconds" if is_late else "closed the connection"
        remedy = ", or raise timeout_seconds" if is_late else ""
        error = type(exc)(
            f"{peer} got the whole message but {ending}. It may have been delivered: look before you send it "
            f"again{remedy}."
        )
        error.is_transient = False
        raise error from exc
    return refused


def send_by(server: Any, peer: Peer, mail: OutgoingEmail, recipients: Sequence[str]) -> dict[str, Reply]:
    """Send a message by what stands in for a connection and has nothing but `send_message`.

    Returns:
        Nobody: what it refuses, it raises.
    """
    message = mail.message
    shown = [address for _, address in getaddresses([*message.get_all("To", []), *message.get_all("Cc", [])])]
    is_plain = parseaddr(str(message["From"]))[1] == mail.sender and sorted(shown) == sorted(recipients)
    with email_errors(peer):
        if is_plain:
            server.send_message(message)
        elif _takes_envelope(server.send_message):
            server.send_message(message, from_addr=mail.sender, to_addrs=list(recipients))
        else:
            server.send_message(_with_blind_copies(message, [each for each in recipients if each not in shown]))
    return {}


def _with_blind_copies(message: Any, recipients: list[str]) -> Any:
    copied = copy.copy(message)
    del copied["Bcc"]  # which gives the copy headers of its own
    if recipients:
        copied["Bcc"] = ", ".join(recipients)
    return copied


def _takes_envelope(send_message: Any) -> bool:
    try:
        inspect.signature(send_message).bind(None, from_addr="", to_addrs=[])
    except TypeError:
        return False
    except ValueError:  # it does not say what it takes
        pass
    return True


def abandon(server: smtplib.SMTP) -> None:
    """End a transaction that failed, and keep the connection (`RSET`)."""
    with contextlib.suppress(OSError):
        server.rset()
