"""An orchestrator with several children on a real PostgreSQL: side by side, limited, and ended from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from prefect_dbt.core._local import DbtCoreExecutor
from prefect_dbt.core.settings import PrefectDbtSettings
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.dbt_projects import DbtProject, generate

from ._orchestrator import InFlow, orchestrator_of
from ._recorded import Recorded
from ._sleeping import SLEEP_SECONDS, sleeping_queries, time_out_during_the_query

if TYPE_CHECKING:
    from prefect_integration_tests.backends.postgres import Postgres

pytestmark = [pytest.mark.usefixtures("prefect_harness"), pytest.mark.timeout(400)]

_MEET = """
create or replace function public.meet(place int, seconds float) returns boolean language plpgsql as $$
declare
  until timestamptz := clock_timestamp() + make_interval(secs => seconds);
begin
  perform pg_advisory_xact_lock_shared(place);
  while clock_timestamp() < until loop
    if (select count(distinct pid) from pg_locks where locktype = 'advisory' and objid = place) > 1 then
      perform pg_sleep(0.5); -- until the other one has seen it, too
      return true;
    end if;
    perform pg_sleep(0.02);
  end loop;
  return false;
end $$
"""
_GUEST = "{{ config(materialized='table') }}\nselect public.meet(%d, {{ var('seconds') }}) as has_met\n"


@pytest.fixture(scope="module")
def project(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    """Two models that see whether they run at the same time, one that reads both, and one that fails."""
    postgres.run(_MEET)
    made = generate(
        tmp_path_factory.mktemp("pg") / "project", adapter="postgres", postgres=postgres, models=0, seeds=0, tests=0
    )
    place = uuid4().int % 2**31
    for name in ("left", "right"):
        made.write(f"models/{name}.sql", _GUEST % place)
    made.write(
        "models/both.sql",
        "select l.has_met from {{ ref('left') }} as l, {{ ref('right') }} as r where r.has_met = l.has_met",
    )
    made.write("models/broken.sql", "{{ config(materialized='table') }}\nselect no_such_column")
    made.write("models/below.sql", "select * from {{ ref('broken') }}")
    return made


@pytest.fixture(scope="module")
def executor(project: DbtProject) -> Iterator[DbtCoreExecutor]:
    """Two children for all tests."""
    settings = PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir)
    with DbtCoreExecutor(settings, processes=2) as executor:
        yield executor


@pytest.fixture
def limit() -> str:
    """A global concurrency limit with one slot."""
    name = f"dbt-{uuid4().hex[:8]}"

    async def create() -> None:
        async with get_client() as client:
            await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))

    asyncio.run(create())
    return name


def held(limit: str) -> int:
    """How many slots of a limit are taken."""

    async def read() -> int:
        async with get_client() as client:
            return (await client.read_global_concurrency_limit_by_name(limit)).active_slots

    return asyncio.run(read())


def run_of(project: DbtProject, seconds: float, *, select: list[str], **options: Any) -> InFlow:
    orchestrator = orchestrator_of(project, raise_on_failure=False, **options)
    return InFlow(lambda: orchestrator.run_build(select=select, extra_cli_args=["--vars", f"{{seconds: {seconds}}}"]))


def have_met(project: DbtProject) -> list[tuple[Any, ...]]:
    return project.query(f"select has_met from {project.schema}.both")


@pytest.mark.parametrize("mode", ["per_node", "per_wave"])
def test_nodes_that_do_not_depend_on_each_other_run_at_the_same_time(
    project: DbtProject, executor: DbtCoreExecutor, mode: str
) -> None:
    options: dict[str, Any] = {"execution_mode": mode, "executor": executor}
    run = run_of(project, 60, select=["left", "right", "both"], **options)
    assert run.state.is_completed(), run.state
    assert have_met(project) == [("t",)]
    if mode == "per_node":
        runs = run.task_runs(3)
        inputs = {each.id for each in runs["model both"].task_inputs["upstream"]}
        assert inputs == {runs["model left"].id, runs["model right"].id}


def test_a_named_limit_is_taken_by_each_node_and_given_back_also_after_a_failure(
    project: DbtProject, executor: DbtCoreExecutor, limit: str
) -> None:
    """The limit has one slot; two children are free and two nodes ready."""
    run = run_of(
        project, 2, select=["left", "right", "both", "broken", "below"], executor=executor, concurrency=limit, retries=1
    )
    assert {build.name: build.status for build in run.result.values()} == {
        "left": "success",
        "right": "success",
        "both": "success",
        "broken": "error",
        "below": "skipped",
    }
    assert have_met(project) == [("f",)]
    assert held(limit) == 0
    assert run.task_runs(5)["model broken"].run_count == 2


@pytest.mark.parametrize("mode", ["per_node", "per_wave"])
def test_a_node_that_waits_for_a_slot_has_not_begun(
    project: DbtProject, executor: DbtCoreExecutor, limit: str, mode: str
) -> None:
    """The time-out of a node is no time to wait: this one waits for longer than it may work."""
    from prefect.concurrency.sync import concurrency

    with concurrency(limit, strict=True):
        orchestrator = orchestrator_of(
            project, executor=executor, concurrency=limit, timeout_seconds=1, execution_mode=mode
        )
        orchestrator.on_run_start(lambda context: None)

        async def wait() -> None:
            await asyncio.wait_for(orchestrator.arun_build(select="broken"), 6)

        with pytest.raises(asyncio.TimeoutError):
            asyncio.run(wait())
        assert held(limit) == 1
    assert held(limit) == 0


# Ended from outside


@pytest.fixture(scope="module")
def slow_project(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    """Two models whose queries sleep in PostgreSQL."""
    folder = tmp_path_factory.mktemp("pg") / "slow"
    made = generate(folder, adapter="postgres", postgres=postgres, models=2, seeds=0, tests=0)
    for name in ("model_0", "model_1"):
        made.slow_model(name, SLEEP_SECONDS)
    return made


SLOW = ("model model_0", "model model_1")
_ENDED = {"per_node": StateType.CRASHED, "per_wave": StateType.CANCELLED}
"""Nodes are the engine's own task runs, or dbt's within the wave's."""


@pytest.mark.parametrize("mode", ["per_node", "per_wave"])
def test_the_time_out_of_a_flow_ends_queries_and_nodes(slow_project: DbtProject, mode: str) -> None:
    runs: list[UUID] = []
    settings = PrefectDbtSettings(project_dir=slow_project.path, profiles_dir=slow_project.profiles_dir)
    with DbtCoreExecutor(settings, processes=2) as executor:

        def build() -> None:
            runs.append(UUID(flow_run.id))
            orchestrator_of(slow_project, execution_mode=mode, executor=executor).run_build()

        def run(seconds: float) -> None:
            timed: Any = flow(build, name=f"orchestrator-times-out-{mode}", timeout_seconds=seconds)
            state = timed(return_state=True)
            assert (state.type, state.name) == (StateType.FAILED, "TimedOut")

        time_out_during_the_query(slow_project, run)
    recorded = Recorded(runs[-1], expected=1)
    assert {each.state_type for each in recorded.task_runs if each.name in SLOW} == {_ENDED[mode]}


def test_a_wave_that_is_cut_short_keeps_what_was_built(project: DbtProject, executor: DbtCoreExecutor) -> None:
    project.write("models/quick.sql", "{{ config(materialized='table') }}\nselect 1 as id")
    project.write("models/slow.sql", "")
    project.slow_model("slow", SLEEP_SECONDS)
    for seconds in (6, 12, 24, 48):
        run = run_of(
            project, 0, select=["quick", "slow"], executor=executor, execution_mode="per_wave", timeout_seconds=seconds
        )
        assert not sleeping_queries(project)
        if "quick" in project.tables():
            break
    statuses = {node.name: node.status for node in run.result.values()}
    assert statuses == {"quick": "success", "slow": "error"}
    states = run.states(3)
    assert (states["dbt wave 1 of 1"], states["model quick"]) == ("TimedOut", "Completed")
    assert states["model slow"] == "Cancelled"
    assert run.names(3) == sorted(states), "each has one task run"


_PROGRAM = """
import sys
from prefect import flow
from prefect.runtime import flow_run
from prefect_dbt import PrefectDbtOrchestrator, PrefectDbtSettings

folder, mode = sys.argv[1:]
settings = PrefectDbtSettings(project_dir=folder, profiles_dir=folder)
orchestrator = PrefectDbtOrchestrator(settings, execution_mode=mode, concurrency=2)

@flow(name="orchestrator-terminated")
def build():
    print(flow_run.id, flush=True)
    orchestrator.run_build()

build()
"""


def descendants(pid: int) -> set[int]:
    """Processes below one, as far down as it goes."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), ()):
            found.add(child)
            waiting.append(child)
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody here can reap does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are read from /proc")
@pytest.mark.parametrize("mode", ["per_node", pytest.param("per_wave", marks=pytest.mark.slow)])
def test_a_terminated_process_leaves_no_query_no_child_and_no_running_node(slow_project: DbtProject, mode: str) -> None:
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    command = [sys.executable, "-c", _PROGRAM, str(slow_project.path), mode]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        run = UUID(process.stdout.readline().strip())
        poll(
            lambda: len(sleeping_queries(slow_project)) == 2 or None,
            subject="both queries",
            interval_seconds=0.1,
            timeout_seconds=120,
        )
        children = descendants(process.pid)
        assert children
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM
        assert not sleeping_queries(slow_project)
    poll(
        lambda: not any(map(is_alive, children)) or None,
        subject="the end of the children",
        interval_seconds=0.1,
        timeout_seconds=30,
    )
    recorded = Recorded(run, expected=2 if mode == "per_node" else 3)
    assert {recorded.state(name).type for name in SLOW} == {_ENDED[mode]}
