"""What a work pool of Cloud Run V2, or a deployment, may set."""

from __future__ import annotations

from typing import Any, Literal

from prefect.workers.base import BaseVariables
from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic reads the annotations

from ..credentials import GcpCredentials
from ..models.cloud_run_v2 import SecretKeySelector

_DOCS = "https://cloud.google.com/run/docs"

LaunchStage = Literal[
    "ALPHA", "BETA", "GA", "DEPRECATED", "EARLY_ACCESS", "PRELAUNCH", "UNIMPLEMENTED", "LAUNCH_TAG_UNSPECIFIED"
]


class CloudRunVolume(BaseModel):
    """A volume of a Cloud Run job, and where the container that runs the flow mounts it.

    It has one source: a secret, a Cloud Storage bucket, an NFS share, or memory.
    """

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    mount_path: str = Field(description="Path in the container.", pattern=r"^/")
    name: str | None = Field(default=None, description="Name of the volume; made from its source when not given.")
    secret: str | None = Field(default=None, description="Name of the secret whose versions are files.")
    items: dict[str, str] = Field(
        default_factory=dict,
        description="Files of a secret: paths below `mount_path` and versions. The latest version, under the secret's "
        "name, when not given.",
    )
    bucket: str | None = Field(default=None, description="Name of the Cloud Storage bucket.")
    mount_options: list[str] = Field(
        default_factory=list, description="Options of Cloud Storage FUSE for a bucket, without hyphens."
    )
    server: str | None = Field(default=None, description="Host name or address of the NFS server.")
    path: str | None = Field(default=None, description="Path that the NFS server exports.")
    memory: str | None = Field(default=None, description="Size of a volume in memory, such as 256Mi.")
    read_only: bool = Field(default=False, description="Whether a bucket or share is mounted for reading alone.")

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        sources = [name for name in ("secret", "bucket", "server", "memory") if getattr(self, name) is not None]
        if len(sources) != 1:
            raise ValueError(
                f"the volume at {self.mount_path!r} has {' and '.join(sources) or 'no source'}; give exactly one of "
                "secret, bucket, server (with path), memory."
            )
        if (self.server is None) != (self.path is None):
            raise ValueError(f"the volume at {self.mount_path!r}: an NFS share needs both server and path.")
        return self


class CloudRunWorkerV2Variables(BaseVariables):
    """What a work pool or a deployment may set."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    credentials: GcpCredentials = Field(
        default_factory=GcpCredentials,
        title="GCP Credentials",
        description="Credentials that jobs are made with; Application Default Credentials where none are given.",
    )
    region: str = Field(default="us-central1", description="Region that jobs are made in.")
    image: str | None = Field(
        default="prefecthq/prefect:3-latest",
        title="Image Name",
        description="Image of the container. When set to `null`, the Prefect image of the worker's version.",
        examples=["us-docker.pkg.dev/my-project/my-repository/my-image:1.0"],
    )
    args: list[str] = Field(default_factory=list, description="Arguments that follow the command.")
    env_from_secrets: dict[str, SecretKeySelector] = Field(
        default_factory=dict,
        title="Environment Variables from Secrets",
        description="Environment variables whose values Cloud Run takes from Secret Manager. The job's service account "
        "must be allowed to read them.",
    )
    prefect_api_key_secret: SecretKeySelector | None = Field(
        default=None,
        title="Prefect API Key Secret",
        description="The secret that holds the Prefect API key. The key then stands in no job.",
    )
    prefect_api_auth_string_secret: SecretKeySelector | None = Field(
        default=None,
        title="Prefect API Auth String Secret",
        description="The secret that holds the authentication string of a self-hosted Prefect API.",
    )
    cloudsql_instances: list[str] | None = Field(
        default_factory=list,
        title="Cloud SQL Instances",
        description="Cloud SQL instances, `project:region:instance`, whose sockets the container finds below "
        "/cloudsql, see https://cloud.google.com/sql/docs/mysql/connect-run.",
    )
    keep_job: bool = Field(
        default=False,
        title="Keep Job After Completion",
        description="Whether the job stays after its end. A project has at most 1,000 jobs in a region.",
    )
    launch_stage: LaunchStage = Field(
        default="BETA", title="Launch Stage", description="Launch stage of the features that the job may use."
    )
    max_retries: int = Field(
        default=0,
        title="Max Retries",
        description="How often Cloud Run starts a failed task again. Retries of the flow are Prefect's to do.",
    )
    cpu: str = Field(default="1000m", title="CPU", description="CPU of the container: 1000m is one, 2000m two.")
    memory: str = Field(
        default="512Mi", pattern=r"^\d+(?:G|Gi|M|Mi)$", description="Memory of the container, such as 512Mi or 2Gi."
    )
    timeout: int = Field(
        default=600,
        gt=0,
        le=604800,
        title="Job Timeout",
        description=f"Seconds after which Cloud Run ends a task, at most 7 days, see {_DOCS}/configuring/task-timeout.",
    )
    vpc_connector_name: str | None = Field(
        default=None,
        title="VPC Connector Name",
        description="Name of the VPC connector. Not together with `network` or `subnetwork`.",
    )
    service_account_name: str | None = Field(
        default=None,
        title="Service Account Name",
        description="E-mail address of the service account that the job runs as; the project's default one when not "
        "given.",
    )
    network: str | None = Field(
        default=None,
        description=f"VPC network that tasks join directly, see {_DOCS}/configuring/vpc-direct-vpc.",
    )
    subnetwork: str | None = Field(
        default=None, description="Subnetwork that tasks join directly; that of the network's name when not given."
    )
    network_tags: list[str] = Field(
        default_factory=list, description="Network tags of tasks that join a network directly, for firewall rules."
    )
    vpc_egress: Literal["ALL_TRAFFIC", "PRIVATE_RANGES_ONLY"] | None = Field(
        default=None, title="VPC Egress", description="Which traffic goes through the VPC; private ranges by default."
    )
    gpu_type: str | None = Field(
        default=None,
        title="GPU Type",
        description=f"Type of GPU, such as nvidia-l4, see {_DOCS}/configuring/jobs/gpu.",
    )
    gpu_count: int | None = Field(
        default=None, ge=1, title="GPU Count", description="How many GPUs the container gets; 1 with a `gpu_type`."
    )
    gpu_zonal_redundancy: bool | None = Field(
        default=None, title="GPU Zonal Redundancy", description="Whether GPUs are reserved in a second zone."
    )
    volumes: list[CloudRunVolume] = Field(
        default_factory=list,
        description="Volumes of the container that runs the flow: secrets, Cloud Storage buckets, NFS shares, memory.",
        examples=[[{"mount_path": "/data", "bucket": "my-bucket", "read_only": True}]],
    )
    sidecars: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Containers that run beside the flow, as the API's `Container`.",
    )
    task_count: int | None = Field(
        default=None,
        ge=1,
        le=10000,
        description="How many tasks an execution has. Each runs the same command: for flows, 1.",
    )
    parallelism: int | None = Field(
        default=None, ge=0, description="How many tasks run at a time; as many as possible when not given."
    )
    execution_environment: Literal["EXECUTION_ENVIRONMENT_GEN1", "EXECUTION_ENVIRONMENT_GEN2"] | None = Field(
        default=None, description="Generation of the sandbox that tasks run in."
    )
    encryption_key: str | None = Field(
        default=None, description="Full name of the Cloud KMS key that the container's image is encrypted with."
    )
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of the job.")
    execution_overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="Overrides of the execution: `containerOverrides`, `taskCount`, `timeout`, as the API's `run` "
        "takes them.",
    )
    job_body_patch: dict[str, Any] = Field(
        default_factory=dict,
        description="What to put over the job body, for whatever no variable covers, as the API's `Job`. Containers, "
        "volumes and variables are merged by name; a container without a name is the one that runs the flow; `null` "
        "removes.",
    )

    @model_validator(mode="after")
    def _one_way_into_the_network(self) -> Self:
        check_network(self.vpc_connector_name, self.network, self.subnetwork)
        return self


def check_network(connector: str | None, network: str | None, subnetwork: str | None) -> None:
    """Refuse two ways into a VPC at once.

    Raises:
        ValueError: If there is a connector and a network.
    """
    if connector and (network or subnetwork):
        raise ValueError(
            "`vpc_connector_name` and `network` or `subnetwork` are given: a job reaches a VPC by a connector or "
            "directly. Remove one of the two."
        )
