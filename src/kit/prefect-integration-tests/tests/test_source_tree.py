"""The source tree is found beside an editable package, and from the tests where a wheel is tested."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from prefect_integration_tests.sources import source_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "prefect-acme"
    (tree / "prefect_acme").mkdir(parents=True)
    (tree / "pyproject.toml").touch()
    return tree


def suite_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    module = ModuleType("prefect_acme_tests")
    module.__file__ = str(folder / "test_acme.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return type("TestPackage", (), {"__module__": module.__name__})


def test_an_editable_package_is_in_its_tree(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert source_tree(tree / "prefect_acme", suite_in(tmp_path, monkeypatch)) == tree


def test_the_tests_of_a_wheel_are_in_its_tree(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").touch()  # that of the workspace, which holds the package somewhere deeper
    suite = suite_in(tree / "tests/unit", monkeypatch)

    assert source_tree(tmp_path / "site-packages/prefect_acme", suite) == tree
    assert source_tree(tmp_path / "site-packages/prefect_other", suite) is None
