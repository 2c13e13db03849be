"""Labels and annotations that say what a job or a pod is for."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

PREFIX = "prefect.io/"
FLOW_RUN_ID = "prefect.io/flow-run-id"

POD_WATCH_TIMEOUT = "prefect.io/pod-watch-timeout-seconds"
"""Annotation of a job: for how many seconds its pod may be unable to start."""

FLOW_CONTAINER = "prefect-job"
"""The container that runs the flow; the first one in manifests that have none of this name."""

JOB_NAME = ("batch.kubernetes.io/job-name", "job-name")
"""Labels by which Kubernetes says to which job a pod belongs, the newer one first."""

JOB_UID = ("batch.kubernetes.io/controller-uid", "controller-uid")
"""Labels with the uid of that job; a pod keeps them when its job was deleted without it."""


def flow_run_of(labels: Mapping[str, str]) -> UUID | None:
    """Read which flow run an object is for; `None` if its labels do not say."""
    try:
        return UUID(labels.get(FLOW_RUN_ID, ""))
    except ValueError:
        return None


def own(labels: Mapping[str, str]) -> dict[str, str]:
    """Keep the labels that are Prefect's."""
    return {name: value for name, value in labels.items() if name.startswith(PREFIX)}


def selector(additional: Mapping[str, str]) -> str:
    """Build the label selector of the objects to observe.

    Args:
        additional: Labels that they must carry besides the flow run's; an empty value asks for the label alone.
    """
    parts = [f"{name}={value}" if value else name for name, value in sorted(additional.items())]
    return ",".join([FLOW_RUN_ID, *parts])
