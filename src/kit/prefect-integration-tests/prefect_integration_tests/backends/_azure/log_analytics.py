"""Queries of Log Analytics.

https://learn.microsoft.com/rest/api/loganalytics/query/execute
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .arm_errors import ArmError, Json
from .arm_service import Answer, ArmRequest, Provider, answers
from .kql import QueryError, run

if TYPE_CHECKING:
    from .arm_server import ArmServer
    from .console_logs import ConsoleLogs

_QUERY = "/v1/workspaces/{workspaceId}/query"
_DURATION = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$")


class LogAnalytics(Provider):
    """All workspaces; they have the same tables."""

    namespace = "Microsoft.OperationalInsights"

    def __init__(self, server: ArmServer, logs: ConsoleLogs) -> None:
        """Stand in a server.

        Args:
            server: Where it stands.
            logs: The tables.
        """
        super().__init__(server)
        self._logs = logs

    def model(self, name: str) -> type[Any]:
        """There is none: no SDK for it is needed."""
        raise LookupError(name)

    def reset(self) -> None:
        """There is nothing of its own to forget."""

    @answers("Query_Execute", "POST", _QUERY, is_management=False)
    def execute(self, request: ArmRequest) -> Answer:
        """Run a query of the Kusto language, see `kql`, over a `timespan` if one is given."""
        self.server.principal_of(request.token)
        query = request.body.get("query")
        if not isinstance(query, str) or not query.strip():
            raise _bad("The request had some invalid properties", "A query is required.")
        now = self.server.clock.seconds()
        start = self._start(request.body.get("timespan"), now)

        def table(name: str) -> list[Json] | None:
            rows = self._logs.table(name)
            return rows if rows is None or start is None else [row for row in rows if row["TimeGenerated"] >= start]

        try:
            columns, rows = run(query, table, now)
        except QueryError as exc:
            raise _bad("The request had some invalid properties", str(exc)) from exc
        kinds = [{"name": name, "type": _type_of(name)} for name in columns]
        return Answer({"tables": [{"name": "PrimaryResult", "columns": kinds, "rows": rows}]})

    def _start(self, timespan: Any, now: float) -> str | None:
        from .._server_clock import stamp

        if not timespan:
            return None
        first = str(timespan).partition("/")[0]
        found = _DURATION.match(first)
        if found is not None:
            days, hours, minutes, seconds = (float(each or 0) for each in found.groups())
            span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            return stamp(now - span.total_seconds())
        try:
            return stamp(datetime.fromisoformat(first.replace("Z", "+00:00")).timestamp())
        except ValueError:
            raise _bad("The request had some invalid properties", f"The timespan '{timespan}' is invalid.") from None


def _type_of(column: str) -> str:
    return "datetime" if column == "TimeGenerated" else "real" if column.endswith("_d") else "string"


def _bad(message: str, inner: str) -> ArmError:
    error = ArmError(400, "BadArgumentError", message)
    error.inner = {"code": "SyntaxError", "message": inner}
    return error
