"""Say how an execution of a Container Apps job ended."""

from __future__ import annotations

import re

from prefect_integration_kit.outcomes import meaning_of

from .views import ContainerView, ExecutionView

_TIMEOUT = re.compile(r"deadline|replica ?timeout|timed out|longer than", re.IGNORECASE)
_REMEDIES = (
    (re.compile(r"OOMKilled|out of memory", re.IGNORECASE), "Raise `cpu` and `memory`, or let the flow use less."),
    (
        re.compile(r"quota|insufficient (cpu|memory|cores)|no (capacity|cores)|unschedulable", re.IGNORECASE),
        "The environment has no room for the container: raise its quota of cores, or use another workload profile.",
    ),
    (
        re.compile(r"key ?vault|secret", re.IGNORECASE),
        "Let the job's managed identity read the secret (role Key Vault Secrets User).",
    ),
)
_PULL_REMEDY = (
    "Correct `image`, push it to its registry, or let the job pull it by `registries` (a managed identity needs the "
    "role AcrPull)."
)
_NO_MORE_TRIES = "BackoffLimitExceeded"
_PLAIN = ("", "Error", "Completed")
"""What says no more of a container than its exit code."""
_UNKNOWN = 1
"""Status code of an execution that failed and of whose containers no exit code is known."""


def has_timed_out(execution: ExecutionView, replica_timeout: int | None) -> bool:
    """Whether Container Apps has ended an execution because it took too long.

    Args:
        execution: One that failed.
        replica_timeout: Seconds that a replica may take. Where Azure gives no reason, the time it took counts.
    """
    if execution.succeeded or execution.is_stopped:
        return False
    if _TIMEOUT.search(f"{execution.reason} {execution.message}"):
        return True
    if replica_timeout is None or execution.started_at is None or execution.ended_at is None:
        return False
    return (execution.ended_at - execution.started_at).total_seconds() >= replica_timeout


def exit_code_of(execution: ExecutionView) -> int:
    """Choose the status code: that of the first container that failed."""
    if execution.succeeded:
        return 0
    failed = _failed(execution)
    return failed.exit_code if failed is not None and failed.exit_code else _UNKNOWN


def message_of(title: str, execution: ExecutionView, replica_timeout: int | None = None) -> str:
    """Say what happened, the exit code, and the remedy when there is a known one.

    Args:
        title: Kind and name of the job.
        execution: Its execution, which has ended.
        replica_timeout: Seconds that a replica may take, where known.
    """
    if execution.succeeded:
        return f"{title} succeeded."
    if execution.is_stopped:
        return f"{title} was stopped.{_azure_says(execution)}"
    if has_timed_out(execution, replica_timeout):
        limit = f" of {replica_timeout} seconds" if replica_timeout is not None else ""
        return f"{title} ran out of its replica timeout{limit}, and was ended. Raise `replica_timeout`."
    if execution.has_pull_problem:
        return f"{title} failed: its image cannot be pulled.{_azure_says(execution)} {_PULL_REMEDY}"
    failed = _failed(execution)
    parts = [f"{title} failed."]
    if failed is not None and failed.exit_code:
        parts.append(f"Its container exited with code {failed.exit_code}.")
    if said := _azure_says(execution).strip():
        parts.append(said)
    if remedy := next((text for pattern, text in _REMEDIES if pattern.search(execution.said)), ""):
        parts.append(remedy)
    elif failed is not None and failed.exit_code and (meaning := meaning_of(failed.exit_code)):
        parts.append(meaning)
    return " ".join(parts)


def pull_message(title: str, execution: ExecutionView) -> str:
    """Say that a container does not start because its image does not come."""
    return f"{title} did not start: its image cannot be pulled.{_azure_says(execution)} {_PULL_REMEDY}"


def _failed(execution: ExecutionView) -> ContainerView | None:
    return next((each for each in execution.containers if each.exit_code), None)


def _azure_says(execution: ExecutionView) -> str:
    own = next((each for each in execution.containers if each.information not in _PLAIN), None)
    # That the limit of retries is reached says nothing where the container's exit code is known.
    is_told = execution.reason == _NO_MORE_TRIES and _failed(execution) is not None
    texts = ["" if is_told else execution.reason, "" if is_told else execution.message, own.information if own else ""]
    unique = [text for text in dict.fromkeys(" ".join(each.split()) for each in texts) if text]
    said = ": ".join(text.rstrip(".:") for text in unique)
    return f" Azure says: {said}." if said else ""
