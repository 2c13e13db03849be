from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_integration_docs.example_bodies import Code, Markdown
from prefect_integration_docs.examples import Example, read_examples
from prefect_integration_docs.problems import Problem

FRONT = "# ---\n# title: One\n# description: Shows one thing.\n"
FIRST_BODY_LINE = 5  # below FRONT and its closing line


def write(folder: Path, text: str, name: str = "one.py") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def blocks(folder: Path, body: str) -> list[tuple[str, int, str]]:
    """Read one example and tell its blocks: kind, line in the body counted from 1, text."""
    write(folder, f"{FRONT}# ---\n{body}")
    (example,), problems = read_examples(folder)
    assert problems == []
    return [(type(b).__name__, b.line - FIRST_BODY_LINE + 1, b.text) for b in example.blocks]


def problems_of(folder: Path, text: str) -> list[tuple[int, str]]:
    """Read one file that is no example and tell what is wrong with it."""
    path = write(folder, text)
    examples, problems = read_examples(folder)
    assert examples == []
    assert all(problem.path == path for problem in problems)
    return [(problem.line, problem.message) for problem in problems]


# --- front matter ----------------------------------------------------------------------------------------------------


def test_every_key_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        FRONT + '# icon: play\n# keywords: ["a", b c]\n# dependencies:\n#   - pytest>=8\n# cmd: ["python", "x.py"]\n'
        "# order: 3\n# draft: true\n# github_url: https://example.com/one\n# tags: [t]\n# ---\nprint(1)\n",
        "one_thing.py",
    )

    examples, problems = read_examples(tmp_path)

    assert problems == []
    assert examples == [
        Example(
            path=path,
            title="One",
            description="Shows one thing.",
            icon="play",
            keywords=("a", "b c"),
            dependencies=("pytest>=8",),
            cmd=("python", "x.py"),
            order=3,
            draft=True,
            github_url="https://example.com/one",
            tags=("t",),
            blocks=(Code(14, "print(1)"),),
        )
    ]
    assert examples[0].slug == "one-thing"


def test_without_a_command_python_runs_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, FRONT + "# ---\n")

    assert read_examples(tmp_path)[0][0].cmd == ("python", str(path))


@pytest.mark.parametrize(
    "title", ["# title: >\n#   One\n#   thing\n", "# title: 'One thing'\n", "# title:  One thing \n"]
)
def test_a_text_is_one_line_however_it_is_written(tmp_path: Path, title: str) -> None:
    write(tmp_path, f"# ---\n{title}# description: d\n# ---\n")

    assert read_examples(tmp_path)[0][0].title == "One thing"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("# ---\n# title: One\n# ---\n", 1, "the front matter lacks 'description'"),
        (FRONT + "# colour: red\n# ---\n", 4, "unknown key 'colour'; known are title, description"),
        (FRONT + "# keyword: [red]\n# ---\n", 4, "unknown key 'keyword'; did you mean 'keywords'?"),
        (FRONT + "# 7: red\n# ---\n", 4, "unknown key '7'"),
        (FRONT + "# [a]: red\n# ---\n", 4, "unknown key"),
        (FRONT + "# order: first\n# ---\n", 4, "'order' must be a whole number, not 'first'"),
        (FRONT + "# order: true\n# ---\n", 4, "'order' must be a whole number, not True"),
        (FRONT + "# order: 1.5\n# ---\n", 4, "'order' must be a whole number, not 1.5"),
        (FRONT + "# draft: 1\n# ---\n", 4, "'draft' must be true or false, not 1"),
        (FRONT + "# keywords: one\n# ---\n", 4, "'keywords' must be a list of texts, not 'one'"),
        (FRONT + "# keywords: [one, 2]\n# ---\n", 4, "'keywords' must be a list of texts, not ['one', 2]"),
        (FRONT + "# keywords: &a [*a]\n# ---\n", 4, "'keywords' must be a list of texts"),
        (FRONT + "# cmd: [1]\n# ---\n", 4, "'cmd' must be a list of texts that begins with a program, not [1]"),
        (FRONT + "# cmd: []\n# ---\n", 4, "'cmd' must be a list of texts that begins with a program, not []"),
        (FRONT + "# icon: [play]\n# ---\n", 4, "'icon' must be a line of text, not ['play']"),
        (FRONT + "# icon:\n# ---\n", 4, "'icon' must be a line of text, not None"),
        (FRONT + "# icon: 500\n# ---\n", 4, "'icon' must be a line of text, not 500; put it in quotes"),
        (FRONT + "# icon: 2026-02-30\n# ---\n", 4, "'icon' must be a line of text: day is out of range"),
        (FRONT + "# icon: !!python/name:os.system x\n# ---\n", 4, "'icon' must be a line of text: "),
        ("# ---\n# title: |\n#   a\n#   b\n# description: d\n# ---\n", 2, "'title' must be a line of text, not 'a\\nb"),
        (FRONT + "# title: Two\n# ---\n", 4, "'title' is given twice"),
        (FRONT + '# icon: "open\n# ---\n', 4, "no valid YAML: found unexpected end of stream"),
        (FRONT + "# icon: a: b\n# ---\n", 4, "no valid YAML: mapping values are not allowed here"),
        (FRONT + "# icon: \x01\n# ---\n", 1, "no valid YAML: unacceptable character"),
        (FRONT + '# dependencies: ["ok", "not a name!"]\n# ---\n', 4, "'not a name!' is no requirement: Expected"),
        (FRONT + "# github_url: example.com/one\n# ---\n", 4, "must be an address that begins with https://"),
        (FRONT + "# github_url: 'javascript:alert(1)'\n# ---\n", 4, "not 'javascript:alert(1)'"),
        (FRONT + "# github_url: https://\n# ---\n", 4, "'github_url' must be"),
        (FRONT + "# github_url: https://a b\n# ---\n", 4, "'github_url' must be"),
        (FRONT + "# github_url: 'https://[a'\n# ---\n", 4, "'github_url' must be"),
        (FRONT + "print(1)\n# ---\n", 4, "every line of front matter begins with '#', up to '# ---'"),
        ("# ---\n# just words\n# ---\n", 2, "no list of `key: value`"),
        ("# ---\n# ---\n", 2, "no list of `key: value`"),
        (FRONT, 1, "no closing '# ---'"),
        (FRONT + "\nprint(1)\n", 1, "no closing '# ---'"),
        ("#!/usr/bin/env python\n" + FRONT + "# ---\n", 2, "front matter begins in the first line"),
    ],
)
def test_wrong_front_matter_is_told_with_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    ((at, said),) = problems_of(tmp_path, text)

    assert at == line
    assert message in said


def test_all_that_is_wrong_with_a_file_is_told_at_once_and_in_order(tmp_path: Path) -> None:
    found = problems_of(tmp_path, "# ---\n# order: a\n# titel: One\n# draft: b\n# ---\n# # Heading\n")

    # `titel` stands for the title that is missing, so nothing is said about that.
    assert [line for line, _ in found] == [1, 2, 3, 4, 6]
    assert "lacks 'description'" in found[0][1]
    assert "did you mean 'title'?" in found[2][1]


def test_a_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path, FRONT + "# ---\n", "a.py")
    bad = write(tmp_path, FRONT, "b.py")
    write(tmp_path, FRONT + "# ---\n", "c.py")

    examples, problems = read_examples(tmp_path)

    assert [example.path.name for example in examples] == ["a.py", "c.py"]
    assert [problem.path for problem in problems] == [bad]


def test_examples_come_in_order_and_then_by_name(tmp_path: Path) -> None:
    write(tmp_path, FRONT + "# ---\n", "a.py")
    write(tmp_path, FRONT + "# order: 2\n# ---\n", "b.py")
    write(tmp_path, FRONT + "# order: 0\n# ---\n", "c.py")
    write(tmp_path, FRONT + "# order: -1\n# ---\n", "d.py")
    (tmp_path / "folder.py").mkdir()

    assert [example.path.name for example in read_examples(tmp_path)[0]] == ["d.py", "c.py", "b.py", "a.py"]


def test_a_file_without_front_matter_is_no_example_and_no_failure(tmp_path: Path) -> None:
    path = write(tmp_path, "print(1)\n")

    examples, (problem,) = read_examples(tmp_path)

    assert examples == []
    assert problem == Problem(path, 1, problem.message, fatal=False)
    assert "begin it with '# ---', '# title: …', '# description: …', '# ---'" in problem.message


@pytest.mark.parametrize("text", ["print(1)\n", ""])
def test_nothing_is_said_of_a_file_whose_name_begins_with_an_underscore(tmp_path: Path, text: str) -> None:
    write(tmp_path, text, "_shared.py")

    assert read_examples(tmp_path) == ([], [])


def test_an_empty_file_and_an_empty_folder_are_no_failure(tmp_path: Path) -> None:
    assert read_examples(tmp_path) == ([], [])
    write(tmp_path, "")
    assert [problem.fatal for problem in read_examples(tmp_path)[1]] == [False]


def test_two_files_with_one_address_are_refused(tmp_path: Path) -> None:
    write(tmp_path, FRONT + "# ---\n", "a_b.py")
    other = write(tmp_path, FRONT + "# ---\n", "a-b.py")

    examples, (problem,) = read_examples(tmp_path)

    assert [example.path for example in examples] == [other]
    assert problem.message == "a-b.py has the same address, 'a-b'; rename one of the two files"


@pytest.mark.parametrize("name", ["index.py", "Two.py", "_a.py", "a b.py", "a.b.py", "ä.py"])
def test_a_name_that_makes_no_address_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, FRONT + "# ---\n", name)

    examples, (problem,) = read_examples(tmp_path)

    assert examples == []
    assert "the page cannot have the address" in problem.message


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_is_read(tmp_path: Path, end: str) -> None:
    write(tmp_path, (FRONT + "# ---\n# Text.\nx = 1\n").replace("\n", end))

    assert read_examples(tmp_path)[0][0].blocks == (Markdown(5, "Text."), Code(6, "x = 1"))


def test_a_mark_of_byte_order_and_a_last_line_without_end_are_read(tmp_path: Path) -> None:
    write(tmp_path, f"\ufeff{FRONT}# ---\n# Text.")

    assert read_examples(tmp_path)[0][0].blocks == (Markdown(5, "Text."),)


def test_what_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_bytes(FRONT.encode() + b"# icon: \xe4\n# ---\n")

    _, (problem,) = read_examples(tmp_path)

    assert (problem.line, problem.fatal) == (4, True)
    assert "save it as UTF-8" in problem.message


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("x = (\n", 5, "no valid Python: '(' was never closed"),
        ("x = 1\nreturn x\n", 6, "no valid Python: 'return' outside function"),
        ("# Text.\n\n  x = 1\n", 7, "no valid Python: unexpected indent"),
        ("x = '\0'\n", 1, "null bytes"),
    ],
)
def test_a_body_that_is_no_python_is_told_with_its_line(tmp_path: Path, body: str, line: int, message: str) -> None:
    ((at, said),) = problems_of(tmp_path, f"{FRONT}# ---\n{body}")

    assert at == line or "null" in message
    assert message in said


# --- the body --------------------------------------------------------------------------------------------------------


def test_comments_are_text_and_the_rest_is_code(tmp_path: Path) -> None:
    body = "#\n# One.\n# Two.\n#\n# Three.\n\n\nx = 1\n\n\ny = 2\n\n# Four.\n\n# Five.\nz = 3\n\n"

    assert blocks(tmp_path, body) == [
        ("Markdown", 2, "One.\nTwo.\n\nThree."),
        ("Code", 8, "x = 1\n\n\ny = 2"),
        ("Markdown", 13, "Four.\n\nFive."),
        ("Code", 16, "z = 3"),
    ]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("x = [\n# inside\n    1,\n]", id="in brackets"),
        pytest.param("x = '''\n# inside\n'''", id="in a string"),
        pytest.param('"""Docstring.\n\n# inside\n"""', id="in a docstring"),
        pytest.param("def f():\n    # inside\n    pass", id="in an indented block"),
        pytest.param("def f():\n# inside\n    pass", id="at the margin of an indented block"),
        pytest.param("if x:\n    pass\n# inside\nelse:\n    pass", id="between if and else"),
        pytest.param(
            "try:\n    pass\n# inside\nexcept OSError:\n    pass\n# inside\nfinally:\n    pass", id="in a try"
        ),
        pytest.param("@f\n# inside\n@g\n# inside\ndef h(): ...", id="between decorators"),
        pytest.param("@(\n# inside\nf)\n# inside\nclass C: ...", id="in the brackets of a decorator"),
        pytest.param("x = 1 \\\n# inside", id="after a backslash"),
        pytest.param("\\\n# inside\nx = 1", id="after a backslash that stands alone"),
        pytest.param("def f(): return 1 \\\n# inside", id="after a backslash in a body on the same line"),
        pytest.param("x = 1 \\\n", id="an empty line after a backslash"),
        pytest.param("def f():\n    pass\n    # inside", id="at the end of an indented block"),
        pytest.param("x = f'''{\n1\n}\n# inside\n'''", id="in an f-string"),
        pytest.param("#!/usr/bin/env python", id="shebang"),
        pytest.param("# -*- coding: utf-8 -*-", id="encoding"),
        pytest.param("#no space", id="no space"),
        pytest.param("#: documents x\nx = 1", id="sphinx"),
        pytest.param("# %%", id="cell"),
        pytest.param("# fmt: off\nx = 1\n# fmt: on", id="fmt"),
        pytest.param("# noqa\nx = 1\n# noqa: E501", id="noqa"),
        pytest.param("# type: ignore[misc]\n# ruff: noqa\n# pyright: strict\n# mypy: ignore-errors", id="pragmas"),
        pytest.param("# isort: skip_file\n# pragma: no cover\n# basedpyright: basic", id="more pragmas"),
        pytest.param('# /// script\n# dependencies = ["prefect"]\n#\n# # why\n# ///', id="script metadata"),
        pytest.param("# ------", id="dashes"),
        pytest.param("# ---", id="three dashes"),
        pytest.param("# --- title ---------", id="dashes and a title"),
        pytest.param("# =====\nx = 1\n# ─────\n# ########", id="other rules"),
        pytest.param("# -----\n# Title\n# -----", id="a title between two rules"),
        pytest.param("\x0c\nx = 1\n\x0c# after a form feed", id="form feed"),
        pytest.param("if x:\n\tpass\n\t# inside", id="tabs"),
    ],
)
def test_stays_code(tmp_path: Path, code: str) -> None:
    expected = ("Code", 3, code.lstrip("\x0c\n"))
    if code.startswith("\x0c"):
        expected = ("Code", 4, code.lstrip("\x0c\n"))

    found = blocks(tmp_path, f"# Before.\n\n{code}\n# After.\n")

    after = 3 + code.count("\n") + 1
    assert found == [("Markdown", 1, "Before."), expected, ("Markdown", after, "After.")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("- a list\n- of two", id="list"),
        pytest.param("-- a dash", id="two dashes"),
        pytest.param("a | b\n--- | ---\n1 | 2", id="table"),
        pytest.param("| a | b |\n| --- | --- |", id="table with borders"),
        pytest.param("***", id="rule of stars"),
        pytest.param("## Heading\n### Lower", id="headings"),
        pytest.param("#5 is no heading", id="number sign"),
        pytest.param("type: a word that begins a sentence", id="type"),
        pytest.param("formats: more than one", id="formats"),
        pytest.param("[a link](/here) and <Note>a `{component}`</Note>", id="mdx"),
        pytest.param("```yaml\n---\na: 1\n# Title\n# noqa\n===\n```", id="fence"),
        pytest.param("````markdown\n```\n# Title\n```\n````", id="fence in a fence"),
        pytest.param("~~~text\n```\n~~~", id="tildes"),
        pytest.param("1. one\n\n   ```python\n   # --- x\n   ```\n- ```sh\n  # a\n  ```", id="fences in lists"),
        pytest.param("```inline``` code\nand more", id="code span of three"),
        pytest.param("/// script is a word", id="no script metadata"),
        pytest.param("two blanks at the end  \nbreak a line", id="hard break"),
    ],
)
def test_is_markdown_as_it_stands(tmp_path: Path, text: str) -> None:
    comments = "\n".join(f"# {line}" if line else "#" for line in text.split("\n"))

    assert blocks(tmp_path, f"x = 1\n{comments}\nx = 2\n") == [
        ("Code", 1, "x = 1"),
        ("Markdown", 2, text),
        ("Code", 2 + text.count("\n") + 1, "x = 2"),
    ]


@pytest.mark.parametrize("comment", ["# # Title", "#   # Title", "# #", "# Title\n# ==", "# > a\n#\n# # Title"])
def test_a_heading_that_would_be_a_second_title_is_refused(tmp_path: Path, comment: str) -> None:
    ((line, said),) = problems_of(tmp_path, f"{FRONT}# ---\n\n{comment}\nx = 1\n")

    assert line == FIRST_BODY_LINE + 1 + comment.count("\n")
    assert "begin at `##`" in said


@pytest.mark.parametrize("after", ["x = 1\n", "", "#! not of it\n"])
def test_a_fence_that_is_never_closed_is_refused(tmp_path: Path, after: str) -> None:
    text = f"{FRONT}# ---\n# ```python\n# print()\n# ``\n\n{after}"

    assert problems_of(tmp_path, text) == [(5, "this fence is never closed")]


def test_without_a_body_there_are_no_blocks(tmp_path: Path) -> None:
    assert blocks(tmp_path, "\n#\n\n") == []


# A program: what stands between its lines is drawn, too.
STATEMENTS = [
    "x = 1",
    "'# text'",
    "x = 1; y = 2  # beside",
    "from os import (\n# inside\n    path,\n)",
    'text = """\n# inside\n\n```\n"""',
    "@print\n# inside\n@print\ndef f():\n    # indented\n    pass",
    "class C:\n\n    x = 1\n\n# at the margin\n    y = 2",
    "if x:\n    pass\n# between\nelif y:\n    pass\nelse:\n\tpass",
    "for x in []:\n    pass\nelse:\n    pass  # beside\n    # indented",
    "x = 1 \\\n# continued",
    "x = \\\n  1",
    "x = 1 \\\n",
    "async def g():\n    await f()",
    "x = {\n\n# inside\n\n}",
    "with f(): pass",
]
COMMENTS = [
    "# Text.",
    "#",
    "# ",
    "# ## Heading",
    "# - item",
    "#no space",
    "# ----",
    "# noqa",
    "# `code`  ",
    "  # indented",
]
PARTS = st.sampled_from([*STATEMENTS, *COMMENTS, "", "", "\x0c", "\t"])


@given(st.lists(PARTS, max_size=12))
@settings(max_examples=150, deadline=None)
def test_text_and_code_give_back_every_line_and_code_compiles_alone(parts: list[str]) -> None:
    source = "\n".join([f"{FRONT}# ---", *parts, ""])
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), source)
        (example,), problems = read_examples(Path(folder))

    assert problems == []
    lines = source.split("\n")
    end = FIRST_BODY_LINE - 1
    for block in example.blocks:
        between, begin = lines[end : block.line - 1], block.line - 1
        assert all(line.strip() in ("", "#") for line in between)
        end = begin + block.text.count("\n") + 1
        taken = lines[begin:end]
        if isinstance(block, Code):
            assert block.text == "\n".join(taken)
            compile(f"{block.text}\n", "block", "exec")
        else:
            assert all(line.startswith("# ") or line in ("#", "") or line.isspace() for line in taken)
            assert block.text == "\n".join("" if line.strip() in ("#", "") else line[2:] for line in taken)
    assert all(line.strip() in ("", "#") for line in lines[end:])
