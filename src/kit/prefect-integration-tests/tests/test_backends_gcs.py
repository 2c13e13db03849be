"""The Cloud Storage server keeps what it is given; its front checks what Cloud Storage checks, and fails on demand."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

pytest.importorskip("google.cloud.storage")

from google.api_core import exceptions
from google.auth.exceptions import InvalidOperation

from prefect_integration_tests.backends.gcs import FakeGcs, GcsFront

STEP = 256 * 1024


@pytest.fixture
def through(gcs_server: FakeGcs, gcs_front: GcsFront, gcs_bucket_name: str) -> Any:
    """The bucket through the front, without retries."""
    client = gcs_server.client(client_options={"api_endpoint": gcs_front.endpoint})
    return client.bucket(gcs_bucket_name)


def test_what_is_written_is_read(gcs_server: FakeGcs, gcs_bucket_name: str) -> None:
    bucket = gcs_server.client().bucket(gcs_bucket_name)
    for key, body in {"a/ü b+%.bin": b"\x00\xff", "empty": b"", "a//b": b"1", "../up": b"2"}.items():
        bucket.blob(key).upload_from_string(body)
        assert bucket.blob(key).download_as_bytes() == body


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_an_empty_bucket(gcs_server: FakeGcs, gcs_bucket_name: str, turn: int) -> None:
    client = gcs_server.client()
    assert list(client.list_blobs(gcs_bucket_name)) == []
    client.bucket(gcs_bucket_name).blob(f"left-by-{turn}").upload_from_string(b"x")


def test_a_failure_comes_as_often_as_asked(through: Any, gcs_front: GcsFront) -> None:
    gcs_front.fail("upload", status=503, times=2, reason="backendError", headers={"Retry-After": "7"})
    for _ in range(2):
        with pytest.raises(exceptions.ServiceUnavailable) as caught:
            through.blob("k").upload_from_string(b"1", retry=None)
        assert caught.value.response.headers["Retry-After"] == "7"
    through.blob("k").upload_from_string(b"1", retry=None)
    assert [request.operation for request in gcs_front.requests if request.operation == "upload"] == ["upload"] * 3


def test_a_lost_answer_leaves_the_work_done(through: Any, gcs_front: GcsFront) -> None:
    gcs_front.fail("upload", status=500, after=True)
    with pytest.raises(exceptions.InternalServerError):
        through.blob("k").upload_from_string(b"1", retry=None)
    assert through.blob("k").download_as_bytes() == b"1"


def test_spoilt_uploads_are_refused_by_their_checksum(through: Any, gcs_front: GcsFront) -> None:
    for checksum in ("crc32c", "md5"):
        gcs_front.corrupt("upload")
        with pytest.raises(exceptions.BadRequest, match="doesn't match"):
            through.blob("k").upload_from_string(b"content", checksum=checksum, retry=None)
    assert not through.blob("k").exists()


def test_spoilt_and_broken_downloads_arrive_as_such(through: Any, gcs_front: GcsFront) -> None:
    through.blob("k").upload_from_string(b"content")
    gcs_front.corrupt("download")
    assert through.blob("k").download_as_bytes(checksum=None) != b"content"
    gcs_front.cut("download")
    with pytest.raises(Exception, match=r"(?i)broken|incomplete"):
        through.blob("k").download_as_bytes(retry=None)


def test_a_customers_key_is_needed_again(through: Any) -> None:
    key = os.urandom(32)
    through.blob("k", encryption_key=key).upload_from_string(b"1")
    assert through.blob("k", encryption_key=key).download_as_bytes() == b"1"
    with pytest.raises(exceptions.BadRequest, match="encrypted by a customer-supplied"):
        through.blob("k").download_as_bytes()
    with pytest.raises(exceptions.BadRequest, match="incorrect"):
        through.blob("k", encryption_key=os.urandom(32)).download_as_bytes()
    through.blob("k").upload_from_string(b"2")
    assert through.blob("k").download_as_bytes() == b"2"


def test_a_chunk_that_comes_twice_is_taken_once(through: Any, gcs_front: GcsFront) -> None:
    content = os.urandom(2 * STEP + 1)
    gcs_front.fail("chunk", status=503, after=True)
    through.blob("k", chunk_size=STEP).upload_from_file(io.BytesIO(content))
    assert through.blob("k").download_as_bytes() == content


def test_tokens_are_checked_when_asked_for(through: Any, gcs_front: GcsFront) -> None:
    gcs_front.check_token = lambda token: token is not None
    with pytest.raises((exceptions.Unauthorized, InvalidOperation)):  # after a 401 the client wants to renew its token
        through.blob("k").upload_from_string(b"1", retry=None)
    assert not gcs_front.seen("upload")[0].headers.get("authorization")
