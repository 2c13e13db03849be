"""Settings that all workers of `prefect_integration_kit.job_runs` have."""

from __future__ import annotations

from prefect.settings.base import PrefectBaseSettings
from pydantic import Field


class JobRunSettings(PrefectBaseSettings):
    """How a worker looks after the jobs that it has started. A package's settings inherit it."""

    poll_interval_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Seconds between two looks at the running jobs, all of them together. Those that have just been "
        "started are looked at sooner.",
    )
    cancellation_interval_seconds: float = Field(
        default=15.0, gt=0, description="Seconds between two looks for runs that were cancelled."
    )
    cancellation_grace_seconds: float = Field(
        default=60.0, ge=0, description="Seconds that a cancelled run has to end by itself before its job is stopped."
    )
    stop_grace_seconds: float = Field(
        default=30.0,
        ge=0,
        description="Seconds that a job which was told to stop is waited for before it is deleted.",
    )
    report_grace_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Seconds after which a run counts as crashed when its job succeeded and the run has reported no "
        "end.",
    )
    crash_log_lines: int = Field(
        default=50,
        ge=0,
        le=1000,
        description="How many of a container's last lines are sent to the run's logs when the run crashes.",
    )
    max_concurrent_submissions: int = Field(
        default=20, ge=1, description="How many runs a worker submits at a time, whatever its limit of running runs."
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
    sweep_interval_seconds: float = Field(
        default=600.0, gt=0, description="Seconds between two looks for jobs of the pool that nobody deleted."
    )
    sweep_after_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="Age in seconds below which a job is never taken for one that nobody deleted.",
    )
