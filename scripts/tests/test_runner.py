"""What a runner is told to do, by programs that only note how they were called."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import report, runner
from scripts.matrix import Needs
from scripts.workspace import WorkspaceError, packages

Calls = Callable[[], list[list[str]]]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Stand-ins for what a runner has. `gh issue list` answers what `ANSWER` holds."""
    log = tmp_path / "calls"
    body = f"""#!{sys.executable}
import json, os, sys
with open({str(log)!r}, "a") as calls:
    calls.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
if sys.argv[1:3] == ["issue", "list"]:
    print(os.environ.get("ANSWER", "[]"))
"""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("apt-get", "gh", "kind", "sudo"):
        (folder / name).write_text(body)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    monkeypatch.setenv("GITHUB_ENV", str(tmp_path / "env"))
    assert shutil.which("apt-get") == str(folder / "apt-get")
    return lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_debian_packages_are_installed_after_the_lists_are_renewed(programs: Calls) -> None:
    runner.prepare(["git-lfs", "redis-server"], cluster=False)

    update, install = programs()
    assert update[-2:] == ["update", "-qq"]
    assert install[-5:] == ["-qq", "--yes", "--no-install-recommends", "git-lfs", "redis-server"]
    for command in (update, install):
        assert command[0] == ("apt-get" if os.geteuid() == 0 else "sudo")


def test_a_cluster_is_started_and_the_next_steps_are_told(programs: Calls, tmp_path: Path) -> None:
    runner.prepare([], cluster=True)

    kubeconfig = tmp_path / "kubeconfig"
    assert programs() == [["kind", "create", "cluster", "--wait", "120s", "--kubeconfig", str(kubeconfig)]]
    assert (tmp_path / "env").read_text() == f"KUBERNETES_TEST_KUBECONFIG={kubeconfig}\n"


def test_nothing_is_done_when_nothing_is_needed(programs: Calls) -> None:
    runner.prepare([], cluster=False)

    assert programs() == []


def test_one_package_needs_its_own_and_all_need_everything() -> None:
    one, other, *_ = (package.name for package in packages())
    needs = [Needs(one, ("3.10",), apt=("b", "a")), Needs(other, ("3.10",), apt=("c", "a"), cluster=True)]

    assert runner.needed(one, needs) == (["a", "b"], False)
    assert runner.needed("all", needs) == (["a", "b", "c"], True)


def test_an_unknown_package_is_an_error() -> None:
    with pytest.raises(WorkspaceError, match="no package is named 'nope'"):
        runner.needed("nope", [])
    assert runner.main(["nope"]) == 2


@pytest.fixture
def run_url(monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in {"SERVER_URL": "https://example.com", "REPOSITORY": "o/r", "RUN_ID": "7"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    return "https://example.com/o/r/actions/runs/7"


def test_the_first_failure_opens_an_issue(programs: Calls, run_url: str) -> None:
    assert report.main(["It fails", "failure"]) == 0

    assert programs()[1:] == [["gh", "issue", "create", "--title", "It fails", "--body", f"Something broke: {run_url}"]]


@pytest.mark.parametrize(("result", "verb"), [("failure", "comment"), ("success", "close")])
def test_the_open_issue_of_that_title_is_continued_and_closed(
    programs: Calls, run_url: str, monkeypatch: pytest.MonkeyPatch, result: str, verb: str
) -> None:
    monkeypatch.setenv("ANSWER", '[{"number": 3, "title": "It fails otherwise"}, {"number": 5, "title": "It fails"}]')

    assert report.main(["It fails", result]) == 0

    [called] = programs()[1:]
    assert called[:4] == ["gh", "issue", verb, "5"]
    assert called[-1].endswith(run_url)


@pytest.mark.parametrize("result", ["success", "cancelled", "skipped"])
def test_nothing_is_said_where_nothing_is_open_and_nothing_failed(programs: Calls, run_url: str, result: str) -> None:
    assert report.main(["It fails", result]) == 0

    assert len(programs()) == 1
