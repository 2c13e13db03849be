"""What is known at present of each job and its pods. What is over is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from .cluster import Cluster
from .projections import JobView, PodView

PAST_PODS = 20
"""How many pods that do not exist any more are remembered of a job: one that fails for ever is not kept whole."""


@dataclass(slots=True, eq=False)
class Record:
    """A job, as far as it is known, and what was done about it.

    Attributes:
        uid: Uid of the job.
        cluster: Where it is.
        namespace: Its namespace.
        job_name: Its name.
        flow_run_id: The run that it is for.
        job: The job as last seen; `None` while only pods of it were.
        pods: The pods that it has, by uid.
        past: Pods that it had, by uid.
        is_gone: Whether it was deleted.
        is_missing: Whether it was not found where it should be; one more look must confirm that.
        doom: Why we have deleted it; empty when we have not.
        deletion_sent: Whether its deletion was accepted.
        trouble: What its events say while it has no pod.
        trouble_read_at: When they were asked last.
        reported: What was said about its waiting.
        checked: Of which ends of pods the run has been told apart.
        phases: The phase of each pod that Prefect was told of, and the ID of that event.
        released: Pods that were deleted without waiting for their nodes.
        is_found: Whether it was there when the observer came: then it may be long over.
        is_new: Whether nobody has looked at it yet.
        failures: How often looking after it has failed in a row.
    """

    uid: str
    cluster: Cluster
    namespace: str
    job_name: str
    flow_run_id: UUID
    job: JobView | None = None
    pods: dict[str, PodView] = field(default_factory=dict[str, PodView])
    past: dict[str, PodView] = field(default_factory=dict[str, PodView])
    is_gone: bool = False
    is_missing: bool = False
    doom: str = ""
    deletion_sent: bool = False
    trouble: str = ""
    trouble_read_at: datetime | None = None
    reported: set[str] = field(default_factory=set[str])
    checked: frozenset[tuple[str, bool, bool, int]] = frozenset()
    phases: dict[str, tuple[str, UUID]] = field(default_factory=dict[str, "tuple[str, UUID]"])
    released: set[str] = field(default_factory=set[str])
    is_found: bool = False
    is_new: bool = True
    failures: int = 0

    @property
    def is_over_at_sight(self) -> bool:
        """Whether it was found over, so that its run most likely has its final state."""
        if not (self.is_found and self.is_new):
            return False
        if self.job is None:
            return all(pod.has_ended for pod in self.pods.values())
        return self.job.is_over

    @property
    def is_alive(self) -> bool:
        """Whether the job is there, not over, and not being deleted."""
        job = self.job
        return job is not None and not (self.is_gone or job.is_over or job.deleting_at is not None)


class _Finished(NamedTuple):
    """What is kept of a job that is done with. Many are alike, and share one."""

    cluster: str
    namespace: str
    has_job: bool


class Records:
    """All jobs that are not over, and which ones are.

    Args:
        on_change: Told which record has changed.
    """

    def __init__(self, on_change: Callable[[Record], None]) -> None:
        self._on_change = on_change
        self._records: dict[str, Record] = {}
        self._finished: dict[str, _Finished] = {}
        self._alike: dict[_Finished, _Finished] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    @property
    def finished_count(self) -> int:
        """How many jobs that still exist are done with."""
        return len(self._finished)

    def get(self, uid: str) -> Record | None:
        """The record of a job; `None` if there is none, or it is done with."""
        return self._records.get(uid)

    def is_finished(self, uid: str) -> bool:
        """Whether a job is done with."""
        return uid in self._finished

    def finish(self, record: Record) -> None:
        """Keep of a job only that it is done with, and not even that when it does not exist any more."""
        self._records.pop(record.uid, None)
        if not record.is_gone:
            kind = _Finished(record.cluster.key, record.namespace, record.job is not None)
            self._finished[record.uid] = self._alike.setdefault(kind, kind)

    def see_job(self, cluster: Cluster, job: JobView, *, is_listed: bool = False, is_deleted: bool = False) -> None:
        """Note how a job is.

        Args:
            cluster: Where it is.
            job: How it is.
            is_listed: Whether it was found in a list, and not told of by a watch.
            is_deleted: Whether this is the last that is seen of it.
        """
        if job.uid in self._finished:
            if is_deleted:
                del self._finished[job.uid]
            return
        record = self._records.get(job.uid)
        if record is None:
            record = Record(job.uid, cluster, job.namespace, job.name, job.flow_run_id, is_found=is_listed)
            self._records[job.uid] = record
        elif record.job is not None and record.job.version == job.version and not is_deleted:
            record.is_missing = False
            return
        record.job = job
        record.is_missing = False
        record.is_gone = record.is_gone or is_deleted
        self._on_change(record)

    def see_pod(self, cluster: Cluster, pod: PodView, *, is_listed: bool = False, is_deleted: bool = False) -> None:
        """Note how a pod is; see `see_job`. A pod that belongs to no job is of no interest."""
        if pod.job_uid in self._finished:
            if is_deleted and not self._finished[pod.job_uid].has_job:
                del self._finished[pod.job_uid]
            return
        if not pod.job_uid:
            return
        record = self._records.get(pod.job_uid)
        if record is None:
            if is_deleted:  # the last of a job that nobody knows
                return
            record = Record(pod.job_uid, cluster, pod.namespace, pod.job_name, pod.flow_run_id, is_found=is_listed)
            self._records[pod.job_uid] = record
        before = record.pods.get(pod.uid)
        if before is not None and before.version == pod.version and not is_deleted:
            return
        if is_deleted:
            record.pods.pop(pod.uid, None)
            record.past[pod.uid] = pod
            while len(record.past) > PAST_PODS:
                oldest = next(iter(record.past))
                del record.past[oldest]
                record.phases.pop(oldest, None)
        else:
            record.pods[pod.uid] = pod
        self._on_change(record)

    def miss_jobs(self, cluster: Cluster, namespace: str, uids: set[str]) -> None:
        """Note that a list of jobs is complete: what is not in it does not exist any more.

        Args:
            cluster: The cluster.
            namespace: The namespace of the list; empty for all.
            uids: What was in it.
        """
        for uid, kind in list(self._finished.items()):
            if kind.cluster == cluster.key and namespace in ("", kind.namespace) and uid not in uids and kind.has_job:
                del self._finished[uid]
        for record in self:
            if record.cluster is cluster and namespace in ("", record.namespace) and record.uid not in uids:
                record.is_missing = True
                self._on_change(record)

    def miss_pods(self, cluster: Cluster, namespace: str, uids: set[str]) -> None:
        """Note that a list of pods is complete; see `miss_jobs`."""
        for record in self:
            if record.cluster is not cluster or namespace not in ("", record.namespace):
                continue
            for uid in [uid for uid in record.pods if uid not in uids]:
                record.past[uid] = record.pods.pop(uid)
                self._on_change(record)
