"""Parsers of prefect-sqlalchemy."""

from __future__ import annotations

import traceback

from prefect_sqlalchemy._urls import is_async, read_url, secrets_of, shown, subject_of, without_secret_options
from prefect_sqlalchemy.errors import DatabaseUrlUnsupported

from ..registry import refusal, refusing, target

_MARK = "q7Zx"


@target(
    "postgresql+psycopg2://u:p@h:5432/d?sslpassword=x",
    "sqlite:///a.db",
    "sqlite://",
    "mysql://h:x/d",
    "oracle+x://[/",
    "a://",
)
def urls(text: str) -> None:
    """A URL is read and shown, or refused by the error for that."""
    with refusing(DatabaseUrlUnsupported):
        url = read_url(text)
        shown(url)
        subject_of(url)
        without_secret_options(url)
        with refusing(DatabaseUrlUnsupported):
            is_async(url)


@target("p#ss", "p?ss", "p/ss", "p@ss", "p:ss", "p\u2100ss", "p%zz", "[", "p ss")
def passwords(password: str) -> None:
    """Neither a shown URL nor a refusal holds a password of it."""
    secret = f"{_MARK}{password}{_MARK}"
    for text in (
        f"postgresql://u:{secret}@h/d",
        f"postgresql://u:{secret}@h:x/d",
        f"postgresql://h/d?password={secret}&sslpassword={secret}",
        f"nope{secret}",
    ):
        error = refusal(lambda text=text: read_url(text), DatabaseUrlUnsupported)
        if error is not None:
            assert _MARK not in "".join(traceback.format_exception(error))
            continue
        url = read_url(text)
        if _MARK in url.drivername:
            continue  # a name is no secret
        if url.password and _MARK not in (url.host or "") + (url.database or ""):
            assert secrets_of(url, None)
            assert _MARK not in shown(url) or any(_MARK in name for name in url.query), shown(url)
