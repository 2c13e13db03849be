"""Parsers of prefect-github."""

from __future__ import annotations

import traceback

from prefect_github._app import clean_key
from prefect_github.credentials import GitHubCredentials

from ..registry import refusal, refusing, target


@target(
    "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN A-----\\nB\\n-----END A-----",
    "x",
)
def private_keys(text: str) -> None:
    """A key that is clean stays as it is, and what is none is not quoted."""
    error = refusal(lambda: clean_key(text), ValueError)
    if error is None:
        assert clean_key(clean_key(text)) == clean_key(text)
    else:
        assert len(text) < 40 or text not in "".join(traceback.format_exception(error))


@target("https://github.example.com", "https://[", "http://h", "ssh://x", "https://u:p@h/api/v3", "https://h\u2100")
def base_urls(text: str) -> None:
    """The address of a server is taken, or refused as pydantic refuses."""
    with refusing(ValueError):
        GitHubCredentials(token="t", base_url=text)  # pyright: ignore[reportArgumentType, reportCallIssue]
