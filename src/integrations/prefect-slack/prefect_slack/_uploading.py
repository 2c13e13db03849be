"""Send files by Slack's three steps: ask for a URL, send the content there, finish.

https://docs.slack.dev/messaging/working-with-files#upload
"""

from __future__ import annotations

import http.client
import io
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from prefect_integration_kit.endpoints import may_have_tokens
from prefect_integration_kit.file_objects import StoppableSource, require_binary, size_from_here
from prefect_integration_kit.logs import run_logger
from prefect_slack._calls import Json, SlackCalls
from prefect_slack._channels import channel_id
from prefect_slack._posting import check_ts
from prefect_slack._reach import proxy_of, tls_context_of
from prefect_slack._refusals import unreachable
from prefect_slack._waits import current_stop
from prefect_slack.errors import InvalidSlackMessage, SlackFileNotFound, SlackServiceError

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

    from prefect_slack.credentials import SlackCredentials

_OK = range(200, 300)
_TOO_MANY, _SERVER_ERROR = 429, 500


@dataclass(frozen=True)
class Upload:
    """One file, checked and measured.

    Attributes:
        source: A path, or a file and where it stands.
        filename: Its name in Slack.
        title: Its title in Slack.
        size_bytes: How long it is.
        alt_text: What an image shows.
        snippet_type: Language of a snippet.
    """

    source: Path | tuple[BinaryIO, int]
    filename: str
    title: str | None
    size_bytes: int
    alt_text: str | None
    snippet_type: str | None

    @contextmanager
    def open(self) -> Generator[BinaryIO]:
        """Open the content from its beginning, so that it can be sent again."""
        if isinstance(self.source, Path):
            with self.source.open("rb") as file:
                yield file
        else:
            file, start = self.source
            file.seek(start)
            yield file


def plan_upload(
    content: Any, filename: str | None, title: str | None, alt_text: str | None, snippet_type: str | None
) -> Upload:
    """Check and measure a file before Slack is asked.

    Args:
        content: A path, bytes, or a file that is open for reading.
        filename: Its name in Slack; by default its own.
        title: Its title in Slack.
        alt_text: What an image shows.
        snippet_type: Language of a snippet.

    Raises:
        InvalidSlackMessage: If nothing can be sent of it. It says why.
    """
    source: Path | tuple[BinaryIO, int]
    if isinstance(content, bytes | bytearray):
        source, size, name = (io.BytesIO(content), 0), len(content), filename
        if name is None:
            raise InvalidSlackMessage("filename is missing. Give the name that the bytes have in Slack.")
    elif isinstance(content, str | os.PathLike):
        path = Path(cast("str", content)).expanduser()
        _check_path(path)
        source, size, name = path, path.stat().st_size, filename or path.name
    else:
        file: BinaryIO = content
        if not callable(getattr(file, "read", None)):
            raise InvalidSlackMessage(
                f"file is of type {type(content).__name__}. Give a path, bytes or a file that is open for reading."
            )
        _require_binary(file)
        measured = size_from_here(file)
        if measured is None:
            raise InvalidSlackMessage("file cannot be measured, as a pipe: Slack wants its length. Give its bytes.")
        own_name = getattr(file, "name", None)
        name = filename or (Path(own_name).name if isinstance(own_name, str) else None)
        if name is None:
            raise InvalidSlackMessage("filename is missing. Give the name that the file has in Slack.")
        source, size = (file, file.tell()), measured
    if size == 0:
        raise InvalidSlackMessage(f"file {name!r} is empty, and Slack takes no empty files.")
    return Upload(source, name, title, size, alt_text, snippet_type)


def _check_path(path: Path) -> None:
    if path.is_dir():
        raise InvalidSlackMessage(f"file {str(path)!r} is a folder. Give files, or an archive of it.")
    if not path.exists():
        raise SlackFileNotFound(
            f"file {str(path)!r} does not exist. Relative paths start at the working directory, {str(Path.cwd())!r}."
        )


def _require_binary(file: object) -> None:
    try:
        require_binary(file)
    except TypeError as exc:
        raise InvalidSlackMessage(f"file: {exc}") from exc


def upload(
    channel: str | None,
    slack_credentials: SlackCredentials,
    uploads: Sequence[Upload],
    arguments: Mapping[str, Any],
) -> Json:
    """Send files, and share them together.

    Args:
        channel: Where they are shared; nowhere if it is `None`.
        slack_credentials: The Slack app.
        uploads: The files.
        arguments: Further arguments of the last step.
    """
    if arguments.get("thread_ts") is not None:
        check_ts(arguments["thread_ts"], "thread_ts")
        if channel is None:
            raise InvalidSlackMessage("thread_ts needs channel: a thread is in a channel.")
    calls = SlackCalls(slack_credentials)
    target = None if channel is None else channel_id(calls, channel)
    files: list[Json] = []
    for each in uploads:
        file_id = calls.repeat(lambda each=each: _upload_content(calls, slack_credentials, each))
        files.append({"id": file_id, **({"title": each.title} if each.title else {})})
    names = ", ".join(repr(each.filename) for each in uploads)
    answer = calls.call(
        "files.completeUploadExternal",
        {**arguments, "files": files, "channel_id": target},
        to=f"of {names}" if channel is None else f"of {names} in {channel!r}",
        is_repeatable=False,
    )
    run_logger(__name__).info("Uploaded %s to %s", names, channel or "Slack")
    return {**answer, "channel": target}


def _upload_content(calls: SlackCalls, credentials: SlackCredentials, item: Upload) -> str:
    """Do the first two steps for one file, which are done anew together: the URL is for one attempt."""
    given = {
        "filename": item.filename,
        "length": item.size_bytes,
        "alt_txt": item.alt_text,
        "snippet_type": item.snippet_type,
    }
    ticket = calls.call("files.getUploadURLExternal", given, to=f"for {item.filename!r}")
    url, subject = str(ticket["upload_url"]), f"Slack, upload of {item.filename!r}"
    if not may_have_tokens(url):
        raise SlackServiceError(f"{subject}: Slack named an address without TLS, and nothing was sent there.")
    with item.open() as file:
        _send(credentials, url, StoppableSource(file, current_stop()), item.size_bytes, subject)
    return str(ticket["file_id"])


def _send(credentials: SlackCredentials, url: str, source: StoppableSource, size_bytes: int, subject: str) -> None:
    from urllib.error import HTTPError
    from urllib.request import Request

    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
    request = Request(url, data=cast("Any", source), headers=headers, method="POST")  # noqa: S310 - checked above
    try:
        with _opener(credentials).open(request, timeout=credentials.timeout_seconds) as response:
            status = int(response.status)
    except HTTPError as exc:
        exc.close()
        status = exc.code
    except (OSError, http.client.HTTPException) as exc:
        raise unreachable(exc, subject, credentials.timeout_seconds) from exc
    if status not in _OK:
        error = SlackServiceError(
            f"{subject}: Slack answered status {status}. {SlackServiceError.remedy}",
            subject=subject,
            status_code=status,
        )
        error.is_transient = status >= _SERVER_ERROR or status == _TOO_MANY
        raise error


def _opener(credentials: SlackCredentials) -> OpenerDirector:
    from urllib.request import HTTPSHandler, ProxyHandler, build_opener

    proxy = proxy_of(credentials)
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    return build_opener(ProxyHandler(proxies), HTTPSHandler(context=tls_context_of(credentials)))
