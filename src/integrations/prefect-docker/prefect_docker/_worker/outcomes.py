"""Say how a container ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.outcomes import meaning_of

from .documents import ended_at, exit_code_of, part
from .identifiers import parse_identifier
from .sizes import readable

if TYPE_CHECKING:
    from datetime import datetime

    from prefect_integration_kit.settlement import Ended

UNKNOWN_EXIT_CODE = -1
"""Status code of a container that was removed before anybody saw how it ended."""

# Codes of the shell and of the engine: https://docs.docker.com/engine/containers/run/#exit-status
_MEANINGS = {
    126: "The command was found, but is not executable. Correct `command`, or the file's mode in the image.",
    127: "The command was not found. Correct `command`, or install what it calls in the image; the default one needs "
    "Prefect in it.",
    137: "It was killed by SIGKILL: by somebody, or by the host's kernel for want of memory.",
    143: "It was stopped by SIGTERM: by somebody, or because the host or its engine was shut down.",
}


@dataclass(frozen=True)
class Outcome:
    """How a container ended."""

    exit_code: int
    message: str
    ended_at: datetime | None

    @property
    def succeeded(self) -> bool:
        """Whether it exited with 0."""
        return self.exit_code == 0


def outcome_of(name: str, document: Mapping[str, Any] | None) -> Outcome:
    """Read how a container ended.

    Args:
        name: What to call it.
        document: What the engine says of it, as ContainerInspect gives it; `None` when it is gone.
    """
    if document is None:
        message = (
            f"Container {name!r} was removed before its end was seen, so how it ended is not known. Leave it to the "
            "worker to remove containers: set `auto_remove`, or how long to keep them."
        )
        return Outcome(UNKNOWN_EXIT_CODE, message, None)
    state, exit_code, moment = part(document, "State"), exit_code_of(document), ended_at(document)
    if state.get("OOMKilled") and exit_code != 0:
        limit = int(part(document, "HostConfig").get("Memory") or 0)
        bound = f"its limit is {readable(limit)}" if limit else "it has no limit of its own"
        message = (
            f"Container {name!r} ran out of memory and was killed (exit code {exit_code}): {bound}. Raise `mem_limit`, "
            "or let the flow use less."
        )
        return Outcome(exit_code, message, moment)
    parts = [f"Container {name!r} exited with code {exit_code}."]
    if meaning := meaning_of(exit_code, _MEANINGS):
        parts.append(meaning)
    if error := str(state.get("Error") or "").strip():
        parts.append(f"The engine says: {error}")
    return Outcome(exit_code, " ".join(parts), moment)


def ended_of(name: str, identifier: str, outcome: Outcome) -> Ended:
    """Say it in the words of the settlement.

    Args:
        name: What to call the container.
        identifier: What the run's `infrastructure_pid` says.
        outcome: How it ended.
    """
    from prefect_integration_kit.settlement import Ended

    container_id = parse_identifier(identifier).container_id

    def is_named_by(infrastructure_pid: str) -> bool:
        try:
            return parse_identifier(infrastructure_pid).container_id == container_id
        except ValueError:
            return False

    return Ended(
        name=f"container {name}",
        message=outcome.message,
        succeeded=outcome.succeeded,
        ended_at=outcome.ended_at,
        is_named_by=is_named_by,
        label=name,
    )
