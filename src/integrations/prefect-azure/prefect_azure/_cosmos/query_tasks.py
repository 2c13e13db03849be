"""Tasks that read items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.dispatch import async_task, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger

from ..credentials import AzureCosmosDbCredentials
from .items import Items

if TYPE_CHECKING:
    from azure.cosmos import ContainerProxy, DatabaseProxy

_LOGGER = "prefect_azure.cosmos_db"


def _query(
    query: str,
    container: Any,
    database: Any,
    credentials: AzureCosmosDbCredentials,
    parameters: Any,
    partition_key: Any,
    options: dict[str, Any],
) -> list[Any]:
    items = Items(container, database, credentials)
    run_logger(_LOGGER).info("Querying %s", items.subject)
    return items.query(query, parameters, partition_key, options)


@async_task()
async def cosmos_db_query_items(
    query: str,
    container: str | ContainerProxy | dict[str, Any],
    database: str | DatabaseProxy | dict[str, Any],
    cosmos_db_credentials: AzureCosmosDbCredentials,
    parameters: list[dict[str, object]] | None = None,
    partition_key: Any | None = None,
    **kwargs: Any,
) -> list[str | dict[str, Any]]:
    """Query a container and collect all results. `cosmos_db_query_pages` gives them page by page.

    The query is repeated for up to two minutes while Cosmos DB is throttled, unavailable or out of reach.

    Args:
        query: Statement in [Cosmos DB's SQL](https://learn.microsoft.com/azure/cosmos-db/nosql/query/). In FROM the
            container may have any name.
        container: Name of the container, its properties, or a `ContainerProxy`.
        database: Name of its database, its properties, or a `DatabaseProxy`.
        cosmos_db_credentials: Who we are, and which account.
        parameters: Values for the query's `@names`: a list of `{"name": "@age", "value": 44}`.
        partition_key: Look only at items with this partition key, which is cheapest. Without it, the query is about
            all partitions; `enable_cross_partition_query=False` has Cosmos DB refuse that.
        **kwargs: Further arguments of
            [`ContainerProxy.query_items`](https://learn.microsoft.com/python/api/azure-cosmos/azure.cosmos.containerproxy#azure-cosmos-containerproxy-query-items),
            such as `max_item_count` and `populate_query_metrics`.

    Returns:
        The results in the query's order: dictionaries, or plain values for `SELECT VALUE`.

    Raises:
        AzureInvalidRequest: If a name, the query or a parameter is refused. It is a `ValueError`.
        AzureNotFound: If there is no such container or database. It is a `LookupError`.
        AzureCredentialsError: If the connection string is malformed, or key or identity are refused.
        AzureAccessDenied: If the identity may not query. It is a `PermissionError`.
        AzureUnavailable: If Cosmos DB did not answer within the time.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureCosmosDbCredentials
        from prefect_azure.cosmos_db import cosmos_db_query_items

        @flow
        async def people_of_age(age: int):
            return await cosmos_db_query_items(
                "SELECT * FROM c WHERE c.age >= @age",
                container="Persons",
                database="SampleDB",
                cosmos_db_credentials=AzureCosmosDbCredentials.load("BLOCK_NAME"),
                parameters=[{"name": "@age", "value": age}],
            )
        ```
    """
    return await run_sync_in_worker_thread(
        _query, query, container, database, cosmos_db_credentials, parameters, partition_key, kwargs
    )


async def acosmos_db_query_pages(
    query: str,
    container: str | ContainerProxy | dict[str, Any],
    database: str | DatabaseProxy | dict[str, Any],
    cosmos_db_credentials: AzureCosmosDbCredentials,
    parameters: list[dict[str, object]] | None = None,
    partition_key: Any | None = None,
    **kwargs: Any,
) -> AsyncIterator[list[str | dict[str, Any]]]:
    """Async form of `cosmos_db_query_pages`."""
    items = Items(container, database, cosmos_db_credentials)
    pages = items.pages(query, parameters, partition_key, kwargs)
    while (page := await run_sync_in_worker_thread(next, pages, None)) is not None:
        yield page


def cosmos_db_query_pages(
    query: str,
    container: str | ContainerProxy | dict[str, Any],
    database: str | DatabaseProxy | dict[str, Any],
    cosmos_db_credentials: AzureCosmosDbCredentials,
    parameters: list[dict[str, object]] | None = None,
    partition_key: Any | None = None,
    **kwargs: Any,
) -> Iterator[list[str | dict[str, Any]]]:
    """Query a container and give the results page by page, so that only one page is in memory.

    It is a generator, and no task: call it within a flow or task, with `for`; `acosmos_db_query_pages` with
    `async for`. Nothing is asked before the first page is wanted, and nothing more when the loop is left.

    Args:
        query: Statement in Cosmos DB's SQL.
        container: Name of the container, its properties, or a `ContainerProxy`.
        database: Name of its database, its properties, or a `DatabaseProxy`.
        cosmos_db_credentials: Who we are, and which account.
        parameters: Values for the query's `@names`: a list of `{"name": "@age", "value": 44}`.
        partition_key: Look only at items with this partition key; all partitions by default.
        **kwargs: Further arguments of `ContainerProxy.query_items`; `max_item_count` is the most results of a page.

    Yields:
        One list for each page, in the query's order. Pages are of different sizes.

    Raises:
        AzureInvalidRequest: If a name, the query or a parameter is refused. It is a `ValueError`.
        AzureNotFound: If there is no such container or database. It is a `LookupError`.
        AzureUnavailable: If Cosmos DB did not answer for two minutes. A query that the SDK merges from several
            partitions (ORDER BY, DISTINCT, aggregates) ends so at once when it breaks off after its first page, since
            it cannot be resumed.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureCosmosDbCredentials
        from prefect_azure.cosmos_db import cosmos_db_query_pages

        @flow
        def count_parcels() -> int:
            pages = cosmos_db_query_pages(
                "SELECT c.id FROM c",
                container="parcels",
                database="shop",
                cosmos_db_credentials=AzureCosmosDbCredentials.load("BLOCK_NAME"),
                max_item_count=1000,
            )
            return sum(len(page) for page in pages)
        ```
    """
    yield from Items(container, database, cosmos_db_credentials).pages(query, parameters, partition_key, kwargs)


def _read(
    item: Any,
    partition_key: Any,
    container: Any,
    database: Any,
    credentials: AzureCosmosDbCredentials,
    options: dict[str, Any],
) -> Any:
    items = Items(container, database, credentials)
    run_logger(_LOGGER).info("Reading an item of %s", items.subject)
    return items.read(item, partition_key, options)


@async_task()
async def cosmos_db_read_item(
    item: str | dict[str, Any],
    partition_key: Any,
    container: str | ContainerProxy | dict[str, Any],
    database: str | DatabaseProxy | dict[str, Any],
    cosmos_db_credentials: AzureCosmosDbCredentials,
    **kwargs: Any,
) -> list[str | dict[str, Any]]:
    """Read one item, by id and partition key.

    Args:
        item: Id of the item, or the item.
        partition_key: Value of the partition key; a list of values where the key has several paths.
        container: Name of the container, its properties, or a `ContainerProxy`.
        database: Name of its database, its properties, or a `DatabaseProxy`.
        cosmos_db_credentials: Who we are, and which account.
        **kwargs: Further arguments of
            [`ContainerProxy.read_item`](https://learn.microsoft.com/python/api/azure-cosmos/azure.cosmos.containerproxy#azure-cosmos-containerproxy-read-item),
            such as `session_token`.

    Returns:
        The item, a dictionary, whatever the annotation says, which is as published; `_etag` and `_ts` (seconds since
        1970, UTC) are the service's.

    Raises:
        AzureNotFound: If there is no such item, container or database. It is a `LookupError`.
        AzureInvalidRequest: If a name cannot be one. It is a `ValueError`.
        AzureCredentialsError: If the connection string is malformed, or key or identity are refused.
        AzureAccessDenied: If the identity may not read items. It is a `PermissionError`.
        AzureUnavailable: If Cosmos DB did not answer for two minutes.

    Example:
        ```python
        from prefect import flow
        from prefect_azure import AzureCosmosDbCredentials
        from prefect_azure.cosmos_db import cosmos_db_read_item

        @flow
        async def person(name: str, country: str):
            return await cosmos_db_read_item(
                name,
                partition_key=country,
                container="Persons",
                database="SampleDB",
                cosmos_db_credentials=AzureCosmosDbCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    return await run_sync_in_worker_thread(
        _read, item, partition_key, container, database, cosmos_db_credentials, kwargs
    )
