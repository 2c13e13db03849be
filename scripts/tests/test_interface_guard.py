"""The guard: a break needs a version and news that tell of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from scripts.interface import __main__ as program
from scripts.interface import externals, snapshot
from scripts.interface.guard import next_version
from scripts.tests.interface_workspaces import Workspace

BEFORE = "def submit(job, wait=True): ...\n\n\ndef cancel(job): ...\n\n\nN = 1\n"
AFTER = '"""Jobs."""\n\n\ndef submit(job): ...\n'
NEWS = "src/integrations/prefect-bolt/news/+jobs-less.breaking.md"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A repository whose first commit holds a package and its snapshot."""
    made = Workspace(tmp_path)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.module("jobs", BEFORE)
    program.main([], tmp_path)
    made.commit()
    made.git("switch", "--quiet", "--create", "change")
    return made


def change(workspace: Workspace, source: str = AFTER) -> None:
    workspace.module("jobs", source)
    program.main([], workspace.root)


def guard(workspace: Workspace) -> int:
    return program.main(["guard", "--base", "main"], workspace.root)


def test_nothing_is_said_where_nothing_breaks(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    change(workspace, BEFORE + "\n\ndef more(): ...\n")

    assert guard(workspace) == 0
    assert capsys.readouterr().out == ""


def test_a_break_is_named_with_its_place_and_the_remedy(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    base = workspace.git("rev-parse", "main")[:10]
    change(workspace)

    assert guard(workspace) == 1
    jobs = "src/integrations/prefect-bolt/prefect_bolt/jobs.py"
    assert capsys.readouterr().out == (
        "prefect-bolt: this change breaks what users of 1.2.3 rely on:\n"
        f"  {jobs}:4 at {base}: prefect_bolt.jobs.cancel can no longer be imported\n"
        f"  {jobs}:7 at {base}: prefect_bolt.jobs.N can no longer be imported\n"
        f"  {jobs}:4: prefect_bolt.jobs.submit(wait) is gone\n"
        "  Best keep it working: a new parameter is a keyword with a default; what has moved stays importable from the"
        " old place.\n"
        "  If it must go:\n"
        "  - raise the version in src/integrations/prefect-bolt/pyproject.toml from 1.2.3 to 2.0.0\n"
        '  - tell users what to change: `just news bolt breaking "…"`, or `removed`, writes it to'
        " src/integrations/prefect-bolt/news/\n"
    )


@pytest.mark.parametrize(
    ("version", "news", "missing"),
    [
        ("2.0.0", NEWS, ()),
        ("2.0.0", NEWS.replace("breaking", "removed"), ()),
        ("2.0.0", NEWS.replace("+jobs-less.breaking", "12.breaking.1"), ()),
        ("2.0.0", "", ("tell users",)),
        ("2.0.0", NEWS.replace("breaking", "fixed"), ("tell users",)),
        ("1.3.0", NEWS, ("raise the version",)),
        ("1.2.3", "", ("raise the version", "tell users")),
    ],
    ids=["breaking", "removed", "of an issue", "no news", "news of something else", "a minor release", "neither"],
)
def test_version_and_news_must_tell_of_a_break(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], version: str, news: str, missing: tuple[str, ...]
) -> None:
    change(workspace)
    workspace.project(version)
    if news:
        workspace.write(news, "`cancel` is gone: delete the job.\n")

    assert guard(workspace) == (1 if missing else 0)
    out = capsys.readouterr().out
    assert "prefect_bolt.jobs.submit(wait) is gone" in out
    assert [each in out for each in ("raise the version", "tell users")] == [
        each in missing for each in ("raise the version", "tell users")
    ]
    assert ("Version 2.0.0 and its news say so." in out) is not missing


def test_a_release_of_the_same_change_has_moved_the_news_into_the_changelog(workspace: Workspace) -> None:
    change(workspace)
    workspace.project("2.0.0")
    log = "src/integrations/prefect-bolt/CHANGELOG.md"
    workspace.write(log, "# Changelog\n\n## 2.0.0 (2026-11-26)\n\n### Fixed\n\n- It works.\n")
    assert guard(workspace) == 1

    workspace.write(log, "# Changelog\n\n## 2.0.0 (2026-11-26)\n\n### Breaking\n\n- `cancel` is gone.\n")
    assert guard(workspace) == 0
    workspace.git("switch", "--quiet", "main")
    workspace.commit()  # with all of this: a later change tells of its own
    workspace.git("switch", "--quiet", "--create", "later")
    change(workspace, '"""Jobs."""\n')
    assert guard(workspace) == 1


def test_news_of_an_earlier_change_do_not_tell_of_this_one(workspace: Workspace) -> None:
    workspace.git("switch", "--quiet", "main")
    workspace.write(NEWS, "Something else has changed.\n")
    workspace.commit()
    workspace.git("switch", "--quiet", "--create", "later")
    change(workspace)
    workspace.project("2.0.0")

    assert guard(workspace) == 1
    workspace.write(NEWS, "Something else has changed, and `cancel` is gone.\n")
    assert guard(workspace) == 0


def test_a_version_that_was_raised_since_the_last_release_need_not_be_raised_again(workspace: Workspace) -> None:
    workspace.git("switch", "--quiet", "main")
    workspace.git("tag", "prefect-bolt-1.2.3")
    workspace.git("tag", "prefect-bolt-extra-9.0")
    workspace.project("2.0.0")
    workspace.commit()
    workspace.git("switch", "--quiet", "--create", "later")
    change(workspace)
    workspace.write(NEWS, "`cancel` is gone.\n")

    assert guard(workspace) == 0


def test_what_the_other_branch_has_got_since_is_no_break(workspace: Workspace) -> None:
    workspace.git("switch", "--quiet", "main")
    change(workspace, BEFORE + "\n\ndef more(): ...\n")
    workspace.commit()
    workspace.git("switch", "--quiet", "change")

    assert guard(workspace) == 0


def test_a_base_without_a_snapshot_is_read_from_its_source(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.git("switch", "--quiet", "main")
    snapshot.path_of(workspace.folder).unlink()
    workspace.commit()
    workspace.git("switch", "--quiet", "--create", "later")
    change(workspace)

    assert guard(workspace) == 1
    assert "prefect_bolt.jobs.submit(wait) is gone" in capsys.readouterr().out


def test_an_extra_that_is_gone_is_named(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace.git("switch", "--quiet", "main")
    extras = '[project.optional-dependencies]\nfast = ["x"]\n'
    workspace.project(more=f'{extras}slow = ["y"]\n')
    change(workspace, BEFORE)
    workspace.commit()
    workspace.git("switch", "--quiet", "--create", "later")
    workspace.project(more=extras)
    change(workspace, BEFORE)

    assert guard(workspace) == 1
    assert "src/integrations/prefect-bolt/pyproject.toml:6: extra slow is gone\n" in capsys.readouterr().out


def test_a_new_package_breaks_nothing(workspace: Workspace) -> None:
    workspace.project(name="screw")
    workspace.module("__init__", "", package="screw")

    assert guard(workspace) == 0


@pytest.mark.parametrize("base", ["nowhere", "0" * 40], ids=["unknown", "none"])
def test_a_base_that_is_none_is_an_error(workspace: Workspace, capsys: pytest.CaptureFixture[str], base: str) -> None:
    assert program.main(["guard", "--base", base], workspace.root) == 2
    assert f"--base {base!r}" in capsys.readouterr().err.replace(f"--base {base}:", f"--base {base!r}:")


@pytest.mark.parametrize(
    ("released", "needed"), [("0.8.0", "0.9.0"), ("0.8.3", "0.9.0"), ("1.2.3", "2.0.0"), ("2.0.0rc1", "3.0.0")]
)
def test_the_next_version_that_may_break(released: str, needed: str) -> None:
    assert next_version(Version(released)) == Version(needed)


def test_bases_of_other_packages_are_asked_without_importing_them() -> None:
    assert externals.inherits("json.encoder.JSONEncoder", "encode")
    assert externals.inherits("json.JSONEncoder", "encode")
    assert externals.inherits("logging.FileHandler", "format")  # from two classes above
    assert externals.inherits("logging.FileHandler", "logging.Handler")
    assert not externals.inherits("json.JSONEncoder", "nothing")
    assert not externals.inherits("no_such_package.Thing", "nothing")
