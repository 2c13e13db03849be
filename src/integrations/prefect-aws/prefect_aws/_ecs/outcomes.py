"""What a stopped task means for the flow run that it was started for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..observers.diagnostics import diagnose
from .containers import exit_code_of, orchestration_container


class Outcome(NamedTuple):
    """How a stopped task ended.

    Attributes:
        succeeded: Whether the flow's container exited with 0. What state the run is in is another question.
        exit_code: Exit code of the flow's container; `None` if it has none.
        never_started: Whether the flow's container never ran.
        message: What happened, in ECS's words and ours, with the remedy where one is known.
    """

    succeeded: bool
    exit_code: int | None
    never_started: bool
    message: str


def outcome_of(task: Mapping[str, Any], tags: Mapping[str, str]) -> Outcome:
    """Say how a stopped task ended.

    Args:
        task: A stopped task, as DescribeTasks or an event gives it. Times are not looked at, only whether they are
            there.
        tags: The task's tags; `prefect.io/container-name` says which container decides.
    """
    container = orchestration_container(task, tags)
    exit_code = exit_code_of(container)
    name = str(task.get("taskArn") or "unknown").rpartition("/")[2]
    diagnosis = diagnose(task, container)
    if diagnosis is None:
        return Outcome(True, exit_code, False, f"The flow's container exited with 0. ECS task {name}.")
    message = " ".join([diagnosis.summary, diagnosis.detail, diagnosis.resolution, f"ECS task {name}."])
    return Outcome(False, exit_code, exit_code is None and not _has_run(task, container), message)


def _has_run(task: Mapping[str, Any], container: Mapping[str, Any] | None) -> bool:
    # `startedAt` is when the task came from PENDING to RUNNING, which is after its containers have started.
    return container is not None and bool(task.get("startedAt"))
