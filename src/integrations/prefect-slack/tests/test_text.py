"""Long texts: nothing is lost, nothing breaks in the middle."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_slack._text import header_text, split_text, truncate_text

PIECES = st.sampled_from(["word", " ", "\n", "```", "`", "<https://example.com/a|b c>", "&amp;", "é", "👩‍👩‍👧", "👍🏽"])
TEXTS = st.lists(PIECES, max_size=120).map("".join)


@given(TEXTS, st.integers(50, 90))
def test_parts_fit_and_lose_no_character_but_spaces(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert parts
    assert max(map(len, parts)) <= limit

    def bare(value: str) -> str:
        return re.sub(r"[\s`]", "", value)

    assert bare("".join(parts)) == bare(text)


@given(TEXTS, st.integers(50, 90))
def test_a_truncated_text_fits(text: str, limit: int) -> None:
    assert len(truncate_text(text, limit)) <= limit


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [""]),
        ("short", ["short"]),
        ("a" * 40 + "\n" + "b" * 40, ["a" * 40, "b" * 40]),
        ("a" * 40 + " " + "b" * 40, ["a" * 40, "b" * 40]),
        ("a" * 60, ["a" * 46, "a" * 14]),
        ("a" * 40 + "<https://example.com|x y>", ["a" * 40, "<https://example.com|x y>"]),
        ("a" * 43 + "&amp;" + "b" * 20, ["a" * 43, "&amp;" + "b" * 20]),
        ("a" * 45 + "👩‍👩‍👧" + "b" * 9, ["a" * 45, "👩‍👩‍👧" + "b" * 9]),
        ("```\n" + "x = 1\n" * 10 + "```", ["```\n" + "x = 1\n" * 6 + "x = 1\n```", "```\nx = 1\nx = 1\nx = 1\n```"]),
    ],
    ids=["empty", "short", "line", "word", "none", "link", "entity", "emoji", "code"],
)
def test_where_it_is_cut(text: str, parts: list[str]) -> None:
    assert split_text(text, 50) == parts


def test_a_truncated_text_ends_with_an_ellipsis() -> None:
    assert truncate_text("word " * 20, 50) == "word " * 8 + "word …"
    assert truncate_text("```\n" + "x = 1\n" * 10 + "```", 50).endswith("```\n…")


def test_a_header_is_one_line_of_150_characters() -> None:
    assert header_text("Nightly\n\treport ") == "Nightly report"
    assert len(header_text("x" * 200)) == 150
