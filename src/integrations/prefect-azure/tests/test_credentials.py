"""Credentials blocks: what they refuse, and the clients that they hand out, against a storage server."""

from __future__ import annotations

import asyncio
import copy
import gc
import importlib
import pickle
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from prefect import flow

import prefect_azure
from prefect_azure import (
    AzureBlobStorageCredentials,
    AzureContainerInstanceCredentials,
    AzureCosmosDbCredentials,
    AzureCredentials,
    AzureDevopsCredentials,
    AzureMlCredentials,
)
from prefect_azure import credentials as module
from prefect_azure._clients import async_blob_service, forget_clients
from prefect_azure.errors import AzureCredentialsError
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.azurite import Azurite

URL = "https://account.blob.core.windows.net"
PRINCIPAL = {"tenant_id": "t", "client_id": "c", "client_secret": "s"}
ML = {
    "tenant_id": "t",
    "service_principal_id": "c",
    "service_principal_password": "s",
    "subscription_id": "sub",
    "resource_group": "g",
    "workspace_name": "w",
}
PARTS = [
    {"client_id": "c"},
    {"tenant_id": "t"},
    {"client_secret": "s"},
    {"client_id": "c", "tenant_id": "t"},
    {"client_id": "c", "client_secret": "s"},
    {"tenant_id": "t", "client_secret": "s"},
]

# What is refused when a block is made


@pytest.mark.parametrize("given", [{}, {"connection_string": ""}, {"account_url": ""}, PRINCIPAL], ids=str)
def test_a_storage_block_without_account_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Must provide either a connection string or an account URL"):
        AzureBlobStorageCredentials(**given)


def test_two_accounts_are_refused() -> None:
    with pytest.raises(ValueError, match="but not both"):
        AzureBlobStorageCredentials(connection_string="AccountName=a", account_url=URL)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("given", PARTS, ids=lambda given: "+".join(given))
@pytest.mark.parametrize(
    ("cls", "account"),
    [
        (AzureBlobStorageCredentials, {"account_url": URL}),
        (AzureContainerInstanceCredentials, {}),
        (AzureCosmosDbCredentials, {"account_url": "https://account.documents.azure.com"}),
    ],
    ids=["blob", "container-instance", "cosmos"],
)
def test_a_part_of_a_service_principal_is_refused(cls: Any, account: dict[str, str], given: dict[str, str]) -> None:
    missing = {"client_id", "tenant_id", "client_secret"} - set(given)
    with pytest.raises(ValueError, match="all must be provided") as caught:
        cls(**account, **given)
    assert all(name in str(caught.value).split("all must be provided")[1] for name in missing)


def test_a_connection_string_beside_an_identity_is_refused() -> None:
    with pytest.raises(
        ValueError, match="client_id and tenant_id and client_secret can be given with account_url only"
    ):
        AzureBlobStorageCredentials(connection_string="AccountName=a", **PRINCIPAL)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**PRINCIPAL, "certificate": "-----BEGIN"}, "client_secret and certificate are both given"),
        ({"certificate_password": "p"}, "certificate_password is given without certificate"),
        ({"certificate": "x.pem", "client_id": "c"}, "A service principal needs tenant_id, too"),
        ({"identity": "service-principal", "client_id": "c"}, "needs tenant_id and client_secret or certificate, too"),
        ({**PRINCIPAL, "identity": "managed"}, "client_secret is of a service principal; identity='managed'"),
        ({"identity": "magic"}, "identity"),
        ({"tenant_id": "t"}, "tenant_id is given, but neither client_secret"),
        ({"cloud": "moon"}, "cloud"),
        ({"authority": "http://login.example"}, "authority must begin with https://"),
        ({"authority": "https://user:secret@login.example"}, "authority must be https://host"),
        ({"endpoints": {"am": "https://x"}}, "no service is called 'am'. Did you mean 'arm'"),
        ({"endpoints": {"arm": "x"}}, "'arm' must have the form https://host"),
        ({"endpoints": {"arm": "http://arm.example"}}, "'arm' must begin with https://: tokens"),
        ({"endpoints": {"arm": "https://arm.example/path"}}, "without a user, path or query"),
        ({"endpoints": {"blob": "https://[::1"}}, "'blob' must have the form"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_an_identity_that_makes_no_sense_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        AzureCredentials(**given)
    assert "secret@" not in str(caught.value)


def test_an_empty_field_of_a_form_is_not_given() -> None:
    block = AzureBlobStorageCredentials(
        connection_string="",  # pyright: ignore[reportArgumentType]
        account_url=URL,
        certificate="",  # pyright: ignore[reportArgumentType]
        account_key="a2V5",  # pyright: ignore[reportArgumentType]
        sas_token="",  # pyright: ignore[reportArgumentType]
    )
    assert block.get_sync_client().url == f"{URL}/"
    assert (block.connection_string, block.certificate, block.sas_token) == (None, None, None)


@pytest.mark.parametrize(
    "cls", [AzureBlobStorageCredentials, AzureContainerInstanceCredentials, AzureCosmosDbCredentials]
)
def test_what_is_no_mapping_is_refused_as_ever(cls: Any) -> None:
    with pytest.raises(ValueError, match="validation error"):
        cls.model_validate("secret")


def test_cosmos_credentials_need_an_account() -> None:
    with pytest.raises(ValueError, match="connection_string is required"):
        AzureCosmosDbCredentials()
    with pytest.raises(ValueError, match="not both"):
        AzureCosmosDbCredentials(connection_string="AccountEndpoint=x", account_url="https://x")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ML)
def test_each_field_of_machine_learning_is_required(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        AzureMlCredentials(**{key: value for key, value in ML.items() if key != name})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "part 1 is not of the form Name=value"),
        (" ", "it is empty"),
        ("AccountName=a", "neither AccountKey nor SharedAccessSignature"),
        ("AccountKey=a2V5", "neither AccountName nor BlobEndpoint"),
        ("AccountName=a;AccountKey=not base64!", "not in base64"),
    ],
)
def test_a_malformed_connection_string_is_explained_without_being_said(
    text: str, said: str, no_canary_leaks: Any, canary: str
) -> None:
    text = text.replace("nonsense", canary)
    block = AzureBlobStorageCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]
    others = () if "base64" in said else (block.get_client, lambda: block.get_blob_client("c", "b"))
    for get in (block.get_sync_client, *others):
        with pytest.raises(AzureCredentialsError, match=said) as caught:
            get()
        assert isinstance(caught.value, ValueError)
        no_canary_leaks.add_error(caught.value)


def test_an_account_key_needs_the_name_of_the_account() -> None:
    block = AzureBlobStorageCredentials(account_url="https://blobs.example", account_key="a2V5")  # pyright: ignore[reportArgumentType]
    with pytest.raises(AzureCredentialsError, match="account_url names no storage account"):
        block.get_client()


# Where clients go


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"connection_string": "AccountName=a;AccountKey=a2V5"}, "https://a.blob.core.windows.net/"),
        (
            {"connection_string": "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;EndpointSuffix=x.y"},
            "http://a.blob.x.y/",
        ),
        ({"connection_string": "accountname=a;ACCOUNTKEY=a2V5;"}, "https://a.blob.core.windows.net/"),
        (
            {"connection_string": "AccountName=a;AccountKey=a2V5", "cloud": "china"},
            "https://a.blob.core.chinacloudapi.cn/",
        ),
        ({"connection_string": "UseDevelopmentStorage=true"}, "http://127.0.0.1:10000/devstoreaccount1/"),
        ({"connection_string": "BlobEndpoint=https://b.example/;SharedAccessSignature=?sig=x"}, "https://b.example/"),
        ({"account_url": f"{URL}/", "account_key": "a2V5"}, f"{URL}/"),
        ({"account_url": "account.blob.core.windows.net", "account_key": "a2V5"}, f"{URL}/"),
        ({"account_url": URL, "account_key": "a2V5", "endpoints": {"blob": "https://p.example"}}, "https://p.example/"),
        (
            {"account_url": URL, "account_key": "a2V5", "endpoints": {"blob": "http://127.0.0.1:9"}},
            "http://127.0.0.1:9/account/",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_client_is_of_the_account(given: dict[str, Any], url: str) -> None:
    block = AzureBlobStorageCredentials(**given)
    assert block.get_client().url == url
    assert block.get_sync_client().url == url


@pytest.mark.parametrize(
    ("cloud", "address"),
    [
        ("public", "https://management.azure.com"),
        ("usgov", "https://management.usgovcloudapi.net"),
        ("china", "https://management.chinacloudapi.cn"),
    ],
)
def test_management_clients_go_to_their_cloud(cloud: Any, address: str) -> None:
    block = AzureContainerInstanceCredentials(cloud=cloud)
    for client in (
        block.get_container_client("sub"),
        block.get_resource_client("sub"),
        block.get_container_apps_client("sub"),
    ):
        internal: Any = client
        assert getattr(internal._config, "base_url", internal._client._base_url) == address
        assert internal._config.credential_scopes == [f"{address}/.default"]
        assert internal._config.subscription_id == "sub"


def test_both_layouts_of_the_resource_sdk_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_clients()
    block = AzureContainerInstanceCredentials()
    first = block.get_resource_client("sub")
    forget_clients()
    # Older major versions have the client at the top only, newer ones below only.
    top: Any = importlib.import_module("azure.mgmt.resource")
    monkeypatch.setitem(sys.modules, "azure.mgmt.resource.resources", None)
    assert type(block.get_resource_client("sub")) is type(first)
    monkeypatch.undo()
    forget_clients()
    monkeypatch.delattr(top, "ResourceManagementClient")
    assert type(block.get_resource_client("sub")) is type(first)


def test_equal_blocks_share_clients() -> None:
    first, second = (AzureContainerInstanceCredentials(**PRINCIPAL) for _ in range(2))  # pyright: ignore[reportArgumentType]
    other = AzureContainerInstanceCredentials(**{**PRINCIPAL, "client_secret": "x"})  # pyright: ignore[reportArgumentType]
    with ThreadPoolExecutor(8) as pool:
        clients = {id(one) for one in pool.map(lambda _: first.get_resource_client("sub"), range(16))}
    assert clients == {id(second.get_resource_client("sub"))}
    assert first.get_resource_client("other") is not second.get_resource_client("sub")
    assert other.get_resource_client("sub") is not first.get_resource_client("sub")


def test_the_names_of_the_sdk_can_be_imported_from_here() -> None:
    from azure.identity.aio import DefaultAzureCredential

    assert module.ADefaultAzureCredential is DefaultAzureCredential
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = module.Nothing


# What clients do


def _with_connection_string(azurite: Azurite) -> AzureBlobStorageCredentials:
    return AzureBlobStorageCredentials(connection_string=azurite.connection_string)  # pyright: ignore[reportArgumentType]


def _with_key(azurite: Azurite) -> AzureBlobStorageCredentials:
    return AzureBlobStorageCredentials(account_url=azurite.endpoint, account_key=azurite.account_key)  # pyright: ignore[reportArgumentType]


def _sas(azurite: Azurite, **times: Any) -> str:
    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

    times.setdefault("expiry", datetime.now(timezone.utc) + timedelta(hours=1))
    account = azurite.endpoint.rpartition("/")[2]
    return generate_account_sas(
        account,
        azurite.account_key,
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, write=True, list=True, create=True, delete=True),
        **times,
    )


def _with_sas(azurite: Azurite) -> AzureBlobStorageCredentials:
    return AzureBlobStorageCredentials(account_url=azurite.endpoint, sas_token=f"?{_sas(azurite)}")  # pyright: ignore[reportArgumentType]


def _with_sas_url(azurite: Azurite) -> AzureBlobStorageCredentials:
    return AzureBlobStorageCredentials(account_url=f"{azurite.endpoint}?{_sas(azurite)}")


def _with_sas_string(azurite: Azurite) -> AzureBlobStorageCredentials:
    text = f"BlobEndpoint={azurite.endpoint};SharedAccessSignature={_sas(azurite)}"
    return AzureBlobStorageCredentials(connection_string=text)  # pyright: ignore[reportArgumentType]


WAYS = {
    "connection-string": _with_connection_string,
    "account-key": _with_key,
    "sas-token": _with_sas,
    "sas-url": _with_sas_url,
    "sas-connection-string": _with_sas_string,
}


async def _write_and_read(block: AzureBlobStorageCredentials, container: str) -> bytes:
    async with block.get_blob_client(container, "a/b.txt") as client:
        await client.upload_blob(b"content", overwrite=True)
    async with block.get_container_client(container) as client:
        assert [blob.name async for blob in client.list_blobs()] == ["a/b.txt"]
    async with block.get_client() as service:
        download = await service.get_blob_client(container, "a/b.txt").download_blob()
        return await download.readall()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_way_to_sign_reaches_the_account(way: Any, azurite: Azurite, azure_container: str) -> None:
    block = way(azurite)
    assert asyncio.run(_write_and_read(block, azure_container)) == b"content"
    client = block.get_sync_client().get_blob_client(azure_container, "a/b.txt")
    assert client.download_blob().readall() == b"content"


@pytest.mark.parametrize("way", ["client-secret", "own-credential"])
def test_an_identity_reaches_the_account(
    way: str,
    azurite_oauth: Azurite,
    azure_identity: AzureIdentity,
    monkeypatch: pytest.MonkeyPatch,
    clean_azure_environment: None,
) -> None:
    azure_identity.reset()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure_identity.ca_bundle)
    app = azure_identity.application()
    block = AzureBlobStorageCredentials(
        account_url=azurite_oauth.endpoint,
        tenant_id=azure_identity.tenant_id,
        client_id=app.client_id,
        client_secret=app.client_secret,  # pyright: ignore[reportArgumentType]
        authority=azure_identity.authority,
    )
    if way == "own-credential":
        block = AzureBlobStorageCredentials.from_token_credential(
            block.get_token_credential(), account_url=azurite_oauth.endpoint
        )
    container = azurite_oauth.new_container()
    assert asyncio.run(_write_and_read(block, container)) == b"content"
    assert block.get_sync_client().get_blob_client(container, "a/b.txt").download_blob().readall() == b"content"
    assert [issued.audience for issued in azure_identity.issued] == ["https://storage.azure.com"]


def test_a_signature_is_in_no_field_and_no_log(
    azurite: Azurite, azure_container: str, caplog: pytest.LogCaptureFixture
) -> None:
    block = _with_sas_url(azurite)
    assert block.account_url == azurite.endpoint
    caplog.set_level("DEBUG")
    block.get_sync_client().get_blob_client(azure_container, "a").upload_blob(b"")
    asyncio.run(_write_and_read(block, azurite.new_container()))
    signature = _sas(azurite).partition("sig=")[2].partition("&")[0]
    assert "sig=" in caplog.text
    assert "sig=********" in caplog.text
    assert signature not in caplog.text
    assert "sig=" not in repr(block)


def test_clients_are_closed_with_the_block(azurite: Azurite, azure_container: str) -> None:
    async def use() -> None:
        block = _with_connection_string(azurite)
        async with block as same:
            assert same is block
            client = same.get_container_client(azure_container)
            assert [blob async for blob in client.list_blobs()] == []
        with pytest.raises(ValueError, match=r"(?i)transport|closed"):
            [blob async for blob in client.list_blobs()]
        await block.aclose()  # nothing is left to do
        async with block.get_container_client(azure_container) as another:  # and the block goes on working
            assert [blob async for blob in another.list_blobs()] == []

    gc.collect()  # what other tests have left
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(use())
        gc.collect()


COPIES: dict[str, Callable[[AzureBlobStorageCredentials], AzureBlobStorageCredentials]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda block: block.model_copy(),
    "deep-model_copy": lambda block: block.model_copy(deep=True),
    "pickle": lambda block: pickle.loads(pickle.dumps(block)),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_block_closes_the_clients_of_its_own(azurite: Azurite, azure_container: str, copied: Any) -> None:
    async def use() -> None:
        block = _with_connection_string(azurite)
        kept = block.get_container_client(azure_container)
        assert [blob async for blob in kept.list_blobs()] == []
        async with copied(block) as other:
            client = other.get_container_client(azure_container)
            assert [blob async for blob in client.list_blobs()] == []
        with pytest.raises(ValueError, match=r"(?i)transport|closed"):
            [blob async for blob in client.list_blobs()]
        assert [blob async for blob in kept.list_blobs()] == []
        await block.aclose()
        with pytest.raises(ValueError, match=r"(?i)transport|closed"):
            [blob async for blob in kept.list_blobs()]

    asyncio.run(use())


SHARED: dict[str, Callable[[], Any]] = {
    "container-instance": lambda: AzureContainerInstanceCredentials(**PRINCIPAL).get_container_client("sub"),  # pyright: ignore[reportArgumentType]
    "resource": lambda: AzureContainerInstanceCredentials(**PRINCIPAL).get_resource_client("sub"),  # pyright: ignore[reportArgumentType]
    "container-apps": lambda: AzureContainerInstanceCredentials(**PRINCIPAL).get_container_apps_client("sub"),  # pyright: ignore[reportArgumentType]
    "key-vault": lambda: AzureCredentials(**PRINCIPAL).get_secret_client("vault"),  # pyright: ignore[reportArgumentType]
    "blob": lambda: AzureBlobStorageCredentials(account_url=URL, **PRINCIPAL).get_sync_client(),  # pyright: ignore[reportArgumentType]
}


@pytest.mark.parametrize("get", SHARED.values(), ids=SHARED)
def test_a_client_that_one_closes_is_open_for_the_others(get: Callable[[], Any]) -> None:
    others = get()
    with get() as mine:
        assert mine is others
    mine.close()
    for again in (others, get()):
        with again:  # the SDK refuses to open a connection that was closed
            pass


def test_a_client_of_an_account_that_one_closes_serves_the_others(azurite: Azurite, azure_container: str) -> None:
    for _ in range(2):
        with _with_connection_string(azurite).get_sync_client() as client:
            assert list(client.get_container_client(azure_container).list_blobs()) == []


def test_a_kept_async_client_is_closed_with_its_event_loop(
    azurite: Azurite, azure_container: str, caplog: pytest.LogCaptureFixture
) -> None:
    block = _with_connection_string(azurite)

    async def use() -> int:
        client = await async_blob_service(block)
        assert await async_blob_service(block) is client
        assert [blob async for blob in client.get_container_client(azure_container).list_blobs()] == []
        return id(asyncio.get_running_loop())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            asyncio.run(use())
        gc.collect()
    assert "Unclosed" not in caplog.text


def test_a_used_block_travels_to_another_process(azurite: Azurite, azure_container: str) -> None:
    block = _with_connection_string(azurite)
    client = block.get_client()
    again = pickle.loads(pickle.dumps(block))
    assert again == block
    assert asyncio.run(_write_and_read(again, azure_container)) == b"content"
    del client


def test_a_saved_block_serves_a_flow(azurite: Azurite, azure_container: str, prefect_harness: None) -> None:
    _with_key(azurite).save("test-credentials-of-a-flow", overwrite=True)

    @flow(name="azure-credentials-in-a-flow")
    async def read() -> bytes:
        block = await AzureBlobStorageCredentials.aload("test-credentials-of-a-flow")
        return await _write_and_read(block, azure_container)

    assert asyncio.run(read()) == b"content"


# What else is handed out


def test_a_personal_access_token_is_sent_as_a_password() -> None:
    header = AzureDevopsCredentials(token="pat").get_auth_header()  # pyright: ignore[reportArgumentType]
    assert header == {"Authorization": "Basic OnBhdA=="}


def test_an_identity_is_sent_to_devops_as_a_token(
    azure_identity: AzureIdentity, monkeypatch: pytest.MonkeyPatch, clean_azure_environment: None
) -> None:
    azure_identity.reset()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure_identity.ca_bundle)
    app = azure_identity.application()
    block = AzureDevopsCredentials(
        tenant_id=azure_identity.tenant_id,
        client_id=app.client_id,
        client_secret=app.client_secret,  # pyright: ignore[reportArgumentType]
        authority=azure_identity.authority,
    )
    token = block.get_auth_header()["Authorization"].removeprefix("Bearer ")
    assert azure_identity.check(token, "499b84ac-1321-427f-aa17-267ca6975798") == app.client_id


def test_devops_credentials_without_anything_say_so() -> None:
    with pytest.raises(ValueError, match="have no token"):
        AzureDevopsCredentials().get_auth_header()


@pytest.mark.parametrize(
    ("sdk", "get", "extra"),
    [
        ("azure.storage.blob.aio", lambda: AzureBlobStorageCredentials(account_url=URL).get_client(), "blob-storage"),
        ("azure.storage.blob", lambda: AzureBlobStorageCredentials(account_url=URL).get_sync_client(), "blob-storage"),
        (
            "azure.cosmos",
            lambda: AzureCosmosDbCredentials(account_url="https://a.documents.azure.com").get_client(),
            "cosmos-db",
        ),
        ("azureml.core", lambda: AzureMlCredentials(**ML).get_workspace(), "ml-datastore"),  # pyright: ignore[reportArgumentType]
        ("azure.keyvault.secrets", lambda: AzureCredentials().get_secret_client("v"), "key-vault"),
        (
            "azure.mgmt.appcontainers",
            lambda: AzureContainerInstanceCredentials().get_container_apps_client("s"),
            "container-apps",
        ),
    ],
    ids=["blob-async", "blob-sync", "cosmos", "ml", "key-vault", "container-apps"],
)
def test_a_missing_sdk_is_named_with_the_command_that_installs_it(
    sdk: str, get: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_clients()
    monkeypatch.setitem(sys.modules, sdk, None)
    with pytest.raises(ImportError) as caught:
        get()
    assert f'pip install "prefect-azure[{extra}]"' in str(caught.value)
    assert module.HELP_URLS[extra.replace("-", "_")] in str(caught.value)


def test_every_public_name_is_there() -> None:
    assert {"AzureCredentials", "AzureContainerWorker"} <= set(prefect_azure.__all__)
    assert all(hasattr(prefect_azure, name) for name in prefect_azure.__all__)
