"""The logger of the run that calls, and lines for the logs of a run that somebody looks after."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from prefect.exceptions import MissingContextError
from prefect.logging.loggers import get_logger, get_run_logger

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

# As text: before Python 3.11 an adapter cannot be subscripted at run time.
Log: TypeAlias = "logging.Logger | logging.LoggerAdapter[Any]"
"""A logger of the standard library, or Prefect's, which adapts such a one to a run."""

_ENTRY_CHARACTERS = 10_000
_ENTRIES_AT_A_TIME = 50


def run_logger(name: str) -> Log:
    """Get the run logger, so that lines reach the Prefect API; outside of a run, the logger called `name`.

    Args:
        name: Usually `__name__`.
    """
    try:
        return get_run_logger()
    except MissingContextError:
        return get_logger(name)


async def send_to_run(client: PrefectClient, flow_run_id: UUID, name: str, entries: Iterable[tuple[int, str]]) -> None:
    """Write into the logs of a flow run, from outside of it, 50 entries at a time.

    Args:
        client: Sends the entries.
        flow_run_id: The run.
        name: Name of the logger that the entries are shown under.
        entries: A level of the `logging` module and a text each; the oldest first.
    """
    from prefect.client.schemas.actions import LogCreate

    made = [
        LogCreate.model_validate(
            {
                "name": name,
                "level": level,
                "message": text,
                "timestamp": datetime.now(timezone.utc),
                "flow_run_id": flow_run_id,
            }
        )
        for level, text in entries
    ]
    for start in range(0, len(made), _ENTRIES_AT_A_TIME):
        await client.create_logs(made[start : start + _ENTRIES_AT_A_TIME])


def joined(lines: Iterable[str]) -> Iterator[str]:
    """Join lines to texts of at most some 10,000 characters each, to be sent as one entry.

    Args:
        lines: Lines without their ends. Of a longer line the beginning is kept, as a text of its own.
    """
    entry: list[str] = []
    size = 0
    for line in (line[:_ENTRY_CHARACTERS] for line in lines):
        if entry and size + len(line) > _ENTRY_CHARACTERS:
            yield "\n".join(entry)
            entry, size = [], 0
        entry.append(line)
        size += len(line) + 1
    if entry:
        yield "\n".join(entry)
