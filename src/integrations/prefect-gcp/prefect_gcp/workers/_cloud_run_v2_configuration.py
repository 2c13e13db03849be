"""What one flow run asks of Cloud Run by the API's version 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.utilities.dockerutils import get_prefect_image_name
from pydantic import ConfigDict, Field, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic and the documentation read the annotations

from .._workers import bodies
from .._workers.configuration import CloudRunConfiguration
from ..credentials import GcpCredentials
from ._cloud_run_v2_variables import CloudRunVolume, check_network

if TYPE_CHECKING:
    from ..models.cloud_run_v2 import SecretKeySelector
    from ..settings import CloudRunV2WorkerSettings

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

Json = dict[str, Any]

_MAIN_CONTAINER = "flow-run"
_CLOUD_SQL = "cloudsql"
_TEMPLATE: Json = {
    "client": "prefect",
    "launchStage": "{{ launch_stage }}",
    "template": {
        "template": {
            "serviceAccount": "{{ service_account_name }}",
            "maxRetries": "{{ max_retries }}",
            "timeout": "{{ timeout }}",
            "vpcAccess": {"connector": "{{ vpc_connector_name }}"},
            "containers": [
                {
                    "env": [],
                    "image": "{{ image }}",
                    "command": "{{ command }}",
                    "args": "{{ args }}",
                    "resources": {"limits": {"cpu": "{{ cpu }}", "memory": "{{ memory }}"}},
                }
            ],
        }
    },
}


class CloudRunWorkerJobV2Configuration(CloudRunConfiguration):
    """What one flow run asks of Cloud Run: the work pool's job template with all variables filled in."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    credentials: GcpCredentials = Field(
        default_factory=GcpCredentials, title="GCP Credentials", description="Credentials that jobs are made with."
    )
    cloudsql_instances: list[str] | None = Field(
        default_factory=list, title="Cloud SQL Instances", description="Cloud SQL instances that the container reaches."
    )
    job_body: dict[str, Any] = Field(
        json_schema_extra={"template": _TEMPLATE},
        description="The job, as the API takes it, see "
        "https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.jobs.",
    )
    keep_job: bool = Field(
        default=False, title="Keep Job After Completion", description="Whether the job stays after its end."
    )
    region: str = Field(default="us-central1", description="Region that jobs are made in.")
    timeout: int = Field(default=600, gt=0, le=604800, description="Seconds after which Cloud Run ends a task.")
    network: str | None = Field(default=None, description="VPC network that tasks join directly.")
    subnetwork: str | None = Field(default=None, description="Subnetwork that tasks join directly.")
    network_tags: list[str] = Field(default_factory=list, description="Network tags of tasks.")
    vpc_egress: str | None = Field(default=None, description="Which traffic goes through the VPC.")
    gpu_type: str | None = Field(default=None, description="Type of GPU.")
    gpu_count: int | None = Field(default=None, description="How many GPUs the container gets.")
    gpu_zonal_redundancy: bool | None = Field(default=None, description="Whether GPUs are reserved in a second zone.")
    volumes: list[CloudRunVolume] = Field(
        default_factory=list, description="Volumes of the container that runs the flow."
    )
    sidecars: list[dict[str, Any]] = Field(
        default_factory=list, description="Containers that run beside the flow, as the API's `Container`."
    )
    task_count: int | None = Field(default=None, description="How many tasks an execution has.")
    parallelism: int | None = Field(default=None, description="How many tasks run at a time.")
    execution_environment: str | None = Field(default=None, description="Generation of the sandbox.")
    encryption_key: str | None = Field(default=None, description="Full name of the Cloud KMS key.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of the job.")

    @model_validator(mode="after")
    def _one_way_into_the_network(self) -> Self:
        access = ((self.job_body.get("template") or {}).get("template") or {}).get("vpcAccess") or {}
        check_network(access.get("connector"), self.network, self.subnetwork)
        return self

    def _put_name(self, name: str) -> None:
        # In this version the name goes with the request that creates the job, and not in its body.
        del name

    def _worker_settings(self) -> CloudRunV2WorkerSettings:
        from ..settings import CloudRunV2WorkerSettings

        return CloudRunV2WorkerSettings()

    def _prepare_body(self, body: Json, secrets: dict[str, SecretKeySelector]) -> Json:
        subject = "a Cloud Run job"
        template = bodies.part(body, "template", subject=subject)
        task = bodies.part(body, "template", "template", subject=subject)
        container = bodies.part(body, "template", "template", "containers", 0, subject=subject)
        if not isinstance(container, dict):
            raise ValueError("`job_body`: template.template.containers.0 is not a map.")  # noqa: TRY004 - a bad value
        body["labels"] = self.merged_labels(body.get("labels"))
        # Executions carry them, too, so that logs and costs can be told apart by run.
        template["labels"] = self.merged_labels(template.get("labels"))
        if self.annotations:
            body["annotations"] = {**(body.get("annotations") or {}), **self.annotations}
        if body.get("launchStage") == "LAUNCH_TAG_UNSPECIFIED":  # the API has no such value: it means none
            del body["launchStage"]
        self._prepare_container(container, secrets)
        given = task.get("timeout", self.timeout)
        task["timeout"] = given if str(given).endswith("s") else f"{given}s"
        self._prepare_network(task)
        self._prepare_gpu(task, container)
        self._prepare_volumes(task, container)
        if self.sidecars:
            container.setdefault("name", _MAIN_CONTAINER)
            task["containers"] = [*task["containers"], *bodies.pruned(self.sidecars)]
        for key, value in (("taskCount", self.task_count), ("parallelism", self.parallelism)):
            if value is not None:
                template[key] = value
        for key, value in (
            ("executionEnvironment", self.execution_environment),
            ("encryptionKey", self.encryption_key),
        ):
            if value is not None:
                task[key] = value
        return body

    def _prepare_container(self, container: Json, secrets: dict[str, SecretKeySelector]) -> None:
        container["image"] = container.get("image") or get_prefect_image_name()
        container["command"] = self.command_words(container.get("command"))
        if args := bodies.words(container.get("args")):
            container["args"] = args
        else:
            container.pop("args", None)
        references: dict[str, Json] = {
            name: {"secretKeyRef": {"secret": selector.secret, "version": selector.version}}
            for name, selector in secrets.items()
        }
        container["env"] = bodies.environment(container.get("env"), self.env, references, "valueSource")

    def _prepare_network(self, task: Json) -> None:
        access: Json = dict(task.get("vpcAccess") or {})
        if self.network or self.subnetwork:
            interface = {"network": self.network, "subnetwork": self.subnetwork, "tags": self.network_tags or None}
            access["networkInterfaces"] = [bodies.pruned(interface)]
        if self.vpc_egress and access:
            access["egress"] = self.vpc_egress
        task.pop("vpcAccess", None)  # the template has an empty one where there is no connector
        if access:
            task["vpcAccess"] = access

    def _prepare_gpu(self, task: Json, container: Json) -> None:
        if self.gpu_type is None and self.gpu_count is None:
            return
        limits = container.setdefault("resources", {}).setdefault("limits", {})
        limits["nvidia.com/gpu"] = str(self.gpu_count or 1)
        if self.gpu_type is not None:
            task["nodeSelector"] = {**(task.get("nodeSelector") or {}), "accelerator": self.gpu_type}
        if self.gpu_zonal_redundancy is not None:
            task["gpuZonalRedundancyDisabled"] = not self.gpu_zonal_redundancy

    def _prepare_volumes(self, task: Json, container: Json) -> None:
        volumes: list[Json] = list(task.get("volumes") or [])
        mounts: list[Json] = list(container.get("volumeMounts") or [])
        for number, volume in enumerate(self.volumes):
            name = volume.name or f"volume-{number}"
            volumes.append({"name": name, **_source_of(volume)})
            mounts.append({"name": name, "mountPath": volume.mount_path})
        if self.cloudsql_instances:
            volumes.append({"name": _CLOUD_SQL, "cloudSqlInstance": {"instances": list(self.cloudsql_instances)}})
            mounts.append({"name": _CLOUD_SQL, "mountPath": "/cloudsql"})
        if volumes:
            task["volumes"] = volumes
        if mounts:
            container["volumeMounts"] = mounts


def _source_of(volume: CloudRunVolume) -> Json:
    """The source of a volume, as the API's `Volume` has it."""
    if volume.secret is not None:
        items = volume.items or {volume.secret.rpartition("/")[2]: "latest"}
        files = [{"path": path, "version": version} for path, version in items.items()]
        return {"secret": {"secret": volume.secret, "items": files}}
    if volume.bucket is not None:
        source: Json = {"bucket": volume.bucket, "readOnly": volume.read_only}
        return {"gcs": {**source, **({"mountOptions": volume.mount_options} if volume.mount_options else {})}}
    if volume.server is not None:
        return {"nfs": {"server": volume.server, "path": volume.path, "readOnly": volume.read_only}}
    return {"emptyDir": {"medium": "MEMORY", "sizeLimit": volume.memory}}
