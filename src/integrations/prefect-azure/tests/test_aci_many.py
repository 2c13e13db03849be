"""How little the Container Instances worker takes for many runs: one list, few reads, ten threads."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection
from typing import Any
from uuid import UUID, uuid4

import pytest

from prefect_azure._aci.groups import ContainerGroups
from prefect_azure._workers.calls import MAX_THREADS
from prefect_azure._workers.turns import Turns
from prefect_azure.worker_settings import ContainerInstanceWorkerSettings
from prefect_integration_kit._job_poller import JobPoller
from prefect_integration_tests.backends.azure_api import AzureApi
from prefect_integration_tests.pool_runs import until

from ._aci import GROUP, configured, credentials_for

COUNT = 200
THREADS = "AnyIO worker thread"
"""Name of the threads that calls to Azure are made in. Those of the local server have other names."""
POOL_TAG, RUN_TAG = "prefect-io-work-pool-id", "prefect-io-flow-run-id"
POOL_ID = "11111111-2222-3333-4444-555555555555"


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == THREADS}


@pytest.fixture
def names(empty_azure_api: AzureApi) -> list[str]:
    """Container groups that run, as the worker tags them."""
    api = empty_azure_api
    api.play(seconds=None)
    names = [f"group-{number:03}" for number in range(COUNT)]
    groups = api.container_instance_client().container_groups
    for name in names:
        body = {
            "location": "eastus",
            "tags": {POOL_TAG: POOL_ID},
            "properties": {
                "osType": "Linux",
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": name,
                        "properties": {
                            "image": "busybox:dev",
                            "resources": {"requests": {"cpu": 0.1, "memoryInGB": 0.1}},
                        },
                    }
                ],
            },
        }
        groups.begin_create_or_update(GROUP, name, body, polling=False)
    return names


@pytest.mark.parametrize("shows", [False, True], ids=["list without states", "list with states"])
async def test_two_hundred_runs_are_looked_after_by_one_list_in_ten_threads(
    empty_azure_api: AzureApi, names: list[str], shows: bool
) -> None:
    """Without Prefect's API, whose client uses such threads, too."""
    api = empty_azure_api
    api.settings.list_shows_instance_view = shows
    await until(lambda: api.play.running == COUNT, "all containers")
    before, most = _threads(), 0

    def count(_: object) -> None:
        nonlocal most
        most = max(most, len(_threads() - before))

    api.on_call.append(count)
    configuration = configured(aci_credentials=credentials_for(api), task_watch_poll_interval=0.2)
    settings = ContainerInstanceWorkerSettings()
    groups = ContainerGroups(configuration, settings=settings, work_pool_id=POOL_ID)
    poller = JobPoller(groups, interval_seconds=0.2, logger=logging.getLogger(__name__))
    api.calls.clear()
    waiting = [asyncio.create_task(poller.wait(name)) for name in names]
    await until(lambda: len(api.calls_of("ContainerGroups_ListByResourceGroup")) > 4, "looks")
    lists, reads = (len(api.calls_of(f"ContainerGroups_{verb}")) for verb in ("ListByResourceGroup", "Get"))
    if shows:
        assert reads == 0
    else:
        assert 0 < reads <= lists * settings.max_inspections
        read = [call.name for call in api.calls_of("ContainerGroups_Get")]
        assert max(map(read.count, names)) - min(map(read.count, names)) <= 1  # all have their turns
    for name in names[:20]:
        api.play.end(name, exit_code=3)
    api.play.end()
    ends: Any = await asyncio.wait_for(asyncio.gather(*waiting), 60)
    await poller.close()
    assert [seen.exit_code for seen in ends] == [3] * 20 + [0] * (COUNT - 20)
    assert most <= MAX_THREADS


async def test_all_who_wait_for_a_start_share_one_list(empty_azure_api: AzureApi) -> None:
    api = empty_azure_api
    configuration = configured(aci_credentials=credentials_for(api), task_watch_poll_interval=5)
    groups = ContainerGroups(configuration, settings=ContainerInstanceWorkerSettings())
    await asyncio.gather(*(groups._listing.groups() for _ in range(50)))
    assert len(api.calls) == 1


async def test_groups_whose_runs_have_reported_their_end_are_read_first(
    empty_azure_api: AzureApi, names: list[str]
) -> None:
    api = empty_azure_api
    await until(lambda: api.play.running == COUNT, "all containers")
    client = api.container_instance_client().container_groups
    runs = {names[-1]: uuid4(), names[-2]: uuid4()}
    for name, run_id in runs.items():
        client.update(GROUP, name, {"tags": {POOL_TAG: POOL_ID, RUN_TAG: str(run_id)}})

    async def reported(flow_run_ids: Collection[UUID]) -> set[UUID]:
        return set(flow_run_ids) & set(runs.values())

    groups = ContainerGroups(
        configured(aci_credentials=credentials_for(api), task_watch_poll_interval=0.2),
        settings=ContainerInstanceWorkerSettings(max_inspections=4),
        work_pool_id=POOL_ID,
        reported=reported,
    )
    for _ in range(3):
        # What has no details is read by itself.
        read = [seen.identifier async for seen in groups.list_jobs() if not seen.has_details]
        assert {identifier.partition(":")[2] for identifier in read} >= set(names[-2:])
        assert len(read) == 4


def test_turns_go_round() -> None:
    turns = Turns(3)
    names = [f"n{number}" for number in range(8)]
    seen = [name for _ in range(8) for name in turns.choose(names)]
    assert {name: seen.count(name) for name in names} == dict.fromkeys(names, 3)
    assert turns.choose(["new", *seen[:2]]) >= {"new"}
    assert turns.choose([]) == set()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_those_that_go_first_leave_turns_to_the_others(count: int) -> None:
    turns = Turns(8)
    names = [f"n{number}" for number in range(12)]
    seen = {name for _ in range(48) for name in turns.choose(names, first=set(names[:8]), count=count)}
    assert seen == set(names)
