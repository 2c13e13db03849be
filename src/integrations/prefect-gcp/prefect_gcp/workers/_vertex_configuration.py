"""What one flow run asks of the Vertex AI worker."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from pydantic import Field, PrivateAttr, field_validator

from prefect_integration_kit.job_configuration import JobConfiguration

from .._identity import account_of
from .._labels import sanitized
from ..credentials import GcpCredentials

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import CustomJob
    from prefect.client.schemas.objects import Flow, FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

_LONGEST_NAME = 128
"""Characters of a job's display name:
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs"""

_ACCOUNT_NAMES = ("service_account_name", "serviceAccountName", "service_account", "serviceAccount")
"""How `job_spec` may name the account that a job runs as."""

_MOST_LABELS = 64
"""Labels of one job: https://cloud.google.com/vertex-ai/docs/general/labels"""


def _job_spec_template() -> dict[str, Any]:
    return {
        "service_account_name": "{{ service_account_name }}",
        "network": "{{ network }}",
        "reserved_ip_ranges": "{{ reserved_ip_ranges }}",
        "maximum_run_time_hours": "{{ maximum_run_time_hours }}",
        "scheduling": "{{ scheduling }}",
        "enable_web_access": "{{ enable_web_access }}",
        "enable_dashboard_access": "{{ enable_dashboard_access }}",
        "worker_pool_specs": [
            {
                "replica_count": 1,
                "container_spec": {"image_uri": "{{ image }}", "command": "{{ command }}", "args": []},
                "machine_spec": {
                    "machine_type": "{{ machine_type }}",
                    "accelerator_type": "{{ accelerator_type }}",
                    "accelerator_count": "{{ accelerator_count }}",
                },
                "disk_spec": {
                    "boot_disk_type": "{{ boot_disk_type }}",
                    "boot_disk_size_gb": "{{ boot_disk_size_gb }}",
                },
            }
        ],
    }


class VertexAIWorkerJobConfiguration(JobConfiguration):
    """What one flow run asks of the Vertex AI worker."""

    region: str = Field(
        description="The region that the job runs in, such as europe-west1.",
        examples=["us-central1"],
    )
    credentials: GcpCredentials | None = Field(
        title="GCP Credentials",
        default_factory=GcpCredentials,
        description="The credentials that the worker makes jobs with; Application Default Credentials without them.",
    )
    job_spec: dict[str, Any] = Field(
        json_schema_extra={"template": _job_spec_template()},
        description=(
            "The job, as Vertex AI's CustomJobSpec "
            "(https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec), of which every field can be "
            "set, and the fields `service_account_name`, `maximum_run_time_hours` and `encryption_spec`."
        ),
    )
    job_watch_poll_interval: float = Field(
        title="Poll Interval (Seconds)",
        default=5.0,
        gt=0,
        description="Seconds between two looks at running jobs. One list shows all of them.",
    )

    _flow_run_id: UUID | None = PrivateAttr(default=None)

    @field_validator("region")
    @classmethod
    def _check_region(cls, value: str) -> str:
        region = value.strip()
        if not region:
            raise ValueError("region is empty; give the name of a region, such as 'europe-west1'.")
        return region

    @field_validator("job_spec")
    @classmethod
    def _check_job_spec(cls, value: dict[str, Any]) -> dict[str, Any]:
        pools = value.get("worker_pool_specs", value.get("workerPoolSpecs"))
        if not isinstance(pools, list) or not pools or not isinstance(pools[0], Mapping):
            raise ValueError(
                "job_spec.worker_pool_specs must be a list whose first item describes the flow run's container."
            )
        return value

    @property
    def project(self) -> str:
        """The project that jobs are made in.

        Raises:
            ValueError: If neither the credentials nor the environment name one.
        """
        from .._identity import project_of

        return project_of(self.credentials or GcpCredentials())

    @property
    def job_name(self) -> str:
        """The job's display name, at most 128 characters: `name`, and the flow run's ID when it is known."""
        return self._display_name(self._flow_run_id.hex if self._flow_run_id else "")

    def _display_name(self, suffix: str) -> str:
        base = (self.name or "").strip() or "prefect"
        if not suffix:
            return base[:_LONGEST_NAME]
        return f"{base[: _LONGEST_NAME - 1 - len(suffix)].rstrip()}-{suffix}"

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: Flow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Put what belongs to a flow run into the configuration: environment, command, labels, service account.

        Args:
            flow_run: The run.
            deployment: Its deployment.
            flow: Its flow.
            work_pool: The pool that it runs in.
            worker_name: Name of the worker that submits it.
            worker_id: ID of that worker at the API.
        """
        super().prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id)
        self._flow_run_id = flow_run.id
        container = self._container()
        container["env"] = _merged(container.get("env"), self.env)
        command = container.get("command") or self.command
        container["command"] = shlex.split(command) if isinstance(command, str) else command
        is_given = any(self.job_spec.get(name) for name in _ACCOUNT_NAMES)
        if not is_given and (account := account_of(self.credentials or GcpCredentials())):
            self.job_spec["service_account_name"] = account

    def _container(self) -> dict[str, Any]:
        """The container of the first worker pool, which runs the flow."""
        name = "worker_pool_specs" if "worker_pool_specs" in self.job_spec else "workerPoolSpecs"
        pool = self.job_spec[name][0]
        key = "containerSpec" if "containerSpec" in pool else "container_spec"
        if pool.get(key) is None:
            pool[key] = {}
        return pool[key]

    def to_custom_job(self, *, submission: str, labels: Mapping[str, str]) -> CustomJob:
        """Make the job to create.

        Args:
            submission: Digest of the run's present submission, the end of the job's display name.
            labels: Labels that the worker finds the job by.

        Raises:
            ValueError: If `job_spec` is not one of Vertex AI's; the message names the field.
        """
        from .._vertex.spec import custom_job

        others = {key: value for key, value in sanitized(self.labels).items() if key not in labels}
        kept = dict(list(others.items())[: _MOST_LABELS - len(labels)])
        return custom_job(self.job_spec, display_name=self._display_name(submission), labels={**kept, **labels})


def _merged(given: Any, env: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Variables of the template's container and of the run, once each; the run's count.

    Args:
        given: Those of the template, as Vertex AI has them, or as an object of names and values.
        env: Those of the run; one that is `None` is left out.
    """
    items: dict[str, Any] = {}
    if isinstance(given, Mapping):
        by_name = cast("Mapping[str, Any]", given)
        items = {name: {"name": name, "value": value} for name, value in by_name.items()}
    elif given:
        items = {str(item.get("name")): item for item in given}
    for name, value in env.items():
        items[name] = {"name": name, "value": value}
    return [item for item in items.values() if item.get("value") is not None]
