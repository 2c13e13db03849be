"""How a custom job ended, in words for the run's state: what happened, why, and what to do when that is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from prefect_integration_kit.settlement import Ended

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
"""States that a job does not leave, without their prefix: a paused one can be resumed.
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState"""

UNFINISHED = ("QUEUED", "PENDING", "RUNNING", "CANCELLING", "PAUSED", "UPDATING", "UNSPECIFIED")
"""The other states."""

_EXIT = re.compile(r"non-zero status of (\d+)")
_WORDS = {
    "FAILED": "failed",
    "CANCELLED": "was cancelled, though not by Prefect",
    "EXPIRED": "expired: Vertex AI ended it because it waited or ran for too long",
    "PARTIALLY_SUCCEEDED": "succeeded in part only",
}
# Looked for in the error's text, most specific first; Vertex AI gives no code that says more.
_REMEDIES = {
    r"out[- ]of[- ]memory|status of 137|SIGKILL": "Choose a `machine_type` with more memory.",
    r"quota|RESOURCE_EXHAUSTED": (
        "Ask for a higher quota of custom model training in this region "
        "(https://console.cloud.google.com/iam-admin/quotas), or choose another `machine_type` or `region`."
    ),
    r"insufficient|out of capacity|stockout|resources are (currently )?(unavailable|not available)": (
        "Choose another `region` or `machine_type`, or wait for capacity by `scheduling`: "
        '{"strategy": "FLEX_START", "max_wait_duration": "86400s"}.'
    ),
    r"image|manifest|artifact ?registry|gcr\.io|docker\.pkg\.dev": (
        "Check the name in `image`, and that the project's Vertex AI service agent may read it "
        "(roles/artifactregistry.reader)."
    ),
    r"actAs|service account|permission": "Check `service_account_name`, and the roles of that account.",
    r"network|peering|ip range": (
        "Check `network` and `reserved_ip_ranges`, and the network's peering with Vertex AI."
    ),
}


def state_of(job: Any) -> str:
    """Return a job's state without its prefix.

    Args:
        job: A `CustomJob`.
    """
    return str(job.state.name).removeprefix("JOB_STATE_")


def has_ended(job: Any) -> bool:
    """Say whether a job is in a state that it does not leave."""
    return state_of(job) in ENDED


def exit_code_of(job: Any) -> int:
    """Return the status code of a job that has ended: 0, the container's own where the error names it, else 1."""
    if state_of(job) == "SUCCEEDED":
        return 0
    match = _EXIT.search(job.error.message)
    return int(match[1]) or 1 if match else 1


def ended_of(job: Any, is_named_by: Callable[[str], bool]) -> Ended:
    """Describe the end of a job.

    Args:
        job: A `CustomJob` that has ended.
        is_named_by: Says whether a run's `infrastructure_pid` names it.
    """
    number = job.name.rpartition("/")[2]
    return Ended(
        name=f"Vertex AI job {number}",
        message=_message(job, number),
        succeeded=state_of(job) == "SUCCEEDED",
        ended_at=moment(job.end_time) or moment(job.update_time),
        is_named_by=is_named_by,
        label=number,
    )


def _message(job: Any, number: str) -> str:
    state = state_of(job)
    if state == "SUCCEEDED":
        return f"Vertex AI job {number} ({job.display_name}) succeeded."
    text = " ".join(job.error.message.split()).rstrip(".")
    before = "" if job.start_time else " before its container started"
    said = f"Vertex AI job {number} ({job.display_name}) {_WORDS.get(state, 'ended')}{before}"
    said += f": {text}." if text else f" (JOB_STATE_{state})."
    return " ".join(part for part in (said, _limit(job), _remedy(text)) if part)


def _remedy(text: str) -> str:
    return next((remedy for pattern, remedy in _REMEDIES.items() if re.search(pattern, text, re.IGNORECASE)), "")


def _limit(job: Any) -> str:
    """Say that a job ran for as long as it may, when it did."""
    timeout = job.job_spec.scheduling.timeout
    start, end = moment(job.start_time), moment(job.end_time)
    if not timeout or start is None or end is None or end - start < timeout:
        return ""
    return (
        f"It had run for its maximum of {timeout.total_seconds() / 3600:g} hours. Raise `maximum_run_time_hours` if it "
        "needs longer."
    )


def moment(value: Any) -> datetime | None:
    """Read a timestamp of the SDK; `None` when it is not set."""
    return datetime.fromtimestamp(value.timestamp(), timezone.utc) if value else None
