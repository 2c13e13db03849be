"""What arrives is what was sent, or an error: connections that break, content that changes on its way."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from prefect_gcp import errors
from prefect_gcp.cloud_storage import GcsBucket
from prefect_integration_tests.backends.gcs import GcsFront

STEP = 256 * 1024


@pytest.fixture
def content(behind: Any) -> bytes:
    """Content of `base/d/f`."""
    content = os.urandom(3 * STEP + 7)
    behind.put("base/d/f", content)
    return content


def downloads(bucket: GcsBucket, folder: Path, **options: Any) -> dict[str, Any]:
    """Every way to download `d/f`; each returns the content."""

    def to_file_object() -> bytes:
        target = io.BytesIO(b"before")
        target.seek(6)
        bucket.download_object_to_file_object("d/f", target, **options)
        assert target.getvalue()[:6] == b"before"
        return target.getvalue()[6:]

    return {
        "path": lambda: bucket.download_object_to_path("d/f", folder / "f", **options).read_bytes(),
        "file object": to_file_object,
        "folder": lambda: (bucket.download_folder_to_path("d", folder / "all", **options) / "f").read_bytes(),
    }


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("way", ["path", "file object", "folder"])
@pytest.mark.parametrize("options", [{}, {"chunk_size": STEP}], ids=["whole", "chunks"])
class TestDownloads:
    def test_content_that_was_changed_once_is_read_again(
        self, gcs_front: GcsFront, fronted: GcsBucket, content: bytes, tmp_path: Path, way: str, options: Any
    ) -> None:
        gcs_front.corrupt("download")
        assert downloads(fronted, tmp_path, **options)[way]() == content

    def test_content_that_is_always_changed_is_an_error(
        self, gcs_front: GcsFront, fronted: GcsBucket, content: bytes, tmp_path: Path, way: str, options: Any
    ) -> None:
        assert content
        gcs_front.corrupt("download", times=None)
        with pytest.raises(errors.GcpChecksumMismatch, match=r"base/d/f.*checksum"):
            downloads(fronted, tmp_path, **options)[way]()
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_a_connection_that_breaks_off_is_taken_up_again(
        self, gcs_front: GcsFront, fronted: GcsBucket, content: bytes, tmp_path: Path, way: str, options: Any
    ) -> None:
        gcs_front.cut("download", times=2)
        assert downloads(fronted, tmp_path, **options)[way]() == content

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_failure_that_passes_is_not_seen(
        self,
        gcs_front: GcsFront,
        fronted: GcsBucket,
        content: bytes,
        tmp_path: Path,
        way: str,
        options: Any,
        status: int,
    ) -> None:
        gcs_front.fail("download", status=status)
        assert downloads(fronted, tmp_path, **options)[way]() == content


def test_a_file_object_holds_nothing_wrong_after_a_failure(
    gcs_front: GcsFront, fronted: GcsBucket, content: bytes
) -> None:
    assert content
    gcs_front.corrupt("download", times=None)
    target = io.BytesIO(b"before")
    target.seek(6)
    with pytest.raises(errors.GcpChecksumMismatch):
        fronted.download_object_to_file_object("d/f", target)
    assert target.getvalue() == b"before"


def test_reading_into_memory_is_checked(gcs_front: GcsFront, fronted: GcsBucket, content: bytes) -> None:
    gcs_front.corrupt("download")
    assert fronted.read_path("d/f") == content
    gcs_front.corrupt("download", times=None)
    with pytest.raises(errors.GcpChecksumMismatch, match="proxy"):
        fronted.read_path("d/f")


def test_the_check_can_be_left_out(gcs_front: GcsFront, fronted: GcsBucket, content: bytes) -> None:
    gcs_front.corrupt("download", times=None)
    target = io.BytesIO()
    fronted.download_object_to_file_object("d/f", target, checksum=None)
    assert len(target.getvalue()) == len(content)


def uploads(bucket: GcsBucket, folder: Path, content: bytes, **options: Any) -> dict[str, Any]:
    """Every way to upload to `d/f`."""
    (folder / "d").mkdir()
    (folder / "d" / "f").write_bytes(content)
    return {
        "path": lambda: bucket.upload_from_path(folder / "d" / "f", "d/f", **options),
        "file object": lambda: bucket.upload_from_file_object(io.BytesIO(content), "d/f", **options),
        "folder": lambda: bucket.upload_from_folder(folder / "d", "d", **options),
    }


@pytest.mark.parametrize("way", ["path", "file object", "folder"])
@pytest.mark.parametrize(
    ("options", "operation"), [({}, "upload"), ({"chunk_size": STEP}, "chunk")], ids=["whole", "chunks"]
)
class TestUploads:
    def test_content_that_was_changed_once_is_sent_again(
        self,
        gcs_front: GcsFront,
        fronted: GcsBucket,
        behind: Any,
        tmp_path: Path,
        way: str,
        options: Any,
        operation: Any,
    ) -> None:
        content = os.urandom(3 * STEP + 7)
        gcs_front.corrupt(operation)
        uploads(fronted, tmp_path, content, **options)[way]()
        assert behind.get("base/d/f") == content

    def test_content_that_is_always_changed_is_an_error_and_not_stored(
        self,
        gcs_front: GcsFront,
        fronted: GcsBucket,
        behind: Any,
        tmp_path: Path,
        way: str,
        options: Any,
        operation: Any,
    ) -> None:
        gcs_front.corrupt(operation, times=None)
        with pytest.raises(errors.GcpChecksumMismatch, match="base/d/f"):
            uploads(fronted, tmp_path, os.urandom(3 * STEP + 7), **options)[way]()
        assert behind.keys() == []

    @pytest.mark.parametrize(("status", "after"), [(408, False), (429, False), (503, True)])
    def test_a_failure_that_passes_is_not_seen(
        self,
        gcs_front: GcsFront,
        fronted: GcsBucket,
        behind: Any,
        tmp_path: Path,
        way: str,
        options: Any,
        operation: Any,
        status: int,
        after: bool,
    ) -> None:
        content = os.urandom(2 * STEP + 7)
        gcs_front.fail(operation, status=status, after=after)
        uploads(fronted, tmp_path, content, **options)[way]()
        assert behind.get("base/d/f") == content


@pytest.mark.parametrize("operation", ["list", "metadata", "copy", "delete"])
def test_every_other_request_is_repeated_too(
    gcs_front: GcsFront, fronted: GcsBucket, behind: Any, operation: Any
) -> None:
    behind.put("base/a", b"1")
    gcs_front.fail(operation, status=503)
    fronted.move_object("a", "b")
    assert [blob.name for blob in fronted.list_blobs()] == ["base/b"]


def test_a_stored_gzip_file_is_read_as_what_is_in_it(gcs_bucket: GcsBucket, behind: Any, tmp_path: Path) -> None:
    import gzip

    blob = behind.client.bucket(behind.bucket).blob("base/z/f")
    blob.content_encoding = "gzip"
    packed = gzip.compress(b"plain" * 100)
    blob.upload_from_string(packed)
    raw = gcs_bucket.download_object_to_path("z/f", tmp_path / "raw", raw_download=True)
    assert raw.read_bytes() == packed
