"""The conformance suites of the Cloud Storage block."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_gcp.cloud_storage import GcsBucket
from prefect_integration_tests.suites import FolderSuite, ObjectStoreSuite


class TestGcsBucket(ObjectStoreSuite):
    """The whole block, with the engine that users of the extra `fast` get."""

    list_method = "list_blobs"
    many_files = 100

    @pytest.fixture
    def store(self, gcs_bucket: GcsBucket) -> GcsBucket:
        return gcs_bucket

    @pytest.fixture
    def raw(self, behind: Any) -> Any:
        return behind


class TestFoldersByTheClient(FolderSuite):
    """Folders with the engine that everybody has."""

    list_method = "list_blobs"
    many_files = 100

    @pytest.fixture
    def store(self, gcs_bucket: GcsBucket, monkeypatch: pytest.MonkeyPatch) -> GcsBucket:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_GCS_NATIVE_TRANSFER", "false")
        return gcs_bucket

    @pytest.fixture
    def raw(self, behind: Any) -> Any:
        return behind
