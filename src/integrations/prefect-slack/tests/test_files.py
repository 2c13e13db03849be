"""Files: sent by the three steps, streamed, shared together, and again when they broke off."""

from __future__ import annotations

import asyncio
import io
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from prefect_integration_tests.backends.slack import TOKEN, SlackServer
from prefect_slack import SlackCredentials, SlackFile, upload_file
from prefect_slack.errors import (
    InvalidSlackMessage,
    SlackConnectionError,
    SlackFileNotFound,
    SlackPermissionError,
    SlackServiceError,
)
from prefect_slack.files import aupload_file
from prefect_slack.messages import asend_chat_message


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A file."""
    path = tmp_path / "bericht ü.csv"
    path.write_bytes(b"region,amount\nnorth,7\n")
    return path


def send(credentials: SlackCredentials, file: Any, channel: str | None = "#general", **options: Any) -> Any:
    return upload_file.fn(channel, credentials, file, **options)


def test_a_path_goes_through_the_three_steps(slack: SlackServer, credentials: SlackCredentials, report: Path) -> None:
    channel = slack.channel("general").id
    answer = send(credentials, report, channel, title="Sales", initial_comment="Here it is")
    assert [call.method for call in slack.calls] == [
        "files.getUploadURLExternal",
        "upload",
        "files.completeUploadExternal",
    ]
    stored = slack.files[answer["files"][0]["id"]]
    assert (stored["filename"], stored["title"], stored["channel"]) == ("bericht ü.csv", "Sales", channel)
    assert stored["content"] == report.read_bytes()
    assert (answer["channel"], slack.channel("general").messages[0]["text"]) == (channel, "Here it is")


@pytest.mark.parametrize("kind", ["str", "bytes", "bytearray", "open", "memory", "half"])
def test_content_comes_from_anywhere(
    kind: str, slack: SlackServer, credentials: SlackCredentials, report: Path
) -> None:
    content = report.read_bytes()
    half = io.BytesIO(b"skip" + content)
    half.seek(4)
    sources: dict[str, Callable[[], Any]] = {
        "str": lambda: str(report),
        "bytes": lambda: content,
        "bytearray": lambda: bytearray(content),
        "open": lambda: report.open("rb"),
        "memory": lambda: io.BytesIO(content),
        "half": lambda: half,
    }
    source = sources[kind]()
    answer = send(credentials, source, filename=None if kind in ("str", "open") else "a.csv")
    if kind == "open":
        assert not source.closed  # it is the caller's
        source.close()
    stored = slack.files[answer["files"][0]["id"]]
    assert stored["content"] == content
    assert stored["filename"] == ("bericht ü.csv" if kind in ("str", "open") else "a.csv")


def test_several_files_are_shared_in_one_thread(
    slack: SlackServer, credentials: SlackCredentials, report: Path
) -> None:
    parent = asyncio.run(asend_chat_message.fn("#general", credentials, "Reports"))
    files = [report, SlackFile(b"print(1)\n", filename="a.py", title="Code", snippet_type="python"), SlackFile(report)]
    answer = send(credentials, files, parent["channel"], thread_ts=parent["ts"])
    assert [each["title"] for each in answer["files"]] == ["bericht ü.csv", "Code", "bericht ü.csv"]
    reply = slack.channel("general").messages[1]
    assert (reply["thread_ts"], len(reply["files"])) == (parent["ts"], 3)
    assert slack.called("files.getUploadURLExternal")[1].arguments["snippet_type"] == "python"


def test_an_image_has_an_alternative_text(slack: SlackServer, credentials: SlackCredentials) -> None:
    send(credentials, b"png", filename="a.png", alt_text="A chart")
    assert slack.called("files.getUploadURLExternal")[0].arguments["alt_txt"] == "A chart"


def test_without_a_channel_it_is_shared_nowhere(slack: SlackServer, credentials: SlackCredentials) -> None:
    answer = send(credentials, b"x", None, filename="a")
    assert slack.files[answer["files"][0]["id"]]["channel"] is None


def test_a_user_gets_it_as_a_direct_message(slack: SlackServer, credentials: SlackCredentials) -> None:
    send(credentials, b"x", "U0000000007", filename="a")
    assert slack.channel("dm-U0000000007").messages


async def test_both_faces_work_in_flows(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials
) -> None:
    @flow
    async def example() -> None:
        await upload_file("#general", credentials, b"one", filename="a")  # pyright: ignore[reportGeneralTypeIssues]
        await aupload_file("#general", credentials, b"two", filename="b")

    await example()
    assert [file["content"] for file in slack.files.values()] == [b"one", b"two"]


def test_a_sync_flow_uploads(prefect_harness: None, slack: SlackServer, credentials: SlackCredentials) -> None:
    @flow
    def example() -> Any:
        return upload_file("#general", credentials, b"one", filename="a")

    assert example()["ok"]


@pytest.mark.parametrize("when", ["cut", "lost", "before", "after", "garbled"])
def test_an_upload_that_broke_off_is_sent_again_whole(
    when: Any, slack: SlackServer, credentials: SlackCredentials, sleeps: list[float]
) -> None:
    slack.fail("upload", "busy", status=503, when=when)
    answer = send(credentials, io.BytesIO(b"content"), filename="a")
    assert slack.files[answer["files"][0]["id"]]["content"] == b"content"
    assert len(slack.called("upload")) == 2
    assert len(slack.channel("general").messages) == len(sleeps) == 1


def test_all_three_steps_go_through_the_proxy(slack: SlackServer, credentials: SlackCredentials) -> None:
    fields = {**dict(credentials), "base_url": "http://localhost:9/api/", "proxy": slack.endpoint}
    send(SlackCredentials(**fields), b"x", slack.channel("general").id, filename="a")
    assert all(call.proxied_to for call in slack.calls)
    assert len(slack.calls) == 3


def test_a_refused_upload_is_not_repeated(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.fail("upload", "no", status=403)
    with pytest.raises(SlackServiceError, match="upload of 'a': Slack answered status 403"):
        send(credentials, b"x", filename="a")
    assert len(slack.called("upload")) == 1


def test_files_are_not_shared_twice(slack: SlackServer, credentials: SlackCredentials, sleeps: list[float]) -> None:
    slack.fail("files.completeUploadExternal", when="lost")
    with pytest.raises(SlackConnectionError, match="It may have been done"):
        send(credentials, b"x", filename="a")
    assert len(slack.channel("general").messages) == 1


def test_content_is_streamed(slack: SlackServer, credentials: SlackCredentials, tmp_path: Path) -> None:
    size = 30_000_000
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(size)
    slack.fail("upload", "too large", status=403)  # so that only the sender may hold it
    slack_read = _Counting(path)
    tracemalloc.start()
    try:
        with pytest.raises(SlackServiceError):
            send(credentials, slack_read, filename="large.bin")
    finally:
        tracemalloc.stop()
    assert slack_read.largest < 1_000_000


class _Counting(io.FileIO):
    """A file that knows how much was read at once."""

    largest = 0

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, os.fstat(self.fileno()).st_size if size is None or size < 0 else size)
        return super().read(size if size is not None else -1)


def test_a_missing_scope_says_which(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.scopes[TOKEN] = frozenset({"chat:write"})
    with pytest.raises(SlackPermissionError, match="needs the scope files:write, and the token has chat:write"):
        send(credentials, b"x", slack.channel("general").id, filename="a")


def test_bad_input_is_refused_before_slack_is_asked(
    slack: SlackServer, credentials: SlackCredentials, tmp_path: Path
) -> None:
    def refused(file: Any, match: str, channel: str | None = "#general", **options: Any) -> InvalidSlackMessage:
        with pytest.raises(InvalidSlackMessage, match=match) as caught:
            send(credentials, file, channel, **options)
        return caught.value

    assert isinstance(refused("no.csv", "'no.csv' does not exist. Relative paths start at"), FileNotFoundError)
    assert isinstance(refused("no.csv", "does not exist"), SlackFileNotFound)
    refused(tmp_path, "is a folder")
    refused(b"", "'a' is empty", filename="a")
    refused(b"x", "filename is missing")
    refused(io.BytesIO(b"x"), "filename is missing")
    refused(io.StringIO("x"), "open in text mode", filename="a")
    refused(7, "file is of type int")
    refused([], "empty list")
    refused([b"x"], "those of one file", title="T")
    refused(b"x", "thread_ts needs channel", None, filename="a", thread_ts="1.5")
    refused(b"x", "thread_ts is 'now'", filename="a", thread_ts="now")
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        refused(pipe, "cannot be measured", filename="a")
    assert not slack.calls
