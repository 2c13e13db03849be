"""Objects are read and written; failures that pass are repeated, others are raised at once."""

import pytest
from prefect import flow

from prefect_acme import (
    AcmeBucket,
    AcmeCredentials,
    AcmeError,
    AcmeObjectNotFound,
    AcmeUnavailable,
    awrite_acme_object,
    write_acme_object,
)


@pytest.fixture
def patient_bucket(bucket, fake_clock, monkeypatch):
    """A bucket for which waiting takes no time."""
    monkeypatch.setattr(AcmeBucket, "_clock", fake_clock)
    return bucket


async def test_an_object_is_stored_under_bucket_and_folder(acme, bucket, call):
    key = await call(bucket, "write_path", "a/ü.txt", content=b"1")
    assert acme.objects == {"/buckets/b/base/a/ü.txt": b"1"}
    assert await call(bucket, "read_path", key) == b"1"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_passing_failure_is_repeated(acme, patient_bucket, call, status):
    acme.failures = [(status, {})] * 3
    await call(patient_bucket, "write_path", "a", content=b"1")
    assert acme.objects == {"/buckets/b/base/a": b"1"}
    assert acme.requests == 4


async def test_the_service_says_when_to_come_back(acme, patient_bucket, call, fake_clock):
    acme.failures = [(429, {"Retry-After": "17"})]
    await call(patient_bucket, "write_path", "a", content=b"1")
    assert fake_clock.sleeps == [17]


async def test_a_lasting_failure_ends_at_the_deadline(acme, patient_bucket, call, fake_clock):
    acme.failures = [(503, {})] * 1000
    with pytest.raises(AcmeUnavailable, match="acme://b/base/a: Acme answered 503"):
        await call(patient_bucket, "read_path", "a")
    assert 1 < acme.requests < 1000
    assert sum(fake_clock.sleeps) <= 60


@pytest.mark.parametrize(("status", "error"), [(404, AcmeObjectNotFound), (418, AcmeError)])
async def test_a_failure_for_good_is_raised_at_once(acme, bucket, call, status, error):
    acme.failures = [(status, {})] * 2
    with pytest.raises(error, match=f"acme://b/base/a: Acme answered {status}"):
        await call(bucket, "read_path", "a")
    assert acme.requests == 1


async def test_an_address_where_nobody_listens_is_named(call, fake_clock, monkeypatch):
    credentials = AcmeCredentials(api_token="t", url="http://127.0.0.1:9")
    bucket = AcmeBucket(bucket_name="b", credentials=credentials)
    monkeypatch.setattr(AcmeBucket, "_clock", fake_clock)
    with pytest.raises(AcmeUnavailable, match=r"acme://b/a: .*Check `url`"):
        await call(bucket, "read_path", "a")


def test_the_task_writes_in_a_flow(acme, bucket, prefect_harness):
    @flow
    def publish() -> str:
        return write_acme_object(bucket, "daily.csv", b"1,2")

    assert publish() == "base/daily.csv"
    assert acme.objects == {"/buckets/b/base/daily.csv": b"1,2"}


async def test_the_task_writes_in_an_async_flow(acme, bucket, prefect_harness):
    @flow
    async def publish() -> list[str]:
        first = await write_acme_object(bucket, "1", b"1")
        return [first, await awrite_acme_object(bucket, "2", b"2")]

    assert await publish() == ["base/1", "base/2"]
