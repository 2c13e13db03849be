"""Folder transfers of the S3 block beyond their conformance suite: large, many, interrupted, on a live event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from prefect_aws import AwsClientParameters, MinIOCredentials
from prefect_aws.s3 import S3Bucket
from prefect_integration_kit.transfer import KeysCollide
from prefect_integration_tests.checks import (
    assert_flat_memory,
    assert_loop_is_free,
    assert_threads_do_not_grow,
)

MIB = 2**20
DEADLINE_SECONDS = 30


def fill(folder: Path, count: int, size: int = 1000) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"f{number:04}").write_bytes(number.to_bytes(4, "big") * (size // 4))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def until(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_what_the_uploads_return_is_what_the_downloads_take(
    bucket: S3Bucket, call: Any, tmp_path: Path, engine: str
) -> None:
    source = fill(tmp_path / "up", 5)
    folder = await call(bucket, "upload_from_folder", source, "x/y")
    assert folder == "base/x/y"
    back = await call(bucket, "download_folder_to_path", folder, tmp_path / "down")
    assert (back, files(back)) == (tmp_path / "down", files(source))
    assert await call(bucket, "upload_from_folder", str(source)) == "base"
    whole = S3Bucket(bucket_name=bucket.bucket_name, credentials=bucket.credentials)
    assert await call(whole, "upload_from_folder", source) is None
    assert await call(bucket, "put_directory", str(source), "z", None) == 5


async def test_an_empty_or_absent_folder_is_a_warning(
    bucket: S3Bucket, call: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    await call(bucket, "upload_from_folder", tmp_path / "empty", "x")
    await call(bucket, "download_folder_to_path", "absent-folder", tmp_path / "down")
    await call(bucket, "get_directory", "absent-folder", str(tmp_path / "down"))
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 3
    assert "absent-folder" in warnings[1]


async def test_transfer_options_hold_for_each_file(
    emulated_bucket: S3Bucket, behind_emulated: Any, call: Any, tmp_path: Path
) -> None:
    moved: list[int] = []
    options: Any = {"ExtraArgs": {"ContentType": "text/x-test"}, "Callback": moved.append}
    await call(emulated_bucket, "upload_from_folder", fill(tmp_path / "up", 3, 100), "x", **options)
    client, name = behind_emulated.client, behind_emulated.bucket
    kinds = {client.head_object(Bucket=name, Key=key)["ContentType"] for key in list(behind_emulated.keys())}
    assert (kinds, sum(moved)) == ({"text/x-test"}, 300)
    await call(emulated_bucket, "download_folder_to_path", "x", tmp_path / "down", Callback=moved.append)
    assert sum(moved) == 600
    with pytest.raises(TypeError, match="NoSuchOption"):
        await call(emulated_bucket, "download_folder_to_path", "x", tmp_path / "down", NoSuchOption=1)


async def test_keys_that_lead_outside_are_refused_before_anything_is_written(
    emulated_bucket: S3Bucket, behind_emulated: Any, call: Any, tmp_path: Path, engine: str
) -> None:
    for key in ("base/x/a", "base/x/b", "base/x/c/../../../evil"):
        behind_emulated.put(key, b"1")
    for method in ("get_directory", "download_folder_to_path", "sync_to_folder"):
        with pytest.raises(ValueError, match=r"c/\.\./\.\./\.\./evil"):
            await call(emulated_bucket, method, "x", str(tmp_path / "in" / "side"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_two_keys_for_one_file_are_refused_before_anything_is_written(
    emulated_bucket: S3Bucket, behind_emulated: Any, call: Any, tmp_path: Path
) -> None:
    for key in ("base/x/a//b", "base/x/a/b"):
        behind_emulated.put(key, b"1")
    with pytest.raises(KeysCollide, match="a//b"):
        await call(emulated_bucket, "download_folder_to_path", "x", tmp_path / "d")
    assert not (tmp_path / "d").exists()


async def test_an_object_below_an_object_is_an_error_that_names_it(
    bucket: S3Bucket,
    behind: Any,
    call: Any,
    tmp_path: Path,
    engine: str,
    emulated_bucket: S3Bucket,
    behind_emulated: Any,
) -> None:
    for key in ("base/x/a", "base/x/a/b"):
        behind_emulated.put(key, b"1")
    with pytest.raises(OSError, match=r"a"):
        await call(emulated_bucket, "download_folder_to_path", "x", tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


# Bounded


@pytest.mark.slow
async def test_memory_does_not_grow_with_the_number_of_large_files(
    bucket: S3Bucket, tmp_path: Path, engine: str
) -> None:
    (tmp_path / "up").mkdir()
    for number in range(24):
        with (tmp_path / "up" / str(number)).open("wb") as file:
            file.truncate(16 * MIB)
    limit = 200 * MIB  # of 384 MiB
    await assert_flat_memory(lambda: bucket.aupload_from_folder(tmp_path / "up", "x"), limit_bytes=limit, what="Upload")
    await assert_flat_memory(
        lambda: bucket.adownload_folder_to_path("x", tmp_path / "down"), limit_bytes=limit, what="Download"
    )
    assert {path.stat().st_size for path in (tmp_path / "down").iterdir()} == {16 * MIB}


async def test_threads_do_not_grow_with_the_transfers(bucket: S3Bucket, tmp_path: Path, engine: str) -> None:
    source = fill(tmp_path / "up", 10)
    await assert_threads_do_not_grow(lambda: bucket.aupload_from_folder(source, "x"), times=3)


async def test_the_event_loop_keeps_its_turn(bucket: S3Bucket, tmp_path: Path, engine: str) -> None:
    source = fill(tmp_path / "up", 300, 10_000)
    await bucket.aupload_from_folder(source, "x")  # the first use imports the SDK
    await assert_loop_is_free(lambda: bucket.aupload_from_folder(source, "x"))
    await assert_loop_is_free(lambda: bucket.adownload_folder_to_path("x", tmp_path / "down"))


def test_at_a_distance_a_folder_does_not_take_a_round_trip_for_each_file(
    s3_server: Any, s3_bucket_name: str, fault_proxy: Any, tmp_path: Path, engine: str
) -> None:
    proxy = fault_proxy("127.0.0.1", s3_server.port, own_process=True)
    proxy.latency_seconds = 0.05
    bucket = S3Bucket(bucket_name=s3_bucket_name, credentials=through(proxy.url, s3_server))
    source = fill(tmp_path / "up", 128)
    bucket.upload_from_folder(source, "warm")
    start = time.perf_counter()
    bucket.upload_from_folder(source, "x")
    bucket.download_folder_to_path("x", tmp_path / "down")
    assert time.perf_counter() - start < 2 * 128 * 0.05 / 2  # a fifth of it on an idle machine
    assert files(tmp_path / "down") == files(source)


def through(url: str, server: Any) -> MinIOCredentials:
    return MinIOCredentials(
        minio_root_user=server.access_key,
        minio_root_password=server.secret_key,
        region_name=server.region,
        aws_client_parameters=AwsClientParameters(endpoint_url=url),
    )


# Interrupted


@pytest.mark.parametrize("method", ["adownload_folder_to_path", "adownload_object_to_path", "aget_directory"])
async def test_a_cancelled_download_leaves_no_half_file(
    s3_server: Any, s3_bucket_name: str, behind: Any, fault_proxy: Any, tmp_path: Path, engine: str, method: str
) -> None:
    behind.put("x/big", bytes(24 * MIB))
    proxy = fault_proxy("127.0.0.1", s3_server.port)
    proxy.bytes_per_second = 4 * MIB
    bucket = S3Bucket(bucket_name=s3_bucket_name, credentials=through(proxy.url, s3_server))
    name, target = ("x/big", tmp_path / "d" / "big") if "object" in method else ("x", tmp_path / "d")
    work = asyncio.ensure_future(getattr(bucket, method)(name, str(target)))
    await until(lambda: [path for path in tmp_path.rglob("*") if path.is_file()])  # it has begun
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("transfer-")]


async def test_a_cancelled_upload_leaves_no_object(
    s3_server: Any, s3_bucket_name: str, behind: Any, fault_proxy: Any, tmp_path: Path, engine: str
) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(48 * MIB)
    proxy = fault_proxy("127.0.0.1", s3_server.port)
    proxy.bytes_per_second = 8 * MIB
    bucket = S3Bucket(bucket_name=s3_bucket_name, credentials=through(proxy.url, s3_server))
    work = asyncio.ensure_future(bucket.aupload_from_folder(tmp_path, "x"))
    await until(lambda: proxy.connections)
    await asyncio.sleep(0.2)  # well into the first parts
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert behind.keys() == []
    assert not behind.client.list_multipart_uploads(Bucket=behind.bucket).get("Uploads")


SCRIPT = """
import sys
from prefect_aws import AwsClientParameters, MinIOCredentials, S3Bucket
url, user, password, bucket, target = sys.argv[1:]
credentials = MinIOCredentials(minio_root_user=user, minio_root_password=password, region_name="us-east-1",
    aws_client_parameters=AwsClientParameters(endpoint_url=url))
try:
    S3Bucket(bucket_name=bucket, credentials=credentials).download_folder_to_path("x", target)
except KeyboardInterrupt:
    print("interrupted")
"""


async def test_an_interrupt_from_the_keyboard_leaves_no_half_file(
    s3_server: Any, s3_bucket_name: str, behind: Any, fault_proxy: Any, tmp_path: Path
) -> None:
    behind.put("x/big", bytes(24 * MIB))
    proxy = fault_proxy("127.0.0.1", s3_server.port)
    proxy.bytes_per_second = 4 * MIB
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    target = tmp_path / "d"
    arguments = [proxy.url, s3_server.access_key, s3_server.secret_key, s3_bucket_name, str(target)]
    with subprocess.Popen(
        [sys.executable, str(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    ) as process:
        await until(lambda: target.exists() and list(target.iterdir()))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert out.strip().endswith("interrupted"), f"exit code {process.returncode}: {err}"
    assert list(target.iterdir()) == []
