from __future__ import annotations

import os
import subprocess
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from scripts import pin
from scripts.workspace import ROOT, WorkspaceError

TEXT = '[tool.uv]\nexclude-newer = "2026-01-31T00:00:00Z"\n\n[tool.ruff]\nline-length = 120\n'


def test_only_the_date_moves() -> None:
    assert pin.moved(TEXT, date(2026, 2, 1)) == TEXT.replace("2026-01-31", "2026-02-01")


@pytest.mark.parametrize("to", [date(2026, 1, 31), date(2025, 12, 1)], ids=str)
def test_it_never_moves_back(to: date) -> None:
    assert pin.moved(TEXT, to) == TEXT


@pytest.mark.parametrize("text", ["", TEXT + TEXT, 'exclude-newer = "1 week"\n'], ids=["none", "two", "no date"])
def test_a_file_without_one_pin_is_refused(text: str) -> None:
    with pytest.raises(WorkspaceError, match="needs one line of the form"):
        pin.moved(text, date(2026, 2, 1))


def test_this_workspace_has_a_pin() -> None:
    assert "2100-01-01" in pin.moved((ROOT / "pyproject.toml").read_text(), date(2100, 1, 1))


def test_it_moves_to_a_week_ago_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(TEXT.replace("2026", "2020"))
    week_ago = (datetime.now(timezone.utc).date() - timedelta(days=7)).isoformat()

    assert pin.main([], tmp_path) == 0
    assert f'exclude-newer = "{week_ago}T00:00:00Z"' in file.read_text()
    assert pin.main([], tmp_path) == 0
    assert "not older than a week" in capsys.readouterr().out


@pytest.mark.parametrize("is_open", [False, True], ids=["new", "open"])
def test_the_move_is_pushed_proposed_and_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_open: bool) -> None:
    def git(*arguments: str, cwd: Path) -> str:
        author = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        command = ["git", *author, *arguments]
        return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout

    origin, work, log = tmp_path / "origin", tmp_path / "work", tmp_path / "calls"
    git("init", "--quiet", "--bare", str(origin), cwd=tmp_path)
    git("clone", "--quiet", str(origin), str(work), cwd=tmp_path)
    (work / "pyproject.toml").write_text(TEXT.replace("2026", "2020"))
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message", "x", cwd=work)
    (tmp_path / "bin").mkdir()
    gh = tmp_path / "bin" / "gh"
    listed = '[{"number": 1}]' if is_open else "[]"
    gh.write_text(f'#!/bin/sh\necho "$1 $2 $3" >> {log}\n[ "$1 $2" = "pr list" ] && echo \'{listed}\'\nexit 0\n')
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gh.parent}{os.pathsep}{os.environ['PATH']}")

    assert pin.main(["--propose"], work) == 0

    pushed = git("show", f"{pin.BRANCH}:pyproject.toml", cwd=origin)
    assert pushed == (work / "pyproject.toml").read_text()
    assert "2020-01-31" not in pushed
    then = f"pr edit {pin.BRANCH}" if is_open else "pr create --head"
    expected = ["auth setup-git ", "pr list --head", then, "workflow run checks.yml"]
    assert log.read_text().splitlines() == expected


def test_the_program_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")

    assert pin.main([], tmp_path) == 2
