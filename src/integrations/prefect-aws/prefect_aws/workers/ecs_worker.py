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

import sys
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import anyio.abc
from prefect.workers.base import BaseWorker, BaseWorkerResult

from .._ecs import canonical, definitions, requests
from ..credentials import AwsCredentials
from ._ecs_configuration import ECSJobConfiguration
from ._ecs_variables import CapacityProvider, ECSVariables

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from prefect.client.schemas.objects import FlowRun
    from typing_extensions import Self

    from .._ecs.submission import EcsSubmissions
    from ..observers.ecs import start_observer as start_observer
    from ..observers.ecs import stop_observer as stop_observer
    from ..settings import EcsWorkerSettings as EcsWorkerSettings

__all__ = [
    "DEFAULT_TASK_DEFINITION_TEMPLATE",
    "DEFAULT_TASK_RUN_REQUEST_TEMPLATE",
    "ECS_DEFAULT_COMMAND",
    "ECS_DEFAULT_CONTAINER_NAME",
    "ECS_DEFAULT_CPU",
    "ECS_DEFAULT_FAMILY",
    "ECS_DEFAULT_LAUNCH_TYPE",
    "ECS_DEFAULT_MEMORY",
    "ECS_POST_REGISTRATION_FIELDS",
    "AwsCredentials",
    "CapacityProvider",
    "ECSIdentifier",
    "ECSJobConfiguration",
    "ECSVariables",
    "ECSWorker",
    "ECSWorkerResult",
    "mask_api_key",
    "mask_sensitive_env_values",
    "parse_identifier",
]

_LATE = {"start_observer": "..observers.ecs", "stop_observer": "..observers.ecs", "EcsWorkerSettings": "..settings"}


def __getattr__(name: str) -> Any:
    """Import what only a worker that runs needs: every flow run imports this module."""
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(_LATE[name], __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _here() -> Any:
    """This module, whose late names a test of a user may have put others in the place of."""
    return sys.modules[__name__]


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

        return EcsSubmissions(self, _here().EcsWorkerSettings())

    async def start(
        self, run_once: bool = False, with_healthcheck: bool = False, printer: Callable[..., None] = print
    ) -> None:
        """Poll the work pool and run what is due, and pick up what a worker before this one left behind.

        Args:
            run_once: Whether to poll once and return.
            with_healthcheck: Whether to serve a page that says whether the worker still polls.
            printer: Told when the worker starts and stops.
        """
        self._submissions.serving = True
        await super().start(run_once=run_once, with_healthcheck=with_healthcheck, printer=printer)

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
        await super().__aenter__()
        try:
            await _here().start_observer()
            await self._submissions.open()
        except BaseException:
            await super().__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        try:
            await self._submissions.close()
        finally:
            try:
                with anyio.CancelScope(shield=True):  # its users are counted, also when the worker is interrupted
                    await _here().stop_observer()
            finally:
                await super().__aexit__(*exc_info)
