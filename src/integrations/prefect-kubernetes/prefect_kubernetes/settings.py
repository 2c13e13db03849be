"""What operators tune by environment variable, profile or `prefect.toml`: `PREFECT_INTEGRATIONS_KUBERNETES_*`."""

import json
from functools import partial
from typing import Annotated, Any, Literal

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from prefect.types import validate_set_T_from_delim_string
from pydantic import AliasChoices, AliasPath, BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from typing_extensions import Self


def _validate_label_filters(value: Any) -> dict[str, str]:
    """Read label filters from a mapping, a JSON object, or `key=value` pairs set off by commas."""
    if not value:
        return {}
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError as exc:
            raise ValueError(f"the label filters are not a JSON object: {exc}") from None
    if isinstance(value, str):
        pairs: dict[str, str] = {}
        for part in value.split(","):
            key, separator, content = part.partition("=")
            if not separator or not key.strip():
                raise ValueError(
                    f"{part.strip()!r} is no label filter: write `key=value`, several of them set off by commas"
                )
            pairs[key.strip()] = content.strip()
        return pairs
    try:
        return TypeAdapter(dict[str, str]).validate_python(value)
    except ValidationError:
        raise ValueError("label filters are a mapping of label to value, or `key=value` pairs") from None


LabelFilters = Annotated[dict[str, str] | str | None, BeforeValidator(_validate_label_filters)]
"""Labels that an object must carry, by name."""

Namespaces = Annotated[set[str] | str | None, BeforeValidator(partial(validate_set_T_from_delim_string, type_=str))]
"""Names of namespaces; in an environment variable, set off by commas."""


class KubernetesClientSettings(PrefectBaseSettings):
    """How the API server is called: `PREFECT_INTEGRATIONS_KUBERNETES_CLIENT_*`."""

    model_config = build_settings_config(("integrations", "kubernetes", "client"))

    request_timeout_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that a worker's call to the API server may wait for an answer; a watch is not held to it.",
    )


class KubernetesObserverSettings(PrefectBaseSettings):
    """How jobs and pods are observed: `PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_*`."""

    model_config = build_settings_config(("integrations", "kubernetes", "observer"))

    enabled: bool = Field(
        default=True,
        description="Whether a worker watches jobs and pods, sends their events to Prefect, and says how runs ended. "
        "When it does not, a worker looks at its own jobs from time to time.",
    )
    replicate_pod_events: bool = Field(
        default=True, description="Whether changes of a pod's phase are sent to Prefect as events."
    )
    namespaces: Namespaces = Field(
        default_factory=set[str],
        description="Namespaces to observe. Not set: the namespaces that the worker's pool and runs use.",
    )
    additional_label_filters: LabelFilters = Field(
        default_factory=dict[str, str], description="Labels that jobs and pods must carry to be observed."
    )
    startup_event_concurrency: int = Field(
        default=5, ge=1, description="How many objects found at start are handled at a time."
    )
    forward_crashed_run_logs: bool = Field(
        default=True, description="Whether the container's last log lines are sent to Prefect when a run crashes."
    )
    forward_crashed_run_logs_tail_lines: int = Field(
        default=500, ge=1, description="How many log lines of a crashed run are sent at most."
    )
    page_size: int = Field(default=500, ge=1, description="How many objects are asked for in one page of a list.")
    watch_timeout_seconds: int = Field(
        default=300, ge=1, description="Seconds after which a watch is opened anew where it stopped."
    )
    poll_interval_seconds: float = Field(
        default=15.0, gt=0, description="Seconds between two looks at a worker's own jobs while the observer is off."
    )
    pending_timeout_seconds: float = Field(
        default=600.0,
        gt=0,
        description="Seconds that a job's pod may be unable to start, for want of a node or of its image, before the "
        "job is deleted and its run crashes; for runs whose `pod_watch_timeout_seconds` has its default. A cluster "
        "autoscaler needs minutes for a node.",
    )
    sweep_interval_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Seconds between two sweeps for jobs whose run has ended or was cancelled, and for runs whose job "
        "is gone.",
    )
    cancellation_grace_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Seconds that a cancelled run has to end by itself before its job is deleted.",
    )


class KubernetesWorkerCreateJobRetrySettings(PrefectBaseSettings):
    """How creating a job is retried: `PREFECT_INTEGRATIONS_KUBERNETES_WORKER_CREATE_JOB_RETRY_*`."""

    model_config = build_settings_config(("integrations", "kubernetes", "worker", "create_job_retry"))

    max_retries: int = Field(default=3, ge=1, description="How often creating a job is tried.")
    delay_seconds: int = Field(default=1, ge=0, description="Seconds between two tries, before jitter.")
    jitter_min_seconds: int = Field(
        default=0, ge=0, description="Least number of seconds that jitter adds to that delay."
    )
    jitter_max_seconds: int = Field(
        default=3, ge=0, description="Greatest number of seconds that jitter adds to that delay."
    )
    quota_timeout_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Seconds for which creating a job is tried while the namespace's quota is used up, however many "
        "attempts that takes. At least `max_retries` are made.",
    )


class KubernetesWorkerSettings(PrefectBaseSettings):
    """How the worker submits runs: `PREFECT_INTEGRATIONS_KUBERNETES_WORKER_*`."""

    model_config = build_settings_config(("integrations", "kubernetes", "worker"))

    api_key_secret_name: str | None = Field(
        default=None, description="Name of an existing Secret that holds the Prefect API key for jobs."
    )
    api_key_secret_key: str | None = Field(
        default=None, description="Key of that Secret under which the API key stands; `value` when not set."
    )
    api_auth_string_secret_name: str | None = Field(
        default=None, description="Name of an existing Secret that holds the Prefect API auth string for jobs."
    )
    api_auth_string_secret_key: str | None = Field(
        default=None, description="Key of that Secret under which the auth string stands; `value` when not set."
    )
    create_secret_for_api_key: bool = Field(
        default=False,
        description="Whether jobs always take the Prefect API key from a Secret that the worker creates. A run fails "
        "to start where the worker may not create one.",
        validation_alias=AliasChoices(
            AliasPath("create_secret_for_api_key"),
            "prefect_integrations_kubernetes_worker_create_secret_for_api_key",
            "prefect_kubernetes_worker_store_prefect_api_in_secret",
        ),
    )
    store_env_as_secret: bool = Field(
        default=False,
        description="Whether all environment variables of a job are taken from a Secret that the worker creates. A "
        "run fails to start where the worker may not create one.",
    )
    protect_secrets: Literal["when_allowed", "always", "never"] = Field(
        default="when_allowed",
        description="Whether Prefect's secret settings (API key, auth string, custom headers) go into a Secret of the "
        "job rather than into its manifest: where the worker may create Secrets, always (a run that would carry one "
        "in plain text does not start), or only when another setting asks for it.",
    )
    add_tcp_keepalive: bool = Field(
        default=True,
        description="Whether connections to the API server send TCP keep-alive probes.",
        validation_alias=AliasChoices(
            AliasPath("add_tcp_keepalive"),
            "prefect_integrations_kubernetes_worker_add_tcp_keepalive",
            "prefect_kubernetes_worker_add_tcp_keepalive",
        ),
    )
    create_job_retry: KubernetesWorkerCreateJobRetrySettings = Field(
        default_factory=KubernetesWorkerCreateJobRetrySettings, description="How creating a job is retried."
    )
    max_concurrent_submissions: int = Field(
        default=32,
        ge=1,
        description="How many runs a worker submits to the cluster at a time, whatever its limit of running runs.",
    )
    max_streamed_jobs: int = Field(
        default=50,
        ge=0,
        description="How many jobs' output a worker prints at a time, for runs with `stream_output`; each takes a "
        "connection. The output of further jobs is not printed.",
    )
    preflight: bool = Field(
        default=True,
        description="Whether a worker asks the API server at its start for the permissions that it needs, and says "
        "which are missing.",
    )
    reconcile_after_seconds: float = Field(
        default=120.0,
        ge=0,
        description="Seconds after which a run that is pending without a job counts as left behind by a worker that "
        "died.",
    )
    reconcile_interval_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds between two looks for runs that a worker left behind; the first is taken when a worker "
        "starts. Prefect takes a worker for gone when it has missed three heartbeats.",
    )

    @model_validator(mode="after")
    def _check_secret_references(self) -> Self:
        for subject in ("api_key", "api_auth_string"):
            if getattr(self, f"{subject}_secret_key") and not getattr(self, f"{subject}_secret_name"):
                raise ValueError(
                    f"`{subject}_secret_key` is set, but not `{subject}_secret_name`: name the Secret that has this key"
                )
        return self


class KubernetesSettings(PrefectBaseSettings):
    """All settings of `prefect-kubernetes`: `PREFECT_INTEGRATIONS_KUBERNETES_*`."""

    model_config = build_settings_config(("integrations", "kubernetes"))

    cluster_uid: str | None = Field(
        default=None,
        description="Name that identifies the cluster; the uid of its namespace `kube-system` when not set.",
        validation_alias=AliasChoices(
            AliasPath("cluster_uid"), "prefect_integrations_kubernetes_cluster_uid", "prefect_kubernetes_cluster_uid"
        ),
    )
    client: KubernetesClientSettings = Field(
        default_factory=KubernetesClientSettings, description="Calls to the API server."
    )
    worker: KubernetesWorkerSettings = Field(default_factory=KubernetesWorkerSettings, description="The worker.")
    observer: KubernetesObserverSettings = Field(
        default_factory=KubernetesObserverSettings, description="The observer of jobs and pods."
    )
