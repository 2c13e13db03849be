"""Parsers of prefect-gitlab."""

from __future__ import annotations

from urllib.parse import unquote

from prefect_gitlab._api import project_path
from prefect_gitlab.credentials import GitLabCredentials

from ..registry import refusing, target


@target("group/name", "7", "../x", "a?b#c", "/", " ", "a%2Fb")
def projects(text: str) -> None:
    """A project is one part of an address."""
    with refusing(ValueError, UnicodeError):
        part = project_path(text).removeprefix("/projects/")
        assert not set(part) & set("/?# ")
        assert unquote(part) == text.strip("/")
        assert part not in (".", "..")


@target("https://gitlab.example.com", "https://[", "http://h", "ssh://x", "https://u:p@h", "https://h\u2100")
def urls(text: str) -> None:
    """The address of a server is taken, or refused as pydantic refuses."""
    with refusing(ValueError):
        GitLabCredentials(token="t", url=text)  # pyright: ignore[reportArgumentType]
