"""Parsers of prefect-databricks."""

from __future__ import annotations

import traceback

from prefect_databricks._address import hostname, workspace_address

from ..registry import refusal, refusing, target

_MARK = "q7Z" + "x"  # not in one piece, so that it is in no line of a traceback


@target(
    "dbc-1.cloud.databricks.com",
    "https://h/?o=1#job",
    "http://localhost:1",
    "h/api",
    "h/../x",
    "https://u:p@h",
    "https://[",
)
def addresses(text: str) -> None:
    """An address has a host and no login, and is the same when it is read again."""
    with refusing(ValueError):
        address = workspace_address(text)
        assert hostname(address)
        assert "@" not in address.partition("://")[2].partition("/")[0]
        assert workspace_address(address) == address
    error = refusal(lambda: workspace_address(f"https://u:{_MARK}{text}{_MARK}@h"), ValueError)
    assert error is None or _MARK not in "".join(traceback.format_exception(error))
