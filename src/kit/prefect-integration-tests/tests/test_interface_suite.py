"""The interface suite: a package that keeps what it has published passes, and what is gone is named."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_tests import published
from prefect_integration_tests.public import import_quietly
from prefect_integration_tests.suites import InterfaceSuite

SOURCE = """\
from enum import Enum
from typing import TypedDict

from prefect import flow, task
from pydantic import BaseModel, Field


class State(Enum):
    UP = 1


class Shelf(BaseModel, extra="allow"):
    folder: str
    size: int = Field(default=1, alias="limit")

    def read(self, path, *, limit=1): ...

    @property
    def name(self): ...


class Label(TypedDict):
    text: str


class Plain:
    def __init__(self, a, **more): ...


@task
def fetch(shelf, times=1): ...


@flow
def tidy(shelf): ...


def late(): ...
"""
NAMES = """\
# All that was ever published.

{package}
  Shelf

{package}.things
  fetch(shelf, times)
  Label(text)
  Plain(a, anything)
  Shelf(folder, size, limit)
  Shelf.folder
  Shelf.name
  Shelf.read(path, limit)
  State.UP
  tidy(shelf)
"""
_counter = itertools.count()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package on the path, with the list beside its tests."""
    name = f"prefect_published_{next(_counter)}"
    folder = tmp_path / name
    folder.mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    (folder / "__init__.py").write_text("from .things import Shelf\n")
    (folder / "things.py").write_text(SOURCE)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/published.txt").write_text(NAMES.format(package=name))
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def suite_of(name: str, **attributes: Any) -> InterfaceSuite:
    return type("Suite", (InterfaceSuite,), {"package": name, **attributes})()


async def test_what_is_kept_passes(package: str, run_suite_test: Any, tests_of: Any) -> None:
    names = published.parse(NAMES.format(package=package))

    for test in tests_of(InterfaceSuite):
        await run_suite_test(suite_of(package), test, names=names)


@pytest.mark.parametrize(
    ("line", "test", "message"),
    [
        ("gone", "test_published_names_can_be_imported", "things.gone"),
        ("Shelf.write(path)", "test_published_names_can_be_imported", "things.Shelf.write"),
        ("State.DOWN", "test_published_names_can_be_imported", "things.State.DOWN"),
        ("fetch(shelf, seconds)", "test_published_parameters_are_taken", r"things.fetch\(seconds\)"),
        ("tidy(shelf, deep)", "test_published_parameters_are_taken", r"things.tidy\(deep\)"),
        ("Shelf(folder, colour)", "test_published_parameters_are_taken", r"things.Shelf\(colour\)"),
        ("Label(text, colour)", "test_published_parameters_are_taken", r"things.Label\(colour\)"),
    ],
    ids=["name", "method", "member", "task", "flow", "model", "dictionary"],
)
async def test_what_is_gone_is_named(package: str, run_suite_test: Any, line: str, test: str, message: str) -> None:
    names = published.parse(f"{package}.things\n  {line}\n")

    with pytest.raises(AssertionError, match=message):
        await run_suite_test(suite_of(package), test, names=names)


async def test_a_module_that_is_gone_is_named(package: str, run_suite_test: Any) -> None:
    names = published.parse(f"{package}.nothing\n  f(a)\n")

    with pytest.raises(AssertionError, match=rf"Gone since a release: {package}\.nothing\."):
        await run_suite_test(suite_of(package), "test_published_names_can_be_imported", names=names)
    await run_suite_test(
        suite_of(package, optional_modules=frozenset({f"{package}.nothing"})),
        "test_published_names_can_be_imported",
        names=names,
    )


async def test_what_was_withdrawn_is_no_loss(package: str, run_suite_test: Any) -> None:
    names = published.parse(f"{package}.things\n  gone\n  fetch(seconds)\n")
    withdrawn = frozenset({f"{package}.things.gone", f"{package}.things.fetch(seconds)"})

    for test in ("test_published_names_can_be_imported", "test_published_parameters_are_taken"):
        await run_suite_test(suite_of(package, withdrawn=withdrawn), test, names=names)


async def test_what_a_module_lists_is_believed_where_making_it_costs(package: str, run_suite_test: Any) -> None:
    module = import_quietly(f"{package}.things")
    vars(module)["__dir__"] = lambda: ["Costly"]
    vars(module)["__getattr__"] = lambda name: pytest.fail(name) if name == "Costly" else getattr(object(), name)
    listed = suite_of(package, listed_modules=frozenset({f"{package}.things"}))

    test = "test_published_names_can_be_imported"
    await run_suite_test(listed, test, names=published.parse(f"{package}.things\n  Costly\n"))
    with pytest.raises(AssertionError, match=r"things\.Cheap"):
        await run_suite_test(listed, test, names=published.parse(f"{package}.things\n  Cheap\n"))


def test_a_line_that_is_no_name_is_named() -> None:
    with pytest.raises(ValueError, match="Line 2 is no name"):
        published.parse("prefect_x\n  f(a: int)\n")
