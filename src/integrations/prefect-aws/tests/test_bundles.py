"""Bundles go through S3 unharmed or are refused, and the two steps run as Prefect calls them."""

from __future__ import annotations

import base64
import hashlib
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_aws import AwsCredentials
from prefect_aws.bundles.execute import download_bundle_from_s3, execute_bundle_from_s3
from prefect_aws.bundles.upload import upload_bundle_to_s3
from prefect_aws.errors import AwsBundleFailed, AwsError, AwsObjectNotFound
from prefect_integration_tests.backends.aws_stub import Fault
from prefect_integration_tests.suites import BundleSuite
from prefect_integration_tests.suites.bundle_steps import KEY

from ._bundles import S3Bundles


@pytest.fixture(autouse=True)
def surroundings(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What boto3 finds on a machine that may use the store."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3_server.region)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)


class TestBundles(S3Bundles, BundleSuite):
    missing_errors = (AwsBundleFailed,)
    missing_bucket_error = None  # SeaweedFS makes a bucket for what is uploaded to it
    no_buckets = ("", "s3://bucket", "bucket/folder")

    @pytest.fixture
    def saved_block(
        self, prefect_harness: None, s3_credentials: AwsCredentials, monkeypatch: pytest.MonkeyPatch
    ) -> str:
        s3_credentials.save("bundle-store", overwrite=True)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        return "bundle-store"

    def download(self, bucket: str, key: str, folder: Path, block: str | None) -> Path:
        return Path(download_bundle_from_s3(bucket, key, str(folder), block)["local_path"])

    def uploaded(self, bucket: str, key: str) -> dict[str, str]:
        return {"bucket": bucket, "key": key, "url": f"s3://{bucket}/{key}"}

    def missing(self, bucket: str, key: str) -> str:
        return f"Cannot fetch the bundle: s3://{bucket}/{key}"

    def test_without_a_folder_a_bundle_goes_to_one_that_only_its_owner_reads(self, behind: Any, file: Path) -> None:
        upload_bundle_to_s3(str(file), behind.bucket, KEY)
        path = Path(download_bundle_from_s3(behind.bucket, KEY)["local_path"])
        assert path.read_bytes() == file.read_bytes()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        path.unlink()
        path.parent.rmdir()

    def test_a_saved_block_is_used_for_what_names_it_only(self, behind: Any, file: Path, saved_block: str) -> None:
        upload_bundle_to_s3(str(file), behind.bucket, KEY, saved_block)
        with pytest.raises(AwsBundleFailed):
            download_bundle_from_s3(behind.bucket, KEY)

    @pytest.mark.parametrize("fault", [Fault.ACCESS_DENIED, Fault.UNKNOWN_KEY, Fault.EXPIRED_TOKEN, Fault.INTERNAL])
    def test_what_aws_refuses_is_a_runtime_error_that_names_the_object(
        self, aws_stub: Any, file: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
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

    def test_a_missing_bundle_is_told_from_other_failures(self, behind: Any) -> None:
        with pytest.raises(AwsBundleFailed, match=KEY) as caught:
            execute_bundle_from_s3(behind.bucket, KEY)
        assert isinstance(caught.value.__cause__, AwsObjectNotFound)

    def test_s3_is_told_the_digest_of_what_it_receives(
        self, aws_stub: Any, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stub = aws_stub("s3")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", stub.endpoint_url)
        stub.respond("PutObject", {})
        upload_bundle_to_s3(str(file), "bundles", KEY)
        request = stub.calls_of("PutObject")[0].parameters
        assert base64.b64decode(request["ChecksumSHA256"]) == hashlib.sha256(file.read_bytes()).digest()
        assert not {name for name in request if name.startswith(("ACL", "Grant"))}
