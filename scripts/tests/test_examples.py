from __future__ import annotations

from pathlib import Path

import pytest

from scripts import examples

FRONT = "# ---\n# title: One\n# description: Shows one thing.\n"


def write(folder: Path, body: str, name: str = "one.py") -> Path:
    path = folder / name
    path.write_text(body, encoding="utf-8")
    return path


def test_every_example_of_this_repository_is_valid() -> None:
    assert [example.title for example in examples.examples()]


def test_front_matter_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        FRONT + '# icon: play\n# keywords: ["a"]\n# dependencies: ["pytest>=8"]\n# cmd: ["python", "x.py"]\n'
        "# order: 3\n# draft: true\n# tags: []\n# ---\nprint(1)\n",
    )

    assert examples.read(path) == examples.Example(
        path=path,
        title="One",
        description="Shows one thing.",
        dependencies=("pytest>=8",),
        cmd=("python", "x.py"),
        order=3,
        draft=True,
    )


def test_a_file_without_front_matter_is_no_example(tmp_path: Path) -> None:
    assert examples.read(write(tmp_path, "print(1)\n")) is None


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("# ---\n# title: One\n# ---\n", 1, "lacks 'description'"),
        (FRONT + "# colour: red\n# ---\n", 4, "unknown key 'colour'; known are title, description"),
        (FRONT + "# order: first\n# ---\n", 4, "'order' must be a whole number, not 'first'"),
        (FRONT + "# order: true\n# ---\n", 4, "'order' must be a whole number, not True"),
        (FRONT + "# draft: 1\n# ---\n", 4, "'draft' must be true or false, not 1"),
        (FRONT + "# keywords: one\n# ---\n", 4, "'keywords' must be a list of texts, not 'one'"),
        (FRONT + "# cmd: [1]\n# ---\n", 4, "'cmd' must be a list of texts, not [1]"),
        (FRONT + "# title: Two\n# ---\n", 4, "'title' is given twice"),
        (FRONT + '# icon: "open\n# ---\n', 4, "found unexpected end of stream"),
        (FRONT + '# dependencies: ["not a name!"]\n# ---\n', 4, "Expected"),
        (FRONT + "print(1)\n# ---\n", 4, "begins with '#'"),
        ("# ---\n# just words\n# ---\n", 2, "no list of `key: value`"),
        (FRONT, 1, "no closing '# ---'"),
    ],
)
def test_wrong_front_matter_is_refused_with_file_and_line(tmp_path: Path, body: str, line: int, message: str) -> None:
    path = write(tmp_path, body)

    with pytest.raises(examples.ExampleError) as caught:
        examples.read(path)

    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


def test_examples_come_in_order_and_then_by_name(tmp_path: Path) -> None:
    write(tmp_path, FRONT + "# ---\n", "a.py")
    write(tmp_path, FRONT + "# order: 2\n# ---\n", "b.py")
    write(tmp_path, FRONT + "# order: 1\n# ---\n", "c.py")

    assert [example.path.name for example in examples.examples(tmp_path)] == ["c.py", "b.py", "a.py"]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("print('hello')", 0, "one.py: passed"),
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
