"""The truth about every status of dbt, by every way to run it: states are read back from Prefect's API."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State, StateType
from prefect.context import get_run_context

from prefect_dbt import DbtCloudJob, PrefectDbtOrchestrator, PrefectDbtRunner, PrefectDbtSettings
from prefect_dbt.errors import DbtRunFailed
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.dbt_cloud import Play
from prefect_integration_tests.backends.dbt_projects import installed_release

from ._projects import BATCH_ARGS, states_project

if TYPE_CHECKING:
    from prefect_dbt import DbtCloudCredentials
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock

_RECORDED_SECONDS = 90  # how long the server may take to write down what was sent to it
_CLOUD_SUCCESS, _CLOUD_ERROR = 10, 20


class Case(NamedTuple):
    """A status of dbt, and what becomes of it.

    Attributes:
        select: What is run; the node, with those that it takes to bring it into this status.
        task_run: Name of the node's task run.
        state: Type of the state of the task run.
        run: Type of the state of a run of just that.
    """

    select: str
    task_run: str
    state: StateType
    run: StateType

    @property
    def command(self) -> tuple[str, ...]:
        """The command that has this status."""
        return ("source", "freshness") if self.select.startswith("source:") else ("build", *BATCH_ARGS)


_OK, _BAD, _SKIPPED = StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED
_NEWER = {"no-op": (1, 10), "partial success": (1, 9)}  # the releases of dbt that have them first
BUILT: dict[str, Case] = {
    "success": Case("fresh", "model fresh", _OK, _OK),
    "pass": Case("unique_good_id", "test unique_good_id", _OK, _OK),
    "warn": Case("warns_good_id", "test warns_good_id", _OK, _OK),
    "no-op": Case("exposure:board", "exposure board", _OK, _OK),
    "error": Case("broken", "model broken", _BAD, _BAD),
    "fail": Case("not_null_good_id", "test not_null_good_id", _BAD, _BAD),
    "partial success": Case("batches", "model batches", _BAD, _BAD),
    "skipped": Case("broken+", "model below_broken", _SKIPPED, _BAD),
}
BUILT = {status: case for status, case in BUILT.items() if installed_release() >= _NEWER.get(status, (1, 0))}
CHECKED: dict[str, Case] = {
    "fresh": Case("source:raw.fresh", "source fresh", _OK, _OK),
    "old": Case("source:raw.old", "source old", _OK, _OK),
    "stale": Case("source:raw.stale", "source stale", _BAD, _BAD),
    "runtime error": Case("source:raw.missing", "source missing", _BAD, _BAD),
}
CASES = BUILT | CHECKED


class Told(NamedTuple):
    """What Prefect's API says of a flow run: its state, and those of its task runs by name."""

    run: State
    tasks: Mapping[str, State]


def _told(flow_run_id: UUID, *wanted: str) -> Told:
    """Ask the API, until the task runs that are wanted are there and all have ended."""
    with get_client(sync_client=True) as client:
        only = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))

        def look() -> Told | None:
            runs = client.read_task_runs(flow_run_filter=only, limit=200)
            states = {run.name: run.state for run in runs if run.state is not None and run.state.is_final()}
            is_whole = len(states) == len(runs) and set(wanted) <= set(states)
            run = client.read_flow_run(flow_run_id)
            return Told(run.state, states) if is_whole and run.state is not None and run.state.is_final() else None

        return poll(look, subject="the task runs", interval_seconds=0.2, timeout_seconds=_RECORDED_SECONDS)


def _in_flow(work: Callable[[], object], *wanted: str) -> Told:
    """Run something in a flow, and see what Prefect knows of it afterwards."""
    seen: list[UUID] = []

    @flow
    def states() -> None:
        seen.append(get_run_context().flow_run.id)  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
        work()

    states(return_state=True)
    return _told(seen[0], *wanted)


def _settings(project: Path) -> PrefectDbtSettings:
    return PrefectDbtSettings(project_dir=project, profiles_dir=project)


# A task run for each node


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, in which a build has ended as all do here: parsed, with its tables."""
    return states_project(tmp_path_factory.mktemp("states") / "shop")


@pytest.fixture(scope="module")
def told_by_runner(project: Path, prefect_harness: None) -> Mapping[str, Told]:
    """A build and a check of freshness by the runner, in this order: the second reads what the first has made."""
    runner = PrefectDbtRunner(settings=_settings(project))
    build = _in_flow(lambda: runner.invoke(["build", *BATCH_ARGS]), *(case.task_run for case in BUILT.values()))
    check = _in_flow(lambda: runner.invoke(["source", "freshness"]), *(case.task_run for case in CHECKED.values()))
    return {**dict.fromkeys(BUILT, build), **dict.fromkeys(CHECKED, check)}


@pytest.mark.xdist_group("dbt-states")
@pytest.mark.parametrize("status", CASES)
def test_the_runner_gives_a_node_the_state_of_its_status(status: str, told_by_runner: Mapping[str, Told]) -> None:
    told, case = told_by_runner[status], CASES[status]
    state = told.tasks[case.task_run]
    assert state.type is case.state
    assert (state.name == "Skipped") is (status == "skipped")
    if status in ("warn", "old"):
        assert "warning" in (state.message or "")
    if case.state is _BAD:
        assert "finished with status" in (state.message or "")
    assert told.run.type is _BAD  # each of the two has nodes that failed


@pytest.mark.xdist_group("dbt-states")
def test_what_failed_is_named_by_the_error(project: Path, told_by_runner: Mapping[str, Told]) -> None:
    message = told_by_runner["error"].run.message or ""
    for case in BUILT.values():
        kind, name = case.task_run.split()
        assert (f"\n{kind.capitalize()} {name} " in message) is (case.state is _BAD), message


# A run as a whole: tasks and blocks for commands


def _by_task(project: Path, case: Case) -> object:
    from prefect_dbt.cli.commands import run_dbt_build, run_dbt_source_freshness

    run = run_dbt_source_freshness if case.command[0] == "source" else run_dbt_build
    args = [*(BATCH_ARGS if case.command[0] == "build" else ()), "--select", case.select]
    return run(project_dir=project, profiles_dir=project, extra_command_args=args)


def _by_operation(project: Path, case: Case) -> object:
    from prefect_dbt.cli.commands import DbtCoreOperation

    command = " ".join(["dbt", *case.command, "--select", case.select])
    return DbtCoreOperation(commands=[command], project_dir=project, profiles_dir=project).run()


_WAYS: dict[str, Callable[[Path, Case], object]] = {"task": _by_task, "operation": _by_operation}
_QUICK = {"task": ("success", "warn", "fail", "skipped", "stale"), "operation": ("warn", "fail")}
_COMMANDS = [
    pytest.param(
        way, status, id=f"{way}-{status}".replace(" ", "_"), marks=[] if status in quick else [pytest.mark.slow]
    )
    for way, quick in _QUICK.items()
    for status in CASES
]


@pytest.mark.xdist_group("dbt-states")
@pytest.mark.parametrize(("way", "status"), _COMMANDS)
def test_a_command_gives_its_run_the_state_of_its_nodes(
    way: str,
    status: str,
    project: Path,
    told_by_runner: Mapping[str, Told],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    own = shutil.copytree(project, tmp_path / "shop")
    told = _in_flow(lambda: _WAYS[way](own, CASES[status]))
    assert told.run.type is CASES[status].run
    for state in told.tasks.values():
        assert state.type is CASES[status].run


# The orchestrator


@pytest.fixture(scope="module")
def told_by_orchestrator(
    project: Path, told_by_runner: Mapping[str, Told], tmp_path_factory: pytest.TempPathFactory
) -> Told:
    own = shutil.copytree(project, tmp_path_factory.mktemp("orchestrated") / "shop")
    orchestrator = PrefectDbtOrchestrator(settings=_settings(own))
    wanted = [case.task_run for status, case in BUILT.items() if status != "no-op"]
    return _in_flow(lambda: orchestrator.run_build(extra_cli_args=list(BATCH_ARGS)), *wanted)


@pytest.mark.xdist_group("dbt-states")
@pytest.mark.parametrize("status", [status for status in BUILT if status != "no-op"])
def test_the_orchestrator_gives_a_node_the_state_of_its_status(status: str, told_by_orchestrator: Told) -> None:
    case = BUILT[status]
    state = told_by_orchestrator.tasks[case.task_run]
    assert state.type is case.state
    assert told_by_orchestrator.run.type is _BAD


# dbt Cloud


@pytest.mark.parametrize("status", [*BUILT, "runtime error"])
async def test_a_job_of_dbt_cloud_gives_its_run_the_state_of_its_nodes(
    status: str,
    dbt_cloud: DbtCloud,
    cloud_credentials: DbtCloudCredentials,
    cloud_clock: FakeClock,
    prefect_harness: None,
) -> None:
    from prefect_dbt.cloud.jobs import run_dbt_cloud_job

    is_ok = CASES[status].run is _OK
    dbt_cloud.project.add("model.shop.parcels")
    dbt_cloud.project.statuses["model.shop.parcels"] = status
    dbt_cloud.play = Play(outcome=_CLOUD_SUCCESS if is_ok else _CLOUD_ERROR)
    job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=dbt_cloud.add_job("dbt build"))
    state = await run_dbt_cloud_job(dbt_cloud_job=job, targeted_retries=0, return_state=True)
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    assert _told(run_id).run.type is CASES[status].run


# What a failure is to code


@pytest.mark.xdist_group("dbt-states")
@pytest.mark.parametrize("raises", [True, False], ids=["raises", "returns"])
def test_a_result_says_what_failed_with_and_without_an_error(
    raises: bool, project: Path, told_by_runner: Mapping[str, Told], tmp_path: Path
) -> None:
    own = shutil.copytree(project, tmp_path / "shop")
    runner = PrefectDbtRunner(settings=_settings(own), raise_on_failure=raises)
    args = ["build", "--select", "broken+"]
    if raises:
        with pytest.raises(DbtRunFailed, match="broken") as caught:
            runner.invoke(args)
        assert caught.value.node_ids == ("model.shop.broken",)
    else:
        result = runner.invoke(args)
        assert not result.success
        assert {str(node.status) for node in result.result.results} == {"error", "skipped"}
