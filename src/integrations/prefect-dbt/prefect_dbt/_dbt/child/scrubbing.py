"""What must not be shown is taken out of text, by the child and, of what it prints, by its parent."""

from __future__ import annotations

import re
from collections.abc import Mapping

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_QUOTED_LINE = re.compile(r"^\s*\d+\s*\|.*\n?", re.MULTILINE)
_SECRET_PREFIXES = ("DBT_ENV_SECRET", "DBT_ENGINE_ENV_SECRET")


class Scrubber:
    """Takes secret values and colours out of text."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        found = {value for name, value in environment.items() if name.startswith(_SECRET_PREFIXES) and value.strip()}
        self._values = sorted(found, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text, fit to be shown."""
        if "\x1b" in text:
            text = _COLOURS.sub("", text)
        if "profiles.yml" in text:  # dbt quotes the lines that it could not read, and they may hold a password
            text = _QUOTED_LINE.sub("", text)
        for value in self._values:
            if value in text:
                text = text.replace(value, "*****")
        return text
