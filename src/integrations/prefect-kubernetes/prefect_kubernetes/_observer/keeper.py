"""See to it that each flow run ends as it should, whatever becomes of its job.

What is done follows from how a job, its pods and its run are now, not from how they came to be so: it can be done at
any time, by several who watch, and more than once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from prefect_integration_kit.logs import Log
from prefect_integration_kit.settlement import CLOCK_TOLERANCE, Ended, Settled, needs_nothing, settle
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .._worker.identifiers import JobIdentifier
from ..diagnostics import DiagnosisLevel
from ..errors import KubernetesAccessDenied, KubernetesError
from .events import EventSender, event_of
from .logs import forward_last_lines, send
from .outcomes import Kind, Verdict, failing_container, judge
from .projections import JobView, PodView
from .records import Record
from .times import calendar

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from ..settings import KubernetesObserverSettings


GRACE_SECONDS = 60.0
"""How long after its job has succeeded a run may take to say how it ended."""

_GRACE_INTERVAL_SECONDS = 10.0
_SETTLE_IN_SECONDS = 10.0
"""How long a pod may take to start before that is worth a word."""

_EXPLAIN_SECONDS = 20.0
_TROUBLE_INTERVAL_SECONDS = 30.0
_DELETION_INTERVAL_SECONDS = 10.0
_UNKNOWN_INTERVAL_SECONDS = 1.0
_LEVELS = {
    DiagnosisLevel.ERROR: logging.ERROR,
    DiagnosisLevel.WARNING: logging.WARNING,
    DiagnosisLevel.INFO: logging.INFO,
}


class Keeper:
    """Looks after one job at a time.

    Args:
        settings: How to observe.
        prefect: Gives the client of the Prefect API.
        logger: Told what was done.
        events: Sends events of pods; `None` to send none.
        clock: Time.
        are_pods_known: Says whether a job without a pod has none, or its pods have not been listed yet.
    """

    def __init__(
        self,
        settings: KubernetesObserverSettings,
        prefect: Callable[[], PrefectClient],
        logger: Log,
        *,
        events: EventSender | None = None,
        clock: Clock = SYSTEM_CLOCK,
        are_pods_known: Callable[[Record], bool] = lambda _: True,
    ) -> None:
        self._are_pods_known = are_pods_known
        self._settings = settings
        self._prefect = prefect
        self._logger = logger
        self._events = events
        self._now = calendar(clock)
        self._denials: set[tuple[str, str]] = set()

    async def keep(self, record: Record) -> float | None:
        """Look at a job, and do what is to be done.

        Args:
            record: The job.

        Returns:
            After how many seconds to look again, though nothing may have changed; `None` when the job is over and its
            run has the state that it should have; infinity when only a change can bring news.

        Raises:
            KubernetesError: If the cluster refuses or cannot be reached.
            prefect.exceptions.PrefectHTTPStatusError: If the Prefect API refuses.
        """
        job = await self._job_of(record)
        verdict = judge(
            job,
            list(record.pods.values()),
            list(record.past.values()),
            is_gone=record.is_gone,
            doom=record.doom,
            trouble=record.trouble,
            now=self._now(),
            pending_seconds=self._settings.pending_timeout_seconds,
        )
        await self._release(record, verdict)
        if verdict.delete_because:
            await self._doom(record, job, verdict)
        if verdict.kind is Kind.OVER:
            return await self._end(record, job, verdict)
        if record.deletion_sent:
            return _DELETION_INTERVAL_SECONDS
        seconds = verdict.look_again_seconds or float("inf")
        if verdict.kind is Kind.WAITING:
            seconds = min(seconds, await self._report_waiting(record, job, verdict))
        if verdict.is_replaced:
            await self._check_replaced(record, job)
        return seconds

    async def _job_of(self, record: Record) -> JobView:
        """How the job is; looks, where the watch cannot tell."""
        if record.job is not None and not record.is_missing:
            return record.job
        found = await record.cluster.read_job(record.namespace, record.job_name) if record.job_name else None
        if found is not None and found.uid == record.uid:
            record.job, record.is_missing = found, False
        else:
            record.is_gone = True
            record.job = record.job or _unknown_job(record)
        return record.job

    def replicate(self, record: Record) -> None:
        """Send an event for each pod that has come into another phase.

        It is done at once when a change is seen, so that none is passed over, and later for what was found over.
        """
        if self._events is None:
            return
        for pod in (*record.past.values(), *record.pods.values()):
            word, before = record.phases.get(pod.uid, ("", None))
            if pod.status_word != word:
                event = event_of(pod, follows=before)
                record.phases[pod.uid] = (pod.status_word, event.id)
                self._events.send(event)

    async def _release(self, record: Record, verdict: Verdict) -> None:
        """Delete pods whose nodes do not answer: they, and the job with them, would stay for ever."""
        for pod in verdict.lost_pods:
            if pod.uid in record.released or pod.uid not in record.pods:
                continue
            record.released.add(pod.uid)
            try:
                await record.cluster.delete_lost_pod(pod)
            except KubernetesAccessDenied as exc:
                self._say_denied("delete pods", record.namespace, exc)
            else:
                self._logger.info("Deleted pod %s of job %s: its node does not answer.", pod.name, record.job_name)

    async def _doom(self, record: Record, job: JobView, verdict: Verdict) -> None:
        try:
            await self.delete(record, job, verdict.delete_because)
        except KubernetesAccessDenied:
            if verdict.kind is Kind.OVER:  # what is left of the job does not run the flow
                return
            raise
        record.doom = record.doom or verdict.delete_because

    async def delete(self, record: Record, job: JobView, why: str) -> None:
        """Delete a job, once.

        Raises:
            KubernetesError: If the cluster refuses or cannot be reached.
        """
        if record.deletion_sent or record.is_gone or job.deleting_at is not None:
            return
        try:
            was_there = await record.cluster.delete_job(job)
        except KubernetesAccessDenied as exc:
            self._say_denied("delete jobs", record.namespace, exc)
            raise
        record.deletion_sent = True
        record.is_missing = record.is_missing or not was_there
        if was_there:
            self._logger.info("Deleted job %s of flow run '%s': %s", job.name, job.flow_run_id, why)

    async def _end(self, record: Record, job: JobView, verdict: Verdict) -> float | None:
        identifier = JobIdentifier(job.namespace, job.name)
        ended = Ended(
            name=f"Kubernetes job {job.name}",
            message=verdict.message,
            succeeded=verdict.succeeded,
            ended_at=verdict.ended_at,
            is_named_by=identifier.is_named_by,
            label=job.name,
        )
        client = self._prefect()
        settled = await settle(
            job.flow_run_id, ended, client=client, logger=self._logger, grace_seconds=GRACE_SECONDS, now=self._now()
        )
        if settled is Settled.LATER:
            return _GRACE_INTERVAL_SECONDS
        if settled in (Settled.CRASHED, Settled.CANCELLED):
            self.replicate(record)
        if settled is Settled.CRASHED:
            # Who stops the observer at this moment waits: nobody would write it later.
            with anyio.move_on_after(_EXPLAIN_SECONDS, shield=True):
                await self._explain(record, job, verdict, client)
        return None

    async def _explain(self, record: Record, job: JobView, verdict: Verdict, client: PrefectClient) -> None:
        """Write into the run's logs what is known, once the run has its state."""
        try:
            await send(client, job.flow_run_id, [(logging.ERROR, verdict.message)])
        except Exception as exc:  # noqa: BLE001 - the state says it, too
            self._logger.warning("Flow run '%s' could not be told why it crashed: %s", job.flow_run_id, exc)
        pod = verdict.pod
        if pod is None or pod.uid not in record.pods or not self._settings.forward_crashed_run_logs:
            return
        if container := failing_container(job, pod):
            lines = self._settings.forward_crashed_run_logs_tail_lines
            api = record.cluster.api
            await forward_last_lines(api, pod, container, job.flow_run_id, client=client, lines=lines)

    async def _report_waiting(self, record: Record, job: JobView, verdict: Verdict) -> float:
        """Say that a run waits, and why; return after how many seconds there may be more to say."""
        pod = verdict.pod
        if pod is None and not self._are_pods_known(record):
            return _UNKNOWN_INTERVAL_SECONDS
        since = pod.created_at if pod is not None else job.created_at
        age = self._now() - (since or self._now())
        if pod is None and not job.is_suspended:
            await self._read_trouble(record, job, age)
        is_trouble = verdict.diagnosis is not None or "cannot start" in verdict.message or bool(record.trouble)
        left = timedelta(seconds=_SETTLE_IN_SECONDS) - age
        if not is_trouble and left > timedelta():
            return left.total_seconds()
        again = _TROUBLE_INTERVAL_SECONDS if pod is None and not job.is_suspended else float("inf")
        word = verdict.diagnosis.category.value if verdict.diagnosis is not None else verdict.message
        if word in record.reported:
            return again
        message = verdict.message
        if pod is None and record.trouble and record.trouble not in message:
            message = f"{message} {record.trouble}"
        if await self._propose_waiting(job, message) and is_trouble:
            level = _LEVELS[verdict.diagnosis.level] if verdict.diagnosis is not None else logging.WARNING
            await send(self._prefect(), job.flow_run_id, [(min(level, logging.WARNING), message)])
        record.reported.add(word)
        return again

    async def _read_trouble(self, record: Record, job: JobView, age: timedelta) -> None:
        """Ask the job's events, now and then, why it has no pod."""
        now, last = self._now(), record.trouble_read_at
        if age.total_seconds() < _SETTLE_IN_SECONDS:
            return
        if last is not None and (now - last).total_seconds() < _TROUBLE_INTERVAL_SECONDS:
            return
        record.trouble_read_at = now
        try:
            record.trouble = await record.cluster.read_trouble(job)
        except KubernetesError as exc:
            self._logger.debug("The events of job %s could not be read: %s", job.name, exc)

    async def _propose_waiting(self, job: JobView, message: str) -> bool:
        """Move a run that waits for its pod to `InfrastructurePending`; say whether it waits."""
        from prefect import states
        from prefect.exceptions import Abort, ObjectNotFound, Pause
        from prefect.utilities.engine import propose_state

        pending, client = getattr(states, "InfrastructurePending", None), self._prefect()
        try:
            flow_run = await client.read_flow_run(job.flow_run_id)
            state = flow_run.state
            if state is None or not state.is_pending() or not _is_of(flow_run, job):
                return False
            if pending is None or state.name == "InfrastructurePending":
                return True  # the API takes no second state of the same name
            if job.created_at is not None and job.created_at + CLOCK_TOLERANCE < state.timestamp:
                return False  # of an earlier attempt
            await propose_state(client, pending(message=f"{message} (job {job.name})"), flow_run_id=flow_run.id)
        except (Abort, Pause, ObjectNotFound):  # it has gone on, or is gone
            return False
        return True

    async def _check_replaced(self, record: Record, job: JobView) -> None:
        """Delete a job that would start a pod for a run which is at its end.

        The API lets a pod take over a run that has crashed or failed, which would run again.
        """
        from prefect.exceptions import ObjectNotFound

        ends = _ends_of(record)
        if ends <= record.checked or not record.is_alive:
            return
        try:
            flow_run = await self._prefect().read_flow_run(job.flow_run_id)
        except ObjectNotFound:
            record.checked = ends
            return
        state = flow_run.state
        # A pod that waits in a paused run, or between its retries, is at work; one that follows another is not.
        is_at_work = any(
            pod.has_started and not pod.has_ended and pod.deleting_at is None for pod in record.pods.values()
        )
        is_at_its_end = state is not None and (state.is_final() or state.is_cancelling())
        if state is not None and (is_at_its_end or (needs_nothing(flow_run) and not is_at_work)):
            await self.delete(record, job, f"the run is {state.name}, and the job would start another pod.")
        record.checked = ends

    def _say_denied(self, what: str, namespace: str, exc: KubernetesAccessDenied) -> None:
        """Say once what may not be done."""
        if (what, namespace) not in self._denials:
            self._denials.add((what, namespace))
            self._logger.warning("The observer may not %s: %s", what, exc)


def _ends_of(record: Record) -> frozenset[tuple[str, bool, bool, int]]:
    """Which pods have ended, or are ending, and in what way that is known."""
    present = ((pod, False) for pod in record.pods.values())
    past = ((pod, True) for pod in record.past.values())
    return frozenset(
        (pod.uid, pod.has_ended, is_past, pod.restarts)
        for pod, is_past in (*present, *past)
        if is_past or pod.has_ended or pod.deleting_at is not None or pod.restarts
    )


def _is_of(flow_run: FlowRun, job: JobView) -> bool:
    pid = flow_run.infrastructure_pid
    return not pid or JobIdentifier(job.namespace, job.name).is_named_by(str(pid))


def _unknown_job(record: Record) -> JobView:
    """What can be said of a job that was deleted before anybody saw it."""
    first: PodView | None = next(iter((*record.pods.values(), *record.past.values())), None)
    return JobView(
        uid=record.uid,
        name=record.job_name,
        namespace=record.namespace,
        flow_run_id=record.flow_run_id,
        version="",
        container="",
        created_at=first.created_at if first is not None else None,
        started_at=None,
        deleting_at=None,
        backoff_limit=0,
        has_failure_policy=False,
        is_suspended=False,
        pending_seconds=None,
        condition="",
        reason="",
        message="",
        ended_at=None,
        is_ending=False,
    )
