"""Tasks that run Dataproc batches; they are public in `prefect_gcp.dataproc`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import sync_task

from ._dataproc_batches import DataprocBatchResult, batch_work
from ._remote_run import asubmit, asubmit_and_wait, submit, submit_and_wait
from .credentials import GcpCredentials


@task
async def adataproc_submit_batch(
    batch: Mapping[str, Any],
    region: str,
    gcp_credentials: GcpCredentials,
    batch_id: str | None = None,
    project: str | None = None,
) -> str:
    """Async form of `dataproc_submit_batch`."""
    return await asubmit(partial(batch_work, batch, region, gcp_credentials, batch_id, project))


@sync_task(adataproc_submit_batch)
def dataproc_submit_batch(
    batch: Mapping[str, Any],
    region: str,
    gcp_credentials: GcpCredentials,
    batch_id: str | None = None,
    project: str | None = None,
) -> str:
    """Start a batch, without waiting for it.

    The ID is made of the task run's, so a retry of the task takes over the batch that an earlier try has started, and
    starts another one only where that has failed.

    Args:
        batch: The batch, as in Dataproc's
            [reference](https://cloud.google.com/dataproc-serverless/docs/reference/rest/v1/projects.locations.batches#Batch),
            with one of `pysparkBatch`, `sparkBatch`, `sparkSqlBatch`, `sparkRBatch` and `pysparkNotebookBatch`.
        region: Region that it runs in, such as `europe-west3`.
        gcp_credentials: Who we are at Google Cloud.
        batch_id: ID of the batch, from 4 to 63 lower-case letters, digits and hyphens; made of the task run when not
            given.
        project: Project that it runs in; that of the credentials when not given.

    Returns:
        Full name of the batch.

    Raises:
        GcpInvalidRequest: If the batch has an unknown field, no workload, or an argument is refused.
        GcpAlreadyExists: If there is a batch of this `batch_id` that was started otherwise.
        GcpAccessDenied: If this identity may not create batches, or not act as their service account.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.dataproc import dataproc_submit_batch

        @flow
        def average_sensors(day: str) -> str:
            return dataproc_submit_batch(
                {"pysparkBatch": {"mainPythonFileUri": "gs://my-bucket/average.py", "args": [day]}},
                region="europe-west3",
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            )
        ```
    """
    return submit(partial(batch_work, batch, region, gcp_credentials, batch_id, project))


@task
async def adataproc_submit_batch_and_wait(
    batch: Mapping[str, Any],
    region: str,
    gcp_credentials: GcpCredentials,
    batch_id: str | None = None,
    project: str | None = None,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
) -> DataprocBatchResult:
    """Async form of `dataproc_submit_batch_and_wait`. Only the requests take a thread, not the time between them."""
    describe = partial(batch_work, batch, region, gcp_credentials, batch_id, project)
    return await asubmit_and_wait(describe, interval_seconds, timeout_seconds)


@sync_task(adataproc_submit_batch_and_wait)
def dataproc_submit_batch_and_wait(
    batch: Mapping[str, Any],
    region: str,
    gcp_credentials: GcpCredentials,
    batch_id: str | None = None,
    project: str | None = None,
    interval_seconds: float = 10.0,
    timeout_seconds: float | None = None,
) -> DataprocBatchResult:
    """Start a batch and wait until it has succeeded.

    When the wait is cancelled, interrupted or out of time, the batch is cancelled. Looks that fail for a passing reason
    are repeated for ten minutes. The ID is made of the task run's, so a retry of the task waits for the batch that an
    earlier try has started, and starts another one only where that has failed.

    Args:
        batch: The batch, as in Dataproc's
            [reference](https://cloud.google.com/dataproc-serverless/docs/reference/rest/v1/projects.locations.batches#Batch),
            with one of `pysparkBatch`, `sparkBatch`, `sparkSqlBatch`, `sparkRBatch` and `pysparkNotebookBatch`.
        region: Region that it runs in, such as `europe-west3`.
        gcp_credentials: Who we are at Google Cloud.
        batch_id: ID of the batch, from 4 to 63 lower-case letters, digits and hyphens; made of the task run when not
            given.
        project: Project that it runs in; that of the credentials when not given.
        interval_seconds: Seconds between two looks at the batch.
        timeout_seconds: Seconds after which to give up, the time until it starts included; `None` waits for ever. The
            time that a batch may run is limited by Dataproc's own `environmentConfig.executionConfig.ttl`.

    Returns:
        The batch at its end: its name, state, and where the driver's output is.

    Raises:
        GcpJobFailed: If the batch failed or was cancelled. It is a `RuntimeError` and names the batch, the reason,
            where the driver's output is, and its last lines where this identity may read them.
        GcpWaitTimeout: If the time was up. It is a `TimeoutError`.
        GcpInvalidRequest: If the batch has an unknown field, no workload, or an argument is refused.
        GcpAlreadyExists: If there is a batch of this `batch_id` that was started otherwise.
        GcpAccessDenied: If this identity may not create batches, or not act as their service account.

    Example:
        ```python
        from prefect import flow
        from prefect_gcp import GcpCredentials
        from prefect_gcp.dataproc import dataproc_submit_batch_and_wait

        @flow
        def average_sensors(day: str) -> str:
            batch = dataproc_submit_batch_and_wait(
                {"sparkSqlBatch": {"queryFileUri": "gs://my-bucket/average.sql", "queryVariables": {"day": day}}},
                region="europe-west3",
                gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
                timeout_seconds=3600,
            )
            return batch.output_uri
        ```
    """
    describe = partial(batch_work, batch, region, gcp_credentials, batch_id, project)
    return submit_and_wait(describe, interval_seconds, timeout_seconds)
