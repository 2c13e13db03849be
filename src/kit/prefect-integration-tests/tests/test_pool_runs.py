"""A run is made as a worker has it in hand, and what becomes of it is told."""

from __future__ import annotations

import uuid

import pytest
from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import Scheduled

from prefect_integration_tests.pool_runs import Started, logs_of, new_run, state_of, until

pytestmark = pytest.mark.usefixtures("prefect_harness")


@flow
def nothing() -> None:
    """A flow that is never called."""


@pytest.fixture
def pool() -> str:
    name = f"pool-{uuid.uuid4().hex[:8]}"
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=name, type="process"))
    return name


async def test_a_run_is_pending_with_its_job_variables(pool: str) -> None:
    run = await new_run(nothing, pool, size=7)
    assert run.job_variables == {"size": 7}
    assert run.state is not None
    assert run.state.is_scheduled()  # as it was read
    assert (await state_of(run)).is_pending()


async def test_a_run_may_be_in_another_state(pool: str) -> None:
    assert (await state_of(await new_run(nothing, pool, Scheduled()))).is_scheduled()


async def test_logs_that_do_not_come_are_not_waited_for_longer_than_said(pool: str) -> None:
    run = await new_run(nothing, pool)
    with pytest.raises(TimeoutError, match="'hello' in the logs"):
        await logs_of(run, "hello", timeout_seconds=0.05)


async def test_something_true_is_returned() -> None:
    looks = iter([None, 0, "now"])
    assert await until(lambda: next(looks), "a look") == "now"


def test_a_task_status_hears_the_identifier() -> None:
    status = Started()
    assert status.identifier is None
    status.started("box-7")
    assert status.identifier == "box-7"
