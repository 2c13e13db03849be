"""Cloud Run jobs and executions by the API's version 1, and names and labels as Google Cloud takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from . import _labels
from .errors import gcp_errors

if TYPE_CHECKING:
    from googleapiclient.discovery import Resource
    from typing_extensions import Self

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false


def sanitize_labels_for_gcp(labels: dict[str, str]) -> dict[str, str]:
    """Write labels as Google Cloud takes them.

    Args:
        labels: As Prefect writes them, such as `prefect.io/flow-run-id`.

    Returns:
        Keys and values of lower case letters, digits, `_` and `-`, at most 63 characters
        (https://cloud.google.com/resource-manager/docs/labels-overview#requirements); other characters become hyphens:
        `prefect-io-flow-run-id`. Legal ones stay as they are. A key of which nothing is left is dropped; where two keys
        become the same, the later one counts.
    """
    return _labels.sanitized(labels)


def merge_labels_for_gcp(prefect_labels: dict[str, str], existing_labels: dict[str, str]) -> dict[str, str]:
    """Add Prefect's labels to those that a job has already.

    Args:
        prefect_labels: Labels of the flow run.
        existing_labels: Labels of the job's template. They win where both have a key.

    Returns:
        Both together, as `sanitize_labels_for_gcp` writes them.
    """
    return {**_labels.sanitized(prefect_labels), **_labels.sanitized(existing_labels)}


def slugify_name(name: str, max_length: int = 30) -> str | None:
    """Make a name that Cloud Run takes as the beginning of a job's name.

    Args:
        name: Any text, such as a flow run's name.
        max_length: Most characters of the result. Thirty leave room for a hyphen and 32 characters that make the name
            unique: a job's name has at most 63.

    Returns:
        Lower case letters, digits and hyphens, no hyphen at either end; `None` when nothing is left.
    """
    return _labels.slug(name, max_length) or None


def _jobs(client: Any) -> Any:
    """Jobs of the API's namespaces, whether the client is that of the API or of its namespaces."""
    return client.jobs() if hasattr(client, "jobs") else client.namespaces().jobs()


def _executions(client: Any) -> Any:
    return client.executions() if hasattr(client, "executions") else client.namespaces().executions()


class Job(BaseModel):
    """A Cloud Run job, as version 1 of the API describes it."""

    model_config = ConfigDict(defer_build=True)

    metadata: dict = Field(description="Metadata of the job.")  # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]
    spec: dict = Field(description="What the job is to do.")  # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]
    status: dict = Field(description="What Cloud Run says of the job.")  # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]
    name: str = Field(description="Name of the job.")
    ready_condition: dict = Field(description="The condition `Ready`; empty before there is one.")  # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]
    execution_status: dict = Field(description="The execution that was created last; empty before there is one.")  # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]

    def is_ready(self) -> bool:
        """Say whether the job has been made ready to be run.

        Raises:
            RuntimeError: If Cloud Run says that it cannot be made ready; the message has its reason.
        """
        condition: dict[str, Any] = self.ready_condition
        is_lasting = condition.get("status") == "False" and condition.get("severity", "Error") in ("", "Error")
        if is_lasting and (condition.get("reason") or condition.get("message")):
            raise RuntimeError(f"Cloud Run job {self.name!r} cannot be made ready: {condition.get('message', '')}")
        return condition.get("status") == "True"

    def has_execution_in_progress(self) -> bool:
        """Say whether the execution that was created last goes on; one that nothing is known of is about to begin."""
        execution: dict[str, Any] = self.execution_status
        return execution.get("completionTimestamp") is None

    @classmethod
    def get(cls, client: Resource, namespace: str, job_name: str) -> Self:
        """Read a job.

        Args:
            client: Client of Cloud Run's API version 1, or of its namespaces.
            namespace: The project.
            job_name: Name of the job.

        Raises:
            GcpNotFound: If there is no such job.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        with gcp_errors(f"Cloud Run job {job_name!r}"):
            document = _jobs(client).get(name=f"namespaces/{namespace}/jobs/{job_name}").execute()
        return cls._of(document)

    @classmethod
    def _of(cls, document: dict[str, Any]) -> Self:
        status = document.get("status") or {}
        conditions = status.get("conditions") or []
        return cls(
            metadata=document["metadata"],
            spec=document["spec"],
            status=status,
            name=document["metadata"]["name"],
            ready_condition=next((item for item in conditions if item.get("type") == "Ready"), {}),
            execution_status=status.get("latestCreatedExecution") or {},
        )

    @staticmethod
    def create(client: Resource, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create a job.

        Args:
            client: Client of Cloud Run's API version 1, or of its namespaces.
            namespace: The project.
            body: The job, as the API takes it.

        Returns:
            The answer.

        Raises:
            GcpAlreadyExists: If there is a job of this name.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        with gcp_errors(f"Cloud Run job {body.get('metadata', {}).get('name', '')!r}"):
            return _jobs(client).create(parent=f"namespaces/{namespace}", body=body).execute()

    @staticmethod
    def delete(client: Resource, namespace: str, job_name: str) -> dict[str, Any]:
        """Delete a job.

        Args:
            client: Client of Cloud Run's API version 1, or of its namespaces.
            namespace: The project.
            job_name: Name of the job.

        Returns:
            The answer.

        Raises:
            GcpNotFound: If there is no such job.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        with gcp_errors(f"Cloud Run job {job_name!r}"):
            return _jobs(client).delete(name=f"namespaces/{namespace}/jobs/{job_name}").execute()

    @staticmethod
    def run(client: Resource, namespace: str, job_name: str) -> dict[str, Any]:
        """Start an execution of a job.

        Args:
            client: Client of Cloud Run's API version 1, or of its namespaces.
            namespace: The project.
            job_name: Name of the job.

        Returns:
            The answer: the execution.

        Raises:
            GcpNotFound: If there is no such job.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        with gcp_errors(f"Cloud Run job {job_name!r}"):
            return _jobs(client).run(name=f"namespaces/{namespace}/jobs/{job_name}").execute()


class Execution(BaseModel):
    """An execution of a Cloud Run job, as version 1 of the API describes it."""

    model_config = ConfigDict(defer_build=True)

    name: str = Field(description="Name of the execution.")
    namespace: str = Field(description="Its project.")
    metadata: dict = Field(description="Its metadata.")  # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]
    spec: dict = Field(description="What it is to do.")  # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]
    status: dict = Field(description="What Cloud Run says of it.")  # pyright: ignore[reportMissingTypeArgument, reportUnknownVariableType]
    log_uri: str = Field(description="Where people read its logs.")

    def is_running(self) -> bool:
        """Say whether it has not ended."""
        return self.status.get("completionTime") is None

    def condition_after_completion(self) -> dict[str, Any] | None:
        """Return the condition `Completed`; `None` before there is one."""
        conditions: list[dict[str, Any]] = self.status.get("conditions") or []
        return next((item for item in conditions if item.get("type") == "Completed"), None)

    def succeeded(self) -> bool:
        """Say whether it has ended, with success."""
        condition = self.condition_after_completion()
        return condition is not None and condition.get("status") == "True"

    @classmethod
    def get(cls, client: Resource, namespace: str, execution_name: str) -> Self:
        """Read an execution.

        Args:
            client: Client of Cloud Run's API version 1, or of its namespaces.
            namespace: The project.
            execution_name: Name of the execution.

        Raises:
            GcpNotFound: If there is no such execution.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        with gcp_errors(f"Cloud Run execution {execution_name!r}"):
            document = _executions(client).get(name=f"namespaces/{namespace}/executions/{execution_name}").execute()
        status = document.get("status") or {}
        return cls(
            name=document["metadata"]["name"],
            namespace=document["metadata"].get("namespace", namespace),
            metadata=document["metadata"],
            spec=document["spec"],
            status=status,
            log_uri=status.get("logUri", ""),
        )
