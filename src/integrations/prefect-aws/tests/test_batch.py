"""A job is submitted with all its options, and its id is returned."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import flow

from prefect_aws import AwsCredentials, errors
from prefect_aws.batch import abatch_submit, batch_submit
from prefect_integration_tests.backends.aws_stub import Fault

FACES = (batch_submit.fn, abatch_submit.fn)


@pytest.fixture
def stub(aws_stub: Any) -> Any:
    return aws_stub("batch")


@pytest.fixture
def credentials(stub: Any, make_credentials: Any) -> AwsCredentials:
    return make_credentials(stub.endpoint_url)


async def test_a_job_is_submitted_to_the_service(aws_emulator: Any, aws_credentials: AwsCredentials, call: Any) -> None:
    target = aws_emulator.new_batch_target()
    job_id = await call(FACES, "nightly", target.queue, target.definition, aws_credentials)
    job = aws_emulator.client("batch").describe_jobs(jobs=[job_id])["jobs"][0]
    assert job["jobName"] == "nightly"


async def test_all_options_reach_the_service(stub: Any, credentials: AwsCredentials, call: Any) -> None:
    stub.respond("SubmitJob", {"jobName": "n", "jobId": "j-1"})
    options = {"parameters": {"day": "1"}, "retryStrategy": {"attempts": 2}, "tags": {"team": "data"}}
    assert await call(FACES, "n", "q", "d:3", credentials, **options) == "j-1"
    assert stub.calls[0].parameters == {"jobName": "n", "jobQueue": "q", "jobDefinition": "d:3", **options}


@pytest.mark.parametrize(
    ("fault", "error"),
    [("ClientException", errors.AwsInvalidRequest), (Fault.ACCESS_DENIED, errors.AwsAccessDenied)],
)
async def test_a_refusal_names_job_queue_and_definition(
    stub: Any, credentials: AwsCredentials, call: Any, fault: Any, error: Any
) -> None:
    stub.fail("SubmitJob", fault)
    with pytest.raises(error, match=r"Batch job 'n' \(queue 'q', definition 'd'\)"):
        await call(FACES, "n", "q", "d", credentials)


async def test_a_misspelt_option_is_refused_by_name(credentials: AwsCredentials, call: Any) -> None:
    with pytest.raises(ValueError, match="paramaters"):
        await call(FACES, "n", "q", "d", credentials, paramaters={})


async def test_flows_of_both_kinds_submit(prefect_harness: None, stub: Any, credentials: AwsCredentials) -> None:
    stub.respond("SubmitJob", {"jobName": "n", "jobId": "j-1"})

    @flow
    def sync_flow() -> Any:
        return batch_submit("n", "q", "d", credentials), batch_submit.submit("n", "q", "d", credentials).result()

    @flow
    async def async_flow() -> Any:
        return await batch_submit("n", "q", "d", credentials), await abatch_submit("n", "q", "d", credentials)

    assert sync_flow() == ("j-1", "j-1")
    assert await async_flow() == ("j-1", "j-1")
