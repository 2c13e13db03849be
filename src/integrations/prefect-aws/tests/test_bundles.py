"""Bundles go through a real store unharmed or are refused, and the two steps run as Prefect calls them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pickle
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_aws import AwsCredentials
from prefect_aws.bundles import execute, upload
from prefect_aws.bundles.execute import download_bundle_from_s3, execute_bundle_from_s3
from prefect_aws.bundles.upload import upload_bundle_to_s3
from prefect_aws.errors import AwsBundleFailed, AwsBundleRefused, AwsError, AwsObjectNotFound
from prefect_integration_kit.bundles import DIGEST, PYTHON
from prefect_integration_tests.backends.aws_stub import Fault

KEY = "0b7f6f7e-1d0c-4a51-9d0a-6a8f0c3f6d11"


@pytest.fixture(autouse=True)
def surroundings(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What boto3 finds on a machine that may use the store."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3_server.region)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / KEY
    path.write_text('{"function": "f", "context": "c", "flow_run": {}}')
    return path


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [0, 1000, 9 * 1024 * 1024], ids=["empty", "small", "in parts"])
def test_what_is_uploaded_is_what_is_downloaded(
    behind: Any, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(size)
    (tmp_path / "up").write_bytes(content)
    for _ in range(2):  # the second time does no harm
        result = upload_bundle_to_s3(str(tmp_path / "up"), behind.bucket, "files/up.zip")
    assert result == {"bucket": behind.bucket, "key": "files/up.zip", "url": f"s3://{behind.bucket}/files/up.zip"}
    assert behind.keys() == ["files/up.zip"]
    metadata = behind.client.head_object(Bucket=behind.bucket, Key="files/up.zip")["Metadata"]
    assert metadata == {DIGEST: digest_of(content), PYTHON: f"{sys.version_info.major}.{sys.version_info.minor}"}

    path = Path(download_bundle_from_s3(behind.bucket, "files/up.zip", str(tmp_path / "down"))["local_path"])
    assert path == tmp_path / "down" / "files" / "up.zip"
    assert path.read_bytes() == content


def test_without_a_folder_a_bundle_goes_to_one_that_only_its_owner_reads(behind: Any, file: Path) -> None:
    upload_bundle_to_s3(str(file), behind.bucket, KEY)
    path = Path(download_bundle_from_s3(behind.bucket, KEY)["local_path"])
    assert path.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.unlink()
    path.parent.rmdir()


@pytest.mark.parametrize("given", ["/deep//./file", "deep/file"])
def test_a_key_is_written_in_one_way(behind: Any, file: Path, given: str, tmp_path: Path) -> None:
    assert upload_bundle_to_s3(str(file), behind.bucket, given)["key"] == "deep/file"
    assert behind.keys() == ["deep/file"]
    assert download_bundle_from_s3(behind.bucket, given, str(tmp_path))["local_path"] == str(tmp_path / "deep" / "file")


def test_a_bundle_without_a_key_is_named_after_its_file(behind: Any, file: Path) -> None:
    assert upload_bundle_to_s3(str(file), behind.bucket, "")["key"] == KEY


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "a\\..\\outside"])
def test_a_key_cannot_leave_the_bucket_or_the_folder(behind: Any, file: Path, tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="Bundle key"):
        upload_bundle_to_s3(str(file), behind.bucket, key)
    with pytest.raises(ValueError, match="Bundle key"):
        download_bundle_from_s3(behind.bucket, key, str(tmp_path / "down"))
    assert not behind.keys()
    assert not (tmp_path / "outside").exists()


@pytest.mark.usefixtures("prefect_harness")
async def test_credentials_come_from_a_saved_block_in_async_code_too(
    s3_credentials: AwsCredentials, behind: Any, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    await s3_credentials.save("bundle-store", overwrite=True)
    upload_bundle_to_s3(str(file), behind.bucket, KEY, "bundle-store")
    download_bundle_from_s3(behind.bucket, KEY, str(tmp_path / "down"), "bundle-store")
    with pytest.raises(ValueError, match="no-such-block"):
        upload_bundle_to_s3(str(file), behind.bucket, KEY, "no-such-block")
    with pytest.raises(AwsBundleFailed):
        download_bundle_from_s3(behind.bucket, KEY)


# What goes wrong -----------------------------------------------------------------------------------------------------


def test_a_file_that_does_not_exist_is_named(behind: Any) -> None:
    with pytest.raises(ValueError, match=r"absent\.json' does not exist"):
        upload_bundle_to_s3("absent.json", behind.bucket, KEY)
    with pytest.raises(FileNotFoundError):
        upload_bundle_to_s3("absent.json", behind.bucket, KEY)


@pytest.mark.parametrize("bucket", ["", "s3://bucket", "bucket/folder"])
def test_a_bucket_that_is_no_name_is_refused(file: Path, bucket: str) -> None:
    for call in (lambda: upload_bundle_to_s3(str(file), bucket, KEY), lambda: execute_bundle_from_s3(bucket, KEY)):
        with pytest.raises(ValueError, match="Bucket name"):
            call()


@pytest.mark.parametrize("fault", [Fault.ACCESS_DENIED, Fault.UNKNOWN_KEY, Fault.EXPIRED_TOKEN, Fault.INTERNAL])
def test_what_aws_refuses_is_a_runtime_error_that_names_the_object(
    aws_stub: Any, file: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = aws_stub("s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", stub.endpoint_url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    stub.fail("PutObject", fault)
    stub.fail("GetObject", fault)
    calls: dict[str, Callable[[], object]] = {
        "Cannot upload": lambda: upload_bundle_to_s3(str(file), "bundles", KEY),
        "Cannot download": lambda: download_bundle_from_s3("bundles", KEY),
        "Cannot fetch": lambda: execute_bundle_from_s3("bundles", KEY),
    }
    for says, call in calls.items():
        with pytest.raises(RuntimeError, match=f"{says} the bundle: s3://bundles/{KEY}") as caught:
            call()
        assert isinstance(caught.value, AwsBundleFailed)
        assert isinstance(caught.value.__cause__, AwsError)
        assert caught.value.code == caught.value.__cause__.code
        assert pickle.loads(pickle.dumps(caught.value)).subject == f"s3://bundles/{KEY}"


def test_a_missing_bundle_is_told_from_other_failures(behind: Any) -> None:
    with pytest.raises(AwsBundleFailed, match=KEY) as caught:
        execute_bundle_from_s3(behind.bucket, KEY)
    assert isinstance(caught.value.__cause__, AwsObjectNotFound)


def test_s3_is_told_the_digest_of_what_it_receives(aws_stub: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = aws_stub("s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", stub.endpoint_url)
    stub.respond("PutObject", {})
    upload_bundle_to_s3(str(file), "bundles", KEY)
    request = stub.calls_of("PutObject")[0].parameters
    assert base64.b64decode(request["ChecksumSHA256"]) == hashlib.sha256(file.read_bytes()).digest()
    assert not {name for name in request if name.startswith(("ACL", "Grant"))}


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that appears when the bundle of `trapped` is unpickled."""
    return tmp_path / "unpickled"


@pytest.fixture
def trapped(behind: Any, tmp_path: Path, trap: Path) -> bytes:
    """An uploaded bundle that betrays it when someone unpickles it; its content."""
    from prefect.bundles import _serialize_bundle_object

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (trap,)

    packed = _serialize_bundle_object(Trap())
    content = json.dumps({"function": packed, "context": packed, "flow_run": {}, "dependencies": ""}).encode()
    (tmp_path / "trapped").write_bytes(content)
    upload_bundle_to_s3(str(tmp_path / "trapped"), behind.bucket, KEY)
    return content


@pytest.mark.parametrize("change", [b" ", b"}"], ids=["longer", "other"])
def test_a_bundle_that_was_changed_is_refused_before_it_is_unpickled(
    behind: Any, trapped: bytes, trap: Path, tmp_path: Path, change: bytes
) -> None:
    metadata = behind.client.head_object(Bucket=behind.bucket, Key=KEY)["Metadata"]
    behind.client.put_object(Bucket=behind.bucket, Key=KEY, Body=trapped + change, Metadata=metadata)
    with pytest.raises(AwsBundleRefused, match=f"s3://{behind.bucket}/{KEY} is not what was uploaded") as caught:
        execute_bundle_from_s3(behind.bucket, KEY)
    assert caught.value.subject == f"s3://{behind.bucket}/{KEY}"
    with pytest.raises(AwsBundleRefused):
        download_bundle_from_s3(behind.bucket, KEY, str(tmp_path / "down"))
    assert not list((tmp_path / "down").iterdir())
    assert not trap.exists()

    from prefect.bundles import extract_flow_from_bundle

    extract_flow_from_bundle(json.loads(trapped))
    assert trap.exists()  # so the trap works


def test_a_bundle_that_an_earlier_version_uploaded_is_taken_as_it_is(
    behind: Any, trapped: bytes, tmp_path: Path
) -> None:
    behind.put(KEY, trapped)
    assert Path(download_bundle_from_s3(behind.bucket, KEY, str(tmp_path))["local_path"]).read_bytes() == trapped


# The command lines ---------------------------------------------------------------------------------------------------


def run(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["step", *arguments])
    try:
        main()
    except SystemExit as exc:
        return exc.code
    return 0


def test_a_bundle_is_uploaded_from_the_command_line_in_silence(
    behind: Any, file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(upload.main, monkeypatch, "--bucket", behind.bucket, "--key", KEY, str(file)) == 0
    assert behind.get(KEY) == file.read_bytes()
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
    assert error.startswith(f"usage: python -m prefect_aws.bundles.{'upload' if main is upload.main else 'execute'}")
    assert says in error.splitlines()[-1]


def test_a_failure_is_one_line_without_a_traceback(behind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code = run(upload.main, monkeypatch, "--bucket", behind.bucket, "--key", KEY, "absent.json")
    assert str(code).startswith("BundleFileNotFound: Bundle file 'absent.json' does not exist")
    code = run(execute.main, monkeypatch, "--bucket", behind.bucket, "--key", KEY)
    assert str(code).startswith(f"AwsBundleFailed: Cannot fetch the bundle: s3://{behind.bucket}/{KEY}: ")
    assert "\n" not in str(code)


def test_the_steps_run_when_warnings_are_errors(tmp_path: Path) -> None:
    script = """
import contextlib, runpy, sys
sys.argv = ["step", "--help"]
for package in ("prefect_aws.bundles", "prefect_aws.experimental.bundles"):
    for step in ("upload", "execute"):
        with contextlib.suppress(SystemExit):
            runpy.run_module(f"{package}.{step}", run_name="__main__", alter_sys=True)
"""
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("--aws-credentials-block-name") == 8  # in usage and options
