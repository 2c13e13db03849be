"""How little the Cloud Run workers take for many runs: one list, ten threads."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from prefect_gcp._rest import MAX_THREADS
from prefect_gcp._workers.cloud_run import CloudRunJobs
from prefect_gcp.credentials import GcpCredentials
from prefect_gcp.settings import CloudRunV2WorkerSettings
from prefect_integration_kit._job_poller import JobPoller
from prefect_integration_tests.backends._google.run_store import RunStore
from prefect_integration_tests.backends.google_api import GoogleApi
from prefect_integration_tests.pool_runs import until

from ._cloud_run import EXECUTIONS, JOBS, PROJECT, REGION

COUNT = 200
FAILED = 20
THREADS = "AnyIO worker thread"
"""Name of the threads that calls to Google are made in. Those of the local server have other names."""


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == THREADS}


@pytest.fixture
def names(empty_google_api: GoogleApi) -> list[str]:
    """Jobs whose containers run; made behind the API, which would take most of the time."""
    api = empty_google_api
    store = api.server.shared(RunStore)
    store.settings.ready_delay_seconds = 0
    body = {"template": {"template": {"containers": [{"image": "busybox:dev"}], "maxRetries": 0}}}
    api.play(seconds=None)
    names = [f"job-{number:03}" for number in range(COUNT)]
    for name in names:
        with api.server.changed:
            store.create(f"projects/{PROJECT}/locations/{REGION}", name, body, "somebody")
    return names


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_two_hundred_runs_are_looked_after_by_one_list_in_ten_threads(
    version: str, empty_google_api: GoogleApi, names: list[str]
) -> None:
    """Without Prefect's API, whose client uses such threads, too."""
    api = empty_google_api
    store = api.server.shared(RunStore)
    await until(lambda: not any(job.is_reconciling for job in store.jobs.values()), "ready jobs")
    for job in list(store.jobs.values()):
        with api.server.changed:
            store.run(job, {}, "somebody")
    await until(lambda: api.run.running == COUNT, "all containers")

    before, most = _threads(), 0

    def count(_: object) -> None:
        nonlocal most
        most = max(most, len(_threads() - before))

    api.on_call.append(count)
    credentials = GcpCredentials(project=PROJECT, api_endpoints={"run": api.endpoint, "logging": api.endpoint})
    jobs = CloudRunJobs(version, credentials, REGION, settings=CloudRunV2WorkerSettings())
    assert not any(seen.ended for seen in await asyncio.gather(*map(jobs.inspect, names)) if seen)
    assert 1 < most <= MAX_THREADS

    api.calls.clear()
    poller = JobPoller(jobs, interval_seconds=0.2, logger=logging.getLogger(__name__))
    waiting = [asyncio.create_task(poller.wait(name)) for name in names]
    await until(lambda: len(api.calls) > 2, "looks")
    assert {call.method for call in api.calls} == {f"{JOBS[version]}.list"}
    for name in names[:FAILED]:
        api.run.end(f"{name}-*", exit_code=3)
    api.run.end()
    ends = await asyncio.wait_for(asyncio.gather(*waiting), 60)
    await poller.close()
    assert [seen.exit_code for seen in ends if seen] == [3] * FAILED + [0] * (COUNT - FAILED)
    assert len(api.calls_of(f"{EXECUTIONS[version]}.get")) == FAILED  # how the others ended, the list has said
    assert most <= MAX_THREADS
