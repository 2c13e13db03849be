"""How the local Cloud Run behaves: delays, quotas, sizes of pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class RunSettings:
    """How the place behaves."""

    ready_delay_seconds: float = 0.02
    """From a change of a job to its being ready."""

    start_delay_seconds: float = 0.02
    """From `jobs.run` to the start of the tasks."""

    grace_seconds: float = 10.0
    """Between SIGTERM and SIGKILL: https://cloud.google.com/run/docs/container-contract#jobs-shutdown"""

    most_jobs: int = 1000
    """Jobs of a project and region: https://cloud.google.com/run/quotas"""

    most_running: int = 1000
    """Executions that run at once, of a project and region."""

    region: str = "us-central1"
    """Where API v1 makes jobs on the server's plain address, which is that of no region."""

    page_size: int = 100
    """Pages of lists for requests that do not say; a request for more gets this many."""
