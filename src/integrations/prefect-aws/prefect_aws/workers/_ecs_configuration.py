"""What one flow run asks of ECS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import ConfigDict, Field, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic and the documentation read the annotations

from prefect_integration_kit.job_configuration import JobConfiguration

from .._ecs import definitions
from ..credentials import AwsCredentials

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import Flow as APIFlow
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

_TASK_DEFINITION: dict[str, Any] = {
    "containerDefinitions": [{"image": "{{ image }}", "name": "{{ container_name }}"}],
    "cpu": "{{ cpu }}",
    "family": "{{ family }}",
    "memory": "{{ memory }}",
    "executionRoleArn": "{{ execution_role_arn }}",
}
_TASK_RUN_REQUEST: dict[str, Any] = {
    "launchType": "{{ launch_type }}",
    "cluster": "{{ cluster }}",
    "overrides": {
        "containerOverrides": [
            {
                "name": "{{ container_name }}",
                "command": "{{ command }}",
                "environment": "{{ env }}",
                "cpu": "{{ cpu }}",
                "memory": "{{ memory }}",
            }
        ],
        "cpu": "{{ cpu }}",
        "memory": "{{ memory }}",
        "taskRoleArn": "{{ task_role_arn }}",
    },
    "tags": "{{ labels }}",
    "taskDefinition": "{{ task_definition_arn }}",
    "capacityProviderStrategy": "{{ capacity_provider_strategy }}",
}


class ECSJobConfiguration(JobConfiguration):
    """What one flow run asks of ECS: the work pool's job template with all variables filled in."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    aws_credentials: AwsCredentials | None = Field(
        default_factory=AwsCredentials, description="Credentials that the task is started with."
    )
    task_definition: dict[str, Any] = Field(
        default_factory=dict,
        json_schema_extra={"template": _TASK_DEFINITION},
        description="The task definition to register, as `RegisterTaskDefinition` takes it.",
    )
    task_run_request: dict[str, Any] = Field(
        default_factory=dict,
        json_schema_extra={"template": _TASK_RUN_REQUEST},
        description="The request that starts the task, as `RunTask` takes it.",
    )
    configure_cloudwatch_logs: bool | None = Field(
        default=None, description="Whether the container's output goes to CloudWatch."
    )
    cloudwatch_logs_options: dict[str, str] = Field(
        default_factory=dict, description="Further options of the `awslogs` driver."
    )
    cloudwatch_logs_prefix: str | None = Field(default=None, description="What names of log streams begin with.")
    network_configuration: dict[str, Any] = Field(
        default_factory=dict, description="Subnets and security groups, as `awsvpcConfiguration` takes them."
    )
    stream_output: bool | None = Field(
        default=None,
        json_schema_extra={"template": False},
        deprecated="The worker does not copy logs of running tasks; use CloudWatch.",
        description="Has no effect.",
    )
    task_start_timeout_seconds: int = Field(
        default=300,
        json_schema_extra={"template": 0},
        deprecated="The worker does not wait for tasks to start.",
        description="Has no effect.",
    )
    task_watch_poll_interval: float = Field(
        default=5.0,
        json_schema_extra={"template": 0},
        deprecated="Set PREFECT_INTEGRATIONS_AWS_ECS_WORKER_WATCH_INTERVAL_SECONDS instead.",
        description="Has no effect.",
    )
    auto_deregister_task_definition: bool = Field(
        default=False, description="Whether the task definition is deregistered once the task has ended."
    )
    vpc_id: str | None = Field(default=None, description="The VPC that tasks join.")
    container_name: str | None = Field(default=None, description="Name of the container that runs the flow.")
    cluster: str | None = Field(default=None, description="Name or ARN of the cluster.")
    match_latest_revision_in_family: bool = Field(
        default=False, description="Whether an equal latest revision of the family is used rather than a new one."
    )
    prefect_api_key_secret_arn: str | None = Field(
        default=None, description="ARN of the secret that holds the Prefect API key."
    )
    prefect_api_auth_string_secret_arn: str | None = Field(
        default=None, description="ARN of the secret that holds the Prefect API's authentication string."
    )
    execution_role_arn: str | None = Field(
        default=None,
        title="Execution Role ARN",
        description="Role by which ECS pulls the image, writes logs and reads secrets.",
    )
    secrets: dict[str, str] = Field(
        default_factory=dict, description="Environment variables whose values ECS takes from a secret, by its ARN."
    )
    tags: dict[str, str] = Field(default_factory=dict, description="Further tags of the task.")
    sidecars: list[dict[str, Any]] = Field(default_factory=list, description="Further container definitions.")
    volumes: list[dict[str, Any]] = Field(default_factory=list, description="Volumes of the task.")
    mount_points: list[dict[str, Any]] = Field(
        default_factory=list, description="Where the container that runs the flow mounts the volumes."
    )
    ephemeral_storage_gib: int | None = Field(default=None, description="Size of the Fargate task's disk in GiB.")
    gpu: int | None = Field(default=None, description="How many GPUs the container gets.")
    cpu_architecture: str | None = Field(default=None, description="Architecture of the task's CPU.")
    operating_system_family: str | None = Field(default=None, description="Operating system of the task.")
    platform_version: str | None = Field(default=None, description="Version of the Fargate platform.")
    propagate_tags: str | None = Field(default=None, description="Where the task takes further tags from.")
    enable_execute_command: bool | None = Field(
        default=None, description="Whether commands can be run in the container by ECS Exec."
    )

    @classmethod
    def json_template(cls) -> dict[str, Any]:
        """Write the job configuration of a new work pool's template.

        Returns:
            A template for each field: its own where it has one, else a placeholder of its name.
        """
        properties = cast("dict[str, dict[str, Any]]", cls.model_json_schema()["properties"])
        return {name: field.get("template", f"{{{{ {name} }}}}") for name, field in properties.items()}

    @model_validator(mode="after")
    def task_run_request_requires_arn_if_no_task_definition_given(self) -> Self:
        """Refuse a run that names no task definition and describes none."""
        if not self.task_run_request.get("taskDefinition") and not self.task_definition:
            raise ValueError(
                "A task definition must be provided if a task definition ARN is not present on the task run request. "
                "Fill `task_definition` in the job configuration, or set `task_definition_arn`."
            )
        return self

    @model_validator(mode="after")
    def container_name_default_from_task_definition(self) -> Self:
        """Take the container's name from the task definition where none is given."""
        if self.container_name is None:
            self.container_name = definitions.container_name_in(self.task_definition)
        return self

    @model_validator(mode="after")
    def at_least_one_container_is_essential(self) -> Self:
        """Refuse a task definition whose containers are all unessential: the task would never end."""
        containers = cast("list[dict[str, Any]]", self.task_definition.get("containerDefinitions") or [])
        if containers and not any(container.get("essential", True) is not False for container in containers):
            raise ValueError(
                "At least one container must be marked as essential in the task definition. "
                f"Set `essential: true` on the container {self.container_name or definitions.DEFAULT_CONTAINER_NAME!r}."
            )
        return self

    @model_validator(mode="after")
    def configure_cloudwatch_logs_requires_execution_role_arn(self) -> Self:
        """Refuse CloudWatch logs without a role that may write them."""
        if (
            self.configure_cloudwatch_logs
            and not self.execution_role_arn
            and not self.task_run_request.get("taskDefinition")
            and not self.task_definition.get("executionRoleArn")
        ):
            raise ValueError("An `execution_role_arn` must be provided to use `configure_cloudwatch_logs`.")
        return self

    @model_validator(mode="after")
    def cloudwatch_logs_options_requires_configure_cloudwatch_logs(self) -> Self:
        """Refuse options of the log driver where it is not configured."""
        if self.cloudwatch_logs_options and not self.configure_cloudwatch_logs:
            raise ValueError("`configure_cloudwatch_logs` must be enabled to use `cloudwatch_logs_options`.")
        return self

    @model_validator(mode="after")
    def network_configuration_requires_vpc_id(self) -> Self:
        """Refuse a network configuration that cannot be held against its VPC."""
        if self.network_configuration and not self.vpc_id:
            raise ValueError("You must provide a `vpc_id` to enable custom `network_configuration`.")
        return self

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: APIFlow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Add what belongs to one run: environment, tags, command.

        Variables whose values come from a secret are taken out of the environment.

        Args:
            flow_run: The run.
            deployment: Its deployment.
            flow: Its flow.
            work_pool: The work pool.
            worker_name: Name of the worker that submits the run.
            worker_id: ID of the worker.
        """
        super().prepare_for_flow_run(
            flow_run=flow_run,
            deployment=deployment,
            flow=flow,
            work_pool=work_pool,
            worker_name=worker_name,
            worker_id=worker_id,
        )
        secret = definitions.secrets_of(self)
        self.env = {name: value for name, value in self.env.items() if name not in secret}
