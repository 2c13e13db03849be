"""The child as a process: it is alone, several of them keep apart, and its death is an outcome."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prefect_dbt._dbt import DbtEvent, DbtProcess, Invocation, Outcome
from prefect_dbt.errors import DbtProcessDied
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.dbt_projects import DbtProject

pytestmark = pytest.mark.timeout(240)

_TALKS = """
def model(dbt, session):
    import os, sys
    dbt.config(materialized="table")
    print("said by a model")
    print("whispered by a model", file=sys.stderr)
    print("\\x1b[31mthe word is", os.environ["DBT_ENV_SECRET_WORD"], "\\x1b[0m")
    ours = sorted(name for name in sys.modules if name.partition(".")[0] in ("prefect", "prefect_dbt"))
    print("modules of prefect:", ours)
    print("our folder on the path:", any("_dbt" + os.sep + "child" in entry for entry in sys.path))
    return session.sql("select 1 as id")
"""

_CRASHES = """
def model(dbt, session):
    import os, sys
    dbt.config(materialized="table")
    print("last words", file=sys.stderr, flush=True)
    print("hush-hush", file=sys.stderr, flush=True)
    os.kill(os.getpid(), {number})
    return session.sql("select 1 as id")
"""


def asked(project: DbtProject, *args: str) -> Invocation:
    return Invocation(args, project_dir=project.path, profiles_dir=project.profiles_dir)


def ignore(event: DbtEvent) -> None:
    """Take no notice."""


@pytest.fixture(scope="module")
def project(dbt_small_template: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    return dbt_small_template.copy(tmp_path_factory.mktemp("process") / "project")


@pytest.fixture(scope="module")
def process() -> Iterator[DbtProcess]:
    with DbtProcess(env={"DBT_ENV_SECRET_WORD": "hush-hush"}) as process:
        yield process


def test_what_a_model_prints_is_told_and_the_child_has_nothing_of_prefect(
    project: DbtProject, process: DbtProcess
) -> None:
    project.write("models/talks.py", _TALKS)
    events: list[DbtEvent] = []
    outcome = process.invoke(asked(project, "run", "--select", "talks"), events.append)
    assert outcome.success, outcome.nodes
    lines = [event.message for event in events if event.name == "PrefectOutput"]
    assert lines.count("said by a model") == 1
    assert lines.count("whispered by a model") == 1
    assert "modules of prefect: []" in lines
    assert "our folder on the path: False" in lines
    assert "the word is ***** " in lines


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_crash_is_an_outcome_with_its_cause_and_the_next_invocation_works(
    project: DbtProject, process: DbtProcess
) -> None:
    project.write("models/crashes.py", _CRASHES.format(number=int(signal.SIGSEGV)))
    events: list[DbtEvent] = []
    try:
        outcome = process.invoke(asked(project, "run", "--select", "crashes"), events.append)
    finally:
        (project.path / "models/crashes.py").unlink()
    assert not outcome.success
    assert not outcome.interrupted
    raised = outcome.exception.load() if outcome.exception is not None else None
    assert isinstance(raised, DbtProcessDied)
    assert "SIGSEGV" in str(raised)
    assert "last words" in str(raised)
    assert "hush-hush" not in str(raised)
    assert outcome.result().success is False
    assert any(event.name == "MainReportVersion" for event in events)  # what came just before may be lost with it
    assert process.invoke(asked(project, "ls"), ignore).success


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_child_killed_from_outside_is_an_outcome(project: DbtProject, process: DbtProcess) -> None:
    def kill(event: DbtEvent) -> None:
        if event.name == "MainReportVersion" and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)

    outcome = process.invoke(asked(project, "build"), kill)
    assert not outcome.success
    assert outcome.exception is not None
    assert "SIGKILL" in outcome.exception.message
    assert "memory" in outcome.exception.message


def test_a_listener_that_fails_is_logged_once_and_the_run_goes_on(
    project: DbtProject, process: DbtProcess, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: DbtEvent) -> None:
        raise LookupError(f"no place for {event.name}")

    with caplog.at_level(logging.ERROR):
        outcome = process.invoke(asked(project, "seed"), fail)
    assert outcome.success, outcome.nodes
    complaints = [record.getMessage() for record in caplog.records if "NodeStart" in record.getMessage()]
    assert len(complaints) == 1


def test_variables_and_folder_are_the_childs_own(project: DbtProject, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    project.write(
        "macros/where.sql",
        "{% macro where() %}{{ print(env_var('WORD') ~ modules.re.sub('x', 'y', 'x')) }}{% endmacro %}",
    )
    events: list[DbtEvent] = []
    with DbtProcess(cwd=tmp_path / "elsewhere", env={"WORD": "abc"}) as process:
        assert process.invoke(asked(project, "run-operation", "where"), events.append).success
    assert "abcy" in [event.message for event in events]
    assert "WORD" not in os.environ


def test_a_closed_child_is_gone_and_says_so(project: DbtProject) -> None:
    process = DbtProcess()
    pid = process.pid
    assert pid is not None
    process.close()
    process.close()
    poll(lambda: not _exists(pid) or None, subject="the end", interval_seconds=0.05, timeout_seconds=30)
    with pytest.raises(RuntimeError, match="closed"):
        process.invoke(asked(project, "ls"), ignore)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_two_projects_built_at_once_keep_apart(
    dbt_small_template: DbtProject, dbt_shop_template: DbtProject, tmp_path: Path
) -> None:
    _build_both(dbt_small_template, dbt_shop_template, tmp_path, rounds=2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_projects_keep_apart_in_many_rounds(
    dbt_small_template: DbtProject, dbt_shop_template: DbtProject, tmp_path: Path
) -> None:
    _build_both(dbt_small_template, dbt_shop_template, tmp_path, rounds=20)


def _build_both(first: DbtProject, second: DbtProject, folder: Path, rounds: int) -> None:
    """Each project has a package of the same name and another macro in it, so that a shared global would show."""
    projects = [first.copy(folder / "first"), second.copy(folder / "second")]
    for number, each in enumerate(projects):
        package = {"name": "shared", "version": "1.0"}
        each.write("packages.yml", "packages: [{local: shared}]\n")
        each.write("shared/dbt_project.yml", f"name: {package['name']}\nversion: '1.0'\n")
        each.write("shared/macros/which.sql", f"{{% macro which() %}}{number}{{% endmacro %}}\n")
        each.write("models/which.sql", "select {{ shared.which() }} as number\n")

    def build(project: DbtProject, process: DbtProcess, own: str) -> list[Outcome]:
        return [
            process.invoke(asked(project, *args), ignore)
            for args in [("deps",)] * (own == "deps") or [("run", "-s", "which")]
        ]

    with DbtProcess() as one, DbtProcess() as two, ThreadPoolExecutor(2) as pool:
        pairs = list(zip(projects, (one, two), strict=True))
        for work in ["deps", *["run"] * rounds]:
            for future in [pool.submit(build, *pair, work) for pair in pairs]:
                for outcome in future.result(600):
                    assert outcome.success, (outcome.exception, outcome.nodes)
    for number, each in enumerate(projects):
        assert each.query("select number from which") == [(number,)]
        assert "which" in each.tables()
