"""The suite of guides: a good page passes, and each fault of a page is found by its test, with page and line."""

from __future__ import annotations

import re
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import get_current_settings

from prefect_integration_tests.guide_pages import Page, find_guide, matches, read_guide, read_page
from prefect_integration_tests.guide_runs import PageRun
from prefect_integration_tests.suites import GuideSuite

GOOD = Path(__file__).parent / "guides" / "good.mdx"

GUIDE_TEST = """
import os

import pytest
from prefect_integration_tests.suites import GuideSuite


@pytest.fixture(scope="session")
def prefect_harness():
    '''The harness of the outer test serves this one too.'''


class TestGuide(GuideSuite):
    distribution = "prefect-shelf"

    @pytest.fixture
    def surroundings(self, page_folder, monkeypatch):
        monkeypatch.setenv("SHELF", "oak")
        (page_folder / "books.txt").write_text("Emma")

    @pytest.fixture
    def provocations(self):
        return {"It is full": lambda: [].pop()}
"""


def page_of(tmp_path: Path, text: str) -> Page:
    path = tmp_path / "page.mdx"
    path.write_text(text)
    return read_page(path, "page")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], PageRun]:
    """Runs all runnable blocks of a page."""

    def run_all(text: str) -> PageRun:
        page = page_of(tmp_path, text)
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        page_run = PageRun(page, tmp_path / "work")
        page_run.reach(page.runnable[-1])
        return page_run

    return run_all


def fence(mark: str, code: str, language: str = "python") -> str:
    return f"{{/* {mark} */}}\n```{language}\n{code}\n```\n"


# A package's tests


@pytest.fixture
def package(pytester: pytest.Pytester) -> Path:
    """A package with its guide, as it stands in a repository."""
    tests = pytester.mkdir("src") / "prefect-shelf" / "tests"
    tests.mkdir(parents=True)
    (tests / "test_guide.py").write_text(GUIDE_TEST)
    guide = pytester.path / "docs" / "integrations" / "prefect-shelf"
    (guide / "api-ref").mkdir(parents=True)
    shutil.copy(GOOD, guide / "index.mdx")
    (guide / "api-ref" / "prefect_shelf.mdx").write_text("```python\ndef read(self) -> bytes\n```\n")
    return tests


PLAIN = ("-p", "no:cacheprovider", "-p", "no:xdist")


def test_a_good_guide_passes(
    pytester: pytest.Pytester, package: Path, prefect_harness: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a process of its own: pytester forgets what an inner run imports, and Prefect must not be imported twice.
    for name, value in get_current_settings().to_environment_variables(exclude_unset=True).items():
        monkeypatch.setenv(name, value)
    result = pytester.runpytest_subprocess(*PLAIN, "-v", str(package))
    result.assert_outcomes(passed=13)
    result.stdout.fnmatch_lines_random(
        ["*index#keep-books? PASSED*", "*index#keep-books-2? PASSED*", "*#it-is-full? PASSED*"]
    )


def test_a_block_that_is_run_alone_has_those_above_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = page_of(
        tmp_path, fence("runnable", "tea = 4") + fence("runnable", "print(tea)") + fence("runnable", "1 / 0")
    )
    page_run = PageRun(page, tmp_path)
    for _ in range(2):
        page_run.reach(page.runnable[1])
    assert capsys.readouterr().out == "4\n"


def test_surroundings_are_prepared_before_each_block(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    spoil = fence("runnable", f"from pathlib import Path\n\nPath({str(shelf)!r}).unlink()")
    page = page_of(tmp_path, spoil * 3)
    PageRun(page, tmp_path).reach(page.runnable[2], shelf.touch)
    assert not shelf.exists()


def test_a_block_below_a_failed_one_is_skipped(pytester: pytest.Pytester, package: Path) -> None:
    page = pytester.path / "docs" / "integrations" / "prefect-shelf" / "index.mdx"
    page.write_text(page.read_text().replace('BOOKS = ["Emma"]', 'BOOKS = ["Emma"] + 1'))
    line = next(n for n, text in enumerate(page.read_text().splitlines(), 1) if "+ 1" in text)
    result = pytester.runpytest_inprocess(*PLAIN, str(package), "-k", "block_runs")
    result.assert_outcomes(failed=1, skipped=7)
    result.stdout.fnmatch_lines([f"*index.mdx:{line}: TypeError*"])


def test_a_package_without_its_guide_is_skipped(pytester: pytest.Pytester, package: Path) -> None:
    shutil.rmtree(pytester.path / "docs")
    result = pytester.runpytest_inprocess(*PLAIN, str(package), "-rs")
    result.assert_outcomes(passed=1, skipped=5)
    result.stdout.fnmatch_lines(["*prefect-shelf is here without its guide.*"])


def test_a_guide_may_stand_beside_the_tests(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    assert find_guide(tmp_path / "tests", "prefect-lone") == tmp_path / "docs"


def test_pages_that_stand_elsewhere_are_read_too(tmp_path: Path) -> None:
    guide = tmp_path / "integrations" / "prefect-shelf"
    guide.mkdir(parents=True)
    for path in (guide / "index.mdx", tmp_path / "index.mdx"):
        path.write_text("")
    names = [page.name for page in read_guide(guide, ("../../index.mdx",))]
    assert names == ["index", f"{tmp_path.name}/index"]


# What a page may have wrong


def suite() -> GuideSuite:
    class Shelf(GuideSuite):
        distribution = "prefect-shelf"

        def surroundings(self) -> None: ...

    return Shelf()


@pytest.mark.parametrize(
    "text",
    ["```python\n1\n```\n", fence("runnable", "1") + "\n```py\n2\n```\n", "{/* runnable */}\n\n```python\n1\n```\n"],
)
def test_an_unmarked_python_block_is_found(tmp_path: Path, text: str) -> None:
    with pytest.raises(AssertionError, match=r"not runnable: reason.*page\.mdx:\d"):
        suite().test_every_python_block_says_whether_it_runs([page_of(tmp_path, text)])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (fence("not runnable", "1"), "1: say why"),
        (fence("runnable: often", "1"), "1: `often` is too much"),
        (fence("runnable", "1", "json"), "1: `runnable` fits no block of json"),
        (fence("message", "1"), "1: `message` fits no block of python"),
        ("{/* runnable */}\n\ntext\n", "1: there is no block directly below"),
        ("{/* output */}\n", "1: there is no block directly below"),
        (fence("output", "1", "text"), "1: no runnable block stands above"),
        (fence("not runnable: x", "1") + fence("output", "1", "text"), "5: no runnable block stands above"),
        (fence("runnable", "1") + "```json\n1\n```\n" + fence("output", "1", "text"), "8: no runnable block"),
    ],
)
def test_a_mark_in_the_wrong_place_is_found(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(f"page.mdx:{problem}")):
        suite().test_marks_are_in_their_places([page_of(tmp_path, text)])


def test_a_mark_inside_of_code_is_none(tmp_path: Path) -> None:
    page = page_of(tmp_path, "````mdx\n" + fence("runnable", "1") + "````\n")
    suite().test_marks_are_in_their_places([page])
    assert page.runnable == []


def test_what_is_no_python_is_found_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError) as caught:
        suite().test_python_compiles([page_of(tmp_path, "text\n" + fence("not runnable: no", "a = 1\nb ="))])
    assert caught.value.lineno == 5


def test_what_a_block_raises_has_page_and_line(run: Callable[[str], PageRun], tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run("# Heading\n\n" + fence("runnable", "def half():\n    return 1 / 0\n\nhalf()"))
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno, last.line) == (str(tmp_path / "page.mdx"), 6, "return 1 / 0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            fence("runnable", "print(2)") + fence("output", "3", "text"),
            r"page\.mdx:3.*promises\s+3\s+but printed was\s+2",
        ),
        (fence("runnable", "print(2)") + fence("output", "", "text"), "but printed was"),
        (fence("runnable", "echo no >&2; exit 3", "bash"), r"page\.mdx:3: exit code 3\s+no"),
        (fence("runnable", "false | cat", "bash"), "exit code 1"),
        (fence("runnable", "echo $UNSET_BY_ALL", "bash"), "UNSET_BY_ALL"),
        (fence("runnable", "a: 1", "yaml"), "these are no deployment steps"),
        (fence("runnable", "- os.no_such_step: {}", "yaml"), r"page\.mdx:3: .*no_such_step"),
    ],
)
def test_a_wrong_block_is_found(run: Callable[[str], PageRun], prefect_harness: None, text: str, message: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=re.compile(message, re.DOTALL)):
        run(text)


@pytest.mark.parametrize(
    ("provocations", "message"),
    [
        ({}, "has nothing for 'Full'"),
        ({"Full": lambda: None}, "DID NOT RAISE"),
        ({"Full": lambda: [].pop(0)}, "promises"),
    ],
)
def test_a_wrong_message_is_found(tmp_path: Path, provocations: Any, message: str) -> None:
    page = page_of(tmp_path, "## Full\n\n" + fence("message", "KeyError: 'Emma'", "text"))
    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        suite().test_message_is_what_is_printed((page, page.messages[0]), provocations)


def refuse() -> None:
    raise shutil.SameFileError("The  shelf is\nfull: 12 books")


@pytest.mark.parametrize(
    "promised",
    [
        "shutil.SameFileError: The shelf is full: 12 books",
        "SameFileError: The shelf is full: … books",
        "The shelf\nis full: …",
    ],
)
def test_a_message_may_leave_out_the_class_or_its_module(tmp_path: Path, promised: str) -> None:
    page = page_of(tmp_path, "## Full\n\n" + fence("message", promised, "text"))
    suite().test_message_is_what_is_printed((page, page.messages[0]), {"Full": refuse})


# What a block can rely on


def test_a_module_of_its_own_is_main(run: Callable[[str], PageRun]) -> None:
    code = "import pickle\n\nclass Book: ...\n\nassert type(pickle.loads(pickle.dumps(Book()))) is Book"
    run(fence("runnable", f"{code}\nassert __name__ == '__main__'"))


def test_source_is_found_in_indented_blocks_too(run: Callable[[str], PageRun]) -> None:
    code = "    {/* runnable */}\n    ```python\n    import inspect\n\n    def f():\n        return 1\n\n"
    run(f"<Tab>\n{code}    assert inspect.getsource(f) == 'def f():\\n    return 1\\n'\n    ```\n</Tab>\n")


def test_steps_of_another_block_are_known(run: Callable[[str], PageRun], prefect_harness: None, tmp_path: Path) -> None:
    first = "build:\n  - prefect.deployments.steps.run_shell_script:\n      id: word\n      script: echo tea"
    second = 'pull:\n  - prefect.deployments.steps.run_shell_script:\n      script: touch "{{ word.stdout }}"'
    run(fence("runnable", first, "yaml") + "\n" + fence("runnable", second, "yaml"))
    assert (tmp_path / "work-pulled" / "tea").is_file()


@pytest.mark.parametrize(
    ("promised", "said", "holds"),
    [
        ("a\n", "a", True),
        ("a  \n\n", "a\n", True),
        ("a…c", "abbc", True),
        ("a…c", "a\nc", False),
        ("a", "a\nb", False),
        ("a.c", "abc", False),
        ("", "", True),
    ],
)
def test_an_ellipsis_stands_for_part_of_a_line(promised: str, said: str, holds: bool) -> None:
    assert matches(promised, said) is holds
