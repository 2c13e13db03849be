"""Which engine reads folders, and that nobody can tell from the result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from prefect_gcp._storage.engine import ReadingEngine, SdkEngine, open_engine
from prefect_gcp._storage.options import NO_OPTIONS, TransferOptions
from prefect_gcp.cloud_storage import GcpCredentials, GcsBucket
from prefect_integration_tests.backends.gcs import GcsFront

pytest.importorskip("obstore", reason="The extra `fast` brings it.")


def chosen(client: Any, options: TransferOptions = NO_OPTIONS, allowed: bool = True) -> str:
    with open_engine(client, client.bucket("b"), options, retry=None, native_transfer=allowed) as engine:
        assert isinstance(engine, SdkEngine | ReadingEngine)
        return "native" if isinstance(engine, ReadingEngine) else "sdk"


def test_the_native_engine_reads_when_it_can(gcs_credentials: GcpCredentials, service_account: dict[str, Any]) -> None:
    assert chosen(gcs_credentials.get_cloud_storage_client()) == "native"
    with_key = GcpCredentials(service_account_info=service_account, api_endpoints=gcs_credentials.api_endpoints)
    assert chosen(with_key.get_cloud_storage_client()) == "native"


def test_what_only_the_client_can_do_is_left_to_it(gcs_credentials: GcpCredentials) -> None:
    client = gcs_credentials.get_cloud_storage_client()
    for options in ({"encryption_key": bytes(32)}, {"chunk_size": 262144}, {"timeout": 5}, {"start": 1}):
        assert chosen(client, TransferOptions.parse(options)) == "sdk"
    assert chosen(client, allowed=False) == "sdk"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_of_ones_own_is_for_the_client(
    service_account: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for each in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(each, raising=False)
    credentials = GcpCredentials(service_account_info=service_account)
    assert chosen(credentials.get_cloud_storage_client()) == "native"
    monkeypatch.setenv(name, "/nowhere.pem")
    assert chosen(credentials.get_cloud_storage_client()) == "sdk"


def test_a_client_of_somebody_else_is_used_as_it_is(gcs_server: Any) -> None:
    from google.cloud import storage

    class Own(storage.Client):
        """A client with hooks of its own."""

    real = gcs_server.client()
    own = Own(project="p", credentials=real._credentials, client_options={"api_endpoint": gcs_server.endpoint})
    assert chosen(own) == "sdk"
    session = gcs_server.client()
    session._http.proxies = {"https": "http://proxy.invalid"}
    assert chosen(session) == "sdk"


def test_a_folder_is_listed_by_the_client_and_read_natively(
    gcs_front: GcsFront, fronted: GcsBucket, behind: Any, tmp_path: Path
) -> None:
    for number in range(3):
        behind.put(f"base/d/{number}", b"1")
    fronted.get_directory("d", str(tmp_path))
    agents = {request.headers["user-agent"].split("/")[0] for request in gcs_front.seen("download")}
    assert agents == {"object_store"}
    assert len(gcs_front.seen("list")) == 1


def test_a_large_object_is_read_in_ranges_and_checked_as_a_whole(
    gcs_front: GcsFront, fronted: GcsBucket, behind: Any, tmp_path: Path
) -> None:
    content = os.urandom(9 * 2**20)
    behind.put("base/d/big", content)
    gcs_front.corrupt("download", times=2)
    fronted.get_directory("d", str(tmp_path))
    assert (tmp_path / "big").read_bytes() == content
    assert any("range" in request.headers for request in gcs_front.seen("download"))


def test_the_connections_suffice_for_all_threads(gcs_credentials: GcpCredentials, gcs_bucket: GcsBucket) -> None:
    gcs_bucket.list_blobs()
    session = gcs_credentials.get_cloud_storage_client()._http
    assert session.get_adapter("https://storage.googleapis.com")._pool_maxsize >= 32
