from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_integration_docs.discovery import distribution
from prefect_integration_docs.extract import read_module
from prefect_integration_docs.library import Found, Library
from prefect_integration_docs.model import ModuleModel


def read(name: str, path: Path, text: str, is_package: bool) -> ModuleModel:
    return read_module(name, path, text, is_package=is_package)


@pytest.fixture
def library(tmp_path: Path) -> Callable[..., Library]:
    def make(**modules: str) -> Library:
        package = tmp_path / "acme"
        package.mkdir(exist_ok=True)
        for name, text in {"__init__": "", **modules}.items():
            path = package / f"{name.replace('sub_', 'sub/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Library([distribution(package)], {}, [], read)

    return make


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("acme.a.Thing", Found("acme.a", "Thing")),
        ("acme.a.Thing.run", Found("acme.a", "Thing.run")),
        ("acme.Thing", Found("acme.a", "Thing")),
        ("acme.Renamed", Found("acme.a", "Thing")),
        ("acme.b.Thing", Found("acme.a", "Thing")),
        ("acme.c.Thing", Found("acme.a", "Thing")),
        ("acme.c.helper", Found("acme.b", "helper")),
        ("acme.sub.Inner", Found("acme.sub.deep", "Inner")),
        ("acme.a", Found("acme.a", "")),
        ("acme.missing.Thing", None),
        ("acme.a.Missing", None),
        ("elsewhere.Thing", None),
        ("acme.loop.Thing", None),
    ],
)
def test_a_path_is_followed_through_reexports(library: Callable[..., Library], path: str, found: Found | None) -> None:
    made = library(
        __init__="from .a import Thing\nfrom acme.a import Thing as Renamed\n",
        a="class Thing:\n    def run(self): ...\n",
        b="from acme import Thing\ndef helper(): ...\n",
        c="from acme.b import *\n",
        sub___init__="from .deep import Inner\n",
        sub_deep="class Inner: ...\n",
        loop="from acme.pool import Thing\n",
        pool="from acme.loop import Thing\n",
    )

    assert made.resolve(path) == found


def test_inheritance_follows_imports_and_never_bare_names(library: Callable[..., Library]) -> None:
    made = library(
        a="class Base:\n    def one(self): ...\n",
        b="class Base:\n    def other(self): ...\n",
        c="from acme.a import Base as Root\nfrom acme import b\n\n"
        "class X(Root): ...\nclass Y(b.Base): ...\nclass Z(X, Y): ...\n",
    )

    assert made.lineage("acme.c.Z") == ["acme.c.Z", "acme.c.X", "acme.a.Base", "acme.c.Y", "acme.b.Base"]


def test_the_order_is_that_of_python(library: Callable[..., Library]) -> None:
    made = library(m="class A: ...\nclass B(A): ...\nclass C(A): ...\nclass D(B, C): ...\n")

    assert made.lineage("acme.m.D") == ["acme.m.D", "acme.m.B", "acme.m.C", "acme.m.A"]


def test_an_impossible_order_still_gives_every_base_once(library: Callable[..., Library]) -> None:
    made = library(m="class A: ...\nclass B(A): ...\nclass C(A, B): ...\n")

    assert sorted(made.lineage("acme.m.C")) == ["acme.m.A", "acme.m.B", "acme.m.C"]


def test_third_parties_end_a_line(library: Callable[..., Library]) -> None:
    made = library(
        m="from pydantic import BaseModel\nimport enum\n\nclass A(BaseModel): ...\nclass B(A, enum.Enum): ...\n"
    )

    assert made.lineage("acme.m.B") == ["acme.m.B", "acme.m.A", "pydantic.BaseModel", "enum.Enum"]


def test_a_circle_is_reported_once_and_ends(library: Callable[..., Library]) -> None:
    made = library(
        a="from acme.b import B\n\nclass A(B): ...\n",
        b="from acme.a import A\n\n\nclass B(A): ...\n",
    )

    assert "acme.b.B" in made.lineage("acme.a.A")
    assert "acme.a.A" in made.lineage("acme.b.B")
    assert [(p.path.name, p.line, p.fatal) for p in made.problems] == [("a.py", 3, True)]
    assert "inherits from itself: acme.a.A -> acme.b.B -> acme.a.A" in made.problems[0].message


def test_what_an_answer_depends_on_is_traced_also_when_it_is_known_already(library: Callable[..., Library]) -> None:
    made = library(__init__="from acme.a import Thing\n", a="class Thing: ...\n")

    traces: list[dict[str, str]] = []
    for _ in range(2):
        with made.traced() as trace:
            made.resolve("acme.Thing")
        traces.append(trace)

    assert sorted(name for name, digest in traces[0].items() if digest) == ["acme", "acme.a"]
    assert traces[0]["acme.Thing"] == ""  # were there such a module, it would go first
    assert traces[0] == traces[1]
