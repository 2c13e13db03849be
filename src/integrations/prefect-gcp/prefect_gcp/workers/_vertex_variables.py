"""Job variables of the Vertex AI worker."""

from __future__ import annotations

from typing import Any

from prefect.workers.base import BaseVariables
from pydantic import ConfigDict, Field

from ..credentials import GcpCredentials


class VertexAIWorkerVariables(BaseVariables):
    """Job variables of the Vertex AI worker. They make up the `variables` of the work pool's base job template."""

    model_config = ConfigDict(defer_build=True)

    region: str = Field(
        description="The region that the job runs in, such as europe-west1.",
        examples=["us-central1"],
    )
    image: str = Field(
        title="Image Name",
        description=(
            "The container image of the flow run, in Artifact Registry or Docker Hub. It must have Prefect, and the "
            "project's Vertex AI service agent must be able to pull it."
        ),
        examples=["europe-west1-docker.pkg.dev/my-project/flows/etl:1"],
    )
    credentials: GcpCredentials | None = Field(
        title="GCP Credentials",
        default_factory=GcpCredentials,
        description=(
            "The credentials that the worker makes jobs with. Without them, the worker's Application Default "
            "Credentials are used. The job itself runs as `service_account_name`."
        ),
    )
    machine_type: str = Field(
        title="Machine Type",
        default="n1-standard-4",
        description=(
            "The type of the job's machine: "
            "https://cloud.google.com/vertex-ai/docs/training/configure-compute#machine-types."
        ),
    )
    accelerator_type: str | None = Field(
        title="Accelerator Type",
        default=None,
        description="The type of the machine's accelerators, such as NVIDIA_TESLA_T4. Set `accelerator_count` with it.",
        examples=["NVIDIA_TESLA_T4"],
    )
    accelerator_count: int | None = Field(
        title="Accelerator Count",
        default=None,
        description="How many accelerators the machine has.",
        examples=[1],
    )
    boot_disk_type: str = Field(
        title="Boot Disk Type",
        default="pd-ssd",
        description="The type of the machine's boot disk: pd-ssd, pd-standard or hyperdisk-balanced.",
    )
    boot_disk_size_gb: int = Field(
        title="Boot Disk Size (GB)",
        default=100,
        description="The size of the boot disk in gigabytes, at least 100.",
    )
    maximum_run_time_hours: int = Field(
        title="Maximum Run Time (Hours)",
        default=1,
        description="Hours after which Vertex AI ends the job. A `timeout` in `scheduling` comes before it.",
    )
    network: str | None = Field(
        title="Network",
        default=None,
        description=(
            "The VPC network that the job is peered with, as projects/NUMBER/global/networks/NAME. Without it, the job "
            "is peered with none."
        ),
        examples=["projects/12345/global/networks/my-vpc"],
    )
    reserved_ip_ranges: list[str] | None = Field(
        title="Reserved IP Ranges",
        default=None,
        description="Names of the IP ranges of the VPC network that the job may use.",
        examples=[["vertex-ai-ip-range"]],
    )
    scheduling: dict[str, Any] | None = Field(
        title="Scheduling Options",
        default=None,
        description=(
            "How the job is scheduled: strategy (SPOT, FLEX_START, STANDARD), restart_job_on_worker_restart, "
            "disable_retries, timeout, max_wait_duration "
            "(https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec#Scheduling). Durations are "
            "seconds."
        ),
        examples=[{"strategy": "FLEX_START", "max_wait_duration": "1800s"}],
    )
    service_account_name: str | None = Field(
        title="Service Account Name",
        default=None,
        description=(
            "The e-mail address of the service account that the job runs as. Without it, that of the credentials is "
            "used, and where they have none, the project's Vertex AI Custom Code Service Agent."
        ),
    )
    enable_web_access: bool = Field(
        title="Enable Web Access",
        default=False,
        description="Whether people can open a shell in the job's containers.",
    )
    enable_dashboard_access: bool = Field(
        title="Enable Dashboard Access",
        default=False,
        description="Whether people can open a dashboard that the job's container serves.",
    )
    job_watch_poll_interval: float = Field(
        title="Poll Interval (Seconds)",
        default=5.0,
        description="Seconds between two looks at running jobs. One list shows all of them.",
    )
