"""Each documented way to log in reaches the service."""

import pytest

from prefect_acme import AcmeAccessDenied, AcmeBucket, AcmeCredentials


def test_the_token_reaches_the_service(acme):
    acme.tokens = {"good"}
    acme.objects["/buckets/b/k"] = b"1"
    with AcmeCredentials(api_token="good", url=acme.url).get_client() as client:
        assert client.get("/buckets/b/k").content == b"1"


def test_options_reach_the_client(acme):
    credentials = AcmeCredentials(api_token="good", url=acme.url)
    with credentials.get_client(timeout=3, headers={"X-Team": "data"}) as client:
        assert client.timeout.connect == 3
        assert client.headers["X-Team"] == "data"
        assert client.headers["Authorization"] == "Bearer good"


async def test_a_wrong_token_is_refused_without_being_said(acme, call, canary, no_canary_leaks):
    acme.tokens = {"good"}
    credentials = AcmeCredentials(api_token=canary, url=acme.url)
    bucket = AcmeBucket(bucket_name="b", credentials=credentials)
    with pytest.raises(AcmeAccessDenied, match=r"acme://b/k: .*Check `api_token`") as caught:
        await call(bucket, "read_path", "k")
    no_canary_leaks.add_error(caught.value)
    assert acme.requests == 1


def test_a_bad_address_is_refused_by_name():
    with pytest.raises(ValueError, match="url"):
        AcmeCredentials(api_token="t", url="not an address")
