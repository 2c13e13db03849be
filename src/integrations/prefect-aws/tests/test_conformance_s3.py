"""The conformance suites of the S3 block and its deployment steps."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from prefect_aws.s3 import S3Bucket
from prefect_integration_tests.suites import FolderSuite, ObjectStoreSuite, StepSuite
from prefect_integration_tests.suites.object_store import ODD_KEYS

# What the real store changes or refuses; the emulator takes them all, as S3 does.
_NOT_SEAWEED = ("backslash", "double slash", "dot")


class TestS3Bucket(ObjectStoreSuite):
    """The whole block on a real store, with the engine that users get."""

    many_files = 100
    odd_paths: ClassVar[dict[str, str]] = {name: key for name, key in ODD_KEYS.items() if name not in _NOT_SEAWEED}
    upward_keys = ()

    @pytest.fixture
    def store(self, bucket: S3Bucket) -> S3Bucket:
        return bucket

    @pytest.fixture
    def raw(self, behind: Any) -> Any:
        return behind


class TestFoldersByBoto3(FolderSuite):
    """Folders on a real store, with the engine that everybody has."""

    many_files = 100
    upward_keys = ()

    @pytest.fixture
    def store(self, bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> S3Bucket:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_AWS_S3_NATIVE_TRANSFER", "false")
        return bucket

    @pytest.fixture
    def raw(self, behind: Any) -> Any:
        return behind


class TestFoldersOnTheEmulator(FolderSuite):
    """Folders where every key can be stored, those that lead upward too."""

    many_files = 40

    @pytest.fixture
    def store(self, emulated_bucket: S3Bucket) -> S3Bucket:
        return emulated_bucket

    @pytest.fixture
    def raw(self, behind_emulated: Any) -> Any:
        return behind_emulated


@pytest.mark.usefixtures("prefect_harness")
class TestSteps(StepSuite):
    @pytest.fixture
    def raw(self, aws_emulator: Any, behind_emulated: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        self.bucket = behind_emulated.bucket
        self.endpoint_url = aws_emulator.endpoint_url
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return behind_emulated

    def _step(self, name: str, folder: str) -> dict[str, dict[str, Any]]:
        inputs = {
            "bucket": self.bucket,
            "folder": folder,
            "client_parameters": {"endpoint_url": self.endpoint_url},
        }
        return {f"prefect_aws.deployments.steps.{name}": inputs}

    def push_step(self, folder: str) -> dict[str, dict[str, Any]]:
        return self._step("push_to_s3", folder)

    def pull_step(self, folder: str) -> dict[str, dict[str, Any]]:
        return self._step("pull_from_s3", folder)
