"""Keys, names, ids and addresses from outside arrive as they were given, or are refused before any request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_azure import errors
from prefect_azure._aci.identifiers import read_identifier
from prefect_azure._apps import names
from prefect_azure._apps.logs import queries_of
from prefect_azure._blob.objects import AzureBlobs
from prefect_azure._cosmos.items import Items
from prefect_azure._key_vault.names import SecretName, vault_address
from prefect_azure.blob_storage import AzureBlobStorageContainer
from prefect_azure.container_apps import container_app_job_run
from prefect_azure.credentials import AzureBlobStorageCredentials
from prefect_azure.service_bus import AzureServiceBusCredentials, service_bus_send_messages
from prefect_integration_tests import hostile
from prefect_integration_tests.backends.azure_api import SUBSCRIPTION, AzureApi
from prefect_integration_tests.backends.cosmos import Cosmos
from prefect_integration_tests.backends.service_bus import ServiceBus

from ._apps import GROUP, configured, id_of
from ._apps import credentials_for as apps_credentials
from ._cosmos import asked, credentials_for, fill

DOTS = (".", "..")
TEXTS = tuple(dict.fromkeys(hostile.ALL))
HYPHENS = frozenset(("-c", "-n", "--", "-"))  # do nothing in an address
NO_NAMES = [text for text in dict.fromkeys((*hostile.NO_NAMES, ".")) if text not in HYPHENS]


# Blobs


def test_a_key_arrives_as_it_is_or_is_refused(container: AzureBlobStorageContainer, behind: Any) -> None:
    refused = [text for text in TEXTS if set(text) & set("\0\x0b") or ".." in text]
    for text in refused:
        with pytest.raises(ValueError, match=r"Key|Blob name"):
            container.write_path(text, b"")
    kept = [text for text in TEXTS if text not in refused]
    for text in kept:
        container.write_path(text, text.encode())
        assert container.read_path(text) == text.encode()
    assert len(behind.keys()) == len(set(kept)) - 1  # Azure takes a backslash for a slash, so two are one
    assert all(f"{key}/".startswith("base/") for key in behind.keys())  # noqa: SIM118 - no mapping


@pytest.mark.parametrize("text", hostile.NO_NAMES, ids=ascii)
def test_nothing_hostile_is_a_container_of_blobs(text: str) -> None:
    credentials = AzureBlobStorageCredentials(account_url="https://shop.blob.core.windows.net")
    with pytest.raises(ValueError, match="Container name"):
        AzureBlobs.open(credentials, text)


# Cosmos DB


def test_an_item_is_found_by_its_id_or_the_id_is_refused(empty_cosmos: Cosmos) -> None:
    fill(empty_cosmos, count=0)
    items = Items("parcels", "shop", credentials_for(empty_cosmos))
    for text in (*TEXTS, "."):
        if text in DOTS or set(text) & set("/\\?#\r\n"):
            before = asked(empty_cosmos)
            for work in (
                lambda text=text: items.create({"id": text, "country": "no"}, {}),
                lambda text=text: items.delete(text, "no", {}),
            ):
                with pytest.raises(errors.AzureInvalidRequest, match="`item`"):
                    work()
            assert asked(empty_cosmos) == before
            continue
        items.create({"id": text, "country": text}, {})
        assert items.patch(text, text, [{"op": "set", "path": "/a", "value": text}], {})["a"] == text
        assert items.read(text, text, {})["id"] == text
    query = "SELECT VALUE c.id FROM c WHERE c.id = @id"
    for text in hostile.SQL:
        found = items.query(query, [{"name": "@id", "value": text}], None, {})
        assert found in ([], [text])


@pytest.mark.parametrize("name", DOTS)
def test_a_container_that_an_address_loses_is_refused(name: str, empty_cosmos: Cosmos) -> None:
    with pytest.raises(errors.AzureInvalidRequest, match=r"`container`: it is .*, which addresses lose"):
        Items(name, "shop", credentials_for(empty_cosmos))
    with pytest.raises(errors.AzureInvalidRequest, match=r"`database`: it is .*, which addresses lose"):
        Items("parcels", name, credentials_for(empty_cosmos))


# Key Vault and Service Bus


@pytest.mark.parametrize("text", NO_NAMES, ids=ascii)
def test_nothing_hostile_is_a_secret_or_a_vault(text: str) -> None:
    for given in (text, f"https://shop.vault.azure.net/secrets/{text}"):
        with pytest.raises(errors.AzureInvalidRequest, match=r"secret_name( is|: )|version is"):
            SecretName.parse(given, "shop")
    with pytest.raises(errors.AzureInvalidRequest, match="vault_url"):
        vault_address(text)


def test_nothing_hostile_is_a_queue(empty_service_bus: ServiceBus) -> None:
    credentials = AzureServiceBusCredentials(connection_string=empty_service_bus.connection_string)
    for text in NO_NAMES:
        if text != "a/../../evil.txt":  # which is one to Service Bus, where names are not parts of an address
            with pytest.raises(errors.AzureInvalidRequest, match="queue or topic is"):
                service_bus_send_messages.fn(text, ["x"], credentials)
    assert not empty_service_bus.calls


# Jobs and container groups


@pytest.mark.parametrize(
    ("part", "identifier"),
    [("average", id_of("average")), (GROUP, id_of("average")), (SUBSCRIPTION, id_of("average"))],
    ids=["name", "group", "subscription"],
)
@pytest.mark.parametrize(
    "read",
    [
        names.job_id_in,
        lambda text: names.job_id_in(f"{text}/executions/x"),
        lambda text: names.environment_id_in(text.replace("/jobs/", "/managedEnvironments/")),
        lambda text: read_identifier(text.replace("Microsoft.App/jobs", "Microsoft.ContainerInstance/containerGroups")),
    ],
    ids=["job", "execution", "environment", "container-group"],
)
def test_nothing_hostile_is_a_part_of_a_resource_id(read: Callable[[str], Any], part: str, identifier: str) -> None:
    read(identifier)
    for text in NO_NAMES:
        with pytest.raises(ValueError, match=r"names? |resource ID"):
            read(identifier.replace(part, text))


@pytest.mark.parametrize("field", ["job_name", "resource_group_name", "subscription_id"])
def test_nothing_hostile_is_where_a_job_is(field: str, empty_azure_api: AzureApi) -> None:
    credentials = apps_credentials(empty_azure_api)
    for text in NO_NAMES:
        places = {"job_name": "average", "resource_group_name": GROUP, "subscription_id": SUBSCRIPTION, field: text}
        with pytest.raises(errors.AzureInvalidRequest, match=f"{field} (is|must be)"):
            container_app_job_run.fn(**places, credentials=credentials)
        if field != "job_name":
            with pytest.raises(ValidationError, match=field):
                configured(empty_azure_api, **{field: text})
    assert empty_azure_api.calls == []


@pytest.mark.parametrize("text", hostile.ALL, ids=ascii)
def test_names_that_are_made_are_legal(text: str) -> None:
    (name,) = names.secret_names([text]).values()
    assert name.replace("-", "").isalnum()
    assert name.isascii()


@pytest.mark.parametrize("text", hostile.ALL, ids=ascii)
def test_an_execution_in_a_query_of_the_logs_is_one_value(text: str) -> None:
    for query in queries_of(text, 10):
        start = query.index(' startswith "') + len(" startswith ")
        value, end = json.JSONDecoder().raw_decode(query[start:])
        assert value == f"{text}-"
        assert query[start:][end:].startswith(" | top 10 by ")
        assert "\n" not in query
