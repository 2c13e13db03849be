"""A run whose infrastructure has ended gets its final state, once, and only if it needs one."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import (
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    InfrastructurePending,
    Paused,
    Pending,
    Running,
    Scheduled,
    State,
    Submitting,
    Suspended,
)

from prefect_integration_kit.settlement import Ended, Settled, settle

logger = logging.getLogger("test")


@flow(name="test-settlement")
def settled_flow() -> None: ...


@pytest.fixture
async def client(prefect_harness: None) -> AsyncIterator[PrefectClient]:
    async with get_client() as client:
        yield client


def ended(*, seconds_ago: float = 0.0, succeeded: bool = False) -> Ended:
    return Ended(
        name="box one",
        message="The box went up in smoke.",
        succeeded=succeeded,
        ended_at=datetime.now(timezone.utc) - timedelta(seconds=seconds_ago),
        is_named_by=lambda pid: pid == "boxes::one",
        label="box one",
    )


async def run_in(client: PrefectClient, state: State[Any], pid: str | None = "boxes::one") -> Any:
    flow_run = await client.create_flow_run(settled_flow)
    await client.set_flow_run_state(flow_run.id, state, force=True)
    if pid:
        await client.update_flow_run(flow_run.id, infrastructure_pid=pid)
    return flow_run.id


async def settled(client: PrefectClient, run: Any, box: Ended, **options: Any) -> tuple[Settled, State[Any]]:
    done = await settle(run, box, client=client, logger=logger, **options)
    state = (await client.read_flow_run(run)).state
    assert state is not None
    return done, state


@pytest.mark.parametrize("state", [Pending(), Submitting(), InfrastructurePending(), Running()])
async def test_a_run_under_way_crashes_with_the_cause(client: PrefectClient, state: State[Any]) -> None:
    run = await run_in(client, state)
    done, after = await settled(client, run, ended())
    assert (done, after.type.value, after.message) == (Settled.CRASHED, "CRASHED", "The box went up in smoke.")


async def test_a_run_that_names_nothing_yet_crashes_too(client: PrefectClient) -> None:
    run = await run_in(client, Pending(), None)
    assert (await settled(client, run, ended()))[0] is Settled.CRASHED


async def test_a_second_settlement_changes_nothing(client: PrefectClient) -> None:
    run = await run_in(client, Running())
    first = await settled(client, run, ended())
    second = await settled(client, run, ended())
    assert (first[0], second[0]) == (Settled.CRASHED, Settled.LEFT_ALONE)
    assert first[1].id == second[1].id


@pytest.mark.parametrize(
    "state",
    [
        Completed(),
        Failed(),
        Crashed(),
        Cancelled(),
        Paused(timeout_seconds=300),
        Suspended(timeout_seconds=300),
        Scheduled(),
        AwaitingRetry(scheduled_time=datetime.now(timezone.utc) + timedelta(hours=1)),
    ],
    ids=lambda state: state.name,
)
async def test_a_run_that_needs_nothing_is_left_alone(client: PrefectClient, state: State[Any]) -> None:
    run = await run_in(client, state)
    done, after = await settled(client, run, ended())
    assert (done, after.name) == (Settled.LEFT_ALONE, state.name)


@pytest.mark.parametrize("state", [Running(), Pending(), Cancelling()], ids=lambda state: state.name)
async def test_a_run_of_other_infrastructure_is_left_alone(client: PrefectClient, state: State[Any]) -> None:
    run = await run_in(client, state, "boxes::two")
    done, after = await settled(client, run, ended())
    assert (done, after.name) == (Settled.LEFT_ALONE, state.name)


@pytest.mark.parametrize("state", [Running(), Pending(), Submitting()], ids=lambda state: state.name)
async def test_a_run_that_went_on_after_the_end_is_left_alone(client: PrefectClient, state: State[Any]) -> None:
    run = await run_in(client, state)
    done, after = await settled(client, run, ended(seconds_ago=60))
    assert (done, after.name) == (Settled.LEFT_ALONE, state.name)


async def test_a_late_word_on_the_start_of_the_same_one_is_no_sign_of_another(client: PrefectClient) -> None:
    run = await run_in(client, InfrastructurePending(message="box one is starting."))
    assert (await settled(client, run, ended(seconds_ago=60)))[0] is Settled.CRASHED
    run = await run_in(client, InfrastructurePending(message="box two is starting."))
    assert (await settled(client, run, ended(seconds_ago=60)))[0] is Settled.LEFT_ALONE


async def test_clocks_may_differ_by_some_seconds(client: PrefectClient) -> None:
    run = await run_in(client, Running())
    assert (await settled(client, run, ended(seconds_ago=3)))[0] is Settled.CRASHED


@pytest.mark.parametrize("succeeded", [True, False])
async def test_a_run_being_cancelled_is_cancelled_when_all_is_gone(client: PrefectClient, succeeded: bool) -> None:
    run = await run_in(client, Cancelling())
    done, after = await settled(client, run, ended(seconds_ago=60, succeeded=succeeded))
    assert (done, after.name) == (Settled.CANCELLED, "Cancelled")
    assert "its box one is gone" in str(after.message)


async def test_what_ended_well_gets_time_for_its_last_report(client: PrefectClient) -> None:
    run, box = await run_in(client, Running()), ended(succeeded=True)
    assert box.ended_at is not None
    done, after = await settled(client, run, box)
    assert (done, after.name) == (Settled.LATER, "Running")
    done, after = await settled(client, run, box, grace_seconds=10, now=box.ended_at + timedelta(seconds=9))
    assert (done, after.name) == (Settled.LATER, "Running")
    done, after = await settled(client, run, box, grace_seconds=10, now=box.ended_at + timedelta(seconds=10))
    assert (done, after.name) == (Settled.CRASHED, "Crashed")
    assert "without reporting" in str(after.message)


async def test_a_run_that_was_deleted_is_gone(client: PrefectClient) -> None:
    assert await settle(uuid4(), ended(), client=client, logger=logger) is Settled.GONE


async def test_an_api_that_is_away_is_heard_of(client: PrefectClient) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        async with get_client() as lost:
            with pytest.raises((httpx.HTTPError, RuntimeError)):
                await settle(uuid4(), ended(), client=lost, logger=logger)
