"""Cloud Run jobs and executions by the API's version 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import gcp_errors

if TYPE_CHECKING:
    from googleapiclient.discovery import Resource
    from typing_extensions import Self

# ruff: noqa: N815 - names are those of the API
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false


class SecretKeySelector(BaseModel):
    """A version of a secret of Secret Manager, whose value a container gets as an environment variable.

    See https://cloud.google.com/run/docs/reference/rest/v2/Container#SecretKeySelector.
    """

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    secret: str = Field(
        description="Name of the secret; of another project, `projects/{project}/secrets/{secret}`.",
    )
    version: str = Field(description="Version of the secret: a number, or `latest`.")


def _jobs(client: Any) -> Any:
    """Jobs of the API's locations, whether the client is that of the API or of its locations."""
    return client.jobs() if hasattr(client, "jobs") else client.projects().locations().jobs()


def _name(project: str, location: str, job_name: str) -> str:
    return f"projects/{project}/locations/{location}/jobs/{job_name}"


class JobV2(BaseModel):
    """A Cloud Run job, as version 2 of the API describes it.

    See https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.jobs.
    """

    model_config = ConfigDict(defer_build=True)

    name: str = Field(description="Full name of the job.")
    uid: str = Field(description="Identifier that the server gave it.")
    generation: str = Field(description="Number of its present form.")
    labels: dict[str, str] = Field(default_factory=dict, description="Its labels.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Its annotations.")
    createTime: str = Field(description="When it was created.")
    updateTime: str = Field(description="When it was changed last.")
    deleteTime: str | None = Field(default=None, description="When it was deleted.")
    expireTime: str | None = Field(default=None, description="When it is removed for good.")
    creator: str | None = Field(default=None, description="Who created it.")
    lastModifier: str | None = Field(default=None, description="Who changed it last.")
    client: str | None = Field(default=None, description="The client that made it.")
    clientVersion: str | None = Field(default=None, description="Version of that client.")
    launchStage: Literal[
        "ALPHA", "BETA", "GA", "DEPRECATED", "EARLY_ACCESS", "PRELAUNCH", "UNIMPLEMENTED", "LAUNCH_TAG_UNSPECIFIED"
    ] = Field(description="Launch stage of the features that it uses.")
    binaryAuthorization: dict[str, Any] = Field(default_factory=dict, description="Its binary authorization.")
    template: dict[str, Any] = Field(default_factory=dict, description="Template of its executions.")
    observedGeneration: str | None = Field(default=None, description="The form that Cloud Run has seen.")
    terminalCondition: dict[str, Any] = Field(default_factory=dict, description="The condition that matters.")
    conditions: list[dict[str, Any]] = Field(default_factory=list, description="Its other conditions.")
    executionCount: int = Field(description="How many executions were created.")
    latestCreatedExecution: dict[str, Any] = Field(
        default_factory=dict, description="The execution that was created last."
    )
    reconciling: bool = Field(default=False, description="Whether it is being made ready.")
    satisfiesPzs: bool = Field(default=False, description="Reserved by Google.")
    etag: str | None = Field(default=None, description="Fingerprint of its present form.")

    def is_ready(self) -> bool:
        """Say whether the job is ready to be run.

        Raises:
            RuntimeError: If Cloud Run says that it cannot be made ready; the message has its reason.
        """
        condition = self.get_ready_condition()
        is_failed = condition.get("state") == "CONDITION_FAILED" and (
            condition.get("reason") or condition.get("message")
        )
        if is_failed or condition.get("reason") == "ContainerMissing":
            raise RuntimeError(f"Cloud Run job {self.name!r} cannot be made ready: {condition.get('message', '')}")
        return condition.get("state") == "CONDITION_SUCCEEDED"

    def get_ready_condition(self) -> dict[str, Any]:
        """Return the condition `Ready`; empty before there is one."""
        for condition in (self.terminalCondition, *self.conditions):
            if condition.get("type") == "Ready":
                return condition
        return {}

    @classmethod
    def get(cls, cr_client: Resource, project: str, location: str, job_name: str) -> Self:
        """Read a job.

        Args:
            cr_client: Client of Cloud Run's API version 2, or of its locations.
            project: The project.
            location: The region.
            job_name: Name of the job.

        Raises:
            GcpNotFound: If there is no such job.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        with gcp_errors(f"Cloud Run job {job_name!r}"):
            answer = _jobs(cr_client).get(name=_name(project, location, job_name)).execute()
        # The API leaves out what is zero or empty.
        return cls.model_validate({"executionCount": 0, "launchStage": "GA", **answer})

    @staticmethod
    def create(cr_client: Resource, project: str, location: str, job_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create a job.

        Args:
            cr_client: Client of Cloud Run's API version 2, or of its locations.
            project: The project.
            location: The region.
            job_id: Name of the job.
            body: The job, as the API takes it.

        Returns:
            The answer: a long-running operation.

        Raises:
            GcpAlreadyExists: If there is a job of this name.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        parent = f"projects/{project}/locations/{location}"
        with gcp_errors(f"Cloud Run job {job_id!r}"):
            return _jobs(cr_client).create(parent=parent, jobId=job_id, body=body).execute()

    @staticmethod
    def delete(cr_client: Resource, project: str, location: str, job_name: str) -> dict[str, Any]:
        """Delete a job.

        Args:
            cr_client: Client of Cloud Run's API version 2, or of its locations.
            project: The project.
            location: The region.
            job_name: Name of the job.

        Returns:
            The answer: a long-running operation.

        Raises:
            GcpNotFound: If there is no such job.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        with gcp_errors(f"Cloud Run job {job_name!r}"):
            return _jobs(cr_client).delete(name=_name(project, location, job_name)).execute()

    @staticmethod
    def run(cr_client: Resource, project: str, location: str, job_name: str) -> dict[str, Any]:
        """Start an execution of a job.

        Args:
            cr_client: Client of Cloud Run's API version 2, or of its locations.
            project: The project.
            location: The region.
            job_name: Name of the job.

        Returns:
            The answer: a long-running operation, whose metadata has the execution.

        Raises:
            GcpNotFound: If there is no such job.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        with gcp_errors(f"Cloud Run job {job_name!r}"):
            return _jobs(cr_client).run(name=_name(project, location, job_name)).execute()


class ExecutionV2(BaseModel):
    """An execution of a Cloud Run job, as version 2 of the API describes it.

    See https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.jobs.executions.
    """

    model_config = ConfigDict(defer_build=True)

    name: str = Field(description="Full name of the execution.")
    uid: str = Field(description="Identifier that the server gave it.")
    generation: str = Field(description="Number of its present form.")
    labels: dict[str, str] = Field(description="Its labels.")
    annotations: dict[str, str] = Field(description="Its annotations.")
    createTime: str = Field(description="When it was created.")
    startTime: str | None = Field(description="When it was started.")
    completionTime: str | None = Field(description="When it ended.")
    deleteTime: str | None = Field(description="When it was deleted.")
    expireTime: str | None = Field(description="When it is removed for good.")
    launchStage: Literal[
        "ALPHA", "BETA", "GA", "DEPRECATED", "EARLY_ACCESS", "PRELAUNCH", "UNIMPLEMENTED", "LAUNCH_TAGE_UNSPECIFIED"
    ] = Field(description="Launch stage of the features that it uses.")
    job: str = Field(description="Its job.")
    parallelism: int = Field(description="How many tasks run at a time; 0 for as many as possible.")
    taskCount: int = Field(description="How many tasks it has.")
    template: dict[str, Any] = Field(description="Template of its tasks.")
    reconciling: bool = Field(description="Whether it is being brought to an end, or begun.")
    conditions: list[dict[str, Any]] = Field(description="Its conditions.")
    observedGeneration: str | None = Field(description="The form that Cloud Run has seen.")
    runningCount: int | None = Field(description="How many tasks run.")
    succeededCount: int | None = Field(description="How many tasks have succeeded.")
    failedCount: int | None = Field(description="How many tasks have failed.")
    cancelledCount: int | None = Field(description="How many tasks were cancelled.")
    retriedCount: int | None = Field(description="How many attempts were repeated.")
    logUri: str = Field(description="Where people read its logs.")
    satisfiesPzs: bool = Field(description="Reserved by Google.")
    etag: str = Field(description="Fingerprint of its present form.")

    def is_running(self) -> bool:
        """Say whether it has not ended."""
        return self.completionTime is None

    def succeeded(self) -> bool:
        """Say whether it has ended, with success."""
        condition = self.condition_after_completion()
        return condition.get("state") == "CONDITION_SUCCEEDED"

    def condition_after_completion(self) -> dict[str, Any]:
        """Return the condition `Completed`; empty before there is one."""
        return next((item for item in self.conditions if item.get("type") == "Completed"), {})

    @classmethod
    def get(cls, cr_client: Resource, execution_id: str) -> Self:
        """Read an execution.

        Args:
            cr_client: Client of Cloud Run's API version 2, or of its locations.
            execution_id: Full name: `projects/{project}/locations/{location}/jobs/{job}/executions/{execution}`.

        Raises:
            GcpNotFound: If there is no such execution.
            GcpError: If Cloud Run refuses, or does not answer.
        """
        with gcp_errors(f"Cloud Run execution {execution_id!r}"):
            answer = _jobs(cr_client).executions().get(name=execution_id).execute()
        return cls.model_validate({**_LEFT_OUT, **answer})


_LEFT_OUT: dict[str, Any] = {
    **{name: {} for name in ("labels", "annotations", "template")},
    **dict.fromkeys(("startTime", "completionTime", "deleteTime", "expireTime", "observedGeneration")),
    **dict.fromkeys(("runningCount", "succeededCount", "failedCount", "cancelledCount", "retriedCount"), 0),
    **dict.fromkeys(("parallelism", "taskCount"), 0),
    **dict.fromkeys(("logUri", "etag", "job"), ""),
    "launchStage": "GA",
    "reconciling": False,
    "satisfiesPzs": False,
    "conditions": [],
}
"""What the API leaves out of an answer, because it is zero, empty or not there yet."""
