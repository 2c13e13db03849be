"""An environment gets the bytecode of modules that it shares with another, and of no others."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bytecode import share


@pytest.fixture
def environments(tmp_path: Path) -> tuple[Path, Path]:
    """Two environments: modules of the first are compiled, and the second has a link to one of them."""
    one, two = tmp_path / "one", tmp_path / "two"
    for environment in (one, two):
        (environment / "lib" / "shop").mkdir(parents=True)
    for name in ("same", "other", "absent"):
        module = one / "lib" / "shop" / f"{name}.py"
        module.write_text("said = 'hello'\n")
        py_compile.compile(str(module))
    os.link(one / "lib" / "shop" / "same.py", two / "lib" / "shop" / "same.py")
    (two / "lib" / "shop" / "other.py").write_text("said = 'hello'\n")
    return one, two


def compiled(environment: Path) -> list[str]:
    return sorted(path.name.partition(".")[0] for path in environment.rglob("*.pyc"))


def test_only_the_same_file_has_the_same_bytecode(environments: tuple[Path, Path]) -> None:
    one, two = environments
    assert share(one, two) == 1
    assert compiled(two) == ["same"]
    assert share(one, two) == 0


def test_python_takes_it_for_its_own(environments: tuple[Path, Path]) -> None:
    one, two = environments
    share(one, two)
    code = "import shop.same; print(shop.same.said)"
    done = subprocess.run(
        [sys.executable, "-v", "-c", code], env={"PYTHONPATH": str(two / "lib")}, capture_output=True, text=True
    )
    assert done.stdout == "hello\n"
    assert "same.cpython" in next(line for line in done.stderr.splitlines() if "matches" in line and "same.py" in line)


def test_a_folder_that_is_not_there_is_left_out(environments: tuple[Path, Path], tmp_path: Path) -> None:
    assert share(environments[0], tmp_path / "absent") == 0
    assert share(tmp_path / "absent", environments[0]) == 0
