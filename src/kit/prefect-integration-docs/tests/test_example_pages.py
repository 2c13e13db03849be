from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_integration_docs.example_bodies import Code, Markdown
from prefect_integration_docs.example_pages import published, render_example, render_index
from prefect_integration_docs.examples import Example

REPOSITORY = "https://github.com/PrefectHQ/prefect"

PLAIN = Example(
    path=Path("/anywhere/examples/one_thing.py"),
    title="One thing",
    description="Shows one thing, and no other.",
    icon="play",
    keywords=("s3", "secrets manager"),
    blocks=(Markdown(10, "Some text.\n\n## A heading"), Code(14, "x = 1\n\n\ny = 2"), Markdown(18, "The end.")),
)

# Lines of text as they pass the reader: one line, stripped, something in it.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)


def page(example: Example) -> str:
    return render_example(example, REPOSITORY, "main")


def front(text: str) -> dict[str, object]:
    return yaml.safe_load(text.split("\n---\n")[0])


def test_a_page_has_its_parts_in_order() -> None:
    assert (
        page(PLAIN)
        == """\
---
title: One thing
description: Shows one thing, and no other.
icon: play
keywords: [s3, secrets manager]
---

{/* This page is written by `just docs-generate`, from examples/one_thing.py. Change that file. */}

<a href="https://github.com/PrefectHQ/prefect/blob/main/examples/one_thing.py" target="_blank">\
<Icon icon="github" /> View on GitHub</a>

Some text.

## A heading

```python
x = 1


y = 2
```

The end.
"""
    )


def test_a_page_of_its_own_project_links_there() -> None:
    text = page(replace(PLAIN, github_url="https://github.com/you/project?a=1&b=2"))

    assert 'href="https://github.com/you/project?a=1&amp;b=2"' in text
    assert "View full project on GitHub</a>" in text
    assert "examples/one_thing.py. Change" in text


def test_what_is_not_given_is_left_out() -> None:
    bare = replace(PLAIN, icon=None, keywords=(), blocks=())

    assert front(page(bare)) == {"title": "One thing", "description": "Shows one thing, and no other."}
    assert page(bare).endswith("View on GitHub</a>\n")
    assert " icon=" not in render_index([bare])


def test_tags_dependencies_and_place_are_not_shown() -> None:
    more = replace(PLAIN, tags=("t",), dependencies=("prefect-aws",), cmd=("python", "x.py"), order=7)

    assert page(more) == page(PLAIN)


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Plain words", "Plain words"),
        ("It's plain, too", "It's plain, too"),
        ("A: b", '"A: b"'),
        ("A #1", '"A #1"'),
        ("yes", '"yes"'),
        ("null", '"null"'),
        ("1e3", '"1e3"'),
        ("2026-02-30", '"2026-02-30"'),
        ("[x]", '"[x]"'),
        ("- x", '"- x"'),
        ('"x" and "y"', '"\\"x\\" and \\"y\\""'),
        ("Grüße", "Grüße"),
        ("back\\slash: x", '"back\\\\slash: x"'),
    ],
)
def test_values_are_quoted_when_yaml_needs_it(title: str, written: str) -> None:
    text = page(replace(PLAIN, title=title))

    assert text.split("\n")[1] == f"title: {written}"
    assert front(text)["title"] == title


def test_a_keyword_with_a_comma_is_quoted() -> None:
    text = page(replace(PLAIN, keywords=("a, b", "c]", "d")))

    assert 'keywords: ["a, b", "c]", d]' in text
    assert front(text)["keywords"] == ["a, b", "c]", "d"]


@given(TEXTS, st.lists(TEXTS))
@settings(deadline=None)
def test_any_text_survives_the_front_matter(text: str, keywords: list[str]) -> None:
    example = replace(PLAIN, title=text, description=text, icon=text, keywords=tuple(keywords))
    expected: dict[str, object] = {"title": text, "description": text, "icon": text}

    assert front(page(example)) == expected | ({"keywords": keywords} if keywords else {})


@pytest.mark.parametrize(
    ("code", "fence"),
    [("x = 1", "```"), ("x = '`'", "```"), ('"""\n```python\n```\n"""', "````"), ("# `````", "``````")],
)
def test_a_fence_is_longer_than_what_it_holds(code: str, fence: str) -> None:
    assert f"\n\n{fence}python\n{code}\n{fence}\n" in page(replace(PLAIN, blocks=(Code(1, code),)))


def test_the_index_has_a_card_for_each_example() -> None:
    other = replace(PLAIN, path=Path("two.py"), title="Two", description="Shows two.", icon=None)

    text = render_index([PLAIN, other])

    assert front(text)["title"] == "Overview"
    assert front(text)["icon"] == "bars"
    assert "[contributing examples](/contribute/docs-contribute#contributing-examples)" in text
    assert text.endswith(
        """
<CardGroup cols={3}>
  <Card title="One thing" icon="play" href="/v3/examples/one-thing">
    Shows one thing, and no other.
  </Card>
  <Card title="Two" href="/v3/examples/two">
    Shows two.
  </Card>
</CardGroup>
"""
    )


def test_a_draft_has_no_card() -> None:
    draft = replace(PLAIN, draft=True)

    assert published([draft, PLAIN]) == [PLAIN]
    assert render_index([draft, PLAIN]) == render_index([PLAIN])
    assert "Card" not in render_index([draft])


@pytest.mark.parametrize(
    ("description", "shown"),
    [
        ("Braces {like} these", r"Braces \{like\} these"),
        ("a < b > c", r"a \< b > c"),
        ("`S3Bucket[{}]` and {x}", r"`S3Bucket[{}]` and \{x\}"),
        ("a lone ` mark", r"a lone \` mark"),
        ("*.csv, __all__ and snake_case", r"\*.csv, \_\_all\_\_ and snake_case"),
        ("AT&T &amp; others", r"AT&T \&amp; others"),
        ("[x](y)", r"\[x](y)"),
        ("back\\slash", r"back\\slash"),
        ("# no heading", r"\# no heading"),
        ("- no list", r"\- no list"),
        ("1. no list", r"1\. no list"),
        ("1.5 times", "1.5 times"),
        ("> no quote", r"\> no quote"),
    ],
)
def test_a_description_is_shown_as_it_is(description: str, shown: str) -> None:
    assert f"\n    {shown}\n  </Card>" in render_index([replace(PLAIN, description=description)])


@given(TEXTS)
@settings(deadline=None)
def test_a_card_holds_any_text_safely(text: str) -> None:
    index = render_index([replace(PLAIN, title=text, icon=text, description=text)])

    card = index[index.index("  <Card ") :]
    opening = re.match(r'  <Card title="([^"<>]*)" icon="([^"<>]*)" href="/v3/examples/one-thing">\n    ', card)
    assert opening is not None
    assert [html.unescape(value) for value in opening.groups()] == [text, text]
    body = card[opening.end() : card.index("\n  </Card>")]
    outside = re.sub(r"\\.|(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", body)
    assert not set(outside) & set("{}<`")
