"""Names that are quoted, and statements that are told apart."""

from __future__ import annotations

import sqlite3

import pytest

from prefect_integration_kit.sql_identifiers import quote_identifier
from prefect_integration_kit.sql_statements import first_word, is_plain_read

HOSTILE = ['a"b', "a`b", "a]b", "x; DROP TABLE y --", "select", "Groß", "a.b", "a'b", "\n", " "]


@pytest.mark.parametrize(
    ("parts", "quote", "quoted"),
    [
        (("a",), '"', '"a"'),
        (("s", "t"), '"', '"s"."t"'),
        (('a"b',), '"', '"a""b"'),
        (("a`b",), "`", "`a``b`"),
        (("a]b", "c"), "[", "[a]]b].[c]"),
        (("a.b",), '"', '"a.b"'),
    ],
)
def test_a_name_is_quoted(parts, quote, quoted):
    assert quote_identifier(*parts, quote=quote) == quoted


@pytest.mark.parametrize("quote", ['"', "`"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_quoted_name_is_that_name_to_a_database(name, quote):
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"CREATE TABLE {quote_identifier(name, quote=quote)} (id)")
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [(name,)]


@pytest.mark.parametrize("parts", [(), ("",), ("a", ""), ("a\0b",)])
def test_what_is_no_name_is_refused(parts):
    with pytest.raises(ValueError, match="identifier"):
        quote_identifier(*parts)
    with pytest.raises(TypeError, match="must be text"):
        quote_identifier(7)
    with pytest.raises(ValueError, match="quote is"):
        quote_identifier("a", quote="x")


@pytest.mark.parametrize(
    ("operation", "word", "reads"),
    [
        ("SELECT 1", "SELECT", True),
        ("  select * from t", "SELECT", True),
        ("-- a comment\n/* and\nanother */ (SELECT 1)", "SELECT", True),
        ("SELECT 'insert into', \"update\", `delete` FROM t -- merge", "SELECT", True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "WITH", True),
        ("WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a", "WITH", False),
        ("INSERT INTO t VALUES (1) RETURNING id", "INSERT", False),
        ("SELECT * INTO t2 FROM t", "SELECT", False),
        ("EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN", False),
        ("CALL p()", "CALL", False),
        ("VALUES (1)", "VALUES", True),
        ("", "", False),
        ("-- only a comment", "", False),
        ("1", "", False),
    ],
)
def test_statements_are_told_apart(operation, word, reads):
    assert first_word(operation) == word
    assert is_plain_read(operation) is reads
