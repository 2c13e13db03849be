"""Read a large JSON file entry by entry, holding a window of it and never the whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

_WINDOW_CHARACTERS = 256 * 1024
# A number at the edge of the window may go on behind it, and `1e+` is decoded as `1` as long as no digit follows.
_NUMBER_TAIL = 4
_WHITESPACE = " \t\n\r"


def iter_json_entries(path: Path) -> Iterator[tuple[str, str, Any]]:
    """Yield `(section, key, value)` for each entry of each section of a JSON file.

    The file holds an object of objects, as dbt's manifest does: its first level are the sections. A section that is no
    object is yielded as one entry with an empty key. Values are decoded one at a time, so the peak of memory is the
    largest entry, not the file.

    Args:
        path: The file, in UTF-8 with or without a byte order mark.

    Raises:
        ValueError: If the file is no JSON or no object at its first level.
        OSError: If the file cannot be read.
    """
    with path.open(encoding="utf-8-sig") as file:
        window = _Window(file)
        for section in window.walk_keys():
            if window.peek() == "{":
                for key in window.walk_keys():
                    yield section, key, window.value()
            else:
                yield section, "", window.value()


class _Window:
    """A part of a text file, and the place in it up to which it was read."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._read_before = 0
        self._ended = False
        self._decoder = json.JSONDecoder()

    def walk_keys(self) -> Iterator[str]:
        """Walk the keys of the object at this place; the caller reads the value of each before the next."""
        self._expect("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise self._error("Expecting a key in double quotes")
            self._expect(":")
            yield key
            if self.peek() == "}":
                self._at += 1
                return
            self._expect(",")

    def value(self) -> Any:
        """Decode the value at this place and step behind it."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as exc:
                if not self._fill():
                    raise self._error(exc.msg, exc.pos) from None
                continue
            if len(self._text) - end < _NUMBER_TAIL and self._fill():
                continue
            self._at = end
            return value

    def peek(self) -> str:
        """Step over white space and return the next character; empty at the end of the file."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _WHITESPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._fill():
                return ""

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            raise self._error(f"Expecting {character!r}")
        self._at += 1

    def _fill(self) -> bool:
        """Drop what was read and read on; the more is needed at once, the more is read at once."""
        if self._ended:
            return False
        kept = self._text[self._at :]
        more = self._file.read(max(_WINDOW_CHARACTERS, len(kept)))
        if not more:
            self._ended = True
            return False
        self._read_before += self._at
        self._text, self._at = kept + more, 0
        return True

    def _error(self, message: str, at: int | None = None) -> ValueError:
        return ValueError(f"{message}: character {self._read_before + (self._at if at is None else at)}")
