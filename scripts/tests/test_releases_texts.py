"""Fragments, changelogs and versions as texts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from packaging.version import Version

from scripts.releases import changelog, fragments, versions
from scripts.releases.errors import ReleaseError
from scripts.releases.fragments import Fragment

DAY = date(2026, 11, 26)


def fragment(name: str, text: str) -> Fragment:
    stem, kind = name.split(".")[:2]
    return Fragment(Path(f"news/{name}"), stem, kind, text)


# --- fragments -------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "prefect-bolt"
    (folder / "news").mkdir(parents=True)
    return folder


def test_fragments_are_read_issues_by_number_first(package: Path) -> None:
    for name in ("+zebra.added.md", "120.fixed.md", "9.fixed.md", "9.fixed.1.md", "+ant.security.md"):
        (package / "news" / name).write_text(f"News of {name}.\n")

    read = fragments.read(package)

    assert [found.path.name for found in read] == [
        "9.fixed.1.md",
        "9.fixed.md",
        "120.fixed.md",
        "+ant.security.md",
        "+zebra.added.md",
    ]
    assert [found.issue for found in read] == [9, 9, 120, None, None]


def test_a_package_without_the_folder_has_no_fragments(tmp_path: Path) -> None:
    assert fragments.read(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        pytest.param("12.bugfix.md", "Fine.", "has the unknown type 'bugfix'; there are: breaking, added", id="type"),
        pytest.param("token.fixed.md", "Fine.", "is no name of a fragment; call it ISSUE.TYPE.md", id="stem"),
        pytest.param("12.fixed.txt", "Fine.", "is no name of a fragment", id="suffix"),
        pytest.param("+Late_Token.fixed.md", "Fine.", "is no name of a fragment", id="slug"),
        pytest.param("012.fixed.md", "Fine.", "is no name of a fragment", id="leading-zero"),
        pytest.param("12.fixed.md", " \n", "is empty", id="empty"),
        pytest.param("12.fixed.md", "Fine", "does not end with a full stop", id="no-full-stop"),
        pytest.param("12.fixed.md", f"{'x' * 118}.", "has a line of 119 characters, line 1; at most 118", id="long"),
        pytest.param("12.fixed.md", "One.\n\nTwo.", "has more than one paragraph", id="paragraphs"),
        pytest.param("12.fixed.md", "- One.", "has a list, a heading", id="bullet"),
        pytest.param("12.fixed.md", "## One.", "has a list, a heading", id="heading"),
        pytest.param("12.fixed.md", "One:\n```\ncode\n```.", "a quotation or a block of code", id="code"),
    ],
)
def test_a_fragment_that_is_wrong_is_told_by_name(package: Path, name: str, text: str, problem: str) -> None:
    (package / "news" / name).write_text(text)

    with pytest.raises(ReleaseError) as caught:
        fragments.read(package)

    assert str(caught.value).startswith(f"prefect-bolt/news/{name} ")
    assert problem in str(caught.value)


def test_all_problems_are_told_at_once(package: Path) -> None:
    (package / "news" / "1.fixed.md").write_text("No stop")
    (package / "news" / "2.fixed.md").write_bytes(b"\xff.")
    (package / "news" / "3.fixed.md").mkdir()

    with pytest.raises(ReleaseError) as caught:
        fragments.read(package)

    assert str(caught.value).splitlines() == [
        "prefect-bolt/news/1.fixed.md does not end with a full stop",
        "prefect-bolt/news/2.fixed.md is not UTF-8",
        "prefect-bolt/news/3.fixed.md is no file",
    ]


def test_a_sentence_that_ends_with_a_number_of_an_issue_is_no_heading(package: Path) -> None:
    (package / "news" / "1.fixed.md").write_text("A token is renewed in time, see\n#12 and `#` in names.\n")

    assert len(fragments.read(package)) == 1


def test_an_entry_names_its_issue_within_the_width() -> None:
    assert fragment("12.fixed.md", "Tokens last.").entry() == "- Tokens last. (#12)"
    assert fragment("+x.fixed.md", "One line,\ntwo lines.").entry() == "- One line,\n  two lines."
    full = "x" * 117 + "."
    assert fragment("12.fixed.md", full).entry() == f"- {full}\n  (#12)"


def test_a_new_fragment_is_wrapped_and_named_by_its_words(tmp_path: Path) -> None:
    text = "A token of S3 is renewed before it expires, " + "and again " * 12 + "and again."

    path = fragments.write(tmp_path, "fixed", text)

    assert path.name == "+a-token-of-s3-is-renewed-before-it.fixed.md"
    assert path.read_text().endswith("again.\n")
    assert all(len(line) <= 118 for line in path.read_text().splitlines())
    assert " ".join(fragments.read(tmp_path)[0].text.split()) == text


def test_equal_names_are_counted(tmp_path: Path) -> None:
    names = [fragments.write(tmp_path, "added", text, issue=7).name for text in ("One.", "Two.", "Three.")]

    assert names == ["7.added.md", "7.added.1.md", "7.added.2.md"]
    assert {found.text for found in fragments.read(tmp_path)} == {"One.", "Two.", "Three."}


@pytest.mark.parametrize(
    ("kind", "text", "issue", "problem"),
    [
        ("bugfix", "Fine.", None, "unknown type 'bugfix'"),
        ("fixed", "", None, "is empty"),
        ("fixed", "No stop", None, "full stop"),
        ("fixed", f"{'x' * 119}.", None, "120 characters"),
        ("fixed", "Fine.", -1, "is no name"),
    ],
    ids=["type", "empty", "no-full-stop", "long", "issue"],
)
def test_a_new_fragment_that_is_wrong_is_not_written(
    tmp_path: Path, kind: str, text: str, issue: int | None, problem: str
) -> None:
    with pytest.raises(ReleaseError, match=problem):
        fragments.write(tmp_path, kind, text, issue)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Größe: 1 GiB.", "gr-e-1-gib"), ("…", "change"), ("x" * 60, "x" * 40), ("a" * 30 + " " + "b" * 30, "a" * 30)],
    ids=["umlauts", "nothing", "long-word", "two-long-words"],
)
def test_a_slug_is_a_valid_name(text: str, expected: str) -> None:
    assert fragments.slug(text) == expected
    assert not list(fragments.problems_of_name(f"+{fragments.slug(text)}.fixed.md"))


# --- changelogs ------------------------------------------------------------------------------------------------------

LOG = """\
# Changelog of prefect-bolt

What is new.

## 0.8.0 (2026-10-01)

### Added

- A thing.

## 0.7.0

New:

- By hand.
"""


def test_a_release_comes_first_and_leaves_the_rest() -> None:
    news = [
        fragment("9.fixed.md", "It works."),
        fragment("+a.breaking.md", "It is gone."),
        fragment("+b.fixed.md", "So does\nthat."),
    ]

    assert changelog.with_release(LOG, Version("0.9.0"), DAY, news) == LOG.replace(
        "## 0.8.0",
        "## 0.9.0 (2026-11-26)\n\n### Breaking\n\n- It is gone.\n\n### Fixed\n\n- It works. (#9)\n"
        "- So does\n  that.\n\n## 0.8.0",
        1,
    )


def test_a_section_that_is_there_gets_the_date_and_the_news() -> None:
    news = [fragment("+a.added.md", "Another."), fragment("+b.fixed.md", "It works.")]

    changed = changelog.with_release(LOG, Version("0.8.0"), DAY, news)

    assert changed == LOG.replace("(2026-10-01)", "(2026-11-26)").replace(
        "- A thing.\n", "- A thing.\n- Another.\n\n### Fixed\n\n- It works.\n"
    )


def test_news_go_below_their_own_heading_when_others_follow() -> None:
    log = "# Changelog\n\n## 0.8.0\n\n### Added\n\n- A.\n\n### Mails\n\n- M.\n"

    changed = changelog.with_release(log, Version("0.8.0"), DAY, [fragment("+b.added.md", "B.")])

    assert changed == "# Changelog\n\n## 0.8.0 (2026-11-26)\n\n### Added\n\n- A.\n- B.\n\n### Mails\n\n- M.\n"


def test_a_section_by_hand_keeps_its_words() -> None:
    changed = changelog.with_release(LOG, Version("0.7.0"), DAY, [fragment("+b.added.md", "B.")])

    assert changed == LOG.replace("## 0.7.0", "## 0.7.0 (2026-11-26)") + "\n### Added\n\n- B.\n"


def test_the_first_release_of_an_empty_changelog() -> None:
    changed = changelog.with_release("# Changelog\n", Version("0.1.0"), DAY, [fragment("+b.added.md", "B.")])

    assert changed == "# Changelog\n\n## 0.1.0 (2026-11-26)\n\n### Added\n\n- B.\n"


def test_a_changelog_without_a_title_is_refused() -> None:
    with pytest.raises(ReleaseError, match="must begin with a line `# Changelog`"):
        changelog.with_release("## 0.1.0\n", Version("0.2.0"), DAY, [])


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.8.0", "### Added\n\n- A thing."),
        ("0.8", "### Added\n\n- A thing."),
        ("0.7.0", "New:\n\n- By hand."),
        ("0.80.0", None),
    ],
)
def test_the_section_of_a_version_is_found(version: str, expected: str | None) -> None:
    assert changelog.section(LOG, Version(version)) == expected


# --- versions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "step", "new"),
    [
        ("0.8.1", "patch", "0.8.2"),
        ("0.8.1", "minor", "0.9.0"),
        ("0.8.1", "major", "1.0.0"),
        ("1.9", "minor", "1.10.0"),
    ],
)
def test_the_next_version(old: str, step: str, new: str) -> None:
    assert str(versions.after(Version(old), step)) == new
    assert versions.step_between(Version(old), Version(new)) == step


@pytest.mark.parametrize("version", ["0.9.0rc1", "0.9.0.dev1", "0.9.0.post1"])
def test_after_an_unfinished_version_any_may_come(version: str) -> None:
    with pytest.raises(ReleaseError, match=r"is no final version; say which comes after it, such as 0\.9\.0"):
        versions.after(Version(version), "patch")


def test_only_the_version_of_the_project_is_set() -> None:
    text = (
        '[tool.a]\nversion = "0.8.0"\n\n[project]\nname = "x"\nversion   =   \'0.8.0\' # ours\n'
        'dependencies = ["y>=0.8.0"]\n\n[tool.b]\nversion = "0.8.0"\n'
    )

    changed = versions.with_version(text, Version("0.9.0"))

    assert changed == text.replace("version   =   '0.8.0'", 'version   =   "0.9.0"')


@pytest.mark.parametrize(
    "text",
    ['[project]\nname = "x"\ndynamic = ["version"]\n', '[tool.a]\nversion = "1"\n', "project = { version = '1' }\n"],
    ids=["dynamic", "no-table", "inline"],
)
def test_a_project_without_a_line_for_its_version_is_refused(text: str) -> None:
    with pytest.raises(ReleaseError, match="has no line"):
        versions.with_version(text, Version("0.9.0"))


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ('__version__ = "0.8.0"\n', '__version__ = "0.9.0"\n'),
        ('__version__: str = "0.8.0"  # ours\n', '__version__: str = "0.9.0"  # ours\n'),
        ('__version__ = version("prefect-bolt")\n', '__version__ = version("prefect-bolt")\n'),
    ],
    ids=["literal", "annotated", "from-metadata"],
)
def test_a_constant_is_set_where_it_is_a_literal(module: str, expected: str) -> None:
    assert versions.with_constant(module, Version("0.9.0")) == expected
