from __future__ import annotations

import io
import logging
import sys
from typing import Any

import pytest

from prefect_integration_kit.progress import Progress, readable_size


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (2**30, "1.0 GiB"), (5 * 2**40, "5.0 TiB")],
)
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    assert readable_size(size) == text


class TestLines:
    @pytest.fixture
    def progress(self, fake_clock: Any, caplog: pytest.LogCaptureFixture) -> Progress:
        caplog.set_level("INFO")
        return Progress(logging.getLogger("transfers"), clock=fake_clock, terminal=False)

    def test_a_short_transfer_says_one_line(self, progress: Progress, caplog: Any) -> None:
        with progress.over("files to s3://b", 2):
            progress.advance(1000)
            progress.advance(24)
        assert caplog.messages == ["Transferred 2 files to s3://b (1.0 KiB) in 0.0 seconds"]

    def test_a_long_one_says_a_line_each_interval(self, progress: Progress, fake_clock: Any, caplog: Any) -> None:
        with progress.over("files", None):
            for _ in range(25):
                fake_clock.advance(1)
                progress.advance(1)
        assert caplog.messages == [
            "10 files so far (10 B)",
            "20 files so far (20 B)",
            "Transferred 25 files (25 B) in 25.0 seconds",
        ]

    def test_a_failed_one_does_not_claim_to_be_done(self, progress: Progress, caplog: Any) -> None:
        with pytest.raises(OSError, match="broke"), progress.over("files", 2):
            raise OSError("broke")
        assert caplog.messages == []


def test_a_terminal_shows_a_bar_and_no_interim_lines(
    fake_clock: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    caplog.set_level("INFO")
    progress = Progress(logging.getLogger("transfers"), clock=fake_clock, terminal=True)
    other = Progress(logging.getLogger("transfers"), clock=fake_clock, terminal=True)
    with progress.over("files to [/] odd", 2), other.over("others", 1):
        fake_clock.advance(60)
        progress.advance(1)
        progress.advance(1)
        other.advance(1)
    assert "files to [/] odd" in screen.getvalue()
    assert "100%" in screen.getvalue()
    assert caplog.messages[0].startswith("1 others so far")  # one bar at a time
    assert sum("so far" in message for message in caplog.messages) == 1
