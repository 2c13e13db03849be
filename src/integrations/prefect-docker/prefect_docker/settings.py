"""What operators tune by environment variable, profile or `prefect.toml`: `PREFECT_INTEGRATIONS_DOCKER_*`."""

from __future__ import annotations

from typing import Any

from prefect.settings.base import PrefectBaseSettings, build_settings_config
from pydantic import Field, field_validator

OVERRIDABLE = (
    "auto_remove",
    "cpus",
    "docker_host",
    "gpus",
    "image_pull_policy",
    "ipc_mode",
    "log_config",
    "mem_limit",
    "memswap_limit",
    "network_mode",
    "networks",
    "runtime",
    "shm_size",
    "stream_output",
    "ulimits",
    "volumes",
)
"""Job variables that a worker may override: what depends on the machine, and not on the flow."""


class DockerWorkerSettings(PrefectBaseSettings):
    """How the Docker worker works: `PREFECT_INTEGRATIONS_DOCKER_WORKER_*`."""

    model_config = build_settings_config(("integrations", "docker", "worker"))

    overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="Job variables that this worker sets for all its runs, whatever pool and deployment say, as a JSON "
        f"object. Allowed are {', '.join(OVERRIDABLE)}.",
    )
    max_concurrent_calls: int = Field(
        default=16, ge=1, description="How many calls to Docker Engines, each in a thread, are under way at a time."
    )
    max_concurrent_pulls: int = Field(default=8, ge=1, description="How many images are pulled at a time.")
    watch_interval_seconds: float = Field(
        default=15.0,
        gt=0,
        description="Seconds between two looks at the running containers and cancelled runs. How containers end is "
        "learnt from the engine's events; the looks find what the events have missed.",
    )
    poll_interval_seconds: float = Field(
        default=2.0,
        gt=0,
        description="Seconds between two looks at running containers and their output, on engines that are reached "
        "by SSH or a named pipe, where events are not read, and at the containers of those that give no events.",
    )
    cancellation_grace_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Seconds that a cancelled run has to end by itself before its container is stopped.",
    )
    stop_grace_seconds: int = Field(
        default=30, ge=0, description="Seconds that a container has between SIGTERM and SIGKILL when it is stopped."
    )
    report_grace_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Seconds after which a run counts as crashed when its container exited with 0 and the run has "
        "reported no end.",
    )
    crash_log_lines: int = Field(
        default=50,
        ge=0,
        le=1000,
        description="How many of a container's last lines of output are sent to the run's logs when the run crashes.",
    )
    reconcile_after_seconds: float = Field(
        default=120.0,
        ge=0,
        description="Seconds after which a run that is pending without a container counts as left behind by a worker "
        "that died.",
    )
    reconcile_interval_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds between two looks for runs that a worker left behind; the first is taken when a worker "
        "starts. Prefect takes a worker for gone when it has missed three heartbeats.",
    )
    remove_after_seconds: float | None = Field(
        default=None,
        ge=0,
        description="Seconds after its end at which a container of the pool is removed. Not by age when not set.",
    )
    keep_count: int | None = Field(
        default=None,
        ge=0,
        description="How many containers of the pool are kept after their end, the latest ones. Any number when not "
        "set.",
    )
    keep_failed: bool = Field(
        default=False, description="Whether containers that ended with an exit code other than 0 are always kept."
    )
    collect_interval_seconds: float = Field(
        default=300.0, gt=0, description="Seconds between two removals of containers that need not be kept."
    )

    @field_validator("overrides")
    @classmethod
    def _overrides_are_allowed(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(overrides) - set(OVERRIDABLE)):
            raise ValueError(
                f"{', '.join(unknown)}: a worker must not override this. Allowed are {', '.join(OVERRIDABLE)}."
            )
        return overrides


class DockerSettings(PrefectBaseSettings):
    """All settings of `prefect-docker`: `PREFECT_INTEGRATIONS_DOCKER_*`."""

    model_config = build_settings_config(("integrations", "docker"))

    worker: DockerWorkerSettings = Field(default_factory=DockerWorkerSettings, description="The Docker worker.")
