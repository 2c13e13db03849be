"""The little that is kept of a job or a pod, read from what the API server says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from sys import intern
from typing import Any, NamedTuple
from uuid import UUID

from ..diagnostics import InfrastructureDiagnosis, diagnose_k8s_pod
from . import names
from .raw import EMPTY, Raw, metadata, number, part, parts, text, version_of


class ContainerView(NamedTuple):
    """A container of a pod.

    Attributes:
        name: Its name.
        is_init: Whether it is an init container.
        state: `waiting`, `running`, `terminated`; empty when the kubelet has not said.
        reason: Why it waits or has ended, as Kubernetes calls it.
        message: What Kubernetes adds to that.
        exit_code: With what it ended; `None` while it has not.
        restarts: How often it was started again.
        ended_at: When it ended.
    """

    name: str
    is_init: bool
    state: str
    reason: str
    message: str
    exit_code: int | None
    restarts: int
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod, as far as it matters here."""

    uid: str
    name: str
    namespace: str
    job_uid: str
    job_name: str
    flow_run_id: UUID
    labels: Mapping[str, str]
    version: str
    phase: str
    reason: str
    message: str
    node: str
    created_at: datetime | None
    deleting_at: datetime | None
    changed_at: datetime | None
    containers: tuple[ContainerView, ...]
    diagnosis: InfrastructureDiagnosis | None

    @property
    def has_ended(self) -> bool:
        """Whether no container of it runs, or will run, any more."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def has_started(self) -> bool:
        """Whether one of its own containers, not only an init container, runs or has run."""
        return any(
            item.state in ("running", "terminated") or item.restarts for item in self.containers if not item.is_init
        )

    @property
    def restarts(self) -> int:
        """How often containers of it were started again."""
        return sum(item.restarts for item in self.containers)

    @property
    def status_word(self) -> str:
        """The phase as events name it: in lower case, and `evicted` where the pod failed by that."""
        return "evicted" if self.phase == "Failed" and self.reason == "Evicted" else (self.phase or "Unknown").lower()

    @property
    def ended_at(self) -> datetime | None:
        """When its last container ended."""
        return max((item.ended_at for item in self.containers if item.ended_at is not None), default=None)

    def container(self, name: str) -> ContainerView | None:
        """The container that runs the flow.

        Args:
            name: What the job calls it; when empty, the one that is called so by default, or else the first.
        """
        own = [item for item in self.containers if not item.is_init]
        wanted = (name, names.FLOW_CONTAINER)
        return next((item for each in wanted for item in own if item.name == each), own[0] if own else None)


@dataclass(frozen=True, slots=True)
class JobView:
    """A job, as far as it matters here."""

    uid: str
    name: str
    namespace: str
    flow_run_id: UUID
    version: str
    container: str
    created_at: datetime | None
    started_at: datetime | None
    deleting_at: datetime | None
    backoff_limit: int
    has_failure_policy: bool
    is_suspended: bool
    pending_seconds: float | None
    condition: str
    reason: str
    message: str
    ended_at: datetime | None
    is_ending: bool

    @property
    def is_over(self) -> bool:
        """Whether it will start no more pods because it has ended."""
        return self.condition in ("Complete", "Failed")


def pod_view(raw: Raw) -> PodView | None:
    """Read a pod; `None` if it is not a flow run's."""
    about, status = metadata(raw), part(raw, "status")
    labels = part(about, "labels")
    flow_run_id = names.flow_run_of(labels)
    if flow_run_id is None or not about.get("uid"):
        return None
    owner: Raw = next((item for item in parts(about, "ownerReferences") if item.get("kind") == "Job"), EMPTY)
    conditions = parts(status, "conditions")
    changes = [time_of(item.get("lastTransitionTime")) for item in conditions]
    return PodView(
        uid=text(about, "uid"),
        name=text(about, "name"),
        namespace=intern(text(about, "namespace")),
        job_uid=text(owner, "uid") or _first(labels, names.JOB_UID),
        job_name=text(owner, "name") or _first(labels, names.JOB_NAME),
        flow_run_id=flow_run_id,
        labels=names.own(labels),
        version=version_of(raw),
        phase=intern(text(status, "phase")),
        reason=text(status, "reason"),
        message=text(status, "message"),
        node=intern(text(part(raw, "spec"), "nodeName")),
        created_at=time_of(about.get("creationTimestamp")),
        deleting_at=time_of(about.get("deletionTimestamp")),
        changed_at=max((each for each in changes if each is not None), default=None),
        containers=tuple(
            _container(item, is_init)
            for field, is_init in (("initContainerStatuses", True), ("containerStatuses", False))
            for item in parts(status, field)
        ),
        diagnosis=diagnose_k8s_pod(dict(status)),
    )


def job_view(raw: Raw) -> JobView | None:
    """Read a job; `None` if it is not a flow run's."""
    about, spec, status = metadata(raw), part(raw, "spec"), part(raw, "status")
    flow_run_id = names.flow_run_of(part(about, "labels"))
    if flow_run_id is None or not about.get("uid"):
        return None
    true = [item for item in parts(status, "conditions") if item.get("status") == "True"]
    over: Raw = next((item for item in true if item.get("type") in ("Complete", "Failed")), EMPTY)
    containers = [text(item, "name") for item in parts(part(part(spec, "template"), "spec"), "containers")]
    flow = names.FLOW_CONTAINER if names.FLOW_CONTAINER in containers else next(iter(containers), "")
    limit = number(spec, "backoffLimit")
    return JobView(
        uid=text(about, "uid"),
        name=text(about, "name"),
        namespace=intern(text(about, "namespace")),
        flow_run_id=flow_run_id,
        version=version_of(raw),
        container=intern(flow),
        created_at=time_of(about.get("creationTimestamp")),
        started_at=time_of(status.get("startTime")),  # set anew when a job goes on that was suspended
        deleting_at=time_of(about.get("deletionTimestamp")),
        # https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy
        backoff_limit=6 if limit is None else limit,
        has_failure_policy=bool(spec.get("podFailurePolicy") or spec.get("backoffLimitPerIndex")),
        is_suspended=bool(spec.get("suspend")),
        pending_seconds=_seconds(part(about, "annotations").get(names.POD_WATCH_TIMEOUT)),
        condition=intern(text(over, "type")),
        reason=text(over, "reason"),
        message=text(over, "message"),
        ended_at=time_of(status.get("completionTime")) or time_of(over.get("lastTransitionTime")),
        is_ending=any(item.get("type") in ("FailureTarget", "SuccessCriteriaMet") for item in true),
    )


def _container(status: Raw, is_init: bool) -> ContainerView:
    states = part(status, "state")
    name = next((each for each in ("terminated", "running", "waiting") if states.get(each) is not None), "")
    state = part(states, name)
    return ContainerView(
        intern(text(status, "name")),
        is_init,
        name,
        text(state, "reason"),
        text(state, "message")[:1000],
        number(state, "exitCode"),
        number(status, "restartCount") or 0,
        time_of(state.get("finishedAt")),
    )


def time_of(value: Any) -> datetime | None:
    """Read a time as the API server writes it (RFC 3339, in UTC); `None` if there is none."""
    if not isinstance(value, str) or not value:
        return None
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _first(labels: Raw, wanted: tuple[str, ...]) -> str:
    return next((text(labels, name) for name in wanted if labels.get(name)), "")


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if seconds > 0 else None
