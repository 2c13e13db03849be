"""What Snowflake's REST API is answered of compute pools and services, as `snowflake.core` asks it.

Paths and models: https://docs.snowflake.com/en/developer-guide/snowflake-rest-api/reference, the pages of compute pools
and services. Each request is the statement that does the same.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from .snowpark_sql import Command, SqlError

_SERVICE = r"/api/v2/databases/(?P<database>[^/]+)/schemas/(?P<schema>[^/]+)/services/(?P<name>[^/]+)"
_ROUTES = [
    ("GET", re.compile(r"/api/v2/compute-pools/(?P<name>[^/]+)"), "DESCRIBE COMPUTE POOL"),
    ("GET", re.compile(_SERVICE), "DESCRIBE SERVICE"),
    ("GET", re.compile(f"{_SERVICE}/containers"), "SHOW SERVICE CONTAINERS"),
    ("GET", re.compile(f"{_SERVICE}/logs"), "SYSTEM$GET_SERVICE_LOGS"),
    ("DELETE", re.compile(_SERVICE), "DROP SERVICE"),
]
_STATUSES = {2003: 404, 2002: 409, 3001: 403}
_LISTS = {"SHOW SERVICE CONTAINERS"}

Rows = list[dict[str, Any]]


def command_of_request(method: str, path: str, query: dict[str, str]) -> Command | None:
    """The statement that a request stands for; `None` if the API has no such endpoint here."""
    for verb, pattern, kind in _ROUTES:
        if verb != method or (match := pattern.fullmatch(path)) is None:
            continue
        name = tuple(part.upper() for part in match.groupdict().values())
        options: dict[str, Any] = {}
        if kind == "DROP SERVICE":
            options = {"IF EXISTS": query.get("ifExists") == "true", "FORCE": False}
        elif kind == "SYSTEM$GET_SERVICE_LOGS":
            lines = [int(query["numLines"])] if "numLines" in query else []
            options = {"ARGUMENTS": [query.get("instanceId", ""), query.get("containerName", ""), *lines]}
        return Command(kind, name, options)
    return None


def answer_of(command: Command | None, run: Callable[[Command], Rows]) -> tuple[int, Any]:
    """Do what a request stands for.

    Returns:
        The status and the body, for JSON.
    """
    if command is None:
        return 404, _error("002003", "There is no such endpoint.")
    try:
        rows: Rows = [_model(command.kind, row) for row in run(command)]
        first: dict[str, Any] = rows[0] if rows else {}
    except SqlError as exc:
        return _STATUSES.get(exc.code, 500), _error(f"{exc.code:06d}", str(exc))
    return 200, rows if command.kind in _LISTS else first


def _error(code: str, message: str) -> dict[str, str]:
    return {"error_code": code, "message": message, "request_id": str(uuid.uuid4())}


def _model(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row as the API's models have it: names in lower case, truth as such, times by RFC 3339."""
    found = {name.lower(): _value(value) for name, value in row.items()}
    if kind == "DESCRIBE SERVICE":
        found["spec"] = {"spec_type": "from_inline", "spec_text": row["spec"]}
    return {name: value for name, value in found.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
