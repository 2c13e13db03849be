"""Say how a job ended, or why it did not come to run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prefect_integration_kit.outcomes import meaning_of, sentence

from .views import SUCCEEDED, ContainerView, PoolView, ServiceView

UNKNOWN_EXIT_CODE = 1
"""Status code of a job that failed without its container's exit code."""

_REMEDIES = (
    (
        re.compile(r"oom|out of memory|memory limit", re.IGNORECASE),
        (
            "The container was killed for want of memory: raise `memory_request` and `memory_limit`, or let the flow "
            "use less."
        ),
    ),
    (
        re.compile(r"pull image|image.*(not found|does not exist)|imagepull|manifest unknown|unauthorized", re.I),
        (
            "Check `image` and `image_registry`: the image must be in an image repository of Snowflake, for "
            "linux/amd64, and the role needs READ on the repository."
        ),
    ),
    (
        re.compile(r"unschedulable|insufficient|cannot fit|exceeds|not enough", re.IGNORECASE),
        "Ask for less (`cpu_request`, `memory_request`, `gpu_count`), or use a compute pool with larger or more nodes.",
    ),
    (
        re.compile(r"secret", re.IGNORECASE),
        "Check the names in `secrets`, and that the role has READ on each and USAGE on their schema.",
    ),
    (
        re.compile(r"volume|mount", re.IGNORECASE),
        "Check `volumes` and `volume_mounts`.",
    ),
)


def remedy_for(text: str) -> str:
    """What to do about what Snowflake says; empty where that is not known."""
    return next((remedy for pattern, remedy in _REMEDIES if pattern.search(text)), "")


def exit_code_of(view: ServiceView, container: ContainerView | None) -> int:
    """The exit code of the container that runs the flow; 1 where a job failed and Snowflake does not say it."""
    if view.status == SUCCEEDED:
        return 0
    if container is not None and container.exit_code:
        return container.exit_code
    return UNKNOWN_EXIT_CODE


def message_of(view: ServiceView, container: ContainerView | None) -> str:
    """Say what happened, the exit code, the remedy when there is a known one.

    Args:
        view: A job that has ended.
        container: Its container, where it is known.
    """
    title = f"Snowpark job {str(view.service)!r}"
    if view.status == SUCCEEDED:
        return f"{title} succeeded."
    if view.status == "INTERNAL_ERROR":
        return f"{title} failed because of an error inside Snowflake. Run it again; ask Snowflake if it stays."
    parts = [f"{title} failed."]
    said = ""
    if container is not None:
        code = f" exited with code {container.exit_code}" if container.exit_code else " failed"
        parts.append(f"Its container {container.name!r}{code}.")
        said = container.message
        if said:
            parts.append(f"Snowflake says: {sentence(said)}")
    meaning = meaning_of(exit_code_of(view, container)) if container is not None and container.exit_code else ""
    parts.append(remedy_for(said) or meaning)
    return " ".join(part for part in parts if part)


def is_hopeless(container: ContainerView | None) -> bool:
    """Whether a container that waits will wait for ever: Snowflake tries again and again to pull a missing image."""
    return container is not None and container.status == "FAILED"


def why_late(service: str, view: ServiceView | None, containers: Sequence[ContainerView], seconds: float) -> str:
    """Say why a job was not started in time."""
    status = view.status if view is not None else "not there"
    said = " ".join(dict.fromkeys(sentence(item.message) for item in containers if item.message))
    told = f" Snowflake says: {said}" if said else ""
    remedy = remedy_for(said)
    return (
        f"Snowpark job {service!r} did not run after {seconds:g} seconds; it is {status}.{told} "
        + (f"{remedy} " if remedy else "")
        + "Raise `service_start_timeout_seconds` if it needs longer, such as for a large image or a full compute pool."
    )


def pool_late(pool: PoolView, seconds: float) -> str:
    """Say that a compute pool was not ready in time."""
    said = f" Snowflake says: {sentence(pool.message)}" if pool.message else ""
    return (
        f"Compute pool {pool.name!r} was not ready after {seconds:g} seconds; it is {pool.state}.{said} Raise "
        "`pool_start_timeout_seconds` if it needs longer, or see whether Snowflake has machines of its kind."
    )
