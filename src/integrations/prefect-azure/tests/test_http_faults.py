"""Each client meets each fault of the line, does what was wanted once, and says so when it cannot."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import ssl
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken

from prefect_azure import (
    AzureBlobStorageCredentials,
    AzureContainerInstanceCredentials,
    AzureCosmosDbCredentials,
    _clients,
    _repeating,
    container_apps,
    errors,
)
from prefect_azure._cosmos.items import Items
from prefect_azure._key_vault import store as vault_store
from prefect_azure._workers import calls
from prefect_azure.blob_storage import AzureBlobStorageContainer
from prefect_azure.container_apps import container_app_job_run
from prefect_azure.key_vault import key_vault_write_secret
from prefect_integration_tests.backends.azurite import connection_string
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.children import assert_dies_of
from prefect_integration_tests.pool_runs import until
from prefect_integration_tests.suites import HttpFaultSuite

from . import _aci, _apps, _key_vault
from ._cosmos import ids
from .test_apps_trigger import deploy

if TYPE_CHECKING:
    from pathlib import Path

    from prefect_integration_tests.backends.http_edge import EdgeCall, HttpEdge

WAIT_SECONDS = 0.7


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for data as long as a test can."""
    monkeypatch.setattr(_clients, "TIMEOUT_SECONDS", (WAIT_SECONDS, WAIT_SECONDS))
    for options in (calls.ONE_TRY, calls.START_ONLY):
        monkeypatch.setitem(options, "read_timeout", WAIT_SECONDS)


def tls(folder: Path) -> tuple[ssl.SSLContext, str]:
    """TLS by an authority of its own, whose certificate is in a file."""
    ca = PrivateCA(folder)
    issued = ca.issue("azure", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert_file, issued.key_file)
    return context, str(ca.ca_file)


class TestBlobUploadFaults(HttpFaultSuite):
    """An upload that must not replace anything."""

    error = errors.AzureError
    named = r"base/key\w+"

    @pytest.fixture
    def edge(
        self,
        azurite: Any,
        container: AzureBlobStorageContainer,
        behind: Any,
        short_waits: None,
        http_edge: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Any:
        monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_RETRY_SECONDS", "6")
        edge = http_edge(azurite.endpoint.rpartition("/")[0])
        path = azurite.endpoint.rpartition("/")[2]
        credentials = AzureBlobStorageCredentials(connection_string=connection_string(f"{edge.url}/{path}"))
        self.container = container.model_copy(update={"credentials": credentials})
        self.behind = behind
        return edge

    def change(self, edge: HttpEdge, key: str) -> Any:
        return self.container.upload_from_file_object(io.BytesIO(b"content"), key)

    def changes(self, edge: HttpEdge, key: str) -> int:
        kept = self.behind.keys()
        return [self.behind.get(name) for name in kept if key in name].count(b"content")


class TestBlobDownloadFaults(HttpFaultSuite):
    """A download, which is whole or fails."""

    error = errors.AzureError
    named = r"base/key\w+"

    edge = TestBlobUploadFaults.edge

    async def change(self, edge: HttpEdge, key: str) -> Any:
        self.behind.put(f"base/{key}", b"content" * 1000)
        self.received = b""
        self.received = await self.container.read_path(key)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return [b"content" * 1000].count(self.received)


class TestKeyVaultFaults(HttpFaultSuite):
    """A secret that is written."""

    error = errors.AzureError
    named = r"Secret 'key\w+'"
    secret = "c4n4ry-value"
    lasting_seconds = 40.0

    @pytest.fixture
    def edge(
        self,
        empty_key_vault: Any,
        short_waits: None,
        fake_clock: Any,
        http_edge: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Any:
        context, authority = tls(tmp_path)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority)
        monkeypatch.setattr(vault_store, "_clock", fake_clock)
        monkeypatch.setattr(vault_store, "_ANSWER_SECONDS", 0.5)
        self.vault = empty_key_vault
        trust = ssl.create_default_context(cafile=str(empty_key_vault.ca_bundle))
        edge = http_edge(empty_key_vault.endpoint, context=context, trust=trust)
        credentials = _key_vault.AzureCredentials(endpoints={"keyvault": edge.url})
        self.credentials = credentials.with_credential(_key_vault.StaticCredential())
        return edge

    def change(self, edge: HttpEdge, key: str) -> Any:
        return asyncio.to_thread(key_vault_write_secret.fn, key, self.secret, _key_vault.VAULT_URL, self.credentials)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return len(self.vault.store.values(key)) if key in self.vault.store.names() else 0


class TestCosmosFaults(HttpFaultSuite):
    """An item that is created."""

    error = errors.AzureError
    named = r"shop/parcels|Cosmos DB account"
    lasting_seconds = 60.0

    @pytest.fixture
    def edge(self, empty_cosmos: Any, fake_clock: Any, http_edge: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(_repeating.waits, "clock", fake_clock)
        empty_cosmos.container("parcels", "/country")
        self.cosmos = empty_cosmos
        edge = http_edge(empty_cosmos.endpoint.rstrip("/"))
        self.items = Items(
            "parcels",
            "shop",
            AzureCosmosDbCredentials(
                connection_string=empty_cosmos.connection_string,  # pyright: ignore[reportArgumentType]
                endpoints={"cosmos": edge.url},
            ),
        )
        return edge

    def change(self, edge: HttpEdge, key: str) -> Any:
        return asyncio.to_thread(
            self.items.create, {"id": key, "country": "no"}, {"read_timeout": WAIT_SECONDS, "timeout": 5}
        )

    def changes(self, edge: HttpEdge, key: str) -> int:
        return ids(self.cosmos.items("parcels")).count(key)

    def strikes(self, call: EdgeCall) -> bool:
        return call.method == "POST" and call.path.rstrip("/").endswith("/docs")


class TestContainerAppJobFaults(HttpFaultSuite):
    """An execution of a job."""

    error = errors.AzureError
    named = r"Container Apps job 'key\w+'"

    @pytest.fixture
    def edge(self, empty_azure_api: Any, short_waits: None, fake_clock: Any, http_edge: Any, monkeypatch: Any) -> Any:
        monkeypatch.setattr(container_apps, "_clock", fake_clock)
        self.api = empty_azure_api
        edge = http_edge(empty_azure_api.endpoint)
        self.where = {
            "resource_group_name": _apps.GROUP,
            "subscription_id": _apps.SUBSCRIPTION,
            "credentials": _credentials(edge.url),
        }
        return edge

    async def change(self, edge: HttpEdge, key: str) -> Any:
        self.before = self.api.executions_started
        await asyncio.to_thread(deploy, self.api, key)
        await asyncio.to_thread(container_app_job_run.fn, key, **self.where)

    def changes(self, edge: HttpEdge, key: str) -> int:
        return self.api.executions_started - self.before

    def strikes(self, call: EdgeCall) -> bool:
        return call.method == "POST"


def _credentials(address: str) -> AzureContainerInstanceCredentials:
    return AzureContainerInstanceCredentials.from_token_credential(
        _aci.StaticCredential(), endpoints={"arm": address, "loganalytics": address}
    )


@pytest.mark.usefixtures("prefect_harness")
class TestContainerInstancesWorkerFaults(HttpFaultSuite):
    """A run, at the call that makes its container group."""

    error = errors.AzureError
    named = "Container group"

    @pytest.fixture
    def edge(
        self, prefect_harness: None, empty_azure_api: Any, short_waits: None, http_edge: Any, monkeypatch: Any
    ) -> Any:
        _aci.quicken(monkeypatch)
        monkeypatch.setenv(f"{_aci.SETTINGS}_CALL_DEADLINE_SECONDS", "5")
        self.api = empty_azure_api
        edge = http_edge(empty_azure_api.endpoint)
        self.pool = _aci.Pool(empty_azure_api, _credentials(edge.url))
        return edge

    async def change(self, edge: HttpEdge, key: str) -> Any:
        async with self.pool.worker() as worker:
            _, result = await self.pool.submit(worker, resource_group_name=key)
        assert result.status_code == 0, result
        await until(lambda: not self.left_over(key), "the deletion")

    def left_over(self, key: str) -> list[str]:
        return [each for each in self.api.left_over if f"/resourceGroups/{key}/" in each]

    def changes(self, edge: HttpEdge, key: str) -> int:
        assert self.left_over(key) == []
        asked = self.api.calls_of("Deployments_CreateOrUpdate")
        mine = [call for call in asked if call.params.get("resourceGroupName") == key]
        return sum(call.status in (200, 201) for call in mine)

    def strikes(self, call: EdgeCall) -> bool:
        return call.method == "PUT"


@pytest.mark.usefixtures("prefect_harness")
class TestContainerAppsWorkerFaults(HttpFaultSuite):
    """A run, at the call that starts its job."""

    error = errors.AzureError
    named = "Container Apps job"

    @pytest.fixture
    def edge(
        self, prefect_harness: None, empty_azure_api: Any, short_waits: None, http_edge: Any, monkeypatch: Any
    ) -> Any:
        _apps.quicken(monkeypatch)
        self.api = empty_azure_api
        self.pool = _apps.Pool(empty_azure_api)
        return http_edge(empty_azure_api.endpoint)

    async def change(self, edge: HttpEdge, key: str) -> Any:
        run = await self.pool.new_run()
        async with self.pool.worker() as worker:
            result = await worker.run(run, self.pool.configure(run, credentials=_credentials(edge.url)))
        assert result.status_code == 0, result

    def changes(self, edge: HttpEdge, key: str) -> int:
        assert self.api.jobs == []
        return self.api.executions_started

    def strikes(self, call: EdgeCall) -> bool:
        return call.method == "POST" and call.path.partition("?")[0].endswith("/start")


# Who is there


@pytest.fixture(params=["name", "certificate"])
def nowhere(
    request: pytest.FixtureRequest, http_edge: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_clock: Any
) -> Any:
    """An address where no Azure is that we would trust, and what reached it."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_RETRY_SECONDS", "0.3")
    monkeypatch.setattr(vault_store, "_clock", fake_clock)
    monkeypatch.setattr(_repeating.waits, "clock", fake_clock)
    monkeypatch.setattr(container_apps, "_clock", fake_clock)
    for prefix in (f"{_aci.SETTINGS}_", _apps.PREFIX):
        monkeypatch.setenv(f"{prefix}CALL_DEADLINE_SECONDS", "0.3")
    if request.param == "name":
        return f"https://{UNRESOLVABLE_HOST}", []
    edge = http_edge("http://127.0.0.1:9", context=tls(tmp_path)[0])
    return edge.url, edge.calls


def _read_blob(address: str) -> Any:
    credentials = AzureBlobStorageCredentials(connection_string=connection_string(f"{address}/account"))
    return AzureBlobStorageContainer(container_name="box", credentials=credentials).read_path("a")


def _write_secret(address: str) -> Any:
    credentials = _key_vault.AzureCredentials(endpoints={"keyvault": address})
    credentials = credentials.with_credential(_key_vault.StaticCredential())
    return key_vault_write_secret.fn("ledger", "value", _key_vault.VAULT_URL, credentials)


def _create_item(address: str) -> Any:
    connection = f"AccountEndpoint={address}/;AccountKey=c2VjcmV0;"
    credentials = AzureCosmosDbCredentials(connection_string=connection)  # pyright: ignore[reportArgumentType]
    return Items("parcels", "shop", credentials).create({"id": "new", "country": "no"}, {})


def _start_job(address: str) -> Any:
    return container_app_job_run.fn(
        "average",
        resource_group_name=_apps.GROUP,
        subscription_id=_apps.SUBSCRIPTION,
        credentials=_credentials(address),
    )


CALLS = {
    "blob": (_read_blob, "box"),
    "secret": (_write_secret, "Secret 'ledger'"),
    "item": (_create_item, "Cosmos DB account"),
    "job": (_start_job, "Container Apps job 'average'"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_server_that_is_none_is_told(nowhere: Any, name: str) -> None:
    address, reached = nowhere
    work, named = CALLS[name]
    started = time.monotonic()
    with pytest.raises(errors.AzureError, match=named):
        work(address)
    assert time.monotonic() - started < 30
    assert reached == []


@pytest.mark.parametrize("kind", ["instances", "apps"])
async def test_a_worker_tells_of_a_server_that_is_none(
    prefect_harness: None, nowhere: Any, empty_azure_api: Any, kind: str
) -> None:
    address, reached = nowhere
    if kind == "instances":
        pool: Any = _aci.Pool(empty_azure_api)
        own = {"aci_credentials": _credentials(address)}
    else:
        pool = _apps.Pool(empty_azure_api)
        own = {"credentials": _credentials(address)}
    run = await pool.new_run()
    async with pool.worker() as worker:
        with pytest.raises(errors.AzureError, match=r"Container (group|Apps)"):
            await worker.run(run, pool.configure(run, **own))
    assert reached == []


# Tokens and clocks


class Renewing:
    """A `TokenCredential` that hands out another token each time that it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def get_token(self, *scopes: str, **kwargs: Any) -> Any:
        self.asked += 1
        return AccessToken(f"token-{self.asked}", int(time.time()) + 3600)


@pytest.mark.parametrize("kind", ["instances", "apps", "job"])
async def test_a_token_that_azure_refuses_is_told_or_renewed(
    prefect_harness: None, empty_azure_api: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is about to end is renewed; see `test_identity.py`."""
    _aci.quicken(monkeypatch)
    _apps.quicken(monkeypatch)
    empty_azure_api.check_tokens(lambda _: None)
    pool: Any = _aci.Pool(empty_azure_api) if kind == "instances" else _apps.Pool(empty_azure_api)
    if kind == "job":
        work = asyncio.to_thread(_start_job, empty_azure_api.endpoint)
    else:
        worker, run = pool.worker(), await pool.new_run()
        work = worker.run(run, pool.configure(run))
    with pytest.raises(errors.AzureCredentialsRefused, match=r"Container (group|Apps)"):
        await work


def test_a_clock_that_jumps_changes_nothing(
    container: AzureBlobStorageContainer, behind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A little: an account key signs with the time, which Azure takes to be right within 15 minutes."""
    now = time.time
    for ahead_seconds in (300, -300):
        monkeypatch.setattr(time, "time", lambda ahead=ahead_seconds: now() + ahead)
        container.write_path(f"at{ahead_seconds}", b"1")
    assert behind.keys() == ["base/at-300", "base/at300"]


# Disks and processes


def test_a_full_disk_is_told_and_no_part_of_a_file_stays(
    container: AzureBlobStorageContainer, azurite: Any, behind: Any, tmp_path: Path
) -> None:
    behind.put("base/large", os.urandom(2_000_000))
    program = f"""
import resource
from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.blob_storage import AzureBlobStorageContainer

credentials = AzureBlobStorageCredentials(connection_string={azurite.connection_string!r})
name = {container.container_name!r}
box = AzureBlobStorageContainer(container_name=name, base_folder="base", credentials=credentials)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    box.download_object_to_path("large", {str(tmp_path / "large")!r})
except OSError as exc:
    print(exc.errno, exc)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{errno.EFBIG} "), (done.stdout, done.stderr)
    assert list(tmp_path.iterdir()) == []


UPLOADER = """
import sys
from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.blob_storage import AzureBlobStorageContainer

class Endless:
    def __init__(self):
        self.reads = 0
    def read(self, size=-1):
        self.reads += 1
        if self.reads == 3:
            print("ready", flush=True)
        return b"1" * max(size, 1)

credentials = AzureBlobStorageCredentials(connection_string=sys.argv[1])
box = AzureBlobStorageContainer(container_name=sys.argv[2], credentials=credentials)
box.upload_from_file_object(Endless(), "endless")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_process_that_dies_leaves_no_half_a_blob(
    container: AzureBlobStorageContainer, azurite: Any, behind: Any, name: Any
) -> None:
    assert_dies_of(name, UPLOADER, azurite.connection_string, container.container_name)
    assert behind.keys() == []
