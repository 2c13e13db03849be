"""What the state of a job and of its pods means for the flow run that they are for.

The job decides, not any one pod: while it will start another pod, the run has not crashed. Its conditions say when it
is over (https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions); its pods say why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from ..diagnostics import DiagnosisCategory, InfrastructureDiagnosis
from .projections import ContainerView, JobView, PodView

LOST_SECONDS = 120.0
"""How long after the time when it should be gone a pod counts as lost: its node does not answer."""

SIDECAR_SECONDS = 60.0
"""How long other containers may keep a pod going after the flow's container has ended."""

CREATING_SECONDS = 3600.0
"""How long a pod may take to start that nothing is known to be wrong with: images are large."""

_STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})
_EXIT_CODES = {
    126: "Its command could not be run: make it executable, or correct command and args.",
    127: "Its command was not found: check command and args, and that prefect is installed in the image.",
    134: "The process aborted itself; a native library may have failed.",
    137: "It was killed (SIGKILL): too little memory, or it did not end in time when it was asked to.",
    139: "The process crashed with a segmentation fault; suspect a native library.",
    143: "It was asked to end (SIGTERM): its pod was deleted, or its node drained.",
}


class Kind(str, Enum):
    """How it stands with a job."""

    WAITING = "waiting"
    WORKING = "working"
    OVER = "over"


@dataclass(frozen=True)
class Verdict:
    """How it stands with a job, and what is to be done.

    Attributes:
        kind: Whether the flow's container has not started, is (or will be) at work, or no longer can be.
        message: What is to be said about it: why it waits, or how it ended.
        diagnosis: The trouble, if it is one that is known.
        pod: The pod that decides.
        succeeded: Of one that is over: whether the flow's container exited with 0.
        ended_at: Of one that is over: when.
        is_replaced: Whether a pod has ended, or is ending, and another one is there or will come.
        delete_because: Why the job is to be deleted; empty when it is not.
        lost_pods: Pods that are to be deleted without waiting for their nodes.
        look_again_seconds: After what time the same may mean something else; `None`: never.
    """

    kind: Kind
    message: str = ""
    diagnosis: InfrastructureDiagnosis | None = None
    pod: PodView | None = None
    succeeded: bool = False
    ended_at: datetime | None = None
    is_replaced: bool = False
    delete_because: str = ""
    lost_pods: tuple[PodView, ...] = ()
    look_again_seconds: float | None = None


def judge(
    job: JobView,
    pods: Sequence[PodView],
    past: Sequence[PodView] = (),
    *,
    is_gone: bool = False,
    doom: str = "",
    trouble: str = "",
    now: datetime,
    pending_seconds: float,
) -> Verdict:
    """Judge a job.

    Args:
        job: The job, as last seen.
        pods: The pods that it has.
        past: Pods that it had and that do not exist any more, as last seen.
        is_gone: Whether the job does not exist any more.
        doom: Why we have deleted it; empty when we have not.
        trouble: What events say about a job that has no pod.
        now: The present.
        pending_seconds: How long a pod may be unable to start, where the job does not say.
    """
    lost = tuple(pod for pod in pods if not pod.has_ended and _is_lost(pod, now))
    living = [pod for pod in pods if not pod.has_ended and pod not in lost]
    leaving = [pod for pod in living if pod.deleting_at is not None]
    ended = [pod for pod in (*pods, *past) if pod not in living] + leaving
    if is_gone or job.is_over or job.deleting_at is not None:
        # Who deletes a job in the foreground sees its pods go first. What still lives may yet report.
        may_end = is_gone or job.is_over or bool(doom and not any(pod.has_started for pod in (*pods, *past)))
        if living or not may_end:
            return Verdict(Kind.WORKING, lost_pods=lost, look_again_seconds=10.0)
        return _over(job, ended, is_gone=is_gone, doom=doom, now=now, lost=lost)
    active = next((pod for pod in living if pod.deleting_at is None), None)
    if active is None:
        if not ended:
            return _without_pod(job, trouble, now, pending_seconds)
        # One that has used up its retries is about to be over, and another pod is not to come.
        is_replaced = not job.is_ending and (job.has_failure_policy or _failures(job, ended) <= job.backoff_limit)
        return Verdict(
            Kind.WORKING,
            pod=_last(ended),
            is_replaced=is_replaced,
            lost_pods=lost,
            look_again_seconds=10.0 if lost or leaving else None,
        )
    if ended and not job.is_ending and not job.has_failure_policy and _failures(job, ended) > job.backoff_limit:
        # A pod that vanished does not count as failed in some versions of Kubernetes, and would be replaced for ever.
        return Verdict(
            Kind.WORKING,
            pod=active,
            is_replaced=True,
            delete_because=f"{_retries(job)} {_cause(job, ended)}",
            lost_pods=lost,
        )
    return _active(job, active, bool(ended), lost, now, pending_seconds)


def _active(
    job: JobView, pod: PodView, is_replaced: bool, lost: tuple[PodView, ...], now: datetime, pending_seconds: float
) -> Verdict:
    flow = pod.container(job.container)
    if not pod.has_started:
        if any(item.state == "running" for item in pod.containers if item.is_init):
            return Verdict(Kind.WORKING, pod=pod, is_replaced=is_replaced, lost_pods=lost)
        return _waiting(job, pod, is_replaced, lost, now, pending_seconds)
    others_run = any(item.state == "running" for item in pod.containers if not item.is_init)
    if flow is not None and flow.state == "terminated" and others_run and flow.ended_at is not None:
        left = SIDECAR_SECONDS - (now - flow.ended_at).total_seconds()
        if left <= 0:
            return Verdict(
                Kind.OVER,
                message=f"{_container_end(flow)} Other containers kept its pod going. {_called(job)}",
                pod=pod,
                succeeded=flow.exit_code == 0,
                ended_at=flow.ended_at,
                delete_because="The flow's container has ended, and other containers keep its pod going.",
                lost_pods=lost,
            )
        return Verdict(Kind.WORKING, pod=pod, is_replaced=is_replaced, lost_pods=lost, look_again_seconds=left)
    return Verdict(Kind.WORKING, pod=pod, is_replaced=is_replaced or pod.restarts > 0, lost_pods=lost)


def _waiting(
    job: JobView, pod: PodView, is_replaced: bool, lost: tuple[PodView, ...], now: datetime, pending_seconds: float
) -> Verdict:
    waiting = next((item for item in pod.containers if item.state == "waiting" and item.reason not in _STARTING), None)
    if pod.diagnosis is not None:
        said, is_trouble = str(pod.diagnosis), True
    elif waiting is not None:
        said, is_trouble = f"Container {waiting.name!r} cannot start: {_reason(waiting)}.", True
    elif pod.node:
        said, is_trouble = f"Its containers are being created on node {pod.node}, or their images pulled.", False
    else:
        said, is_trouble = "It is not scheduled yet.", False
    seconds = job.pending_seconds or (pending_seconds if is_trouble else max(pending_seconds, CREATING_SECONDS))
    message = f"Kubernetes pod {pod.name} has not started. {said}"
    return _patient(
        Verdict(Kind.WAITING, message, pod.diagnosis, pod, is_replaced=is_replaced, lost_pods=lost),
        pod.created_at,
        seconds,
        now,
        f"The pod could not start within {seconds:g} seconds. {said}",
    )


def _without_pod(job: JobView, trouble: str, now: datetime, pending_seconds: float) -> Verdict:
    if job.is_suspended:
        # A queue such as Kueue holds the job back, however long that takes.
        return Verdict(Kind.WAITING, f"Kubernetes job {job.name} is suspended, and has no pod yet.")
    said = f" {trouble}" if trouble else ""
    seconds = job.pending_seconds or (pending_seconds if trouble else max(pending_seconds, CREATING_SECONDS))
    return _patient(
        Verdict(Kind.WAITING, f"Kubernetes job {job.name} has no pod yet.{said}"),
        job.started_at or job.created_at,
        seconds,
        now,
        f"The job had no pod within {seconds:g} seconds.{said}",
    )


def _patient(verdict: Verdict, since: datetime | None, seconds: float, now: datetime, doom: str) -> Verdict:
    left = seconds - (now - (since or now)).total_seconds()
    if left > 0:
        return replace(verdict, look_again_seconds=left)
    return replace(verdict, delete_because=doom)


def _over(
    job: JobView, ended: list[PodView], *, is_gone: bool, doom: str, now: datetime, lost: tuple[PodView, ...]
) -> Verdict:
    last = _last(ended)
    ended_at = job.ended_at or (last.ended_at if last is not None else None) or job.deleting_at or now
    # What succeeded may have been cleared away before anybody looked.
    has_succeeded = is_gone and not (job.condition or doom) and last is not None and last.phase == "Succeeded"
    if job.condition == "Complete" or has_succeeded:
        message = f"The flow's container exited with 0. {_called(job)}"
        return Verdict(Kind.OVER, message, pod=last, succeeded=True, ended_at=ended_at, lost_pods=lost)
    parts: list[str] = []
    if doom:
        parts.append(doom)
    elif job.reason == "DeadlineExceeded":
        parts.append("The job ran longer than its activeDeadlineSeconds (`job_watch_timeout_seconds`), and was ended.")
    elif job.condition == "Failed":
        parts += [_retries(job) if job.backoff_limit and job.reason == "BackoffLimitExceeded" else ""]
        parts += [_cause(job, ended)]
        if job.reason not in ("", "BackoffLimitExceeded") or last is None:
            parts.append(f"{job.reason}: {job.message.rstrip('.')}." if job.message else f"{job.reason or 'Failed'}.")
    else:
        parts.append("The job was deleted before the flow had ended.")
        if last is not None and (last.diagnosis is not None or _failed(last)):
            parts.append(_cause(job, ended))
    parts.append(_called(job))
    return Verdict(
        Kind.OVER,
        " ".join(part for part in parts if part),
        last.diagnosis if last is not None else None,
        last,
        ended_at=ended_at if not is_gone or job.condition else max(ended_at, job.deleting_at or ended_at),
        lost_pods=lost,
    )


def _is_lost(pod: PodView, now: datetime) -> bool:
    # The time of deletion is when the grace period is over, not when somebody asked.
    return pod.deleting_at is not None and now - pod.deleting_at > timedelta(seconds=LOST_SECONDS)


def _failures(job: JobView, ended: Iterable[PodView]) -> int:
    """How many pods have failed; those that went because the job was suspended have not."""
    since = job.started_at
    return sum(
        pod.phase != "Succeeded" and (since is None or pod.created_at is None or pod.created_at >= since)
        for pod in ended
    )


def _failed(pod: PodView) -> bool:
    return any(item.exit_code for item in pod.containers)


def _last(pods: Sequence[PodView]) -> PodView | None:
    floor = min((pod.created_at for pod in pods if pod.created_at is not None), default=None)
    return max(pods, key=lambda pod: str(pod.created_at or floor or ""), default=None)


def _retries(job: JobView) -> str:
    if not job.backoff_limit:
        return "The job may not start another pod (`backoff_limit` is 0)."
    return f"The job has used up its {job.backoff_limit} retries (`backoff_limit`)."


def _cause(job: JobView, ended: Sequence[PodView]) -> str:
    """Why the last pod ended."""
    pod = _last(ended)
    if pod is None:
        return "No pod of the job is left that could say why."
    said: list[str] = []
    if pod.diagnosis is not None:
        said.append(str(pod.diagnosis))
    elif pod.reason == "DeadlineExceeded":
        said.append("The pod ran longer than its activeDeadlineSeconds, and was ended.")
    elif pod.deleting_at is not None:
        said.append("The pod was deleted before the flow had ended: by somebody, by a drain, or by a preemption.")
    elif pod.reason:
        said.append(f"{pod.reason}: {pod.message.rstrip('.')}." if pod.message else f"{pod.reason}.")
    if pod.diagnosis is None or pod.diagnosis.category is not DiagnosisCategory.OOM_KILLED:
        said += [_container_end(item) for item in _failing(job, pod)]
    if not said:
        said.append("How its container ended is not known.")
    return " ".join([*said, f"Pod {pod.name}{f' on node {pod.node}' if pod.node else ''}."])


def _failing(job: JobView, pod: PodView) -> list[ContainerView]:
    """The containers that failed: an init container is the cause; else the flow's own, else others."""
    failed = [item for item in pod.containers if item.exit_code]
    flow = pod.container(job.container)
    init = [item for item in failed if item.is_init]
    if init:
        return init[:1]
    return [flow] if flow is not None and flow in failed else failed


def _container_end(item: ContainerView) -> str:
    kind = "Init container" if item.is_init else "Container"
    reason = f" ({item.reason})" if item.reason not in ("", "Error", "Completed") else ""
    text = f"{kind} {item.name!r} exited with {item.exit_code}{reason}."
    if item.message:
        text += f" {' '.join(item.message.split()).rstrip('.')[:500]}."
    if item.reason != "OOMKilled" and (hint := _EXIT_CODES.get(item.exit_code or 0)):
        text += f" {hint}"
    return text


def _reason(item: ContainerView) -> str:
    return f"{item.reason}: {item.message.rstrip('.')}" if item.message else item.reason


def _called(job: JobView) -> str:
    return f"Kubernetes job {job.name} in namespace {job.namespace}."


def failing_container(job: JobView, pod: PodView) -> str:
    """Name the container whose last lines tell most about a pod's end."""
    failing = _failing(job, pod)
    flow = pod.container(job.container)
    chosen = failing[0] if failing else flow
    return chosen.name if chosen is not None else ""
