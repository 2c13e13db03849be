"""Whether Cloud Run can make a job ready: its images, its secrets."""

from __future__ import annotations

from typing import cast

from .clock import Clock
from .errors import Json
from .run_model import Condition, Job
from .run_play import Play, Runner
from .run_refusals import CANNOT_PULL
from .run_secrets import Secrets


def problem_of(job: Job, runner: Runner | Play, secrets: Secrets, clock: Clock) -> Condition | None:
    """Say why a job does not become ready; `None` when it does.

    Args:
        job: The job.
        runner: What runs its containers, or plays them.
        secrets: What there is.
        clock: Time.
    """
    task: Json = job.body["template"]["template"]
    now = clock.seconds()
    for container in cast("list[Json]", task["containers"]):
        image: str = container["image"]
        if isinstance(runner, Play):
            reason = runner.of(job.id).image_problem
            said = CANNOT_PULL[reason].format(image=image) if reason else ""
        else:
            reason, said = "CONTAINER_MISSING", runner.image_problem(image)
        if said:
            return Condition("Ready", "CONDITION_FAILED", now, said, reason)
    if missing := secrets.missing(job.project, task):
        account = task.get("serviceAccount", "default")
        said = (
            f"Permission denied on secret: {missing} for Revision service account {account}. The service account used "
            "must be granted the 'Secret Manager Secret Accessor' role (roles/secretmanager.secretAccessor) at the "
            "secret or a higher level."
        )
        return Condition("Ready", "CONDITION_FAILED", now, said, "SECRETS_ACCESS_CHECK_FAILED")
    return None
