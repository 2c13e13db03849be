"""Who may use an account of Cosmos DB: keys, tokens of any identity, addresses of one's own, and who may not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_azure import AzureCosmosDbCredentials, _clients, _identity, errors
from prefect_azure._cosmos.items import Items
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.cosmos import Cosmos

from ._cosmos import asked, credentials_for, fill

DATA = "Microsoft.DocumentDB/databaseAccounts/"

pytestmark = [
    pytest.mark.usefixtures("clean_azure_environment"),
    pytest.mark.filterwarnings("ignore:Unverified HTTPS request"),  # the SDK does not verify loopback addresses
]


@pytest.fixture
def account(empty_cosmos: Cosmos) -> Iterator[Cosmos]:
    """An account with parcels, and no client of it kept."""
    fill(empty_cosmos)
    _clients.forget_clients()
    _identity.forget_identities()
    yield empty_cosmos
    _clients.forget_clients()


@pytest.fixture
def by_token(
    account: Cosmos, azure_identity: AzureIdentity, monkeypatch: pytest.MonkeyPatch
) -> AzureCosmosDbCredentials:
    """Credentials of a service principal, for an account that takes its tokens."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure_identity.ca_bundle)
    account.check_tokens(azure_identity.check)
    application = azure_identity.application()
    return AzureCosmosDbCredentials(
        account_url=account.tls_endpoint,
        tenant_id=azure_identity.tenant_id,
        client_id=application.client_id,
        client_secret=application.client_secret,  # pyright: ignore[reportArgumentType]
        authority=azure_identity.authority,
    )


def _read(credentials: AzureCosmosDbCredentials) -> Any:
    return Items("parcels", "shop", credentials).read("p4", "pt", {})


def test_the_clients_are_those_of_the_sdk(account: Cosmos) -> None:
    from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy

    credentials = credentials_for(account)
    assert isinstance(credentials.get_client(), CosmosClient)
    assert isinstance(credentials.get_database_client("shop"), DatabaseProxy)
    container = credentials.get_container_client("parcels", "shop")
    assert isinstance(container, ContainerProxy)
    assert container.read_item("p4", "pt")["weight"] == 4


def test_equal_blocks_share_a_client_and_others_do_not(account: Cosmos) -> None:
    clients: list[Any] = []

    def get() -> None:
        clients.append(credentials_for(account).get_client())

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, clients))) == 1
    text = f"AccountEndpoint={account.endpoint};AccountKey={account.readonly_key}"
    assert AzureCosmosDbCredentials(connection_string=text).get_client() is not clients[0]  # pyright: ignore[reportArgumentType]


def test_a_client_that_one_closes_serves_the_others(account: Cosmos) -> None:
    credentials = credentials_for(account)
    for _ in range(2):
        with credentials.get_client() as client:
            container = client.get_database_client("shop").get_container_client("parcels")
            assert container.read_item("p4", "pt")["weight"] == 4
    assert _read(credentials)["weight"] == 4


def test_a_wrong_key_is_refused_and_not_said(account: Cosmos, canary: str, no_canary_leaks: Any) -> None:
    import base64

    from azure.core.exceptions import HttpResponseError

    wrong = base64.b64encode(canary.encode()).decode()
    text = f"AccountEndpoint={account.endpoint};AccountKey={wrong};"
    credentials = AzureCosmosDbCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]
    no_canary_leaks.add("repr", repr(credentials))
    with pytest.raises(errors.AzureCredentialsRefused, match=r"Cosmos DB account.*wrong key.*Check the key") as raised:
        _read(credentials)
    assert isinstance(raised.value, HttpResponseError)
    assert wrong not in str(raised.value)
    assert "payload to sign" not in str(raised.value)
    no_canary_leaks.add_error(raised.value)


def test_a_read_only_key_reads_and_says_that_it_may_not_write(account: Cosmos) -> None:
    text = f"AccountEndpoint={account.endpoint};AccountKey={account.readonly_key};"
    credentials = AzureCosmosDbCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]
    assert _read(credentials)["weight"] == 4
    with pytest.raises(
        errors.AzureAccessDenied, match=r"Item 'a' of container 'shop/parcels'.*read-only key"
    ) as raised:
        Items("parcels", "shop", credentials).create({"id": "a", "country": "no"}, {})
    assert isinstance(raised.value, PermissionError)


def test_a_service_principal_signs_in_by_token(
    by_token: AzureCosmosDbCredentials, account: Cosmos, azure_identity: AzureIdentity
) -> None:
    assert _read(by_token)["weight"] == 4
    principals = {call.principal for call in account.calls_of("Item_Get")}
    assert principals == {azure_identity.application().client_id}


def test_a_connection_string_without_a_key_signs_in_by_token(
    by_token: AzureCosmosDbCredentials, account: Cosmos
) -> None:
    fields = by_token.model_dump(exclude={"account_url", "connection_string"}, exclude_none=True)
    fields.pop("block_type_slug", None)
    text = f"AccountEndpoint={account.tls_endpoint};"
    credentials = AzureCosmosDbCredentials(
        **{**fields, "client_secret": by_token.client_secret, "connection_string": text}
    )
    assert _read(credentials)["weight"] == 4


def test_a_credential_of_ones_own_signs_in(by_token: AzureCosmosDbCredentials, account: Cosmos) -> None:
    class OfMyOwn:
        def get_token(self, *scopes: str, **_: Any) -> Any:
            scopes_asked.append(scopes)
            return by_token.get_token_credential().get_token(*scopes)

    scopes_asked: list[Any] = []
    block = AzureCosmosDbCredentials(account_url=account.tls_endpoint)
    assert _read(block.with_credential(OfMyOwn()))["weight"] == 4  # pyright: ignore[reportArgumentType]
    assert scopes_asked


@pytest.mark.parametrize("fields", [{}, {"identity": "managed"}], ids=["default", "managed"])
def test_an_identity_of_the_machine_signs_in(
    by_token: AzureCosmosDbCredentials,
    azure_identity: AzureIdentity,
    account: Cosmos,
    fields: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in azure_identity.machine_environment().items():
        monkeypatch.setenv(name, value)
    assert _read(AzureCosmosDbCredentials(account_url=account.tls_endpoint, **fields))["weight"] == 4
    assert {call.principal for call in account.calls_of("Item_Get")} == {azure_identity.system_assigned}


def test_a_token_is_asked_for_once_and_used_by_all_requests(
    by_token: AzureCosmosDbCredentials, azure_identity: AzureIdentity, account: Cosmos
) -> None:
    before = len(azure_identity.issued)
    for _ in range(3):
        assert _read(by_token)["weight"] == 4
    assert len(azure_identity.issued) == before + 1


def test_an_identity_without_a_role_is_told_the_action(by_token: AzureCosmosDbCredentials, account: Cosmos) -> None:
    account.denied.add(f"{DATA}sqlDatabases/containers/items/create")
    with pytest.raises(errors.AzureAccessDenied, match="items/create") as raised:
        Items("parcels", "shop", by_token).create({"id": "a", "country": "no"}, {})
    assert raised.value.action == f"{DATA}sqlDatabases/containers/items/create"
    assert "az cosmosdb sql role assignment create" in str(raised.value)


def test_tokens_are_not_sent_without_encryption(account: Cosmos) -> None:
    text = f"AccountEndpoint={account.endpoint};"
    credentials = AzureCosmosDbCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]
    with pytest.raises(errors.AzureCredentialsError, match="tokens go out over https only"):
        credentials.get_client()
    assert not asked(account)


def test_an_address_of_ones_own_is_used_for_everything(account: Cosmos) -> None:
    text = f"AccountEndpoint=https://shop.documents.azure.com:443/;AccountKey={account.key};"
    endpoints = {"cosmos": account.endpoint.rstrip("/")}
    credentials = AzureCosmosDbCredentials(connection_string=text, endpoints=endpoints)  # pyright: ignore[reportArgumentType]
    assert _read(credentials)["weight"] == 4


def test_an_account_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, fake_clock: Any) -> None:
    from prefect_azure import _repeating

    monkeypatch.setattr(_repeating.waits, "clock", fake_clock)
    monkeypatch.setattr(_repeating.waits, "backoff", _repeating.Backoff(max_attempts=1))
    text = "AccountEndpoint=http://127.0.0.1:9/;AccountKey=a2V5a2V5;"
    credentials = AzureCosmosDbCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]
    with pytest.raises(errors.AzureConnectionFailed, match=r"Cosmos DB account '127\.0\.0\.1'") as raised:
        credentials.get_client()
    assert isinstance(raised.value, ConnectionError)


def test_a_missing_sdk_names_its_extra(account: Cosmos, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("azure.cosmos")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "azure.cosmos", None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ImportError) as raised:
        credentials_for(account).get_client()
    assert "prefect-azure[cosmos" in str(raised.value)
