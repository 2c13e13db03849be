"""What Snowflake's connector is answered: sign-in, statements, the end of a session; and the REST API beside them.

The requests are those that snowflake-connector-python sends (`network.py` and `auth/_auth.py` of it).
"""

from __future__ import annotations

import gzip
import json
import uuid
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from ._http_server import HttpHandler
from .snowpark_account import Json, Row, State
from .snowpark_rest import answer_of, command_of_request
from .snowpark_sql import Command, SqlError

WRONG_PASSWORD = "390100"
_SESSION_EXPIRED, _MASTER_EXPIRED = "390112", "390114"
_TIME = "TIMESTAMP_LTZ"


class Owner(Protocol):
    """What the handlers serve."""

    state: State
    default_place: tuple[str | None, str | None]

    def sign_in(self, data: Json, query: dict[str, str]) -> Json:
        """Answer a login request."""
        ...

    def is_session(self, header: str) -> bool:
        """Whether a token is one of those handed out."""
        ...

    def do(self, command: Command, place: tuple[str | None, str | None]) -> tuple[list[Row], str | None]:
        """Do what a request says."""
        ...

    def run(self, text: str, values: list[str], place: tuple[str | None, str | None]) -> tuple[list[Row], str | None]:
        """Do what a statement says."""
        ...


def refused(code: str, message: str, data: Json | None = None) -> Json:
    """What a request that fails is answered."""
    return {"success": False, "code": code, "message": message, "data": data or {}}


def _answer(rows: list[Row]) -> Json:
    names = list(rows[0]) if rows else ["name", "status", "database_name", "schema_name", "comment", "created_on"]
    times = {name for name in names if name in {"created_on", "updated_on", "start_time"}}
    columns = [
        {
            "name": name,
            "type": _TIME if name in times else "TEXT",
            "length": None if name in times else 16777216,
            "byteLength": None,
            "precision": 0 if name in times else None,
            "scale": 3 if name in times else None,
            "nullable": True,
        }
        for name in names
    ]
    cells = [[_cell(row[name], is_time=name in times) for name in names] for row in rows]
    data = {
        "parameters": [],
        "rowtype": columns,
        "rowset": cells,
        "total": len(rows),
        "returned": len(rows),
        "queryId": str(uuid.uuid4()),
        "sqlState": "00000",
        "statementTypeId": 8192,
        "queryResultFormat": "json",
    }
    return {"success": True, "code": None, "message": None, "data": data}


def _cell(value: Any, *, is_time: bool) -> str | None:
    if value is None:
        return None
    return f"{value.timestamp():.3f}" if is_time else str(value)


class Handler(HttpHandler):
    """Answers the connector."""

    def serve(self) -> None:
        """Answer one request."""
        owner: Owner = self.server.owner
        content = self.read_content()
        if self.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        body: Json = json.loads(content) if content else {}
        split = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        if split.path == "/session/v1/login-request":
            self._say(owner.sign_in(body["data"], query))
        elif split.path == "/session/token-request":
            self._say(refused(_MASTER_EXPIRED, "Authentication token has expired. The user must authenticate again."))
        elif split.path == "/queries/v1/query-request":
            self._statement(owner, body, query)
        elif split.path.startswith("/api/v2/"):
            self._rest(owner, split.path, query)
        else:  # abort-request, the end of a session, telemetry
            self._say({"success": True, "code": None, "message": None, "data": {}})

    def _statement(self, owner: Owner, body: Json, query: dict[str, str]) -> None:
        if not owner.is_session(self.headers.get("Authorization", "")):
            self._say(refused(_SESSION_EXPIRED, "Session token expired."))
            return
        request = query.get("requestId", "")
        if (known := owner.state.answers.get(request)) is not None:  # a repeated request is not done twice
            self._say(known)
            return
        bound: Json = body.get("bindings") or {}
        values = [str(bound[str(index + 1)]["value"]) for index in range(len(bound))]
        place = owner.default_place
        try:
            rows, after = owner.run(str(body["sqlText"]), values, place)
        except SqlError as exc:
            data = {"errorCode": f"{exc.code:06d}", "sqlState": exc.state, "queryId": str(uuid.uuid4())}
            self._say(refused(f"{exc.code:06d}", str(exc), data))
            return
        if after == "http":
            self.send(503, b"", {})
            return
        answer = owner.state.answers[request] = _answer(rows)
        if after == "lost":
            self.cut()
            return
        self._say(answer)

    def _rest(self, owner: Owner, path: str, query: dict[str, str]) -> None:
        if not owner.is_session(self.headers.get("Authorization", "")):
            self._say({"error_code": _SESSION_EXPIRED, "message": "Session token expired."}, 401)
            return
        afters: list[str | None] = []

        def run(command: Command) -> list[Row]:
            rows, after = owner.do(command, owner.default_place)
            afters.append(after)
            return rows

        status, answer = answer_of(command_of_request(self.command, path, query), run)
        if "http" in afters:
            self.send(503, b"", {})
        elif "lost" in afters:
            self.cut()
        else:
            self._say(answer, status)

    def _say(self, answer: Any, status: int = 200) -> None:
        self.send(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})
