"""What DescribeJobs says about a Batch job, as Python values. Nothing here talks to AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple, cast

Detail = Mapping[str, Any]
"""One member of DescribeJobs' `jobs`:
https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html"""

SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
ENDED = frozenset({SUCCEEDED, FAILED})

LOG_GROUP = "/aws/batch/job"
"""Where Batch writes unless the job definition says otherwise:
https://docs.aws.amazon.com/batch/latest/userguide/batch-get-started-cloudwatch-logs.html"""

_REMEDIES = {
    "outofmemory": "Give the job more memory.",
    "cannotpull": "Check the name of the image, and that the execution role and the network reach its registry.",
    "host ec2": "The instance was taken away, as happens to Spot instances; a retryStrategy tries again.",
    "exceeded timeout": "Raise attemptDurationSeconds of its timeout if it needs longer.",
    "taskfailedtostart": "Check the network, the roles and the secrets of the job definition.",
}


@dataclass(frozen=True)
class BatchAttempt:
    """One try of a job.

    Attributes:
        exit_code: Exit code of its container; of several containers, the first that is not zero. `None` when none
            started.
        reason: What Batch says about how the container or the attempt ended, if anything.
        log_stream_name: The CloudWatch stream of its (first) container.
        started_at: When it began, in UTC.
        stopped_at: When it ended, in UTC.
    """

    exit_code: int | None
    reason: str | None
    log_stream_name: str | None
    started_at: datetime | None
    stopped_at: datetime | None


@dataclass(frozen=True)
class BatchJobResult:
    """A Batch job as it was last seen.

    Attributes:
        job_id: ID of the job.
        job_name: Its name.
        status: One of Batch's
            [states](https://docs.aws.amazon.com/batch/latest/userguide/job_states.html), such as `SUCCEEDED`.
        status_reason: Why it is in that state, if Batch says so.
        exit_code: Exit code of the container in the last attempt; of several containers, the first that is not zero;
            of a multi-node job, that of the main node. `None` for array jobs and when no container started.
        attempts: The attempts that have ended, in order.
        log_group_name: The CloudWatch group of its log; `None` when it logs elsewhere.
        log_stream_name: The CloudWatch stream of the last attempt.
        children: For an array job: how many children are in each state.
    """

    job_id: str
    job_name: str
    status: str
    status_reason: str | None = None
    exit_code: int | None = None
    attempts: tuple[BatchAttempt, ...] = ()
    log_group_name: str | None = None
    log_stream_name: str | None = None
    children: Mapping[str, int] | None = None


class LogStream(NamedTuple):
    """Where a container's output goes in CloudWatch."""

    group: str
    name: str


def part(detail: Detail, name: str) -> Detail:
    """A structure inside a description; empty when it is not there."""
    return cast("Detail", detail.get(name) or {})


def parts(detail: Detail, name: str) -> list[Detail]:
    """A list of structures inside a description; empty when it is not there."""
    return cast("list[Detail]", detail.get(name) or [])


def result_of(detail: Detail, main_node: Detail | None = None) -> BatchJobResult:
    """Read what DescribeJobs says.

    Args:
        detail: The job.
        main_node: The main node of a multi-node job, which the job's own description says little about.
    """
    source = main_node or detail
    streams = log_streams(source)
    summary = cast("Mapping[str, int]", part(part(detail, "arrayProperties"), "statusSummary"))
    return BatchJobResult(
        job_id=str(detail["jobId"]),
        job_name=str(detail.get("jobName", "")),
        status=str(detail["status"]),
        status_reason=detail.get("statusReason"),
        exit_code=exit_code(containers(source)),
        attempts=tuple(attempts(source)),
        log_group_name=streams[-1].group if streams else None,
        log_stream_name=streams[-1].name if streams else None,
        children={status: count for status, count in summary.items() if count} if summary else None,
    )


def containers(detail: Detail) -> list[Detail]:
    """The containers of a job of any kind: one of its own, those of an ECS task, or those of a pod."""
    if own := part(detail, "container"):
        return [own]
    tasks = parts(part(detail, "ecsProperties"), "taskProperties")
    pod = part(part(detail, "eksProperties"), "podProperties")
    return [container for owner in [*tasks, pod] for container in parts(owner, "containers")]


def exit_code(found: list[Detail]) -> int | None:
    """The exit code that tells how containers ended: the first that is not zero."""
    codes = [int(container["exitCode"]) for container in found if container.get("exitCode") is not None]
    return next((code for code in codes if code), codes[0] if codes else None)


def attempts(detail: Detail) -> Iterator[BatchAttempt]:
    """Yield the attempts that have ended."""
    for attempt in [*parts(detail, "attempts"), *parts(detail, "eksAttempts")]:
        found = _containers_of_attempt(attempt)
        reasons = [str(container["reason"]) for container in found if container.get("reason")]
        yield BatchAttempt(
            exit_code=exit_code(found),
            reason=next(iter(reasons), attempt.get("statusReason")),
            log_stream_name=next((c["logStreamName"] for c in found if c.get("logStreamName")), None),
            started_at=_moment(attempt.get("startedAt")),
            stopped_at=_moment(attempt.get("stoppedAt")),
        )


def _containers_of_attempt(attempt: Detail) -> list[Detail]:
    if own := part(attempt, "container"):
        return [own]
    owners = [attempt, *parts(attempt, "taskProperties")]
    return [container for owner in owners for container in parts(owner, "containers")]


def _moment(milliseconds: int | None) -> datetime | None:
    return None if not milliseconds else datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def log_streams(detail: Detail) -> list[LogStream]:
    """The CloudWatch streams that are known so far, those of earlier attempts first."""
    group = LOG_GROUP
    current: list[str] = []
    for container in containers(detail):
        configuration = part(container, "logConfiguration")
        if configuration.get("logDriver", "awslogs") != "awslogs":
            continue
        group = str(part(configuration, "options").get("awslogs-group") or LOG_GROUP)
        if container.get("logStreamName"):
            current.append(str(container["logStreamName"]))
    earlier = [
        str(container["logStreamName"])
        for attempt in parts(detail, "attempts")
        for container in _containers_of_attempt(attempt)
        if container.get("logStreamName")
    ]
    return [LogStream(group, name) for name in dict.fromkeys([*earlier, *current])]


def main_node_id(detail: Detail) -> str | None:
    """ID of the main node of a multi-node job, `None` for other jobs."""
    properties = part(detail, "nodeProperties")
    return f"{detail['jobId']}#{properties.get('mainNode', 0)}" if properties.get("numNodes") else None


def failure_of(detail: Detail, main_node: Detail | None = None) -> str:
    """Say how a job failed: status reason, exit code, the container's reason, attempts, log, remedy."""
    result = result_of(detail, main_node)
    reasons = [str(c["reason"]) for c in containers(main_node or detail) if c.get("reason")]
    said = [_sentence(result.status_reason or "Batch gives no reason")]
    if result.exit_code is not None:
        why = f": {reasons[0]}" if reasons else ""
        said.append(_sentence(f"Its container exited with code {result.exit_code}{why}"))
    elif reasons:
        said.append(_sentence(f"Its container did not run: {reasons[0]}"))
    if result.children:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(result.children.items()))
        said.append(f"Its children: {counts}.")
    if len(result.attempts) > 1:
        said.append(f"It was tried {len(result.attempts)} times.")
    if result.log_stream_name:
        said.append(f"Its log is the stream {result.log_stream_name} of {result.log_group_name}.")
    text = " ".join(said)
    remedies = [remedy for hint, remedy in _REMEDIES.items() if hint in text.lower()]
    return " ".join([text, *remedies[:1]])


def _sentence(text: str) -> str:
    return f"{text.strip().rstrip('.')}."
