"""What kind of statement a text of SQL is, as far as it matters for reading and committing."""

from __future__ import annotations

import re

__all__ = ["first_word", "is_plain_read"]

_READS = frozenset({"SELECT", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "FROM", "WITH", "PRAGMA"})
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|REPLACE|INTO|CALL)\b", re.IGNORECASE)
# What stands before the first word: blanks, brackets, comments.
_BEFORE = re.compile(r"(?:\s+|\(|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]+")
# What is no word of SQL, wherever it stands: texts, quoted names, comments.
_NO_WORDS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)


def first_word(operation: str) -> str:
    """Say which word a statement begins with, in upper case; empty if it begins with none.

    Args:
        operation: The SQL; comments and brackets before the word are passed over.
    """
    start = _BEFORE.match(operation)
    found = _WORD.match(operation, start.end() if start else 0)
    return found[0].upper() if found else ""


def is_plain_read(operation: str) -> bool:
    """Say whether a statement surely only reads, apart from functions that it calls.

    Of a statement that writes and gives rows (`INSERT … RETURNING`, `WITH … DELETE`) the rows must be read before it
    can be committed. When in doubt the answer is no.

    Args:
        operation: The SQL.
    """
    return first_word(operation) in _READS and not _WRITES.search(_NO_WORDS.sub(" ", operation))
