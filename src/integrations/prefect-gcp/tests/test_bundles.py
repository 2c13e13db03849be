"""Bundles go through a real store unharmed or are refused, and the two steps run as Prefect calls them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from google.api_core import exceptions as google_exceptions

from prefect_gcp import GcpCredentials
from prefect_gcp.bundles import execute, upload
from prefect_gcp.bundles.execute import execute_bundle_from_gcs
from prefect_gcp.bundles.upload import upload_bundle_to_gcs
from prefect_gcp.errors import GcpAccessDenied, GcpBucketNotFound, GcpBundleRefused, GcpObjectNotFound
from prefect_integration_kit.bundles import DIGEST, PYTHON, download_bundle

KEY = "0b7f6f7e-1d0c-4a51-9d0a-6a8f0c3f6d11"
EMPTY = '{"function": "f", "context": "c", "flow_run": {}}'


@pytest.fixture(autouse=True)
def surroundings(gcs_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Google's client finds on a machine that may use the store."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.endpoint)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", gcs_server.project)


@pytest.fixture
def bucket(gcs_server: Any, gcs_bucket_name: str) -> Any:
    """An empty bucket, by Google's own client."""
    return gcs_server.client().bucket(gcs_bucket_name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / KEY
    path.write_text(EMPTY)
    return path


def keys(bucket: Any) -> list[str]:
    return [blob.name for blob in bucket.list_blobs()]


def fetch(bucket: str, key: str, folder: Path, block: str | None = None) -> bytes:
    from prefect_gcp.bundles._store import GcsBundleStore

    return download_bundle(GcsBundleStore.open(bucket, block), key, folder).read_bytes()


@pytest.mark.parametrize("size", [0, 1000, 9 * 1024 * 1024], ids=["empty", "small", "in parts"])
def test_what_is_uploaded_is_what_is_downloaded(bucket: Any, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "up").write_bytes(content)
    for _ in range(2):  # the second time does no harm
        result = upload_bundle_to_gcs(tmp_path / "up", bucket.name, "files/up.zip")
    assert result == {"bucket": bucket.name, "key": "files/up.zip"}
    assert keys(bucket) == ["files/up.zip"]
    stored = bucket.get_blob("files/up.zip")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert stored.metadata == {DIGEST: hashlib.sha256(content).hexdigest(), PYTHON: python}
    assert stored.download_as_bytes() == content
    assert fetch(bucket.name, "files/up.zip", tmp_path / "down") == content


@pytest.mark.parametrize("given", ["/deep//./file", "deep/file"])
def test_a_key_is_written_in_one_way(bucket: Any, file: Path, given: str, tmp_path: Path) -> None:
    assert upload_bundle_to_gcs(file, bucket.name, given)["key"] == "deep/file"
    assert keys(bucket) == ["deep/file"]
    assert fetch(bucket.name, given, tmp_path / "down") == file.read_bytes()


def test_a_bundle_without_a_key_is_named_after_its_file(bucket: Any, file: Path) -> None:
    assert upload_bundle_to_gcs(file, bucket.name, "")["key"] == KEY


def test_a_path_may_be_text(bucket: Any, file: Path) -> None:
    assert upload_bundle_to_gcs(str(file), bucket.name, KEY)["key"] == KEY  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "a\\..\\outside", "/", "a\nb"])
def test_a_key_cannot_leave_the_bucket_or_the_folder(bucket: Any, file: Path, key: str) -> None:
    for work in (
        lambda: upload_bundle_to_gcs(file, bucket.name, key),
        lambda: execute_bundle_from_gcs(bucket.name, key),
    ):
        with pytest.raises(ValueError, match="Bundle key"):
            work()
    assert not keys(bucket)


@pytest.mark.usefixtures("prefect_harness")
async def test_credentials_come_from_a_saved_block_in_async_code_too(
    gcs_server: Any, bucket: Any, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = GcpCredentials(project=gcs_server.project, api_endpoints={"storage": gcs_server.endpoint})
    await block.save("gcs-bundle-store", overwrite=True)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    upload_bundle_to_gcs(file, bucket.name, KEY, "gcs-bundle-store")
    assert fetch(bucket.name, KEY, tmp_path / "down", "gcs-bundle-store") == file.read_bytes()
    with pytest.raises(ValueError, match="no-such-block"):
        upload_bundle_to_gcs(file, bucket.name, KEY, "no-such-block")


# What goes wrong -----------------------------------------------------------------------------------------------------


def test_a_file_that_does_not_exist_is_named(bucket: Any) -> None:
    for error in (ValueError, FileNotFoundError):
        with pytest.raises(error, match=r"absent\.json' does not exist"):
            upload_bundle_to_gcs(Path("absent.json"), bucket.name, KEY)


@pytest.mark.parametrize("name", ["", "gs://bucket", "bucket/folder"])
def test_a_bucket_that_is_no_name_is_refused(file: Path, name: str) -> None:
    for call in (lambda: upload_bundle_to_gcs(file, name, KEY), lambda: execute_bundle_from_gcs(name, KEY)):
        with pytest.raises(ValueError, match="Bucket name"):
            call()


def test_what_is_missing_is_named(bucket: Any, file: Path) -> None:
    with pytest.raises(GcpObjectNotFound, match=f"gs://{bucket.name}/{KEY}") as caught:
        execute_bundle_from_gcs(bucket.name, KEY)
    assert isinstance(caught.value, google_exceptions.NotFound)
    assert pickle.loads(pickle.dumps(caught.value)).subject == f"gs://{bucket.name}/{KEY}"
    for work in (
        lambda: upload_bundle_to_gcs(file, "no-such-bucket", KEY),
        lambda: execute_bundle_from_gcs("no-such-bucket", KEY),
    ):
        with pytest.raises(GcpBucketNotFound, match="no-such-bucket"):
            work()


def test_a_request_that_is_denied_says_which_permission_is_missing(
    gcs_front: Any, bucket: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_front.endpoint)
    gcs_front.fail("*", status=403, times=None)
    for work in (
        lambda: upload_bundle_to_gcs(file, bucket.name, KEY),
        lambda: execute_bundle_from_gcs(bucket.name, KEY),
    ):
        with pytest.raises(GcpAccessDenied, match=rf"gs://{bucket.name}/{KEY}.*storage\.objects\.get"):
            work()


@pytest.mark.parametrize("fault", ["refused", "done but refused", "cut", "corrupted"])
@pytest.mark.parametrize("size", [1000, 9 * 1024 * 1024], ids=["small", "in parts"])
def test_a_single_failure_on_the_way_does_no_harm(
    gcs_front: Any, bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, size: int
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_front.endpoint)
    content = os.urandom(size)
    (tmp_path / "up").write_bytes(content)
    break_: dict[str, Callable[[Any], None]] = {
        "refused": lambda operation: gcs_front.fail(operation, status=503),
        "done but refused": lambda operation: gcs_front.fail(operation, status=503, after=True),
        "cut": gcs_front.cut,
        "corrupted": gcs_front.corrupt,
    }
    operations = ("upload", "download") if fault == "corrupted" else ("upload", "metadata", "download")
    if (fault, size) == ("corrupted", 1000):
        operations = ("upload", "download")
    elif fault == "corrupted":
        operations = ("download",)  # what the front spoils of a resumable upload, the server does not notice
    for operation in operations:
        break_[fault](operation)
    upload_bundle_to_gcs(tmp_path / "up", bucket.name, KEY)
    assert fetch(bucket.name, KEY, tmp_path / "down") == content
    assert bucket.get_blob(KEY).download_as_bytes() == content


def test_cloud_storage_is_told_the_checksum_and_the_key_that_encrypts(
    gcs_front: Any, bucket: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_front.endpoint)
    kms = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
    command = ["--bucket", bucket.name, "--key", KEY, "--kms-key-name", kms, str(file)]
    assert run(upload.main, monkeypatch, *command) == 0
    (request,) = gcs_front.seen("upload")
    checksum = base64.b64encode(google_crc32c.value(file.read_bytes()).to_bytes(4, "big")).decode()
    assert checksum.encode() in request.body
    assert request.query["kmsKeyName"] == kms
    assert "predefinedAcl" not in request.query


def test_a_bundle_that_is_replaced_while_it_is_read_is_read_anew(
    gcs_front: Any, bucket: Any, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_front.endpoint)
    upload_bundle_to_gcs(file, bucket.name, KEY)
    gcs_front.fail("download", status=412)
    assert fetch(bucket.name, KEY, tmp_path / "down") == file.read_bytes()
    first, second = gcs_front.seen("download")
    assert int(first.query["ifGenerationMatch"]) > 0
    assert len(gcs_front.seen("metadata")) == 2
    assert second.query["ifGenerationMatch"]


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that appears when the bundle of `trapped` is unpickled."""
    return tmp_path / "unpickled"


@pytest.fixture
def trapped(bucket: Any, tmp_path: Path, trap: Path) -> bytes:
    """An uploaded bundle that betrays it when someone unpickles it; its content."""
    from prefect.bundles import _serialize_bundle_object

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (trap,)

    packed = _serialize_bundle_object(Trap())
    content = json.dumps({"function": packed, "context": packed, "flow_run": {}, "dependencies": ""}).encode()
    (tmp_path / "trapped").write_bytes(content)
    upload_bundle_to_gcs(tmp_path / "trapped", bucket.name, KEY)
    return content


@pytest.mark.parametrize("change", [b" ", b"}"], ids=["longer", "other"])
def test_a_bundle_that_was_changed_is_refused_before_it_is_unpickled(
    bucket: Any, trapped: bytes, trap: Path, change: bytes
) -> None:
    stored = bucket.get_blob(KEY)
    blob = bucket.blob(KEY)
    blob.metadata = stored.metadata
    blob.upload_from_string(trapped + change)
    with pytest.raises(GcpBundleRefused, match=f"gs://{bucket.name}/{KEY} is not what was uploaded") as caught:
        execute_bundle_from_gcs(bucket.name, KEY)
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.subject == f"gs://{bucket.name}/{KEY}"
    assert not trap.exists()

    from prefect.bundles import extract_flow_from_bundle

    extract_flow_from_bundle(json.loads(trapped))
    assert trap.exists()  # so the trap works


def test_a_bundle_that_an_earlier_version_uploaded_is_taken_as_it_is(
    bucket: Any, trapped: bytes, tmp_path: Path
) -> None:
    bucket.blob(KEY).upload_from_string(trapped)
    assert fetch(bucket.name, KEY, tmp_path / "down") == trapped


def test_what_is_no_bundle_is_refused(bucket: Any) -> None:
    bucket.blob(KEY).upload_from_string(b"PK")
    with pytest.raises(GcpBundleRefused, match=f"gs://{bucket.name}/{KEY} is not a bundle"):
        execute_bundle_from_gcs(bucket.name, KEY)


# The command lines ---------------------------------------------------------------------------------------------------


def run(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["step", *arguments])
    try:
        main()
    except SystemExit as exc:
        return exc.code
    return 0


def test_a_bundle_is_uploaded_from_the_command_line_in_silence(
    bucket: Any, file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(upload.main, monkeypatch, "--bucket", bucket.name, "--key", KEY, str(file)) == 0
    assert bucket.get_blob(KEY).download_as_bytes() == file.read_bytes()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("main", "arguments", "says"),
    [
        (upload.main, ["--bucket", "b", "--key", KEY], "LOCAL_FILEPATH"),
        (upload.main, ["--bucket", "b", "f"], "--key"),
        (upload.main, ["--bucket", "b", "--key", KEY, "f", "--acl", "public"], "--acl"),
        (execute.main, ["--key", KEY], "--bucket"),
        (execute.main, ["--bucket", "b", "--ke", KEY], "--key"),
        (execute.main, ["--bucket", "b", "--key", KEY, "file"], "file"),
        (execute.main, ["--bucket", "b", "--key", KEY, "--delete-after-run", "perhaps"], "perhaps"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_the_usage(
    main: Callable[[], None],
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(main, monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"usage: python -m prefect_gcp.bundles.{'upload' if main is upload.main else 'execute'}")
    assert says in error.splitlines()[-1]


def test_a_failure_is_one_line_without_a_traceback(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code = run(upload.main, monkeypatch, "--bucket", bucket.name, "--key", KEY, "absent.json")
    assert str(code).startswith("BundleFileNotFound: Bundle file 'absent.json' does not exist")
    code = run(execute.main, monkeypatch, "--bucket", bucket.name, "--key", KEY)
    assert str(code).startswith(f"GcpObjectNotFound: gs://{bucket.name}/{KEY}: ")
    assert "\n" not in str(code)


def test_the_steps_run_when_warnings_are_errors(tmp_path: Path) -> None:
    script = """
import contextlib, runpy, sys
sys.argv = ["step", "--help"]
for package in ("prefect_gcp.bundles", "prefect_gcp.experimental.bundles"):
    for step in ("upload", "execute"):
        with contextlib.suppress(SystemExit):
            runpy.run_module(f"{package}.{step}", run_name="__main__", alter_sys=True)
"""
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("--gcp-credentials-block-name") == 8  # in usage and options


def test_a_python_that_google_warns_of_runs_the_steps_too(
    bucket: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk_module = "google.api_core._python_version_support"  # warns when the SDK is imported
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(upload.main, monkeypatch, "--bucket", bucket.name, "--key", KEY, str(file)) == 0
        warnings.warn_explicit("This Python is old.", FutureWarning, "x.py", 1, module=sdk_module)
        with pytest.raises(FutureWarning):
            warnings.warn_explicit("This call is old.", FutureWarning, "x.py", 1, module="shop.flows")
