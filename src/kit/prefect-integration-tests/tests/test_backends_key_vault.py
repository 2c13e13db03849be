"""The local key vault does what Key Vault does, as Azure's own client sees it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from prefect_integration_tests.backends.azure_identity import AzureIdentity
    from prefect_integration_tests.backends.key_vault import KeyVault

pytest.importorskip("azure.keyvault.secrets")

from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.keyvault.secrets import SecretClient


class _Credential:
    def __init__(self, token: str) -> None:
        self.token = token
        self.asked: list[tuple[tuple[str, ...], str]] = []

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        self.asked.append((scopes, kwargs.get("tenant_id", "")))
        return AccessToken(self.token, int(time.time()) + 3600)


def client_of(vault: KeyVault, credential: Any = None) -> Any:
    return SecretClient(
        vault.endpoint,
        credential or _Credential("token"),
        verify_challenge_resource=False,
        connection_verify=str(vault.ca_bundle),
        retry_total=0,
    )


@pytest.fixture
def client(empty_key_vault: KeyVault) -> Any:
    return client_of(empty_key_vault)


def test_a_secret_is_kept_with_all_that_is_said_about_it(client: Any) -> None:
    ends = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=1)
    client.set_secret("ledger", "1", content_type="text/plain", tags={"a": "b"}, expires_on=ends, enabled=True)
    found = client.get_secret("ledger")
    properties = found.properties
    assert (found.value, properties.content_type, properties.tags) == ("1", "text/plain", {"a": "b"})
    assert (properties.expires_on, properties.enabled, properties.recoverable_days) == (ends, True, 90)
    assert abs((datetime.now(timezone.utc) - properties.created_on).total_seconds()) < 60


def test_each_value_is_a_version(client: Any, empty_key_vault: KeyVault) -> None:
    versions = [client.set_secret("ledger", str(number)).properties.version for number in range(3)]
    assert [client.get_secret("ledger", version).value for version in versions] == ["0", "1", "2"]
    assert client.get_secret("ledger").value == "2"
    empty_key_vault.store.page_size = 2
    assert [found.version for found in client.list_properties_of_secret_versions("ledger")] == versions
    assert list(client.list_properties_of_secret_versions("absent")) == []


def test_a_version_is_disabled_and_enabled(client: Any) -> None:
    version = client.set_secret("ledger", "1").properties.version
    client.update_secret_properties("ledger", version, enabled=False)
    with pytest.raises(HttpResponseError, match="disabled secret") as caught:
        client.get_secret("ledger")
    assert caught.value.status_code == 403
    client.update_secret_properties("ledger", version, enabled=True, tags={"a": "b"})
    assert client.get_secret("ledger").properties.tags == {"a": "b"}


def test_a_deleted_secret_can_be_recovered_or_purged_when_the_deletion_is_complete(
    client: Any, empty_key_vault: KeyVault
) -> None:
    client.set_secret("ledger", "1")
    empty_key_vault.store.slow_looks = 1
    client.begin_delete_secret("ledger").result()
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_secret("ledger")
    deleted = client.get_deleted_secret("ledger")
    assert deleted.scheduled_purge_date - deleted.deleted_date == timedelta(days=90)
    with pytest.raises(ResourceExistsError, match="recovered or purged"):
        client.set_secret("ledger", "2")
    assert [found.name for found in client.list_deleted_secrets()] == ["ledger"]
    client.begin_recover_deleted_secret("ledger").result()
    with pytest.raises(ResourceNotFoundError):
        client.get_secret("ledger")
    assert client.get_secret("ledger").value == "1"
    empty_key_vault.store.slow_looks = 0
    client.begin_delete_secret("ledger").result()
    client.purge_deleted_secret("ledger")
    client.set_secret("ledger", "2")
    assert empty_key_vault.store.values("ledger") == ["2"]


def test_protection_from_purging_and_no_soft_delete_are_told(client: Any, empty_key_vault: KeyVault) -> None:
    empty_key_vault.store.is_purge_protected = True
    client.set_secret("ledger", "1")
    client.begin_delete_secret("ledger").result()
    with pytest.raises(HttpResponseError, match="purge protection"):
        client.purge_deleted_secret("ledger")
    empty_key_vault.reset()
    empty_key_vault.store.has_soft_delete = False
    client.set_secret("ledger", "1")
    assert client.begin_delete_secret("ledger").result().recovery_id is None


@pytest.mark.parametrize("name", ["a_b", "ü", "x" * 128])
def test_what_key_vault_does_not_take_is_refused(client: Any, name: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        client.set_secret(name, "1")
    assert caught.value.status_code == 400
    with pytest.raises(HttpResponseError, match="invalid value"):
        client.set_secret("ledger", "x" * 25_601)


def test_a_token_of_the_tenant_is_asked_for_and_looked_at(
    empty_key_vault: KeyVault, azure_identity: AzureIdentity
) -> None:
    credential = _Credential("good")
    empty_key_vault.check_tokens(lambda token: "shop" if token == "good" else None)
    client_of(empty_key_vault, credential).set_secret("ledger", "1")
    assert credential.asked[0] == (("https://vault.azure.net/.default",), azure_identity.tenant_id)
    assert empty_key_vault.calls[-1].principal == "shop"
    with pytest.raises(ClientAuthenticationError):
        client_of(empty_key_vault, _Credential("bad")).get_secret("ledger")


def test_an_action_that_is_denied_is_named(client: Any, empty_key_vault: KeyVault) -> None:
    empty_key_vault.denied.add("setSecret/action")
    with pytest.raises(HttpResponseError, match="vaults/secrets/setSecret/action"):
        client.set_secret("ledger", "1")


@pytest.mark.parametrize("when", ["before", "after", "lost", "cut", "garbled"])
def test_a_fault_strikes_as_often_as_it_is_told(client: Any, empty_key_vault: KeyVault, when: Any) -> None:
    empty_key_vault.fail("SetSecret", when=when, times=2)
    for _ in range(2):
        with pytest.raises(AzureError):
            client.set_secret("ledger", "1")
    assert empty_key_vault.pending_faults == 0
    done = 2 if when in ("after", "lost") else 0
    client.set_secret("ledger", "1")
    assert len(empty_key_vault.store.values("ledger")) == done + 1
    assert len(empty_key_vault.calls_of("SetSecret")) == 3
