"""The local Secret Manager keeps what it is given, answers as Google does, and refuses what Google refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

grpc: Any = pytest.importorskip("grpc")
secretmanager: Any = pytest.importorskip("google.cloud.secretmanager_v1")
exceptions: Any = pytest.importorskip("google.api_core.exceptions")
google_crc32c: Any = pytest.importorskip("google_crc32c")

from prefect_integration_kit.waiting import poll  # noqa: E402
from prefect_integration_tests.backends._google.secrets import MAX_BYTES, SecretManager, crc32c  # noqa: E402
from prefect_integration_tests.backends.google_grpc import GoogleGrpc  # noqa: E402 - after the guards

AUTOMATIC = {"replication": {"automatic": {}}}


@pytest.fixture(scope="module")
def _module_server() -> Iterator[GoogleGrpc]:
    with GoogleGrpc.start(SecretManager()) as server:
        yield server


@pytest.fixture
def manager(_module_server: GoogleGrpc) -> SecretManager:
    _module_server.reset()
    return _module_server.service(SecretManager)


@pytest.fixture
def client(_module_server: GoogleGrpc, manager: SecretManager) -> Iterator[Any]:
    kind = secretmanager.SecretManagerServiceClient.get_transport_class("grpc")
    with grpc.insecure_channel(_module_server.target) as channel:
        yield secretmanager.SecretManagerServiceClient(transport=kind(channel=channel))


@pytest.fixture
def secret(client: Any) -> str:
    """Full name of a secret without a version."""
    return client.create_secret(parent="projects/shop", secret_id="ledger", secret=AUTOMATIC).name


def add(client: Any, secret: str, data: bytes = b"1", **payload: Any) -> Any:
    return client.add_secret_version(parent=secret, payload={"data": data, **payload})


def read(client: Any, name: str) -> bytes:
    return client.access_secret_version(request={"name": name}, retry=None).payload.data


@pytest.mark.parametrize("data", [b"", b"a", bytes(range(256)) * 3])
def test_its_checksum_is_google_s(data: bytes) -> None:
    assert crc32c(data) == google_crc32c.value(data)


def test_a_project_is_the_same_by_id_and_by_number(client: Any, manager: SecretManager, secret: str) -> None:
    assert secret == f"projects/{manager.number_of('shop')}/secrets/ledger"
    assert client.get_secret(name="projects/shop/secrets/ledger") == client.get_secret(name=secret)
    assert manager.number_of("shop") != manager.number_of("other")
    with pytest.raises(exceptions.NotFound, match="not found"):
        client.get_secret(name="projects/other/secrets/ledger")


def test_versions_are_numbered_and_the_newest_is_the_latest(client: Any, secret: str) -> None:
    with pytest.raises(exceptions.NotFound, match="not found or has no versions"):
        read(client, f"{secret}/versions/latest")
    assert [add(client, secret, data).name for data in (b"1", b"2")] == [f"{secret}/versions/{n}" for n in (1, 2)]
    assert (read(client, f"{secret}/versions/1"), read(client, f"{secret}/versions/latest")) == (b"1", b"2")
    client.disable_secret_version(name=f"{secret}/versions/2")
    with pytest.raises(exceptions.FailedPrecondition, match="DISABLED"):
        read(client, f"{secret}/versions/latest")
    client.enable_secret_version(name=f"{secret}/versions/2")
    assert read(client, f"{secret}/versions/latest") == b"2"


def test_a_destroyed_version_stays_so(client: Any, secret: str) -> None:
    version = add(client, secret).name
    assert client.destroy_secret_version(name=version).destroy_time is not None
    for work in (client.destroy_secret_version, client.enable_secret_version, client.disable_secret_version):
        with pytest.raises(exceptions.FailedPrecondition, match="DESTROYED"):
            work(name=version)
    with pytest.raises(exceptions.FailedPrecondition, match="DESTROYED"):
        read(client, version)
    assert client.get_secret_version(name=version).state.name == "DESTROYED"


def test_pages_are_walked(client: Any, secret: str) -> None:
    for _ in range(5):
        add(client, secret)
    pages = list(client.list_secret_versions(request={"parent": secret, "page_size": 2}).pages)
    assert [len(page.versions) for page in pages] == [2, 2, 1]
    assert pages[0].versions[0].name == f"{secret}/versions/5"
    assert [item.name for item in client.list_secrets(parent="projects/shop")] == [secret]
    assert not list(client.list_secrets(parent="projects/other"))


def test_a_deleted_secret_is_gone_with_its_versions(client: Any, secret: str) -> None:
    version = add(client, secret).name
    client.delete_secret(name=secret)
    for work in (lambda: read(client, version), lambda: client.delete_secret(name=secret)):
        with pytest.raises(exceptions.NotFound):
            work()


def test_an_expired_secret_is_gone(client: Any) -> None:
    ttl = {**AUTOMATIC, "ttl": {"nanos": 20_000_000}}
    made = client.create_secret(parent="projects/shop", secret_id="brief", secret=ttl)

    def is_gone() -> bool | None:
        try:
            client.get_secret(name=made.name)
        except exceptions.NotFound:
            return True
        return None

    assert poll(is_gone, subject="The end of the secret", interval_seconds=0.005, timeout_seconds=10)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"parent": "shop", "secret_id": "a", "secret": AUTOMATIC}, "parent is 'shop'"),
        ({"parent": "projects/shop", "secret_id": "a b", "secret": AUTOMATIC}, "does not match the expected format"),
        ({"parent": "projects/shop", "secret_id": "a", "secret": {}}, "replication must be specified"),
        ({"parent": "projects/shop", "secret_id": "a"}, "Required field"),
        (
            {"parent": "projects/shop", "secret_id": "a", "secret": {"replication": {"user_managed": {}}}},
            "Required field|at least one replica",
        ),
        ({"parent": "projects/shop", "secret_id": "a", "secret": {**AUTOMATIC, "labels": {"Team": "x"}}}, "label"),
        ({"parent": "projects/shop", "secret_id": "a", "secret": {**AUTOMATIC, "labels": {"team": "x y"}}}, "label"),
    ],
)
def test_a_secret_that_google_would_not_create_is_refused(client: Any, request_: dict[str, Any], says: str) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=says):
        client.create_secret(request=request_)


def test_a_name_is_given_once(client: Any, secret: str) -> None:
    with pytest.raises(exceptions.AlreadyExists, match="already exists"):
        client.create_secret(parent="projects/shop", secret_id="ledger", secret=AUTOMATIC)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"data": b""}, "cannot be empty|Required field"),
        ({"data": b"x" * (MAX_BYTES + 1)}, "larger than"),
        ({"data": b"x", "data_crc32c": 1}, "does not match"),
    ],
)
def test_a_payload_that_google_would_not_store_is_refused(
    client: Any, secret: str, payload: dict[str, Any], says: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=says):
        add(client, secret, **payload)


def test_a_version_says_whether_its_checksum_was_known(client: Any, secret: str) -> None:
    assert add(client, secret, data_crc32c=crc32c(b"1")).client_specified_payload_checksum
    assert not add(client, secret).client_specified_payload_checksum


def test_only_numbers_name_versions_that_are_changed(client: Any, secret: str) -> None:
    add(client, secret)
    with pytest.raises(exceptions.InvalidArgument, match="expected format"):
        client.destroy_secret_version(name=f"{secret}/versions/latest")


def test_an_alias_reads_and_an_old_etag_changes_nothing(client: Any, secret: str) -> None:
    for data in (b"1", b"2"):
        add(client, secret, data)
    stored = client.get_secret(name=secret)
    client.update_secret(
        secret={"name": secret, "version_aliases": {"good": 1}}, update_mask={"paths": ["version_aliases"]}
    )
    assert read(client, f"{secret}/versions/good") == b"1"
    with pytest.raises(exceptions.Aborted, match="etag"):
        client.delete_secret(request={"name": secret, "etag": stored.etag})


def test_a_damaged_payload_comes_with_the_checksum_of_the_stored_one(
    client: Any, manager: SecretManager, secret: str
) -> None:
    add(client, secret, b"value")
    manager.damaged = 1
    payload = client.access_secret_version(name=f"{secret}/versions/1").payload
    assert (payload.data != b"value", payload.data_crc32c) == (True, crc32c(b"value"))
    assert read(client, f"{secret}/versions/1") == b"value"
