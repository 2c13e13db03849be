"""What operators of Azure workers tune by environment variable, profile or `prefect.toml`."""

from prefect.settings.base import build_settings_config
from pydantic import Field

from prefect_integration_kit.job_settings import JobRunSettings


class AzureWorkerSettings(JobRunSettings):
    """How a worker looks after its runs, and how its calls to Azure are repeated when they fail in a way that passes.

    What passes are 408, 429, 5xx, lost connections, names that cannot be resolved, and tokens that are not to be had
    for a moment. Between two tries the delay grows from the initial to the largest one, with jitter; a Retry-After of
    Azure's is honoured.
    """

    call_deadline_seconds: float = Field(
        default=120.0, ge=0, description="For how long a call to Azure is tried again. Zero tries once."
    )
    call_initial_delay_seconds: float = Field(
        default=1.0, gt=0, description="Most seconds before the second try of a call."
    )
    call_max_delay_seconds: float = Field(default=20.0, gt=0, description="Most seconds between two tries of a call.")


class ContainerInstanceWorkerSettings(AzureWorkerSettings):
    """How the Container Instances worker works: `PREFECT_INTEGRATIONS_AZURE_CONTAINER_INSTANCE_WORKER_*`.

    How often it looks is the job variable `task_watch_poll_interval`.
    """

    model_config = build_settings_config(("integrations", "azure", "container_instance_worker"))

    max_concurrent_submissions: int = Field(
        default=100,
        ge=1,
        description="How many runs a worker submits at a time, whatever its limit of running runs. A submission lasts "
        "until the image is pulled and the containers run.",
    )
    max_inspections: int = Field(
        default=80,
        ge=1,
        description="How many container groups are read by themselves at each look, where the list does not say how "
        "their containers are: those whose runs have reported their end, and of the others those that were not read "
        "for longest. Azure allows 25 reads a second for each subscription and identity.",
    )
    delete_timeout_seconds: float = Field(
        default=30.0, gt=0, description="Seconds that a container group which is being deleted is waited for."
    )
    stream_tail_lines: int = Field(
        default=500,
        ge=1,
        description="How many of a container's last lines are read at each look for runs with `stream_output`; where "
        "more were printed since the look before, the whole log is read.",
    )


class ContainerAppWorkerSettings(AzureWorkerSettings):
    """How the Container Apps worker works: `PREFECT_INTEGRATIONS_AZURE_CONTAINER_APP_WORKER_*`."""

    model_config = build_settings_config(("integrations", "azure", "container_app_worker"))

    max_inspections: int = Field(
        default=32,
        ge=1,
        description="How many jobs are read by themselves at each look: those whose runs have reported their end, and "
        "of the others those that were not read for longest. Azure allows 25 reads a second for each subscription and "
        "identity.",
    )
    job_ready_timeout_seconds: float = Field(
        default=300.0, gt=0, description="Seconds that Container Apps has to make a job ready before its run crashes."
    )
    start_settle_seconds: float = Field(
        default=15.0,
        ge=0,
        description="Seconds that the execution is looked for when the answer to its start was lost, before it is "
        "started again.",
    )
    image_pull_grace_seconds: float = Field(
        default=120.0,
        ge=0,
        description="Seconds after which a container whose image cannot be pulled is given up.",
    )
    delete_timeout_seconds: float = Field(
        default=120.0, gt=0, description="Seconds that a job which is being deleted is waited for."
    )
    log_wait_seconds: float = Field(
        default=30.0,
        ge=0,
        description="Seconds that a crashed run's last lines are waited for; Log Analytics has lines a while after "
        "they were printed.",
    )
