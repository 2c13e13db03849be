"""Read `tests/faults.toml` of each package: what happens to which subject at which fault, and which test shows it.

```toml
[[subject]]
name = "S3Bucket"
kind = "store"
what = "writing, reading and listing objects"

[subject.faults]
"reset" = { outcome = "retried", tests = ["test_http_faults.py::TestS3BucketFaults::test_a_fault_that_passes[reset]"] }
"disk full" = { outcome = "reported", tests = ["test_s3_folders.py::test_a_full_disk_is_named"], note = "…" }
"duplicate delivery" = { outcome = "none", note = "It is sent nothing." }
```
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from scripts import workspace
from scripts.workspace import Package, WorkspaceError

FAULTS = (
    "reset",
    "time-out",
    "429",
    "500",
    "503",
    "truncated body",
    "slow body",
    "DNS failure",
    "TLS failure",
    "expired token",
    "permission lost",
    "disk full",
    "SIGTERM",
    "SIGKILL",
    "clock jump",
    "duplicate delivery",
    "lost response",
)
"""Each subject has a cell for every one of them."""

KINDS = {
    "worker": "Workers",
    "store": "Stores",
    "database": "Databases",
    "broker": "Brokers, locks and clusters",
    "client": "Clients",
}

OUTCOMES = {
    "retried": "tried again until it succeeds, and done once; if it lasts, `reported` when the deadline is over",
    "repeated": "tried again, and may be there twice, as the service promises no more than at least once",
    "reported": "an error names what failed and what to do; nothing is left half done",
    "unsure": "an error says that it may have been done; it is not repeated, so that nothing is done twice",
    "renewed": "the login is renewed, and the call goes on",
    "recovered": "what was left is found and taken up, or ended, by whoever comes next",
    "stopped": "it ends in order: what it started is ended or handed over, and the state says so",
    "unharmed": "it does not matter: the result is the same as without",
    "none": "cannot happen here, for the reason given",
}
"""What may become of a fault."""

_TEST = re.compile(r"(?P<file>[\w/]+\.py)::(?:(?P<cls>\w+)::)?(?P<function>test_\w+)(?:\[.+\])?")
_DEFINED = re.compile(r"^[ \t]*(?:async )?(?:def|class) (\w+)", re.MULTILINE)
_SUITES = "src/kit/prefect-integration-tests/prefect_integration_tests"


@dataclass(frozen=True)
class Cell:
    """What becomes of one fault."""

    outcome: str
    tests: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Subject:
    """A row: what meets the faults."""

    package: str
    name: str
    kind: str
    what: str
    cells: dict[str, Cell]


def read_all(root: Path | None = None) -> list[Subject]:
    """Read the matrices of all integrations.

    Args:
        root: The repository.

    Raises:
        WorkspaceError: If one is missing or wrong; all mistakes are in the message.
    """
    members = [member for member in workspace.packages(root or workspace.ROOT) if member.is_integration]
    found: list[Subject] = []
    wrong: list[str] = []
    for member in members:
        subjects, mistakes = read(member, root or workspace.ROOT)
        found += subjects
        wrong += mistakes
    if wrong:
        raise WorkspaceError("\n".join(wrong))
    return found


def read(member: Package, root: Path) -> tuple[list[Subject], list[str]]:
    """Read the matrix of one package.

    Args:
        member: The package.
        root: The repository.

    Returns:
        Its subjects, and what is wrong with the file.
    """
    path = member.path / "tests" / "faults.toml"
    shown = path.relative_to(root).as_posix()
    if not path.is_file():
        return [], [f"{shown}: there is no such file; it says what becomes of each fault (see scripts/faults)"]
    try:
        table = tomli.loads(path.read_text(encoding="utf-8"))
    except tomli.TOMLDecodeError as exc:
        return [], [f"{shown}: {exc}"]
    wrong: list[str] = []
    subjects = [_subject(member.name, entry, wrong) for entry in table.get("subject", [])]
    if not subjects:
        wrong.append("it has no [[subject]]")
    names = [subject.name for subject in subjects]
    wrong += [f"subject {name!r} is there twice" for name in sorted({name for name in names if names.count(name) > 1})]
    tests = _Tests(path.parent, root / _SUITES)
    for subject in subjects:
        for fault, cell in subject.cells.items():
            wrong += [f"{subject.name}, {fault}: {missing}" for name in cell.tests if (missing := tests.missing(name))]
    return subjects, [f"{shown}: {each}" for each in wrong]


def _subject(package: str, entry: dict[str, Any], wrong: list[str]) -> Subject:
    name = str(entry.get("name", "?"))
    kind = str(entry.get("kind", ""))
    if kind not in KINDS:
        wrong.append(f"{name}: kind {kind!r} is none of {', '.join(KINDS)}")
    if not entry.get("what"):
        wrong.append(f"{name}: `what` says in a few words what it does when it meets the faults")
    faults: dict[str, Any] = entry.get("faults", {})
    if unknown := [fault for fault in faults if fault not in FAULTS]:
        wrong.append(f"{name}: {', '.join(unknown)} is no fault of the matrix: {', '.join(FAULTS)}")
    if missing := [fault for fault in FAULTS if fault not in faults]:
        wrong.append(f"{name}: no word about {', '.join(missing)}")
    cells = {fault: _cell(f"{name}, {fault}", faults[fault], wrong) for fault in FAULTS if fault in faults}
    return Subject(package, name, kind, str(entry.get("what", "")), cells)


def _cell(where: str, entry: dict[str, Any], wrong: list[str]) -> Cell:
    cell = Cell(str(entry.get("outcome", "")), tuple(entry.get("tests", ())), str(entry.get("note", "")))
    if cell.outcome not in OUTCOMES:
        wrong.append(f"{where}: outcome {cell.outcome!r} is none of {', '.join(OUTCOMES)}")
    elif cell.outcome == "none":
        if cell.tests or not cell.note:
            wrong.append(f"{where}: `none` has no tests, and a note that says why it cannot happen")
    elif not cell.tests:
        wrong.append(f"{where}: no test shows that it is {cell.outcome!r}")
    if cell.note and not cell.note.endswith("."):
        wrong.append(f"{where}: the note ends without a full stop")
    if unknown := set(entry) - {"outcome", "tests", "note"}:
        wrong.append(f"{where}: unknown {', '.join(sorted(unknown))}")
    return cell


class _Tests:
    """Knows which tests there are, without importing them."""

    def __init__(self, folder: Path, suites: Path) -> None:
        self._folder = folder
        self._suites = suites
        self._names: dict[Path, set[str]] = {}
        self._inherited: set[str] | None = None

    def missing(self, name: str) -> str | None:
        """Say what is wrong with the name of a test, if anything is."""
        match = _TEST.fullmatch(name)
        if match is None:
            return f"{name!r} is not the name of a test, as in `test_file.py::TestClass::test_name[case]`"
        path = self._folder / match["file"]
        if path not in self._names:
            if not path.is_file():
                return f"{match['file']} is not among the tests"
            self._names[path] = _names_in(path)
        names = self._names[path]
        if match["cls"] and match["cls"] not in names:
            return f"{match['file']} has no class {match['cls']}"
        if match["function"] in names or (match["cls"] and match["function"] in self._inherited_names()):
            return None
        return f"{match['file']} has no {match['function']}"

    def _inherited_names(self) -> set[str]:
        if self._inherited is None:
            paths = [*self._suites.rglob("*.py"), *self._folder.glob("_*.py")]
            self._inherited = set[str]().union(*map(_names_in, paths))
        return self._inherited


def _names_in(path: Path) -> set[str]:
    """The classes and functions that a file defines."""
    return set(_DEFINED.findall(path.read_text(encoding="utf-8")))
