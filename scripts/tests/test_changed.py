from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts import workspace
from scripts.changed import Change, changed_paths, is_known, reached
from scripts.workspace import Package, WorkspaceError

KIT = "prefect-integration-kit"


def package(name: str, *needs: str, kind: str = "integrations", root: Path = workspace.ROOT) -> Package:
    return Package(name, root / "src" / kind / name, "1.2.3", f"Talk to {name}.", frozenset(needs))


MEMBERS = [
    package("prefect-acme", KIT, "prefect-integration-tests"),
    package("prefect-bolt", KIT),
    package("prefect-cog", "prefect-bolt"),
    package(KIT, kind="kit"),
    package("prefect-integration-tests", KIT, kind="kit"),
]
ALL = [member.name for member in MEMBERS]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("src/integrations/prefect-acme/prefect_acme/jobs.py", ["prefect-acme"], id="its own"),
        pytest.param("src/integrations/prefect-bolt/README.md", ["prefect-bolt", "prefect-cog"], id="a need"),
        pytest.param(f"src/kit/{KIT}/x/paths.py", ALL, id="the kit"),
        pytest.param(
            "src/kit/prefect-integration-tests/x.py", ["prefect-acme", "prefect-integration-tests"], id="tests"
        ),
        pytest.param("docs/integrations/prefect-bolt/index.mdx", ["prefect-bolt", "prefect-cog"], id="its guide"),
        pytest.param("docs/integrations/prefect-bolt/api-ref/prefect_bolt-jobs.mdx", [], id="reference"),
    ],
)
def test_a_change_reaches_its_package_and_those_that_need_it(path: str, expected: list[str]) -> None:
    assert reached([Change(path)], MEMBERS) == expected


@pytest.mark.parametrize(
    "path",
    [
        ".ci/run",
        ".github/actions/set-up/action.yml",
        ".github/workflows/checks.yml",
        "justfile",
        "pyproject.toml",
        "scripts/matrix.py",
        "scripts/workspace.py",
    ],
)
def test_a_change_of_what_all_tests_share_reaches_every_package(path: str) -> None:
    assert reached([Change(path)], MEMBERS) == ALL


@pytest.mark.parametrize(
    "path",
    [
        ".github/ISSUE_TEMPLATE/bug.yml",
        ".github/workflows/docs.yml",
        "LICENSE",
        "README.md",
        "benches/harness.py",
        "docs/contribute/index.mdx",
        "examples/tour.py",
        "scripts/readme.py",
    ],
)
def test_what_checks_of_the_whole_repository_look_at_reaches_no_package(path: str) -> None:
    assert reached([Change(path)], MEMBERS) == []


def test_no_change_reaches_nothing() -> None:
    assert reached([], MEMBERS) == []


def test_several_changes_reach_what_each_reaches_in_the_order_of_the_workspace() -> None:
    changes = [Change("src/integrations/prefect-cog/x.py"), Change("src/integrations/prefect-acme/x.py")]

    assert reached(changes, MEMBERS) == ["prefect-acme", "prefect-cog"]


@pytest.mark.parametrize(
    "path",
    [
        "src/integrations/prefect-acme-two/x.py",
        "src/integrations/README.md",
        "src/kit/new.py",
        "tools/x.py",
        "Makefile",
    ],
)
def test_a_file_in_an_unknown_place_is_an_error_that_names_it(path: str) -> None:
    with pytest.raises(WorkspaceError, match=f"^{path} lies where nothing is known to lie"):
        reached([Change("justfile"), Change(path)], MEMBERS)


def test_a_package_that_is_gone_reaches_every_package() -> None:
    assert reached([Change("src/integrations/prefect-gone/prefect_gone/x.py", gone=True)], MEMBERS) == ALL


def test_a_file_of_a_package_that_is_gone_reaches_it_as_any_change_does() -> None:
    assert reached([Change("src/integrations/prefect-acme/old.py", gone=True)], MEMBERS) == ["prefect-acme"]


def test_a_page_elsewhere_reaches_the_package_whose_tests_run_its_code(tmp_path: Path) -> None:
    acme = package("prefect-acme", root=tmp_path)
    tests = acme.path / "tests"
    tests.mkdir(parents=True)
    tests.joinpath("test_guide_more.py").write_text(
        'class TestGuide:\n    more_pages = ("../../index.mdx", "../use.mdx")\n'
    )

    for page in ("docs/index.mdx", "docs/integrations/use.mdx"):
        assert reached([Change(page)], [acme], tmp_path) == ["prefect-acme"]
    assert reached([Change("docs/other.mdx")], [acme], tmp_path) == []


def test_the_first_page_of_this_site_is_tested_by_some_package() -> None:
    assert reached([Change("docs/index.mdx")], workspace.packages())


def test_every_file_of_this_repository_lies_in_a_known_place() -> None:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=workspace.ROOT, check=True, capture_output=True, text=True).stdout
    members = workspace.packages()

    tops = {"/".join(path.split("/")[:4]) for path in filter(None, listed.split("\0"))}
    reached([Change(path) for path in sorted(tops)], members)


class Repository:
    """A git repository in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch", "main")

    def git(self, *arguments: str) -> str:
        author = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        command = ["git", *author, *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, **files: str) -> str:
        for name, content in files.items():
            self.root.joinpath(f"{name}.txt").write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "x")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_changes_are_those_since_the_branch_left_its_base(repository: Repository) -> None:
    repository.commit(old="1", name="1")
    repository.git("switch", "--quiet", "--create", "branch")
    repository.commit(old="2", new="1")
    repository.git("switch", "--quiet", "main")
    repository.commit(elsewhere="1")
    repository.git("switch", "--quiet", "branch")

    assert changed_paths("main", repository.root) == [Change("new.txt"), Change("old.txt")]


def test_changes_that_are_not_committed_count_too(repository: Repository) -> None:
    base = repository.commit(old="1", gone="1")
    repository.root.joinpath("old.txt").write_text("2")
    repository.root.joinpath("gone.txt").unlink()
    repository.root.joinpath("new.txt").write_text("1")
    repository.root.joinpath(".gitignore").write_text("*.log\n")
    repository.root.joinpath("a.log").write_text("1")

    assert set(changed_paths(base, repository.root)) == {
        Change("old.txt"),
        Change("gone.txt", gone=True),
        Change("new.txt"),
        Change(".gitignore"),
    }


def test_a_file_with_another_name_is_gone_under_the_old_one(repository: Repository) -> None:
    base = repository.commit(name="a long content " * 10)
    repository.git("mv", "name.txt", "a new näme.txt")
    repository.commit()

    assert set(changed_paths(base, repository.root)) == {Change("a new näme.txt"), Change("name.txt", gone=True)}


def test_a_commit_that_is_not_here_is_not_known(repository: Repository) -> None:
    head = repository.commit()

    assert is_known(head, repository.root)
    for missing in ("", "0" * 40, "1234567" + "0" * 33, "--all"):
        assert not is_known(missing, repository.root)
