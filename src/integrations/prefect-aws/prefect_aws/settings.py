"""What operators tune by environment variable, profile or `prefect.toml`: `PREFECT_INTEGRATIONS_AWS_*`."""

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field


class EcsObserverSqsSettings(PrefectBaseSettings):
    """Where the ECS observer reads task events: `PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_*`."""

    model_config = build_settings_config(("integrations", "aws", "ecs", "observer", "sqs"))

    queue_name: str = Field(
        default="prefect-ecs-tasks-events", description="Name of the SQS queue that receives ECS task events."
    )
    queue_region: str | None = Field(
        default=None, description="Region of the queue; that of the credentials when not set."
    )


class EcsObserverSettings(PrefectBaseSettings):
    """How ECS tasks are observed: `PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_*`."""

    model_config = build_settings_config(("integrations", "aws", "ecs", "observer"))

    enabled: bool = Field(default=True, description="Whether a worker observes ECS task events.")
    sqs: EcsObserverSqsSettings = Field(
        default_factory=EcsObserverSqsSettings, description="The queue that events are read from."
    )
    forward_crashed_run_logs: bool = Field(
        default=True, description="Whether the container's last log lines are sent to Prefect when a run crashes."
    )
    forward_crashed_run_logs_max_events: int = Field(
        default=500, ge=1, le=10000, description="How many log lines of a crashed run are sent at most."
    )


class EcsWorkerSettings(PrefectBaseSettings):
    """How the ECS worker retries: `PREFECT_INTEGRATIONS_AWS_ECS_WORKER_*`."""

    model_config = build_settings_config(("integrations", "aws", "ecs", "worker"))

    create_task_run_max_attempts: int = Field(default=3, ge=1, description="How often starting an ECS task is tried.")
    create_task_run_min_delay_seconds: int = Field(
        default=1, ge=0, description="Seconds between two tries to start a task, before jitter."
    )
    create_task_run_min_delay_jitter_seconds: int = Field(
        default=0, ge=0, description="Least number of seconds that jitter adds to that delay."
    )
    create_task_run_max_delay_jitter_seconds: int = Field(
        default=3, ge=0, description="Greatest number of seconds that jitter adds to that delay."
    )
    register_task_definition_max_attempts: int = Field(
        default=3, ge=1, description="How often registering a task definition is tried."
    )
    register_task_definition_initial_delay_seconds: float = Field(
        default=1.0, ge=0, description="Seconds before the second try to register a task definition."
    )
    register_task_definition_max_delay_seconds: float = Field(
        default=10.0, ge=0, description="Most seconds between two tries to register a task definition."
    )
    create_task_run_capacity_timeout_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Seconds for which starting a task is tried while the cluster has no room for it, however many "
        "attempts that takes. At least `create_task_run_max_attempts` are made.",
    )
    max_concurrent_submissions: int = Field(
        default=32,
        ge=1,
        description="How many runs a worker submits to ECS at a time, whatever its limit of running runs.",
    )
    limit_counts_running_tasks: bool = Field(
        default=False,
        description="Whether the worker's `--limit` counts runs until their ECS task has ended. Otherwise it counts "
        "runs until their task has been started.",
    )
    watch_interval_seconds: float = Field(
        default=15.0,
        gt=0,
        description="Seconds between two looks at the running tasks while no queue of task events is being read.",
    )
    sweep_interval_seconds: float = Field(
        default=240.0,
        gt=0,
        description="Seconds between two looks at the running tasks while task events come in from the queue.",
    )
    cancellation_grace_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Seconds that a cancelled run has to end by itself before its ECS task is stopped.",
    )
    reconcile_after_seconds: float = Field(
        default=120.0,
        ge=0,
        description="Seconds after which a run that is pending without a task counts as left behind by a worker that "
        "died.",
    )
    reconcile_interval_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds between two looks for runs that a worker left behind; the first is taken when a worker "
        "starts. Prefect takes a worker for gone when it has missed three heartbeats.",
    )


class EcsSettings(PrefectBaseSettings):
    """Elastic Container Service: `PREFECT_INTEGRATIONS_AWS_ECS_*`."""

    model_config = build_settings_config(("integrations", "aws", "ecs"))

    observer: EcsObserverSettings = Field(default_factory=EcsObserverSettings, description="Observation of ECS tasks.")
    worker: EcsWorkerSettings = Field(default_factory=EcsWorkerSettings, description="The ECS worker.")


class RdsIAMSettings(PrefectBaseSettings):
    """Sign-in of the Prefect server to RDS by IAM: `PREFECT_INTEGRATIONS_AWS_RDS_IAM_*`."""

    model_config = build_settings_config(("integrations", "aws", "rds", "iam"))

    enabled: bool = Field(
        default=False, description="Whether the server's database password is an IAM authentication token."
    )
    region_name: str | None = Field(
        default=None,
        description="Region of the database; taken from its host name, else from boto3's sources, when not set.",
    )


class RdsSettings(PrefectBaseSettings):
    """Relational Database Service: `PREFECT_INTEGRATIONS_AWS_RDS_*`."""

    model_config = build_settings_config(("integrations", "aws", "rds"))

    iam: RdsIAMSettings = Field(default_factory=RdsIAMSettings, description="Sign-in by IAM.")


class AwsS3Settings(PrefectBaseSettings):
    """How objects and folders are transferred: `PREFECT_INTEGRATIONS_AWS_S3_*`."""

    model_config = build_settings_config(("integrations", "aws", "s3"))

    native_transfer: bool = Field(
        default=True,
        description="Whether folders are transferred by the native engine where the `fast` extra is installed and "
        "nothing is asked for that only boto3 honours.",
    )
    max_concurrency: int = Field(
        default=32, ge=1, le=256, description="How many objects of a folder are transferred at a time."
    )


class AwsSettings(PrefectBaseSettings):
    """All settings of `prefect-aws`: `PREFECT_INTEGRATIONS_AWS_*`."""

    model_config = build_settings_config(("integrations", "aws"))

    ecs: EcsSettings = Field(default_factory=EcsSettings, description="Elastic Container Service.")
    rds: RdsSettings = Field(default_factory=RdsSettings, description="Relational Database Service.")
    s3: AwsS3Settings = Field(default_factory=AwsS3Settings, description="Simple Storage Service.")
