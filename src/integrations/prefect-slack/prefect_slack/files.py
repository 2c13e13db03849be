"""Tasks that upload files to Slack."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from prefect import task

from prefect_integration_kit.dispatch import sync_task
from prefect_slack._uploading import Upload, plan_upload, upload
from prefect_slack._waits import in_thread
from prefect_slack.credentials import SlackCredentials
from prefect_slack.errors import InvalidSlackMessage

if TYPE_CHECKING:
    from prefect_slack.messages import Blocks

FileContent = str | os.PathLike[str] | bytes | bytearray | BinaryIO
"""A path, the content itself, or a file that is open for reading in binary mode."""


@dataclass(frozen=True)
class SlackFile:
    """One of several files, with what Slack shows of it.

    Attributes:
        content: A path, bytes, or a file that is open for reading.
        filename: Its name in Slack; by default its own. Bytes need one.
        title: Its title in Slack; by default the name.
        alt_text: What an image shows, for those who cannot see it.
        snippet_type: The language of text that is shown as a snippet, such as `python`.
    """

    content: FileContent = field(repr=False)
    filename: str | None = None
    title: str | None = None
    alt_text: str | None = None
    snippet_type: str | None = None


def _plan(
    file: FileContent | SlackFile | Sequence[FileContent | SlackFile],
    filename: str | None,
    title: str | None,
    alt_text: str | None,
    snippet_type: str | None,
) -> list[Upload]:
    if not isinstance(file, list | tuple):
        given = file if isinstance(file, SlackFile) else SlackFile(cast("FileContent", file))
        return [
            plan_upload(
                given.content,
                filename or given.filename,
                title or given.title,
                alt_text or given.alt_text,
                snippet_type or given.snippet_type,
            )
        ]
    if any((filename, title, alt_text, snippet_type)):
        raise InvalidSlackMessage(
            "filename, title, alt_text and snippet_type are those of one file. For several, give SlackFile(content, "
            "filename=…, title=…) each."
        )
    if not file:
        raise InvalidSlackMessage("file is an empty list. Give at least one file.")
    files = [each if isinstance(each, SlackFile) else SlackFile(each) for each in file]
    return [plan_upload(each.content, each.filename, each.title, each.alt_text, each.snippet_type) for each in files]


def _upload_file(
    channel: str | None,
    slack_credentials: SlackCredentials,
    file: FileContent | SlackFile | Sequence[FileContent | SlackFile],
    filename: str | None = None,
    title: str | None = None,
    initial_comment: str | None = None,
    *,
    thread_ts: str | None = None,
    alt_text: str | None = None,
    snippet_type: str | None = None,
    slack_blocks: Blocks = None,
    **options: Any,
) -> dict[str, Any]:
    uploads = _plan(file, filename, title, alt_text, snippet_type)
    arguments = {**options, "initial_comment": initial_comment, "thread_ts": thread_ts, "blocks": slack_blocks}
    return upload(channel, slack_credentials, uploads, arguments)


@task
async def aupload_file(
    channel: str | None,
    slack_credentials: SlackCredentials,
    file: FileContent | SlackFile | Sequence[FileContent | SlackFile],
    filename: str | None = None,
    title: str | None = None,
    initial_comment: str | None = None,
    *,
    thread_ts: str | None = None,
    alt_text: str | None = None,
    snippet_type: str | None = None,
    slack_blocks: Blocks = None,
    **options: Any,
) -> dict[str, Any]:
    """Async form of `upload_file`."""
    return await in_thread(
        lambda: _upload_file(
            channel,
            slack_credentials,
            file,
            filename,
            title,
            initial_comment,
            thread_ts=thread_ts,
            alt_text=alt_text,
            snippet_type=snippet_type,
            slack_blocks=slack_blocks,
            **options,
        )
    )


@sync_task(aupload_file)
def upload_file(
    channel: str | None,
    slack_credentials: SlackCredentials,
    file: FileContent | SlackFile | Sequence[FileContent | SlackFile],
    filename: str | None = None,
    title: str | None = None,
    initial_comment: str | None = None,
    *,
    thread_ts: str | None = None,
    alt_text: str | None = None,
    snippet_type: str | None = None,
    slack_blocks: Blocks = None,
    **options: Any,
) -> dict[str, Any]:
    r"""Upload a file, or several, and share them in one message.

    Content is streamed: a file of any size takes little memory. A file that broke off is sent again.

    Args:
        channel: Where to share them: ID of a channel, its name (which costs a search that needs the scope
            `channels:read`), or the ID of a user. With `None` they are uploaded, and only the app sees them.
        slack_credentials: The Slack app. It needs the scope `files:write`.
        file: A path, bytes, or a file that is open for reading in binary mode; a list of these, or of `SlackFile`.
        filename: Name of the file in Slack; by default its own. Bytes need one.
        title: Title in Slack; by default the name.
        initial_comment: Text of the message that shares the files.
        thread_ts: Time stamp of a message: the files become a reply to it.
        alt_text: What an image shows, for those who cannot see it.
        snippet_type: The language of text that is shown as a snippet, such as `python`.
        slack_blocks: Layout of the message, in the place of `initial_comment`.
        options: Further arguments of
            [files.completeUploadExternal](https://docs.slack.dev/reference/methods/files.completeUploadExternal).

    Returns:
        Slack's answer: `files` has the `id` of each file and what else Slack says of it. `channel` is the channel's ID.

    Raises:
        SlackApiFailure: If Slack refuses. Its subclasses say why; each is a `SlackApiError` of the SDK, too.
        SlackConnectionError: If Slack gives no answer.
        SlackFileNotFound: If there is no file at a path.
        InvalidSlackMessage: If an argument is not valid. It names the argument.

    Example:
        Send a report into the thread of a message:

        ```python
        from prefect import flow
        from prefect_slack import SlackCredentials
        from prefect_slack.files import upload_file
        from prefect_slack.messages import send_chat_message

        @flow
        def send_report():
            slack_credentials = SlackCredentials.load("BLOCK_NAME")
            message = send_chat_message("#general", slack_credentials, "The report is there.")
            upload_file(
                message["channel"],
                slack_credentials,
                b"region,amount\nnorth,7\n",
                filename="sales.csv",
                title="Sales",
                thread_ts=message["ts"],
            )
        ```
    """
    return _upload_file(
        channel,
        slack_credentials,
        file,
        filename,
        title,
        initial_comment,
        thread_ts=thread_ts,
        alt_text=alt_text,
        snippet_type=snippet_type,
        slack_blocks=slack_blocks,
        **options,
    )
