"""What ends a run from outside ends dbt's queries first, and each node that began has a last state on the server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.clients import AssertingEventsClient, EventsClient
from prefect.events.worker import EventsWorker
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from prefect_dbt.core._observer import RunObserver
from prefect_dbt.core._scope import RunScope
from prefect_dbt.core._sending import send_queued
from prefect_dbt.core.runner import PrefectDbtRunner
from prefect_dbt.core.settings import PrefectDbtSettings
from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.dbt_projects import DbtProject, generate

from ._recorded import Recorded
from ._sleeping import SLEEP_SECONDS, sleeping_queries, time_out_during_the_query
from .test_runner_faults import event, info

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect.events.schemas.events import Event

    from prefect_integration_tests.backends.postgres import Postgres

pytestmark = pytest.mark.usefixtures("prefect_harness")

SLOW = "model model_0"


@pytest.fixture(scope="module")
def project(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    """One model, whose query sleeps in PostgreSQL. It is parsed, so that its runs come to the query soon."""
    folder = tmp_path_factory.mktemp("ends") / "project"
    made = generate(folder, adapter="postgres", postgres=postgres, models=1, seeds=0, tests=0)
    made.slow_model("model_0", SLEEP_SECONDS)
    runner_of(made).invoke(["parse"])
    return made


def runner_of(project: DbtProject) -> PrefectDbtRunner:
    return PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir))


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_the_time_out_of_a_flow_ends_the_queries(project: DbtProject, is_async: bool) -> None:
    runs: list[UUID] = []

    def build() -> None:
        runs.append(UUID(flow_run.id))
        runner_of(project).invoke(["run"])

    async def abuild() -> None:
        runs.append(UUID(flow_run.id))
        await runner_of(project).ainvoke(["run"])

    def run(seconds: float) -> None:
        name = f"dbt-ends-{'async' if is_async else 'sync'}"
        timed: Any = flow(abuild if is_async else build, name=name, timeout_seconds=seconds)
        state = timed(return_state=True)
        state = asyncio.run(state) if is_async else state
        assert (state.type, state.name) == (StateType.FAILED, "TimedOut")

    time_out_during_the_query(project, run)
    state = Recorded(runs[-1], expected=1).state(SLOW)
    assert (state.type, state.name) == (StateType.CANCELLED, "Cancelled")


_PROGRAM = """
import asyncio
import sys
from prefect import flow
from prefect.events.clients import AssertingEventsClient, EventsClient
from prefect.events.worker import EventsWorker
from prefect.runtime import flow_run
from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings

folder = sys.argv[1]
runner = PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=folder, profiles_dir=folder))

@flow(name="dbt-terminated")
def build():
    print(flow_run.id, flush=True)
    runner.invoke(["run"])

@flow(name="dbt-terminated-async")
async def abuild():
    print(flow_run.id, flush=True)
    await runner.ainvoke(["run"])

asyncio.run(abuild()) if sys.argv[2] == "async" else build()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("face", ["sync", pytest.param("async", marks=pytest.mark.slow)])
def test_a_terminated_flow_ends_its_queries_and_its_nodes_before_its_process(project: DbtProject, face: str) -> None:
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    command = [sys.executable, "-c", _PROGRAM, str(project.path), face]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        run = UUID(process.stdout.readline().strip())
        poll(lambda: sleeping_queries(project) or None, subject="the query", interval_seconds=0.1, timeout_seconds=120)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) != 0
        assert not sleeping_queries(project)
    recorded = Recorded(run, expected=1)
    assert recorded.state(SLOW).type is StateType.CANCELLED
    assert recorded.lines(SLOW)[-1][1].startswith("Finished in state Cancelled")
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run).state
    assert state is not None
    assert state.type is StateType.CRASHED


class Slow:
    """How a server hears of events that takes its time, or none at all as long as it may not."""

    def __init__(self) -> None:
        self.may_hear = threading.Event()
        self.heard: list[str] = []

    async def emit(self, client: EventsClient, event: Event) -> None:
        await asyncio.sleep(0.1)
        while not self.may_hear.is_set():
            await asyncio.sleep(0.01)
        self.heard.append(event.event)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """Such a server."""
    server = Slow()
    monkeypatch.setattr(AssertingEventsClient, "_emit", lambda client, event: server.emit(client, event))
    EventsWorker.set_client_override(AssertingEventsClient)
    try:
        yield server
    finally:
        server.may_hear.set()
        EventsWorker.instance().drain()
        EventsWorker.set_client_override(None)
        AssertingEventsClient.reset()


def test_what_is_recorded_of_a_cancelled_run_has_been_sent_when_it_returns(slow: Slow) -> None:
    slow.may_hear.set()
    observer = RunObserver(RunScope.current(), record_nodes=True)
    observer(event("NodeStart", info("a")))
    observer.close(was_cancelled=True)
    assert slow.heard == [f"prefect.task-run.{state}" for state in ("Pending", "Running", "Cancelled")]


def test_a_server_that_hears_nothing_holds_a_cancelled_run_up_for_a_moment_only(slow: Slow) -> None:
    observer = RunObserver(RunScope.current(), record_nodes=True)
    observer(event("NodeStart", info("a")))
    send_queued(timeout_seconds=0.3)
    assert slow.heard == []
    slow.may_hear.set()
    EventsWorker.instance().wait_until_empty()
    assert slow.heard == ["prefect.task-run.Pending", "prefect.task-run.Running"]
