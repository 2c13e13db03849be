"""The tasks that create tables and insert rows; users import them from `prefect_gcp.bigquery`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger

from .inserts import insert_rows
from .sdk import client_of, table_reference
from .tables import create_table

if TYPE_CHECKING:
    from google.cloud.bigquery import ExternalConfig, SchemaField, TimePartitioning

    from ..credentials import GcpCredentials


def _create_table(
    dataset: str,
    table: str,
    credentials: GcpCredentials,
    schema: Any,
    clustering_fields: Any,
    time_partitioning: Any,
    project: str | None,
    location: str,
    external_config: Any,
) -> str:
    client = client_of(credentials, project, location)
    return create_table(client, dataset, table, schema, clustering_fields, time_partitioning, external_config, location)


@task
async def abigquery_create_table(
    dataset: str,
    table: str,
    gcp_credentials: GcpCredentials,
    schema: list[SchemaField] | None = None,
    clustering_fields: list[str] | None = None,
    time_partitioning: TimePartitioning | None = None,
    project: str | None = None,
    location: str = "US",
    external_config: ExternalConfig | None = None,
) -> str:
    """Async form of `bigquery_create_table`."""
    return await run_sync_in_worker_thread(
        _create_table,
        dataset,
        table,
        gcp_credentials,
        schema,
        clustering_fields,
        time_partitioning,
        project,
        location,
        external_config,
    )


@sync_task(abigquery_create_table)
def bigquery_create_table(
    dataset: str,
    table: str,
    gcp_credentials: GcpCredentials,
    schema: list[SchemaField] | None = None,
    clustering_fields: list[str] | None = None,
    time_partitioning: TimePartitioning | None = None,
    project: str | None = None,
    location: str = "US",
    external_config: ExternalConfig | None = None,
) -> str:
    """Create a table, and its data set, if they are not there. A table that is there stays as it is.

    Args:
        dataset: Name of the data set, or `project.dataset`.
        table: Name of the table.
        gcp_credentials: Who we are at Google Cloud.
        schema: The columns. Either this or `external_config` is needed.
        clustering_fields: Names of up to four columns to cluster by.
        time_partitioning: How to partition by time.
        project: The project of the data set; that of the credentials when not given.
        location: Where a new data set is made.
        external_config: Where the data are, if BigQuery does not store them.

    Returns:
        The name of the table, as it was given.

    Raises:
        GcpInvalidRequest: If there is neither schema nor `external_config`, or an argument is refused. It is a
            `ValueError`.
        GcpAccessDenied: If this identity may not create it.

    Example:
        ```python
        from google.cloud.bigquery import SchemaField
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.bigquery import bigquery_create_table

        @flow
        def create_parcels() -> str:
            return bigquery_create_table(
                dataset="shop",
                table="parcels",
                schema=[SchemaField("id", "INTEGER", mode="REQUIRED"), SchemaField("country", "STRING")],
                clustering_fields=["country"],
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    return _create_table(
        dataset,
        table,
        gcp_credentials,
        schema,
        clustering_fields,
        time_partitioning,
        project,
        location,
        external_config,
    )


def _insert_stream(
    dataset: str, table: str, records: Any, credentials: GcpCredentials, project: str | None, location: str
) -> list[Any]:
    client = client_of(credentials, project, location)
    target = table_reference(client, dataset, table)
    refused = insert_rows(client, target, records)
    run_logger(__name__).info("Inserted %d rows into %s.%s", len(records), target.dataset_id, target.table_id)
    return refused


@task
async def abigquery_insert_stream(
    dataset: str,
    table: str,
    records: list[dict[str, Any]],
    gcp_credentials: GcpCredentials,
    project: str | None = None,
    location: str = "US",
) -> list[Any]:
    """Async form of `bigquery_insert_stream`."""
    return await run_sync_in_worker_thread(_insert_stream, dataset, table, records, gcp_credentials, project, location)


@sync_task(abigquery_insert_stream)
def bigquery_insert_stream(
    dataset: str,
    table: str,
    records: list[dict[str, Any]],
    gcp_credentials: GcpCredentials,
    project: str | None = None,
    location: str = "US",
) -> list[Any]:
    """Insert rows by BigQuery's [streaming API](https://cloud.google.com/bigquery/streaming-data-into-bigquery).

    Rows are compared with the table's columns before they are sent. Each has an ID, so that BigQuery knows those of a
    request that is repeated because its answer was lost. More than 10,000 rows, or 8 MB, are sent in several requests.

    Args:
        dataset: Name of the data set, or `project.dataset`.
        table: Name of the table.
        records: A dictionary of column names to values for each row. Dates, times, decimals, bytes and UUIDs are
            written as BigQuery reads them.
        gcp_credentials: Who we are at Google Cloud.
        project: The project of the data set; that of the credentials when not given.
        location: Where the data set is.

    Returns:
        An empty list: BigQuery's answer names the rows that were not inserted, and those are an error.

    Raises:
        BigQueryRowsRefused: If rows do not fit the table. The message names them and says what was inserted; `errors`
            has the reasons by the row's place in `records`. It is a `ValueError`.
        GcpNotFound: If the table does not exist.
        GcpQuotaExceeded: If a quota is used up.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.bigquery import bigquery_insert_stream

        @flow
        def note_parcels() -> None:
            bigquery_insert_stream(
                dataset="shop",
                table="parcels",
                records=[{"id": 1, "country": "NO"}, {"id": 2, "country": "PT"}],
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    return _insert_stream(dataset, table, records, gcp_credentials, project, location)
