"""Secrets are written, read, deleted and recovered by block, in both faces, whatever goes wrong, and never said."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.core import exceptions as azure_exceptions

from prefect_azure import AzureCredentials, errors
from prefect_azure._key_vault import store as vault_store
from prefect_azure.key_vault import AzureKeyVaultSecret, key_vault_read_secret
from prefect_integration_tests.backends.key_vault import KeyVault

from ._key_vault import VAULT_URL, StaticCredential, credentials_for

ABSENT = "0" * 32
FAULTS = ("before", "after", "lost", "cut", "garbled")


@pytest.fixture
def credentials(vault: KeyVault) -> AzureCredentials:
    """Credentials that reach it."""
    return credentials_for(vault)


@pytest.fixture
def secret(credentials: AzureCredentials) -> AzureKeyVaultSecret:
    """A block whose secret does not exist yet."""
    return AzureKeyVaultSecret(secret_name="ledger", vault_url=VAULT_URL, credentials=credentials)


@pytest.fixture
def hasty(fake_clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock by which waiting takes no time."""
    monkeypatch.setattr(vault_store, "_clock", fake_clock)
    return fake_clock


# Versions (what every secret block must do is in test_key_vault_conformance.py)


async def test_writing_returns_the_version_and_deleting_the_secret(
    secret: AzureKeyVaultSecret, vault: KeyVault, call: Any
) -> None:
    first = await call(secret, "write_secret", b"first")
    second = await call(secret, "write_secret", b"second")
    newest, oldest = sorted([first, second], key=[first, second].index, reverse=True)
    versions = {version.id for version in await call(secret, "list_versions")}
    assert versions == {newest, oldest}
    assert first.startswith(f"{vault.endpoint}/secrets/ledger/")
    assert await call(secret, "delete_secret") == f"{VAULT_URL}/secrets/ledger"


async def test_a_block_reads_the_version_that_it_names(
    secret: AzureKeyVaultSecret, credentials: AzureCredentials, call: Any
) -> None:
    first = (await call(secret, "write_secret", b"first")).rpartition("/")[2]
    await call(secret, "write_secret", b"second")
    old = AzureKeyVaultSecret(
        secret_name="ledger", vault_url=VAULT_URL, credentials=credentials, secret_version=first.upper()
    )
    assert await call(old, "read_secret") == b"first"
    assert await call(old, "read_secret", version="latest") == b"second"
    assert await call(secret, "read_secret", version=first) == b"first"
    assert await call(secret, "read_secret", version="latest") == b"second"
    with pytest.raises(errors.AzureNotFound, match=f"Version {ABSENT} of secret 'ledger'"):
        await call(secret, "read_secret", version=ABSENT)


async def test_an_identifier_says_vault_and_version(credentials: AzureCredentials, call: Any) -> None:
    by_id = AzureKeyVaultSecret(secret_name=f"{VAULT_URL}/secrets/ledger", credentials=credentials)
    first = (await call(by_id, "write_secret", b"first")).rpartition("/")[2]
    await call(by_id, "write_secret", b"second")
    exact = AzureKeyVaultSecret(secret_name=f"{VAULT_URL}/secrets/ledger/{first}", credentials=credentials)
    assert await call(exact, "read_secret") == b"first"
    assert await call(exact, "read_secret", version=first) == b"first"
    with pytest.raises(errors.AzureInvalidRequest, match=f"the version is {ABSENT}, and the identifier says {first}"):
        await call(exact, "read_secret", version=ABSENT)
    for work in (("write_secret", b"third"), ("delete_secret",), ("recover_secret",), ("purge_secret",)):
        with pytest.raises(errors.AzureInvalidRequest, match=rf"names a version.*Leave out /{first}"):
            await call(exact, *work)
    assert await call(by_id, "read_secret") == b"second"


async def test_versions_tell_all_but_the_value(secret: AzureKeyVaultSecret, call: Any) -> None:
    ends, begins = (datetime(2099, 1, day, tzinfo=timezone.utc) for day in (31, 1))
    described = secret.model_copy(update={"content_type": "text/plain", "tags": {"team": "shop"}})
    written = await call(described, "write_secret", b"v", expires_on=ends, not_before=begins)
    (version,) = await call(secret, "list_versions")
    assert (version.id, version.version, version.enabled) == (written, written.rpartition("/")[2], True)
    assert (version.expires_on, version.not_before) == (ends, begins)
    assert (version.content_type, version.tags) == ("text/plain", {"team": "shop"})
    assert abs((datetime.now(timezone.utc) - version.created_at).total_seconds()) < 60
    assert version.updated_at == version.created_at
    assert pickle.loads(pickle.dumps(version)) == version
    assert await call(secret, "read_secret") == b"v"  # Key Vault hands it out before its time


async def test_versions_come_newest_first_however_many_pages_they_fill(
    secret: AzureKeyVaultSecret, vault: KeyVault, call: Any
) -> None:
    vault.store.page_size = 2
    written = []
    for number in range(5):
        vault._server.offset_seconds = 10.0 * number
        written.append(await call(secret, "write_secret", str(number).encode()))
    assert [version.id for version in await call(secret, "list_versions")] == written[::-1]
    assert len(vault.calls_of("ListSecretVersions")) == 3


async def test_the_versions_of_no_secret_are_an_error(secret: AzureKeyVaultSecret, call: Any) -> None:
    with pytest.raises(LookupError, match=f"Secret 'ledger': there is none of this name in {VAULT_URL}"):
        await call(secret, "list_versions")


async def test_a_version_is_disabled_and_enabled_again(secret: AzureKeyVaultSecret, call: Any) -> None:
    written = await call(secret, "write_secret", b"v")
    version = written.rpartition("/")[2]
    assert await call(secret, "disable_version", version) == written
    assert [found.enabled for found in await call(secret, "list_versions")] == [False]
    with pytest.raises(
        PermissionError, match=r"Secret 'ledger': .*disabled secret.*\. Let it be read by enable_version"
    ):
        await call(secret, "read_secret")
    assert await call(secret, "enable_version", version) == written
    assert await call(secret, "read_secret") == b"v"
    with pytest.raises(errors.AzureNotFound, match=f"Version {ABSENT} of secret 'ledger'"):
        await call(secret, "disable_version", ABSENT)
    with pytest.raises(errors.AzureInvalidRequest, match="the version is 'latest'"):
        await call(secret, "disable_version", "latest")


# Values


async def test_bytes_that_are_no_text_are_stored_as_the_azure_cli_stores_them(
    secret: AzureKeyVaultSecret, vault: KeyVault, call: Any
) -> None:
    for content, tags in ((b"\xff\x00", {"file-encoding": "base64"}), ("grün".encode(), None)):
        await call(secret, "write_secret", content)
        body = vault.calls_of("SetSecret")[-1].body
        assert body.get("tags") == tags
        assert body["value"] == (base64.b64encode(content).decode() if tags else "grün")
        assert await call(secret, "read_secret") == content


@pytest.mark.parametrize(
    ("stored", "tags", "expected"),
    [
        ("/wA=", {"file-encoding": "base64"}, b"\xff\x00"),
        ("ff00", {"file-encoding": "hex"}, b"\xff\x00"),
        ("grün", {"file-encoding": "utf-8"}, "grün".encode()),
        ("a", {"file-encoding": "utf-16le"}, b"a\x00"),
        ("a", {"file-encoding": "of their own"}, b"a"),
        ("a", {"team": "shop"}, b"a"),
    ],
    ids=["base64", "hex", "utf-8", "utf-16", "unknown", "none"],
)
async def test_what_the_azure_cli_stored_is_read_as_it_was(
    secret: AzureKeyVaultSecret,
    credentials: AzureCredentials,
    stored: str,
    tags: dict[str, str],
    expected: bytes,
    call: Any,
) -> None:
    credentials.get_secret_client(VAULT_URL).set_secret("ledger", stored, tags=tags)
    assert await call(secret, "read_secret") == expected


@pytest.mark.parametrize("encoding", ["base64", "hex", "ascii"])
async def test_a_value_that_its_tag_does_not_fit_is_refused_without_being_said(
    secret: AzureKeyVaultSecret,
    credentials: AzureCredentials,
    encoding: str,
    call: Any,
    canary: str,
    no_canary_leaks: Any,
) -> None:
    credentials.get_secret_client(VAULT_URL).set_secret("ledger", f"ü-{canary}", tags={"file-encoding": encoding})
    with pytest.raises(errors.AzureInvalidRequest, match=f"file-encoding says {encoding}") as caught:
        await call(secret, "read_secret")
    assert caught.value.__context__ is None
    no_canary_leaks.add_error(caught.value)
    no_canary_leaks.check()


async def test_json_is_read_whole_or_by_field(secret: AzureKeyVaultSecret, call: Any) -> None:
    await call(secret, "write_secret", b'{"user": "app", "ports": [1, 2]}')
    assert await call(secret, "read_json") == {"user": "app", "ports": [1, 2]}
    assert await call(secret, "read_json", "ports") == [1, 2]
    with pytest.raises(errors.AzureNotFound, match="no field 'password'"):
        await call(secret, "read_json", field="password")
    version = (await call(secret, "write_secret", b'["list"]')).rpartition("/")[2]
    with pytest.raises(errors.AzureNotFound, match="no field 'user'"):
        await call(secret, "read_json", field="user", version=version)


@pytest.mark.parametrize("prefix", [b"", b"\xff"], ids=["text", "binary"])
async def test_a_secret_that_is_not_json_is_refused_without_being_said(
    secret: AzureKeyVaultSecret, call: Any, canary: str, no_canary_leaks: Any, prefix: bytes
) -> None:
    await call(secret, "write_secret", prefix + canary.encode())
    with pytest.raises(errors.AzureInvalidRequest, match="is not JSON") as caught:
        await call(secret, "read_json")
    no_canary_leaks.add_error(caught.value)
    assert caught.value.__context__ is None
    no_canary_leaks.check()


# Deletion


async def test_a_deleted_secret_is_recovered_with_all_of_its_versions(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any, call: Any
) -> None:
    await call(secret, "write_secret", b"1")
    await call(secret, "write_secret", b"2")
    vault.store.slow_looks = 2  # a deletion takes Key Vault some seconds, a recovery too
    await call(secret, "delete_secret")
    assert (vault.store.names(), vault.store.deleted_names()) == ([], ["ledger"])
    assert await call(secret, "recover_secret") == f"{VAULT_URL}/secrets/ledger"
    assert await call(secret, "read_secret") == b"2"
    assert vault.store.values("ledger") == ["1", "2"]


async def test_the_name_of_a_deleted_secret_is_taken_until_it_is_purged(
    secret: AzureKeyVaultSecret, vault: KeyVault, call: Any
) -> None:
    await call(secret, "write_secret", b"1")
    await call(secret, "delete_secret")
    with pytest.raises(
        errors.AzureConflict, match=r"Secret 'ledger': .*recovered or purged.* with recover_secret, or"
    ) as caught:
        await call(secret, "write_secret", b"2")
    assert isinstance(caught.value, azure_exceptions.ResourceExistsError)
    await call(secret, "purge_secret")
    assert vault.store.deleted_names() == []
    await call(secret, "write_secret", b"2")
    assert await call(secret, "read_secret") == b"2"


async def test_a_secret_is_deleted_for_good_at_once_when_that_is_asked_for(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any, call: Any
) -> None:
    vault.store.slow_looks = 1
    await call(secret, "write_secret", b"1")
    assert await call(secret, "delete_secret", purge=True) == f"{VAULT_URL}/secrets/ledger"
    assert (vault.store.names(), vault.store.deleted_names()) == ([], [])


async def test_a_vault_without_soft_delete_deletes_for_good(
    secret: AzureKeyVaultSecret, vault: KeyVault, call: Any
) -> None:
    vault.store.has_soft_delete = False
    await call(secret, "write_secret", b"1")
    await call(secret, "delete_secret", purge=True)
    assert not vault.calls_of("GetDeletedSecret")
    assert not vault.calls_of("PurgeSecret")
    with pytest.raises(errors.AzureNotFound, match="Deleted secret 'ledger'"):
        await call(secret, "recover_secret")


async def test_a_vault_with_purge_protection_says_so(secret: AzureKeyVaultSecret, vault: KeyVault, call: Any) -> None:
    vault.store.is_purge_protected = True
    await call(secret, "write_secret", b"1")
    with pytest.raises(PermissionError, match=r"Deleted secret 'ledger': .*purge protection.*Nobody can purge it"):
        await call(secret, "delete_secret", purge=True)
    assert vault.store.deleted_names() == ["ledger"]


async def test_what_is_not_deleted_is_neither_recovered_nor_purged(secret: AzureKeyVaultSecret, call: Any) -> None:
    await call(secret, "write_secret", b"1")
    for work in ("recover_secret", "purge_secret"):
        with pytest.raises(LookupError, match="Deleted secret 'ledger'"):
            await call(secret, work)


async def test_who_may_delete_but_not_look_is_not_kept_waiting(
    secret: AzureKeyVaultSecret, vault: KeyVault, call: Any
) -> None:
    await call(secret, "write_secret", b"1")
    vault.denied.update({"readMetadata/action", "getSecret/action"})
    await call(secret, "delete_secret")
    await call(secret, "recover_secret")
    assert vault.store.names() == ["ledger"]


async def test_a_deletion_that_does_not_end_is_reported_when_the_time_is_up(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any, call: Any
) -> None:
    await call(secret, "write_secret", b"1")
    vault.store.slow_looks = 10_000
    with pytest.raises(TimeoutError, match="Secret 'ledger' is still not deleted after 60 seconds") as caught:
        await call(secret, "delete_secret")
    assert isinstance(caught.value, errors.AzureWaitTimeout)


# Names that can be none


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "under_score",
        "x" * 128,
        "a/b",
        "https://shop.vault.azure.net/keys/ledger",
        "https://shop.vault.azure.net/secrets/a_b",
        "https://shop.vault.azure.net/secrets/ledger?x=1",
    ],
)
async def test_a_name_that_can_be_none_is_refused_before_any_request(
    secret: AzureKeyVaultSecret, vault: KeyVault, name: str, call: Any
) -> None:
    block = secret.model_copy(update={"secret_name": name})
    for work in (("read_secret",), ("write_secret", b"1"), ("delete_secret",), ("list_versions",)):
        with pytest.raises(ValueError, match="secret_name is"):
            await call(block, *work)
    assert not vault.calls
    assert not vault.challenges


@pytest.mark.parametrize(
    ("vault_url", "says"),
    [
        (None, "vault_url is empty"),
        (" ", "vault_url is empty"),
        ("ab", "a vault has a name of 3 to 24"),
        ("shop--vault", "a vault has a name of 3 to 24"),
        ("shop.vault.azure.net", "Give that, or an address such as https://"),
        ("http://shop.vault.azure.net", "must begin with https://"),
        ("http://127.0.0.1:80", "must begin with https://"),
        ("https://shop.vault.azure.net/secrets/x", "without a user, path or query"),
        ("https://user:pw@shop.vault.azure.net", "without a user, path or query"),
    ],
)
async def test_an_address_that_is_none_is_refused_before_any_request(
    secret: AzureKeyVaultSecret, vault: KeyVault, vault_url: str | None, says: str, call: Any
) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match=says):
        await call(secret.model_copy(update={"vault_url": vault_url}), "read_secret")
    assert not vault.calls
    assert not vault.challenges


@pytest.mark.parametrize("vault_url", ["shop", VAULT_URL, f"{VAULT_URL}/", " https://SHOP.vault.azure.net "])
async def test_a_vault_is_named_in_several_ways(secret: AzureKeyVaultSecret, vault_url: str, call: Any) -> None:
    await call(secret, "write_secret", b"1")
    assert await call(secret.model_copy(update={"vault_url": vault_url}), "read_secret") == b"1"


def test_a_vault_of_another_cloud_has_another_address(vault: KeyVault) -> None:
    credentials = credentials_for(vault, cloud="usgov")
    secret = AzureKeyVaultSecret(secret_name="ledger", vault_url="shop", credentials=credentials)
    secret.write_secret(b"1")
    assert secret.delete_secret() == "https://shop.vault.usgovcloudapi.net/secrets/ledger"


async def test_an_identifier_of_another_vault_is_refused(secret: AzureKeyVaultSecret, call: Any) -> None:
    block = secret.model_copy(update={"secret_name": "https://other.vault.azure.net/secrets/ledger"})
    with pytest.raises(errors.AzureInvalidRequest, match="is in another vault than vault_url"):
        await call(block, "read_secret")


@pytest.mark.parametrize("version", ["0", "1", "two words", ABSENT + "0", True, 3])
async def test_a_version_that_can_be_none_is_refused_before_any_request(
    secret: AzureKeyVaultSecret, vault: KeyVault, version: Any, call: Any
) -> None:
    with pytest.raises(ValueError, match="Secret 'ledger': the version is"):
        await call(secret, "read_secret", version=version)
    assert not vault.calls


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"x" * 25_601, "has 25601 bytes; Key Vault takes up to 25600"),
        (b"\xff" * 19_201, "has 25604 bytes in base64, since it is no UTF-8 text"),
        (42, r"of type int\. Give str or bytes"),
    ],
    ids=["text", "binary", "number"],
)
async def test_a_value_that_key_vault_cannot_store_is_refused_before_any_request(
    secret: AzureKeyVaultSecret, vault: KeyVault, value: Any, says: str, call: Any
) -> None:
    with pytest.raises(ValueError, match=f"Secret 'ledger': the value .*{says}"):
        await call(secret, "write_secret", value)
    assert not vault.calls


@pytest.mark.parametrize("field", ["expires_on", "not_before"])
async def test_a_time_without_a_zone_is_refused(
    secret: AzureKeyVaultSecret, vault: KeyVault, field: str, call: Any
) -> None:
    with pytest.raises(ValueError, match=f"{field} is 2099-01-01T00:00:00 without a time zone"):
        await call(secret, "write_secret", b"1", **{field: datetime(2099, 1, 1)})  # noqa: DTZ001
    assert not vault.calls


# Who we are


def test_the_token_is_for_key_vault_and_kept(vault: KeyVault) -> None:
    source = StaticCredential()
    credentials = AzureCredentials(endpoints={"keyvault": vault.endpoint}).with_credential(source)
    for name in ("a", "b", "c"):
        AzureKeyVaultSecret(secret_name=name, vault_url=VAULT_URL, credentials=credentials).write_secret(b"1")
    assert vault.challenges <= 1  # which says what the token is to be for; the SDK remembers it for its process
    assert [asked["scopes"] for asked in source.asked] == [("https://vault.azure.net/.default",)]


def test_a_token_that_is_not_good_is_an_error_of_the_credentials(vault: KeyVault, secret: AzureKeyVaultSecret) -> None:
    vault.check_tokens(lambda _: None)
    with pytest.raises(errors.AzureCredentialsRefused, match="Secret 'ledger'") as caught:
        secret.read_secret()
    assert isinstance(caught.value, azure_exceptions.ClientAuthenticationError)


def test_no_token_goes_to_a_server_that_asks_for_those_of_another_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = StaticCredential()
    credentials = AzureCredentials().with_credential(source)
    # Of its own: the SDK remembers what a server asked for before.
    with KeyVault(tmp_path) as vault:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(vault.ca_bundle))
        secret = AzureKeyVaultSecret(secret_name="ledger", vault_url=vault.endpoint, credentials=credentials)
        with pytest.raises(errors.AzureInvalidRequest, match=r"asks for tokens of another service.*'keyvault'"):
            secret.read_secret()
    assert not source.asked
    assert not vault.calls


def test_no_token_goes_to_a_server_whose_certificate_is_not_trusted(
    vault: KeyVault, monkeypatch: pytest.MonkeyPatch, hasty: Any
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    secret = AzureKeyVaultSecret(secret_name="ledger", vault_url=VAULT_URL, credentials=credentials_for(vault))
    with pytest.raises(errors.AzureError, match=r"Secret 'ledger': .*CERTIFICATE_VERIFY_FAILED"):
        secret.read_secret()
    assert not vault.calls
    assert not vault.challenges


async def test_a_denied_request_names_the_secret_the_action_and_a_role(
    secret: AzureKeyVaultSecret, vault: KeyVault, call: Any
) -> None:
    await call(secret, "write_secret", b"1")
    vault.denied.add("getSecret/action")
    with pytest.raises(PermissionError, match=r"Secret 'ledger'.*vaults/secrets/getSecret/action") as caught:
        await call(secret, "read_secret")
    assert isinstance(caught.value, errors.AzureAccessDenied)
    assert isinstance(caught.value, azure_exceptions.HttpResponseError)
    assert caught.value.action == "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    assert "Grant Credential StaticCredential a role" in str(caught.value)
    assert len(vault.calls_of("GetSecret")) == 1


async def test_a_firewall_is_not_taken_for_a_missing_role(
    secret: AzureKeyVaultSecret, vault: KeyVault, call: Any
) -> None:
    message = "Client address is not authorized and caller is not a trusted service.\r\nClient address: 10.1.2.3"
    vault.fail("GetSecret", 403, "Forbidden", message, inner="ForbiddenByFirewall")
    with pytest.raises(PermissionError, match=r"10\.1\.2\.3.*Let this network in") as caught:
        await call(secret, "read_secret")
    assert "Grant" not in str(caught.value)


def test_a_block_with_nothing_but_the_secret_uses_the_default_credential() -> None:
    secret = AzureKeyVaultSecret(secret_name="ledger", vault_url="shop")
    assert secret.credentials.identity_kind == "default"


# What goes wrong on the way


OPERATIONS: dict[str, tuple[str, Callable[[AzureKeyVaultSecret, str], Any]]] = {
    "set": ("SetSecret", lambda secret, _: secret.write_secret(b"2")),
    "get": ("GetSecret", lambda secret, _: secret.read_secret()),
    "list": ("ListSecretVersions", lambda secret, _: secret.list_versions()),
    "disable": ("UpdateSecret", lambda secret, version: secret.disable_version(version)),
    "delete": ("DeleteSecret", lambda secret, _: secret.delete_secret()),
    "look at the deleted": ("GetDeletedSecret", lambda secret, _: secret.delete_secret()),
    "recover": ("RecoverSecret", lambda secret, _: secret.recover_secret()),
    "purge": ("PurgeSecret", lambda secret, _: secret.purge_secret()),
}


@pytest.mark.parametrize("when", FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_single_failure_of_any_request_is_got_over_and_nothing_done_twice(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any, operation: str, when: Any
) -> None:
    method, work = OPERATIONS[operation]
    version = secret.write_secret(b"1").rpartition("/")[2]
    if operation in ("recover", "purge"):
        secret.delete_secret()
    vault.fail(method, when=when)
    work(secret, version)
    assert vault.pending_faults == 0
    expected = {"set": ["1", "2"], "get": ["1"], "list": ["1"], "disable": ["1"], "recover": ["1"]}
    if operation in expected:
        assert vault.store.values("ledger") == expected[operation]
    else:
        assert vault.store.names() == []
        assert vault.store.deleted_names() == ([] if operation == "purge" else ["ledger"])


@pytest.mark.parametrize("work", ["delete_secret", "recover_secret"])
async def test_what_takes_its_time_after_a_lost_answer_is_not_taken_for_missing(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any, work: str, call: Any
) -> None:
    await call(secret, "write_secret", b"1")
    if work == "recover_secret":
        await call(secret, "delete_secret")
    vault.store.slow_looks = 3
    vault.fail("DeleteSecret" if work == "delete_secret" else "RecoverSecret", when="lost")
    assert await call(secret, work) == f"{VAULT_URL}/secrets/ledger"
    assert (vault.store.names() == ["ledger"]) is (work == "recover_secret")


@pytest.mark.parametrize("work", ["delete_secret", "recover_secret"])
async def test_what_never_was_is_missing_after_a_failure_too(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any, work: str, call: Any
) -> None:
    vault.fail("DeleteSecret" if work == "delete_secret" else "RecoverSecret", when="cut")
    with pytest.raises(errors.SecretNotFound, match="ecret 'ledger'"):
        await call(secret, work)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_each_transient_answer_is_asked_again(
    secret: AzureKeyVaultSecret, vault: KeyVault, status: int, hasty: Any, call: Any
) -> None:
    await call(secret, "write_secret", b"1")
    vault.fail("GetSecret", status, "Throttled", "Too many requests were received.", times=2)
    assert await call(secret, "read_secret") == b"1"
    assert len(vault.calls_of("GetSecret")) == 3


async def test_as_long_as_key_vault_asks_for_is_waited(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any, call: Any
) -> None:
    await call(secret, "write_secret", b"1")
    vault.fail("GetSecret", 429, "Throttled", "Too many requests were received.", retry_after=17)
    start = hasty.monotonic()
    assert await call(secret, "read_secret") == b"1"
    assert hasty.monotonic() - start >= 17


@pytest.mark.parametrize("inner", ["ObjectIsBeingDeleted", "ObjectIsBeingRecovered"])
async def test_a_secret_that_is_on_its_way_is_waited_for(
    secret: AzureKeyVaultSecret, vault: KeyVault, inner: str, hasty: Any, call: Any
) -> None:
    vault.fail("SetSecret", 409, "Conflict", "Secret ledger is currently being deleted.", inner=inner, times=3)
    await call(secret, "write_secret", b"1")
    assert len(vault.calls_of("SetSecret")) == 4


async def test_a_lasting_failure_is_reported_when_the_time_is_up(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any, call: Any
) -> None:
    vault.fail("GetSecret", times=None)
    start = hasty.monotonic()
    with pytest.raises(errors.AzureUnavailable, match="Secret 'ledger'"):
        await call(secret, "read_secret")
    assert 20 < hasty.monotonic() - start <= 60
    assert 3 < len(vault.calls) < 100


def test_a_server_that_says_nothing_is_not_waited_for_beyond_the_timeout(
    secret: AzureKeyVaultSecret, vault: KeyVault
) -> None:
    secret.write_secret(b"1")
    vault.fail("GetSecret", when="silent", times=10)
    with pytest.raises(errors.AzureUnavailable, match="Secret 'ledger'"):
        key_vault_read_secret.fn("ledger", VAULT_URL, secret.credentials, timeout_seconds=0.3)


def test_a_write_of_an_earlier_time_is_not_taken_for_the_one_that_was_lost(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any
) -> None:
    vault._server.offset_seconds = -3600
    secret.write_secret(b"1")
    vault._server.offset_seconds = 0
    vault.fail("SetSecret")
    secret.write_secret(b"1")
    assert vault.store.values("ledger") == ["1", "1"]


def test_who_may_write_but_not_read_writes_in_spite_of_a_failure(
    secret: AzureKeyVaultSecret, vault: KeyVault, hasty: Any
) -> None:
    vault.denied.add("getSecret/action")
    vault.fail("SetSecret")
    secret.write_secret(b"1")
    assert vault.store.values("ledger") == ["1"]


async def test_errors_can_be_caught_as_the_sdk_s_own_and_survive_pickling(
    secret: AzureKeyVaultSecret, call: Any
) -> None:
    with pytest.raises(azure_exceptions.ResourceNotFoundError, match="Secret 'ledger'") as caught:
        await call(secret, "read_secret")
    assert isinstance(caught.value, errors.AzureNotFound)
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, errors.AzureNotFound)
    assert again.subject == "Secret 'ledger'"


async def test_a_refused_write_does_not_say_the_secret(
    secret: AzureKeyVaultSecret, vault: KeyVault, call: Any, canary: str, no_canary_leaks: Any
) -> None:
    vault.fail("SetSecret", 400, "BadParameter", f"The value {canary} is not valid.")
    with pytest.raises(errors.AzureInvalidRequest, match="Secret 'ledger'") as caught:
        await call(secret, "write_secret", canary.encode())
    no_canary_leaks.add_error(caught.value)
    no_canary_leaks.check()


# The block


@pytest.mark.usefixtures("prefect_harness")
async def test_a_saved_block_is_loaded_with_all_that_it_says() -> None:
    block = AzureKeyVaultSecret(
        secret_name="ledger",
        vault_url=VAULT_URL,
        credentials=AzureCredentials(client_id="a-managed-identity"),
        secret_version=ABSENT,
        content_type="application/json",
        tags={"team": "shop"},
    )
    await block.save("key-vault-ledger", overwrite=True)
    loaded: Any = await AzureKeyVaultSecret.load("key-vault-ledger")
    fields = {"secret_name", "vault_url", "secret_version", "content_type", "tags"}
    assert loaded.model_dump(include=fields) == block.model_dump(include=fields)
    assert loaded.credentials.client_id == "a-managed-identity"


async def test_json_that_is_written_can_say_what_it_is(secret: AzureKeyVaultSecret, vault: KeyVault, call: Any) -> None:
    block = secret.model_copy(update={"content_type": "application/json"})
    in_june = datetime.now(timezone.utc) + timedelta(days=30)
    await call(block, "write_secret", json.dumps({"user": "app"}).encode(), expires_on=in_june)
    body = vault.calls_of("SetSecret")[-1].body
    assert (body["contentType"], body["attributes"]["exp"]) == ("application/json", int(in_june.timestamp()))
