"""The tasks of Key Vault: in flows of both kinds, with real identities, and when something is missing."""

from __future__ import annotations

import logging
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from prefect import flow, task

from prefect_azure import AzureBlobStorageCredentials, AzureCredentials, errors, key_vault
from prefect_azure._identity import forget_identities
from prefect_azure._tokens import SharedTokenCredential
from prefect_azure.key_vault import (
    AzureKeyVaultSecret,
    key_vault_delete_secret,
    key_vault_list_secrets,
    key_vault_purge_secret,
    key_vault_read_secret,
    key_vault_recover_secret,
    key_vault_write_secret,
)

from ._key_vault import VAULT_URL, credentials_for

if TYPE_CHECKING:
    from prefect_integration_tests.backends.azure_identity import AzureIdentity
    from prefect_integration_tests.backends.key_vault import KeyVault


@pytest.fixture
def credentials(vault: KeyVault) -> AzureCredentials:
    """Credentials that reach it."""
    return credentials_for(vault)


def pair(name: str) -> Any:
    """The two faces of a task's function."""
    return getattr(key_vault, name).fn, getattr(key_vault, f"a{name}").fn


def test_a_sync_flow_uses_the_tasks_without_await(
    prefect_harness: None, credentials: AzureCredentials, vault: KeyVault
) -> None:
    where = {"vault_url": VAULT_URL, "credentials": credentials}

    @flow
    def use() -> Any:
        first = key_vault_write_secret("ledger", "grün", **where)
        key_vault_write_secret("ledger", b"blau", **where)
        version = first.rpartition("/")[2]
        values = [key_vault_read_secret("ledger", **where), key_vault_read_secret("ledger", version=version, **where)]
        names = key_vault_list_secrets(VAULT_URL, credentials)
        deleted = key_vault_delete_secret("ledger", **where)
        recovered = key_vault_recover_secret("ledger", **where)
        key_vault_delete_secret("ledger", **where)
        key_vault_purge_secret("ledger", **where)
        return values, names, deleted, recovered

    values, names, deleted, recovered = use()
    assert (values, names, deleted) == (["blau", "grün"], ["ledger"], f"{VAULT_URL}/secrets/ledger")
    assert recovered == deleted
    assert (vault.store.names(), vault.store.deleted_names()) == ([], [])


async def test_an_async_flow_awaits_both_names(
    prefect_harness: None, credentials: AzureCredentials, vault: KeyVault
) -> None:
    @task
    def in_a_sync_task() -> Any:
        return key_vault_read_secret("ledger", VAULT_URL, credentials)

    @flow
    async def use() -> Any:
        await key_vault.akey_vault_write_secret("ledger", "one", VAULT_URL, credentials)
        await key_vault_write_secret("ledger", "two", VAULT_URL, credentials)  # pyright: ignore[reportGeneralTypeIssues]
        future = key_vault_read_secret.submit("ledger", VAULT_URL, credentials)
        values = [await key_vault.akey_vault_read_secret("ledger", VAULT_URL, credentials), future.result()]
        values.append(in_a_sync_task())
        names = await key_vault.akey_vault_list_secrets(VAULT_URL, credentials)
        await key_vault.akey_vault_delete_secret("ledger", VAULT_URL, credentials)
        await key_vault.akey_vault_recover_secret("ledger", VAULT_URL, credentials)
        await key_vault.akey_vault_delete_secret("ledger", VAULT_URL, credentials)
        await key_vault.akey_vault_purge_secret("ledger", VAULT_URL, credentials)
        return values, names

    assert await use() == (["two", "two", "two"], ["ledger"])
    assert vault.store.deleted_names() == []


async def test_what_is_said_about_a_version_reaches_it(
    credentials: AzureCredentials, vault: KeyVault, call: Any
) -> None:
    ends = datetime.now(timezone.utc) + timedelta(days=30)
    said = {"content_type": "password", "tags": {"team": "shop"}, "expires_on": ends, "not_before": ends}
    await call(pair("key_vault_write_secret"), "ledger", b"\xff", VAULT_URL, credentials, **said)
    body = vault.calls_of("SetSecret")[-1].body
    assert body == {
        "value": "/w==",
        "contentType": "password",
        "tags": {"team": "shop", "file-encoding": "base64"},
        "attributes": {"exp": int(ends.timestamp()), "nbf": int(ends.timestamp())},
    }


async def test_the_secrets_of_a_vault_are_listed_by_name_however_many_pages_they_fill(
    credentials: AzureCredentials, vault: KeyVault, call: Any
) -> None:
    vault.store.page_size = 2
    for name in ("e", "b", "d", "a", "c"):
        await call(pair("key_vault_write_secret"), name, "1", VAULT_URL, credentials)
    await call(pair("key_vault_delete_secret"), "d", VAULT_URL, credentials)
    assert await call(pair("key_vault_list_secrets"), "shop", credentials) == ["a", "b", "c", "e"]


async def test_a_binary_secret_is_refused_as_text_without_being_said(
    credentials: AzureCredentials, call: Any, canary: str, no_canary_leaks: Any
) -> None:
    await call(pair("key_vault_write_secret"), "ledger", b"\xff" + canary.encode(), VAULT_URL, credentials)
    with pytest.raises(ValueError, match=r"not UTF-8 text.*AzureKeyVaultSecret\.read_secret") as caught:
        await call(pair("key_vault_read_secret"), "ledger", VAULT_URL, credentials)
    no_canary_leaks.add_error(caught.value)
    assert caught.value.__context__ is None
    no_canary_leaks.check()


async def test_a_task_s_error_is_the_documented_one(credentials: AzureCredentials, call: Any) -> None:
    for verb in ("read", "delete", "recover", "purge"):
        with pytest.raises(errors.AzureNotFound, match="ledger"):
            await call(pair(f"key_vault_{verb}_secret"), "ledger", VAULT_URL, credentials)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
async def test_a_timeout_of_no_time_is_refused(credentials: AzureCredentials, timeout: float, call: Any) -> None:
    with pytest.raises(ValueError, match="timeout_seconds is"):
        await call(pair("key_vault_read_secret"), "ledger", VAULT_URL, credentials, timeout_seconds=timeout)


async def test_a_list_that_is_denied_names_the_vault(credentials: AzureCredentials, vault: KeyVault, call: Any) -> None:
    vault.denied.add("readMetadata/action")
    with pytest.raises(PermissionError, match=rf"Key vault '{VAULT_URL}'.*readMetadata"):
        await call(pair("key_vault_list_secrets"), VAULT_URL, credentials)


def test_a_task_run_logs_the_name_and_not_the_value(
    prefect_harness: None, credentials: AzureCredentials, canary: str, caplog: pytest.LogCaptureFixture
) -> None:
    @flow
    def use() -> str:
        key_vault_write_secret("ledger", canary, VAULT_URL, credentials)
        return key_vault_read_secret("ledger", VAULT_URL, credentials)

    with caplog.at_level(logging.DEBUG):
        assert use() == canary
    said = [record.getMessage() for record in caplog.records]
    assert {"Writing secret ledger", "Reading secret ledger"} <= set(said)
    assert not [text for text in said if canary in text]


# Who we are


@pytest.fixture
def entra(
    azure_identity: AzureIdentity, vault: KeyVault, clean_azure_environment: None, monkeypatch: pytest.MonkeyPatch
) -> AzureIdentity:
    """The tenant of the vault, which looks at tokens."""
    azure_identity.reset()
    forget_identities()
    for name, value in azure_identity.trust_environment().items():
        monkeypatch.setenv(name, value)
    vault.check_tokens(lambda token: azure_identity.check(token, "https://vault.azure.net"))
    return azure_identity


def test_a_service_principal_reaches_its_vault_whichever_block_names_it(entra: AzureIdentity, vault: KeyVault) -> None:
    application = entra.application("shop")
    who: dict[str, Any] = {
        "tenant_id": entra.tenant_id,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "endpoints": {"keyvault": vault.endpoint},
    }
    secret = AzureKeyVaultSecret(secret_name="ledger", vault_url="shop", credentials=AzureCredentials(**who))
    secret.write_secret(b"1")
    storage = AzureBlobStorageCredentials(account_url="https://shop.blob.core.windows.net", **who)
    assert key_vault_read_secret.fn("ledger", "shop", storage) == "1"
    assert {call.principal for call in vault.calls} == {application.client_id}


def test_the_machine_s_identity_is_the_default(
    entra: AzureIdentity, vault: KeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra.machine_environment().items():
        monkeypatch.setenv(name, value)
    secret = AzureKeyVaultSecret(
        secret_name="ledger",
        vault_url=VAULT_URL,
        credentials=AzureCredentials(endpoints={"keyvault": vault.endpoint}),
    )
    secret.write_secret(b"1")
    assert {call.principal for call in vault.calls} == {entra.system_assigned}


def test_a_token_is_renewed_before_it_ends(
    entra: AzureIdentity, vault: KeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = entra.application("shop")
    credentials = AzureCredentials(
        tenant_id=entra.tenant_id,
        client_id=application.client_id,
        client_secret=application.client_secret,
        endpoints={"keyvault": vault.endpoint},
    )
    entra.issue_for(200)  # seconds; azure-identity itself keeps no token of less than five minutes
    for _ in range(2):
        key_vault_write_secret.fn("ledger", "1", VAULT_URL, credentials)
    assert len(entra.issued) == 1
    entra.expire_all()
    monkeypatch.setattr(SharedTokenCredential, "clock", staticmethod(lambda: time.time() + 190))
    assert key_vault_read_secret.fn("ledger", VAULT_URL, credentials) == "1"
    assert len(entra.issued) == 2


# What is missing


def test_a_missing_sdk_is_named_with_the_extra_that_brings_it(
    credentials: AzureCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_azure._clients import forget_clients

    forget_clients()
    monkeypatch.setitem(sys.modules, "azure.keyvault.secrets", None)
    with pytest.raises(ImportError, match=r'pip install "prefect-azure\[key-vault\]"'):
        key_vault_read_secret.fn("ledger", VAULT_URL, credentials)
