from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_integration_docs import prose

FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})[^`\n]*\n.*?^\1\2[ ]*$", re.DOTALL | re.MULTILINE)


def link(name: str) -> str | None:
    known = {"S3Bucket": "/s3#s3bucket", "acme.s3.S3Bucket": "/s3#s3bucket", "read_path": "/s3#read_path"}
    return known.get(name.removesuffix("()"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Set {x} here.", r"Set \{x\} here."),
        ("`{x}` stays.", "`{x}` stays."),
        ("a < b and <b>", r"a \< b and \<b>"),
        (r"already \{escaped\}", r"already \{escaped\}"),
        ("See <https://example.com/a_b>.", "See [https://example.com/a\\_b](https://example.com/a_b)."),
        ("Write to <me@example.com>.", "Write to [me@example.com](mailto:me@example.com)."),
        ("Bare https://example.com/a_b?c=1 too", "Bare https://example.com/a_b?c=1 too"),
        ("At https://example.com/{id}/x now", "At `https://example.com/{id}/x` now"),
        ("[text {a}](https://e.com/{b})", r"[text \{a\}](https://e.com/%7Bb%7D)"),
        ("[`S3Bucket`](/there) is linked", "[`S3Bucket`](/there) is linked"),
        ("The `S3Bucket` and ``S3Bucket``", "The [`S3Bucket`](/s3#s3bucket) and [``S3Bucket``](/s3#s3bucket)"),
        (":class:`~acme.s3.S3Bucket` here", "[`S3Bucket`](/s3#s3bucket) here"),
        (":py:meth:`read <read_path>`", "[`read`](/s3#read_path)"),
        (":func:`unknown.name`", "`unknown.name`"),
        ("some_name and __init__ and _private", "`some_name` and `__init__` and `_private`"),
        ("_emphasis_ and *more*", "_emphasis_ and *more*"),
        ("read_path() reads", "[`read_path()`](/s3#read_path) reads"),
        ("takes *args and **kwargs on", "takes `*args` and `**kwargs` on"),
        ("costs $5 or $6", r"costs \$5 or \$6"),
        ("10_000 rows", "10_000 rows"),
        ("import this\nand that", "&#105;mport this\nand that"),
        ("a line\nimport this", "a line\nimport this"),
        ("export it", "&#101;xport it"),
        ("important", "important"),
        ("a code span ``with ` tick {``", "a code span ``with ` tick {``"),
        ("A | B `x | y`", "A | B `x | y`"),
        ("- one ` {a}\n- two ` {b}", "- one \\` \\{a\\}\n- two \\` \\{b\\}"),
        ("a `span\n  {over}` lines", "a `span {over}` lines"),
        ("##", "\\##"),
        ("``{`", "\\`\\`\\{\\`"),
    ],
)
def test_text_says_the_same_in_mdx(text: str, expected: str) -> None:
    link_of = link if "S3Bucket" in text or "read" in text else prose.no_links

    assert prose.render(text, below=3, link=link_of) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Usage", "#### Usage"),
        ("### Deep\n\nText", "###### Deep\n\nText"),
        ("Title\n=====\nText", "#### Title\nText"),
        ("Title\n-----\n\nText", "##### Title\n\nText"),
        ("Two lines of\ntext\n---", "Two lines of\ntext\n\\---"),
        ("before\n\n---\n\nafter", "before\n\n---\n\nafter"),
    ],
)
def test_headings_are_put_below_the_member(text: str, expected: str) -> None:
    assert prose.render(text, below=3) == expected
    assert [level for level, _ in prose.headings(text, below=3)] == [
        len(line) - len(line.lstrip("#")) for line in expected.splitlines() if line.startswith("#")
    ]


def test_fences_are_left_as_they_are() -> None:
    text = "```python runnable\nx = {1: '<a>'}  # {y}\n# not a heading\n```\nafter {z}"

    assert prose.render(text, below=3) == "```python\nx = {1: '<a>'}  # {y}\n# not a heading\n```\nafter \\{z\\}"


def test_a_fence_that_is_never_closed_is_closed() -> None:
    assert prose.render("text\n```python\nx = {}", below=3) == "text\n```python\nx = {}\n```"


def test_a_doctest_becomes_a_fence() -> None:
    assert prose.render("Text:\n\n>>> {1}\n{1}\n\nMore", below=3) == ("Text:\n\n```python\n>>> {1}\n{1}\n```\n\nMore")


def test_indented_code_becomes_a_fence_since_mdx_has_none() -> None:
    assert prose.render("So::\n\n    x = {1: 2}\n\n    y = 3\n\nThen", below=3) == (
        "So:\n\n```python\nx = {1: 2}\n\ny = 3\n```\n\nThen"
    )
    assert prose.render("So:\n\n    prefect server start {x}\n", below=3) == (
        "So:\n\n```text\nprefect server start {x}\n```"
    )


def test_what_is_indented_in_a_list_stays_in_the_list() -> None:
    text = "- one\n\n    more of {one}\n- two\n    and {two}"

    assert prose.render(text, below=3) == "- one\n\n    more of \\{one\\}\n- two\n    and \\{two\\}"


@given(st.text(alphabet=st.sampled_from("ab_ {}<>$`*#[]()\\\n-=:/.~1import "), max_size=80))
def test_no_brace_is_left_outside_of_code(text: str) -> None:
    made = prose.render(text, below=3)

    outside = re.sub(r"(?<!`)(`+)(?!`).*?[^`]\1(?!`)", "", FENCE.sub("", made + "\n"), flags=re.DOTALL)
    assert re.search(r"(?<!\\)(?:\\\\)*[{}<](?!/?\w+@)", outside) is None, made


@pytest.mark.parametrize(
    ("code", "expected"), [("x", "`x`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a``b`c", "```a``b`c```")]
)
def test_code_is_quoted_whatever_it_holds(code: str, expected: str) -> None:
    assert prose.code(code) == expected
