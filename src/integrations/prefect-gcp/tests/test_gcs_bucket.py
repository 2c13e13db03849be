"""The Cloud Storage block: what is written is read back, and what is asked of Google's client reaches it."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions as google_exceptions

from prefect_gcp import errors
from prefect_gcp.cloud_storage import GcsBucket
from prefect_integration_kit.paths import PathEscapes
from prefect_integration_tests.backends.gcs import FakeGcs, GcsFront

KEY = bytes(range(32))


class TestPaths:
    def test_a_returned_path_is_taken_by_the_next_call(self, gcs_bucket: GcsBucket, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(b"1")
        key = gcs_bucket.upload_from_path(tmp_path / "a.txt")
        assert key == "base/a.txt"
        assert gcs_bucket.download_object_to_path(key, tmp_path / "b.txt") == tmp_path / "b.txt"
        folder = gcs_bucket.upload_from_folder(tmp_path, "deep/er")
        assert folder == "base/deep/er"
        gcs_bucket.download_folder_to_path(folder, tmp_path / "back")
        assert (tmp_path / "back" / "a.txt").read_bytes() == b"1"

    def test_a_folder_given_with_its_root_is_not_doubled(
        self, gcs_bucket: GcsBucket, behind: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "f").write_bytes(b"1")
        for folder in ("x", "base/x", "base/x/", "x/"):
            gcs_bucket.put_directory(str(tmp_path), folder)
        gcs_bucket.put_directory(str(tmp_path), "base")
        gcs_bucket.put_directory(str(tmp_path))
        assert behind.keys() == ["base/f", "base/x/f"]

    @pytest.mark.usefixtures("engine")
    def test_the_whole_bucket_is_a_folder_too(self, gcs_bucket: GcsBucket, behind: Any, tmp_path: Path) -> None:
        whole = gcs_bucket.model_copy(update={"bucket_folder": ""})
        (tmp_path / "up").mkdir()
        (tmp_path / "up" / "f").write_bytes(b"1")
        assert whole.upload_from_folder(tmp_path / "up") == ""
        assert behind.keys() == ["f"]
        assert whole.get_directory(local_path=str(tmp_path / "down")) == [tmp_path / "down" / "f"]

    def test_a_directory_goes_to_the_folder_that_is_named(
        self, gcs_bucket: GcsBucket, behind: Any, tmp_path: Path
    ) -> None:
        behind.put("base/x/y/f", b"1")
        behind.put("base/x/g", b"2")
        found = gcs_bucket.get_directory("x", str(tmp_path / "here"))
        assert found == [tmp_path / "here" / "g", tmp_path / "here" / "y" / "f"]
        assert all(isinstance(path, Path) and path.is_file() for path in found)

    @pytest.mark.usefixtures("engine")
    def test_a_sibling_with_the_same_beginning_is_another_folder(
        self, gcs_bucket: GcsBucket, behind: Any, tmp_path: Path
    ) -> None:
        for key in ("base/logs/a", "base/logs2/b", "base2/logs/c", "base/logs.txt"):
            behind.put(key, b"1")
        gcs_bucket.get_directory("logs", str(tmp_path))
        assert [path.name for path in tmp_path.iterdir()] == ["a"]
        assert [blob.name for blob in gcs_bucket.list_blobs("logs")] == ["base/logs/a"]
        gcs_bucket.sync_to_folder("logs", tmp_path / "synced")
        assert [path.name for path in (tmp_path / "synced").iterdir()] == ["a"]

    @pytest.mark.parametrize("method", ["read_path", "download_object_to_path", "list_blobs", "get_directory"])
    def test_a_path_that_climbs_out_is_refused(self, gcs_bucket: GcsBucket, method: str) -> None:
        with pytest.raises(PathEscapes, match="other"):
            getattr(gcs_bucket, method)("../other/secret")

    def test_an_empty_path_is_refused(self, gcs_bucket: GcsBucket) -> None:
        whole = gcs_bucket.model_copy(update={"bucket_folder": ""})
        with pytest.raises(ValueError, match="path is empty"):
            whole.read_path("")

    def test_basepath_is_the_folder(self, gcs_bucket: GcsBucket) -> None:
        assert gcs_bucket.basepath == gcs_bucket.bucket_folder == "base/"
        assert GcsBucket(bucket="b", gcp_credentials=gcs_bucket.gcp_credentials).basepath == ""
        with pytest.raises(AttributeError):
            gcs_bucket.basepath = "other"  # pyright: ignore[reportAttributeAccessIssue]


class TestListings:
    async def test_folders_are_listed_with_those_in_them(self, gcs_bucket: GcsBucket, behind: Any, call: Any) -> None:
        for key in ("base/a.txt", "base/y/2024/01/f", "base/y/g", "base/z.dotted/h", "base/m/"):
            behind.put(key, b"1")
        assert await call(gcs_bucket, "list_folders") == [
            *("base", "base/m", "base/y", "base/y/2024", "base/y/2024/01", "base/z.dotted")
        ]
        assert await call(gcs_bucket, "list_folders", "y") == ["base/y", "base/y/2024", "base/y/2024/01"]
        assert await call(gcs_bucket, "list_folders", "y/2024") == ["base/y/2024/01"]
        assert await call(gcs_bucket, "list_folders", "absent") == []

    async def test_blobs_are_the_clients_own_without_markers_of_folders(
        self, gcs_bucket: GcsBucket, behind: Any, call: Any
    ) -> None:
        for key in ("base/x/", "base/x/a", "base/x/y/", "base/x/y/b"):
            behind.put(key, b"12")
        blobs = await call(gcs_bucket, "list_blobs", "x")
        assert [(blob.name, blob.size, blob.bucket.name) for blob in blobs] == [
            ("base/x/a", 2, gcs_bucket.bucket),
            ("base/x/y/b", 2, gcs_bucket.bucket),
        ]
        assert blobs[0].download_as_bytes() == b"12"

    def test_a_path_of_one_object_lists_it(self, gcs_bucket: GcsBucket, behind: Any) -> None:
        behind.put("base/x/a", b"1")
        assert [blob.name for blob in gcs_bucket.list_blobs("x/a")] == ["base/x/a"]


class TestTheBucketItself:
    async def test_is_created_once(self, gcs_bucket: GcsBucket, call: Any, gcs_client: Any) -> None:
        block = gcs_bucket.model_copy(update={"bucket": f"{gcs_bucket.bucket}-new-{call.face}"})
        with pytest.raises(errors.GcpBucketNotFound, match=block.bucket):
            await call(block, "get_bucket")
        made = await call(block, "create_bucket")
        assert made.name == block.bucket
        assert (await call(block, "get_bucket")).name == block.bucket
        assert gcs_client.bucket(block.bucket).exists()
        with pytest.raises(errors.GcpAlreadyExists, match=block.bucket) as caught:
            await call(block, "create_bucket")
        assert isinstance(caught.value, google_exceptions.Conflict)

    def test_is_created_where_and_as_it_is_asked_for(self, gcs_front: GcsFront, fronted: GcsBucket) -> None:
        block = fronted.model_copy(update={"bucket": f"{fronted.bucket}-more"})
        block.create_bucket("EU", project="another-project", predefined_acl="private", timeout=7)
        (request,) = gcs_front.seen("create")
        assert (request.query["project"], request.query["predefinedAcl"]) == ("another-project", "private")
        assert json.loads(request.body) == {"name": block.bucket, "location": "EU"}

    @pytest.mark.parametrize("name", ["", "gs://bucket", "bucket/folder"])
    def test_has_a_bare_name(self, gcs_bucket: GcsBucket, name: str) -> None:
        block = gcs_bucket.model_copy(update={"bucket": name})
        with pytest.raises(ValueError, match="bare name"):
            block.read_path("a")


class TestOptions:
    """What is passed on to Google's client."""

    async def test_a_precondition_protects_an_object(self, gcs_bucket: GcsBucket, call: Any, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"new")
        await call(gcs_bucket, "write_path", "f", b"old")
        with pytest.raises(errors.GcpPreconditionFailed, match="base/f") as caught:
            await call(gcs_bucket, "upload_from_path", tmp_path / "f", "f", if_generation_match=0)
        assert isinstance(caught.value, google_exceptions.PreconditionFailed)
        with pytest.raises(errors.GcpPreconditionFailed):
            await call(gcs_bucket, "upload_from_file_object", io.BytesIO(b"new"), "f", if_generation_match=0)
        with pytest.raises(errors.GcpPreconditionFailed):
            await call(gcs_bucket, "upload_from_folder", tmp_path, if_generation_match=0)
        assert await call(gcs_bucket, "read_path", "f") == b"old"
        await call(gcs_bucket, "upload_from_path", tmp_path / "f", "g", if_generation_match=0)
        assert await call(gcs_bucket, "read_path", "g") == b"new"

    async def test_a_range_is_read(self, gcs_bucket: GcsBucket, call: Any, tmp_path: Path) -> None:
        await call(gcs_bucket, "write_path", "f", b"0123456789")
        path = await call(gcs_bucket, "download_object_to_path", "f", tmp_path / "f", start=2, end=4)
        assert path.read_bytes() == b"234"
        target = io.BytesIO()
        await call(gcs_bucket, "download_object_to_file_object", "f", target, start=8)
        assert target.getvalue() == b"89"
        await call(gcs_bucket, "download_folder_to_path", "", tmp_path / "all", end=0)
        assert (tmp_path / "all" / "f").read_bytes() == b"0"

    def test_a_content_type_is_kept_or_guessed(self, gcs_bucket: GcsBucket, behind: Any, tmp_path: Path) -> None:
        (tmp_path / "f.json").write_bytes(b"{}")
        gcs_bucket.upload_from_path(tmp_path / "f.json", "guessed")
        gcs_bucket.upload_from_path(tmp_path / "f.json", "given", content_type="text/x-own")
        gcs_bucket.upload_from_folder(tmp_path, "folder", content_type="text/x-own")
        kinds = {key: behind.blob(f"base/{key}").content_type for key in ("guessed", "given", "folder/f.json")}
        assert kinds == {"guessed": "application/json", "given": "text/x-own", "folder/f.json": "text/x-own"}

    def test_an_older_generation_is_read(self, gcs_bucket: GcsBucket, gcs_front: GcsFront, fronted: GcsBucket) -> None:
        gcs_bucket.write_path("f", b"1")
        generation = gcs_bucket.list_blobs("f")[0].generation
        target = io.BytesIO()
        fronted.download_object_to_file_object("f", target, generation=generation)
        assert gcs_front.seen("download")[0].query["generation"] == str(generation)

    @pytest.mark.parametrize("key", [KEY, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="])
    async def test_an_object_is_encrypted_with_a_key_of_ones_own(
        self, fronted: GcsBucket, call: Any, key: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "f").write_bytes(b"kept")
        await call(fronted, "upload_from_path", tmp_path / "f", "f", encryption_key=key)
        path = await call(fronted, "download_object_to_path", "f", tmp_path / "back", encryption_key=KEY)
        assert path.read_bytes() == b"kept"
        await call(fronted, "copy_object", "f", "g", encryption_key=KEY)
        with pytest.raises(errors.GcpInvalidRequest, match="customer-supplied encryption key"):
            await call(fronted, "read_path", "f")
        with pytest.raises(errors.GcpInvalidRequest, match="incorrect"):
            await call(fronted, "download_object_to_path", "f", tmp_path / "no", encryption_key=bytes(32))
        assert not (tmp_path / "no").exists()

    @pytest.mark.parametrize("bad", ["too short", b"1" * 31, "=" * 44, 7])
    def test_a_key_that_is_none_is_refused_without_being_shown(
        self, gcs_bucket: GcsBucket, tmp_path: Path, bad: Any
    ) -> None:
        with pytest.raises(ValueError, match="encryption_key") as caught:
            gcs_bucket.download_object_to_path("f", tmp_path / "f", encryption_key=bad)
        assert str(bad) not in str(caught.value).replace("32", "")

    def test_an_unknown_option_is_an_error(self, gcs_bucket: GcsBucket, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"1")
        with pytest.raises(TypeError, match="no_such_option"):
            gcs_bucket.upload_from_path(tmp_path / "f", no_such_option=1)

    def test_a_time_out_is_kept(self, gcs_server: FakeGcs, gcs_bucket: GcsBucket, fault_proxy: Any) -> None:
        gcs_bucket.write_path("f", b"1")
        proxy = fault_proxy("127.0.0.1", gcs_server.port)
        slow = GcsBucket(
            bucket=gcs_bucket.bucket,
            bucket_folder="base",
            gcp_credentials=gcs_bucket.gcp_credentials.model_copy(update={"api_endpoints": {"storage": proxy.url}}),
        )
        proxy.blackhole = True
        with pytest.raises(errors.GcpConnectionFailed, match=r"base/f"):
            slow.download_object_to_file_object("f", io.BytesIO(), timeout=(0.2, 0.2), retry=None)


class TestChunks:
    """Resumable uploads, and downloads in ranges."""

    STEP = 256 * 1024

    def test_a_file_goes_and_comes_in_chunks(self, gcs_front: GcsFront, fronted: GcsBucket, tmp_path: Path) -> None:
        content = os.urandom(self.STEP * 2 + 5)
        (tmp_path / "f").write_bytes(content)
        fronted.upload_from_path(tmp_path / "f", "f", chunk_size=self.STEP)
        assert [len(request.body) for request in gcs_front.seen("chunk")] == [self.STEP, self.STEP, 5]
        back = fronted.download_object_to_path("f", tmp_path / "back", chunk_size=self.STEP)
        assert back.read_bytes() == content
        assert [request.headers["range"] for request in gcs_front.seen("download")] == [
            f"bytes=0-{self.STEP - 1}",
            f"bytes={self.STEP}-{2 * self.STEP - 1}",
            f"bytes={2 * self.STEP}-{2 * self.STEP + 4}",
        ]

    @pytest.mark.parametrize("size", [0, 1, STEP, STEP * 2])
    def test_any_size_will_do(self, gcs_bucket: GcsBucket, size: int) -> None:
        content, target = os.urandom(size), io.BytesIO()
        gcs_bucket.upload_from_file_object(io.BytesIO(content), "f", chunk_size=self.STEP)
        gcs_bucket.download_object_to_file_object("f", target, chunk_size=self.STEP)
        assert target.getvalue() == content

    @pytest.mark.parametrize("fault", ["refused", "lost", "cut"])
    def test_a_broken_connection_costs_one_chunk(
        self, gcs_front: GcsFront, fronted: GcsBucket, behind: Any, fault: str
    ) -> None:
        content = os.urandom(self.STEP * 3 + 5)
        if fault == "cut":
            gcs_front.cut("chunk")
        else:
            gcs_front.fail("chunk", status=503, after=fault == "lost")
        fronted.upload_from_file_object(io.BytesIO(content), "f", chunk_size=self.STEP)
        assert behind.get("base/f") == content
        assert len(gcs_front.seen("upload")) == 1
        assert len(gcs_front.seen("chunk")) == 5

    def test_what_cannot_seek_is_uploaded_in_chunks_too(
        self, gcs_front: GcsFront, fronted: GcsBucket, behind: Any
    ) -> None:
        content = os.urandom(self.STEP * 2 + 5)
        reader, writer = os.pipe()

        def fill() -> None:
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(content)

        thread = threading.Thread(target=fill)
        thread.start()
        gcs_front.fail("chunk", status=503)
        with os.fdopen(reader, "rb") as pipe:
            fronted.upload_from_file_object(pipe, "f", chunk_size=self.STEP)
        thread.join()
        assert behind.get("base/f") == content

    @pytest.mark.parametrize("bad", [0, -1, 1000, STEP + 1, "big"])
    def test_a_chunk_has_a_certain_size(self, gcs_bucket: GcsBucket, bad: Any) -> None:
        with pytest.raises(ValueError, match=r"chunk_size .*262144"):
            gcs_bucket.upload_from_file_object(io.BytesIO(b"1"), "f", chunk_size=bad)

    def test_a_size_may_be_a_number_of_numpy(self, gcs_bucket: GcsBucket) -> None:
        np: Any = pytest.importorskip("numpy", reason="The number is one of numpy.")
        content, target = os.urandom(self.STEP + 1), io.BytesIO()
        gcs_bucket.upload_from_file_object(io.BytesIO(content), "f", chunk_size=np.int64(self.STEP))
        gcs_bucket.download_object_to_file_object("f", target, chunk_size=np.int64(self.STEP))
        assert target.getvalue() == content


class TestBetweenObjects:
    async def test_a_copy_is_made_under_conditions(
        self, gcs_front: GcsFront, fronted: GcsBucket, behind: Any, call: Any
    ) -> None:
        await call(fronted, "write_path", "a", b"1")
        assert await call(fronted, "copy_object", "a", "b", if_generation_match=0) == "base/b"
        assert await call(fronted, "copy_object", "a", "whole/c", fronted.bucket, preserve_acl=False) == "whole/c"
        assert behind.keys() == ["base/a", "base/b", "whole/c"]
        assert gcs_front.seen("copy")[0].query["ifGenerationMatch"] == "0"
        gcs_front.fail("copy", status=412)
        with pytest.raises(errors.GcpPreconditionFailed, match=r"base/a to gs://.*/base/b"):
            await call(fronted, "copy_object", "a", "b", if_generation_match=0)

    def test_a_copy_to_a_missing_bucket_names_it(self, gcs_bucket: GcsBucket) -> None:
        gcs_bucket.write_path("a", b"1")
        with pytest.raises(errors.GcpBucketNotFound, match="no-such-bucket"):
            gcs_bucket.copy_object("a", "b", "no-such-bucket")

    def test_an_object_that_cannot_be_deleted_is_said_to_be_copied(
        self, gcs_front: GcsFront, fronted: GcsBucket, behind: Any
    ) -> None:
        fronted.write_path("a", b"1")
        gcs_front.fail("delete", status=403, times=None)
        with pytest.raises(errors.GcpAccessDenied, match=r"was copied to .*b but not deleted"):
            fronted.move_object("a", "b")
        assert behind.keys() == ["base/a", "base/b"]

    def test_an_object_is_not_moved_onto_itself(self, gcs_bucket: GcsBucket) -> None:
        gcs_bucket.write_path("a", b"1")
        with pytest.raises(ValueError, match="onto itself"):
            gcs_bucket.move_object("a", "base/a")


class TestFiles:
    def test_a_file_in_text_mode_is_refused(self, gcs_bucket: GcsBucket, tmp_path: Path) -> None:
        gcs_bucket.write_path("f", b"1")
        with (tmp_path / "f").open("w") as file, pytest.raises(TypeError, match="binary mode"):
            gcs_bucket.download_object_to_file_object("f", file)  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match="binary mode"):
            gcs_bucket.upload_from_file_object(io.StringIO("1"), "f")  # pyright: ignore[reportArgumentType]

    def test_content_that_is_no_bytes_is_refused(self, gcs_bucket: GcsBucket) -> None:
        with pytest.raises(TypeError, match="int"):
            gcs_bucket.write_path("f", 7)  # pyright: ignore[reportArgumentType]

    def test_a_missing_file_and_a_folder_are_told_apart(self, gcs_bucket: GcsBucket, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="nothing"):
            gcs_bucket.upload_from_path(tmp_path / "nothing")
        with pytest.raises(IsADirectoryError, match="upload_from_folder"):
            gcs_bucket.upload_from_path(tmp_path)
        gcs_bucket.write_path("f", b"1")
        with pytest.raises(IsADirectoryError):
            gcs_bucket.download_object_to_path("f", tmp_path)

    def test_the_home_folder_is_meant_by_a_tilde(
        self, gcs_bucket: GcsBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        gcs_bucket.write_path("f", b"1")
        assert gcs_bucket.download_object_to_path("f", "~/f") == tmp_path / "f"

    def test_a_second_write_replaces_the_first(self, gcs_bucket: GcsBucket) -> None:
        assert gcs_bucket.write_path("f", b"1") == gcs_bucket.write_path("f", b"2") == "base/f"
        assert gcs_bucket.read_path("f") == b"2"
