"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prefect_azure import (
    AzureBlobStorageContainer,
    AzureBlobStorageCredentials,
    AzureContainerInstanceCredentials,
    AzureCosmosDbCredentials,
    AzureCredentials,
    AzureDevopsCredentials,
)
from prefect_azure._clients import forget_clients
from prefect_azure._identity import forget_identities
from prefect_azure.errors import azure_errors
from prefect_integration_tests.backends.azure_identity import AzureIdentity
from prefect_integration_tests.backends.azurite import Azurite
from prefect_integration_tests.backends.cosmos import Cosmos
from prefect_integration_tests.backends.key_vault import KeyVault
from prefect_integration_tests.guide_runs import PageRun
from prefect_integration_tests.suites import GuideSuite

from ._error_server import arm_error, error_server

if TYPE_CHECKING:
    from prefect.blocks.core import Block

_CONTAINERS = ("shop-archive", "shop-flows", "shop-bundles")


@pytest.fixture(scope="session")
def shop(prefect_harness: None, azurite: Azurite) -> Azurite:
    """What the shop of the guide has at Azure."""
    for name in _CONTAINERS:
        azurite.client().create_container(name)
    return azurite


@pytest.fixture(scope="session")
def saved_blocks(prefect_harness: None) -> dict[str, dict[str, Any]]:
    """What is saved as it should be, by name: saving takes half a second, and most pages only load."""
    return {}


class TestGuide(GuideSuite):
    distribution = "prefect-azure"

    @pytest.fixture
    def surroundings(
        self,
        page_folder: Path,
        page_run: PageRun,
        saved_blocks: dict[str, dict[str, Any]],
        shop: Azurite,
        azure_identity: AzureIdentity,
        key_vault: KeyVault,
        cosmos: Cosmos,
        clean_azure_environment: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[[], object]:
        """The shop's services, and its blocks as they reach them, whatever a block above has saved."""
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", shop.connection_string)
        monkeypatch.setenv("AZURE_DEVOPS_PAT", "pat")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure_identity.ca_bundle)
        if page_folder.name.startswith("cosmos-db"):
            cosmos.reset()
            cosmos.container("orders", "/customer")

        def restore() -> None:
            forget_identities()
            forget_clients()
            store = AzureBlobStorageCredentials(connection_string=shop.connection_string)  # pyright: ignore[reportArgumentType]
            app = azure_identity.application("shop")
            blocks: dict[str, Block] = {
                "shop-store": store,
                "invoices": AzureBlobStorageContainer(
                    container_name="shop-archive", base_folder="invoices", credentials=store
                ),
                "shop-cosmos": AzureCosmosDbCredentials(connection_string=cosmos.connection_string),  # pyright: ignore[reportArgumentType]
                "shop-devops": AzureDevopsCredentials(token="pat"),  # pyright: ignore[reportArgumentType]
                "shop-principal": AzureCredentials(
                    tenant_id=azure_identity.tenant_id,
                    client_id=app.client_id,
                    client_secret=app.client_secret,  # pyright: ignore[reportArgumentType]
                    authority=azure_identity.authority,
                    endpoints={"keyvault": key_vault.endpoint},
                ),
            }
            for name, block in blocks.items():
                content = block.model_dump()
                if saved_blocks.pop(name, None) != content:
                    block.save(name, overwrite=True)
                if f'.save("{name}"' not in page_run.page.source():  # else this page may spoil it
                    saved_blocks[name] = content

        return restore

    @pytest.fixture
    def provocations(
        self,
        azurite: Azurite,
        azure_identity: AzureIdentity,
        clean_azure_environment: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Mapping[str, Callable[[], object]]:
        azure_identity.reset()
        forget_identities()
        forget_clients()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", azure_identity.ca_bundle)
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
        app = azure_identity.application("shop")

        def principal(authority: str = azure_identity.authority, **changes: Any) -> AzureCredentials:
            login = {"tenant_id": azure_identity.tenant_id, "client_id": app.client_id, "client_secret": "mistaken"}
            return AzureCredentials(authority=authority, **{**login, **changes})

        def expired() -> str:
            app.secret_is_expired = True
            return principal().get_access_token()

        def blob(container: str, key: str = azurite.account_key, **options: Any) -> object:
            client = azurite.client() if key == azurite.account_key else _with_key(azurite, key)
            with azure_errors("Blob 'may.txt'"):
                return client.get_container_client(container).upload_blob("may.txt", b"120", **options)

        def exists() -> object:
            container = azurite.new_container()
            blob(container)
            return blob(container)

        def group(status: int, code: str, message: str = "Azure's own words.") -> object:
            with error_server() as server:
                groups = server.groups()
                server.answer = (status, {"Content-Type": "application/json"}, arm_error(code, message))
                with azure_errors("Container group 'x'", identity="Service principal c"):
                    return groups.get("g", "x", retry_total=0)

        denied = (
            "The client 'c' does not have authorization to perform action "
            "'Microsoft.ContainerInstance/containerGroups/read' over scope '/subscriptions/s/resourceGroups/g'."
        )
        return {
            "A part of a service principal is missing": partial(
                AzureContainerInstanceCredentials, tenant_id="t", client_id="c"
            ),
            "A storage account is missing": AzureBlobStorageCredentials,
            "The connection string is malformed": lambda: AzureBlobStorageCredentials(
                connection_string="AccountName=shop"  # pyright: ignore[reportArgumentType]
            ).get_client(),
            "The key is wrong": partial(blob, "shop", "d3Jvbmc="),
            "The client secret is wrong": lambda: principal().get_access_token(),
            "The client secret has expired": expired,
            "No identity is found": lambda: AzureCredentials().get_access_token(),
            "Microsoft Entra ID cannot be reached": lambda: principal("https://localhost:9").get_access_token(),
            "The address of a service is none": partial(AzureCredentials, endpoints={"bolb": "https://x.org"}),
            "A container does not exist": partial(blob, "no-container"),
            "A blob is there already": exists,
            "An action is not permitted": partial(group, 403, "AuthorizationFailed", denied),
            "A quota is used up": partial(group, 409, "ContainerGroupQuotaReached"),
            "Too many requests": partial(group, 429, "TooManyRequests"),
            "Azure has a failure": partial(group, 503, "ServiceUnavailable"),
        }


def _with_key(azurite: Azurite, key: str) -> Any:
    text = azurite.connection_string.replace(azurite.account_key, key)
    return AzureBlobStorageCredentials(connection_string=text).get_sync_client()  # pyright: ignore[reportArgumentType]
