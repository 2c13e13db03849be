"""What operators tune by environment variable, profile or `prefect.toml`: `PREFECT_INTEGRATIONS_GCP_*`."""

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field

from prefect_integration_kit.job_settings import JobRunSettings


class CloudRunRetrySettings(JobRunSettings):
    """How calls to Cloud Run are repeated when they fail in a way that passes; both versions of the API share it.

    What passes are 408, 429, 5xx, lost connections, and tokens that are not to be had for a moment. Between two tries
    the delay grows from the initial to the largest one, with jitter; a Retry-After of Google's is honoured.
    """

    create_job_max_attempts: int = Field(default=3, ge=1, description="How often creating a job is tried.")
    create_job_initial_delay_seconds: float = Field(
        default=1.0, gt=0, description="Most seconds before the second try to create a job."
    )
    create_job_max_delay_seconds: float = Field(
        default=10.0, gt=0, description="Most seconds between two tries to create a job."
    )
    submit_job_max_attempts: int = Field(default=3, ge=1, description="How often starting a job's execution is tried.")
    submit_job_initial_delay_seconds: float = Field(
        default=1.0, gt=0, description="Most seconds before the second try to start an execution."
    )
    submit_job_max_delay_seconds: float = Field(
        default=10.0, gt=0, description="Most seconds between two tries to start an execution."
    )
    api_read_retry_max_attempts: int = Field(
        default=3, ge=1, description="How often a call that reads is tried; calls that cancel and delete, too."
    )
    api_read_retry_initial_delay_seconds: float = Field(
        default=1.0, gt=0, description="Most seconds before the second try of such a call."
    )
    api_read_retry_max_delay_seconds: float = Field(
        default=10.0, gt=0, description="Most seconds between two tries of such a call."
    )
    prefect_api_key_secret: str | None = Field(
        default=None,
        description="Name of the secret in Secret Manager that holds the Prefect API key, for runs whose variables "
        "name none; `name:version` for another version than the latest.",
    )
    prefect_api_auth_string_secret: str | None = Field(
        default=None,
        description="Name of the secret in Secret Manager that holds the authentication string, likewise.",
    )
    job_ready_timeout_seconds: float = Field(
        default=300.0, gt=0, description="Seconds that Cloud Run has to make a job ready before its run crashes."
    )


class CloudRunV2WorkerSettings(CloudRunRetrySettings):
    """How the Cloud Run V2 worker works: `PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_V2_WORKER_*`."""

    model_config = build_settings_config(("integrations", "gcp", "cloud_run_v2", "worker"))


class CloudRunV2Settings(PrefectBaseSettings):
    """Settings of Cloud Run by the API's version 2: `PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_V2_*`."""

    model_config = build_settings_config(("integrations", "gcp", "cloud_run_v2"))

    worker: CloudRunV2WorkerSettings = Field(
        default_factory=CloudRunV2WorkerSettings, description="The Cloud Run V2 worker."
    )


class CloudRunWorkerSettings(CloudRunRetrySettings):
    """How the Cloud Run worker works: `PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_WORKER_*`."""

    model_config = build_settings_config(("integrations", "gcp", "cloud_run", "worker"))


class CloudRunSettings(PrefectBaseSettings):
    """Settings of Cloud Run by the API's version 1: `PREFECT_INTEGRATIONS_GCP_CLOUD_RUN_*`."""

    model_config = build_settings_config(("integrations", "gcp", "cloud_run"))

    worker: CloudRunWorkerSettings = Field(default_factory=CloudRunWorkerSettings, description="The Cloud Run worker.")


class VertexWorkerSettings(JobRunSettings):
    """How the Vertex AI worker works: `PREFECT_INTEGRATIONS_GCP_VERTEX_WORKER_*`."""

    model_config = build_settings_config(("integrations", "gcp", "vertex", "worker"))

    call_max_attempts: int = Field(default=5, ge=1, description="How often a call to Vertex AI is tried.")
    call_initial_delay_seconds: float = Field(
        default=1.0, gt=0, description="Most seconds before the second try of a call."
    )
    call_max_delay_seconds: float = Field(default=10.0, gt=0, description="Most seconds between two tries of a call.")
    delete_after_seconds: float = Field(
        default=604800.0,
        ge=0,
        description="Age in seconds from which on jobs that have ended are deleted; until then people can look at them "
        "in the console.",
    )


class VertexSettings(PrefectBaseSettings):
    """Settings of Vertex AI: `PREFECT_INTEGRATIONS_GCP_VERTEX_*`."""

    model_config = build_settings_config(("integrations", "gcp", "vertex"))

    worker: VertexWorkerSettings = Field(default_factory=VertexWorkerSettings, description="The Vertex AI worker.")


class GcsSettings(PrefectBaseSettings):
    """How objects and folders move to and from Cloud Storage: `PREFECT_INTEGRATIONS_GCP_GCS_*`."""

    model_config = build_settings_config(("integrations", "gcp", "gcs"))

    max_concurrency: int = Field(
        default=32, ge=1, le=256, description="How many files of one folder are on their way at once."
    )
    native_transfer: bool = Field(
        default=True, description="Whether folders are read by obstore where it is installed (the extra `fast`)."
    )
    retry_seconds: float = Field(
        default=120.0,
        ge=0,
        description="For how long a request that fails on Google's side, or for lack of a connection, is tried again. "
        "Zero tries once.",
    )


class GcpSettings(PrefectBaseSettings):
    """All settings of `prefect-gcp`: `PREFECT_INTEGRATIONS_GCP_*`."""

    model_config = build_settings_config(("integrations", "gcp"))

    cloud_run_v2: CloudRunV2Settings = Field(
        default_factory=CloudRunV2Settings, description="Cloud Run by the API's version 2."
    )
    cloud_run: CloudRunSettings = Field(
        default_factory=CloudRunSettings, description="Cloud Run by the API's version 1."
    )
    vertex: VertexSettings = Field(default_factory=VertexSettings, description="Vertex AI.")
    gcs: GcsSettings = Field(default_factory=GcsSettings, description="Cloud Storage.")
