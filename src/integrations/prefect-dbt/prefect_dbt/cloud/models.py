"""What is sent to dbt Cloud when a job is triggered."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


def default_cause_factory() -> str:
    """Say why a run is triggered: by which task run or flow run of Prefect.

    Returns:
        `Triggered via Prefect`, followed by the name and id of the task run and flow run where there are any.
    """
    from prefect.context import FlowRunContext, TaskRunContext

    parts: list[str] = []
    if (task_context := TaskRunContext.get()) is not None:
        parts.append(f"task run {task_context.task_run.name} ({task_context.task_run.id})")
    if (flow_context := FlowRunContext.get()) is not None and flow_context.flow_run is not None:
        parts.append(f"flow run {flow_context.flow_run.name} ({flow_context.flow_run.id})")
    return " in ".join(["Triggered via Prefect", *parts])


class TriggerJobRunOptions(BaseModel):
    """What a run that is triggered does differently from its job.

    Each option is that of dbt Cloud's [trigger job run
    endpoint](https://docs.getdbt.com/dbt-cloud/api-v2#/operations/Trigger%20Job%20Run); `None` leaves it as the job
    has it.

    Attributes:
        cause: Why the run is triggered, for those who see it in dbt Cloud.
        git_sha: Commit to check out.
        git_branch: Branch to check out.
        schema_override: Schema to build in.
        dbt_version_override: Version of dbt to run.
        threads_override: Number of threads.
        target_name_override: Value of dbt's `target.name`.
        generate_docs_override: Whether documentation is generated.
        timeout_seconds_override: Seconds after which dbt Cloud itself ends the run.
        steps_override: Commands to run in place of the job's.
    """

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    cause: str = Field(
        default_factory=default_cause_factory,
        description="Why the run is triggered, for those who see it in dbt Cloud.",
    )
    git_sha: str | None = Field(default=None, description="Commit to check out.")
    git_branch: str | None = Field(default=None, description="Branch to check out.")
    schema_override: str | None = Field(default=None, description="Schema to build in.")
    dbt_version_override: str | None = Field(default=None, description="Version of dbt to run.")
    threads_override: int | None = Field(default=None, description="Number of threads.")
    target_name_override: str | None = Field(default=None, description="Value of dbt's `target.name`.")
    generate_docs_override: bool | None = Field(default=None, description="Whether documentation is generated.")
    timeout_seconds_override: int | None = Field(
        default=None, description="Seconds after which dbt Cloud itself ends the run."
    )
    steps_override: list[str] | None = Field(default=None, description="Commands to run in place of the job's.")
