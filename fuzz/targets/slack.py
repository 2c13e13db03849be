"""Parsers of prefect-slack."""

from __future__ import annotations

from prefect_slack._reach import checked_api_url
from prefect_slack._text import MAX_HEADER, header_text, split_text, truncate_text

from ..registry import refusing, target

_LIMIT = 50


@target(
    "word " * 30,
    "a\n```\ncode\n" + "x" * 120,
    "<https://example.com|label> " * 6,
    "&amp;" * 30,
    "\U0001f468\u200d" * 40,
    "```" * 30,
)
def texts(text: str) -> None:
    """Parts fit, and together they have all that the text had."""
    parts = split_text(text, _LIMIT)
    assert parts
    assert all(len(part) <= _LIMIT for part in parts)
    kept, given = ("".join("".join(each).replace("`", "").split()) for each in (parts, text))
    assert kept == given
    assert len(truncate_text(text, _LIMIT)) <= _LIMIT
    header = header_text(text)
    assert len(header) <= MAX_HEADER
    assert "\n" not in header


@target("https://slack.com/api/", "http://127.0.0.1:1", "http://h", "https://[", "ftp://x", "http://localhost@h")
def api_urls(text: str) -> None:
    """A token goes over TLS or stays on this machine."""
    with refusing(ValueError):
        url = checked_api_url(text)
        assert url.endswith("/")
        assert url.startswith(("https://", "http://"))
