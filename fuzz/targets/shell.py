"""Parsers of prefect-shell."""

from __future__ import annotations

import shlex

from prefect_shell.errors import ShellOptionError
from prefect_shell.quoting import join, quote

from ..registry import refusing, target


@target("a b", "it's", "$(id)", "-x", "\n", "", "\\", "\0", "\u2018")
def quoting(value: str) -> None:
    """A quoted value is one word, and that word; also for PowerShell."""
    with refusing(ShellOptionError):
        assert shlex.split(quote(value, "bash")) == [value]
        assert shlex.split(join([value, "x", value], "sh")) == [value, "x", value]
        inner = quote(value, "pwsh")[1:-1]
        for mark in "'\u2018\u2019\u201a\u201b":
            assert mark not in inner.replace(mark * 2, "")
