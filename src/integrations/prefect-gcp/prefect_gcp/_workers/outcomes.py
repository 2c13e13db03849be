"""Say how an execution of a Cloud Run job ended."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prefect_integration_kit.outcomes import meaning_of, sentence

from .views import ExecutionView, TaskView

# What Cloud Run says of it: https://cloud.google.com/run/docs/troubleshooting
_REMEDIES = (
    (re.compile(r"memory limit|out of memory", re.IGNORECASE), "Raise `memory`, or let the flow use less."),
    (re.compile(r"maximum timeout|timeout was reached|timed out", re.IGNORECASE), "Raise `timeout`."),
    (
        re.compile(r"image.*(not found|does not exist)|manifest unknown", re.IGNORECASE),
        "Correct `image`, or push it to its registry.",
    ),
    (
        re.compile(r"permission.*(secret|secretmanager)|secretmanager", re.IGNORECASE),
        "Allow the job's service account to read the secret (roles/secretmanager.secretAccessor).",
    ),
)
_UNKNOWN = 1
"""Status code of an execution that failed without a task's exit code."""


def exit_code_of(execution: ExecutionView, tasks: Sequence[TaskView]) -> int:
    """Choose the status code: the first failed task's, or 128 and its signal, as a shell has it."""
    if execution.succeeded:
        return 0
    for task in tasks:
        if task.is_failed and task.exit_code:
            return task.exit_code
        if task.is_failed and task.signal:
            return 128 + task.signal
    return _UNKNOWN


def message_of(job_name: str, execution: ExecutionView, tasks: Sequence[TaskView]) -> str:
    """Say what happened, the exit code, the task, the remedy when there is a known one, and where the logs are.

    Args:
        job_name: Name of the job.
        execution: Its execution, which has ended.
        tasks: Tasks of the execution; none where they cannot be read.
    """
    title = f"Cloud Run job {job_name!r}"
    if execution.succeeded:
        return f"{title} succeeded."
    parts = [f"{title} was cancelled." if execution.is_cancelled else f"{title} failed."]
    failed = next((task for task in tasks if task.is_failed), None)
    if failed is not None:
        parts.append(_of_task(failed, execution))
    if execution.message and not (failed is not None and failed.message and failed.message in execution.message):
        parts.append(f"Cloud Run says: {sentence(execution.message)}")
    said = " ".join([execution.message, *(task.message for task in tasks)])
    if remedy := next((text for pattern, text in _REMEDIES if pattern.search(said)), ""):
        parts.append(remedy)
    elif failed is not None and (meaning := _meaning(failed)):
        parts.append(meaning)
    if execution.log_uri:
        parts.append(f"Logs: {execution.log_uri}")
    return " ".join(parts)


def _of_task(task: TaskView, execution: ExecutionView) -> str:
    name = f"Task {task.index} of {execution.task_count}" if execution.task_count > 1 else "Its container"
    if task.exit_code is not None:
        said = f"{name} exited with code {task.exit_code}"
    elif task.signal is not None:
        said = f"{name} was ended by signal {task.signal}"
    else:
        said = f"{name} failed"
    if task.retried:
        said += f" after {task.retried + 1} attempts"
    return f"{said}: {sentence(task.message)}" if task.message else f"{said}."


def _meaning(task: TaskView) -> str:
    code = task.exit_code if task.exit_code is not None else 128 + (task.signal or 0)
    return meaning_of(code)
