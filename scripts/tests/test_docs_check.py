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
    ],
)
def test_code_that_does_not_parse_is_named_with_its_line(
    repository: Any, paragraph: str, offset: int, message: str
) -> None:
    line = repository.append(repository.page, paragraph)

    found = problems(repository)

    assert any(p.startswith(f"{repository.page}:{line + offset}: ") and message in p for p in found), found


def test_signatures_of_the_reference_are_no_statements_but_their_examples_are(repository: Any) -> None:
    page = "docs/integrations/prefect-acme/api-ref/prefect_acme-jobs.mdx"
    signature = "```python\nasync run(\n    self,\n    *,\n    limit: int = 1,\n) -> None\n```\n"
    repository.write(page, f"---\ntitle: jobs\n---\n\n{signature}\n```python\nrun(\n```\n")

    assert problems(repository) == [f"{page}:14: not valid Python: '(' was never closed"]


@pytest.mark.parametrize("key", ["title", "description"])
def test_a_guide_without_title_or_description_is_named(repository: Any, key: str) -> None:
    text = (repository.root / repository.page).read_text()
    repository.write(repository.page, "".join(x for x in text.splitlines(True) if not x.startswith(f"{key}:")))

    assert problems(repository) == [f"{repository.page}:1: the front matter has no `{key}`"]


def test_an_integration_without_a_guide_is_named(repository: Any) -> None:
    repository.write("src/integrations/prefect-new/pyproject.toml", "")

    assert problems(repository) == ["docs/integrations/prefect-new/index.mdx:1: prefect-new has no guide"]


def test_readmes_are_checked_for_code_and_links_but_not_for_mdx(repository: Any) -> None:
    readme = "src/integrations/prefect-acme/README.md"
    links = "[x](missing.md) [here](#acme-braces-b) [there](#nowhere) [out](../../../../elsewhere.md)"
    repository.write(readme, f"# Acme {{braces}} b\n\n{links}\n\n```python\nx =\n```\n")

    assert problems(repository) == [
        f"{readme}:3: link to missing.md: there is no such file",
        f"{readme}:3: link to #nowhere: the page has no such heading",
        f"{readme}:3: link to ../../../../elsewhere.md: leads out of the repository",
        f"{readme}:6: not valid Python: invalid syntax",
    ]


def test_the_command_fails_and_prints_each_problem(repository: Any, capsys: pytest.CaptureFixture[str]) -> None:
    repository.append(repository.page, "```json\n{\n```")

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
def test_headings_of_readmes_get_anchors(heading: str, expected: str) -> None:
    assert markdown.anchor(heading) == expected
