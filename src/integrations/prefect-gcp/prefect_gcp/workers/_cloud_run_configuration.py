"""What one flow run asks of Cloud Run by the API's version 1."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from prefect.utilities.dockerutils import get_prefect_image_name
from pydantic import ConfigDict, Field, PrivateAttr, field_validator

from .._workers import bodies
from .._workers.configuration import CloudRunConfiguration
from ..credentials import GcpCredentials

if TYPE_CHECKING:
    from ..models.cloud_run_v2 import SecretKeySelector
    from ..settings import CloudRunWorkerSettings

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

Json = dict[str, Any]

_TEMPLATE: Json = {
    "apiVersion": "run.googleapis.com/v1",
    "kind": "Job",
    "metadata": {"name": "{{ name }}", "annotations": {"run.googleapis.com/launch-stage": "BETA"}},
    "spec": {
        "template": {
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {
                                "image": "{{ image }}",
                                "command": "{{ command }}",
                                "resources": {
                                    "limits": {"cpu": "{{ cpu }}", "memory": "{{ memory }}"},
                                    "requests": {"cpu": "{{ cpu }}", "memory": "{{ memory }}"},
                                },
                            }
                        ],
                        "timeoutSeconds": "{{ timeout }}",
                        "serviceAccountName": "{{ service_account_name }}",
                    }
                }
            },
            "metadata": {"annotations": {"run.googleapis.com/vpc-access-connector": "{{ vpc_connector_name }}"}},
        }
    },
}
_TASK = ("spec", "template", "spec", "template", "spec")


class CloudRunWorkerJobConfiguration(CloudRunConfiguration):
    """What one flow run asks of Cloud Run: the work pool's job template with all variables filled in."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    region: str = Field(default="us-central1", description="Region that jobs are made in.")
    credentials: GcpCredentials | None = Field(
        default_factory=GcpCredentials, title="GCP Credentials", description="Credentials that jobs are made with."
    )
    job_body: dict[str, Any] = Field(
        json_schema_extra={"template": _TEMPLATE},
        description="The job, as the API takes it, see "
        "https://cloud.google.com/run/docs/reference/rest/v1/namespaces.jobs.",
    )
    timeout: int | None = Field(
        default=600, gt=0, le=3600, title="Job Timeout", description="Seconds after which Cloud Run ends a task."
    )
    keep_job: bool | None = Field(
        default=False, title="Keep Job After Completion", description="Whether the job stays after its end."
    )

    _given_name: str = PrivateAttr(default="")

    @field_validator("credentials", mode="after")
    @classmethod
    def _default_credentials(cls, credentials: GcpCredentials | None) -> GcpCredentials:
        return credentials if credentials is not None else GcpCredentials()

    @field_validator("job_body")
    @classmethod
    def _is_a_job(cls, body: Json) -> Json:
        kind, version = body.get("kind", "Job"), body.get("apiVersion", "run.googleapis.com/v1")
        if kind != "Job" or version != "run.googleapis.com/v1":
            raise ValueError(
                f"`job_body` is of kind {kind!r} and apiVersion {version!r}; Cloud Run jobs have 'Job' and "
                "'run.googleapis.com/v1'. Correct the work pool's job template."
            )
        bodies.part(body, *_TASK, "containers", 0, subject="a Cloud Run job")
        return body

    @property
    def job_name(self) -> str:
        """Name of the run's job, as the job body has it."""
        named = (self.job_body.get("metadata") or {}).get("name")
        return str(named) if named else super().job_name

    def _base_name(self) -> str | None:
        return self._given_name or self.name

    def _put_name(self, name: str) -> None:
        self.job_body.setdefault("metadata", {})["name"] = name

    def _worker_settings(self) -> CloudRunWorkerSettings:
        from ..settings import CloudRunWorkerSettings

        return CloudRunWorkerSettings()

    def _prepare_body(self, body: Json, secrets: dict[str, SecretKeySelector]) -> Json:
        task = bodies.part(body, *_TASK, subject="a Cloud Run job")
        container = bodies.part(body, *_TASK, "containers", 0, subject="a Cloud Run job")
        body.setdefault("apiVersion", "run.googleapis.com/v1")
        body.setdefault("kind", "Job")
        metadata = body.setdefault("metadata", {})
        # A fixed name of the pool's template is what the job's name begins with; one name has one job.
        self._given_name = str(metadata.get("name") or "")
        metadata["labels"] = self.merged_labels(metadata.get("labels"))
        execution = body["spec"]["template"].setdefault("metadata", {})
        execution["labels"] = self.merged_labels(execution.get("labels"))
        container["image"] = container.get("image") or get_prefect_image_name()
        container["command"] = self.command_words(container.get("command"))
        if args := bodies.words(container.get("args")):
            container["args"] = args
        references: dict[str, Json] = {
            name: {"secretKeyRef": {"name": selector.secret, "key": selector.version}}
            for name, selector in secrets.items()
        }
        container["env"] = bodies.environment(container.get("env"), self.env, references, "valueFrom")
        if self.timeout is not None:
            task.setdefault("timeoutSeconds", self.timeout)
        # Cloud Run's own default is three: a run that has failed would be executed again.
        task.setdefault("maxRetries", 0)
        return body

    def request_of(self, name: str, project: str) -> Json:
        """The body of the request that creates the job.

        Args:
            name: Name of the job.
            project: The project that it is made in.
        """
        body = deepcopy(self.job_body)
        body["metadata"] = {**body["metadata"], "name": name, "namespace": project}
        task = bodies.part(body, *_TASK, subject="a Cloud Run job")
        if "timeoutSeconds" in task:  # a 64-bit integer, which JSON of Google's APIs writes as a string
            task["timeoutSeconds"] = str(task["timeoutSeconds"])
        return body
