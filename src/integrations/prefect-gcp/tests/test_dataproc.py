"""A Dataproc batch is started once, followed to its end, and cancelled when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from prefect_gcp import GcpCredentials, _remote_run, errors
from prefect_gcp.dataproc import (
    DataprocBatch,
    DataprocBatchRun,
    adataproc_submit_batch,
    adataproc_submit_batch_and_wait,
    dataproc_submit_batch,
    dataproc_submit_batch_and_wait,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends._google.dataproc_v1 import BatchScript, Dataproc
from prefect_integration_tests.suites import JobSuite

SUBMIT = (dataproc_submit_batch.fn, adataproc_submit_batch.fn)
RUN = (dataproc_submit_batch_and_wait.fn, adataproc_submit_batch_and_wait.fn)
REGION = "europe-west3"
BATCH = {"pysparkBatch": {"mainPythonFileUri": "gs://my-bucket/average.py", "args": ["1"]}}
FAST = {"interval_seconds": 0.02}


@pytest.fixture
def credentials(empty_google_api: Any) -> GcpCredentials:
    # Nothing listens on port 1: a driver's output cannot be read, and that must not hide why a batch failed.
    endpoints = {"dataproc": empty_google_api.endpoint, "storage": "http://127.0.0.1:1"}
    return GcpCredentials(project="test-project", api_endpoints=endpoints)


@pytest.fixture
def service(empty_google_api: Any) -> Dataproc:
    return empty_google_api.service(Dataproc)


@pytest.fixture
def clock(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(_remote_run, "_clock", fake_clock)
    return fake_clock


@pytest.fixture
def output(gcs_bucket_name: str, gcs_client: Any) -> str:
    """Output of a driver, in two parts."""
    bucket = gcs_client.bucket(gcs_bucket_name)
    bucket.blob("out/driveroutput.000000000").upload_from_string("first part")
    bucket.blob("out/driveroutput.000000001").upload_from_string("starting\nValueError: no rows for day 1\n")
    return f"gs://{gcs_bucket_name}/out/driveroutput"


class TestDataprocBatch(JobSuite):
    failure_names = ("Dataproc batch 'prefect-", "FAILED", "Job failed", "gs://b/driveroutput")

    @pytest.fixture
    def job(self, service: Dataproc, credentials: GcpCredentials) -> DataprocBatch:
        return DataprocBatch(region=REGION, batch=BATCH, gcp_credentials=credentials, interval_seconds=0.02)

    @pytest.fixture
    def failing_job(self, job: DataprocBatch, service: Dataproc, empty_google_api: Any) -> DataprocBatch:
        def play(asked: Any) -> None:
            if asked.method.endswith("batches.create"):
                failure = BatchScript(message="Job failed with message [no rows]", output_uri="gs://b/driveroutput")
                service.play(failure if "badly" in str(asked.body) else BatchScript())

        empty_google_api.on_call.append(play)
        badly = {"pysparkBatch": {"mainPythonFileUri": "gs://my-bucket/badly.py"}}
        return job.model_copy(update={"batch": badly})

    def check_result(self, result: Any) -> None:
        assert (result.state, result.state_message) == ("SUCCEEDED", "")
        assert result.output_uri.endswith("/driveroutput")


async def test_a_batch_is_followed_to_its_end(service: Dataproc, credentials: GcpCredentials, call: Any) -> None:
    result = await call(RUN, BATCH, REGION, credentials, "nightly", **FAST)
    assert (result.name, result.state) == (f"projects/test-project/locations/{REGION}/batches/nightly", "SUCCEEDED")
    assert result.batch_id == "nightly"
    assert pickle.loads(pickle.dumps(result)) == result
    (made,) = service.batches
    assert made["labels"]["managed-by"] == "prefect"
    assert made["pysparkBatch"] == BATCH["pysparkBatch"]


async def test_a_failure_says_why_and_shows_the_driver_s_last_lines(
    service: Dataproc, empty_google_api: Any, gcs_server: Any, output: str, call: Any
) -> None:
    service.play(BatchScript(message="Job failed", output_uri=output))
    endpoints = {"dataproc": empty_google_api.endpoint, "storage": gcs_server.endpoint}
    credentials = GcpCredentials(project="test-project", api_endpoints=endpoints)
    with pytest.raises(errors.GcpJobFailed, match="ended as FAILED: Job failed") as caught:
        await call(RUN, BATCH, REGION, credentials, **FAST)
    assert output in str(caught.value)
    assert "ValueError: no rows for day 1" in str(caught.value)
    assert "first part" not in str(caught.value)


@pytest.mark.parametrize("when", ["before", "after", "lost", "cut"])
async def test_a_start_that_is_answered_badly_gives_one_batch(
    service: Dataproc, credentials: GcpCredentials, empty_google_api: Any, clock: Any, call: Any, when: Any
) -> None:
    empty_google_api.fail("dataproc.projects.locations.batches.create", 503, when=when)
    name = await call(SUBMIT, BATCH, REGION, credentials)
    assert [batch["name"] for batch in service.batches] == [name]


async def test_looks_outlast_passing_faults(
    service: Dataproc, credentials: GcpCredentials, empty_google_api: Any, call: Any
) -> None:
    for status in (429, 500, 503):
        empty_google_api.fail("dataproc.projects.locations.batches.get", status)
    assert (await call(RUN, BATCH, REGION, credentials, **FAST)).state == "SUCCEEDED"


async def test_a_cancelled_wait_cancels_the_batch(service: Dataproc, credentials: GcpCredentials) -> None:
    service.play(BatchScript(seconds=None))
    waiting = asyncio.create_task(adataproc_submit_batch_and_wait.fn(BATCH, REGION, credentials, **FAST))

    async def is_in(state: str) -> None:
        async def look() -> bool | None:
            return [batch["state"] for batch in service.batches] == [state] or None

        await apoll(look, subject=state, interval_seconds=0.02, timeout_seconds=10)

    await is_in("RUNNING")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await is_in("CANCELLED")


async def test_a_run_out_of_time_or_cancelled_ends(service: Dataproc, credentials: GcpCredentials, call: Any) -> None:
    service.play(BatchScript(seconds=None))
    block = DataprocBatch(region=REGION, batch=BATCH, gcp_credentials=credentials, interval_seconds=0.05)
    run = await call(block, "trigger")
    with pytest.raises(errors.GcpWaitTimeout, match="It was stopped"):
        await call(run, "wait_for_completion", timeout_seconds=0.1)
    with pytest.raises(errors.GcpJobFailed, match="ended as CANCELLED"):
        await call(run, "wait_for_completion", timeout_seconds=20)
    again = await call(block, "trigger")
    assert again.name != run.name
    await call(again, "cancel")
    with pytest.raises(errors.GcpJobFailed, match="ended as CANCELLED"):
        await call(again, "wait_for_completion", timeout_seconds=20)
    await call(again, "cancel")  # harmless
    assert pickle.loads(pickle.dumps(again)) == again


async def test_an_id_that_is_taken_or_no_batch_is_told(
    service: Dataproc, credentials: GcpCredentials, call: Any
) -> None:
    await call(SUBMIT, BATCH, REGION, credentials, "nightly")
    assert await call(SUBMIT, BATCH, REGION, credentials, "nightly")
    other = {"sparkSqlBatch": {"queryFileUri": "gs://b/q.sql"}}
    with pytest.raises(errors.GcpAlreadyExists, match="started otherwise"):
        await call(SUBMIT, other, REGION, credentials, "nightly")
    run = DataprocBatchRun(name=f"projects/test-project/locations/{REGION}/batches/nope", gcp_credentials=credentials)
    with pytest.raises(errors.GcpNotFound, match="Dataproc batch 'nope'"):
        await call(run, "fetch_result")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"batch": {"pyspark_batch": {}}}, "did you mean 'pysparkBatch'"),
        ({"batch": {"labels": {"a": "b"}}}, "batch has no workload; give one of pysparkBatch"),
        ({"batch": {**BATCH, "sparkBatch": {"mainClass": "X"}}}, "batch has pysparkBatch and sparkBatch"),
        ({"batch": {"pysparkBatch": {"args": "1"}}}, r"batch\.pysparkBatch\.args is of type str; it must be a list"),
        ({"batch": {**BATCH, "labels": {"day": 1}}}, r"batch\.labels\['day'\] is of type int; it must be text"),
        ({"region": "eu"}, "region is 'eu'"),
        ({"batch_id": "abc"}, "the ID must have 4 to 63"),
    ],
    ids=["snake", "none", "two", "list", "label", "region", "id"],
)
async def test_a_batch_that_is_none_is_refused_before_anything_is_sent(
    credentials: GcpCredentials, empty_google_api: Any, call: Any, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(errors.GcpInvalidRequest, match=said):
        await call(SUBMIT, **{"batch": BATCH, "region": REGION, "gcp_credentials": credentials, **arguments})
    assert empty_google_api.calls == []
