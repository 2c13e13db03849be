from __future__ import annotations

from pathlib import Path

import pytest

from scripts import examples

FRONT = "# ---\n# title: One\n# description: Shows one thing.\n"


def write(folder: Path, body: str, name: str = "one.py") -> Path:
    path = folder / name
    path.write_text(body, encoding="utf-8")
    return path


def test_every_example_of_this_repository_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert examples.main(["list"]) == 0

    out, err = capsys.readouterr()
    assert "tour.py              A nightly report\n" in out
    assert err == ""


def test_the_list_is_in_order_and_tells_drafts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, FRONT + "# draft: true\n# ---\n", "a.py")
    write(tmp_path, FRONT + "# order: 1\n# ---\n", "b.py")

    assert examples.main(["list"], tmp_path) == 0
    assert capsys.readouterr().out == f"{'b.py':20} One\n{'a.py':20} One (draft)\n"


def test_bad_examples_are_told_and_nothing_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, FRONT + "# ---\nprint('hello')\n", "a.py")
    bad = write(tmp_path, FRONT + "# colour: red\n# order: x\n# ---\n", "b.py")

    assert examples.main(["run"], tmp_path) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert f"error: {bad}:4: unknown key 'colour'" in err
    assert f"error: {bad}:5: 'order' must be" in err


def test_a_file_without_front_matter_is_told_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, FRONT + "# ---\n")
    other = write(tmp_path, "raise SystemExit(1)\n", "other.py")

    assert examples.main(["run"], tmp_path) == 0

    out, err = capsys.readouterr()
    assert "one.py: passed" in out
    assert "other.py" not in out
    assert err.startswith(f"{other}:1: warning: no front matter")


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("print('hello')", 0, "one.py: passed"),
        ("import os; raise SystemExit(os.environ['DO_NOT_TRACK'] != '1')", 0, "one.py: passed"),
        ("raise SystemExit(3)", 1, "one.py: ended with exit code 3"),
        ("import time; time.sleep(60)", 1, "one.py: still ran after 0.5 s"),
    ],
)
def test_an_example_is_run_and_its_end_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, code: int, said: str
) -> None:
    write(tmp_path, f"{FRONT}# ---\n{body}\n")
    timeout = "0.5" if "sleep" in body else "60"

    assert examples.main(["run", "--timeout", timeout], tmp_path) == code
    assert said in capsys.readouterr().out


def test_a_dependency_that_is_not_installed_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, FRONT + '# dependencies: ["no-such-thing", "pytest>=999"]\n# ---\n')

    assert examples.main(["run"], tmp_path) == 1
    out = capsys.readouterr().out
    assert "needs no-such-thing, pytest>=999 (installed: " in out
    assert "`examples` group" in out


def test_an_unknown_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, FRONT + "# ---\n")

    assert examples.main(["run", "two"], tmp_path) == 2
    assert "no example is named 'two'; there are: one" in capsys.readouterr().err


def test_a_draft_runs_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, FRONT + "# draft: true\n# ---\nraise SystemExit(3)\n")

    assert examples.main(["run"], tmp_path) == 1
    assert "one.py: ended with exit code 3" in capsys.readouterr().out


def test_two_run_at_a_time_and_what_each_prints_stays_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for mine, other in (("a", "b"), ("b", "a")):
        body = (
            "import time\nfrom pathlib import Path\n"
            f"print('{mine} begins', flush=True)\n"
            f"Path({str(tmp_path / mine)!r}).touch()\n"
            f"while not Path({str(tmp_path / other)!r}).exists():\n    time.sleep(0.01)\n"
            f"print('{mine} ends')\n"
        )
        write(tmp_path, f"{FRONT}# ---\n{body}", f"{mine}.py")

    assert examples.main(["run", "--timeout", "60"], tmp_path) == 0
    out = capsys.readouterr().out
    for name in "ab":
        assert f"--- {name}.py: One\n{name} begins\n{name} ends\n--- {name}.py: passed" in out
