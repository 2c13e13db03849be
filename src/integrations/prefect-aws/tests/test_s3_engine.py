"""Which engine moves files, and what each does with a line that breaks."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest

from prefect_aws import AwsClientParameters, AwsCredentials, MinIOCredentials, _s3_engine
from prefect_aws._clients import forget_clients
from prefect_aws._s3_engine import SdkEngine, TransferOptions, has_foreign_hooks, open_engine
from prefect_aws.errors import AwsAccessDenied, AwsConnectionFailed
from prefect_aws.s3 import S3Bucket
from prefect_integration_kit.native import NativeEngine
from prefect_integration_kit.transfer import Download, Upload

MIB = 2**20
GO = threading.Event()
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


def client(endpoint_url: str | None = "http://127.0.0.1:1", **options: Any) -> Any:
    defaults: dict[str, Any] = {
        "aws_access_key_id": "a",
        "aws_secret_access_key": "b",
        "region_name": "us-east-1",
        "endpoint_url": endpoint_url,
    }
    return boto3.session.Session().client("s3", **{**defaults, **options})


def is_native(sdk: Any, bucket: str = "bucket", options: TransferOptions | None = None, allowed: bool = True) -> bool:
    with open_engine(sdk, bucket, options or TransferOptions(), native_transfer=allowed) as engine:
        return isinstance(engine, NativeEngine)


# The choice


def test_the_native_engine_is_taken_when_nothing_speaks_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)  # another authority is left to boto3
    assert is_native(client())
    assert is_native(client(None))
    assert is_native(client(None, region_name="eu-central-1"))


def test_the_setting_switches_it_off() -> None:
    assert not is_native(client(), allowed=False)


def test_it_is_not_taken_where_obstore_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prefect_integration_kit.native.is_installed", lambda name: name != "obstore")
    assert not is_native(client())


@pytest.mark.parametrize(
    "options",
    [TransferOptions({"StorageClass": "GLACIER"}), TransferOptions(callback=print), TransferOptions(config=object())],
)
def test_what_only_boto3_can_do_is_left_to_boto3(options: TransferOptions) -> None:
    assert not is_native(client(), options=options)


@pytest.mark.parametrize(
    ("endpoint_url", "bucket", "options"),
    [
        ("http://127.0.0.1:1", "b", {"proxies": {"http": "http://127.0.0.1:2"}}),
        ("http://127.0.0.1:1", "b", {"signature_version": "s3"}),
        ("http://127.0.0.1:1", "b", {"s3": {"addressing_style": "virtual"}}),
        (None, "b", {"use_dualstack_endpoint": True}),
        (None, "b", {"use_fips_endpoint": True}),
        (None, "b", {"s3": {"use_accelerate_endpoint": True}}),
        (None, "b--use1-az4--x-s3", {}),
        (None, "arn:aws:s3:us-east-1:123456789012:accesspoint/a", {}),
        ("https://bucket.vpce-1-a.s3.us-east-1.vpce.amazonaws.com", "b", {}),
    ],
)
def test_addresses_that_only_boto3_knows_are_left_to_it(endpoint_url: str | None, bucket: str, options: Any) -> None:
    from botocore.config import Config

    assert not is_native(client(endpoint_url, config=Config(**options)), bucket)


def test_unsigned_requests_and_own_authorities_are_left_to_boto3(tmp_path: Path) -> None:
    from botocore import UNSIGNED
    from botocore.config import Config

    assert not is_native(client(config=Config(signature_version=UNSIGNED)))
    assert not is_native(client("https://127.0.0.1:1", verify=False))
    assert not is_native(client("https://127.0.0.1:1", verify=str(tmp_path)))


@pytest.mark.parametrize(
    "event", ["before-send.s3", "before-call.s3.PutObject", "after-call.s3", "request-created.s3.*"]
)
def test_event_hooks_of_users_are_seen_and_called(
    event: str, s3_credentials: AwsCredentials, s3_bucket_name: str, tmp_path: Path
) -> None:
    heard: list[str] = []
    bucket = S3Bucket(bucket_name=s3_bucket_name, credentials=s3_credentials)
    bucket._objects().client.meta.events.register(event, lambda **kwargs: heard.append(event))
    (tmp_path / "f").write_bytes(b"1")
    try:
        bucket.upload_from_folder(tmp_path, "x")
    finally:
        forget_clients()  # the next test's client shall have no hook
    assert heard


def test_stubs_and_other_clients_count_as_hooks() -> None:
    from botocore.stub import Stubber

    plain = client()
    assert not has_foreign_hooks(plain)
    stubbed = client()
    with Stubber(stubbed):
        assert has_foreign_hooks(stubbed)
    assert has_foreign_hooks(object())


def test_a_patched_api_call_counts_as_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.client import BaseClient

    monkeypatch.setattr(BaseClient, "_make_api_call", lambda *args: {})
    assert has_foreign_hooks(client())


def test_users_in_process_mocks_keep_working(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto")
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        boto3.client("s3").create_bucket(Bucket="mocked")
        bucket = S3Bucket(bucket_name="mocked", bucket_folder="base", credentials=AwsCredentials())
        assert has_foreign_hooks(bucket.credentials.get_client("s3"))
        for number in range(5):
            (tmp_path / f"f{number}").write_bytes(bytes(number))
        assert bucket.put_directory(str(tmp_path), "x") == 5
        bucket.get_directory("x", str(tmp_path / "back"))
        assert [(tmp_path / "back" / f"f{n}").stat().st_size for n in range(5)] == list(range(5))
        bucket.write_path("a", b"1")
        assert (bucket.copy_object("a", "b"), bucket.read_path("b")) == ("base/b", b"1")
        assert len(bucket.list_objects()) == 7


def test_both_engines_speak_to_the_server_with_the_same_identity(
    s3_server: Any, s3_bucket_name: str, tmp_path: Path, behind: Any
) -> None:
    (tmp_path / "f").write_bytes(b"1")
    with open_engine(s3_server.client(), s3_bucket_name, TransferOptions(), native_transfer=True) as engine:
        assert isinstance(engine, NativeEngine)
        assert engine._put(Upload(tmp_path / "f", "by obstore", 1), GO)
    assert behind.keys() == ["by obstore"]


# Parts, ranges and lines that break


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files begin at 1 MiB, as far as S3's least part size allows."""
    monkeypatch.setattr("prefect_integration_kit.native.CHUNK_BYTES", 5 * MIB)
    monkeypatch.setattr(_s3_engine, "MULTIPART_BYTES", MIB)


@pytest.mark.usefixtures("in_small_parts")
def test_large_files_go_in_parts_and_come_in_ranges(bucket: S3Bucket, behind: Any, tmp_path: Path, engine: str) -> None:
    content = os.urandom(17 * MIB + 3)
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "f").write_bytes(content)
    bucket.upload_from_folder(tmp_path / "up", "x")
    head = behind.client.head_object(Bucket=behind.bucket, Key="base/x/f")
    assert "-" in head["ETag"]
    assert behind.get("base/x/f") == content
    bucket.download_folder_to_path("x", tmp_path / "down")
    assert (tmp_path / "down" / "f").read_bytes() == content
    assert [path.name for path in (tmp_path / "down").iterdir()] == ["f"]


@pytest.fixture
def broken(
    s3_server: Any, fault_proxy: Any, s3_bucket_name: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, S3Bucket]:
    """A proxy to the real store, and a block that goes through it and does not wait long before it reads again."""
    monkeypatch.setattr(_s3_engine, "READ_BACKOFF", replace(_s3_engine.READ_BACKOFF, maximum_seconds=0.02))
    proxy = fault_proxy("127.0.0.1", s3_server.port)
    credentials = MinIOCredentials(
        minio_root_user=s3_server.access_key,
        minio_root_password=s3_server.secret_key,
        region_name=s3_server.region,
        aws_client_parameters=AwsClientParameters(
            endpoint_url=proxy.url,
            config={"connect_timeout": 2, "read_timeout": 5, "retries": {"total_max_attempts": 2, "mode": "standard"}},
        ),
    )
    return proxy, S3Bucket(bucket_name=s3_bucket_name, bucket_folder="base", credentials=credentials)


@pytest.mark.parametrize("size", [2 * MIB, 12 * MIB])
def test_a_line_that_breaks_once_is_not_noticed(
    broken: tuple[Any, S3Bucket], behind: Any, tmp_path: Path, engine: str, size: int
) -> None:
    proxy, bucket = broken
    content = os.urandom(size)
    behind.put("base/x/f", content)
    jobs: dict[str, Callable[[], bytes]] = {
        "read": lambda: bucket.read_path("x/f"),
        "one": lambda: bucket.download_object_to_path("x/f", tmp_path / "one").read_bytes(),
        "many": lambda: (bucket.download_folder_to_path("x", tmp_path / "many") / "f").read_bytes(),
        "up": lambda: (bucket.upload_from_path(tmp_path / "one", "up"), behind.get("base/up"))[1],
        "folder": lambda: (bucket.upload_from_folder(tmp_path / "many", "y"), behind.get("base/y/f"))[1],
        "stream": lambda: (bucket.stream_from(bucket, "x/f", "z"), behind.get("base/z"))[1],
    }
    for name, job in jobs.items():
        proxy.set(reset_after_bytes=size // 2, reset_times=1)
        assert job() == content, name
        proxy.heal()


@pytest.mark.parametrize("size", [2 * MIB, 12 * MIB])
def test_a_line_that_stays_broken_is_a_typed_error_and_leaves_nothing(
    broken: tuple[Any, S3Bucket], behind: Any, tmp_path: Path, engine: str, size: int
) -> None:
    proxy, bucket = broken
    behind.put("base/x/f", bytes(size))
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "f").write_bytes(bytes(size))
    jobs: dict[str, Callable[[], Any]] = {
        "read": lambda: bucket.read_path("x/f"),
        "one": lambda: bucket.download_object_to_path("x/f", tmp_path / "down" / "f"),
        "many": lambda: bucket.download_folder_to_path("x", tmp_path / "down"),
        "up": lambda: bucket.upload_from_path(tmp_path / "up" / "f", "up/f"),
        "folder": lambda: bucket.upload_from_folder(tmp_path / "up", "up"),
    }
    for name, job in jobs.items():
        proxy.set(reset_after_bytes=256 * 1024)
        start = time.monotonic()
        with pytest.raises(AwsConnectionFailed) as caught:
            job()
        assert time.monotonic() - start < 20, name
        assert "/f" in str(caught.value), name
        proxy.heal()
    assert not (tmp_path / "down").exists() or list((tmp_path / "down").iterdir()) == []
    assert behind.keys() == ["base/x/f"]


# Copies beyond 5 GiB


def test_a_copy_beyond_the_limit_of_one_request_goes_in_parts(aws_stub: Any, make_credentials: Any) -> None:
    from prefect_integration_tests.backends.aws_stub import AwsError as Refusal

    stub = aws_stub("s3")
    size = 6 * 2**30
    stub.respond(
        "CopyObject",
        Refusal(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
            400,
        ),
    )
    stub.respond("HeadObject", {"ContentLength": size, "ETag": '"e"'})
    stub.respond("CreateMultipartUpload", {"UploadId": "u"})
    stub.respond("UploadPartCopy", {"CopyPartResult": {"ETag": '"p"'}})
    stub.respond("CompleteMultipartUpload", {"ETag": '"c-9"'})
    bucket = S3Bucket(bucket_name="big", credentials=make_credentials(stub.endpoint_url))
    assert bucket.copy_object("a", "b") == "b"
    ranges = [call.parameters["CopySourceRange"] for call in stub.calls_of("UploadPartCopy")]
    ends = sorted(tuple(map(int, each.removeprefix("bytes=").split("-"))) for each in ranges)
    assert ends[0][0] == 0
    assert ends[-1][1] == size - 1
    assert all(left[1] + 1 == right[0] for left, right in itertools.pairwise(ends))


def test_another_refusal_of_a_copy_is_an_error(aws_stub: Any, make_credentials: Any) -> None:
    from prefect_integration_tests.backends.aws_stub import Fault

    stub = aws_stub("s3")
    stub.fail("CopyObject", Fault.ACCESS_DENIED)
    bucket = S3Bucket(bucket_name="big", credentials=make_credentials(stub.endpoint_url))
    with pytest.raises(AwsAccessDenied, match="s3://big/a"):
        bucket.copy_object("a", "b")


def test_a_move_that_may_not_delete_says_that_the_copy_is_made(aws_stub: Any, make_credentials: Any) -> None:
    from prefect_integration_tests.backends.aws_stub import Fault

    stub = aws_stub("s3")
    stub.respond("CopyObject", {"CopyObjectResult": {"ETag": '"e"'}})
    stub.fail("DeleteObject", Fault.ACCESS_DENIED)
    bucket = S3Bucket(bucket_name="big", credentials=make_credentials(stub.endpoint_url))
    with pytest.raises(AwsAccessDenied, match=r"s3://big/a was copied to s3://big/b but not deleted"):
        bucket.move_object("a", "b")


def test_keys_that_s3_was_too_busy_to_delete_are_tried_again(
    aws_stub: Any, make_credentials: Any, tmp_path: Path
) -> None:
    stub = aws_stub("s3")
    contents = [{"Key": key, "Size": 1, "LastModified": LONG_AGO, "ETag": '"e"'} for key in ("a", "b")]
    stub.respond("ListObjectsV2", {"IsTruncated": False, "Contents": contents, "KeyCount": 2})
    stub.respond("DeleteObjects", {"Errors": [{"Key": "b", "Code": "SlowDown", "Message": "busy"}]}, {})
    bucket = S3Bucket(bucket_name="big", credentials=make_credentials(stub.endpoint_url))
    assert bucket.sync_from_folder(tmp_path, delete=True).deleted == 2
    assert len(stub.calls_of("DeleteObjects")) == 2


def test_a_key_that_may_not_be_deleted_is_named(aws_stub: Any, make_credentials: Any, tmp_path: Path) -> None:
    stub = aws_stub("s3")
    contents = [{"Key": "a", "Size": 1, "LastModified": LONG_AGO, "ETag": '"e"'}]
    stub.respond("ListObjectsV2", {"IsTruncated": False, "Contents": contents, "KeyCount": 1})
    stub.respond("DeleteObjects", {"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "no"}]})
    bucket = S3Bucket(bucket_name="big", credentials=make_credentials(stub.endpoint_url))
    with pytest.raises(AwsAccessDenied, match="s3://big/a was not deleted"):
        bucket.sync_from_folder(tmp_path, delete=True)


def test_many_large_files_share_one_transfer_manager(s3_server: Any, s3_bucket_name: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(9 * MIB))
    with SdkEngine(s3_server.client(), s3_bucket_name) as engine:
        engine.upload(Upload(tmp_path / "f", "a", 9 * MIB), GO)
        first = engine._manager
        engine.download(Download("a", tmp_path / "g", 9 * MIB), tmp_path / "g", GO)
        assert engine._manager is first
