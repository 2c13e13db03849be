"""Names that a module imports when somebody asks for them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PACKAGE = """\
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

if TYPE_CHECKING:
    from ._deep.things import Thing
    from .tasks import fetch

__all__ = ["Thing", "early", "fetch"]

early = 1

__getattr__, __dir__ = late_names(__name__, {"fetch": ".tasks", "Thing": "._deep.things"})
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "late_shelf/_deep").mkdir(parents=True)
    (tmp_path / "late_shelf/__init__.py").write_text(PACKAGE)
    (tmp_path / "late_shelf/tasks.py").write_text("def fetch(): return 7\n")
    (tmp_path / "late_shelf/plain.py").write_text(
        "from prefect_integration_kit.late_imports import late_names\n"
        '__getattr__, __dir__ = late_names(__name__, {"fetch": ".tasks"})\n'
    )
    (tmp_path / "late_shelf/_deep/__init__.py").touch()
    (tmp_path / "late_shelf/_deep/things.py").write_text("class Thing: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("late_shelf")
    for name in [name for name in sys.modules if name.split(".")[0] == "late_shelf"]:
        del sys.modules[name]


def test_a_name_is_imported_when_it_is_asked_for_and_then_is_there(shelf: ModuleType) -> None:
    assert "late_shelf.tasks" not in sys.modules

    assert shelf.fetch() == 7

    assert "fetch" in vars(shelf)
    assert "late_shelf._deep.things" not in sys.modules


def test_modules_of_a_package_are_attributes_but_not_those_below(shelf: ModuleType) -> None:
    assert shelf.tasks.fetch is shelf.fetch
    with pytest.raises(AttributeError, match=r"module 'late_shelf' has no attribute 'things'"):
        _ = shelf.things


def test_a_module_that_is_no_package_has_the_names_alone(shelf: ModuleType) -> None:
    plain = importlib.import_module("late_shelf.plain")

    assert plain.fetch is shelf.fetch
    with pytest.raises(AttributeError, match=r"module 'late_shelf.plain' has no attribute 'tasks'"):
        _ = plain.tasks


def test_all_names_are_listed_and_come_with_a_star(shelf: ModuleType) -> None:
    assert {"Thing", "early", "fetch"} <= set(dir(shelf))
    got: dict[str, object] = {}
    exec("from late_shelf import *", got)
    assert {"Thing", "early", "fetch"} <= got.keys()


def test_an_unknown_name_is_an_attribute_error(shelf: ModuleType) -> None:
    assert not hasattr(shelf, "gone")
    with pytest.raises(ImportError, match="cannot import name 'gone'"):
        exec("from late_shelf import gone", {})
