"""Tasks that send mail."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from email.mime.multipart import MIMEMultipart
from typing import Any

from prefect_email.attachments import AttachmentSource
from prefect_email.connection import EmailConnection, SentEmail
from prefect_email.credentials import EmailServerCredentials
from prefect_email.errors import EmailBatchError, EmailError, InvalidEmail
from prefect_email.mime import Email, EmailDraft, Importance
from prefect_integration_kit.awaitables import Awaitable
from prefect_integration_kit.dispatch import async_task, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger


class _AwaitableMessage(Awaitable, MIMEMultipart):
    """A message that `await` and `asyncio.run` give back. Copied or pickled, it is a plain one."""

    def __reduce__(self) -> tuple[Any, ...]:
        return MIMEMultipart, (), self.__dict__


def _send_message(
    subject: str,
    msg: str,
    email_server_credentials: EmailServerCredentials,
    msg_plain: str | None = None,
    email_from: str | None = None,
    email_to: str | list[str] | None = None,
    email_to_cc: str | list[str] | None = None,
    email_to_bcc: str | list[str] | None = None,
    attachments: AttachmentSource | Iterable[AttachmentSource] | None = None,
    inline_images: Mapping[str, AttachmentSource | bytes] | None = None,
    *,
    reply_to: str | list[str] | None = None,
    headers: Mapping[str, str] | None = None,
    envelope_from: str | None = None,
    importance: Importance | None = None,
    max_message_bytes: int | None = None,
) -> MIMEMultipart:
    with EmailConnection(email_server_credentials) as connection:
        mail = connection.draft(
            subject=subject,
            msg=msg,
            msg_plain=msg_plain,
            email_from=email_from,
            email_to=email_to,
            email_to_cc=email_to_cc,
            email_to_bcc=email_to_bcc,
            attachments=attachments,
            inline_images=inline_images,
            reply_to=reply_to,
            headers=headers,
            envelope_from=envelope_from,
            importance=importance,
            max_message_bytes=max_message_bytes,
        ).build()
        connection.deliver(mail)
    return mail.message


@functools.wraps(_send_message)
def _send_in_sync_run(*args: Any, **kwargs: Any) -> MIMEMultipart:
    message = _send_message(*args, **kwargs)
    message.__class__ = _AwaitableMessage
    return message


@async_task(_send_in_sync_run)
async def email_send_message(
    subject: str,
    msg: str,
    email_server_credentials: EmailServerCredentials,
    msg_plain: str | None = None,
    email_from: str | None = None,
    email_to: str | list[str] | None = None,
    email_to_cc: str | list[str] | None = None,
    email_to_bcc: str | list[str] | None = None,
    attachments: AttachmentSource | Iterable[AttachmentSource] | None = None,
    inline_images: Mapping[str, AttachmentSource | bytes] | None = None,
    *,
    reply_to: str | list[str] | None = None,
    headers: Mapping[str, str] | None = None,
    envelope_from: str | None = None,
    importance: Importance | None = None,
    max_message_bytes: int | None = None,
) -> MIMEMultipart:
    r"""Send a mail.

    A sync flow calls this as it stands, an async flow awaits it.

    What may pass (codes 4xx, a lost connection, no answer) is tried again, up to the block's `max_attempts`, and only
    for the recipients who have not got the mail; each try has the same `Message-ID`.

    Args:
        subject: Subject line.
        msg: Contents as HTML.
        email_server_credentials: The mail server, and the account to use.
        msg_plain: The same contents as plain text, for readers who prefer that.
        email_from: The author's address, `user@example.com` or `Name <user@example.com>`. The block's username when
            not given.
        email_to: Recipients: one text with addresses between commas, or a list of such texts.
        email_to_cc: Recipients of a copy, in the same forms.
        email_to_bcc: Recipients of a blind copy, in the same forms. They are not named in the message.
        attachments: Paths of files to attach. Also taken: an `EmailAttachment`, a tuple of name, content and,
            optionally, MIME type, an open file, or a finished MIME part.
        inline_images: Images that the HTML shows by `<img src="cid:KEY">`: under each key the path of a file, bytes, an
            open file or an `EmailAttachment`.
        reply_to: Where answers go, if not to the author.
        headers: Further headers. `Date` and `Message-ID`, set by themselves, may be given here too.
        envelope_from: The address that bounces go to; the author's when not given.
        importance: `low`, `normal` or `high`.
        max_message_bytes: Size of the encoded message that must not be exceeded; the block's when not given. A file
            needs a third more than its own size.

    Returns:
        The message that was sent, as a `MIMEMultipart`.

    Raises:
        InvalidEmail: If there is no recipient or no sender, an attachment is missing or a folder, or a header holds a
            line break. Nothing was sent.
        EmailTooLarge: If the message exceeds `max_message_bytes` or what the server takes.
        EmailAuthenticationError: If the server does not accept the login.
        EmailConnectionError: If the server cannot be reached. Its subclasses say why.
        EmailRecipientsRefused: If some or all recipients were refused; the others have got the mail.

    Example:
        Send a chart that is in memory:

        ```python
        from prefect import flow
        from prefect_email import EmailServerCredentials, email_send_message

        @flow
        def send_chart(png: bytes):
            email_send_message(
                email_server_credentials=EmailServerCredentials.load("BLOCK_NAME"),
                subject="Sales",
                msg='<img src="cid:chart">',
                email_to=["sales@example.com", "Boss <boss@example.com>"],
                inline_images={"chart": png},
                attachments=[("sales.csv", "region,amount\nnorth,7\n", "text/csv")],
            )
        ```
    """
    return await run_sync_in_worker_thread(
        _send_message,
        subject,
        msg,
        email_server_credentials,
        msg_plain=msg_plain,
        email_from=email_from,
        email_to=email_to,
        email_to_cc=email_to_cc,
        email_to_bcc=email_to_bcc,
        attachments=attachments,
        inline_images=inline_images,
        reply_to=reply_to,
        headers=headers,
        envelope_from=envelope_from,
        importance=importance,
        max_message_bytes=max_message_bytes,
    )


def _check_all(connection: EmailConnection, emails: Sequence[Email]) -> list[EmailDraft]:
    """Check every mail before the first one is sent."""
    drafts: list[EmailDraft] = []
    failures: dict[int, EmailError] = {}
    for position, email in enumerate(emails):
        try:
            drafts.append(connection.draft(**email))
        except EmailError as exc:  # noqa: PERF203
            failures[position] = exc
        except TypeError as exc:  # a key that is missing or unknown
            failures[position] = InvalidEmail(f"It is not a mail: {exc}.")
    if failures:
        raise _batch_error("No mail was sent", {}, failures)
    return drafts


def _batch_error(what: str, sent: dict[int, SentEmail], failures: dict[int, EmailError]) -> EmailBatchError:
    shown = [f"number {position}: {failures[position]}" for position in sorted(failures)[:5]]
    more = f" (and {len(failures) - 5} more)" if len(failures) > 5 else ""
    return EmailBatchError(
        f"{what}; {len(failures)} failed, counted from 0:\n" + "\n".join(shown) + more,
        sent=sent,
        failures=failures,
    )


def _send_many(
    emails: Iterable[Email],
    email_server_credentials: EmailServerCredentials,
    *,
    stop_on_failure: bool = False,
) -> list[SentEmail]:
    sent: dict[int, SentEmail] = {}
    failures: dict[int, EmailError] = {}
    with EmailConnection(email_server_credentials) as connection:
        drafts = _check_all(connection, list(emails))
        for position, draft in enumerate(drafts):
            try:
                sent[position] = connection.deliver(draft.build())
            except EmailError as exc:  # noqa: PERF203
                failures[position] = exc
                is_server_gone = not connection.is_open
                if stop_on_failure or (is_server_gone and not isinstance(exc, InvalidEmail)):
                    rest = range(position + 1, len(drafts))
                    failures |= dict.fromkeys(rest, EmailError(f"Not tried, after: {exc}"))
                    break
    if failures:
        raise _batch_error(f"{len(sent)} of {len(drafts)} mails were sent", sent, failures)
    run_logger(__name__).info("Sent %d mails", len(sent))
    return [sent[position] for position in range(len(drafts))]


@async_task(_send_many)
async def email_send_many(
    emails: Iterable[Email],
    email_server_credentials: EmailServerCredentials,
    *,
    stop_on_failure: bool = False,
) -> list[SentEmail]:
    """Send many mails over one connection, with one login.

    All mails are checked before the first one is sent. Attachments are read when their mail's turn comes. A mail
    that fails does not stop the others, unless the server itself is out of reach.

    Args:
        emails: The mails, each a dictionary of the arguments of `email_send_message` but for the credentials.
        email_server_credentials: The mail server, and the account to use.
        stop_on_failure: Whether to send nothing more once a mail has failed.

    Returns:
        The message ID and the recipients of each mail, in the order of `emails`.

    Raises:
        EmailBatchError: If some mails were not sent. It says which, and why; the others were.

    Example:
        Send each reader a mail of their own:

        ```python
        from prefect import flow
        from prefect_email import EmailServerCredentials, email_send_many

        @flow
        def send_news(readers: dict[str, str]):
            email_send_many(
                [
                    {"subject": "News", "msg": f"<p>Dear {name}!</p>", "email_to": address}
                    for address, name in readers.items()
                ],
                EmailServerCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    return await run_sync_in_worker_thread(
        _send_many, emails, email_server_credentials, stop_on_failure=stop_on_failure
    )
