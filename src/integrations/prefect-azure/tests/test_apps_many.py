"""How little the Container Apps worker takes for many runs: one list at a time, few other reads, ten threads."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Collection
from typing import Any
from uuid import UUID

import pytest

from prefect_azure._apps.jobs import ContainerAppJobs
from prefect_azure._apps.names import JobId
from prefect_azure._workers.calls import MAX_THREADS
from prefect_azure._workers.names import FLOW_RUN_ID
from prefect_azure.worker_settings import ContainerAppWorkerSettings
from prefect_integration_kit._job_poller import JobPoller
from prefect_integration_tests.backends.azure_api import ENVIRONMENT, SUBSCRIPTION, AzureApi
from prefect_integration_tests.pool_runs import until

from ._apps import GROUP, configured, credentials_for

COUNT = 200
REPORTED = 20
BUDGET = 25
THREADS = "AnyIO worker thread"
"""Name of the threads that calls to Azure are made in. Those of the local server have other names."""


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == THREADS}


@pytest.fixture
def runs(empty_azure_api: AzureApi) -> dict[str, UUID]:
    """Jobs whose containers run, and the runs that they are for; made behind the API, which would take long."""
    api = empty_azure_api
    api.play(seconds=None)
    apps: Any = api._apps
    made = {f"job-{number:03}": uuid.uuid4() for number in range(COUNT)}
    for name, run_id in made.items():
        body = configured(api, location="eastus").job_manifest
        body["properties"]["environmentId"] = ENVIRONMENT
        body["properties"]["template"]["containers"][0].update(args=["x"], resources={"cpu": 0.5, "memory": "1Gi"})
        body["tags"] = {FLOW_RUN_ID: str(run_id)}
        body["properties"] = {key: value for key, value in body["properties"].items() if value is not None}
        with api.server.lock:
            job, _ = apps.put(SUBSCRIPTION, GROUP, name, body)
            job.start({})
    return made


async def test_jobs_whose_runs_have_ended_leave_turns_to_the_others(
    empty_azure_api: AzureApi, runs: dict[str, UUID]
) -> None:
    """Nor do those that nobody waits for any more keep them."""
    names = list(runs)[:12]
    over = {runs[name] for name in names[:8]}

    async def reported(_: Collection[UUID]) -> set[UUID]:
        return over

    settings = ContainerAppWorkerSettings(poll_interval_seconds=0.001, max_inspections=4)
    jobs = ContainerAppJobs(credentials_for(empty_azure_api), SUBSCRIPTION, GROUP, settings=settings, reported=reported)
    for name in names:
        await jobs.inspect(str(JobId(SUBSCRIPTION, GROUP, name)))
    read: set[str] = set()
    for _ in range(8):
        due = {seen.identifier.rpartition("/")[2] async for seen in jobs.list_jobs() if not seen.has_details}
        assert len(due.intersection(names)) == 4
        read |= due.intersection(names)
    assert read == set(names)


async def test_two_hundred_runs_are_looked_after_by_few_reads_in_ten_threads(
    empty_azure_api: AzureApi, runs: dict[str, UUID]
) -> None:
    """Without Prefect's API, whose client uses such threads, too."""
    api = empty_azure_api
    await until(lambda: api.play.running == COUNT, "all containers")
    before, most = _threads(), 0

    def count(_: object) -> None:
        nonlocal most
        most = max(most, len(_threads() - before))

    api.on_call.append(count)
    asked: list[Collection[UUID]] = []
    over: set[UUID] = set()

    async def reported(run_ids: Collection[UUID]) -> set[UUID]:
        asked.append(run_ids)
        return over

    settings = ContainerAppWorkerSettings(poll_interval_seconds=0.3, max_inspections=BUDGET)
    jobs = ContainerAppJobs(credentials_for(api), SUBSCRIPTION, GROUP, settings=settings, reported=reported)
    poller = JobPoller(jobs, interval_seconds=0.3, logger=logging.getLogger(__name__))
    ids = {name: str(JobId(SUBSCRIPTION, GROUP, name)) for name in runs}
    waiting = {name: asyncio.create_task(poller.wait(ids[name])) for name in runs}
    # Each is read once by itself when it is new; from then on the look has a budget.
    await until(lambda: len(api.calls_of("JobsExecutions_List")) >= COUNT, "the first look")
    await until(lambda: len(asked) >= 1, "the second look")
    api.calls.clear()
    asked.clear()
    await until(lambda: len(asked) >= 3, "three looks")
    operations = [call.operation for call in api.calls]
    # What comes before the first list belongs to a look that had begun when the calls were cleared.
    operations = operations[operations.index("Jobs_ListByResourceGroup") :]
    lists, reads = operations.count("Jobs_ListByResourceGroup"), operations.count("JobsExecutions_List")
    assert reads <= lists * BUDGET
    assert len(operations) == lists + reads

    # Those whose runs have reported their end come first; of the others nobody is forgotten.
    first = list(runs)[:REPORTED]
    over.update(runs[name] for name in first)
    for name in first:
        api.play.end(name, exit_code=3)
    looks = len(asked)
    ends = await asyncio.wait_for(asyncio.gather(*(waiting[name] for name in first)), 60)
    assert [seen.exit_code for seen in ends if seen] == [3] * REPORTED
    assert len(asked) - looks <= 4
    api.play.end()
    ends = await asyncio.wait_for(asyncio.gather(*waiting.values()), 60)
    assert sorted(seen.exit_code for seen in ends if seen) == [0] * (COUNT - REPORTED) + [3] * REPORTED
    await poller.close()
    assert 1 < most <= MAX_THREADS
