"""Batch jobs that are submitted and waited for: looks, log lines, the end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._batch_results import (
    ENDED,
    FAILED,
    BatchJobResult,
    Detail,
    LogStream,
    failure_of,
    log_streams,
    main_node_id,
    part,
    parts,
    result_of,
)
from ._clients import client_for
from ._log_tail import LogTail
from ._remote_work import ASK_ONCE, RemoteWork, perhaps_done, persist, was_refused
from .credentials import AwsCredentials, ClientType
from .errors import AwsError, AwsInvalidRequest, AwsJobFailed, AwsNotFound, aws_errors

# https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobs.html
MAX_DESCRIBED = 100
# DescribeJobs may not know a job in the first moments after its submission.
_UNKNOWN_SECONDS = 60.0
# The log driver sends what a container said last a few seconds after its end.
_LOG_DELAY_SECONDS = 5.0
_MAX_NAMED = 5
_MAX_REASON = 128


class BatchJobs(RemoteWork[list[BatchJobResult]]):
    """Some jobs, seen as one piece of work. All of them are waited for, whatever becomes of the first.

    Args:
        credentials: Who we are at AWS.
        job_ids: The jobs, when they were submitted before.
        request: What to submit.
        streams_logs: Whether log lines go to the run logger.
        clock: Time.
    """

    def __init__(
        self,
        credentials: AwsCredentials,
        job_ids: Iterable[str] = (),
        *,
        request: Mapping[str, Any] | None = None,
        streams_logs: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._credentials = credentials
        self._ids = list(dict.fromkeys(job_ids))
        self._request = request
        self._streams_logs = streams_logs
        self._clock = clock
        self._details: dict[str, Detail] = {}
        self._nodes: dict[str, Detail] = {}
        self._said: dict[str, object] = {}
        self._tails: dict[LogStream, LogTail] = {}
        self._submitted_at: float | None = None

    @property
    def _client(self) -> Any:
        return self._credentials.get_client(ClientType.BATCH)

    @property
    def subject(self) -> str:
        """The job by name and ID, or how many there are."""
        if len(self._ids) == 1:
            return self._subject_of(self._ids[0])
        if self._request is not None:
            return _submission(self._request)
        return f"{len(self._ids)} Batch jobs"

    def _subject_of(self, job_id: str) -> str:
        detail = self._details.get(job_id)
        name = detail.get("jobName") if detail else (self._request or {}).get("jobName")
        return f"Batch job {name!r}, {job_id}" if name else f"Batch job {job_id}"

    @property
    def is_started(self) -> bool:
        """Whether there is a job that has not ended."""
        return bool(self._open())

    @property
    def job_ids(self) -> Sequence[str]:
        """The jobs."""
        return self._ids

    def _open(self) -> list[str]:
        return [job_id for job_id in self._ids if (self._details.get(job_id) or {}).get("status") not in ENDED]

    def start(self) -> None:
        """Submit the job."""
        assert self._request is not None, "These jobs were submitted before."  # noqa: S101
        self._ids = [submit(self._credentials, self._request)]
        self._submitted_at = self._clock.monotonic()

    def may_start_again(self, error: Exception) -> bool:
        """Only when Batch said no: after a lost answer the job may be there, and Batch knows no idempotency key."""
        return was_refused(error)

    def look(self) -> bool:
        """Describe the jobs that have not ended, 100 at a time, and tell what is new."""
        wanted = [name for job_id in self._open() for name in self._names_of(job_id)]
        for start in range(0, len(wanted), MAX_DESCRIBED):
            self._describe(wanted[start : start + MAX_DESCRIBED])
        new = [name for job_id in self._ids if (name := self._node_of(job_id)) and name not in self._nodes]
        for start in range(0, len(new), MAX_DESCRIBED):  # a multi-node job that was seen for the first time
            self._describe(new[start : start + MAX_DESCRIBED])
        for job_id in self._ids:
            self._tell(job_id)
        if self._streams_logs:
            self._read_logs()
        return not self._open()

    def _names_of(self, job_id: str) -> list[str]:
        node = self._node_of(job_id)
        return [job_id, node] if node else [job_id]

    def _node_of(self, job_id: str) -> str | None:
        detail = self._details.get(job_id)
        return main_node_id(detail) if detail else None

    def _describe(self, names: list[str]) -> None:
        with aws_errors(self._subject_of(names[0]) if len(names) == 1 else self.subject):
            found: list[Detail] = self._client.describe_jobs(jobs=names)["jobs"]
        for detail in found:
            known = self._nodes if "#" in str(detail["jobId"]) else self._details
            known[str(detail["jobId"])] = detail
        unknown = [name for name in names if "#" not in name and name not in self._details]
        is_new = self._submitted_at is not None and self._clock.monotonic() - self._submitted_at < _UNKNOWN_SECONDS
        if unknown and not is_new:
            raise AwsNotFound(
                f"{self._subject_of(unknown[0])}: Batch does not know it. It forgets jobs some days after their end. "
                f"{AwsNotFound.remedy}",
                subject=self._subject_of(unknown[0]),
            )

    def _tell(self, job_id: str) -> None:
        detail = self._details.get(job_id)
        if detail is None:
            return
        result = result_of(detail)
        news = (result.status, result.status_reason, result.children)
        if self._said.get(job_id) == news:
            return
        self._said[job_id] = news
        reason = f": {result.status_reason}" if result.status_reason else ""
        children = f" (children: {dict(result.children)})" if result.children else ""
        run_logger(__name__).info("%s is %s%s%s", self._subject_of(job_id), result.status, reason, children)

    def _read_logs(self) -> int:
        """Pass new log lines on, and say how many there were."""
        count = 0
        for job_id in self._ids:
            detail = self._nodes.get(self._node_of(job_id) or "") or self._details.get(job_id)
            for stream in log_streams(detail) if detail else []:
                if stream not in self._tails:
                    label = "" if len(self._ids) == 1 else f"{job_id}: "
                    self._tails[stream] = LogTail(self._credentials, stream.group, stream.name, label)
                count += self._tails[stream].read()
        return count

    def settle(self) -> bool:
        """Read what the log driver delivers late."""
        if not self._tails:
            return True
        stopped_at = max((int(detail.get("stoppedAt") or 0) for detail in self._details.values()), default=0)
        is_fresh = time.time() - stopped_at / 1000 < _LOG_DELAY_SECONDS
        return not self._read_logs() and not is_fresh

    def result(self) -> list[BatchJobResult]:
        """The jobs as they were last seen, in the order given."""
        failed = [job_id for job_id in self._ids if self._details[job_id]["status"] == FAILED]
        if failed:
            raise self._failure(failed)
        return self.seen()

    def seen(self) -> list[BatchJobResult]:
        """What the last look saw, failed or not."""
        return [result_of(self._details[job_id], self._nodes.get(self._node_of(job_id) or "")) for job_id in self._ids]

    def _failure(self, failed: list[str]) -> AwsJobFailed:
        texts: list[str] = []
        for job_id in failed[:_MAX_NAMED]:
            detail = self._details[job_id]
            how = failure_of(detail, self._nodes.get(self._node_of(job_id) or ""))
            texts.append(f"{self._subject_of(job_id)} ended as FAILED: {how}{self._failed_children(detail)}")
        if len(failed) == 1:
            return AwsJobFailed(texts[0], subject=self._subject_of(failed[0]), code=FAILED)
        more = f"\nand {len(failed) - _MAX_NAMED} more." if len(failed) > _MAX_NAMED else ""
        text = f"{len(failed)} of {len(self._ids)} Batch jobs failed.\n" + "\n".join(texts) + more
        return AwsJobFailed(text, subject=self.subject, code=FAILED)

    def _failed_children(self, detail: Detail) -> str:
        """Say how the first failed children of an array ended; without the right to list them, nothing."""
        if not part(detail, "arrayProperties").get("size"):
            return ""
        client, subject = self._client, self._subject_of(str(detail["jobId"]))

        def list_failed() -> list[Detail]:
            with aws_errors(subject):
                answer = client.list_jobs(arrayJobId=detail["jobId"], jobStatus=FAILED, maxResults=_MAX_NAMED)
            return parts(answer, "jobSummaryList")

        try:
            children = persist(list_failed, self._clock)
        except AwsError as exc:
            run_logger(__name__).warning("Could not list the failed children of %s: %s", subject, exc)
            return ""
        texts: list[str] = []
        for child in children[:_MAX_NAMED]:
            index = part(child, "arrayProperties").get("index")
            container = part(child, "container")
            code = container.get("exitCode")
            why = container.get("reason") or child.get("statusReason") or "no reason given"
            texts.append(f" Child {index}: {f'exit code {code}, ' if code is not None else ''}{why}.")
        return "".join(texts)

    def stop(self, reason: str) -> None:
        """Terminate the jobs that have not ended; the children of arrays and the nodes go with them."""
        client = self._client
        errors = [error for job_id in self._open() if (error := self._terminate(client, job_id, reason)) is not None]
        if errors:
            raise errors[0]

    def _terminate(self, client: Any, job_id: str, reason: str) -> AwsError | None:
        try:
            with aws_errors(self._subject_of(job_id)):
                client.terminate_job(jobId=job_id, reason=reason[:_MAX_REASON])
        except AwsError as exc:  # the other jobs cost money, too
            return exc
        return None


def _submission(request: Mapping[str, Any]) -> str:
    return f"Batch job {request['jobName']!r} (queue {request['jobQueue']!r}, definition {request['jobDefinition']!r})"


def submission(job_name: str, job_queue: str, job_definition: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Make the request that submits a job.

    Raises:
        AwsInvalidRequest: If a name is empty.
    """
    request = {"jobName": job_name, "jobQueue": job_queue, "jobDefinition": job_definition, **options}
    names = {"job_name": job_name, "job_queue": job_queue, "job_definition": job_definition}
    for parameter, value in names.items():
        if not value:
            subject = _submission(request)
            raise AwsInvalidRequest(f"{subject}: {parameter} is empty; give its name or ARN.", subject=subject)
    return request


def submit(credentials: AwsCredentials, request: Mapping[str, Any]) -> str:
    """Submit a job once, and return its ID."""
    logger = run_logger(__name__)
    logger.info("Submitting Batch job %s to queue %s", request["jobName"], request["jobQueue"])
    client = client_for(credentials, ClientType.BATCH, config=ASK_ONCE)
    with perhaps_done("It may have been submitted: look into the queue first."), aws_errors(_submission(request)):
        answer = client.submit_job(**request)
    job_id = str(answer["jobId"])
    logger.info("Submitted Batch job %s with id %s", request["jobName"], job_id)
    return job_id
