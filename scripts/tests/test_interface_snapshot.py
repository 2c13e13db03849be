"""What a snapshot says, and how it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import workspace as real
from scripts.interface import __main__ as program
from scripts.interface import published, reading, snapshot
from scripts.interface.snapshot import SnapshotError
from scripts.tests.interface_workspaces import Workspace

SOURCE = '''\
"""Jobs of bolt."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from prefect import task
from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator

if TYPE_CHECKING:
    from os import PathLike

T = TypeVar("T")
PORT: int = 80
CACHE = {}.copy()


class State(Enum):
    UP = "up"


class Job(Block):
    """A job."""

    _block_type_name = "Bolt Job"
    token: SecretStr = Field(description="Secret.")
    port: int = Field(default=PORT, ge=1)
    labels: list[str] = Field(default_factory=list, alias="tags")
    note: ClassVar[str] = "n"

    @field_validator("port")
    def check(cls, value: Any) -> Any: ...

    def run(self, path: str | PathLike[str], /, *more: str, wait: bool = True, **options: Any) -> State: ...

    @property
    def name(self) -> str: ...


@task
async def submit(job: Job, times: int = 1) -> None: ...
'''
SNAPSHOT = """\
# What users of prefect-bolt can rely on. `just interface` writes it from the source.

distribution
  extra fast

prefect_bolt
  from prefect_bolt.jobs import Job

prefect_bolt.jobs
  CACHE = …
  class Job(prefect.blocks.core.Block)
  Job._block_type_name = 'Bolt Job'
  Job._block_type_slug = 'bolt-job'
  field Job.labels: list[str] = list() {alias tags}
  property def Job.name -> str
  Job.note: str = 'n'
  field Job.port: int = 80
  def Job.run -> State
  Job.run(path: str | PathLike[str], /)
  Job.run(*more: str)
  Job.run(*, wait: bool = True)
  Job.run(**options: Any)
  field Job.token: SecretStr
  PORT: int = 80
  class State(enum.Enum)
  member State.UP = 'up'
  async task def submit -> None
  submit(job: Job)
  submit(times: int = 1)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.project(more='[project.optional-dependencies]\nfast = ["obstore"]\n')
    made.module("__init__", 'from .jobs import Job\n\n__all__ = ["Job"]\n')
    made.module("jobs", SOURCE)
    return made


def test_a_snapshot_says_one_fact_a_line(workspace: Workspace) -> None:
    assert snapshot.render(workspace.read().interface) == SNAPSHOT


def test_a_snapshot_is_read_as_it_was_written(workspace: Workspace) -> None:
    interface = workspace.read().interface

    assert snapshot.parse(snapshot.render(interface)) == interface


def test_a_line_that_is_none_is_named() -> None:
    with pytest.raises(SnapshotError, match=r"interface\.txt:2: cannot be read: '<<<<<<< HEAD'; run `just interface`"):
        snapshot.parse("prefect_bolt\n  <<<<<<< HEAD\n")


def test_facts_know_their_lines(workspace: Workspace) -> None:
    places = workspace.read().places
    lines = SOURCE.splitlines()

    for path, text in {"Job": "class Job", "Job.port": "port: int", "PORT": "PORT", "State.UP": "UP"}.items():
        file, line = places[f"prefect_bolt.jobs.{path}"]
        assert file.name == "jobs.py"
        assert text in lines[line - 1]


def test_what_a_private_module_defines_is_described_where_it_is_offered(workspace: Workspace) -> None:
    workspace.module("_impl", "class Client:\n    def get(self): ...\n")
    workspace.module("client", "from ._impl import Client as Client\n")
    workspace.module("__init__", "from ._impl import Client\n\n__all__ = ['Client']\n")
    text = snapshot.render(workspace.read().interface)

    assert "prefect_bolt\n  from prefect_bolt.client import Client\n" in text
    assert "prefect_bolt.client\n  class Client()\n  def Client.get\n" in text
    assert "_impl" not in text


def test_what_the_kit_hands_down_is_a_package_s_own(workspace: Workspace) -> None:
    workspace.kit("bases", "class Base(ValueError):\n    def wait(self, seconds: float = 1.0): ...\n")
    source = "from prefect_integration_kit.bases import Base\n\n\nclass Sub(Base):\n    def go(self): ...\n"
    workspace.module("subs", source)
    text = snapshot.render(workspace.read().interface)

    assert "  class Sub(ValueError)\n" in text
    assert "  Sub.wait(seconds: float = 1.0)\n" in text


def test_names_that_are_given_late_are_names(workspace: Workspace) -> None:
    workspace.module(
        "late",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from .jobs import submit\n\n"
        "_LATE = {'submit': '.jobs', 'Session': ('requests', 'Session')}\n\n\n"
        "def __getattr__(name):\n    if name in _LATE:\n        return None\n"
        "    if name == 'old':\n        raise ImportError('gone')\n    raise AttributeError(name)\n",
    )
    text = snapshot.render(workspace.read().interface)

    assert "prefect_bolt.late\n  from requests import Session\n  from prefect_bolt.jobs import submit\n" in text
    assert " old" not in text


def test_defaults_are_written_as_what_they_are(workspace: Workspace) -> None:
    workspace.module("limits", "SIZE = 8\n")
    workspace.module(
        "run",
        "from .jobs import State\nfrom .limits import SIZE\n\n\ndef run(state=State.UP, size=SIZE, more=int(1)): ...\n",
    )

    assert "  run(state = State.UP)\n  run(size = 8)\n  run(more = int(1))\n" in snapshot.render(
        workspace.read().interface
    )


def test_settings_say_their_variables(workspace: Workspace) -> None:
    workspace.module(
        "settings",
        "from pydantic_settings import BaseSettings, SettingsConfigDict\n\n\nclass S(BaseSettings):\n"
        "    model_config = SettingsConfigDict(env_prefix='bolt_')\n    poll: float = 5.0\n",
    )

    assert "  field S.poll: float = 5.0 {env BOLT_POLL}\n" in snapshot.render(workspace.read().interface)


def test_a_typed_dictionary_says_what_may_be_left_out(workspace: Workspace) -> None:
    workspace.module(
        "dicts",
        "from typing_extensions import Required, TypedDict\n\n\nclass D(TypedDict, total=False):\n"
        "    a: Required[str]\n    b: int\n",
    )
    text = snapshot.render(workspace.read().interface)

    assert "  field D.a: Required[str]\n  field D.b: NotRequired[int]\n" in text


def test_a_stale_snapshot_is_named_and_written_anew(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    file = snapshot.path_of(workspace.folder)

    assert program.main(["--check"], workspace.root) == 1
    said = capsys.readouterr().err
    assert "src/integrations/prefect-bolt/interface.txt" in said
    assert "run `just interface`, and commit the file" in said
    assert not file.exists()

    assert program.main([], workspace.root) == 0
    assert file.read_text(encoding="utf-8") == SNAPSHOT
    assert program.main(["--check", "bolt"], workspace.root) == 0

    workspace.module("jobs", SOURCE.replace("times: int", "count: int"))
    capsys.readouterr()
    assert program.main(["--check"], workspace.root) == 1
    assert capsys.readouterr().err.endswith("  - submit(times: int = 1)\n  + submit(count: int = 1)\n")


def test_a_package_that_is_unknown_is_refused(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["nope"], workspace.root) == 2
    assert "no package is named 'nope'" in capsys.readouterr().err


def test_what_was_published_only_grows(workspace: Workspace) -> None:
    program.main(["published", "bolt"], workspace.root)
    file = published.path_of(workspace.folder)
    first = file.read_text(encoding="utf-8")
    assert "prefect_bolt.jobs\n  CACHE\n  Job(token, port, labels)\n  Job.name\n  Job.run(wait)\n" in first

    workspace.module("jobs", "def submit(job, retries): ...\n")
    program.main(["published", "bolt"], workspace.root)
    second = file.read_text(encoding="utf-8")

    assert second == first.replace("submit(job, times)", "submit(job, times, retries)")


def test_the_template_is_not_published() -> None:
    names = [package.name for package in reading.published(real.packages())]

    assert "prefect-integration-kit" in names
    assert "prefect-acme" not in names
