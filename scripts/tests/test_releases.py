"""Releases on a throw-away repository with real git, and on this one, which is only read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml

from scripts import readme, workspace
from scripts.releases import fragments, tagged
from scripts.releases.__main__ import main
from scripts.releases.errors import ReleaseError
from scripts.releases.history import History
from scripts.releases.plan import carry_out, commands, find, plan, published
from scripts.releases.unreleased import unreleased
from scripts.workspace import WorkspaceError

DAY = date(2026, 11, 26)
KIT = "prefect-integration-kit"


class Repository:
    """A git repository that looks like this one, as far as releases look."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch", "main")
        for key, value in (("user.name", "T"), ("user.email", "t@example.com"), ("commit.gpgsign", "false")):
            self.git("config", key, value)
        self.write(
            "pyproject.toml",
            "[tool.uv.workspace]\nmembers = ['src/integrations/*', 'src/kit/*']\n"
            '[tool.prefect-integrations]\npython = ["3.10", "3.11", "3.12", "3.13"]\n',
        )
        rows = (f"| [`{name}`](src/integrations/{name}) | {v} | Talk. | [guide](x) |" for name, v in self.VERSIONS)
        self.write("README.md", "# House\n\n" + "\n".join(rows) + "\n")
        for name, version in self.VERSIONS:
            self.package(f"src/integrations/{name}", name, version, ["prefect>=3", f"{KIT}>=0.1"])
        self.package(f"src/kit/{KIT}", KIT, "0.1.0", ["prefect>=3"])
        self.package("src/kit/template", "prefect-acme", "0.1.0", [f"{KIT}>=0.1"])
        self.commit("Begin")

    VERSIONS = (("prefect-bolt", "0.8.0"), ("prefect-cog", "1.2.3"))

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def package(self, folder: str, name: str, version: str, needs: list[str], *, more: str = "") -> None:
        module = name.replace("-", "_")
        self.write(
            f"{folder}/pyproject.toml",
            f'[project]\nname = "{name}"\nversion = "{version}"\ndescription = "Talk."\nrequires-python = ">=3.10"\n'
            f"dependencies = {json.dumps(needs)}\n{more}",
        )
        self.write(f"{folder}/CHANGELOG.md", f"# Changelog\n\n## {version}\n\n### Added\n\n- First.\n")
        self.write(f"{folder}/{module}/__init__.py", f'"""Talk."""\n\n__version__ = "{version}"\n')
        self.write(f"{folder}/tests/test_it.py", "")

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def tag(self, *tags: str) -> None:
        for tag in tags:
            self.git("tag", tag)

    def news(self, name: str, text: str, package: str = "prefect-bolt") -> None:
        folder = f"src/kit/{package}" if package == KIT else f"src/integrations/{package}"
        self.write(f"{folder}/news/{name}", text)
        self.commit(f"News: {name}")

    def snapshot(self) -> dict[str, tuple[bytes, int]]:
        files = (path for path in self.root.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {path.relative_to(self.root).as_posix(): (path.read_bytes(), path.stat().st_mode) for path in files}

    def release(self, package: str, step: str, *more: str) -> int:
        return main(["release", package, step, "--date", DAY.isoformat(), *more], self.root)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """No package was ever released."""
    root = tmp_path / "house"
    root.mkdir()
    return Repository(root)


@pytest.fixture
def released(repository: Repository) -> Repository:
    """All packages were released as they are."""
    repository.tag("prefect-bolt-0.8.0", "prefect-cog-1.2.3", f"{KIT}-0.1.0", "v3.0", "prefect-bolt-extra-9.0")
    return repository


# --- releasing -------------------------------------------------------------------------------------------------------


def test_a_release_sets_the_version_everywhere_and_moves_the_news(
    released: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    released.news("12.fixed.md", "It works.\n")
    released.news("+more.added.md", "There is more.\n")
    others = {n: c for n, c in released.snapshot().items() if "prefect-bolt" not in n and n != "README.md"}

    assert released.release("bolt", "minor") == 0

    folder = "src/integrations/prefect-bolt"
    assert 'version = "0.9.0"' in released.read(f"{folder}/pyproject.toml")
    assert '__version__ = "0.9.0"' in released.read(f"{folder}/prefect_bolt/__init__.py")
    assert "/prefect-bolt) | 0.9.0 | Talk." in released.read("README.md")
    assert "/prefect-cog) | 1.2.3 | Talk." in released.read("README.md")
    assert released.read(f"{folder}/CHANGELOG.md") == (
        "# Changelog\n\n## 0.9.0 (2026-11-26)\n\n### Added\n\n- There is more.\n\n### Fixed\n\n- It works. (#12)\n\n"
        "## 0.8.0\n\n### Added\n\n- First.\n"
    )
    assert not (released.root / folder / "news").exists()
    after = {n: c for n, c in released.snapshot().items() if "prefect-bolt" not in n and n != "README.md"}
    assert after == others
    printed = capsys.readouterr().out
    assert "prefect-bolt 0.8.0 becomes 0.9.0, 2 news moved.\n" in printed
    assert "Tag to push: prefect-bolt-0.9.0\n" in printed
    assert "git push origin prefect-bolt-0.9.0\n" in printed


INTERFACE = """\
# What users of prefect-bolt can rely on. `just interface` writes it from the source.

distribution
  python = >=3.10

prefect_bolt
  def submit -> int
  submit(job: str)
  submit(*, wait: bool = True)
"""
NAMES = "src/integrations/prefect-bolt/tests/published.txt"


@pytest.fixture
def named(released: Repository) -> Repository:
    """A package that says what it offers, and what it has ever published."""
    released.write("src/integrations/prefect-bolt/interface.txt", INTERFACE)
    released.write(NAMES, "# Names.\n\nprefect_bolt\n  cancel(job)\n  submit(job, then)\n")
    released.news("12.added.md", "`submit` can wait.\n")
    return released


def test_the_names_of_a_release_are_kept(named: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert named.release("bolt", "minor") == 0

    assert named.read(NAMES).splitlines()[3:] == ["prefect_bolt", "  cancel(job)", "  submit(job, then, wait)"]
    assert f" {NAMES} " in capsys.readouterr().out
    assert main(["verify", "prefect-bolt-0.9.0"], named.root) == 0


def test_a_tag_whose_names_are_not_kept_is_refused(named: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    before = named.read(NAMES)
    named.release("bolt", "minor")
    named.write(NAMES, before)
    capsys.readouterr()

    assert main(["verify", "prefect-bolt-0.9.0"], named.root) == 2

    assert "`just interface published prefect-bolt` before the tag" in capsys.readouterr().err


def test_the_printed_commands_commit_exactly_the_release(
    released: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    released.news("12.fixed.md", "It works.\n")
    released.write("unrelated.txt", "not part of it")
    released.release("bolt", "patch")
    printed = capsys.readouterr().out
    local = [line for line in printed.splitlines() if line.startswith("git ") and not line.startswith("git push")]

    for line in local:
        subprocess.run(line, shell=True, cwd=released.root, check=True, capture_output=True)

    assert released.git("status", "--porcelain") == "?? unrelated.txt"
    assert released.git("rev-parse", "prefect-bolt-0.8.1") == released.git("rev-parse", "HEAD")
    assert main(["verify", "prefect-bolt-0.8.1"], released.root) == 0


@pytest.mark.parametrize(
    ("package", "step", "version"),
    [
        ("bolt", "patch", "0.8.1"),
        ("prefect-bolt", "minor", "0.9.0"),
        ("prefect_bolt", "major", "1.0.0"),
        ("bolt", "0.10.0", "0.10.0"),
        ("bolt", "0.9.0rc1", "0.9.0rc1"),
    ],
)
def test_each_step_leads_to_its_version(released: Repository, package: str, step: str, version: str) -> None:
    released.news("12.fixed.md", "It works.\n")

    assert released.release(package, step) == 0

    assert workspace.find("bolt", workspace.packages(released.root)).version == version


def test_the_kit_is_released_like_the_others(released: Repository) -> None:
    released.news("+waiting.fixed.md", "It waits.\n", KIT)

    assert released.release("kit", "minor") == 0

    assert "## 0.2.0 (2026-11-26)" in released.read(f"src/kit/{KIT}/CHANGELOG.md")


@pytest.mark.parametrize(
    ("package", "step", "news", "message"),
    [
        pytest.param("nope", "minor", {}, "no package is named 'nope'; there are: prefect-bolt", id="unknown"),
        pytest.param("acme", "minor", {}, "prefect-acme is the template of new packages", id="template"),
        pytest.param("bolt", "minor", {}, "prefect-bolt has no news: write a fragment", id="no-fragments"),
        pytest.param("bolt", "soon", {}, "'soon' is no version; say patch, minor", id="no-version"),
        pytest.param("bolt", "0.8.0", {}, "0.8.0 is released already, by the tag prefect-bolt-0.8.0", id="same"),
        pytest.param("bolt", "current", {}, "0.8.0 is released already", id="current"),
        pytest.param("bolt", "0.7.9", {}, "0.7.9 is not larger than 0.8.0", id="smaller"),
        pytest.param("bolt", "0.9.0+local", {}, "is a local version", id="local"),
        pytest.param("bolt", "minor", {"1.fixed.md": "No stop"}, "does not end with a full stop", id="bad-fragment"),
        pytest.param(
            "bolt",
            "patch",
            {"1.breaking.md": "Gone."},
            "is a patch release, but something breaks (1.breaking.md): make it a minor release, 0.9.0",
            id="breaking-patch",
        ),
        pytest.param("bolt", "0.8.5", {"1.breaking.md": "Gone."}, "make it a minor release", id="breaking-explicit"),
        pytest.param("cog", "minor", {"1.breaking.md": "Gone."}, "make it a major release, 2.0.0", id="breaking-minor"),
    ],
)
def test_a_release_that_must_not_be_is_refused_and_nothing_changes(
    released: Repository,
    capsys: pytest.CaptureFixture[str],
    package: str,
    step: str,
    news: dict[str, str],
    message: str,
) -> None:
    for name, text in news.items():
        released.news(name, text, f"prefect-{package}")
    before = released.snapshot()

    assert released.release(package, step) == 2

    assert message in capsys.readouterr().err
    assert released.snapshot() == before


@pytest.mark.parametrize(("package", "step"), [("bolt", "minor"), ("bolt", "major"), ("cog", "major")])
def test_what_breaks_is_released_by_a_step_that_is_large_enough(released: Repository, package: str, step: str) -> None:
    released.news("1.breaking.md", "Gone.", f"prefect-{package}")

    assert released.release(package, step) == 0


def test_files_that_are_not_committed_are_named(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    released.news("12.fixed.md", "It works.\n")
    released.write("src/integrations/prefect-bolt/prefect_bolt/new file.py", "")
    released.write("src/integrations/prefect-bolt/prefect_bolt/__init__.py", "changed = True\n")
    released.write("src/integrations/prefect-cog/prefect_cog/__init__.py", "changed = True\n")

    assert released.release("bolt", "minor") == 2

    assert capsys.readouterr().err == (
        "error: commit these first, or put them aside: src/integrations/prefect-bolt/prefect_bolt/__init__.py,"
        " src/integrations/prefect-bolt/prefect_bolt/new file.py\n"
    )


def test_a_version_below_a_tag_is_refused(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    released.news("12.fixed.md", "It works.\n")
    released.tag("prefect-bolt-0.9.5")

    assert released.release("bolt", "minor") == 2

    assert "0.9.0 is not larger than 0.9.5, the last version of prefect-bolt that has a tag" in capsys.readouterr().err


def test_a_package_waits_for_the_kit_that_it_needs(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    released.package(
        "src/integrations/prefect-bolt",
        "prefect-bolt",
        "0.8.0",
        [f"{KIT}>=0.2"],
        more='[project.optional-dependencies]\nall = ["prefect-bolt[fast]", "prefect-cog>=1.3"]\n',
    )
    released.news("12.fixed.md", "It works.\n")
    before = released.snapshot()

    assert released.release("bolt", "minor") == 2

    assert capsys.readouterr().err == (
        f"error: prefect-bolt needs {KIT}>=0.2, and the last release is 0.1.0: release it first,"
        " `just release kit minor`\n"
        "error: prefect-bolt needs prefect-cog>=1.3, and the last release is 1.2.3: release it first,"
        " `just release cog minor`\n"
    )
    assert released.snapshot() == before
    released.tag(f"{KIT}-0.2.0", "prefect-cog-1.3.0")
    assert released.release("bolt", "minor") == 0


def test_changes_of_the_kit_that_are_not_released_are_noted(
    released: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    released.write(f"src/kit/{KIT}/tests/test_it.py", "more = True\n")
    released.news("12.fixed.md", "It works.\n")
    assert released.release("bolt", "minor", "--dry-run") == 0
    assert "note:" not in capsys.readouterr().err
    released.write(f"src/kit/{KIT}/prefect_integration_kit/__init__.py", "more = True\n")

    assert released.release("bolt", "minor") == 0

    assert f"note: {KIT} has changed since {KIT}-0.1.0. Users get what is released" in capsys.readouterr().err


def test_a_dry_run_changes_nothing(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    released.news("12.fixed.md", "It works.\n")
    before = released.snapshot()

    assert released.release("bolt", "minor", "--dry-run") == 0

    assert "prefect-bolt 0.8.0 would become 0.9.0, 1 news moved." in capsys.readouterr().out
    assert released.snapshot() == before


def test_the_day_is_today_when_not_given(released: Repository) -> None:
    released.news("12.fixed.md", "It works.\n")

    assert main(["release", "bolt", "minor"], released.root) == 0

    heading = released.read("src/integrations/prefect-bolt/CHANGELOG.md").splitlines()[2]
    assert date.fromisoformat(heading.removeprefix("## 0.9.0 (").removesuffix(")")) >= date(2026, 1, 1)


@pytest.mark.parametrize("failing", ["replace", "unlink"])
def test_nothing_is_half_written_when_the_disk_fails(
    released: Repository, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    released.news("12.fixed.md", "It works.\n")
    released.news("13.fixed.md", "So does that.\n")
    before = released.snapshot()
    members = workspace.packages(released.root)
    prepared = plan(find("bolt", members), "minor", members, History(released.root), DAY)
    real = getattr(Path, failing)
    calls: list[Path] = []

    def fail(path: Path, *arguments: object, **options: object) -> object:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, failing, fail)
        with pytest.raises(OSError, match="No space left"):
            carry_out(prepared)

    assert {name: content for name, (content, _) in released.snapshot().items()} == {
        name: content for name, (content, _) in before.items()
    }


def test_permissions_stay(released: Repository) -> None:
    released.news("12.fixed.md", "It works.\n")
    before = released.snapshot()

    released.release("bolt", "minor")

    after = released.snapshot()
    assert {name: mode for name, (_, mode) in after.items()} == {
        name: mode for name, (_, mode) in before.items() if "/news/" not in name
    }


def test_outside_of_a_repository_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(ReleaseError, match="git tag: fatal: not a git repository"):
        History(tmp_path).released("prefect-bolt")


# --- a version that was never released, as all of this repository are ------------------------------------------------


def test_what_was_never_released_is_not_skipped(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    repository.news("12.fixed.md", "It works.\n")

    assert repository.release("bolt", "minor") == 2

    error = capsys.readouterr().err
    assert "prefect-bolt 0.8.0 was never released, there is no tag prefect-bolt-0.8.0." in error
    assert "`just release bolt current`" in error


def test_the_first_release_waits_for_the_kit(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert repository.release("bolt", "current") == 2

    assert capsys.readouterr().err == (
        f"error: prefect-bolt needs {KIT}>=0.1, and it was never released: release it first,"
        " `just release kit current`\n"
    )


def test_the_first_release_dates_the_section_that_is_there(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.tag(f"{KIT}-0.1.0")

    assert repository.release("bolt", "current") == 0

    folder = "src/integrations/prefect-bolt"
    assert repository.read(f"{folder}/CHANGELOG.md").splitlines()[2:5] == ["## 0.8.0 (2026-11-26)", "", "### Added"]
    assert 'version = "0.8.0"' in repository.read(f"{folder}/pyproject.toml")
    printed = capsys.readouterr().out
    assert "prefect-bolt 0.8.0 is ready to be released, 0 news moved.\n" in printed
    assert "Tag to push: prefect-bolt-0.8.0\n" in printed


def test_news_join_the_section_that_is_there(repository: Repository) -> None:
    repository.tag(f"{KIT}-0.1.0")
    repository.news("1.breaking.md", "A first release breaks nothing.")
    repository.news("+more.added.md", "There is more.")

    assert repository.release("bolt", "current") == 0

    assert repository.read("src/integrations/prefect-bolt/CHANGELOG.md") == (
        "# Changelog\n\n## 0.8.0 (2026-11-26)\n\n### Added\n\n- First.\n- There is more.\n\n"
        "### Breaking\n\n- A first release breaks nothing. (#1)\n"
    )


def test_a_release_that_is_prepared_already_only_says_what_to_push(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.tag(f"{KIT}-0.1.0")
    repository.release("bolt", "current")
    repository.commit("Release")
    before = repository.snapshot()
    capsys.readouterr()

    assert repository.release("bolt", "current") == 0

    assert repository.snapshot() == before
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "git tag prefect-bolt-0.8.0",
        "git push origin prefect-bolt-0.8.0",
    ]


def test_a_version_may_be_skipped_by_naming_another(repository: Repository) -> None:
    repository.tag(f"{KIT}-0.1.0")
    repository.news("12.fixed.md", "It works.\n")

    assert repository.release("bolt", "0.8.1") == 0


# --- news and their check --------------------------------------------------------------------------------------------


def test_a_fragment_is_written_by_command(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["news", "bolt", "fixed", "It works.", "--issue", "12"], released.root) == 0

    assert capsys.readouterr().out == "src/integrations/prefect-bolt/news/12.fixed.md\n"
    assert released.read("src/integrations/prefect-bolt/news/12.fixed.md") == "It works.\n"
    assert main(["check"], released.root) == 0


def test_a_fragment_without_a_full_stop_is_refused_by_command(
    released: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["news", "bolt", "fixed", "It works"], released.root) == 2

    assert capsys.readouterr().err == "error: the fragment does not end with a full stop\n"


def test_the_check_names_every_fragment_that_is_wrong(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    released.news("12.bugfix.md", "It works.")
    released.news("+x.fixed.md", "It works", KIT)

    assert main(["check"], released.root) == 2

    errors = capsys.readouterr().err.splitlines()
    assert errors[0].startswith("error: prefect-bolt/news/12.bugfix.md has the unknown type 'bugfix'")
    assert errors[1] == f"error: {KIT}/news/+x.fixed.md does not end with a full stop"


# --- what is unreleased ----------------------------------------------------------------------------------------------


def states(repository: Repository) -> dict[str, object]:
    members = workspace.packages(repository.root)
    return {state.name: state for state in unreleased(members, History(repository.root))}


def test_nothing_is_unreleased_right_after_a_release(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    released.write("src/integrations/prefect-bolt/tests/test_it.py", "more = True\n")

    assert states(released) == {}
    assert main(["unreleased"], released.root) == 0
    assert capsys.readouterr().out.split() == ["package", "version", "last", "tag", "news", "files"]


def test_changes_are_found_by_news_and_by_git(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    released.news("12.fixed.md", "It works.")
    released.news("13.fixed.md", "So does that.")
    released.write("src/integrations/prefect-cog/prefect_cog/new.py", "")
    released.write("src/integrations/prefect-cog/prefect_cog/__init__.py", "changed = True\n")

    assert main(["unreleased", "--json"], released.root) == 0

    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "prefect-bolt",
            "version": "0.8.0",
            "tag": "prefect-bolt-0.8.0",
            "pending": False,
            "news": {"fixed": 2},
            "changed": [],
            "remark": "",
        },
        {
            "name": "prefect-cog",
            "version": "1.2.3",
            "tag": "prefect-cog-1.2.3",
            "pending": False,
            "news": {},
            "changed": [
                "src/integrations/prefect-cog/prefect_cog/__init__.py",
                "src/integrations/prefect-cog/prefect_cog/new.py",
            ],
            "remark": "changed without news",
        },
    ]


def test_changes_before_the_last_tag_do_not_count(released: Repository) -> None:
    released.write("src/integrations/prefect-bolt/prefect_bolt/new.py", "")
    released.write(
        "src/integrations/prefect-bolt/pyproject.toml",
        released.read("src/integrations/prefect-bolt/pyproject.toml").replace("0.8.0", "0.10.0"),
    )
    released.commit("Release")
    assert states(released)["prefect-bolt"].remark == "push its tag"
    released.tag("prefect-bolt-0.9.0", "prefect-bolt-0.10.0")

    assert states(released) == {}


def test_what_was_never_released_is_listed(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unreleased"], repository.root) == 0

    assert capsys.readouterr().out.splitlines()[1:] == [
        "prefect-bolt             0.8.0    -         -     all    never released",
        "prefect-cog              1.2.3    -         -     all    never released",
        "prefect-integration-kit  0.1.0    -         -     all    never released",
    ]


# --- tags ------------------------------------------------------------------------------------------------------------


def test_a_tag_tells_the_workflow_what_to_test(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "prefect-bolt-0.8.0"], released.root) == 0

    lines = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["package"] == "prefect-bolt"
    assert lines["version"] == "0.8.0"
    assert json.loads(lines["cells"]) == [
        {"python": "3.10", "resolution": "lowest-direct"},
        {"python": "3.10", "resolution": "highest"},
        {"python": "3.13", "resolution": "highest"},
    ]


@pytest.mark.parametrize(
    ("requires", "pythons"),
    [
        (">=3.10", ["3.10", "3.10", "3.13"]),
        (">=3.11,<3.13", ["3.11", "3.11", "3.12"]),
        (">=3.10.4,<3.11", ["3.10", "3.10"]),
    ],
)
def test_the_oldest_and_the_newest_python_are_those_that_a_package_admits(
    released: Repository, requires: str, pythons: list[str]
) -> None:
    path = "src/integrations/prefect-bolt/pyproject.toml"
    released.write(path, released.read(path).replace(">=3.10", requires))

    package = workspace.find("bolt", workspace.packages(released.root))

    assert [cell["python"] for cell in tagged.cells(package, released.root)] == pythons


def test_the_notes_of_a_tag_are_its_section(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notes", "prefect-bolt-0.8.0"], released.root) == 0

    assert capsys.readouterr().out == "### Added\n\n- First.\n"


def test_a_tag_with_news_left_is_refused(released: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    released.news("12.fixed.md", "It works.")

    assert main(["verify", "prefect-bolt-0.8.0"], released.root) == 2

    assert "prefect-bolt has news that its changelog lacks, 12.fixed.md" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("prefect-bolt-0.9.0", "says 0.9.0, but prefect-bolt's pyproject.toml says 0.8.0"),
        ("prefect-acme-0.1.0", "prefect-acme is the template"),
        ("v1", "is not of the form"),
    ],
)
def test_a_wrong_tag_is_refused(
    released: Repository, capsys: pytest.CaptureFixture[str], tag: str, message: str
) -> None:
    assert main(["verify", tag], released.root) == 2

    assert message in capsys.readouterr().err


def test_a_tag_that_the_changelog_does_not_tell_of_is_refused(
    released: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    released.write("src/integrations/prefect-bolt/CHANGELOG.md", "# Changelog\n\n## 0.7.0\n\n- Old.\n")

    assert main(["verify", "prefect-bolt-0.8.0"], released.root) == 2

    assert "prefect-bolt's CHANGELOG.md says nothing of 0.8.0" in capsys.readouterr().err


# --- this repository -------------------------------------------------------------------------------------------------

MEMBERS = workspace.packages()
PUBLISHED = published(MEMBERS)


class EveryTag(History):
    """The history of this repository, had every package been released as it is, and nothing been touched since."""

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(f"{member.name}-{member.version}" for member in MEMBERS)

    def dirty(self, *paths: Path) -> list[str]:
        return []

    def changed(self, tag: str, folder: Path) -> list[str]:
        return []


def test_the_template_is_not_released() -> None:
    assert {member.name for member in MEMBERS} - {member.name for member in PUBLISHED} == {"prefect-acme"}
    with pytest.raises(WorkspaceError, match="template"):
        find("acme", MEMBERS)


@pytest.mark.parametrize("name", [member.name for member in PUBLISHED])
def test_every_package_of_this_repository_can_be_released(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = find(name, MEMBERS)
    fragment = fragments.Fragment(package.path / "news/1.fixed.md", "1", "fixed", "It works.")
    monkeypatch.setattr(fragments, "read", lambda _: [fragment])

    prepared = plan(package, "minor", MEMBERS, EveryTag(workspace.ROOT), DAY)

    new = str(prepared.version)
    written = {
        path.relative_to(package.path).as_posix(): text
        for path, text in prepared.writes.items()
        if package.path in path.parents
    }
    log = package.path.joinpath("CHANGELOG.md").read_text(encoding="utf-8")
    title, rest = log.split("\n## ", 1)
    assert written["CHANGELOG.md"] == f"{title}\n## {new} (2026-11-26)\n\n### Fixed\n\n- It works. (#1)\n\n## {rest}"
    assert f'\nversion = "{new}"\n' in written["pyproject.toml"]
    init = package.path.joinpath(package.module, "__init__.py").read_text(encoding="utf-8")
    assert (f'__version__ = "{package.version}"' in init) == (f"{package.module}/__init__.py" in written)
    members = [
        workspace.Package(m.name, m.path, new if m == package else m.version, m.description, m.needs) for m in MEMBERS
    ]
    top = readme.README.read_text(encoding="utf-8")
    assert prepared.writes.get(readme.README, top) == readme.with_table(top, readme.table(members))
    assert commands(prepared, workspace.ROOT)[-1] == f"git push origin {name}-{new}"


@pytest.mark.parametrize("name", [member.name for member in PUBLISHED])
def test_every_changelog_of_this_repository_tells_of_the_present_version(name: str) -> None:
    assert tagged.notes(find(name, MEMBERS))


def test_every_fragment_of_this_repository_is_right() -> None:
    assert main(["check"]) == 0


def test_what_is_unreleased_in_this_repository_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unreleased", "--json"]) == 0

    assert {entry["name"] for entry in json.loads(capsys.readouterr().out)} <= {member.name for member in PUBLISHED}


# --- the workflow ----------------------------------------------------------------------------------------------------

WORKFLOWS = workspace.ROOT / ".github" / "workflows"
JOBS = yaml.safe_load((WORKFLOWS / "release.yml").read_text())["jobs"]


def runs(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def test_a_wheel_is_built_once_tested_and_then_published() -> None:
    assert [job for job in JOBS if any("just build" in run for run in runs(job))] == ["build"]
    assert JOBS["test"]["needs"] == "build"
    assert set(JOBS["publish"]["needs"]) >= {"build", "test"}
    assert "publish" in JOBS["announce"]["needs"]


def test_only_the_job_that_publishes_has_an_identity() -> None:
    assert [job for job in JOBS if JOBS[job].get("permissions", {}).get("id-token") == "write"] == ["publish"]
    assert JOBS["publish"]["environment"] == "pypi"


def test_the_job_that_publishes_installs_nothing_of_the_workspace() -> None:
    set_up = [step for step in JOBS["publish"]["steps"] if step.get("uses") == "./.github/actions/set-up"]

    assert "with" not in set_up[0]
    assert not [run for run in runs("publish") if "uv " in run]


@pytest.mark.parametrize("job", sorted(JOBS))
def test_actions_are_pinned_by_commit_and_are_those_of_the_other_workflows(job: str) -> None:
    others = "".join(path.read_text() for path in WORKFLOWS.glob("*.yml") if path.name != "release.yml")

    for step in JOBS[job]["steps"]:
        if "uses" in step and not step["uses"].startswith("./"):
            name, _, commit = step["uses"].partition("@")
            assert len(commit) == 40, step
            assert f"{name}@{commit}" in others


@pytest.mark.parametrize("job", sorted(JOBS))
def test_no_expression_of_the_workflow_reaches_a_shell(job: str) -> None:
    assert not [run for run in runs(job) if "${{" in run]


# --- the recipes that only the workflow runs -------------------------------------------------------------------------

JUST = shutil.which("just", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
"""Beside the interpreter, or elsewhere on the machine."""


class Programs:
    """Stand-ins for programs at the network's edge, which write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.dist = folder / "dist"
        self.dist.mkdir()
        for name in ("prefect_bolt-0.8.0-py3-none-any.whl", "prefect_bolt-0.8.0.tar.gz"):
            (self.dist / name).touch()

    def add(self, name: str, more: str = "") -> str:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >> "{self.log}"\n{more}')
        path.chmod(0o755)
        return str(path)

    def run(self, *recipe: str, **environment: str) -> subprocess.CompletedProcess[str]:
        assert JUST is not None, "just is not installed"
        return subprocess.run(
            [JUST, *recipe],
            cwd=workspace.ROOT,
            env={**os.environ, **environment, "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )

    def calls(self) -> list[str]:
        return self.log.read_text().replace(f"{self.dist}/", "").splitlines()


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def test_what_is_published_is_signed_before_and_goes_with_its_attestations(programs: Programs) -> None:
    signs = f'test "$1" = publish || for file in "{programs.dist}"/*; do : > "$file.publish.attestation"; done\n'
    uv = programs.add("uv", signs)

    answer = programs.run("publish", str(programs.dist), UV=uv)

    assert answer.returncode == 0, answer.stderr
    pin = workspace.read_toml(workspace.ROOT / "pyproject.toml")["tool"]["uv"]["exclude-newer"]
    files = ["prefect_bolt-0.8.0-py3-none-any.whl", "prefect_bolt-0.8.0.tar.gz"]
    assert programs.calls() == [
        f"uv tool run --exclude-newer {pin} pypi-attestations sign {' '.join(files)}",
        " ".join(
            [
                "uv publish --trusted-publishing always",
                *files,
                *(f"{file}.publish.attestation" for file in files),
            ]
        ),
    ]


def test_nothing_is_published_that_could_not_be_signed(programs: Programs) -> None:
    answer = programs.run("publish", str(programs.dist), UV=programs.add("uv", "exit 3\n"))

    assert answer.returncode != 0
    assert len(programs.calls()) == 1


def test_a_release_is_announced_with_what_the_changelog_says(programs: Programs) -> None:
    programs.add("gh")
    # What uv does here is to run a program with two small packages.
    uv = programs.add("uv", f'while [ "$1" != python ]; do shift; done\nshift\nexec "{sys.executable}" "$@"\n')
    shell = workspace.find("shell", MEMBERS)
    tag = f"{shell.name}-{shell.version}"

    answer = programs.run("announce", tag, str(programs.dist), UV=uv)

    assert answer.returncode == 0, answer.stderr
    said = "\n".join(programs.calls()[1:])
    assert said.startswith(f"gh release create {tag} --verify-tag --latest=false --title {tag} --notes ")
    assert tagged.notes(shell) in said
    assert said.endswith(" prefect_bolt-0.8.0-py3-none-any.whl prefect_bolt-0.8.0.tar.gz")


def test_a_sentence_with_quotes_reaches_its_fragment(programs: Programs) -> None:
    uv = programs.add("uv", f'while [ "$1" != python ]; do shift; done\nshift\nexec "{sys.executable}" "$@"\n')

    answer = programs.run("news", "nope", "fixed", 'It\'s "$HOME" & `that`.', UV=uv)

    assert "no package is named 'nope'" in answer.stderr
    assert programs.calls()[0].endswith("""scripts.releases news nope fixed It's "$HOME" & `that`.""")
