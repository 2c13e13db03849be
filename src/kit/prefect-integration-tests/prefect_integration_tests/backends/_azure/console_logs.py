"""What Container Apps writes to Log Analytics: lines of containers, and events of the system.

https://learn.microsoft.com/azure/container-apps/log-monitoring
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .arm_errors import Json

if TYPE_CHECKING:
    from .arm_server import ArmServer

CONSOLE, SYSTEM = "ContainerAppConsoleLogs_CL", "ContainerAppSystemLogs_CL"


@dataclass(frozen=True)
class Row:
    """A row of a table."""

    at_seconds: float
    """When it was written, since the epoch."""

    columns: Json


@dataclass
class ConsoleLogs:
    """The tables. Everything happens under the server's lock."""

    server: ArmServer
    rows: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])

    def write(self, place: Json, lines: Sequence[str], stream: str = "stdout") -> None:
        """Keep lines of a container.

        Args:
            place: Columns that say where it runs.
            lines: Without line ends.
            stream: `stdout` or `stderr`.
        """
        self._add(CONSOLE, [{**place, "Stream_s": stream, "Log_s": line} for line in lines])

    def event(self, place: Json, reason: str, message: str, kind: str = "Normal") -> None:
        """Keep an event of the system."""
        self._add(SYSTEM, [{**place, "Reason_s": reason, "Log_s": message, "Type_s": kind, "Count_d": 1}])

    def _add(self, table: str, rows: Sequence[Json]) -> None:
        clock = self.server.clock
        now, text = clock.seconds(), clock.text()
        kept = self.rows.setdefault(table, [])
        for index, row in enumerate(rows):
            at = now + index * 1e-6
            kept.append(Row(at, {"TimeGenerated": text, "_timestamp_d": at, **row, "Type": table}))

    def table(self, name: str) -> list[Json] | None:
        """Give the rows of a table that have been taken in; `None` when there is no such table.

        The tables of Azure Monitor have the same columns, without what follows the underscore.
        """
        by_name = {each.lower(): each for each in (CONSOLE, SYSTEM)}
        wanted = name.lower()
        plain = f"{wanted}_cl"
        found = by_name.get(wanted) or by_name.get(plain)
        if found is None:
            return None
        latest = self.server.clock.seconds() - self.server.settings.log_ingestion_seconds
        rows = [row.columns for row in self.rows.get(found, []) if row.at_seconds <= latest + 1e-3]
        return rows if wanted in by_name else [{_plain(key): value for key, value in row.items()} for row in rows]

    def reset(self) -> None:
        """Forget all."""
        self.rows.clear()


def _plain(column: str) -> str:
    name = column.removesuffix("_s").removesuffix("_d").removesuffix("_g")
    return {"ContainerJobName": "JobName"}.get(name, name)
