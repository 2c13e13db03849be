"""Tests of all packages run, and what they say is put together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.everything import commands, run
from scripts.workspace import packages


@pytest.fixture
def suites(tmp_path: Path) -> list[tuple[str, list[str]]]:
    """Three small suites: one passes, one fails, one has no tests."""
    bodies = {
        "good": "import pytest\n\ndef test_one(): pass\n\n@pytest.mark.skip\ndef test_two(): pass\n",
        "bad": "def test_one(): pass\n\ndef test_wrong(): assert not 'right'\n",
        "empty": "",
    }
    named: list[tuple[str, list[str]]] = []
    for name, body in bodies.items():
        (tmp_path / f"test_{name}.py").write_text(body)
        command = [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
        named.append((name, [*command, str(tmp_path / f"test_{name}.py")]))
    return named


def test_one_failure_does_not_keep_the_others_from_running(
    suites: list[tuple[str, list[str]]], capfd: pytest.CaptureFixture[str]
):
    good, bad, _ = suites
    assert run([bad, good]) == 1
    *_, spoiled, broken, closing = capfd.readouterr().out.splitlines()
    assert spoiled.startswith("FAILED ")
    assert "test_wrong" in spoiled
    assert broken == "These failed: bad."
    assert closing.startswith("1 failed, 2 passed, 1 skipped, 1 rerun in ")


def test_suites_that_run_at_the_same_time_are_shown_one_after_another(
    suites: list[tuple[str, list[str]]], capfd: pytest.CaptureFixture[str]
):
    good, bad, empty = suites
    assert run([good, bad, empty], may_be_empty=True, at_a_time=3) == 1
    printed = capfd.readouterr().out
    parts = {part.partition("\n")[0]: part for part in printed.split("\n--- ")[-4:]}
    assert parts.keys() == {"good", "bad", "empty", "all together"}
    assert "1 passed, 1 skipped" in parts["good"]
    assert "test_wrong" in parts["bad"]
    assert printed.splitlines()[-1].startswith("1 failed, 2 passed, 1 skipped, 1 rerun in ")


def test_all_is_well_when_nothing_fails(suites: list[tuple[str, list[str]]], capfd: pytest.CaptureFixture[str]):
    good, _, empty = suites
    assert run([good, empty], may_be_empty=True) == 0
    assert capfd.readouterr().out.splitlines()[-1].startswith("1 passed, 1 skipped in ")


def test_a_suite_without_tests_is_a_failure_unless_they_were_deselected(suites: list[tuple[str, list[str]]]):
    assert run([suites[2]]) == 1


def test_a_test_that_passes_at_the_second_attempt_only_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    body = "from pathlib import Path\n\ndef test_moody():\n    seen = Path(__file__).with_name('seen')\n"
    body += "    was_there, _ = seen.exists(), seen.touch()\n    assert was_there\n"
    (tmp_path / "test_moods.py").write_text(body)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    assert run([("moods", command)]) == 0
    *_, named, closing = capfd.readouterr().out.splitlines()
    assert named == "Passed at the second attempt only, and is to be mended: test_moods.py::test_moody"
    assert closing.startswith("1 passed, 1 rerun in ")


def test_the_slowest_tests_are_named(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--color=no")
    run([("says", [sys.executable, "-c", "import os; print(os.environ['PYTEST_ADDOPTS'])"])])
    assert "--color=no --durations=10 --durations-min=2 --reruns 1 -raR\n" in capfd.readouterr().out


def test_every_package_and_the_repository_are_tested():
    listed = list(commands(["-k", "x"]))
    assert sorted(name for name, _ in listed) == sorted([*(package.name for package in packages()), "scripts"])
    assert all(command[-2:] == ["-k", "x"] for _, command in listed)
