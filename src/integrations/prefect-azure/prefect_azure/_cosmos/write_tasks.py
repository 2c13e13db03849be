"""Tasks that create, replace, patch and delete items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import async_task, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger

from ..credentials import AzureCosmosDbCredentials
from .items import Items

if TYPE_CHECKING:
    from azure.cosmos import ContainerProxy, DatabaseProxy

_LOGGER = "prefect_azure.cosmos_db"


def _items(container: Any, database: Any, credentials: AzureCosmosDbCredentials, doing: str) -> Items:
    items = Items(container, database, credentials)
    run_logger(_LOGGER).info("%s %s", doing, items.subject)
    return items


@async_task()
async def cosmos_db_create_item(
    body: dict[str, Any],
    container: str | ContainerProxy | dict[str, Any],
    database: str | DatabaseProxy | dict[str, Any],
    cosmos_db_credentials: AzureCosmosDbCredentials,
    **kwargs: Any,
) -> dict[str, Any]:
    """Create an item; one that is there already is an error. `cosmos_db_upsert_item` replaces it instead.

    The request is repeated for up to two minutes while Cosmos DB is throttled or unavailable. When an answer is lost,
    the item that is found is taken for the one just created only if its content is the same, so that it is neither
    created twice nor reported as a conflict with itself.

    Args:
        body: The item, with the properties of the container's partition key. Without an `id` it is given a random one,
            unless `enable_automatic_id_generation=False`.
        container: Name of the container, its properties, or a `ContainerProxy`.
        database: Name of its database, its properties, or a `DatabaseProxy`.
        cosmos_db_credentials: Who we are, and which account.
        **kwargs: Further arguments of
            [`ContainerProxy.create_item`](https://learn.microsoft.com/python/api/azure-cosmos/azure.cosmos.containerproxy#azure-cosmos-containerproxy-create-item),
            such as `no_response` and `pre_trigger_include`.

    Returns:
        The item as it is stored, with the service's own properties such as `_etag` and `_ts` (seconds since 1970, UTC).

    Raises:
        AzureAlreadyExists: If the partition has an item of this id, or of the same unique key. It is a
            `FileExistsError`.
        AzureInvalidRequest: If the body is not what JSON can hold, is larger than 2 MiB, or is refused. It is a
            `ValueError`.
        AzureNotFound: If there is no such container or database. It is a `LookupError`.
        AzureCredentialsError: If the connection string is malformed, or key or identity are refused.
        AzureAccessDenied: If the identity may not create items. It is a `PermissionError`.
        AzureUnavailable: If Cosmos DB did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureCosmosDbCredentials
        from prefect_azure.cosmos_db import cosmos_db_create_item

        @flow
        async def register_person(name: str, age: int):
            return await cosmos_db_create_item(
                {"id": name, "age": age},
                container="Persons",
                database="SampleDB",
                cosmos_db_credentials=AzureCosmosDbCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    items = _items(container, database, cosmos_db_credentials, "Creating an item in")
    return await run_sync_in_worker_thread(items.create, body, kwargs)


@async_task()
async def cosmos_db_upsert_item(
    body: dict[str, Any],
    container: str | ContainerProxy | dict[str, Any],
    database: str | DatabaseProxy | dict[str, Any],
    cosmos_db_credentials: AzureCosmosDbCredentials,
    **kwargs: Any,
) -> dict[str, Any]:
    """Create an item, or replace the one of its id and partition key. It can safely run twice.

    Args:
        body: The item. Without an `id` it is given a random one, and is always a new one.
        container: Name of the container, its properties, or a `ContainerProxy`.
        database: Name of its database, its properties, or a `DatabaseProxy`.
        cosmos_db_credentials: Who we are, and which account.
        **kwargs: Further arguments of `ContainerProxy.upsert_item`. With `etag` and `match_condition`
            (`azure.core.MatchConditions.IfNotModified`), only the version that you have read is replaced.

    Returns:
        The item as it is stored.

    Raises:
        AzurePreconditionFailed: If the item is not the version of `etag`.
        AzureInvalidRequest: If the body is not what JSON can hold, is larger than 2 MiB, or is refused.
        AzureNotFound: If there is no such container or database.
        AzureUnavailable: If Cosmos DB did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureCosmosDbCredentials
        from prefect_azure.cosmos_db import cosmos_db_upsert_item

        @flow
        async def record_age(name: str, age: int):
            await cosmos_db_upsert_item(
                {"id": name, "age": age},
                container="Persons",
                database="SampleDB",
                cosmos_db_credentials=AzureCosmosDbCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    items = _items(container, database, cosmos_db_credentials, "Upserting an item in")
    return await run_sync_in_worker_thread(items.upsert, body, kwargs)


@async_task()
async def cosmos_db_replace_item(
    item: str | dict[str, Any],
    body: dict[str, Any],
    container: str | ContainerProxy | dict[str, Any],
    database: str | DatabaseProxy | dict[str, Any],
    cosmos_db_credentials: AzureCosmosDbCredentials,
    **kwargs: Any,
) -> dict[str, Any]:
    """Replace an item that is there by another content.

    Args:
        item: Id of the item, or the item.
        body: The whole new content, with the partition key. Its `id`, if it has one, must be that of `item`.
        container: Name of the container, its properties, or a `ContainerProxy`.
        database: Name of its database, its properties, or a `DatabaseProxy`.
        cosmos_db_credentials: Who we are, and which account.
        **kwargs: Further arguments of `ContainerProxy.replace_item`. With `etag` and `match_condition`
            (`azure.core.MatchConditions.IfNotModified`), only the version that you have read is replaced.

    Returns:
        The item as it is stored.

    Raises:
        AzureNotFound: If there is no such item, container or database.
        AzurePreconditionFailed: If the item is not the version of `etag`: somebody else has changed it.
        AzureInvalidRequest: If the body is refused, or has another id.
        AzureUnavailable: If Cosmos DB did not answer for two minutes.

    Example:
        ```python
        from azure.core import MatchConditions
        from prefect import flow
        from prefect_azure import AzureCosmosDbCredentials
        from prefect_azure.cosmos_db import cosmos_db_read_item, cosmos_db_replace_item

        @flow
        async def birthday(name: str):
            where = {
                "container": "Persons",
                "database": "SampleDB",
                "cosmos_db_credentials": AzureCosmosDbCredentials.load("BLOCK_NAME"),
            }
            person = await cosmos_db_read_item(name, partition_key=name, **where)
            await cosmos_db_replace_item(
                person,
                {**person, "age": person["age"] + 1},
                etag=person["_etag"],
                match_condition=MatchConditions.IfNotModified,
                **where,
            )
        ```
    """
    items = _items(container, database, cosmos_db_credentials, "Replacing an item of")
    return await run_sync_in_worker_thread(items.replace, item, body, kwargs)


@async_task()
async def cosmos_db_patch_item(
    item: str | dict[str, Any],
    partition_key: Any,
    patch_operations: list[dict[str, Any]],
    container: str | ContainerProxy | dict[str, Any],
    database: str | DatabaseProxy | dict[str, Any],
    cosmos_db_credentials: AzureCosmosDbCredentials,
    **kwargs: Any,
) -> dict[str, Any]:
    """Change parts of an item without reading it.

    Running it twice may change the item twice (`incr`, `add` to an array). So it is repeated only where it is sure
    that nothing was changed: throttling, an unavailable service, a connection that was not made.

    Args:
        item: Id of the item, or the item.
        partition_key: Value of the partition key; a list of values where the key has several paths.
        patch_operations: Up to ten
            [operations](https://learn.microsoft.com/azure/cosmos-db/partial-document-update#supported-operations),
            such as `{"op": "incr", "path": "/age", "value": 1}`; all are done or none.
        container: Name of the container, its properties, or a `ContainerProxy`.
        database: Name of its database, its properties, or a `DatabaseProxy`.
        cosmos_db_credentials: Who we are, and which account.
        **kwargs: Further arguments of `ContainerProxy.patch_item`. `filter_predicate="FROM c WHERE c.age < 100"`
            patches only an item that it fits.

    Returns:
        The item as it is stored.

    Raises:
        AzureNotFound: If there is no such item, container or database.
        AzurePreconditionFailed: If the item does not fit `filter_predicate` or `etag`.
        AzureInvalidRequest: If an operation is not known, or cannot be done to the item.
        AzureUnavailable: If Cosmos DB did not answer. The item may have been changed: read it before you repeat.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureCosmosDbCredentials
        from prefect_azure.cosmos_db import cosmos_db_patch_item

        @flow
        async def birthday(name: str):
            await cosmos_db_patch_item(
                name,
                partition_key=name,
                patch_operations=[{"op": "incr", "path": "/age", "value": 1}],
                container="Persons",
                database="SampleDB",
                cosmos_db_credentials=AzureCosmosDbCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    items = _items(container, database, cosmos_db_credentials, "Patching an item of")
    return await run_sync_in_worker_thread(items.patch, item, partition_key, patch_operations, kwargs)


@async_task()
async def cosmos_db_delete_item(
    item: str | dict[str, Any],
    partition_key: Any,
    container: str | ContainerProxy | dict[str, Any],
    database: str | DatabaseProxy | dict[str, Any],
    cosmos_db_credentials: AzureCosmosDbCredentials,
    **kwargs: Any,
) -> None:
    """Delete an item.

    Args:
        item: Id of the item, or the item.
        partition_key: Value of the partition key; a list of values where the key has several paths.
        container: Name of the container, its properties, or a `ContainerProxy`.
        database: Name of its database, its properties, or a `DatabaseProxy`.
        cosmos_db_credentials: Who we are, and which account.
        **kwargs: Further arguments of `ContainerProxy.delete_item`. With `etag` and `match_condition`
            (`azure.core.MatchConditions.IfNotModified`), only the version that you have read is deleted.

    Raises:
        AzureNotFound: If there is no such item, container or database.
        AzurePreconditionFailed: If the item is not the version of `etag`.
        AzureUnavailable: If Cosmos DB did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureCosmosDbCredentials
        from prefect_azure.cosmos_db import cosmos_db_delete_item

        @flow
        async def forget_person(name: str):
            await cosmos_db_delete_item(
                name,
                partition_key=name,
                container="Persons",
                database="SampleDB",
                cosmos_db_credentials=AzureCosmosDbCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    items = _items(container, database, cosmos_db_credentials, "Deleting an item of")
    await run_sync_in_worker_thread(items.delete, item, partition_key, kwargs)
