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

from typing import TYPE_CHECKING, Any

from prefect.blocks.abstract import JobBlock
from pydantic import Field

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.late_imports import late_names

from ._dataproc_batches import DataprocBatchResult, DataprocBatchWork, batch_work
from ._remote_run import RemoteRun, TriggeredJob

if TYPE_CHECKING:
    from ._dataproc_tasks import (
        adataproc_submit_batch,
        adataproc_submit_batch_and_wait,
        dataproc_submit_batch,
        dataproc_submit_batch_and_wait,
    )

__all__ = [
    "DataprocBatch",
    "DataprocBatchResult",
    "DataprocBatchRun",
    "adataproc_submit_batch",
    "adataproc_submit_batch_and_wait",
    "dataproc_submit_batch",
    "dataproc_submit_batch_and_wait",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "adataproc_submit_batch": "._dataproc_tasks",
        "adataproc_submit_batch_and_wait": "._dataproc_tasks",
        "dataproc_submit_batch": "._dataproc_tasks",
        "dataproc_submit_batch_and_wait": "._dataproc_tasks",
    },
)


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
