"""What counts as a break, and what does not: one change of a small package each."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.interface import breaks, snapshot
from scripts.interface.annotations import is_covered
from scripts.interface.facts import Interface
from scripts.tests.interface_workspaces import Workspace

MODEL = "from pydantic import BaseModel, Field\n"
BLOCK = "from pydantic import Field\nfrom prefect.blocks.core import Block\n"
SETTINGS = """\
from prefect.settings.base import PrefectBaseSettings, build_settings_config
class S(PrefectBaseSettings):
    model_config = build_settings_config(("integrations", "{}"))
    x: int = 1
"""
VALIDATOR = """
    @field_validator("x")
    def check(cls, v): ...
"""
TABLE = """\
_LATE = {"f": ".steps"}
def __getattr__(name):
    if name not in _LATE:
        raise AttributeError(name)
"""
COMPARISON = """\
def __getattr__(name):
    if name == "f":
        from .steps import f
        return f
    raise AttributeError(name)
"""
GONE = """\
def __getattr__(name):
    if name == "f":
        raise ImportError("use g")
    raise AttributeError(name)
"""
ENUM = "from enum import Enum\n"

BREAKS = {
    "a name is gone": ("def f(): ...\ndef g(): ...", "def f(): ...", "jobs.g can no longer be imported"),
    "a name is gone that `__all__` still lists": (
        "def f(): ...\n__all__ = ['f']",
        "__all__ = ['f']",
        "jobs.f can no longer be imported",
    ),
    "a parameter is gone": ("def f(a, b=1): ...", "def f(a): ...", "jobs.f(b) is gone"),
    "a keyword is gone": ("def f(*, a=1): ...", "def f(): ...", "jobs.f(a) is gone"),
    "a parameter is renamed": ("def f(a): ...", "def f(b): ...", "jobs.f(a) was renamed to `b`"),
    "parameters change places": (
        "def f(a, b, c=0): ...",
        "def f(b, a, c=0): ...",
        "jobs.f(a) has moved from position 1 to 2",
    ),
    "a parameter comes before others": (
        "def f(a, b=1): ...",
        "def f(a, new=0, b=1): ...",
        "jobs.f(b) has moved from position 2 to 3",
    ),
    "a new parameter is required": ("def f(a): ...", "def f(a, b): ...", "jobs.f(b) is new and must be given"),
    "a new keyword is required": ("def f(a): ...", "def f(a, *, b): ...", "jobs.f(b) is new and must be given"),
    "a default is gone": ("def f(a=1): ...", "def f(a): ...", "jobs.f(a) must now be given; its default was 1"),
    "a default is another": ("def f(a=1): ...", "def f(a=2): ...", "jobs.f(a) has another default: 1 became 2"),
    "the constant that is a default is another": (
        "_N = 1\ndef f(a=_N): ...",
        "_N = 2\ndef f(a=_N): ...",
        "jobs.f(a) has another default: 1 became 2",
    ),
    "a parameter becomes a keyword": (
        "def f(a, b=1): ...",
        "def f(a, *, b=1): ...",
        "jobs.f(b) can no longer be given by position",
    ),
    "a parameter becomes positional": (
        "def f(a): ...",
        "def f(a, /): ...",
        "jobs.f(a) can no longer be given by name",
    ),
    "further keywords are no longer taken": ("def f(**more): ...", "def f(): ...", "jobs.f(**more) is gone"),
    "a type is narrower": (
        "def f(a: str | None): ...",
        "def f(a: str): ...",
        "jobs.f(a) takes a narrower type: str | None became str",
    ),
    "a literal is gone": (
        "from typing import Literal\ndef f(a: Literal['x', 'y']): ...",
        "from typing import Literal\ndef f(a: Literal['x']): ...",
        "takes a narrower type: Literal['x', 'y'] became Literal['x']",
    ),
    "a result is wider": (
        "def f() -> str: ...",
        "def f() -> str | None: ...",
        "jobs.f returns a wider type: str became str | None",
    ),
    "a function becomes a coroutine function": (
        "def f(): ...",
        "async def f(): ...",
        "jobs.f has become a coroutine function",
    ),
    "a coroutine function becomes none": (
        "async def f(): ...",
        "def f(): ...",
        "jobs.f was a coroutine function and is none",
    ),
    "a task becomes a function": (
        "from prefect import task\n@task\ndef f(): ...",
        "def f(): ...",
        "jobs.f is no longer a task",
    ),
    "a class becomes a function": ("class A: ...", "def A(): ...", "jobs.A was a class and is a function"),
    "a method is gone": (
        "class A:\n    def m(self): ...\n    def n(self): ...",
        "class A:\n    def m(self): ...",
        "jobs.A.n is gone",
    ),
    "a parameter of a method is gone": (
        "class A:\n    def m(self, a): ...",
        "class A:\n    def m(self): ...",
        "jobs.A.m(a) is gone",
    ),
    "the construction takes less": (
        "class A:\n    def __init__(self, a): ...",
        "class A:\n    def __init__(self): ...",
        "jobs.A.__init__(a) is gone",
    ),
    "a property becomes a method": (
        "class A:\n    @property\n    def p(self): ...",
        "class A:\n    def p(self): ...",
        "jobs.A.p was a property and is a function",
    ),
    "a class method needs an instance": (
        "class A:\n    @classmethod\n    def m(cls): ...",
        "class A:\n    def m(self): ...",
        "jobs.A.m can no longer be called on the class",
    ),
    "a context manager is none": (
        "class A:\n    def __enter__(self): ...\n    def __exit__(self, *e): ...",
        "class A: ...",
        "jobs.A.__enter__ is gone",
    ),
    "a base is gone": ("class A(ValueError): ...", "class A: ...", "jobs.A is no longer a ValueError"),
    "a member is gone": (
        f"{ENUM}class E(Enum):\n    A = 1\n    B = 2",
        f"{ENUM}class E(Enum):\n    A = 1",
        "jobs.E.B is no longer a member",
    ),
    "a member has another value": (
        f"{ENUM}class E(Enum):\n    A = 1",
        f"{ENUM}class E(Enum):\n    A = 2",
        "jobs.E.A has another value: 1 became 2",
    ),
    "a field is gone": (
        f"{MODEL}class A(BaseModel):\n    x: int = 1\n    y: int = 2",
        f"{MODEL}class A(BaseModel):\n    x: int = 1",
        "jobs.A.y is gone",
    ),
    "a new field is required": (
        f"{MODEL}class A(BaseModel):\n    x: int = 1",
        f"{MODEL}class A(BaseModel):\n    x: int = 1\n    y: int",
        "jobs.A.y is a new field that must be given",
    ),
    "a field is now required": (
        f"{MODEL}class A(BaseModel):\n    x: int = Field(default=1)",
        f"{MODEL}class A(BaseModel):\n    x: int = Field(description='It.')",
        "jobs.A.x must now be given; its default was 1",
    ),
    "the default of a field is another": (
        f"{MODEL}class A(BaseModel):\n    x: int = Field(default=1)",
        f"{MODEL}class A(BaseModel):\n    x: int = Field(default=2)",
        "jobs.A.x has another default: 1 became 2",
    ),
    "the type of a field is narrower": (
        f"{MODEL}class A(BaseModel):\n    x: int | str = 1",
        f"{MODEL}class A(BaseModel):\n    x: int = 1",
        "jobs.A.x has a narrower type: int | str became int",
    ),
    "the alias of a field is another": (
        f"{MODEL}class A(BaseModel):\n    x: int = Field(default=1, alias='ex')",
        f"{MODEL}class A(BaseModel):\n    x: int = Field(default=1, alias='ix')",
        "jobs.A.x is no longer read from the alias ex",
    ),
    "a field of a dataclass is now required": (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 1",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int",
        "jobs.A.x must now be given; its default was 1",
    ),
    "fields of a dataclass change places": (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n    y: int",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    y: int\n    x: int",
        "jobs.A takes its fields by position in another order: x, y became y, x",
    ),
    "fields of a named tuple are fewer": (
        "from typing import NamedTuple\nclass A(NamedTuple):\n    x: int\n    y: int",
        "from typing import NamedTuple\nclass A(NamedTuple):\n    x: int",
        "jobs.A.y is gone",
    ),
    "fields of a dataclass become keywords": (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int",
        "from dataclasses import dataclass\n@dataclass(kw_only=True)\nclass A:\n    x: int",
        "jobs.A no longer takes its fields by position",
    ),
    "a slug is another": (
        f"{BLOCK}class A(Block):\n    _block_type_name = 'A'\n    _block_type_slug = 'a'",
        f"{BLOCK}class A(Block):\n    _block_type_name = 'A'\n    _block_type_slug = 'b'",
        "jobs.A._block_type_slug has another value: 'a' became 'b'",
    ),
    "a name of a block type changes its slug": (
        f"{BLOCK}class A(Block):\n    _block_type_name = 'Bolt Job'",
        f"{BLOCK}class A(Block):\n    _block_type_name = 'Bolt Jobs'",
        "jobs.A._block_type_slug has another value: 'bolt-job' became 'bolt-jobs'",
    ),
    "the type of a worker is another": (
        "from prefect.workers.base import BaseWorker\nclass W(BaseWorker):\n    type = 'bolt'",
        "from prefect.workers.base import BaseWorker\nclass W(BaseWorker):\n    type = 'screw'",
        "jobs.W.type has another value: 'bolt' became 'screw'",
    ),
    "a setting has another variable": (
        SETTINGS.format("bolt"),
        SETTINGS.format("screw"),
        "jobs.S.x is no longer read from the environment variable PREFECT_INTEGRATIONS_BOLT_X",
    ),
    "a constant is gone": ("N = 1\nM = 2", "N = 1", "jobs.M can no longer be imported"),
}

HARMLESS = {
    "a docstring": ("def f(a): ...", 'def f(a):\n    """Do it."""'),
    "a new name": ("def f(): ...", "def f(): ...\ndef g(): ..."),
    "a new optional parameter at the end": ("def f(a): ...", "def f(a, b=1): ..."),
    "a new optional keyword": ("def f(a): ...", "def f(a, *, b: int = 1): ..."),
    "further keywords are taken": ("def f(a): ...", "def f(a, **more): ..."),
    "a keyword goes among further keywords": ("def f(*, a=1): ...", "def f(**more): ..."),
    "a keyword may be given by position": ("def f(*, a=1): ...", "def f(a=1): ..."),
    "a positional parameter is renamed": ("def f(a, /): ...", "def f(b, /): ..."),
    "a required parameter gets a default": ("def f(a): ...", "def f(a=1): ..."),
    "a wider type": ("def f(a: str): ...", "def f(a: str | None): ..."),
    "an abstract type": ("def f(a: list[str]): ...", "def f(a: Sequence[str]): ..."),
    "another way to write a type": (
        "def f(a: Optional[Dict[str, int]]): ...",
        "def f(a: 'dict[str, int] | None'): ...",
    ),
    "a type where there was none": ("def f(a): ...", "def f(a: str): ..."),
    "a narrower result": ("def f() -> str | None: ...", "def f() -> str: ..."),
    "another way to write a default": ("def f(a='x'): ...", 'def f(a="x"): ...'),
    "a default that has become a constant": ("def f(a=10): ...", "N = 10\ndef f(a=N): ..."),
    "a private name is gone": ("def _f(): ...\n_N = 1", ""),
    "an import is gone": ("import os\nfrom json import dumps\ndef f(): ...", "def f(): ..."),
    "a type variable is gone": ("from typing import TypeVar\nT = TypeVar('T')", ""),
    "a private method is gone": ("class A:\n    def _m(self): ...", "class A: ..."),
    "a method moves to a private base": (
        "class A:\n    def m(self, a): ...",
        "class _B:\n    def m(self, a): ...\nclass A(_B): ...",
    ),
    "a method moves to a public base": (
        "class A:\n    def m(self, a): ...",
        "class B:\n    def m(self, a): ...\nclass A(B): ...",
    ),
    "a new optional field": (
        f"{MODEL}class A(BaseModel):\n    x: int",
        f"{MODEL}class A(BaseModel):\n    x: int\n    y: int = Field(default=1)",
    ),
    "a default that `Field` gives": (
        f"{MODEL}class A(BaseModel):\n    x: int = 1",
        f"{MODEL}class A(BaseModel):\n    x: int = Field(1, description='It.')",
    ),
    "a new field of a dataclass at the end": (
        "from dataclasses import dataclass, field\n@dataclass\nclass A:\n    x: int",
        "from dataclasses import dataclass, field\n@dataclass\nclass A:\n    x: int\n    y: int = field(default=1)",
    ),
    "a result that is of the class itself": (
        "class A:\n    def m(self) -> A: ...",
        "from typing import Self\nclass A:\n    def m(self) -> Self: ...",
    ),
    "a validator is gone": (
        f"{MODEL}from pydantic import field_validator\nclass A(BaseModel):\n    x: int{VALIDATOR}",
        f"{MODEL}class A(BaseModel):\n    x: int",
    ),
    "a new member": (f"{ENUM}class E(Enum):\n    A = 1", f"{ENUM}class E(Enum):\n    A = 1\n    B = 2"),
    "a slug is spelled out": (
        f"{BLOCK}class A(Block):\n    _block_type_name = 'Bolt Job'",
        f"{BLOCK}class A(Block):\n    _block_type_name = 'Bolt Job'\n    _block_type_slug = 'bolt-job'",
    ),
    "an attribute becomes a property": (
        "class A:\n    def __init__(self):\n        self.x = 1",
        "class A:\n    def __init__(self): ...\n    @property\n    def x(self): ...",
    ),
    "a new name of an old thing": ("def f(a): ...", "def g(a): ...\nf = g"),
    "another value of a constant": ("N = 1", "N = 2"),
    "another value that is computed": ("N = int('1')", "N = int('2')"),
}


def interface(root: Path, source: str, **more: str) -> Interface:
    """Read a package with this source; through a snapshot, as the guard does."""
    workspace = Workspace(root)
    workspace.module("jobs", source)
    for name, text in more.items():
        workspace.module(name.replace("__", "."), text)
    return snapshot.parse(snapshot.render(workspace.read().interface))


def said(old: Interface, new: Interface) -> list[str]:
    return [f"{each.path.removeprefix('prefect_bolt.')} {each.what}" for each in breaks.find(old, new)]


@pytest.mark.parametrize(("before", "after", "message"), BREAKS.values(), ids=BREAKS)
def test_a_break_is_found(tmp_path: Path, before: str, after: str, message: str) -> None:
    found = said(interface(tmp_path / "old", before), interface(tmp_path / "new", after))

    assert any(message in each for each in found), found


@pytest.mark.parametrize("before", [before for before, _, _ in BREAKS.values()], ids=BREAKS)
def test_what_does_not_change_breaks_nothing(tmp_path: Path, before: str) -> None:
    assert not said(interface(tmp_path / "old", before), interface(tmp_path / "new", before))


@pytest.mark.parametrize(("before", "after"), HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_change_is_none(tmp_path: Path, before: str, after: str) -> None:
    assert not said(interface(tmp_path / "old", before), interface(tmp_path / "new", after))


def test_one_change_is_said_once_however_many_names_lead_to_it(tmp_path: Path) -> None:
    names = "from .jobs import f\n__all__ = ['f']"
    old = interface(tmp_path / "old", "def f(a): ...", __init__=names, more="from .jobs import f as f")
    new = interface(tmp_path / "new", "def f(): ...", __init__=names, more="from .jobs import f as f")

    assert said(old, new) == ["jobs.f(a) is gone"]


def test_what_a_base_has_lost_is_said_of_the_base_alone(tmp_path: Path) -> None:
    old = interface(tmp_path / "old", "class A(ValueError):\n    def m(self): ...\nclass B(A): ...")
    new = interface(tmp_path / "new", "class A:\n    ...\nclass B(A): ...")

    assert said(old, new) == ["jobs.A is no longer a ValueError", "jobs.A.m is gone"]


def test_a_module_that_is_gone_is_said_once(tmp_path: Path) -> None:
    old = interface(tmp_path / "old", "", more="def f(): ...\ndef g(): ...")

    assert said(old, interface(tmp_path / "new", "")) == ["more is gone, and all that could be imported from it"]


@pytest.mark.parametrize(
    "old_place",
    [
        "from .steps import f as f",
        "from .steps import f\n__all__ = ['f']",
        "from .steps import *",
        "from . import steps\nf = steps.f",
        TABLE,
        COMPARISON,
    ],
    ids=["again", "all", "star", "value", "table", "comparison"],
)
def test_what_has_moved_and_works_at_its_old_place_is_no_break(tmp_path: Path, old_place: str) -> None:
    old = interface(tmp_path / "old", "def f(a): ...")
    new = interface(tmp_path / "new", old_place, steps="def f(a): ...")

    assert not said(old, new)
    worse = interface(tmp_path / "worse", old_place, steps="def f(b): ...")
    assert said(old, worse) == ["jobs.f(a) was renamed to `b`"]


def test_a_lazy_name_that_only_says_that_it_is_gone_is_gone(tmp_path: Path) -> None:
    assert said(interface(tmp_path / "old", "def f(): ..."), interface(tmp_path / "new", GONE)) == [
        "jobs.f can no longer be imported"
    ]


def test_extras_commands_and_entry_points_stay(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.project(
        more='[project.optional-dependencies]\nFast_IO = ["x"]\n[project.scripts]\nbolt = "prefect_bolt:main"\n'
        '[project.entry-points."prefect.collections"]\nprefect_bolt = "prefect_bolt"\n'
    )
    old = workspace.read().interface
    workspace.project()

    assert said(old, workspace.read().interface) == [
        "extra fast-io is gone",
        "command bolt is gone",
        "entry point prefect.collections: prefect_bolt is gone",
    ]


def test_an_entry_point_may_lead_elsewhere(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.project(more='[project.scripts]\nbolt = "prefect_bolt:main"\n')
    old = workspace.read().interface
    workspace.project(more='[project.scripts]\nbolt = "prefect_bolt.cli:main"\n')

    assert not said(old, workspace.read().interface)


def test_what_a_base_of_another_package_hands_down_may_go_from_its_subclass(tmp_path: Path) -> None:
    old = interface(
        tmp_path / "old", "from json import JSONEncoder\nclass A(JSONEncoder):\n    def encode(self, o): ..."
    )
    new = interface(tmp_path / "new", "from json import JSONEncoder\nclass A(JSONEncoder): ...")

    assert said(old, new) == ["jobs.A.encode is gone"]
    assert not breaks.find(old, new, lambda base, name: (base, name) == ("json.JSONEncoder", "encode"))


@pytest.mark.parametrize(
    ("narrow", "wide", "covered"),
    [
        ("str", "str | None", True),
        ("str | None", "str", False),
        ("Optional[str]", "None | str", True),
        ("Union[str, Path]", "str | pathlib.Path | bytes", True),
        ("int", "float", True),
        ("float", "int", False),
        ("Literal['a']", "str", True),
        ("str", "Literal['a']", False),
        ("Literal['a', 'b']", "Literal['b', 'a', 'c']", True),
        ("list[str]", "Iterable[str]", True),
        ("list[str]", "list[int]", False),
        ("dict[str, str]", "Mapping[str, Any]", True),
        ("Annotated[str, Field(gt=0)]", "str", True),
        ("Callable[[str], int]", "Callable[[str], int]", True),
        ("Any", "str", True),
        (None, "str", True),
        ("AwsCredentials", "GcpCredentials", False),
        ("not a type (", "not a type (", True),
    ],
    ids=str,
)
def test_a_type_is_covered(narrow: str | None, wide: str | None, covered: bool) -> None:
    assert is_covered(narrow, wide) is covered
