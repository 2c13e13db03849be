"""What a work pool of Kubernetes, or a deployment, may set."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

from prefect.workers.base import BaseVariables
from pydantic import ConfigDict, Field

from ..credentials import KubernetesClusterConfig

_DOCS = "https://kubernetes.io/docs"


class KubernetesImagePullPolicy(Enum):
    """When an image is pulled."""

    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"


class KubernetesWorkerVariables(BaseVariables):
    """What a work pool or a deployment may set."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of the job and its pods.")
    namespace: str = Field(default="default", description="The namespace that jobs are created in.")
    image: str | None = Field(
        default=None,
        description="Image of the container; the Prefect image of the worker's version when not given.",
    )
    service_account_name: str | None = Field(
        default=None, description="The service account that pods run as; the namespace's default one when not given."
    )
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = Field(
        default=KubernetesImagePullPolicy.IF_NOT_PRESENT.value, description="When the image is pulled."
    )
    backoff_limit: int = Field(
        default=0,
        ge=0,
        title="Backoff Limit",
        description="How often Kubernetes starts another pod when one fails, before the job counts as failed.",
    )
    finished_job_ttl: int | None = Field(
        default=None,
        title="Finished Job TTL",
        description="Seconds after its end that a job is deleted, with its pods and their logs. Without it, jobs stay "
        "until somebody deletes them.",
    )
    job_watch_timeout_seconds: int | None = Field(
        default=None,
        description="Seconds that a job may take; Kubernetes ends it then, and the run crashes. Without it, as long as "
        "it needs.",
    )
    pod_watch_timeout_seconds: int = Field(
        default=60,
        description="Seconds that a job's pod may be unable to start, for want of a node or of its image. Then the job "
        "is deleted and the run crashes. The default, 60, stands for the observer's setting `pending_timeout_seconds`.",
    )
    stream_output: bool = Field(default=True, description="Whether the worker prints what the container prints.")
    cluster_config: KubernetesClusterConfig | None = Field(
        default=None,
        description="The cluster that jobs are created in; that of the worker's pod, or of its kubeconfig, when not "
        "given.",
    )
    cpu_request: str | None = Field(
        default=None, title="CPU Request", description="CPU that the node must have to spare, such as `500m`."
    )
    cpu_limit: str | None = Field(
        default=None, title="CPU Limit", description="CPU that the container gets at most, such as `2`."
    )
    memory_request: str | None = Field(
        default=None, title="Memory Request", description="Memory that the node must have to spare, such as `512Mi`."
    )
    memory_limit: str | None = Field(
        default=None,
        title="Memory Limit",
        description="Memory that the container gets at most, such as `2Gi`; it is killed when it takes more.",
    )
    node_selector: dict[str, str] = Field(
        default_factory=dict, description="Labels that a node must have for the pod to run there."
    )
    tolerations: list[dict[str, Any]] = Field(
        default_factory=list,
        description=f"Taints of nodes that the pod tolerates, see {_DOCS}/concepts/scheduling-eviction/"
        "taint-and-toleration/.",
    )
    affinity: dict[str, Any] = Field(
        default_factory=dict,
        description=f"Nodes and pods that the pod is drawn to or kept from, see {_DOCS}/concepts/scheduling-eviction/"
        "assign-pod-node/.",
    )
    volumes: list[dict[str, Any]] = Field(
        default_factory=list, description=f"Volumes of the pod, see {_DOCS}/concepts/storage/volumes/."
    )
    volume_mounts: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Where the container that runs the flow mounts the volumes: `name`, `mountPath`, `readOnly`.",
    )
    env_from: list[dict[str, Any]] = Field(
        default_factory=list,
        description="ConfigMaps and Secrets whose keys become environment variables: `configMapRef`, `secretRef`.",
    )
    image_pull_secrets: list[str] = Field(
        default_factory=list, description="Names of Secrets that images are pulled with."
    )
    priority_class_name: str | None = Field(
        default=None, description="Priority class of the pod: who gives way when a node is full."
    )
    active_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        description="Seconds that a job may take; the same as `job_watch_timeout_seconds`, before which it comes.",
    )
    pod_labels: dict[str, str] = Field(default_factory=dict, description="Labels of the pod, besides those of the job.")
    pod_annotations: dict[str, str] = Field(
        default_factory=dict, description="Annotations of the pod besides the job's."
    )
    pod_overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="Any part of a pod, as `metadata` and `spec`, laid over the one of the job by strategic merge: "
        "containers, volumes and the like are merged by name. See "
        f"{_DOCS}/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/.",
    )
