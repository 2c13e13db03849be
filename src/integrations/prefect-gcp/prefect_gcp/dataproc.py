"""Dataproc Serverless: tasks that start Spark batches and wait for them, and a job block.

Examples:
    Run a PySpark script and go on when it has succeeded:

    ```python
    from prefect import flow
    from prefect_gcp import GcpCredentials
    from prefect_gcp.dataproc import dataproc_submit_batch_and_wait

    @flow
    def average_sensors(day: str) -> str:
        batch = dataproc_submit_batch_and_wait(
            {"pysparkBatch": {"mainPythonFileUri": "gs://my-bucket/average.py", "args": [day]}},
            region="europe-west3",
            gcp_credentials=GcpCredentials.load("BLOCK_NAME"),
            timeout_seconds=3600,
        )
        return batch.output_uri
    ```
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from prefect.blocks.abstract import JobBlock
from prefect.tasks import task
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import sync_task

from ._dataproc_batches import DataprocBatchResult, DataprocBatchWork, batch_work
from ._remote_run import RemoteRun, TriggeredJob, asubmit, asubmit_and_wait, submit, submit_and_wait
from .credentials import GcpCredentials

__all__ = [
    "DataprocBatch",
    "DataprocBatchResult",
    "DataprocBatchRun",
    "adataproc_submit_batch",
    "adataproc_submit_batch_and_wait",
    "dataproc_submit_batch",
    "dataproc_submit_batch_and_wait",
]


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


class DataprocBatchRun(RemoteRun[DataprocBatchResult]):
    """A batch that was started at Dataproc Serverless.

    Example:
        Wait for a batch that was started elsewhere:

        ```python
        from prefect_gcp.dataproc import DataprocBatchRun

        run = DataprocBatchRun(name="projects/my-project/locations/europe-west3/batches/nightly")
        run.wait_for_completion(timeout_seconds=3600)
        ```
    """

    name: str = Field(description="Full name of the batch.", pattern=r"^projects/[^/]+/locations/[^/]+/batches/[^/]+$")

    def _work(self) -> DataprocBatchWork:
        return DataprocBatchWork(self.gcp_credentials, name=self.name)


class DataprocBatch(QuickKey, TriggeredJob[DataprocBatchRun], JobBlock):  # pyright: ignore[reportMissingTypeArgument] - `JobBlock[...]` would be a block of its own
    """A batch to start at Dataproc Serverless.

    Example:
        Start a batch and wait until it has succeeded:

        ```python
        from prefect import flow
        from prefect_gcp.dataproc import DataprocBatch

        @flow
        def average_sensors():
            run = DataprocBatch.load("BLOCK_NAME").trigger()
            run.wait_for_completion()
            return run.fetch_result().output_uri
        ```
    """

    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"  # pyright: ignore[reportAssignmentType]
    _block_type_name = "Dataproc Serverless Batch"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-gcp"  # pyright: ignore[reportAssignmentType]

    region: str = Field(description="Region that batches run in, such as europe-west3.")
    batch: dict[str, Any] = Field(
        description="The batch, as in Dataproc's REST reference, with one of pysparkBatch, sparkBatch, sparkSqlBatch, "
        "sparkRBatch and pysparkNotebookBatch. It is no place for secrets.",
    )
    project: str | None = Field(
        default=None, description="Project that batches run in; that of the credentials when not given."
    )

    def _describe(self) -> DataprocBatchWork:
        return batch_work(self.batch, self.region, self.gcp_credentials, None, self.project, is_block=True)

    def _run_of(self, **fields: Any) -> DataprocBatchRun:
        return DataprocBatchRun(**fields)
