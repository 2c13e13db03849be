"""What the Kubernetes API server fills in when an object is created."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timezone

from .checks import is_base64
from .json import Json, at, items
from .resources import Resource
from .status import bad_request

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_PREFIX = 58
"""Five random letters follow, and all is to fit into a label."""


def now() -> str:
    """Give the time, as `metadata` shows it: in whole seconds of UTC."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_uid() -> str:
    """Make a new uid."""
    return str(uuid.uuid4())


def generated_name(prefix: str) -> str:
    """Make a name as `generateName` does."""
    return prefix[:_LONGEST_PREFIX] + "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))


def fill_in(resource: Resource, data: Json) -> None:
    """Fill defaults in; what is given stays."""
    fill = _BY_KIND.get(resource.qualified)
    if fill is not None:
        fill(data)


def _secret(data: Json) -> None:
    for key, value in at(data, "data").items():
        if not is_base64(value):
            message = f'illegal base64 data at input byte {len(value)} in "data.{key}"'
            raise bad_request(f'Secret in version "v1" cannot be handled as a Secret: {message}')
    texts: Json = data.pop("stringData", None) or {}
    for key, text in texts.items():
        data.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()
    data.setdefault("type", "Opaque")


def _pod(data: Json) -> None:
    spec = data.setdefault("spec", {})
    fill_in_pod_spec(spec)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    data["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _quality(spec: Json) -> str:
    resources = [at(container, "resources") for container in items(spec, "containers")]
    if not any(each.get("limits") or each.get("requests") for each in resources):
        return "BestEffort"
    for each in resources:
        limits, requests = at(each, "limits"), at(each, "requests")
        if not {"cpu", "memory"} <= set(limits) or any(
            requests.get(name, limits[name]) != limits[name] for name in limits
        ):
            return "Burstable"
    return "Guaranteed"


def fill_in_pod_spec(spec: Json) -> None:
    """Fill in what a pod's specification gets wherever it stands, in a template too."""
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    for kind in ("initContainers", "containers"):
        for container in items(spec, kind):
            _container(container)


def _container(container: Json) -> None:
    image = container.get("image", "")
    tag = image.rpartition("/")[2].partition(":")[2]
    is_moving = "@" not in image and tag in ("", "latest")
    container.setdefault("imagePullPolicy", "Always" if is_moving else "IfNotPresent")
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    resources = container["resources"]
    if resources.get("limits"):
        requests = resources.setdefault("requests", {})
        for name, amount in resources["limits"].items():
            requests.setdefault(name, amount)


def _job(data: Json) -> None:
    metadata, spec = data["metadata"], data.setdefault("spec", {})
    spec.setdefault("parallelism", 1)
    spec.setdefault("completions", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    template = spec.setdefault("template", {})
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    for prefix in ("batch.kubernetes.io/", ""):
        labels[f"{prefix}controller-uid"] = metadata["uid"]
        labels[f"{prefix}job-name"] = metadata.get("name", "")
    template["metadata"].setdefault("creationTimestamp", None)
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": metadata["uid"]}}
    fill_in_pod_spec(template.setdefault("spec", {}))
    data["status"] = {}


def _deployment(data: Json) -> None:
    spec = data.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault(
        "strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    )
    pod = spec.setdefault("template", {}).setdefault("spec", {})
    pod.setdefault("restartPolicy", "Always")
    fill_in_pod_spec(pod)
    data["status"] = {}


def _service(data: Json) -> None:
    spec = data.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("clusterIP", f"10.96.{secrets.randbelow(250)}.{1 + secrets.randbelow(250)}")
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    for port in items(spec, "ports"):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    data["status"] = {"loadBalancer": {}}


def _namespace(data: Json) -> None:
    data.setdefault("spec", {})["finalizers"] = ["kubernetes"]
    data["status"] = {"phase": "Active"}
    data["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = data["metadata"].get("name", "")


_BY_KIND: dict[str, Callable[[Json], None]] = {
    "secrets": _secret,
    "pods": _pod,
    "jobs.batch": _job,
    "deployments.apps": _deployment,
    "services": _service,
    "namespaces": _namespace,
}
