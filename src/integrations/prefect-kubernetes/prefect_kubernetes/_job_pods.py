"""The pods of a job: which they are, whose log counts, and why one failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._resources import inside, listed

# Names the container that a person means: https://kubernetes.io/docs/reference/labels-annotations-taints/
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def selector_of(job: Mapping[str, Any]) -> str:
    """Get the label selector of a job's pods.

    Args:
        job: The job, as the API's JSON has it.
    """
    labels = inside(job, "spec", "selector", "matchLabels") or {"job-name": job["metadata"]["name"]}
    return ",".join(f"{name}={value}" for name, value in labels.items())


def main_container(pod: Mapping[str, Any], job: Mapping[str, Any]) -> str:
    """Say which container does the work: the one that the pod names itself, else the first of the job's manifest.

    The pod's own first container may be a sidecar that a webhook has put there.

    Args:
        pod: The pod.
        job: The job.
    """
    there = [str(one.get("name")) for one in listed(inside(pod, "spec"), "containers")]
    wanted = [inside(pod, "metadata", "annotations").get(_DEFAULT_CONTAINER)]
    wanted += [one.get("name") for one in listed(inside(job, "spec", "template", "spec"), "containers")]
    if not there:  # a stand-in for the SDK may not say
        there = [str(name) for name in wanted if name]
    return next((str(name) for name in wanted if name in there), there[0] if there else "")


def condition(job: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """Get a condition of a job, if it holds.

    Args:
        job: The job.
        kind: `Complete` or `Failed`.
    """
    for found in listed(inside(job, "status"), "conditions"):
        if found.get("type") == kind and str(found.get("status")) == "True":
            return found
    return None


def failed_container(pod: Mapping[str, Any]) -> tuple[str, str] | None:
    """Find the container that made a pod fail, init containers first since the others then never ran.

    Args:
        pod: The pod.

    Returns:
        Its name, and how it ended; `None` when no container failed.
    """
    for key in ("initContainerStatuses", "containerStatuses"):
        for status in listed(inside(pod, "status"), key):
            for state in ("state", "lastState"):
                ended = inside(status, state, "terminated")
                if ended.get("exitCode"):
                    reason = f" ({ended['reason']})" if ended.get("reason") not in (None, "Error") else ""
                    role = "init container" if key.startswith("init") else "container"
                    name = str(status.get("name"))
                    return name, f"{role} {name!r} ended with exit code {ended['exitCode']}{reason}"
    return None


def why_failed(pod: Mapping[str, Any]) -> str:
    """Say why a pod failed or does not start; empty when nothing is known to be wrong.

    Args:
        pod: The pod.
    """
    from .diagnostics import diagnose_k8s_pod

    status = inside(pod, "status")
    found = diagnose_k8s_pod(status)
    parts: list[str] = []
    failed = failed_container(pod)
    if failed is not None:
        parts.append(f"{failed[1]}.")
    if found is not None:
        parts.append(f"{found.summary} {found.resolution}")
    elif failed is None and status.get("phase") == "Failed":
        parts.append(" ".join(str(status.get(name) or "") for name in ("reason", "message")).strip())
    return " ".join(part for part in parts if part)
