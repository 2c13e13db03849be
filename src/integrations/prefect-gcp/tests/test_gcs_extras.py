"""What the Cloud Storage block has beyond the published one: signed URLs, sync, waits."""

from __future__ import annotations

import asyncio
import base64
import os
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from prefect_gcp.cloud_storage import GcpCredentials, GcsBucket
from prefect_gcp.errors import GcpAccessDenied, GcpBucketNotFound, GcpCredentialsError
from prefect_integration_kit.paths import PathEscapes
from prefect_integration_kit.syncing import SyncSummary
from prefect_integration_kit.waiting import WaitTimeout
from prefect_integration_tests.backends.gcs import GcsFront

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# Signed URLs


@pytest.fixture
def signing(gcs_bucket: GcsBucket, service_account: dict[str, Any]) -> GcsBucket:
    """A block whose credentials have a key."""
    credentials = GcpCredentials(
        service_account_info=service_account, api_endpoints=gcs_bucket.gcp_credentials.api_endpoints
    )
    return gcs_bucket.model_copy(update={"gcp_credentials": credentials})


async def test_a_signed_url_reads_one_object(signing: GcsBucket, behind: Any, call: Any) -> None:
    behind.put("base/a ü+.txt", b"1")
    url = await call(signing, "signed_url", "a ü+.txt")
    assert OPENER.open(url).read() == b"1"


async def test_a_signed_url_says_for_how_long_and_for_what_it_holds(
    signing: GcsBucket, service_account: dict[str, Any], call: Any
) -> None:
    url = await call(signing, "signed_url", "k", "PUT", expires_in_seconds=77, content_type="text/x")
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query))
    assert (query["X-Goog-Algorithm"], query["X-Goog-Expires"]) == ("GOOG4-RSA-SHA256", "77")
    assert query["X-Goog-Credential"].startswith(f"{service_account['client_email']}/")
    assert "content-type" in query["X-Goog-SignedHeaders"]
    # What Cloud Storage does with it: https://cloud.google.com/storage/docs/authentication/canonical-requests
    unsigned, signature = parts.query.split("&X-Goog-Signature=")
    names = query["X-Goog-SignedHeaders"].split(";")
    values = {"host": parts.netloc, "content-type": "text/x"}
    headers = "".join(f"{name}:{values[name]}\n" for name in names)
    canonical = "\n".join(["PUT", parts.path, _sorted_query(unsigned), headers, ";".join(names), "UNSIGNED-PAYLOAD"])
    digest = hashes.Hash(hashes.SHA256())
    digest.update(canonical.encode())
    scope = query["X-Goog-Credential"].split("/", 1)[1]
    to_sign = "\n".join(["GOOG4-RSA-SHA256", query["X-Goog-Date"], scope, digest.finalize().hex()])
    key: Any = serialization.load_pem_private_key(service_account["private_key"].encode(), None)
    key.public_key().verify(bytes.fromhex(signature), to_sign.encode(), padding.PKCS1v15(), hashes.SHA256())


def _sorted_query(query: str) -> str:
    return "&".join(sorted(query.split("&")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expires_in_seconds": 0}, "between 1 and 604800"),
        ({"expires_in_seconds": 604_801}, "between 1 and 604800"),
        ({"method": "POST"}, "'GET' or 'PUT'"),
    ],
)
async def test_a_url_that_cannot_be_signed_is_refused(
    signing: GcsBucket, call: Any, options: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        await call(signing, "signed_url", "k", **options)


def test_credentials_without_a_key_cannot_sign(gcs_bucket: GcsBucket) -> None:
    with pytest.raises(GcpCredentialsError, match=r"cannot sign.*service_account_file"):
        gcs_bucket.signed_url("k")


def test_the_private_key_is_not_in_the_url(signing: GcsBucket, service_account: dict[str, Any]) -> None:
    url = signing.signed_url("k", query_parameters={"x": "1"})
    assert "PRIVATE" not in url
    assert base64.b64encode(service_account["private_key"].encode()).decode() not in url


# Sync


def summary(transferred: int = 0, skipped: int = 0, deleted: int = 0, size_bytes: int = 0) -> SyncSummary:
    return SyncSummary(transferred, skipped, deleted, size_bytes)


@pytest.mark.parametrize("compare", ["time", "checksum"])
async def test_a_sync_up_sends_what_is_new_or_changed(
    gcs_bucket: GcsBucket, behind: Any, call: Any, tmp_path: Path, compare: str
) -> None:
    for name in ("same", "grown", "deep/new", "changed"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12")
    behind.put("base/x/gone", b"1")
    first = await call(gcs_bucket, "sync_from_folder", tmp_path, "x", compare=compare)
    assert first == summary(transferred=4, size_bytes=8)
    (tmp_path / "grown").write_bytes(b"123")
    (tmp_path / "changed").write_bytes(b"21")
    later = (tmp_path / "changed").stat().st_mtime + 10
    os.utime(tmp_path / "changed", (later, later))
    second = await call(gcs_bucket, "sync_from_folder", tmp_path, "x", compare=compare, delete=True)
    assert second == summary(transferred=2, skipped=2, deleted=1, size_bytes=5)
    assert {key: behind.get(key) for key in behind.keys()} == {  # noqa: SIM118 - not a mapping
        "base/x/changed": b"21",
        "base/x/deep/new": b"12",
        "base/x/grown": b"123",
        "base/x/same": b"12",
    }


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("compare", ["time", "checksum"])
async def test_a_sync_down_fetches_what_is_new_or_changed(
    gcs_bucket: GcsBucket, behind: Any, call: Any, tmp_path: Path, compare: str
) -> None:
    for key in ("same", "deep/new", "changed"):
        behind.put(f"base/x/{key}", b"12")
    first = await call(gcs_bucket, "sync_to_folder", "x", tmp_path, compare=compare)
    assert first == summary(transferred=3, size_bytes=6)
    modified = behind.blob("base/x/same").updated.timestamp()
    assert abs((tmp_path / "same").stat().st_mtime - modified) < 1
    behind.put("base/x/changed", b"21")
    (tmp_path / "more").write_bytes(b"1")
    second = await call(gcs_bucket, "sync_to_folder", "x", tmp_path, compare=compare, delete=True)
    assert second == summary(transferred=1, skipped=2, deleted=1, size_bytes=2)
    assert (tmp_path / "changed").read_bytes() == b"21"
    assert not (tmp_path / "more").exists()


async def test_ignored_files_are_neither_sent_nor_deleted(
    gcs_bucket: GcsBucket, behind: Any, call: Any, tmp_path: Path
) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "a.log").write_bytes(b"1")
    (tmp_path / "up" / "b").write_bytes(b"1")
    (tmp_path / "ignore").write_text("*.log\n")
    behind.put("base/x/kept.log", b"1")
    done = await call(
        gcs_bucket, "sync_from_folder", tmp_path / "up", "x", delete=True, ignore_file=str(tmp_path / "ignore")
    )
    assert done == summary(transferred=1, size_bytes=1)
    assert behind.keys() == ["base/x/b", "base/x/kept.log"]


def test_a_key_that_climbs_out_stops_a_sync(gcs_bucket: GcsBucket, behind: Any, tmp_path: Path) -> None:
    behind.put("base/x/../../evil", b"1")
    behind.put("base/x/good", b"1")
    with pytest.raises(PathEscapes, match="evil"):
        gcs_bucket.sync_to_folder("x", tmp_path / "here")
    assert list(tmp_path.rglob("*evil*")) == []


# Waits


async def test_an_object_that_comes_later_is_waited_for(gcs_bucket: GcsBucket, behind: Any, call: Any) -> None:
    async def later() -> None:
        await asyncio.to_thread(behind.put, "base/k", b"1")

    task = asyncio.create_task(later())
    found = await call(gcs_bucket, "wait_for_object", "k", timeout_seconds=20, poll_seconds=0.02)
    await task
    assert found == "base/k"


async def test_waiting_has_an_end(gcs_bucket: GcsBucket, call: Any) -> None:
    for method, path in (("wait_for_object", "k"), ("wait_for_prefix", "f")):
        with pytest.raises(WaitTimeout, match=f"base/{path}") as caught:
            await call(gcs_bucket, method, path, timeout_seconds=0.05, poll_seconds=0.02)
        assert isinstance(caught.value, TimeoutError)


async def test_a_number_of_objects_is_waited_for(gcs_bucket: GcsBucket, behind: Any, call: Any) -> None:
    for key in ("base/f/", "base/f/1", "base/f2/2"):
        behind.put(key, b"1")
    with pytest.raises(WaitTimeout):
        await call(gcs_bucket, "wait_for_prefix", "f", min_objects=2, timeout_seconds=0.05, poll_seconds=0.02)
    behind.put("base/f/2", b"1")
    found = await call(gcs_bucket, "wait_for_prefix", "f", min_objects=2, timeout_seconds=20, poll_seconds=0.02)
    assert found == ["base/f/1", "base/f/2"]
    with pytest.raises(ValueError, match="min_objects"):
        await call(gcs_bucket, "wait_for_prefix", "f", min_objects=0)


async def test_nobody_waits_in_a_bucket_that_is_not_there(gcs_bucket: GcsBucket, call: Any) -> None:
    block = gcs_bucket.model_copy(update={"bucket": "no-such-bucket"})
    with pytest.raises(GcpBucketNotFound, match="no-such-bucket"):
        await call(block, "wait_for_object", "k", timeout_seconds=20)


async def test_nobody_waits_for_what_may_not_be_seen(gcs_front: GcsFront, fronted: GcsBucket, call: Any) -> None:
    gcs_front.fail("metadata", status=403, times=None)
    with pytest.raises(GcpAccessDenied, match=r"storage\.objects\.get"):
        await call(fronted, "wait_for_object", "k", timeout_seconds=20)
