"""What becomes of a job in dbt Cloud when the line fails, answers are spoilt, or the key ends."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable

import httpx
import pytest

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob, clients
from prefect_dbt.cloud.exceptions import DbtCloudException, DbtCloudJobRunTriggerFailed
from prefect_dbt.cloud.models import TriggerJobRunOptions
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.dbt_cloud import API_KEY, DbtCloud
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.http_edge import HttpEdge
from prefect_integration_tests.clock import FakeClock
from prefect_integration_tests.suites import HttpFaultSuite


def job_at(address: str, credentials: DbtCloudCredentials, job_id: int, cause: str) -> DbtCloudJob:
    """A job of a dbt Cloud that is reached by another address."""
    return DbtCloudJob(
        dbt_cloud_credentials=credentials.model_copy(update={"domain": address}),
        job_id=job_id,
        trigger_job_run_options=TriggerJobRunOptions(cause=cause),
    )


class TestJobs(HttpFaultSuite):
    """A run whose answer was lost is found by its cause."""

    error = DbtCloudException
    named = r"dbt Cloud job \d+"
    secret = API_KEY

    @pytest.fixture
    def edge(
        self,
        dbt_cloud: DbtCloud,
        cloud_credentials: DbtCloudCredentials,
        http_edge: Callable[..., HttpEdge],
        cloud_clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> HttpEdge:
        monkeypatch.setattr(clients, "TIMEOUT", httpx.Timeout(0.8))
        self.cloud, self.credentials, self.job_id = dbt_cloud, cloud_credentials, dbt_cloud.add_job()
        return http_edge(dbt_cloud.endpoint)

    async def change(self, edge: HttpEdge, key: str) -> None:
        run = await job_at(edge.url, self.credentials, self.job_id, key).atrigger()
        await run.await_for_completion()

    def changes(self, edge: HttpEdge, key: str) -> int:
        return sum(key in str(run) for run in self.cloud.runs)


async def test_a_host_that_no_resolver_knows_is_told(
    cloud_credentials: DbtCloudCredentials, cloud_clock: FakeClock
) -> None:
    job = job_at(f"https://{UNRESOLVABLE_HOST}", cloud_credentials, 7, "x")
    with pytest.raises(
        DbtCloudJobRunTriggerFailed, match=rf"job 7 could not be triggered: .*{UNRESOLVABLE_HOST}.*Check `domain`"
    ):
        await job.atrigger()
    assert len(cloud_clock.sleeps) > 1
    assert sum(cloud_clock.sleeps) <= 65


async def test_a_certificate_that_nobody_trusts_is_told_and_nothing_is_sent(
    dbt_cloud: DbtCloud,
    cloud_credentials: DbtCloudCredentials,
    private_ca: PrivateCA,
    http_edge: Callable[..., HttpEdge],
    cloud_clock: FakeClock,
) -> None:
    context: ssl.SSLContext = private_ca.issue("dbt", "127.0.0.1").server_context()
    edge = http_edge(dbt_cloud.endpoint, context=context)
    with pytest.raises(
        DbtCloudJobRunTriggerFailed, match=r"job 7 could not be triggered: .*certificate is not trusted.*SSL_CERT_FILE"
    ):
        await job_at(edge.url, cloud_credentials, 7, "x").atrigger()
    assert (edge.calls, cloud_clock.sleeps) == ([], [])  # no other attempt would end otherwise


async def test_a_clock_that_jumps_makes_no_second_run(
    dbt_cloud: DbtCloud,
    cloud_credentials: DbtCloudCredentials,
    cloud_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = job_at(dbt_cloud.endpoint, cloud_credentials, dbt_cloud.add_job(), "nightly")
    dbt_cloud.fail("TriggerJobRun", 429, retry_after="7")
    dbt_cloud.fail("TriggerJobRun", when="lost")
    right, jumps = time.time, iter([86_400.0, -86_400.0, 86_400.0])
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps, 0.0))
    run = await job.atrigger()
    assert [each["id"] for each in dbt_cloud.runs] == [run.run_id]
