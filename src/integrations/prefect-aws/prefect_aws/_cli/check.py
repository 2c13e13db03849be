"""`prefect-aws ecs-worker check`: will the first flow run of a work pool start?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prefect_integration_kit import pool_checks
from prefect_integration_kit.findings import Finding, failed, ok

from .._ecs import registration
from .._ecs.definitions import build_definition, orchestration_container
from ..errors import AwsError, aws_errors
from . import checks
from .account import Account, Cluster
from .failures import CommandFailed, describe
from .findings import guarded
from .images import check_image
from .permissions import check_permissions

if TYPE_CHECKING:
    from ..workers.ecs_worker import ECSJobConfiguration


class Inspection:
    """All checks of one work pool.

    Args:
        configuration: What a run of the pool asks for, when its deployment says nothing else.
        account: Where, and who asks.
        queue_name: The queue of task events.
        worker_role: ARN of the role that the worker has; who asks when not given.
        ask_registries: Whether registries other than ECR are asked for the image.
    """

    def __init__(
        self,
        configuration: ECSJobConfiguration,
        account: Account,
        *,
        queue_name: str,
        worker_role: str | None = None,
        ask_registries: bool = False,
    ) -> None:
        self._configuration = configuration
        self._account = account
        self._queue_name = queue_name
        self._worker_role = worker_role
        self._ask_registries = ask_registries

    def findings(self) -> Iterator[Finding]:
        """Check one thing after another. Where the identity or the cluster is not known, the rest makes no sense."""
        account = self._account
        step = "identity"
        try:
            with aws_errors("AWS credentials"):
                identity = str(account.client("sts").get_caller_identity()["Arn"])
            yield ok(step, f"{identity} in {account.region}")
            step = "cluster"
            cluster = account.cluster(self._configuration.cluster or "default")
            yield ok(step, f"{cluster.arn} is ACTIVE.")
            step = "task definition"
            definition = self._definition()
        except (AwsError, CommandFailed, ValueError) as exc:
            yield failed(step, describe(exc))
            return
        yield ok(
            "task definition",
            f"{definition.get('family')}: cpu {definition.get('cpu', 'not set')}, "
            f"memory {definition.get('memory', 'not set')}",
        )
        yield from self._of_definition(cluster, identity, definition)

    def _of_definition(self, cluster: Cluster, identity: str, definition: dict[str, Any]) -> Iterator[Finding]:
        account, configuration = self._account, self._configuration
        request = configuration.task_run_request
        overrides: dict[str, Any] = request.get("overrides") or {}
        execution_role = overrides.get("executionRoleArn") or definition.get("executionRoleArn")
        task_role = overrides.get("taskRoleArn") or definition.get("taskRoleArn")
        roles = {"execution role": execution_role, "task role": task_role}
        for label, arn in roles.items():
            if arn:
                yield from guarded(label, checks.check_role(account, label, str(arn)))
        if not execution_role:
            yield ok("execution role", "None is set; logs, secrets and images in ECR need one.")
        if definition.get("networkMode") == "awsvpc" and not request.get("networkConfiguration"):
            yield from guarded(
                "network", checks.check_network(account, configuration.vpc_id, configuration.network_configuration)
            )
        container = orchestration_container(definition["containerDefinitions"], configuration.container_name)
        image = str(container.get("image") or "")
        if ".dkr.ecr." in image and not execution_role:
            yield failed(
                "image", f"{image} is in ECR, and there is no execution role to pull it. Set execution_role_arn."
            )
        yield from guarded("image", check_image(account, image, ask_registries=self._ask_registries))
        yield from guarded("logs", checks.check_logs(account, definition))
        yield from guarded("secrets", checks.check_secrets(account, {**definition, "executionRoleArn": execution_role}))
        yield from guarded("events", checks.check_queue(account, cluster, self._queue_name))
        yield from guarded(
            "permissions", self._permissions(cluster, identity, [str(arn) for arn in roles.values() if arn])
        )

    def _permissions(self, cluster: Cluster, identity: str, roles: list[str]) -> Iterator[Finding]:
        queue = checks.queue_arn(self._account, self._queue_name)
        yield from check_permissions(self._account, self._worker_role or identity, cluster, roles, queue)

    def _definition(self) -> dict[str, Any]:
        """The task definition that a run would have."""
        from prefect.utilities.dockerutils import get_prefect_image_name

        if given := self._configuration.task_run_request.get("taskDefinition"):
            found = registration.describe(self._account.client("ecs"), str(given))
            if found is None:
                raise ValueError(f"Task definition {given!r} does not exist. Correct task_definition_arn.")
            return found
        return build_definition(
            self._configuration, family="prefect", region=self._account.region, image=get_prefect_image_name()
        )


def read_configuration(work_pool: str) -> ECSJobConfiguration:
    """Read a work pool, and fill its job template with the defaults of its variables.

    Raises:
        CommandFailed: If there is no such pool, it is of another type, its template is wrong, or the API does not
            answer.
    """
    return pool_checks.read_configuration(work_pool, {"ecs": _configuration}).configuration


def _configuration() -> type[ECSJobConfiguration]:
    from ..workers.ecs_worker import ECSJobConfiguration

    return ECSJobConfiguration
