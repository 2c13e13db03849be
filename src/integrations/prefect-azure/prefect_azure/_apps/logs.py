"""Read what a job's containers have printed from Log Analytics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .rest import send

if TYPE_CHECKING:
    from ..credentials import AzureContainerInstanceCredentials

# Columns of the table that an environment writes to itself, and of that of diagnostic settings; a workspace has the
# tables that were written to: https://learn.microsoft.com/azure/container-apps/log-monitoring
_TABLES = (
    ("ContainerAppConsoleLogs_CL", "ContainerGroupName_s", "_timestamp_d", "Log_s"),
    ("ContainerAppConsoleLogs", "ContainerGroupName", "TimeGenerated", "Log"),
)
_TIMESPAN = "P7D"
_BAD_REQUEST = 400


def queries_of(execution: str, count: int) -> list[str]:
    """The queries for the last lines of an execution, the latest first, in the language of Log Analytics.

    Args:
        execution: Its name, with which the names of its replicas begin.
        count: How many lines at most.
    """
    prefix = json.dumps(f"{execution}-")
    return [
        f"{table} | where {group} startswith {prefix} | top {count} by {at} desc | project {line}"
        for table, group, at, line in _TABLES
    ]


def last_lines(
    credentials: AzureContainerInstanceCredentials, workspace_id: str, execution: str, count: int
) -> list[str]:
    """Read the latest lines, the oldest first; none where they have not arrived yet.

    Args:
        credentials: Who may read the workspace (role Log Analytics Data Reader).
        workspace_id: ID of the workspace, a GUID.
        execution: Name of the execution.
        count: How many at most.

    Raises:
        azure.core.exceptions.AzureError: If Azure refuses, or does not answer.
        AzureError: If there is no token.
    """
    from .._endpoints import CLOUDS, endpoint_for
    from .._identity import access_token

    public = CLOUDS[credentials.cloud].loganalytics
    own = endpoint_for(credentials.endpoints, "loganalytics")
    url = f"{own.url if own is not None else public}/v1/workspaces/{workspace_id}/query"
    token = access_token(credentials, f"{public}/.default")
    for query in queries_of(execution, count):
        answer = send("POST", url, token, {"query": query, "timespan": _TIMESPAN})
        if answer.status_code == _BAD_REQUEST:  # there is no such table
            continue
        answer.raise_for_status()
        tables: list[dict[str, Any]] = answer.json().get("tables") or []
        rows: list[list[Any]] = tables[0].get("rows") or [] if tables else []
        if rows:
            return [str(row[0]).rstrip("\n") for row in reversed(rows)]
    return []
