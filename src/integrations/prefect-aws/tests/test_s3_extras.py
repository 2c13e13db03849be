"""What the S3 block has beyond the published one: presigned URLs, storage options, sync, waits."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from prefect_aws import AwsCredentials
from prefect_aws.errors import AwsBucketNotFound
from prefect_aws.s3 import S3Bucket
from prefect_integration_kit.syncing import SyncSummary
from prefect_integration_kit.waiting import WaitTimeout

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# Presigned URLs


async def test_a_signed_url_reads_and_writes_one_object(bucket: S3Bucket, behind: Any, call: Any) -> None:
    behind.put("base/a ü+.txt", b"1")
    url = await call(bucket, "presigned_url", "a ü+.txt")
    assert OPENER.open(url).read() == b"1"
    put = await call(bucket, "presigned_url", "new", "PUT", expires_in_seconds=60)
    OPENER.open(urllib.request.Request(put, data=b"2", method="PUT", headers={"Content-Type": ""}))
    assert behind.get("base/new") == b"2"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        OPENER.open(url.replace("txt", "pdf"))


async def test_a_signed_url_uses_the_signature_that_every_region_takes(bucket: S3Bucket, call: Any) -> None:
    url = await call(bucket, "presigned_url", "k", expires_in_seconds=77, ResponseContentType="text/x")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert "X-Amz-Expires=77" in url
    assert "response-content-type=text%2Fx" in url


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expires_in_seconds": 0}, "between 1 and 604800"),
        ({"expires_in_seconds": 604_801}, "between 1 and 604800"),
        ({"method": "POST"}, "'GET' or 'PUT'"),
    ],
)
async def test_a_url_that_cannot_be_signed_is_refused(bucket: S3Bucket, call: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        await call(bucket, "presigned_url", "k", **options)


# Storage class and encryption


@pytest.fixture
def stored(behind_emulated: Any) -> Any:
    def look(key: str) -> tuple[Any, ...]:
        head = behind_emulated.client.head_object(Bucket=behind_emulated.bucket, Key=key)
        return head.get("StorageClass"), head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")

    return look


async def test_storage_options_reach_the_store(
    emulated_bucket: S3Bucket, stored: Any, call: Any, tmp_path: Path, engine: str
) -> None:
    import io

    (tmp_path / "f").write_bytes(b"1")
    (tmp_path / "large").write_bytes(bytes(9 * 2**20))
    options = {"storage_class": "STANDARD_IA", "server_side_encryption": "AES256"}
    await call(emulated_bucket, "write_path", "a", b"1", **options)
    await call(emulated_bucket, "upload_from_path", tmp_path / "f", "b", **options)
    await call(emulated_bucket, "upload_from_path", tmp_path / "large", "c", **options)
    await call(emulated_bucket, "upload_from_file_object", io.BytesIO(b"1"), "d", **options)
    await call(emulated_bucket, "upload_from_folder", tmp_path, "e", **options)
    for key in ("a", "b", "c", "d", "e/f", "e/large"):
        assert stored(f"base/{key}")[:2] == ("STANDARD_IA", "AES256"), key


async def test_a_kms_key_needs_its_encryption(emulated_bucket: S3Bucket, stored: Any, call: Any) -> None:
    await call(emulated_bucket, "write_path", "k", b"1", server_side_encryption="aws:kms", kms_key_id="key-1")
    assert stored("base/k")[1:] == ("aws:kms", "key-1")
    for encryption in (None, "AES256"):
        with pytest.raises(ValueError, match="kms_key_id needs server_side_encryption 'aws:kms'"):
            await call(emulated_bucket, "write_path", "k", b"1", server_side_encryption=encryption, kms_key_id="key-1")


async def test_named_options_win_over_extra_args(
    emulated_bucket: S3Bucket, stored: Any, call: Any, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"1")
    extra = {"ExtraArgs": {"StorageClass": "GLACIER", "ServerSideEncryption": "AES256"}}
    await call(emulated_bucket, "upload_from_path", tmp_path / "f", "k", storage_class="STANDARD_IA", **extra)
    assert stored("base/k")[:2] == ("STANDARD_IA", "AES256")


# Sync


def write(root: Path, **files: str) -> Path:
    for name, content in files.items():
        target = root / name.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    return root


def tree(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("compare", ["time", "checksum"])
async def test_only_what_changed_goes_up(
    bucket: S3Bucket, behind: Any, call: Any, tmp_path: Path, compare: str, engine: str
) -> None:
    source = write(tmp_path / "s", a="1", b="22", c__d="333")

    async def sync(**options: Any) -> SyncSummary:
        return await call(bucket, "sync_from_folder", source, "x", compare=compare, **options)

    assert await sync() == SyncSummary(3, 0, 0, 6)
    assert await sync() == SyncSummary(0, 3, 0, 0)
    write(source, b="99", e="new")  # of the same size, in the same second
    assert await sync() == SyncSummary(2, 2, 0, 5)
    (source / "a").unlink()
    behind.put("base/x2/sibling", b"")
    assert await sync() == SyncSummary(0, 3, 0, 0)
    assert await sync(delete=True) == SyncSummary(0, 3, 1, 0)
    assert sorted(behind.keys()) == ["base/x/b", "base/x/c/d", "base/x/e", "base/x2/sibling"]
    assert behind.get("base/x/b") == b"99"


async def test_ignored_files_are_neither_sent_nor_deleted(
    bucket: S3Bucket, behind: Any, call: Any, tmp_path: Path
) -> None:
    source = write(tmp_path / "s", a="1", keep="2", private__k="3")
    behind.put("base/x/private/k", b"theirs")
    behind.put("base/x/gone", b"")
    (tmp_path / "ignore").write_text("private/\nkeep\n")
    options = {"ignore_file": str(tmp_path / "ignore"), "delete": True}
    assert await call(bucket, "sync_from_folder", source, "x", **options) == SyncSummary(1, 0, 1, 1)
    assert sorted(behind.keys()) == ["base/x/a", "base/x/private/k"]
    assert behind.get("base/x/private/k") == b"theirs"


@pytest.mark.parametrize("compare", ["time", "checksum"])
async def test_only_what_changed_comes_down(
    bucket: S3Bucket, behind: Any, call: Any, tmp_path: Path, compare: str, engine: str
) -> None:
    target = tmp_path / "t"
    for key, content in {"a": b"1", "b": b"22", "c/d": b"333"}.items():
        behind.put(f"base/x/{key}", content)

    async def sync(**options: Any) -> SyncSummary:
        return await call(bucket, "sync_to_folder", "x", target, compare=compare, **options)

    assert await sync() == SyncSummary(3, 0, 0, 6)
    assert await sync() == SyncSummary(0, 3, 0, 0)
    behind.put("base/x/b", b"99")  # of the same size, in the same second
    (target / "c" / "d").write_text("444")  # changed here, so the store's form comes back
    write(target, extra="mine")
    assert await sync() == SyncSummary(2, 1, 0, 5)
    assert tree(target) == {"a": "1", "b": "99", "c/d": "333", "extra": "mine"}
    behind.client.delete_object(Bucket=behind.bucket, Key="base/x/a")
    assert await sync(delete=True) == SyncSummary(0, 2, 2, 0)
    assert tree(target) == {"b": "99", "c/d": "333"}


async def test_a_synced_file_has_the_objects_time(bucket: S3Bucket, behind: Any, call: Any, tmp_path: Path) -> None:
    behind.put("base/x/a", b"1")
    await call(bucket, "sync_to_folder", "x", tmp_path)
    modified = behind.client.head_object(Bucket=behind.bucket, Key="base/x/a")["LastModified"]
    assert abs((tmp_path / "a").stat().st_mtime - modified.timestamp()) < 1


async def test_a_sync_from_nowhere_deletes_nothing(bucket: S3Bucket, behind: Any, call: Any, tmp_path: Path) -> None:
    behind.put("base/x/a", b"1")
    for source, error in ((tmp_path / "absent", FileNotFoundError), (Path(__file__), NotADirectoryError)):
        with pytest.raises(error):
            await call(bucket, "sync_from_folder", source, "x", delete=True)
    nowhere = S3Bucket(bucket_name="absent-bucket", credentials=bucket.credentials)
    write(tmp_path, mine="1")
    with pytest.raises(AwsBucketNotFound):
        await call(nowhere, "sync_to_folder", "x", tmp_path, delete=True)
    assert behind.keys() == ["base/x/a"]
    assert tree(tmp_path) == {"mine": "1"}


# Waits


async def test_a_wait_ends_when_the_object_is_there(bucket: S3Bucket, behind: Any, call: Any) -> None:
    async def later() -> None:
        await asyncio.sleep(0.1)
        await asyncio.to_thread(behind.put, "base/a", b"1")

    writer = asyncio.create_task(later())
    assert await call(bucket, "wait_for_object", "a", timeout_seconds=20, poll_seconds=0.02) == "base/a"
    await writer
    assert await call(bucket, "wait_for_object", "base/a", timeout_seconds=0) == "base/a"


async def test_a_wait_for_a_folder_counts_objects_but_not_its_marker(bucket: S3Bucket, behind: Any, call: Any) -> None:
    behind.put("base/x/", b"")
    behind.put("base/x/1", b"")
    behind.put("base/x2/1", b"")
    with pytest.raises(WaitTimeout, match=r"2 object\(s\) in s3://.*base/x/"):
        await call(bucket, "wait_for_prefix", "x", min_objects=2, timeout_seconds=0.1, poll_seconds=0.02)
    behind.put("base/x/2", b"")
    behind.put("base/x/3", b"")
    assert await call(bucket, "wait_for_prefix", "x", min_objects=2) == ["base/x/1", "base/x/2"]
    with pytest.raises(ValueError, match="min_objects is 0"):
        await call(bucket, "wait_for_prefix", "x", min_objects=0)


async def test_a_wait_ends_at_its_time(bucket: S3Bucket, call: Any) -> None:
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"s3://.*/base/never was not there after 0.2 seconds"):
        await call(bucket, "wait_for_object", "never", timeout_seconds=0.2, poll_seconds=60)
    assert time.monotonic() - start < 10


async def test_a_wait_in_a_bucket_that_is_not_there_ends_at_once(s3_credentials: AwsCredentials, call: Any) -> None:
    nowhere = S3Bucket(bucket_name="absent-bucket", credentials=s3_credentials)
    for method in ("wait_for_object", "wait_for_prefix"):
        with pytest.raises(AwsBucketNotFound, match="absent-bucket"):
            await call(nowhere, method, "a", timeout_seconds=60)


async def test_a_hundred_waits_hold_no_threads(bucket: S3Bucket) -> None:
    waits = [
        asyncio.create_task(bucket.await_for_object(f"never/{n}", timeout_seconds=60, poll_seconds=30))
        for n in range(100)
    ]
    deadline = time.monotonic() + 30
    while {place_of(wait) for wait in waits} != {"sleep"}:  # the first look of each takes a thread for a moment
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    for wait in waits:
        wait.cancel()
    ends = await asyncio.gather(*waits, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)


def place_of(waiting: asyncio.Task[Any]) -> str:
    """Name the innermost coroutine that a task is in."""
    coroutine: Any = waiting.get_coro()
    name = ""
    while hasattr(coroutine, "cr_code"):
        name, coroutine = coroutine.cr_code.co_name, coroutine.cr_await
    return name
