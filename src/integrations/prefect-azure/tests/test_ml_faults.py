"""The line to Azure Machine Learning breaks, is slow, says no: what becomes of datastores and of uploads to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from prefect_azure import AzureBlobStorageCredentials, AzureMlCredentials, _clients, _repeating, errors
from prefect_azure.machine_learning import create_blob_datastore, list_datastores, upload_to_datastore
from prefect_azure.ml_datastore import ml_list_datastores, ml_register_datastore_blob_container, ml_upload_datastore
from prefect_integration_kit.waiting import Backoff, apoll, poll
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.azure_ml import AzureMl
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.children import assert_dies_of
from prefect_integration_tests.suites import HttpFaultSuite

from ._ml import (
    Line,
    blobs,
    credentials,
    keep_discovery_out_of_home,
    lead,
    line_to,
    workspace,
)

if TYPE_CHECKING:
    from prefect_integration_tests.backends.http_edge import EdgeCall

__all__ = ["blobs", "credentials", "workspace"]

pytest.importorskip("azure.ai.ml", exc_type=ImportError)
pytestmark = [
    pytest.mark.usefixtures("prefect_harness", "clean_azure_environment"),
    pytest.mark.xdist_group("azureml"),  # its import takes seconds: once is enough
    pytest.mark.filterwarnings("ignore"),  # of both SDKs about themselves
]

WAIT_SECONDS = 0.7
MUSEUM = "DefaultEndpointsProtocol=https;AccountName=museum;AccountKey=a2V5;EndpointSuffix=core.windows.net"


@pytest.fixture
def ml(workspace: AzureMl, monkeypatch: pytest.MonkeyPatch) -> AzureMl:
    """The workspace, and clients that do not wait long."""
    monkeypatch.setattr(_clients, "TIMEOUT_SECONDS", (WAIT_SECONDS, WAIT_SECONDS))
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_RETRY_SECONDS", "4")
    monkeypatch.setattr(_repeating.waits, "backoff", Backoff(0.1, maximum_seconds=0.5, deadline_seconds=4))
    return workspace


@pytest.fixture
def line(ml: AzureMl, azure_identity: AzureIdentity, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """The line to it."""
    with line_to(ml, azure_identity.ca) as (line, front):
        lead(monkeypatch, front)
        yield line


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """azureml-core, which waits less long than it is used to."""
    pytest.importorskip("azureml.core", reason="azureml-core does not load on this Python", exc_type=ImportError)
    import msrest.universal_http as http

    class Impatient(http.ClientConnection):
        def __init__(self) -> None:
            super().__init__()
            self.timeout = WAIT_SECONDS

    from azureml._vendor.azure_storage.blob._shared.policies import ExponentialRetry

    monkeypatch.setattr(http, "ClientConnection", Impatient)
    monkeypatch.setattr(ExponentialRetry, "get_backoff_time", lambda *_: 0.05)
    keep_discovery_out_of_home(monkeypatch)


def _museum() -> AzureBlobStorageCredentials:
    return AzureBlobStorageCredentials(connection_string=MUSEUM)  # pyright: ignore[reportArgumentType]


class TestDatastoreFaults(HttpFaultSuite):
    """A datastore that is created."""

    error = errors.AzureError
    named = r"Datastore 'key\w+' of Azure ML workspace 'lab'"
    lasting_seconds = 60.0

    @pytest.fixture
    def edge(self, line: Line, credentials: AzureMlCredentials, ml: AzureMl) -> Line:
        self.credentials, self.server = credentials, ml
        return line

    async def change(self, edge: Any, key: str) -> Any:
        await create_blob_datastore("images", self.credentials, _museum(), name=key)

    def changes(self, edge: Any, key: str) -> int:
        return list(self.server.workspace().datastores).count(key)

    def strikes(self, call: EdgeCall) -> bool:
        return call.method == "PUT"


class TestUploadFaults(TestDatastoreFaults):
    """A file that is uploaded to a datastore."""

    named = r"File 'key\w+' of datastore 'blobs'"

    @pytest.fixture
    def edge(self, line: Line, credentials: AzureMlCredentials, blobs: Any, tmp_path: Path) -> Line:
        self.credentials, self.blobs, self.folder = credentials, blobs, tmp_path
        return line

    def _file(self, key: str) -> Path:
        (self.folder / key).write_text("content")
        return self.folder / key

    async def change(self, edge: Any, key: str) -> Any:
        await upload_to_datastore(self._file(key), self.credentials)

    def changes(self, edge: Any, key: str) -> int:
        return [self.blobs.download_blob(key).readall() for key in self.blobs.list_blob_names()].count(b"content")


@pytest.mark.usefixtures("older")
class TestOlderDatastoreFaults(TestDatastoreFaults):
    """A container that is registered by azureml-core."""

    async def change(self, edge: Any, key: str) -> Any:
        await ml_register_datastore_blob_container("images", self.credentials, _museum(), datastore_name=key)

    def strikes(self, call: EdgeCall) -> bool:
        return call.method == "POST" and "/datastore/" in call.path


@pytest.mark.usefixtures("older")
class TestOlderUploadFaults(TestUploadFaults):
    """A file that is uploaded by what azureml-core has of Blob Storage."""

    async def change(self, edge: Any, key: str) -> Any:
        await ml_upload_datastore(self._file(key), self.credentials)


# Who is there


@pytest.fixture(params=["name", "certificate"])
def nowhere(request: pytest.FixtureRequest, ml: AzureMl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A way to Azure that ends at a name that nobody knows, or at somebody who is not trusted."""
    with line_to(ml, PrivateCA(tmp_path)) as (line, front):
        lead(monkeypatch, front)
        if request.param == "name":
            for name in ("HTTPS_PROXY", "https_proxy"):
                monkeypatch.setenv(name, f"http://{UNRESOLVABLE_HOST}:8080")
        else:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", ml.ca_bundle)
        yield line


async def test_a_server_that_is_none_is_told(nowhere: Line, credentials: AzureMlCredentials) -> None:
    began = time.monotonic()
    with pytest.raises(errors.AzureUnavailable, match="Azure ML workspace 'lab'"):
        await create_blob_datastore("images", credentials, _museum(), overwrite=True)
    assert time.monotonic() - began < 60
    assert nowhere.calls == []


def test_azureml_core_tells_of_a_server_that_is_none(
    older: None, nowhere: Line, credentials: AzureMlCredentials
) -> None:
    with pytest.raises(errors.AzureUnavailable, match="Azure ML workspace 'lab'"):
        credentials.get_workspace()
    assert nowhere.calls == []


async def test_a_token_that_azure_refuses_is_told(line: Line, credentials: AzureMlCredentials, ml: AzureMl) -> None:
    """One that is about to end is renewed; see `test_identity.py`."""
    ml.edge.check_token = lambda _: None
    with pytest.raises(errors.AzureCredentialsRefused, match="Azure ML workspace 'lab'"):
        await list_datastores(credentials)


def test_a_token_that_azure_refuses_is_told_by_azureml_core(
    older: None, line: Line, credentials: AzureMlCredentials, ml: AzureMl
) -> None:
    ml.edge.check_token = lambda _: None
    with pytest.raises(errors.AzureCredentialsRefused, match="Azure ML workspace 'lab'"):
        ml_list_datastores.fn(credentials)


@pytest.mark.parametrize("ahead_seconds", [300, -300])
async def test_a_clock_that_jumps_changes_nothing(
    line: Line,
    credentials: AzureMlCredentials,
    ml: AzureMl,
    blobs: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ahead_seconds: int,
) -> None:
    """A little: an account key signs with the time, which Azure takes to be right within 15 minutes."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead_seconds)
    (tmp_path / "a.txt").write_text("a")
    ml.fail("Datastores_CreateOrUpdate", 503, retry_after_seconds=0)
    await create_blob_datastore("images", credentials, _museum())
    await upload_to_datastore(tmp_path / "a.txt", credentials)
    assert sorted(ml.workspace().datastores) == ["blobs", "images"]
    assert list(blobs.list_blob_names()) == ["a.txt"]


# Processes


UPLOADER = """
import asyncio, sys
from prefect_azure import AzureMlCredentials
from prefect_azure.machine_learning import upload_to_datastore

credentials = AzureMlCredentials.model_validate_json(sys.argv[1])
print("ready", flush=True)
asyncio.run(upload_to_datastore.fn(sys.argv[2], credentials))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_process_that_dies_leaves_no_half_a_blob(
    line: Line, credentials: AzureMlCredentials, blobs: Any, tmp_path: Path, name: Literal["SIGTERM", "SIGKILL"]
) -> None:
    (tmp_path / "a.txt").write_text("a")
    given = credentials.model_dump_json(context={"include_secrets": True})
    with line.fault("time-out", times=None, where=lambda call: "a.txt" in call.path) as struck:

        def has_begun() -> bool:
            return poll(lambda: struck() or None, subject="The upload", interval_seconds=0.05, timeout_seconds=60) > 0

        assert_dies_of(name, UPLOADER, given, str(tmp_path / "a.txt"), until=has_begun)
    assert list(blobs.list_blob_names()) == []


async def test_a_cancelled_upload_ends_soon_and_stores_nothing(
    line: Line, credentials: AzureMlCredentials, blobs: Any, tmp_path: Path
) -> None:
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text("a")
    with line.fault("time-out", times=None, where=lambda call: ".txt" in call.path) as struck:
        upload = asyncio.create_task(upload_to_datastore.fn(tmp_path, credentials))

        async def has_begun() -> int | None:
            return struck() or None

        await apoll(has_begun, subject="The upload", interval_seconds=0.05, timeout_seconds=60)
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(upload, 20)
    assert list(blobs.list_blob_names()) == []
