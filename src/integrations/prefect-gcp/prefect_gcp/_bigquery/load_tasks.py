"""The tasks that load files and objects; users import them from `prefect_gcp.bigquery`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task

from .jobs import arun_job, run_job
from .loads import cloud_storage_load, detached, file_load
from .sdk import client_of

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJob, SchemaField

    from ..credentials import GcpCredentials


@task
async def abigquery_load_cloud_storage(
    dataset: str,
    table: str,
    uri: str,
    gcp_credentials: GcpCredentials,
    schema: list[SchemaField] | None = None,
    job_config: dict[str, Any] | None = None,
    project: str | None = None,
    location: str = "US",
) -> LoadJob:
    """Async form of `bigquery_load_cloud_storage`. Only the requests take a thread, not the time between them."""
    client = await run_sync_in_worker_thread(client_of, gcp_credentials, project, location)
    return detached(
        await arun_job(cloud_storage_load(client, dataset, table, uri, schema, job_config, location)),
    )


@sync_task(abigquery_load_cloud_storage)
def bigquery_load_cloud_storage(
    dataset: str,
    table: str,
    uri: str,
    gcp_credentials: GcpCredentials,
    schema: list[SchemaField] | None = None,
    job_config: dict[str, Any] | None = None,
    project: str | None = None,
    location: str = "US",
) -> LoadJob:
    """Load objects of Cloud Storage into a table, and wait for the end.

    The job has an ID that is made from the task run's and its attempt, so that it never runs twice because an answer
    was lost. When the task is cancelled, interrupted or out of time, the job is cancelled.

    Args:
        dataset: Name of the data set, or `project.dataset`.
        table: Name of the table; it is created if it is not there.
        uri: Where the data are, as `gs://bucket/key`; `*` in the key stands for anything.
        gcp_credentials: Who we are at Google Cloud.
        schema: The columns; found out from the data when not given.
        job_config: Options of
            [`LoadJobConfig`](https://cloud.google.com/python/docs/reference/bigquery/latest/google.cloud.bigquery.job.LoadJobConfig)
            by name. Those that are objects may be dictionaries: `parquet_options`, `time_partitioning` and so on. It is
            not changed. `autodetect` is on unless it says otherwise.
        project: The project that the job runs in; that of the credentials when not given.
        location: Where the data set is, such as `EU`.

    Returns:
        The job at its end, without its client: `job_id`, `output_rows`, `output_bytes`.

    Raises:
        GcpInvalidRequest: If the data cannot be read, or an argument is wrong. The message has the files and rows that
            BigQuery names. It is a `ValueError`.
        GcpNotFound: If the data set or the object does not exist.
        GcpQuotaExceeded: If a quota is used up.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.bigquery import bigquery_load_cloud_storage

        @flow
        def load_parcels() -> int:
            job = bigquery_load_cloud_storage(
                dataset="shop",
                table="parcels",
                uri="gs://BUCKET/parcels/*.parquet",
                job_config={"source_format": "PARQUET", "write_disposition": "WRITE_TRUNCATE"},
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            )
            return job.output_rows
        ```
    """
    client = client_of(gcp_credentials, project, location)
    return detached(run_job(cloud_storage_load(client, dataset, table, uri, schema, job_config, location)))


@task
async def abigquery_load_file(
    dataset: str,
    table: str,
    path: str | Path,
    gcp_credentials: GcpCredentials,
    schema: list[SchemaField] | None = None,
    job_config: dict[str, Any] | None = None,
    rewind: bool = False,
    size: int | None = None,
    project: str | None = None,
    location: str = "US",
) -> LoadJob:
    """Async form of `bigquery_load_file`. Only the requests take a thread, not the time between them."""
    client = await run_sync_in_worker_thread(client_of, gcp_credentials, project, location)
    job = file_load(client, dataset, table, path, schema, job_config, rewind, size, location)
    return detached(await arun_job(job))


@sync_task(abigquery_load_file)
def bigquery_load_file(
    dataset: str,
    table: str,
    path: str | Path,
    gcp_credentials: GcpCredentials,
    schema: list[SchemaField] | None = None,
    job_config: dict[str, Any] | None = None,
    rewind: bool = False,
    size: int | None = None,
    project: str | None = None,
    location: str = "US",
) -> LoadJob:
    """Load a file of this machine into a table, and wait for the end.

    The file is streamed. The job never runs twice because an answer was lost, and is cancelled with the task, as for
    `bigquery_load_cloud_storage`.

    Args:
        dataset: Name of the data set, or `project.dataset`.
        table: Name of the table; it is created if it is not there.
        path: The file.
        gcp_credentials: Who we are at Google Cloud.
        schema: The columns; found out from the data when not given.
        job_config: Options of
            [`LoadJobConfig`](https://cloud.google.com/python/docs/reference/bigquery/latest/google.cloud.bigquery.job.LoadJobConfig)
            by name. Those that are objects may be dictionaries. It is not changed. `autodetect` is on unless it says
            otherwise.
        rewind: Whether to go to the start of the file before reading; it is opened there anyway.
        size: How many bytes of the file to load; all when not given.
        project: The project that the job runs in; that of the credentials when not given.
        location: Where the data set is, such as `EU`.

    Returns:
        The job at its end, without its client: `job_id`, `output_rows`, `output_bytes`.

    Raises:
        BigQueryFileNotFound: If the file does not exist. It is a `FileNotFoundError` and a `ValueError`.
        GcpInvalidRequest: If the data cannot be read, or an argument is wrong. The message has the rows that BigQuery
            names. It is a `ValueError`.
        GcpNotFound: If the data set does not exist.
        GcpQuotaExceeded: If a quota is used up.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.bigquery import bigquery_load_file

        @flow
        def load_parcels() -> int:
            job = bigquery_load_file(
                dataset="shop",
                table="parcels",
                path="parcels.csv",
                job_config={"source_format": "CSV", "skip_leading_rows": 1},
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            )
            return job.output_rows
        ```
    """
    client = client_of(gcp_credentials, project, location)
    job = file_load(client, dataset, table, path, schema, job_config, rewind, size, location)
    return detached(run_job(job))
