"""The job controller of a played cluster: makes pods for jobs, counts how they end, and ends the jobs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from .admission import Admission, record_event
from .defaults import now
from .deletion import DeleteOptions, Deletions, set_condition
from .json import Json, at, items
from .status import Refusal
from .store import Change, Selection, Store, Stored

After = Callable[[float, Callable[[], None]], None]
"""Calls a function some seconds later."""

_COMPONENT = "job-controller"
_OVER = ("Succeeded", "Failed")


@dataclass
class _Counts:
    """Pods of a job that have ended, by uid; those that are deleted still count."""

    failed: set[str] = field(default_factory=set)
    succeeded: set[str] = field(default_factory=set)
    dismissed: set[str] = field(default_factory=set)
    """Pods that were deleted since the job is suspended; they do not count."""


class JobController:
    """Does at once what the real controller does within a second or so."""

    def __init__(self, store: Store, admission: Admission, deletions: Deletions, after: After) -> None:
        """Control the jobs of a store."""
        self.backoff_seconds = 0.0
        """Seconds before a failed pod is replaced; 10 and more on a real cluster."""

        self.counts_deleted_pods = True
        """Does a deleted pod count as failed, as from Kubernetes 1.26 on? Before, it is replaced."""

        self._store = store
        self._admission = admission
        self._deletions = deletions
        self._after = after
        self._counts: dict[str, _Counts] = {}
        self._is_waiting: set[str] = set()
        self._refused: set[str] = set()
        """Jobs whose pods were not admitted; the real controller tries again and again, with growing delays."""

        store.controllers.append(self._notice)

    def reset(self) -> None:
        """Forget all jobs."""
        self._counts.clear()
        self._is_waiting.clear()
        self._refused.clear()
        self.backoff_seconds = 0.0
        self.counts_deleted_pods = True

    def pods_of(self, job: Stored) -> list[Stored]:
        """Give the pods of a job that are there, oldest first."""
        found = [each for each in self._store.dependents(job.data["metadata"]["uid"]) if each.data["kind"] == "Pod"]
        return sorted(found, key=lambda pod: (pod.data["metadata"]["creationTimestamp"], pod.version))

    def sync_all(self) -> None:
        """Look at all jobs again, as after a change of a quota."""
        self._refused.clear()
        for job in self._store.select(Selection(self._store.catalogue["jobs.batch"])):
            self.sync(job.namespace, job.name)

    def end_by_deadline(self, namespace: str, name: str, uid: str) -> None:
        """Let `activeDeadlineSeconds` be over."""
        with self._store.step():
            job = self._store.find(self._store.catalogue["jobs.batch"], namespace, name)
            if job is not None and job.data["metadata"]["uid"] == uid and not finished(job) and not _is_suspended(job):
                self._begin_failure(job, "DeadlineExceeded", "Job was active longer than specified deadline")

    def _notice(self, change: Change) -> None:
        resource, data = change.resource.qualified, change.new.data
        if resource == "jobs.batch" and change.kind != "DELETED":
            self.sync(change.new.namespace, change.new.name)
        elif resource == "pods":
            for owner in items(data["metadata"], "ownerReferences"):
                if owner["kind"] == "Job":
                    self._count(owner["uid"], change)
                    self.sync(change.new.namespace, owner["name"])

    def _count(self, job_uid: str, change: Change) -> None:
        counts = self._counts.setdefault(job_uid, _Counts())
        metadata, phase = change.new.data["metadata"], change.new.data["status"].get("phase")
        uid = metadata["uid"]
        if uid in counts.failed | counts.succeeded:
            return
        is_deleted = change.kind == "DELETED" or "deletionTimestamp" in metadata
        if phase == "Succeeded":
            counts.succeeded.add(uid)
        elif uid in counts.dismissed:
            return
        elif (phase == "Failed" and (self.counts_deleted_pods or not is_deleted)) or (
            is_deleted and self.counts_deleted_pods
        ):
            counts.failed.add(uid)

    def sync(self, namespace: str, name: str) -> None:
        """Look at one job, and do what is due."""
        store = self._store
        with store.step():
            job = store.find(store.catalogue["jobs.batch"], namespace, name)
            if job is None or finished(job) or "deletionTimestamp" in job.data["metadata"]:
                return
            counts = self._counts.setdefault(job.data["metadata"]["uid"], _Counts())
            job = self._start(job, counts)
            pods = self.pods_of(job)
            active = [pod for pod in pods if _is_active(pod)]
            if _is_suspended(job):
                self._suspend(job, active, counts)
            elif target := _condition(job, "FailureTarget"):
                self._finish(job, "Failed", target["reason"], target.get("message", ""))
            elif len(counts.succeeded) >= int(job.data["spec"].get("completions", 1)):
                self._finish(job, "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
            elif self._has_failed_too_often(job, pods, counts):
                self._begin_failure(job, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
            else:
                self._make_pods(job, len(active), counts)
                self._show_counts(job)

    def _start(self, job: Stored, counts: _Counts) -> Stored:
        if "startTime" in job.data["status"] or _is_suspended(job):
            return job
        job = self._store.update(job, lambda data: data["status"].update(startTime=now()))
        if (condition := _condition(job, "Suspended", any_status=True)) and condition["status"] == "True":
            job = self._store.update(
                job, lambda data: set_condition(data, "Suspended", "False", "JobResumed", "Job resumed")
            )
            record_event(self._store, job, "Normal", "Resumed", "Job resumed", _COMPONENT)
            counts.dismissed.clear()
        seconds = job.data["spec"].get("activeDeadlineSeconds")
        if seconds is not None:
            key = job.namespace, job.name, job.data["metadata"]["uid"]
            self._after(float(seconds), lambda: self.end_by_deadline(*key))
        return job

    def _has_failed_too_often(self, job: Stored, pods: list[Stored], counts: _Counts) -> bool:
        limit = int(job.data["spec"].get("backoffLimit", 6))
        if len(counts.failed) > limit:
            return True
        if job.data["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
            return False
        statuses = [each for pod in pods for each in items(pod.data["status"], "containerStatuses")]
        restarts = sum(each.get("restartCount", 0) for each in statuses)
        return restarts > 0 if limit == 0 else restarts >= limit

    def _make_pods(self, job: Stored, active: int, counts: _Counts) -> None:
        spec, uid = job.data["spec"], job.data["metadata"]["uid"]
        if spec.get("podReplacementPolicy") == "Failed":
            active += sum(1 for pod in self.pods_of(job) if "deletionTimestamp" in pod.data["metadata"])
        missing = int(spec.get("completions", 1)) - len(counts.succeeded)
        wanted = min(int(spec.get("parallelism", 1)), missing) - active
        if wanted > 0 and counts.failed and self.backoff_seconds and uid not in self._is_waiting:
            self._is_waiting.add(uid)
            self._after(self.backoff_seconds, lambda: self._make_after_backoff(job.namespace, job.name, uid))
            return
        if uid not in self._is_waiting | self._refused:
            for _ in range(wanted):
                self._make_pod(job)

    def _make_after_backoff(self, namespace: str, name: str, uid: str) -> None:
        with self._store.lock:
            self._is_waiting.discard(uid)
            seconds, self.backoff_seconds = self.backoff_seconds, 0.0
            try:
                self.sync(namespace, name)
            finally:
                self.backoff_seconds = seconds

    def _make_pod(self, job: Stored) -> None:
        template = copy.deepcopy(job.data["spec"]["template"])
        metadata: Json = {
            key: value for key, value in at(template, "metadata").items() if key in ("labels", "annotations")
        }
        metadata["generateName"] = f"{job.name}-"
        metadata["ownerReferences"] = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": job.name,
                "uid": job.data["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        data: Json = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": template["spec"]}
        try:
            pod = self._admission.create(self._store.catalogue["pods"], job.namespace, data)
        except Refusal as exc:
            self._refused.add(job.data["metadata"]["uid"])
            record_event(self._store, job, "Warning", "FailedCreate", f"Error creating: {exc.message}", _COMPONENT)
        else:
            record_event(self._store, job, "Normal", "SuccessfulCreate", f"Created pod: {pod.name}", _COMPONENT)

    def _dismiss(self, job: Stored, pods: list[Stored]) -> None:
        for pod in pods:
            record_event(self._store, job, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.name}", _COMPONENT)
            self._deletions.delete(pod, DeleteOptions("Background"))

    def _suspend(self, job: Stored, active: list[Stored], counts: _Counts) -> None:
        counts.dismissed.update(pod.data["metadata"]["uid"] for pod in active)
        self._dismiss(job, active)
        if _condition(job, "Suspended") is None:

            def suspend(data: Json) -> None:
                data["status"].pop("startTime", None)
                set_condition(data, "Suspended", "True", "JobSuspended", "Job suspended")

            job = self._store.update(job, suspend)
            record_event(self._store, job, "Normal", "Suspended", "Job suspended", _COMPONENT)
        self._show_counts(job)

    def _begin_failure(self, job: Stored, reason: str, message: str) -> None:
        """Say that the job will have failed, and end its pods; `Failed` is said when these are gone."""
        job = self._store.update(job, lambda data: set_condition(data, "FailureTarget", "True", reason, message))
        record_event(self._store, job, "Warning", reason, message, _COMPONENT)
        self._finish(job, "Failed", reason, message)

    def _finish(self, job: Stored, condition: str, reason: str, message: str) -> None:
        self._dismiss(job, [pod for pod in self.pods_of(job) if _is_active(pod)])
        if any(_is_terminating(pod) for pod in self.pods_of(job)):
            self._show_counts(job)
            return

        def finish(data: Json) -> None:
            if condition == "Complete":
                set_condition(data, "SuccessCriteriaMet", "True", reason, message)
                data["status"]["completionTime"] = now()
            set_condition(data, condition, "True", reason, message)
            self._set_counts(data)

        job = self._store.update(job, finish)
        if condition == "Complete":
            record_event(self._store, job, "Normal", "Completed", "Job completed", _COMPONENT)
        seconds = job.data["spec"].get("ttlSecondsAfterFinished")
        if seconds is not None:
            self._after(float(seconds), lambda: self.end_by_ttl(job))

    def end_by_ttl(self, job: Stored) -> None:
        """Let `ttlSecondsAfterFinished` be over."""
        with self._store.step():
            found = self._store.find(self._store.catalogue["jobs.batch"], *job.key)
            if found is not None and found.data["metadata"]["uid"] == job.data["metadata"]["uid"]:
                self._deletions.delete(found, DeleteOptions("Foreground"))

    def _show_counts(self, job: Stored) -> None:
        if self._store.find(self._store.catalogue["jobs.batch"], *job.key) is not None:
            self._store.update(job, self._set_counts)

    def _set_counts(self, data: Json) -> None:
        status = data["status"]
        uid = data["metadata"]["uid"]
        pods = [pod for pod in self._store.dependents(uid) if pod.data["kind"] == "Pod"]
        counts = self._counts.setdefault(uid, _Counts())
        found = {
            "active": sum(map(_is_active, pods)),
            "failed": len(counts.failed),
            "succeeded": len(counts.succeeded),
        }
        for key, value in found.items():
            if value:
                status[key] = value
            else:
                status.pop(key, None)
        status["ready"] = sum(1 for pod in pods if _is_active(pod) and pod.field("status.phase") == "Running")
        status["terminating"] = sum(map(_is_terminating, pods))
        status["uncountedTerminatedPods"] = {}


def finished(job: Stored) -> bool:
    """Has a job ended, in one way or the other?"""
    return bool(_condition(job, "Complete") or _condition(job, "Failed"))


def _condition(job: Stored, kind: str, *, any_status: bool = False) -> Json | None:
    for condition in items(job.data["status"], "conditions"):
        if condition["type"] == kind and (any_status or condition["status"] == "True"):
            return condition
    return None


def _is_suspended(job: Stored) -> bool:
    return bool(job.data["spec"].get("suspend"))


def _is_active(pod: Stored) -> bool:
    return pod.field("status.phase") not in _OVER and "deletionTimestamp" not in pod.data["metadata"]


def _is_terminating(pod: Stored) -> bool:
    return pod.field("status.phase") not in _OVER and "deletionTimestamp" in pod.data["metadata"]
