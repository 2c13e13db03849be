"""Why a pod failed or cannot start, and what to do about it.

Everything is read from the pod's `status`: its reason, its conditions, and the states of its containers, init
containers and sidecars included. Sources:

- states of containers: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
- images: https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff
- eviction by the kubelet: https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
- other disruptions: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
- what the scheduler says: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, TypeGuard, cast


class DiagnosisLevel(str, Enum):
    """How grave a diagnosis is: an error is to be mended, a warning may pass by itself."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class DiagnosisCategory(str, Enum):
    """What kind of trouble a pod is in."""

    IMAGE_PULL_ERROR = "ImagePullError"
    CRASH_LOOP_BACKOFF = "CrashLoopBackOff"
    OOM_KILLED = "OOMKilled"
    EVICTED = "Evicted"
    UNSCHEDULABLE = "Unschedulable"
    UNSCHEDULABLE_INSUFFICIENT_RESOURCES = "Unschedulable.InsufficientResources"
    UNSCHEDULABLE_NODE_AFFINITY = "Unschedulable.NodeAffinity"
    UNSCHEDULABLE_TAINT = "Unschedulable.Taint"


@dataclass(frozen=True)
class InfrastructureDiagnosis:
    """Why a pod failed or cannot start.

    Attributes:
        level: How grave it is.
        category: What kind of trouble it is.
        summary: What happened, in one sentence.
        detail: What Kubernetes said: container, reason, message, exit code.
        resolution: What to do about it.
    """

    level: DiagnosisLevel
    category: DiagnosisCategory
    summary: str
    detail: str
    resolution: str

    def __str__(self) -> str:
        """Give summary, detail and resolution as one text."""
        return " ".join(part for part in (self.summary, self.detail, self.resolution) if part)


IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""Why a container waits for its image: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go"""

_DISRUPTIONS = {
    "PreemptionByScheduler": (
        "The pod was preempted: a pod of higher priority needed its place.",
        "Give runs that must not be interrupted a priorityClassName of their own, or add nodes.",
    ),
    "DeletionByTaintManager": (
        "The pod was removed because its node does not respond or was tainted.",
        "Run the flow again; look at the node with `kubectl describe node`.",
    ),
    "EvictionByEvictionAPI": (
        "The pod was evicted on request: its node is being drained.",
        "Let the flow retry, or protect running pods by a PodDisruptionBudget.",
    ),
    "DeletionByPodGC": (
        "The pod was removed because its node is gone.",
        "Run the flow again; on spot nodes, let the flow retry or run it where it must not be interrupted.",
    ),
    "TerminationByKubelet": (
        "The pod was ended by its node: the node is short of resources, is shutting down, or needed the place.",
        "Let the flow retry; give it requests that match its use.",
    ),
}
"""Reasons of the condition DisruptionTarget."""

_POD_REASONS = {
    "NodeLost": _DISRUPTIONS["DeletionByTaintManager"],
    "Preempting": _DISRUPTIONS["PreemptionByScheduler"],
    "Preempted": _DISRUPTIONS["PreemptionByScheduler"],
    "NodeShutdown": _DISRUPTIONS["TerminationByKubelet"],
    "Shutdown": _DISRUPTIONS["TerminationByKubelet"],
    "Terminated": _DISRUPTIONS["TerminationByKubelet"],
}
"""Reasons that a pod itself gives, in clusters that set no such condition."""


class _Container(NamedTuple):
    status: Mapping[str, Any]
    is_init: bool

    @property
    def name(self) -> str:
        kind = "Init container" if self.is_init else "Container"
        return f"{kind} {str(self.status.get('name'))!r}"

    def state(self, which: str, name: str = "state") -> Mapping[str, Any]:
        return _mapping(_mapping(self.status.get(name)).get(which))


def diagnose_k8s_pod(status: dict[str, Any]) -> InfrastructureDiagnosis | None:
    """Say what is wrong with a pod.

    Args:
        status: The pod's [`status`](https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus)
            as the API server gives it, with names such as `containerStatuses`.

    Returns:
        Cause and remedy; `None` for a pod that is well, has succeeded, or failed in a way that only its logs can tell.
    """
    if status.get("phase") == "Succeeded":
        return None
    containers = list(_containers(status))
    return (
        _evicted(status)
        or _out_of_memory(containers)
        or _image(containers)
        or _crash_loop(containers)
        or _refused(status)
        or _unschedulable(status)
    )


def _evicted(status: Mapping[str, Any]) -> InfrastructureDiagnosis | None:
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    if reason == "Evicted":
        resource = next((name for name in ("ephemeral-storage", "memory", "inodes", "pids") if name in message), "")
        advice = {
            "ephemeral-storage": "Write less to local disk, mount a volume, or raise the limit of ephemeral-storage.",
            "memory": "Raise the memory request to what the flow needs, so that it is put where there is room.",
        }
        return InfrastructureDiagnosis(
            DiagnosisLevel.ERROR,
            DiagnosisCategory.EVICTED,
            f"The pod was evicted: its node is short of {resource}."
            if resource
            else "The pod was evicted by its node.",
            _said(reason, message),
            advice.get(resource, "Give the pod requests that match its use, and look at the node's capacity."),
        )
    condition = _condition(status, "DisruptionTarget")
    disruption = str(condition.get("reason") or "") if condition.get("status") == "True" else ""
    summary, resolution = _DISRUPTIONS.get(disruption) or _POD_REASONS.get(reason) or ("", "")
    if not summary:
        return None
    said = _said(disruption, str(condition.get("message") or "")) if disruption else _said(reason, message)
    return InfrastructureDiagnosis(DiagnosisLevel.WARNING, DiagnosisCategory.EVICTED, summary, said, resolution)


def _out_of_memory(containers: list[_Container]) -> InfrastructureDiagnosis | None:
    for container in containers:
        ended = container.state("terminated")
        if not ended and container.state("waiting"):  # it is about to be started again
            ended = container.state("terminated", "lastState")
        if ended.get("reason") == "OOMKilled":
            return InfrastructureDiagnosis(
                DiagnosisLevel.ERROR,
                DiagnosisCategory.OOM_KILLED,
                f"{container.name} used more memory than it may and was killed.",
                f"OOMKilled, exit code {ended.get('exitCode', 'unknown')}.",
                "Raise its memory limit (`memory_limit`), or let the flow hold less at a time.",
            )
    return None


def _image(containers: list[_Container]) -> InfrastructureDiagnosis | None:
    for container in containers:
        waiting = container.state("waiting")
        reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
        if reason not in IMAGE_REASONS:
            continue
        image = str(container.status.get("image") or "")
        named = (
            f"The image {image!r} of {_lower(container.name)}" if image else f"The image of {_lower(container.name)}"
        )
        said = message.lower()
        if reason == "InvalidImageName":
            summary, resolution = f"{named} has no valid name.", "Correct the image's name."
        elif reason == "ErrImageNeverPull":
            summary = f"{named} is not on the node, and the pull policy is Never."
            resolution = "Load the image onto the node, or set `image_pull_policy` to IfNotPresent."
        elif any(word in said for word in ("toomanyrequests", "too many requests", "rate limit", "429")):
            summary = f"{named} could not be pulled: the registry's rate limit is reached."
            resolution = "Use imagePullSecrets of an account with a higher limit, or a mirror."
        elif any(word in said for word in ("unauthorized", "denied", "forbidden", "no basic auth", "authentication")):
            summary = f"{named} could not be pulled: the registry refused access, or has no such repository."
            resolution = "Check the image's name, and give the pod's service account imagePullSecrets for the registry."
        elif any(word in said for word in ("no match for platform", "no matching manifest")):
            summary = f"{named} was not built for the node's platform."
            resolution = "Build the image for that platform, or select nodes of the image's by nodeSelector."
        elif any(word in said for word in ("not found", "manifest unknown", "does not exist")):
            summary = f"{named} could not be pulled: the registry has no such image or tag."
            resolution = "Push the image, or correct its name and tag."
        elif any(
            word in said for word in ("timeout", "timed out", "dial tcp", "no such host", "connection re", "x509")
        ):
            summary = f"{named} could not be pulled: the registry could not be reached from the node."
            resolution = "Check the registry's address and certificate, and the node's way to it."
        else:
            summary = f"{named} could not be pulled."
            resolution = "Check the image's name and tag, the registry, and the imagePullSecrets."
        return InfrastructureDiagnosis(
            DiagnosisLevel.ERROR, DiagnosisCategory.IMAGE_PULL_ERROR, summary, _said(reason, message), resolution
        )
    return None


def _crash_loop(containers: list[_Container]) -> InfrastructureDiagnosis | None:
    for container in containers:
        waiting = container.state("waiting")
        if waiting.get("reason") != "CrashLoopBackOff":
            continue
        last = container.state("terminated", "lastState")
        code, restarts = last.get("exitCode", "unknown"), container.status.get("restartCount", 0)
        said = _said(str(last.get("reason") or ""), str(last.get("message") or ""))
        return InfrastructureDiagnosis(
            DiagnosisLevel.ERROR,
            DiagnosisCategory.CRASH_LOOP_BACKOFF,
            f"{container.name} ends again and again.",
            f"Exit code {code}, {restarts} restarts. {said}".rstrip(),
            "Look at its logs (`kubectl logs --previous`), and check its command and environment.",
        )
    return None


_ADMISSION = {
    "OutOfcpu": DiagnosisCategory.UNSCHEDULABLE_INSUFFICIENT_RESOURCES,
    "OutOfmemory": DiagnosisCategory.UNSCHEDULABLE_INSUFFICIENT_RESOURCES,
    "OutOfpods": DiagnosisCategory.UNSCHEDULABLE_INSUFFICIENT_RESOURCES,
    "OutOfephemeral-storage": DiagnosisCategory.UNSCHEDULABLE_INSUFFICIENT_RESOURCES,
    "NodeAffinity": DiagnosisCategory.UNSCHEDULABLE_NODE_AFFINITY,
    "UnexpectedAdmissionError": DiagnosisCategory.UNSCHEDULABLE,
}
"""Why a node refuses a pod that the scheduler gave it."""


def _refused(status: Mapping[str, Any]) -> InfrastructureDiagnosis | None:
    reason = str(status.get("reason") or "")
    category = _ADMISSION.get(reason)
    if category is None:
        return None
    return InfrastructureDiagnosis(
        DiagnosisLevel.ERROR,
        category,
        "The node refused the pod that the scheduler gave it.",
        _said(reason, str(status.get("message") or "")),
        "Run the flow again; when it happens often, look at the node's allocatable resources and labels.",
    )


_SCHEDULING = (
    (
        ("Insufficient ", "Too many pods"),
        DiagnosisCategory.UNSCHEDULABLE_INSUFFICIENT_RESOURCES,
        "No node has room for the pod.",
        "Lower its requests (`cpu_request`, `memory_request`), or add nodes. An autoscaler may be doing so.",
    ),
    (
        ("node affinity", "affinity/selector", "node selector", "node(s) didn't match"),
        DiagnosisCategory.UNSCHEDULABLE_NODE_AFFINITY,
        "No node matches the pod's node selector or affinity.",
        "Correct the nodeSelector or affinity, or label a node accordingly.",
    ),
    (
        ("taint",),
        DiagnosisCategory.UNSCHEDULABLE_TAINT,
        "All nodes that could run the pod are tainted.",
        "Add the toleration that the taint asks for, or remove the taint from a node.",
    ),
)
"""Words of the scheduler, the most telling first: in most clusters some node is tainted."""


def _unschedulable(status: Mapping[str, Any]) -> InfrastructureDiagnosis | None:
    condition = _condition(status, "PodScheduled")
    if condition.get("status") != "False" or condition.get("reason") != "Unschedulable":
        return None
    message = str(condition.get("message") or "")
    nodes = message.partition("preemption:")[0]  # which says the same again of another attempt
    category, summary, resolution = next(
        (found[1:] for found in _SCHEDULING if any(word in nodes for word in found[0])),
        (
            DiagnosisCategory.UNSCHEDULABLE,
            "The pod cannot be scheduled.",
            "Look at the pod with `kubectl describe pod`, and at the nodes, volumes and quotas that it needs.",
        ),
    )
    return InfrastructureDiagnosis(
        DiagnosisLevel.WARNING, category, summary, _said("Unschedulable", message), resolution
    )


def _containers(status: Mapping[str, Any]) -> Iterator[_Container]:
    """The containers in the order in which they start, so that the first trouble is the cause of the others."""
    for field, is_init in (
        ("initContainerStatuses", True),
        ("containerStatuses", False),
        ("ephemeralContainerStatuses", False),
    ):
        found: Any = status.get(field) or ()
        for item in found:
            if _is_mapping(item):
                yield _Container(item, is_init)


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    for item in cast("list[Any]", status.get("conditions") or []):
        if _is_mapping(item) and item.get("type") == kind:
            return item
    return {}


def _is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if _is_mapping(value) else {}


def _said(reason: str, message: str) -> str:
    """What Kubernetes said, as one sentence."""
    message = " ".join(message.split()).rstrip(".")
    if not message or message == reason:
        return f"{reason}." if reason else ""
    return f"{reason}: {message}." if reason else f"{message}."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
