"""What workers share: whose runs are whose, what one submission is called, and which secrets go out as plain text."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import AwaitingRetry, Cancelling, Completed, Pending, Running, Scheduled
from prefect.workers.process import ProcessWorker

from prefect_integration_kit import workers


@flow
def worked_flow() -> None:
    """What the runs are of; it never runs here."""


@pytest.fixture
async def pool(prefect_harness: None) -> str:
    name = f"kit-{uuid.uuid4().hex[:8]}"
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=name, type="process"))
    return name


async def new_run(client: Any, pool: str, *states: Any) -> Any:
    run = await client.create_flow_run(worked_flow, state=Scheduled(), work_pool_name=pool)
    for state in states:
        await client.set_flow_run_state(run.id, state, force=True)
    return await client.read_flow_run(run.id)


async def test_unfinished_runs_are_those_of_the_pool_that_are_under_way(
    pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_PAGE", 2)
    async with ProcessWorker(work_pool_name=pool) as worker, get_client() as client:
        under_way = [
            await new_run(client, pool, *states)
            for states in ([Pending()], [Pending(), Running()], [Running(), Cancelling()], [Pending()], [Pending()])
        ]
        for states in ([], [Running(), Completed()], [Running(), AwaitingRetry()]):
            await new_run(client, pool, *states)
        found = [run.id async for run in workers.unfinished_runs(worker)]
    assert sorted(found) == sorted(run.id for run in under_way)


async def test_the_owner_of_a_run_is_the_worker_that_took_it(pool: str) -> None:
    async with get_client() as client:
        run = await new_run(client, pool)
        assert workers.owner_of(run) == ""
        await client.update_flow_run_labels(run.id, {"prefect.worker.name": "mine"})
        assert workers.owner_of(await client.read_flow_run(run.id)) == "mine"


async def test_workers_that_are_online_are_named_without_the_one_that_asks(pool: str) -> None:
    async with get_client() as client:
        await client.send_worker_heartbeat(pool, "another", heartbeat_interval_seconds=300)
    async with ProcessWorker(work_pool_name=pool, name="asks") as worker:
        assert await workers.names_online(worker) == {"another"}


async def test_a_submission_keeps_its_name_until_the_run_is_scheduled_again(pool: str) -> None:
    async with get_client() as client:
        run = await new_run(client, pool)
        first = await workers.submission_of(client, run)
        await client.set_flow_run_state(run.id, Pending(), force=True)
        pending = await workers.submission_of(client, await client.read_flow_run(run.id))
        await client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
        again = await workers.submission_of(client, await client.read_flow_run(run.id))
    assert first == pending
    assert again != first


async def test_slots_are_taken_once_and_given_back(pool: str) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    async with ProcessWorker(work_pool_name=pool, limit=1) as worker:
        assert workers.take_slot(worker, first)
        assert not workers.take_slot(worker, first)
        assert not workers.take_slot(worker, second)
        workers.release_slot(worker, first)
        workers.release_slot(worker, first)
        assert workers.take_slot(worker, second)
    async with ProcessWorker(work_pool_name=pool) as unlimited:
        assert workers.take_slot(unlimited, first)


async def test_what_is_private_in_prefect_s_worker_is_where_it_is_looked_for(pool: str) -> None:
    worker = ProcessWorker(work_pool_name=pool)
    assert workers.client_of(worker) is None
    async with worker, get_client() as client:
        assert workers.client_of(worker) is worker.client
        assert workers.logger_of(worker) is not None
        run = await new_run(client, pool, Pending(), Running())
        assert not workers.is_submitting(worker, run.id)
        await workers.report_crash(worker, run, "It broke.")
        state = (await client.read_flow_run(run.id)).state
    assert state is not None
    assert (state.is_crashed(), state.message) == (True, "It broke.")


def test_a_plain_secret_is_warned_of_once_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    warning = workers.PlainSecretWarning(
        logging.getLogger("test"), "Acme's jobs", {"PREFECT_API_KEY": "Store it as a secret of Acme."}
    )
    for _ in range(3):
        warning.look_at({"PREFECT_API_KEY": "never-said", "PATH": "/bin"})
    (record,) = caplog.records
    assert record.getMessage().startswith("PREFECT_API_KEY is passed to Acme's jobs as a plain environment variable")
    assert record.getMessage().endswith("Store it as a secret of Acme.")
    assert "never-said" not in caplog.text


async def test_an_identifier_is_stored_with_the_run(pool: str) -> None:
    async with ProcessWorker(work_pool_name=pool) as worker, get_client() as client:
        run = await new_run(client, pool, Pending())
        await workers.store_identifier(worker, run, "boxes::seven", "box seven")
        assert (await client.read_flow_run(run.id)).infrastructure_pid == "boxes::seven"


async def test_an_identifier_that_cannot_be_stored_is_warned_of(pool: str, caplog: pytest.LogCaptureFixture) -> None:
    async with ProcessWorker(work_pool_name=pool) as worker, get_client() as client:
        run = await new_run(client, pool, Pending())
        await client.delete_flow_run(run.id)
        with caplog.at_level(logging.WARNING, "prefect"):
            await workers.store_identifier(worker, run, "boxes::seven", "box seven")
    assert "The identifier of box seven could not be stored with the flow run: " in caplog.text


async def test_outside_of_a_worker_s_context_no_identifier_is_stored(pool: str) -> None:
    async with get_client() as client:
        run = await new_run(client, pool, Pending())
        await workers.store_identifier(ProcessWorker(work_pool_name=pool), run, "boxes::seven", "box seven")
        assert (await client.read_flow_run(run.id)).infrastructure_pid is None
