"""Children are forks of a process that has imported dbt, and nobody can tell them from fresh ones."""

from __future__ import annotations

import enum
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_dbt._dbt import DbtEvent, DbtProcess, Invocation, Outcome
from prefect_dbt._dbt.child.nodes import plain
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.dbt_projects import DbtProject

from ._projects import needs_forks

pytestmark = needs_forks

_PREFIX = "PREFECT_INTEGRATIONS_DBT_FORK_SERVER_"

_LOOKS = """
def model(dbt, session):
    import gc, json, os, random, signal, sys, threading
    dbt.config(materialized="table")
    mask = os.umask(0)
    os.umask(mask)
    seen = {
        "variables": dict(os.environ),
        "folder": os.getcwd(),
        "mask": mask,
        "leads": [os.getpid() == os.getpgid(0), os.getpid() == os.getsid(0)],
        "descriptors": len([fd for fd in os.listdir("/proc/self/fd") if int(fd) > 2]),
        "streams": [os.readlink(f"/proc/self/fd/{fd}").partition(":")[0] for fd in range(3)],
        "signals": [str(signal.getsignal(number)).partition(" at ")[0] for number in signal.valid_signals()],
        "threads": sorted(thread.name.partition("-")[0] for thread in threading.enumerate()),
        "argv": sys.argv,
        "path": sys.path,
        "collects": gc.isenabled(),
        "prefect": sorted(name for name in sys.modules if name.partition(".")[0] in ("prefect", "prefect_dbt")),
    }
    print("SEEN", json.dumps(seen))
    print("OWN", random.random())
    return session.sql("select 1 as id")
"""


def ignore(event: DbtEvent) -> None:
    """Take no notice."""


def parent_of(pid: int | None) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def gone(pid: int) -> None:
    """Wait until a process has ended and was reaped."""
    poll(lambda: not exists(pid) or None, subject="the end", interval_seconds=0.05, timeout_seconds=60)


@pytest.fixture(scope="module")
def project(dbt_small_template: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    project = dbt_small_template.copy(tmp_path_factory.mktemp("forks") / "project")
    project.write("models/looks.py", _LOOKS)
    return project


@pytest.fixture
def no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{_PREFIX}ENABLED", "false")


def look(process: DbtProcess, project: DbtProject) -> tuple[dict[str, Any], str]:
    """What a model sees of the process that it runs in, and a random number."""
    lines: list[str] = []
    asked = Invocation(
        ("run", "--select", "looks"), project_dir=project.path, profiles_dir=project.profiles_dir, keep_manifest=True
    )
    outcome = process.invoke(asked, lambda event: lines.append(event.message))
    assert outcome.success, (outcome.exception, outcome.nodes)
    said = dict(line.split(" ", 1) for line in lines if line.startswith(("SEEN ", "OWN ")))
    return json.loads(said["SEEN"]), said["OWN"]


def test_a_fork_is_as_a_fresh_process(project: DbtProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DbtProcess() as before:
        assert parent_of(before.pid) != os.getpid()
    monkeypatch.setenv("SINCE", "later")
    added = {"ADDED": "by the invocation"}
    mask = os.umask(0o027)
    try:
        with DbtProcess(cwd=tmp_path, env=added) as forked:
            server = parent_of(forked.pid)
            assert server not in (os.getpid(), 1)
            assert "ADDED" not in Path(f"/proc/{server}/environ").read_text(encoding="utf-8", errors="replace")
            seen, number = look(forked, project)
        monkeypatch.setenv(f"{_PREFIX}ENABLED", "false")
        with DbtProcess(cwd=tmp_path, env=added) as fresh:
            assert parent_of(fresh.pid) == os.getpid()
            expected, other = look(fresh, project)
    finally:
        os.umask(mask)
    assert expected["variables"].pop(f"{_PREFIX}ENABLED") == "false"
    assert seen == expected
    assert (seen["folder"], seen["mask"], seen["variables"]["ADDED"]) == (str(tmp_path), 0o027, "by the invocation")
    assert seen["prefect"] == []
    assert number != other


def test_invocations_share_a_server_and_leave_nothing(project: DbtProject) -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    with DbtProcess() as process:
        server, pids = parent_of(process.pid), [process.pid]
    before = held()
    for _ in range(3):
        with DbtProcess() as process:
            assert parent_of(process.pid) == server
            pids.append(process.pid)
    assert len(set(pids)) == 4
    for pid in pids:
        gone(pid or 0)
    assert held() == before


def test_the_death_of_the_server_is_an_outcome_and_the_next_invocation_works(project: DbtProject) -> None:
    asked = Invocation(("ls",), project_dir=project.path, profiles_dir=project.profiles_dir)
    with DbtProcess() as process:
        pid, server = process.pid, parent_of(process.pid)
        assert server != os.getpid()

        def kill(event: DbtEvent) -> None:
            if event.name == "MainReportVersion" and exists(server):
                os.kill(server, signal.SIGKILL)
                gone(server)
                os.kill(pid or 0, signal.SIGKILL)

        outcome = process.invoke(asked, kill)
        assert not outcome.success
        assert outcome.exception is not None
        assert outcome.exception.class_name == "DbtProcessDied"
        assert process.invoke(asked, ignore).success
        assert parent_of(process.pid) != server


def test_a_variable_that_was_read_at_import_starts_afresh_and_a_server_that_nobody_needs_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with DbtProcess() as process:
        server = parent_of(process.pid)
    for name in ("PYTHONHASHSEED", "DBT_MACRO_DEBUGGING"):
        with DbtProcess(env={name: "7"}) as alone:
            assert parent_of(alone.pid) == os.getpid()
    monkeypatch.setenv("DBT_MACRO_DEBUGGING", "")
    monkeypatch.setenv(f"{_PREFIX}IDLE_SECONDS", "0.2")
    with DbtProcess() as process:
        other = parent_of(process.pid)
        assert other not in (server, os.getpid())
    gone(server)
    gone(other)


_FORKS = """
import os, sys
from prefect_dbt._dbt import DbtProcess, Invocation, fork_server

def run():
    with DbtProcess() as process:
        asked = Invocation(("ls",), project_dir=sys.argv[1], profiles_dir=sys.argv[1])
        assert process.invoke(asked, lambda event: None).success
        with open(f"/proc/{process.pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])

first = run()
pid = os.fork()
if pid == 0:
    code = 1
    try:
        code = 0 if run() not in (first, os.getpid()) else 2
    finally:
        fork_server.close()
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert run() == first
print(first)
"""


@pytest.mark.slow
def test_a_fork_of_the_flows_process_has_a_server_of_its_own_and_all_end_with_theirs(project: DbtProject) -> None:
    command = [sys.executable, "-c", _FORKS, str(project.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    gone(int(done.stdout))


# What the child says


_BABBLES = """
import os, time
os.write(1, (5).to_bytes(8, "big") + b"noise")
time.sleep(600)
"""


@pytest.fixture
def babbling(monkeypatch: pytest.MonkeyPatch, no_fork: None, tmp_path: Path) -> Iterator[DbtProcess]:
    """A process that says what nobody can read, and goes on."""
    script = tmp_path / "babbles.py"
    script.write_text(_BABBLES, encoding="utf-8")
    monkeypatch.setattr("prefect_dbt._dbt.starting.SCRIPT", script)
    with DbtProcess() as process:
        yield process


def test_what_cannot_be_read_ends_the_invocation_and_the_process(babbling: DbtProcess) -> None:
    pid = babbling.pid or 0
    outcome: Outcome = babbling.invoke(Invocation(("build",)), ignore)
    assert not outcome.success
    assert outcome.exception is not None
    assert outcome.exception.class_name == "DbtProcessDied"
    assert outcome.exception.message.startswith("What dbt's process said could not be read")
    gone(pid)


class _Text(str):
    __slots__ = ()


class _Colour(str, enum.Enum):
    RED = "red"


class _Level(enum.IntEnum):
    HIGH = 3


class _Number(float):
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (_Text("a"), "a"),
        (_Colour.RED, "red"),
        (_Level.HIGH, 3),
        (_Number(1.5), 1.5),
        (True, True),
        ({_Text("a"): [_Colour.RED, (None, _Level.HIGH)]}, {"a": ["red", [None, 3]]}),
        ({1: {_Text("b")}}, {"1": ["b"]}),
        (Path("x"), "x"),
    ],
    ids=["text", "enum of texts", "enum of numbers", "number", "flag", "nested", "set", "other"],
)
def test_values_of_a_config_are_of_pythons_own_types(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    assert __name__.encode() not in pickle.dumps(found)
