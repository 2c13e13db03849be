"""Read what containers have printed from Cloud Logging."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .calls import Calls

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false


async def last_lines(calls: Calls, project: str, filter_text: str, count: int) -> str:
    """Read the latest lines, the oldest first.

    Args:
        calls: Calls of Cloud Logging's API, version 2.
        project: The project.
        filter_text: Which entries, in the language of Cloud Logging
            (https://cloud.google.com/logging/docs/view/logging-query-language).
        count: How many at most.

    Raises:
        GcpError: If Google refuses, or does not answer.
    """
    body = {
        "resourceNames": [f"projects/{project}"],
        "filter": filter_text,
        "orderBy": "timestamp desc",
        "pageSize": count,
    }
    answer = await calls.repeated(lambda client: client.entries().list(body=body), f"Logs of project {project!r}")
    return "\n".join(line_of(entry) for entry in reversed(answer.get("entries") or []))


def line_of(entry: Mapping[str, Any]) -> str:
    """The text of an entry, whichever form it has."""
    if "textPayload" in entry:
        return str(entry["textPayload"]).rstrip("\n")
    payload = entry.get("jsonPayload") or entry.get("protoPayload") or {}
    return str(payload["message"]) if "message" in payload else json.dumps(payload)


def quoted(text: str) -> str:
    """Write a text as a value in a filter."""
    return json.dumps(text)
