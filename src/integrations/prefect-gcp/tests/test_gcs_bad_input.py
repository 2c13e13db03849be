"""Bad input to the Cloud Storage block: each ends soon in an error that names the thing, with nothing half done."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions as google_exceptions

from prefect_gcp import errors
from prefect_gcp.cloud_storage import GcpCredentials, GcsBucket
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST, closed_port
from prefect_integration_tests.backends.gcs import GcsFront

LIMIT_SECONDS = 15


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon on what fails again and again."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_GCP_GCS_RETRY_SECONDS", "0.2")


def operations(bucket: GcsBucket, folder: Path) -> dict[str, Callable[[], Any]]:
    """Every kind of request, on local files that are fine."""
    up, down = folder / "up", folder / "down"
    up.mkdir()
    (up / "thing").write_bytes(b"1")
    return {
        "read": lambda: bucket.read_path("thing"),
        "write": lambda: bucket.write_path("thing", b"1"),
        "list": lambda: bucket.list_blobs("thing"),
        "list folders": lambda: bucket.list_folders("thing"),
        "upload": lambda: bucket.upload_from_path(up / "thing", "thing"),
        "upload in chunks": lambda: bucket.upload_from_file_object(Endless(), "thing"),  # pyright: ignore[reportArgumentType]
        "download": lambda: bucket.download_object_to_path("thing", down / "thing"),
        "download in chunks": lambda: bucket.download_object_to_path("thing", down / "thing", chunk_size=262144),
        "put folder": lambda: bucket.put_directory(str(up), "thing"),
        "get folder": lambda: bucket.get_directory("thing", str(down)),
        "copy": lambda: bucket.copy_object("thing", "thing2"),
        "move": lambda: bucket.move_object("thing", "thing2"),
        "sync up": lambda: bucket.sync_from_folder(up, "thing"),
        "sync down": lambda: bucket.sync_to_folder("thing", down),
        "wait": lambda: bucket.wait_for_object("thing", timeout_seconds=30),
    }


class Endless:
    """A file of which nobody knows the size."""

    def read(self, size: int = -1) -> bytes:
        return b"1" * size


def check(bucket: GcsBucket, folder: Path, error: type[Exception], *names: str) -> None:
    for name, operation in operations(bucket, folder).items():
        start = time.monotonic()
        with pytest.raises(error) as caught:
            operation()
        assert time.monotonic() - start < LIMIT_SECONDS, name
        message = str(caught.value)
        assert bucket.bucket in message, (name, message)
        assert all(each in message for each in names), (name, message)
        again = pickle.loads(pickle.dumps(caught.value))
        assert isinstance(again, error), name
        assert str(again) == message, name
    assert not (folder / "down").exists() or not [path for path in (folder / "down").rglob("*") if path.is_file()]


class TestEveryOperation:
    def test_of_a_missing_bucket(self, gcs_bucket: GcsBucket, tmp_path: Path) -> None:
        bucket = gcs_bucket.model_copy(update={"bucket": "no-such-bucket"})
        check(bucket, tmp_path, errors.GcpBucketNotFound, "Create the bucket")

    @pytest.mark.parametrize(
        ("status", "reason", "error", "sdk", "remedy"),
        [
            (403, None, errors.GcpAccessDenied, google_exceptions.Forbidden, "storage.objects.get"),
            (403, "quotaExceeded", errors.GcpQuotaExceeded, google_exceptions.Forbidden, "quota"),
            (429, None, errors.GcpRateLimited, Exception, "quota"),
            (503, None, errors.GcpUnavailable, Exception, "later"),
        ],
    )
    def test_that_the_service_refuses(
        self,
        gcs_front: GcsFront,
        fronted: GcsBucket,
        tmp_path: Path,
        status: int,
        reason: str | None,
        error: type[Exception],
        sdk: type[Exception],
        remedy: str,
    ) -> None:
        gcs_front.fail("*", status=status, reason=reason, times=None)
        check(fronted, tmp_path, error, remedy)
        with pytest.raises(sdk):
            fronted.read_path("thing")

    def test_with_a_token_that_nobody_knows(
        self, gcs_front: GcsFront, fronted: GcsBucket, service_account: dict[str, Any], tmp_path: Path
    ) -> None:
        gcs_front.check_token = lambda token: False
        credentials = GcpCredentials(
            service_account_info=service_account, api_endpoints=fronted.gcp_credentials.api_endpoints
        )
        bucket = fronted.model_copy(update={"gcp_credentials": credentials})
        check(bucket, tmp_path, errors.GcpCredentialsRefused)

    def test_against_a_host_that_nobody_knows(self, gcs_bucket: GcsBucket, tmp_path: Path) -> None:
        bucket = elsewhere(gcs_bucket, f"http://{UNRESOLVABLE_HOST}", tmp_path)
        check(bucket, tmp_path, errors.GcpConnectionFailed, "api_endpoints")

    def test_against_a_port_that_refuses(self, gcs_bucket: GcsBucket, tmp_path: Path) -> None:
        bucket = elsewhere(gcs_bucket, f"http://127.0.0.1:{closed_port()}", tmp_path)
        check(bucket, tmp_path, errors.GcpConnectionFailed, "api_endpoints")


def elsewhere(bucket: GcsBucket, address: str, folder: Path) -> GcsBucket:
    credentials = GcpCredentials(project="test-project", api_endpoints={"storage": address})
    return bucket.model_copy(update={"gcp_credentials": credentials})


class TestTokens:
    @pytest.mark.usefixtures("engine")
    def test_that_expire_meanwhile_are_renewed(
        self,
        gcs_front: GcsFront,
        fronted: GcsBucket,
        identity: Any,
        service_account: dict[str, Any],
        tmp_path: Path,
        behind: Any,
    ) -> None:
        gcs_front.check_token = lambda token: token is not None and identity.check(token) is not None
        credentials = GcpCredentials(
            service_account_info=service_account, api_endpoints=fronted.gcp_credentials.api_endpoints
        )
        bucket = fronted.model_copy(update={"gcp_credentials": credentials})
        for number in range(5):
            bucket.write_path(f"d/{number}", b"1")
        identity.expire_all()
        bucket.get_directory("d", str(tmp_path))
        assert len(list(tmp_path.iterdir())) == 5
        identity.expire_all()
        bucket.put_directory(str(tmp_path), "e")
        assert len(behind.keys()) == 10
        assert len(identity.issued) <= 6


@pytest.mark.usefixtures("engine")
def test_an_object_that_vanishes_during_a_download_is_named(
    gcs_front: GcsFront, fronted: GcsBucket, behind: Any, tmp_path: Path
) -> None:
    behind.put("base/d/a", b"1")
    gcs_front.fail("download", status=404, times=None, message="No such object: x/base/d/a")
    with pytest.raises(errors.GcpObjectNotFound, match="base/d/a"):
        fronted.get_directory("d", str(tmp_path))


def test_a_key_of_ones_own_is_in_no_message(
    gcs_front: GcsFront, fronted: GcsBucket, canary: str, no_canary_leaks: Any, tmp_path: Path
) -> None:
    key = canary.encode()[:32].ljust(32, b"x")
    fronted.write_path("d/f", b"1")
    for operation in ("download", "copy"):
        gcs_front.fail(operation, status=400, times=None, message=f"The key {key.decode()} is bad")
    for request in (
        lambda: fronted.download_object_to_path("d/f", tmp_path / "f", encryption_key=key),
        lambda: fronted.download_folder_to_path("d", tmp_path / "g", encryption_key=key),
        lambda: fronted.copy_object("d/f", "g", encryption_key=key),
    ):
        with pytest.raises(errors.GcpInvalidRequest, match="base/d") as caught:
            request()
        no_canary_leaks.add_error(caught.value)
        assert key.decode() not in str(caught.value)


def test_the_callers_logging_stays_as_it_is(gcs_bucket: GcsBucket, tmp_path: Path) -> None:
    import logging

    def state() -> dict[str, Any]:
        loggers = [logging.getLogger(), *(logging.getLogger(name) for name in ("google", "urllib3", "prefect", "mine"))]
        return {
            each.name: (each.level, each.disabled, each.propagate, list(each.handlers), list(each.filters))
            for each in loggers
        } | {"disabled": logging.root.manager.disable}

    gcs_bucket.write_path("warm-up", b"1")
    before = state()
    (tmp_path / "f").write_bytes(b"1")
    gcs_bucket.put_directory(str(tmp_path), "x")
    gcs_bucket.get_directory("x", str(tmp_path / "back"))
    gcs_bucket.read_path("x/f")
    assert state() == before


@pytest.mark.usefixtures("prefect_harness")
def test_logs_of_a_flow_that_keeps_its_results_here_are_complete(gcs_bucket: GcsBucket) -> None:
    import uuid

    from prefect import flow, get_run_logger, task
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
    from prefect.logging.handlers import APILogHandler
    from prefect.runtime import flow_run

    name = f"gcs-results-{uuid.uuid4().hex[:8]}"
    gcs_bucket.save(name)

    @task(persist_result=True, result_storage=gcs_bucket, result_storage_key=f"{name}-result")
    def work() -> bytes:
        get_run_logger().info("in the task")
        return b"result"

    @flow(name=name)
    def keeps_results() -> str:
        get_run_logger().info("before")
        work()
        get_run_logger().info("after")
        return str(flow_run.id)

    run_id = keeps_results()
    APILogHandler().flush()
    assert gcs_bucket.list_blobs(f"{name}-result")
    with get_client(sync_client=True) as client:
        wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[uuid.UUID(run_id)]))
        deadline = time.monotonic() + 20
        said: list[str] = []
        while time.monotonic() < deadline and "after" not in said:
            found = client.request("POST", "/logs/filter", json={"logs": wanted.model_dump(mode="json")}).json()
            said = [each["message"] for each in found]
    assert {"before", "in the task", "after"} <= set(said)
