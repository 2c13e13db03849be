"""AWS Batch: a task that submits a job."""

from typing import Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger

from .credentials import AwsCredentials, ClientType
from .errors import aws_errors


def _submit(
    job_name: str,
    job_queue: str,
    job_definition: str,
    aws_credentials: AwsCredentials,
    options: dict[str, Any],
) -> str:
    logger = run_logger(__name__)
    logger.info("Submitting Batch job %s to queue %s", job_name, job_queue)
    client = aws_credentials.get_client(ClientType.BATCH)
    with aws_errors(f"Batch job {job_name!r} (queue {job_queue!r}, definition {job_definition!r})"):
        answer = client.submit_job(jobName=job_name, jobQueue=job_queue, jobDefinition=job_definition, **options)
    job_id = str(answer["jobId"])
    logger.info("Submitted Batch job %s with id %s", job_name, job_id)
    return job_id


@task
async def abatch_submit(
    job_name: str,
    job_queue: str,
    job_definition: str,
    aws_credentials: AwsCredentials,
    **batch_kwargs: Any,
) -> str:
    """Async form of `batch_submit`."""
    return await run_sync_in_worker_thread(_submit, job_name, job_queue, job_definition, aws_credentials, batch_kwargs)


@sync_task(abatch_submit)
def batch_submit(
    job_name: str,
    job_queue: str,
    job_definition: str,
    aws_credentials: AwsCredentials,
    **batch_kwargs: Any,
) -> str:
    """Submit a job to AWS Batch, without waiting for it.

    Batch has no way to tell a repeated request, so each run of this task, retries included, submits a job.

    Args:
        job_name: Name of the job.
        job_queue: Name or ARN of the queue.
        job_definition: Name, `name:revision` or ARN of the job definition.
        aws_credentials: Who we are at AWS.
        batch_kwargs: Further arguments of boto3's
            [`submit_job`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/batch/client/submit_job.html).

    Returns:
        ID of the job.

    Raises:
        AwsInvalidRequest: If there is no such queue or definition, or an argument is refused.
        AwsAccessDenied: If this identity may not submit to the queue.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.batch import batch_submit

        @flow
        def average_sensors(day: str) -> str:
            return batch_submit(
                f"sensors-{day}",
                job_queue="nightly",
                job_definition="sensor-averages:4",
                aws_credentials=AwsCredentials.load("BLOCK_NAME"),
                parameters={"day": day},
            )
        ```
    """
    return _submit(job_name, job_queue, job_definition, aws_credentials, batch_kwargs)
