from __future__ import annotations

from typing import Any

import pytest

from scripts import docs_check, markdown, workspace


def problems(repository: Any) -> list[str]:
    return [problem.within(repository.root) for problem in docs_check.check(repository.root)]


def test_a_sound_repository_has_no_problems(repository: Any) -> None:
    assert problems(repository) == []


def test_this_repository_has_no_problems() -> None:
    assert [problem.within(workspace.ROOT) for problem in docs_check.check(workspace.ROOT)] == []


@pytest.mark.parametrize(
    ("paragraph", "offset", "message"),
    [
        ("```python\nx = (\n```", 1, "not valid Python: '(' was never closed"),
        ("```yaml\na: [1\n```", 1, "not valid YAML"),
        ('```json\n{"a": 1,}\n```', 1, "not valid JSON"),
        ("```toml\na = \n```", 1, "not valid TOML"),
        ("```\nplain\n```", 0, "names no language"),
        ("```python\nnever closed", 0, "this fence is never closed"),
        ("Set {value} here.", 0, "`{` outside of code"),
        ("Less than <5 of them.", 0, "`<` outside of code"),
        ("See <https://prefect.io>.", 0, "`<` outside of code"),
        ("<Banner>Hello</Banner>", 0, "<Banner> is not a component"),
        ("<Note>\nNever closed.", 0, "<Note> is never closed"),
        ("<Tip>Closed wrong.</Note>", 0, "</Note> closes nothing inside <Tip>"),
        ("One<br>two.", 0, "write <br />"),
        ("[nowhere](/integrations/nowhere)", 0, "link to /integrations/nowhere: there is no such page"),
        ("[core](/v3/concepts/blocks)", 0, "need their full address"),
        ("[heading](/integrations/overview#last-step)", 0, "the page has no such heading"),
        ("[heading](#missing)", 0, "link to #missing: the page has no such heading"),
        ("[api](/integrations/prefect-acme/api-ref/prefect_acme-gone)", 0, "there is no such page"),
        ("[example](/v3/examples/last-job)", 0, "there is no such page"),
        ('<Card title="x" href="/nowhere" />', 0, "link to /nowhere: there is no such page"),
        ("[file](./missing.mdx)", 0, "link to ./missing.mdx: there is no such file"),
        ("[out](../../../../elsewhere.md)", 0, "leads out of the repository"),
        ("# Another title", 0, "start at `##`"),
    ],
)
def test_what_would_break_the_site_is_named_with_its_line(
    repository: Any, paragraph: str, offset: int, message: str
) -> None:
    line = repository.append(repository.page, paragraph)

    found = problems(repository)

    assert any(p.startswith(f"{repository.page}:{line + offset}: ") and message in p for p in found), found


@pytest.mark.parametrize(
    "paragraph",
    [
        "Escaped \\{ and \\< are text, and so is 3 < 4.",
        "{/* a comment, with { and < */}",
        "Code over ``two ` {ticks}`` is code.",
        '<CardGroup cols={2}>\n  <Card title="a" icon="x" href="/integrations/overview" />\n</CardGroup>',
        '<sup><a href="https://x.y" style={{ width: 1 }}>up</a></sup>',
        '<Steps>\n  <Step title="one">\n    ```python\n    x = {1: 2}\n    ```\n  </Step>\n</Steps>',
        "[own heading](#install) and [mail](mailto:a@b.c) and [site](https://prefect.io/x#y)",
        "[an example](/v3/examples/first-job)",
        "```text\nanything { goes < here\n```",
        "````mdx\n```python\nx = (\n```\n````",
    ],
)
def test_what_the_site_renders_is_left_alone(repository: Any, paragraph: str) -> None:
    repository.append(repository.page, paragraph)

    assert problems(repository) == []


@pytest.mark.parametrize("key", ["title", "description"])
def test_a_guide_without_title_or_description_is_named(repository: Any, key: str) -> None:
    text = (repository.root / repository.page).read_text()
    repository.write(repository.page, "".join(x for x in text.splitlines(True) if not x.startswith(f"{key}:")))

    assert problems(repository) == [f"{repository.page}:1: the front matter has no `{key}`"]


def test_broken_front_matter_is_named_with_its_line(repository: Any) -> None:
    repository.write(repository.page, '---\ntitle: Acme\ndescription: "open\n---\n')

    assert any(p.startswith(f"{repository.page}:") and "front matter:" in p for p in problems(repository))


def test_a_page_without_navigation_entry_is_named_unless_hidden(repository: Any) -> None:
    repository.write("docs/a.mdx", "---\ntitle: A\ndescription: A.\n---\n")
    repository.write("docs/b.mdx", "---\ntitle: B\ndescription: B.\nhidden: true\n---\n")

    assert problems(repository) == ["docs/a.mdx:1: no entry in docs.json; add one, or `hidden: true` above"]


def test_navigation_entries_that_are_no_page_or_stand_twice_are_named(repository: Any) -> None:
    nested = {"group": "More", "pages": ["integrations/gone", "integrations/overview"]}
    repository.navigate(["integrations/overview", "integrations/prefect-acme/index", nested])

    assert problems(repository) == [
        "docs/docs.json:1: the navigation names integrations/overview 2 times",
        "docs/docs.json:1: the navigation names integrations/gone, which is no page",
    ]


def test_redirects_to_nowhere_and_chains_are_named(repository: Any) -> None:
    repository.navigate(
        ["integrations/overview", "integrations/prefect-acme/index"],
        redirects=[
            {"source": "/old", "destination": "/older"},
            {"source": "/older", "destination": "/integrations/overview"},
            {"source": "/lost", "destination": "/nowhere"},
        ],
    )

    assert problems(repository) == [
        "docs/docs.json:1: redirect of /old: /older is itself redirected",
        "docs/docs.json:1: redirect of /lost: /nowhere is no page",
    ]


def test_a_broken_docs_json_is_named_with_its_line(repository: Any) -> None:
    repository.write("docs/docs.json", '{\n  "navigation": }\n')

    assert problems(repository)[0].startswith("docs/docs.json:2: not valid JSON")


def test_an_integration_without_a_guide_is_named(repository: Any) -> None:
    repository.write("src/integrations/prefect-new/pyproject.toml", "")

    assert problems(repository) == ["docs/integrations/prefect-new/index.mdx:1: prefect-new has no guide"]


def test_readmes_are_checked_for_code_and_links_but_not_for_mdx(repository: Any) -> None:
    readme = "src/integrations/prefect-acme/README.md"
    repository.write(readme, "# Acme {braces} <b>\n\n[x](missing.md)\n\n```python\nx =\n```\n")

    assert problems(repository) == [
        f"{readme}:3: link to missing.md: there is no such file",
        f"{readme}:6: not valid Python: invalid syntax",
    ]


def test_the_command_fails_and_prints_each_problem(repository: Any, capsys: pytest.CaptureFixture[str]) -> None:
    repository.append(repository.page, "{")

    assert docs_check.main(repository.root) == 1
    assert "docs-check: 1 problem(s)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("First step", "first-step"),
        ("`get_s3_client` <sup>x</sup>", "get_s3_client-x"),
        ("What's new, in 0.8?", "whats-new-in-08"),
        ("See [this](/there)", "see-this"),
    ],
)
def test_headings_get_the_anchors_of_the_site(heading: str, expected: str) -> None:
    assert markdown.anchor(heading) == expected
