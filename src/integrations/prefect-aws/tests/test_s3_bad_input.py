"""Bad input to the S3 block: each ends within seconds in an error that names the thing, with nothing half done."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_aws import AwsClientParameters, AwsCredentials, S3Bucket, errors
from prefect_integration_tests.backends.aws_stub import Fault
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST, closed_port

LIMIT_SECONDS = 15
USUAL = AwsClientParameters(config={"connect_timeout": 2, "read_timeout": 2, "retries": {"total_max_attempts": 2}})


def at(endpoint_url: str, secret: str = "testing-secret", region: str = "us-east-1") -> AwsCredentials:
    return AwsCredentials(
        aws_access_key_id="testing",
        aws_secret_access_key=secret,
        region_name=region,
        aws_client_parameters=USUAL.model_copy(update={"endpoint_url": endpoint_url}),
    )


def operations(bucket: S3Bucket, folder: Path) -> dict[str, Callable[[], Any]]:
    """Every kind of request, on local files that are fine."""
    up, down = folder / "up", folder / "down"
    up.mkdir()
    (up / "thing").write_bytes(b"1")
    return {
        "read": lambda: bucket.read_path("thing"),
        "write": lambda: bucket.write_path("thing", b"1"),
        "list": lambda: bucket.list_objects("thing"),
        "upload": lambda: bucket.upload_from_path(up / "thing", "thing"),
        "download": lambda: bucket.download_object_to_path("thing", down / "thing"),
        "put folder": lambda: bucket.put_directory(str(up), "thing"),
        "get folder": lambda: bucket.get_directory("thing", str(down)),
        "copy": lambda: bucket.copy_object("thing", "thing2"),
        "move": lambda: bucket.move_object("thing", "thing2"),
        "sync up": lambda: bucket.sync_from_folder(up, "thing"),
        "sync down": lambda: bucket.sync_to_folder("thing", down),
        "wait": lambda: bucket.wait_for_object("thing", timeout_seconds=30),
    }


def check(bucket: S3Bucket, folder: Path, error: type[Exception], *names: str) -> None:
    for name, operation in operations(bucket, folder).items():
        start = time.monotonic()
        with pytest.raises(error) as caught:
            operation()
        assert time.monotonic() - start < LIMIT_SECONDS, name
        message = str(caught.value)
        assert bucket.bucket_name in message, (name, message)
        assert all(each in message for each in names), (name, message)
        assert "testing-secret" not in message
        again = pickle.loads(pickle.dumps(caught.value))
        assert isinstance(again, error), name
        assert str(again) == message, name
    assert not (folder / "down").exists() or not [path for path in (folder / "down").rglob("*") if path.is_file()]


@pytest.mark.usefixtures("engine")
class TestEveryOperation:
    def test_of_a_missing_bucket(self, aws_emulator: Any, tmp_path: Path) -> None:
        bucket = S3Bucket(bucket_name="no-such-bucket", credentials=at(aws_emulator.endpoint_url))
        check(bucket, tmp_path, errors.AwsBucketNotFound, "Create the bucket")

    def test_with_a_wrong_secret(self, s3_server: Any, s3_bucket_name: str, tmp_path: Path) -> None:
        bucket = S3Bucket(bucket_name=s3_bucket_name, credentials=at(s3_server.endpoint_url, "wrong"))
        check(bucket, tmp_path, errors.AwsAccessDenied)

    @pytest.mark.parametrize(
        ("fault", "error", "remedy"),
        [
            (Fault.ACCESS_DENIED, errors.AwsAccessDenied, "Allow"),
            (Fault.EXPIRED_TOKEN, errors.AwsCredentialsExpired, "Sign in again"),
        ],
    )
    def test_that_the_service_refuses(
        self, aws_stub: Any, tmp_path: Path, fault: Fault, error: type[Exception], remedy: str
    ) -> None:
        stub = aws_stub("s3")
        for operation in ("GetObject", "PutObject", "ListObjectsV2", "CopyObject"):
            stub.fail(operation, fault)
        bucket = S3Bucket(bucket_name="thing", credentials=at(stub.endpoint_url))
        kept = {name: each for name, each in operations(bucket, tmp_path).items() if name != "wait"}  # HEAD has no body
        for name, operation in kept.items():
            with pytest.raises(error, match=remedy) as caught:
                operation()
            assert "s3://thing" in str(caught.value), name

    def test_against_a_host_that_nobody_knows(self, tmp_path: Path) -> None:
        bucket = S3Bucket(bucket_name="bucket-x", credentials=at(f"http://{UNRESOLVABLE_HOST}"))
        check(bucket, tmp_path, errors.AwsConnectionFailed, UNRESOLVABLE_HOST, "endpoint_url")

    def test_against_a_port_that_refuses(self, tmp_path: Path) -> None:
        port = closed_port()
        bucket = S3Bucket(bucket_name="bucket-x", credentials=at(f"http://127.0.0.1:{port}"))
        check(bucket, tmp_path, errors.AwsConnectionFailed, str(port), "endpoint_url")


def test_a_wrong_region_is_named_with_the_right_one(aws_stub: Any) -> None:
    stub = aws_stub("s3")
    stub.fail("GetObject", Fault.WRONG_REGION)
    stub.fail("HeadBucket", Fault.WRONG_REGION)
    bucket = S3Bucket(bucket_name="elsewhere", credentials=at(stub.endpoint_url))
    with pytest.raises(errors.AwsRegionWrong, match="region_name"):
        bucket.read_path("k")


def test_a_clock_that_is_wrong_is_said(aws_stub: Any) -> None:
    stub = aws_stub("s3")
    stub.fail("GetObject", Fault.CLOCK_SKEW)
    with pytest.raises(errors.AwsClockSkew, match="clock"):
        S3Bucket(bucket_name="b", credentials=at(stub.endpoint_url)).read_path("k")


async def test_a_server_that_says_nothing_is_given_up(
    s3_server: Any, s3_bucket_name: str, fault_proxy: Any, call: Any
) -> None:
    proxy = fault_proxy("127.0.0.1", s3_server.port)
    proxy.blackhole = True
    bucket = S3Bucket(bucket_name=s3_bucket_name, credentials=at(proxy.url))
    start = time.monotonic()
    with pytest.raises(errors.AwsConnectionFailed, match=s3_bucket_name):
        await call(bucket, "read_path", "k")
    assert time.monotonic() - start < LIMIT_SECONDS


async def test_local_paths_of_the_wrong_kind_are_named(
    bucket: S3Bucket, behind: Any, call: Any, tmp_path: Path
) -> None:
    behind.put("base/x/a", b"1")
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    file, folder, absent = tmp_path / "file", tmp_path / "folder", tmp_path / "absent"
    cases: list[tuple[str, tuple[Any, ...], type[Exception], str]] = [
        ("upload_from_path", (absent, "k"), FileNotFoundError, "absent"),
        ("upload_from_path", (folder, "k"), IsADirectoryError, "folder.*upload_from_folder"),
        ("upload_from_folder", (file, "k"), NotADirectoryError, "file"),
        ("upload_from_folder", (absent, "k"), FileNotFoundError, "absent"),
        ("put_directory", (str(folder), "k", str(absent)), FileNotFoundError, "absent"),
        ("sync_from_folder", (file, "k"), NotADirectoryError, "file"),
        ("download_object_to_path", ("x/a", folder), IsADirectoryError, "folder"),
        ("download_object_to_path", ("x/a", file / "b"), NotADirectoryError, "file"),
        ("download_object_to_path", ("x/a", "/proc/nowhere"), OSError, "/proc/nowhere"),
        ("download_folder_to_path", ("x", file), NotADirectoryError, "file"),
        ("download_folder_to_path", ("x", "/proc/nowhere"), OSError, "/proc/nowhere"),
        ("get_directory", ("x", str(file)), NotADirectoryError, "file"),
        ("sync_to_folder", ("x", file), NotADirectoryError, "file"),
    ]
    for method, arguments, error, match in cases:
        with pytest.raises(error, match=match):
            await call(bucket, method, *arguments)
    assert behind.keys() == ["base/x/a"]
    assert file.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


async def test_a_folder_is_no_object_and_an_object_no_folder(
    bucket: S3Bucket, behind: Any, call: Any, tmp_path: Path
) -> None:
    behind.put("base/x/a", b"1")
    with pytest.raises(errors.AwsObjectNotFound, match="base/x"):
        await call(bucket, "read_path", "x")
    await call(bucket, "download_folder_to_path", "x/a", tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_an_empty_path_is_no_key(s3_credentials: AwsCredentials) -> None:
    bucket = S3Bucket(bucket_name="b", credentials=s3_credentials)
    with pytest.raises(ValueError, match="path is empty"):
        bucket.read_path("")


async def test_an_empty_object_is_an_object(
    bucket: S3Bucket, behind: Any, call: Any, tmp_path: Path, engine: str
) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "empty").write_bytes(b"")
    await call(bucket, "upload_from_folder", tmp_path / "up", "x")
    assert behind.get("base/x/empty") == b""
    await call(bucket, "download_folder_to_path", "x", tmp_path / "down")
    assert (tmp_path / "down" / "empty").read_bytes() == b""
    path = await call(bucket, "download_object_to_path", "x/empty", tmp_path / "one")
    assert path.read_bytes() == b""
