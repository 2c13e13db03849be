"""What is copied of a container's output, how its end is told, and which remains are removed."""

from __future__ import annotations

import signal
import uuid
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from prefect_docker._worker.collection import Remains, to_remove
from prefect_docker._worker.outcomes import UNKNOWN_EXIT_CODE, ended_of, outcome_of
from prefect_docker._worker.output import Copied
from prefect_docker._worker.times import as_since, nanoseconds
from prefect_docker._worker.wire import frames, lines
from prefect_docker.settings import DockerWorkerSettings

NOW = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)


async def pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
async def test_frames_are_found_however_the_stream_is_cut(size: int) -> None:
    stream = frame(1, b"a\n") + frame(2, b"") + frame(2, b"bb\n") + frame(1, b"c")
    cut = [stream[start : start + size] for start in range(0, len(stream), size)]
    found = [entry async for entry in frames(pieces(cut))]
    assert found == [(1, b"a\n"), (2, b""), (2, b"bb\n"), (1, b"c")]


async def test_a_stream_without_frames_is_refused_rather_than_waited_for() -> None:
    with pytest.raises(ValueError, match="not in frames"):
        _ = [entry async for entry in frames(pieces([b"plain text without any frame"]))]


async def test_a_terminals_output_is_cut_at_its_lines() -> None:
    found = [entry async for entry in lines(pieces([b"a\nb", b"c\n", b"d"]))]
    assert found == [(1, b"a\n"), (1, b"bc\n"), (1, b"d")]


def at(second: float, text: str) -> bytes:
    moment = NOW + timedelta(seconds=second)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z {text}\n".encode()


def test_what_was_copied_is_passed_over_when_the_stream_is_taken_up_again() -> None:
    copied = Copied()
    first = [(1, at(0, "a")), (2, at(0.5, "b")), (1, at(0.5, "c")), (1, at(0.5, "c"))]
    assert [copied.new_text(*entry) for entry in first] == [b"a\n", b"b\n", b"c\n", b"c\n"]
    start = nanoseconds("2026-05-04T12:00:00.500000000Z")
    assert start is not None
    assert copied.since == as_since(start - 1_000_000_000)
    copied.taken_up()
    # A line of the other stream, older than the last one, was not there yet when the stream broke.
    again = [*first, (2, at(0.4, "late")), (1, at(0.5, "c")), (1, at(2, "d"))]
    assert [text for entry in again if (text := copied.new_text(*entry)) is not None] == [b"late\n", b"c\n", b"d\n"]


def test_what_is_remembered_of_the_output_does_not_grow_with_it() -> None:
    copied = Copied()
    for number in range(5_000):
        copied.new_text(1, at(number * 0.1, f"line {number}"))
    assert len(copied._recent) < 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("0001-01-01T00:00:00Z", -62135596800_000_000_000),
        ("soon", None),
        ("", None),
    ],
)
def test_times_are_read_as_the_engine_writes_them(text: str, expected: int | None) -> None:
    assert nanoseconds(text) == expected


# How containers end --------------------------------------------------------------------------------------------------


def ended(exit_code: int, **state: Any) -> dict[str, Any]:
    return {
        "Id": uuid.uuid4().hex,
        "State": {"Status": "exited", "ExitCode": exit_code, "FinishedAt": "2026-05-04T12:00:00.25Z", **state},
        "HostConfig": {"Memory": 16 << 20},
    }


@pytest.mark.parametrize(
    ("document", "exit_code", "words"),
    [
        (ended(3), 3, "exited with code 3."),
        (ended(126), 126, "not executable"),
        (ended(127), 127, "command was not found"),
        (ended(137), 137, "SIGKILL"),
        (ended(137, OOMKilled=True), 137, "ran out of memory and was killed (exit code 137): its limit is 16 MiB"),
        (ended(1, OOMKilled=True), 1, "ran out of memory"),
        (ended(128 + signal.SIGSEGV), 139, "SIGSEGV"),
        (ended(143), 143, "SIGTERM"),
        (ended(128, Error="no such device"), 128, "The engine says: no such device"),
        (ended(0, OOMKilled=True), 0, "exited with code 0"),
        (None, UNKNOWN_EXIT_CODE, "removed before its end was seen"),
    ],
)
def test_the_end_of_a_container_is_told_with_its_cause(
    document: dict[str, Any] | None, exit_code: int, words: str
) -> None:
    outcome = outcome_of("web", document)
    assert outcome.exit_code == exit_code
    assert outcome.succeeded is (exit_code == 0)
    assert "'web'" in outcome.message
    assert words in outcome.message
    if document is not None:
        assert outcome.ended_at == NOW + timedelta(seconds=0.25)


def test_an_end_is_that_of_the_run_that_names_the_container_however_its_engine_is_written() -> None:
    told = ended_of("web", "unix:///run/docker.sock:0f3a", outcome_of("web", ended(1)))
    assert told.is_named_by("http+docker://localhost:0f3a")
    assert not told.is_named_by("unix:///run/docker.sock:0f3b")
    assert not told.is_named_by("cluster::task")


# Which remains are removed -------------------------------------------------------------------------------------------


def remains(minutes_ago: float, exit_code: int = 0, *, auto_remove: bool = False) -> Remains:
    return Remains(f"{minutes_ago}", exit_code, NOW - timedelta(minutes=minutes_ago), auto_remove)


ALL = [remains(0.5), remains(5), remains(10, exit_code=1), remains(20), remains(30, auto_remove=True)]


@pytest.mark.parametrize(
    ("policy", "removed"),
    [
        ({}, {"30"}),
        ({"remove_after_seconds": 600.0}, {"10", "20", "30"}),
        ({"remove_after_seconds": 600.0, "keep_failed": True}, {"20", "30"}),
        ({"keep_count": 1}, {"10", "20", "30"}),
        ({"keep_count": 0}, {"5", "10", "20", "30"}),
        ({"keep_count": 1, "keep_failed": True}, {"20", "30"}),
        ({"remove_after_seconds": 1100.0, "keep_count": 1}, {"10", "20", "30"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_what_is_old_or_too_much_is_removed(policy: dict[str, Any], removed: set[str]) -> None:
    chosen = to_remove(ALL, DockerWorkerSettings(**policy), NOW)
    assert {item.container_id for item in chosen} == removed
