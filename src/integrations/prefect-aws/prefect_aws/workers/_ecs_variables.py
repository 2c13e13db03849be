"""What a work pool of ECS, or a deployment, may set."""

from __future__ import annotations

from typing import Any, Literal

from prefect.workers.base import BaseVariables
from pydantic import BaseModel, ConfigDict, Field

from .._ecs import definitions
from ..credentials import AwsCredentials

_AWS_DOCS = "https://docs.aws.amazon.com/AmazonECS/latest"


class CapacityProvider(BaseModel):
    """One entry of a capacity provider strategy."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    capacityProvider: str = Field(description="Name of the capacity provider, such as FARGATE_SPOT.")  # noqa: N815
    weight: int = Field(description="Share of the tasks that it gets, relative to the other entries.")
    base: int = Field(description="How many tasks it gets before the shares count.")


class ECSVariables(BaseVariables):
    """What a work pool or a deployment may set."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    env: dict[str, str | None] = Field(
        default_factory=dict,
        title="Environment Variables",
        description="Environment variables of the container; `null` takes a variable of the worker's own settings "
        "away. For secret values use `secrets`.",
    )
    task_definition_arn: str | None = Field(
        default=None,
        title="Task Definition ARN",
        description="ARN, or family and revision, of a registered task definition. Nothing is registered then, and "
        "variables that shape the definition, such as `image`, have no effect.",
    )
    aws_credentials: AwsCredentials = Field(
        default_factory=AwsCredentials,
        title="AWS Credentials",
        description="Credentials that tasks are started with; those that boto3 finds where none are given.",
    )
    cluster: str | None = Field(
        default=None, description="Name or ARN of the cluster that tasks run in; `default` when not given."
    )
    family: str | None = Field(
        default=None,
        description="Family of the task definition; generated from the work pool and the deployment when not given. "
        "Characters that ECS does not allow become hyphens.",
    )
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL", "FARGATE_SPOT"] = Field(
        default="FARGATE",
        description="Where tasks run. FARGATE_SPOT is the capacity provider of that name. Ignored where "
        "`capacity_provider_strategy` is given.",
    )
    capacity_provider_strategy: list[CapacityProvider] = Field(
        default_factory=list,
        description="Capacity providers and their shares, see "
        f"{_AWS_DOCS}/developerguide/cluster-capacity-providers.html.",
    )
    image: str | None = Field(
        default=None,
        description="Image of the container; the Prefect image of the worker's version when not given.",
    )
    cpu: int | None = Field(
        default=None,
        title="CPU",
        description=f"CPU units of the task, 1024 to a vCPU; {definitions.DEFAULT_CPU} when not given. Fargate offers "
        "certain pairs of CPU and memory only.",
    )
    memory: int | None = Field(
        default=None, description=f"Memory of the task in MiB; {definitions.DEFAULT_MEMORY} when not given."
    )
    container_name: str | None = Field(
        default=None,
        description="Name of the container that runs the flow; `prefect`, or that of the task definition's first "
        "essential container, when not given.",
    )
    prefect_api_key_secret_arn: str | None = Field(
        default=None,
        title="Prefect API Key Secret ARN",
        description="ARN of the Secrets Manager secret or SSM parameter that holds the Prefect API key. The key then "
        "stands in no request.",
    )
    prefect_api_auth_string_secret_arn: str | None = Field(
        default=None,
        title="Prefect API Auth String Secret ARN",
        description="ARN of the secret or parameter that holds the authentication string of a self-hosted server.",
    )
    task_role_arn: str | None = Field(
        default=None, title="Task Role ARN", description="Role that the flow has at AWS while it runs."
    )
    execution_role_arn: str | None = Field(
        default=None,
        title="Execution Role ARN",
        description="Role by which ECS pulls the image, writes logs and reads secrets. CloudWatch logs, secrets and "
        "private images need it.",
    )
    vpc_id: str | None = Field(
        default=None,
        title="VPC ID",
        description="The VPC that tasks join; the default one when not given. For launch type FARGATE, and task "
        "definitions with network mode `awsvpc`.",
    )
    configure_cloudwatch_logs: bool | None = Field(
        default=None,
        description="Whether the container's output goes to CloudWatch, into the log group `prefect`. Needs an "
        "execution role that may create log groups and write log streams.",
    )
    cloudwatch_logs_options: dict[str, str] = Field(
        default_factory=dict,
        description=f"Further options of the log driver, see {_AWS_DOCS}/developerguide/using_awslogs.html. They need "
        "`configure_cloudwatch_logs`.",
    )
    cloudwatch_logs_prefix: str | None = Field(
        default=None,
        description="What names of log streams begin with; the task definition's family when not given.",
    )
    network_configuration: dict[str, Any] = Field(
        default_factory=dict,
        description="Subnets, security groups and public address of tasks, see "
        f"{_AWS_DOCS}/APIReference/API_AwsVpcConfiguration.html. It needs `vpc_id`.",
    )
    auto_deregister_task_definition: bool = Field(
        default=False,
        description="Whether a task definition is deregistered once the task has ended. The next run registers it "
        "anew.",
    )
    match_latest_revision_in_family: bool = Field(
        default=False,
        description="Whether the family's latest active revision is used, where it is equal to what would be "
        "registered. Spares a revision when a worker restarts.",
    )
    secrets: dict[str, str] = Field(
        default_factory=dict,
        description="Environment variables whose values ECS takes from Secrets Manager or the parameter store: names "
        "and ARNs. The execution role must be allowed to read them.",
    )
    tags: dict[str, str] = Field(default_factory=dict, description="Tags of the task, besides the worker's own.")
    sidecars: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Containers that run beside the flow, as container definitions. They are not essential unless "
        "they say so: the task ends with the flow.",
    )
    volumes: list[dict[str, Any]] = Field(
        default_factory=list,
        description=f"Volumes of the task, see {_AWS_DOCS}/APIReference/API_Volume.html; EFS among them.",
    )
    mount_points: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Where the container that runs the flow mounts the volumes: `sourceVolume`, `containerPath`, "
        "`readOnly`.",
    )
    ephemeral_storage_gib: int | None = Field(
        default=None,
        ge=21,
        le=200,
        title="Ephemeral Storage (GiB)",
        description="Size of a Fargate task's disk in GiB, 21 to 200; 20 when not given.",
    )
    gpu: int | None = Field(
        default=None, ge=1, title="GPU", description="How many GPUs the container gets. Not on Fargate."
    )
    cpu_architecture: Literal["X86_64", "ARM64"] | None = Field(
        default=None, title="CPU Architecture", description="Architecture of the task's CPU; X86_64 when not given."
    )
    operating_system_family: str | None = Field(
        default=None, description="Operating system, such as LINUX or WINDOWS_SERVER_2022_CORE; LINUX when not given."
    )
    platform_version: str | None = Field(
        default=None, description="Version of the Fargate platform; LATEST when not given."
    )
    propagate_tags: Literal["TASK_DEFINITION", "NONE"] | None = Field(
        default=None, description="Whether the task takes over the tags of its task definition."
    )
    enable_execute_command: bool | None = Field(
        default=None,
        description=f"Whether commands can be run in the container, see {_AWS_DOCS}/developerguide/ecs-exec.html. The "
        "task role needs `ssmmessages` permissions.",
    )
