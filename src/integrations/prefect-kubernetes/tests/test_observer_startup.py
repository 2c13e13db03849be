"""The observer starts and runs for long without weighing on anybody."""

from __future__ import annotations

import gc
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from prefect.states import Completed, Running

from prefect_kubernetes._observer import names

from ._observed import FastClock, Stage, until

WRITES = {"set_flow_run_state", "create_logs", "update_flow_run"}


async def crowd(stage: Stage, count: int) -> None:
    """Finished pods of runs that are final."""
    runs = [await stage.run_in(Completed()) for _ in range(5)]
    # As many runs as pods would take the server minutes to make: most are of runs that Prefect has forgotten.
    ids = [str(runs[number]) if number < len(runs) else str(UUID(int=number)) for number in range(count)]
    stage.api.add_finished_pods(count, labels_of=lambda number: {names.FLOW_RUN_ID: ids[number]})


@pytest.mark.parametrize("count", [2_000, pytest.param(50_000, marks=pytest.mark.slow)])
async def test_finished_pods_cost_one_list_in_pages_and_no_write(stage: Stage, count: int) -> None:
    await crowd(stage, count)
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    async with stage.observing(timeout_seconds=120, sweep_interval_seconds=100_000) as observation:
        stage.play.fail("job", exit_code=1)
        await stage.becomes(run, "Crashed")  # which does not wait for the others
        await until(lambda: not len(observation.records), timeout_seconds=120)
        lists = stage.api.calls_of("list", "pods")
        assert len(lists) == count // 500 + 1
        assert {call.query["limit"] for call in lists} == {"500"}
        assert len(stage.api.calls_of("list", "jobs")) == 1
        assert stage.api.calls_of("get", "jobs") == []
        assert stage.counting.calls.count("read_flow_runs") <= count // 500 + 3
        assert stage.counting.calls.count("set_flow_run_state") == 1  # of the one that crashed
        assert stage.counting.calls.count("create_logs") <= 2
        assert [event.event.rpartition(".")[2] for event in stage.sent.events] == ["running", "failed"]


async def test_what_ended_while_nobody_watched_is_settled_at_the_start(stage: Stage) -> None:
    open_run, closed = await stage.run_in(Running(), "open"), await stage.run_in(Completed(), "closed")
    vanished = await stage.run_in(Running(), "vanished")
    for run, name in ((open_run, "open"), (closed, "closed"), (vanished, "vanished")):
        stage.start(run, name)
        stage.play.start(name)
    for name in ("open", "closed", "vanished"):
        stage.play.fail(name, exit_code=1)
    stage.play.delete_job("vanished", propagation="Orphan")  # its pod is still there
    async with stage.observing() as observation:
        await stage.becomes(open_run, "Crashed")
        await stage.becomes(vanished, "Crashed")
        await until(lambda: not len(observation.records))
    assert (await stage.state_of(closed)).is_completed()
    assert stage.counting.calls.count("set_flow_run_state") == 2
    assert "exited with 1" in str((await stage.state_of(vanished)).message)


async def test_runs_that_cannot_be_read_at_the_start_are_read_later(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    stage.play.fail("job", exit_code=1)
    real, tries = stage.counting._client, []

    class Away:
        async def read_flow_runs(self, **_: Any) -> Any:
            tries.append(1)
            if len(tries) == 3:
                stage.counting._client = real
            raise ConnectionError("away")

    stage.counting._client = Away()  # type: ignore[assignment]
    async with stage.observing():
        await stage.becomes(run, "Crashed")
    assert len(tries) == 3


async def test_no_more_than_the_settings_say_is_asked_of_prefect_at_once_at_the_start(stage: Stage) -> None:
    count = 4_000
    ids = [str(uuid.uuid4()) for _ in range(count)]
    stage.api.add_finished_pods(count, labels_of=lambda number: {names.FLOW_RUN_ID: ids[number]})
    real, now, most = stage.counting._client, [0], [0]

    class Slow:
        async def read_flow_runs(self, **options: Any) -> Any:
            now[0] += 1
            most[0] = max(most[0], now[0])
            try:
                return await real.read_flow_runs(**options)
            finally:
                now[0] -= 1

    stage.counting._client = Slow()  # type: ignore[assignment]
    async with stage.observing(startup_event_concurrency=2) as observation:
        await until(lambda: not len(observation.records))
    assert most[0] == 2


async def test_nothing_grows_with_the_number_of_jobs_that_came_and_went(stage: Stage) -> None:
    runs = [await stage.run_in(Completed()) for _ in range(10)]
    async with stage.observing(clock=FastClock(50)) as observation:
        for turn in range(15):
            for number, run in enumerate(runs):
                name = f"job-{turn}-{number}"
                stage.start(run, name)
                stage.play.start(name)
                stage.play.fail(name, exit_code=1)
            await until(lambda: not len(observation.records))
            assert observation.records.finished_count <= 10
            for number in range(len(runs)):
                stage.play.delete_job(f"job-{turn}-{number}")
            await until(lambda: observation.records.finished_count == 0)
        assert observation.rounds.is_idle
        rounds = vars(observation.rounds)
        kept = {name: len(value) for name, value in rounds.items() if isinstance(value, dict | set | list)}
        assert set(kept.values()) == {0}, kept
        gc.collect()


async def test_a_job_that_changes_thousands_of_times_is_kept_small_and_costs_prefect_nothing(stage: Stage) -> None:
    run = await stage.run_in(Running(), "job")
    stage.start(run, "job")
    stage.play.start("job")
    name = stage.play.pod("job")["metadata"]["name"]
    async with stage.observing() as observation:
        await until(lambda: stage.sent.names() == ["running"] and observation.rounds.is_idle)
        stage.counting.calls.clear()
        start = datetime.now(timezone.utc)
        for number in range(1_000):
            moment = (start + timedelta(seconds=number)).isoformat()
            stage.api.change("pods", name, lambda pod, at=moment: pod["metadata"].update(annotations={"at": at}))
        stage.play.fail("job", exit_code=1)
        await stage.becomes(run, "Crashed")
        assert stage.sent.names() == ["running", "failed"]
        assert stage.counting.calls.count("read_flow_run") == 1
        assert set(stage.counting.calls) <= {"read_flow_run", "read_flow_runs", *WRITES}
