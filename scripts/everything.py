"""Run all tests: each package's in an environment that holds only what it declares, then the repository's own.

    python -m scripts.everything                 everything
    python -m scripts.everything -k wait         with arguments for pytest

Two packages are tested at a time, since tests wait as often as they compute; what each printed is shown when it is
done, with its slowest tests. `AT_A_TIME` says otherwise. A package that fails does not keep the others from being
tested. A test that fails is tried once more: among thousands that talk to real servers, one waits in vain on a busy
machine now and then. What failed, what passed at the second attempt only, and one closing line for all, come last.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from scripts.workspace import ROOT, packages

_CLOSING = re.compile(r"^=*\s*(?P<counts>\d+ [a-z]+(?:, \d+ [a-z]+)*) in [\d.]+s\b")
_SPOILED = re.compile(r"^(FAILED|ERROR) (?P<test>\S+)")
_AGAIN = re.compile(r"^RERUN (?P<test>\S+)")
_ORDER = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warnings", "errors", "rerun")
_PLURAL = {"warning": "warnings", "error": "errors"}
_OPTIONS = "--durations=10 --durations-min=2 --reruns 1 -raR"
"""Has pytest name the slowest tests, and try again what fails. By environment: no argument selects tests here."""
_NO_TESTS = 5
"""pytest's exit code when no test was selected: https://docs.pytest.org/en/stable/reference/exit-codes.html"""


@dataclass
class Outcome:
    """What one run of pytest, or several together, have shown.

    Attributes:
        counts: How many tests passed, failed and so on, by pytest's words.
        spoiled: The lines of its summary that name what failed, and the tests.
        again: Tests that were tried again.
        broken: Commands that ended badly.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    spoiled: dict[str, str] = field(default_factory=dict[str, str])
    again: dict[str, None] = field(default_factory=dict[str, None])
    broken: list[str] = field(default_factory=list[str])

    def heed(self, line: str) -> None:
        """Take in one line of pytest's output."""
        if match := _CLOSING.match(line):
            for part in match["counts"].split(", "):
                number, word = part.split()
                self.counts[_PLURAL.get(word, word)] += int(number)
        elif match := _SPOILED.match(line):
            self.spoiled[line] = match["test"]
        elif match := _AGAIN.match(line):
            self.again[match["test"]] = None

    def unsteady(self) -> list[str]:
        """Tests that failed and then passed: each is a defect, of the test or of what it tests."""
        return [test for test in self.again if test not in self.spoiled.values()]

    def summary(self, seconds: float) -> str:
        """All counts in one line, as pytest words it."""
        words = [word for word in _ORDER if self.counts[word]]
        counts = ", ".join(f"{self.counts[word]} {word}" for word in words) or "no tests ran"
        return f"{counts} in {seconds:.2f}s"


def commands(arguments: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """List what to run: a name for each, and the command. Those with most tests come first, so that none runs alone.

    Args:
        arguments: Arguments for pytest.
    """
    just = [os.environ.get("JUST", "just")]
    for package in sorted(packages(), key=lambda package: _size(package.path / "tests"), reverse=True):
        yield package.name, [*just, "test", package.name, *arguments]
    pytest = [sys.executable, "-m", "pytest", "scripts", "-n", "auto", "--maxprocesses", "4", "--dist", "loadgroup"]
    yield "scripts", [*pytest, "-m", "not slow", *arguments]


def _size(tests: Path) -> int:
    """Bytes of a package's tests, which stand for how long they take."""
    return sum(path.stat().st_size for path in tests.rglob("*.py"))


def run(named: Iterable[tuple[str, Sequence[str]]], *, may_be_empty: bool = False, at_a_time: int = 1) -> int:
    """Run commands, and print what each has printed when it is done; of a single one as it happens.

    Args:
        named: A name for each, and the command.
        may_be_empty: Whether it is no failure that a command finds no tests.
        at_a_time: How many run at a time.

    Returns:
        The exit code: 0 when no test failed.
    """
    outcome = Outcome()
    begun = time.monotonic()
    fine = {0, _NO_TESTS} if may_be_empty else {0}
    printing = Lock()
    environment = {**os.environ, "PYTEST_ADDOPTS": f"{os.environ.get('PYTEST_ADDOPTS', '')} {_OPTIONS}".strip()}

    def test(name: str, command: Sequence[str]) -> None:
        lines: list[str] = []
        with printing:
            print(f"--- {name}: begun" if at_a_time > 1 else f"\n--- {name}", flush=True)
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                if at_a_time == 1:
                    print(line, end="", flush=True)
        with printing:
            if at_a_time > 1:
                print(f"\n--- {name}\n{''.join(lines)}", end="", flush=True)
            for line in lines:
                outcome.heed(line)
            if process.returncode not in fine:
                outcome.broken.append(name)

    with ThreadPoolExecutor(at_a_time) as pool:
        for done in [pool.submit(test, name, command) for name, command in named]:
            done.result()
    print(f"\n--- all together\n{''.join(outcome.spoiled)}", end="")
    for unsteady in outcome.unsteady():
        print(f"Passed at the second attempt only, and is to be mended: {unsteady}")
    if outcome.broken:
        print(f"These failed: {', '.join(outcome.broken)}.")
    print(outcome.summary(time.monotonic() - begun))
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    given = sys.argv[1:]
    at_a_time = int(os.environ.get("AT_A_TIME", "2"))
    raise SystemExit(run(commands(given), may_be_empty=bool(given), at_a_time=at_a_time))
