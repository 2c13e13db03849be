"""Run flows as tasks of the Elastic Container Service (ECS).

Create a work pool, then start a worker for it:

```bash
prefect work-pool create --type ecs my-ecs-pool
prefect worker start --pool my-ecs-pool
```

The worker may run anywhere that reaches AWS and the Prefect API; often it is an ECS service itself. Without further
configuration it runs tasks on Fargate, in the default cluster, in the subnets of the default VPC. Where there is no
default VPC, set `vpc_id` or the network configuration. `FARGATE_SPOT` runs them on spot capacity, `EC2` on the
cluster's own instances.

A task definition is registered once and used for all runs that need the same; what differs from run to run
(environment, command, size) goes with the request that starts the task. With a `task_definition_arn`, or a
`taskDefinition` in the task run request, nothing is registered, and variables that shape the definition have no effect.

Set `configure_cloudwatch_logs` to keep what containers print: it says why a task failed before the flow began. It needs
an execution role that may create and write log streams.

How tasks end is learnt from EventBridge through a queue (see `prefect_aws.observers.ecs`), else by looking at all
running tasks together every few seconds.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from prefect.logging import get_logger
from prefect.utilities.templating import find_placeholders
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult
from pydantic import BaseModel, Field, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic and the documentation read the annotations

from .._ecs import canonical, definitions, requests
from ..credentials import AwsCredentials

if TYPE_CHECKING:
    from uuid import UUID

    import anyio.abc
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import Flow as APIFlow
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

    from .._ecs.submission import EcsSubmissions
    from ..observers.ecs import start_observer as start_observer
    from ..observers.ecs import stop_observer as stop_observer
    from ..settings import EcsWorkerSettings as EcsWorkerSettings

_logger = get_logger(__name__)

_LATE = {"start_observer": "..observers.ecs", "stop_observer": "..observers.ecs", "EcsWorkerSettings": "..settings"}


def __getattr__(name: str) -> Any:
    """Import what only a worker that runs needs: every flow run imports this module."""
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(_LATE[name], __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


ECS_DEFAULT_CONTAINER_NAME: str = definitions.DEFAULT_CONTAINER_NAME
"""Name of the container that runs the flow, where no other is given."""

ECS_DEFAULT_CPU: int = definitions.DEFAULT_CPU
"""CPU units of a task, 1024 to a vCPU, where none are given."""

ECS_DEFAULT_COMMAND: str = requests.DEFAULT_COMMAND
"""What the container runs, where neither the run nor the template says."""

ECS_DEFAULT_MEMORY: int = definitions.DEFAULT_MEMORY
"""Memory of a task in MiB, where none is given."""

ECS_DEFAULT_LAUNCH_TYPE: str = definitions.DEFAULT_LAUNCH_TYPE
"""Where tasks run, where neither launch type nor capacity providers are given."""

ECS_DEFAULT_FAMILY: str = definitions.DEFAULT_FAMILY
"""What generated family names begin with."""

ECS_POST_REGISTRATION_FIELDS: list[str] = list(canonical.SERVER_FIELDS)
"""Fields that ECS adds to a registered task definition."""

DEFAULT_TASK_DEFINITION_TEMPLATE: str = """
containerDefinitions:
- image: "{{ image }}"
  name: "{{ container_name }}"
cpu: "{{ cpu }}"
family: "{{ family }}"
memory: "{{ memory }}"
executionRoleArn: "{{ execution_role_arn }}"
"""
"""The task definition of a new work pool's job template, in YAML."""

DEFAULT_TASK_RUN_REQUEST_TEMPLATE: str = """
launchType: "{{ launch_type }}"
cluster: "{{ cluster }}"
overrides:
  containerOverrides:
  - name: "{{ container_name }}"
    command: "{{ command }}"
    environment: "{{ env }}"
    cpu: "{{ cpu }}"
    memory: "{{ memory }}"
  cpu: "{{ cpu }}"
  memory: "{{ memory }}"
  taskRoleArn: "{{ task_role_arn }}"
tags: "{{ labels }}"
taskDefinition: "{{ task_definition_arn }}"
capacityProviderStrategy: "{{ capacity_provider_strategy }}"
"""
"""The task run request of a new work pool's job template, in YAML."""

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


class ECSIdentifier(NamedTuple):
    """What names a task that was started."""

    cluster: str
    task_arn: str


def parse_identifier(identifier: str) -> ECSIdentifier:
    """Take an infrastructure identifier apart.

    Args:
        identifier: The cluster and the task's ARN, `::` between them, as `ECSWorkerResult.identifier` has it.

    Returns:
        Both parts.

    Raises:
        ValueError: If the text is not of that form.
    """
    cluster, separator, task_arn = identifier.partition("::")
    if not separator or not task_arn:
        raise ValueError(f"{identifier!r} does not name an ECS task; expected 'cluster::task_arn'.")
    return ECSIdentifier(cluster, task_arn)


def mask_sensitive_env_values(
    task_run_request: dict[str, Any], values: list[str], keep_length: int = 3, replace_with: str = "***"
) -> dict[str, Any]:
    """Hide the values of some environment variables of a request.

    The worker itself never logs a value, hidden or not.

    Args:
        task_run_request: Arguments of `RunTask`; changed in place.
        values: Names of the variables.
        keep_length: How many characters of a value stay readable; none of a value that is less than four times as
            long.
        replace_with: What stands for the rest.

    Returns:
        The same request.
    """
    for container in task_run_request.get("overrides", {}).get("containerOverrides", []):
        for variable in container.get("environment", []):
            if variable.get("name") in values and variable.get("value"):
                value = str(variable["value"])
                kept = value[:keep_length] if len(value) >= 4 * keep_length else ""
                variable["value"] = f"{kept}{replace_with}"
    return task_run_request


def mask_api_key(task_run_request: dict[str, Any]) -> dict[str, Any]:
    """Copy a request and hide the Prefect API key and authentication string in it.

    Args:
        task_run_request: Arguments of `RunTask`.

    Returns:
        A copy that may be shown.
    """
    return mask_sensitive_env_values(
        deepcopy(task_run_request),
        ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"],
        keep_length=0,
    )


class CapacityProvider(BaseModel):
    """One entry of a capacity provider strategy."""

    capacityProvider: str = Field(description="Name of the capacity provider, such as FARGATE_SPOT.")  # noqa: N815
    weight: int = Field(description="Share of the tasks that it gets, relative to the other entries.")
    base: int = Field(description="How many tasks it gets before the shares count.")


class ECSJobConfiguration(BaseJobConfiguration):
    """What one flow run asks of ECS: the work pool's job template with all variables filled in."""

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
                f"Set `essential: true` on the container {self.container_name or ECS_DEFAULT_CONTAINER_NAME!r}."
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

    @classmethod
    async def from_template_and_values(
        cls, base_job_template: dict[str, Any], values: dict[str, Any], client: PrefectClient | None = None
    ) -> Self:
        """Fill the work pool's job template in.

        Args:
            base_job_template: The template.
            values: Job variables of deployment and run.
            client: A client of the Prefect API, to load blocks and variables with.

        Returns:
            The configuration. Values that the template has no place for are named in a warning: they change nothing.
        """
        known = {place.name.partition(".")[0] for place in find_placeholders(base_job_template["job_configuration"])}
        unused = sorted({name.partition(".")[0] for name in values} - known)
        if unused:
            _logger.warning(
                "The work pool's job template does not use the job variables %s, so they have no effect. Put "
                "placeholders such as {{ %s }} into its job configuration, or remove the variables.",
                ", ".join(unused),
                unused[0],
            )
        configuration: Any = await super().from_template_and_values(  # pyright: ignore[reportUnknownVariableType]
            base_job_template=base_job_template, values=values, client=client
        )
        return configuration

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


_AWS_DOCS = "https://docs.aws.amazon.com/AmazonECS/latest"


class ECSVariables(BaseVariables):
    """What a work pool or a deployment may set."""

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
        description=f"CPU units of the task, 1024 to a vCPU; {ECS_DEFAULT_CPU} when not given. Fargate offers certain "
        "pairs of CPU and memory only.",
    )
    memory: int | None = Field(
        default=None, description=f"Memory of the task in MiB; {ECS_DEFAULT_MEMORY} when not given."
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


class ECSWorkerResult(BaseWorkerResult):
    """The task that was started. Its status code is 0; how the task ends is learnt later."""


class ECSWorker(BaseWorker[ECSJobConfiguration, ECSVariables, ECSWorkerResult]):
    """A worker that runs flows as ECS tasks."""

    type: str = "ecs"
    job_configuration = ECSJobConfiguration
    job_configuration_variables = ECSVariables
    _display_name = "AWS Elastic Container Service"
    _description = (
        "Execute flow runs within containers on AWS ECS. Works with EC2 and Fargate clusters. Requires an AWS account."
    )
    _documentation_url = "https://docs.prefect.io/integrations/prefect-aws/"
    _logo_url = "https://cdn.sanity.io/images/3ugk85nk/production/d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"

    @cached_property
    def _submissions(self) -> EcsSubmissions:
        from .._ecs.submission import EcsSubmissions
        from ..settings import EcsWorkerSettings

        return EcsSubmissions(self, EcsWorkerSettings())

    async def start(self, *args: Any, **kwargs: Any) -> None:
        """Poll the work pool and run what is due, and pick up what a worker before this one left behind.

        Args:
            args: As Prefect's own worker takes them.
            kwargs: As Prefect's own worker takes them.
        """
        self._submissions.serving = True
        await super().start(*args, **kwargs)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ECSJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> ECSWorkerResult:
        """Start the task of a flow run, and watch over it from then on.

        Args:
            flow_run: The run.
            configuration: What it asks for.
            task_status: Told the task's identifier as soon as the task is started.

        Returns:
            The identifier, as `parse_identifier` reads it, with status code 0. The task goes on; its end is learnt
            from events, or by looking at it. The identifier is empty when the run was cancelled before its task was
            started.

        Raises:
            AwsError: If ECS or EC2 refuses. The message names the resource, the cause and the remedy.
            ValueError: If the configuration contradicts itself.
            EcsTaskNotStarted: If ECS has no room for the task, or another reason not to start it. It is a
                `RuntimeError`.
        """
        task = await self._submissions.submit(flow_run, configuration, task_status)
        return ECSWorkerResult(identifier=task.identifier if task else "", status_code=0)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: ECSJobConfiguration, grace_seconds: int = 30
    ) -> None:
        """Stop an ECS task.

        Args:
            infrastructure_pid: The task's identifier, `cluster::task_arn`.
            configuration: Names the credentials.
            grace_seconds: Not used: how long a container has to end after SIGTERM is said by `stopTimeout` in its
                definition.

        Raises:
            InfrastructureNotFound: If ECS does not know the task or its cluster.
            AwsError: If ECS refuses to stop it.
        """
        await self._submissions.kill(parse_identifier(infrastructure_pid), configuration)

    async def _cancel_run(self, flow_run_id: UUID) -> None:
        # The task of a run that is being submitted has no identifier yet: it is stopped as soon as it has one.
        self._submissions.cancel_requested(flow_run_id)
        await super()._cancel_run(flow_run_id)

    def _release_limit_slot(self, flow_run_id: UUID) -> None:
        if not self._submissions.holds_slot(flow_run_id):
            super()._release_limit_slot(flow_run_id)

    async def __aenter__(self) -> Self:
        from ..observers.ecs import start_observer

        await super().__aenter__()
        try:
            await start_observer()
            await self._submissions.open()
        except BaseException:
            await super().__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        from ..observers.ecs import stop_observer

        try:
            await self._submissions.close()
            await stop_observer()
        finally:
            await super().__aexit__(*exc_info)
