"""The fault matrix: what it refuses, and what its page shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import workspace
from scripts.faults import __main__ as command
from scripts.faults.matrix import FAULTS, OUTCOMES, read
from scripts.faults.page import render
from scripts.workspace import Package

TESTS = '''\
class TestLine(HttpFaultSuite):
    """A line."""

    async def test_own(self): ...


def test_alone(): ...
'''
SUITE = "class HttpFaultSuite:\n    async def test_inherited(self): ...\n"
CELL = '{ outcome = "retried", tests = ["test_line.py::test_alone"] }'


def matrix(**changed: str) -> str:
    cells = dict.fromkeys(FAULTS, CELL) | {name.replace("_", " "): cell for name, cell in changed.items()}
    lines = "".join(f'"{name}" = {cell}\n' for name, cell in cells.items() if cell)
    return f'[[subject]]\nname = "Acme<T>"\nkind = "client"\nwhat = "a call"\n\n[subject.faults]\n{lines}'


@pytest.fixture
def member(tmp_path: Path) -> Package:
    suites = tmp_path / "src/kit/prefect-integration-tests/prefect_integration_tests/suites"
    suites.mkdir(parents=True)
    (suites / "http_faults.py").write_text(SUITE)
    folder = tmp_path / "src/integrations/prefect-acme"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests/test_line.py").write_text(TESTS)
    return Package("prefect-acme", folder, "1", "Acme.", frozenset())


def wrong(member: Package, text: str) -> list[str]:
    (member.path / "tests/faults.toml").write_text(text)
    return read(member, member.path.parents[2])[1]


def test_a_matrix_that_is_whole_is_right(member: Package) -> None:
    assert wrong(member, matrix()) == []


@pytest.mark.parametrize(
    "name",
    [
        "test_line.py::test_alone[x-1]",
        "test_line.py::TestLine::test_own",
        "test_line.py::TestLine::test_inherited[503]",
    ],
)
def test_a_test_may_be_in_a_file_a_class_or_a_suite(member: Package, name: str) -> None:
    assert wrong(member, matrix(reset=f'{{ outcome = "reported", tests = ["{name}"] }}')) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"reset": ""}, "no word about reset", id="a fault is left out"),
        pytest.param({"lost_cause": CELL}, "lost cause is no fault of the matrix", id="a fault that is none"),
        pytest.param(
            {"reset": CELL.replace("retried", "fine")}, "outcome 'fine' is none of", id="an outcome that is none"
        ),
        pytest.param({"reset": '{ outcome = "retried" }'}, "no test shows that it is 'retried'", id="no test"),
        pytest.param({"reset": '{ outcome = "none" }'}, "a note that says why it cannot happen", id="no reason"),
        pytest.param(
            {"reset": '{ outcome = "none", note = "It cannot" }'}, "ends without a full stop", id="half a sentence"
        ),
        pytest.param(
            {"reset": CELL.replace("test_alone", "test_gone")},
            "test_line.py has no test_gone",
            id="a test that is gone",
        ),
        pytest.param(
            {"reset": CELL.replace("test_line.py", "test_other.py")},
            "test_other.py is not among the tests",
            id="a file that is gone",
        ),
        pytest.param(
            {"reset": CELL.replace("::test_alone", "::TestGone::test_own")}, "has no class TestGone", id="a class"
        ),
        pytest.param({"reset": CELL.replace("test_alone", "*")}, "is not the name of a test", id="no name of a test"),
        pytest.param({"reset": CELL.replace(" }", ", why = 1 }")}, "unknown why", id="an unknown key"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(member: Package, changed: dict[str, str], said: str) -> None:
    found = wrong(member, matrix(**changed))

    assert len(found) == 1
    assert found[0].startswith("src/integrations/prefect-acme/tests/faults.toml: Acme<T>")
    assert said in found[0]


def test_a_package_without_a_matrix_is_told(member: Package) -> None:
    assert "there is no such file" in read(member, member.path.parents[2])[1][0]
    assert "has no [[subject]]" in wrong(member, "")[0]
    assert "faults.toml" in wrong(member, "[[subject")[0]
    assert "is there twice" in wrong(member, matrix() + matrix())[0]


def test_the_page_has_every_fault_and_note(member: Package) -> None:
    (member.path / "tests/faults.toml").write_text(
        matrix(
            disk_full='{ outcome = "none", note = "It writes {nothing}." }',
            SIGKILL='{ outcome = "none", note = "It writes {nothing}." }',
        )
    )
    page = render(read(member, member.path.parents[2])[0])

    assert all(f"| {outcome.replace('none', '-')} | {meaning} |" in page for outcome, meaning in OUTCOMES.items())
    assert all(
        f"\n| {fault} | {'-' if fault in ('disk full', 'SIGKILL') else 'retried'} |\n" in page for fault in FAULTS
    )
    assert "| fault | Acme\\<T\\> |" in page
    assert "- disk full, SIGKILL: It writes \\{nothing\\}." in page
    assert "(/integrations/prefect-acme)): a call.\n" in page


def test_the_page_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_told_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "failures.mdx"

    assert command.main(["--check"], page) == 1
    assert "is stale; run `just faults`" in capsys.readouterr().err
    assert command.main([], page) == 0
    assert command.main(["--check"], page) == 0


def test_the_tests_of_a_package_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["tests", "slack"]) == 0

    names = capsys.readouterr().out.splitlines()
    assert names
    assert all(name.startswith(f"{workspace.ROOT}/src/integrations/prefect-slack/tests/test_") for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("name", [member.name for member in workspace.packages() if member.is_integration])
def test_every_case_that_is_named_is_a_test(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The quick check reads names of functions; this asks pytest, which knows the cases in brackets as well."""
    assert command.main(["tests", name]) == 0
    wanted = [Path(line).relative_to(workspace.ROOT).as_posix() for line in capsys.readouterr().out.splitlines()]
    files = sorted({test.partition("::")[0] for test in wanted})

    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    said = subprocess.run(collect, cwd=workspace.ROOT, capture_output=True, text=True, timeout=300)

    known = {line.strip() for line in said.stdout.splitlines()}
    families = {test.partition("[")[0] for test in known}
    gone = [test for test in wanted if test not in known and ("[" in test or test not in families)]
    assert not gone, said.stdout[-2000:] + said.stderr[-2000:]
