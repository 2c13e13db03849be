"""The S3 store keeps what it is given, checks who asks, and starts each test empty."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("boto3")

from botocore.exceptions import ClientError

from prefect_integration_tests.backends.s3 import SeaweedFS


def test_what_is_written_is_read(s3_server: SeaweedFS, s3_bucket_name: str):
    client = s3_server.client()
    for key, body in {"a/ü b+%.bin": b"\x00\xff", "empty": b"", "a//b": b"1"}.items():
        client.put_object(Bucket=s3_bucket_name, Key=key, Body=body)
        assert client.get_object(Bucket=s3_bucket_name, Key=key)["Body"].read() == body


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_an_empty_bucket(s3_server: SeaweedFS, s3_bucket_name: str, turn: int):
    client = s3_server.client()
    assert client.list_objects_v2(Bucket=s3_bucket_name)["KeyCount"] == 0
    client.put_object(Bucket=s3_bucket_name, Key=f"left-by-{turn}", Body=b"x")


def test_multipart_and_ranges_work(s3_server: SeaweedFS, s3_bucket_name: str):
    client = s3_server.client()
    part = b"x" * (5 << 20)
    upload = {"Bucket": s3_bucket_name, "Key": "big"}
    upload["UploadId"] = client.create_multipart_upload(**upload)["UploadId"]
    tags = [client.upload_part(**upload, PartNumber=n, Body=body)["ETag"] for n, body in ((1, part), (2, b"end"))]
    parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    answer = client.get_object(Bucket=s3_bucket_name, Key="big", Range=f"bytes={len(part) - 1}-")
    assert answer["Body"].read() == b"xend"


def test_a_wrong_secret_is_refused(s3_server: SeaweedFS, s3_bucket_name: str):
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3_server.client(secret_key="wrong").list_objects_v2(Bucket=s3_bucket_name)


def test_a_missing_key_and_a_missing_bucket_are_told_apart(s3_server: SeaweedFS, s3_bucket_name: str):
    client = s3_server.client()
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=s3_bucket_name, Key="missing")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client.get_object(Bucket="no-such-bucket", Key="missing")


def test_it_leaves_nothing_behind():
    with SeaweedFS.start() as server:
        folder = server._folder
        ports = server._grpc_ports
        assert folder.exists()
    assert not folder.exists()
    assert not [path for port in ports.values() for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]
