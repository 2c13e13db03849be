"""Who imports an old path is warned, and a command line that names it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

OLD = """
from prefect_integration_kit.moved import warn_moved
warn_moved("shop.old", "shop.new")
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    package = tmp_path / "shop"
    (package / "old").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "old" / "__init__.py").write_text(OLD)
    (package / "old" / "command.py").write_text(f'{OLD}\nif __name__ == "__main__":\n    print("done")\n')
    # What multiprocessing does in a spawned child of a command.
    (tmp_path / "child.py").write_text('import runpy\nrunpy.run_module("shop.old.command", run_name="__mp_main__")\n')
    (tmp_path / "importer.py").write_text("import shop.old.command\n")
    (tmp_path / "dynamic.py").write_text('import importlib\nimportlib.import_module("shop.old")\n')
    return tmp_path


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("script", ["importer.py", "dynamic.py"])
def test_an_import_warns_and_names_the_importer(shop: Path, script: str) -> None:
    done = python(shop, "-W", "default", script)
    assert done.returncode == 0, done.stderr
    assert "DeprecationWarning: `shop.old` has moved to `shop.new`" in done.stderr
    if script == "importer.py":
        assert "importer.py:1" in done.stderr
    assert python(shop, "-W", "error", script).returncode == 1


@pytest.mark.parametrize("arguments", [("-m", "shop.old.command"), ("child.py",)])
def test_a_command_line_runs_when_warnings_are_errors(shop: Path, arguments: tuple[str, ...]) -> None:
    done = python(shop, "-W", "error", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
