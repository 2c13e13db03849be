"""Queries of the front: they run in threads, can be looked at, held back, and cancelled."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

CANCELLED = ("000604", "57014", "SQL execution canceled")
NO_WAREHOUSE = (
    "000606",
    "57P03",
    "No active warehouse selected in the current session.",
)
IN_PROGRESS, DETACHED = "333333", "333334"

_WAIT = re.compile(r"\s*(?:call|select)\s+system\$wait\(\s*(\d+)", re.IGNORECASE)
_RESULT_SCAN = re.compile(
    r"\s*select\s+\*\s+from\s+table\(\s*result_scan\('([0-9a-f-]{36})'\)\s*\)\s*;?\s*\Z", re.IGNORECASE
)
_CANCEL = re.compile(r"\s*select\s+system\$cancel_query\('([0-9a-f-]{36})'\)", re.IGNORECASE)
_ALTER_SESSION = re.compile(r"\s*alter\s+session\s+(?:un)?set\b", re.IGNORECASE)
_USES_WAREHOUSE = re.compile(r"\s*(?:select|with|insert|update|delete|merge|copy|call)\b", re.IGNORECASE)


def failure(code: str, state: str, message: str, query_id: str | None = None) -> Json:
    """Make the answer of a statement that failed."""
    data: Json = {"errorCode": code, "sqlState": state, "internalError": False}
    if query_id:
        data["queryId"] = query_id
    return {"data": data, "code": code, "message": message, "success": False}


def text_result(name: str, *values: str) -> Json:
    """Make the answer of a statement that gives texts in one column."""
    return table_result([name], [[value] for value in values])


def table_result(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Json:
    """Make the answer of a statement that gives texts."""
    shape = {"type": "text", "nullable": True, "length": 16777216, "byteLength": 16777216, "precision": None}
    shape.update({"scale": None, "database": "", "schema": "", "table": "", "collation": None})
    return {
        "data": {
            "parameters": [],
            "rowtype": [{"name": name, **shape} for name in names],
            "rowset": [list(row) for row in rows],
            "total": len(rows),
            "returned": len(rows),
            "queryResultFormat": "json",
            "statementTypeId": 4096,
        },
        "success": True,
    }


@dataclass
class SnowflakeQuery:
    """A statement that came in.

    Attributes:
        sql: Its text.
        parameters: Parameters of the statement, such as `QUERY_TAG`.
        request_id: ID of the request.
        session: Token of the session.
        is_async: Whether it runs by itself.
        query_id: Its ID.
        was_cancelled: Whether somebody cancelled it.
        cancelled_by: `id`, `request` or `sql`.
        body: The whole request.
    """

    sql: str
    parameters: Json
    request_id: str
    session: str
    is_async: bool
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    was_cancelled: bool = False
    cancelled_by: str = ""
    body: Json = field(default_factory=dict[str, Any])
    done: threading.Event = field(default_factory=threading.Event)
    cancel: threading.Event = field(default_factory=threading.Event)
    answer: Json = field(default_factory=dict[str, Any])

    @property
    def tag(self) -> str | None:
        """Its QUERY_TAG."""
        return self.parameters.get("QUERY_TAG")

    def status(self) -> Json:
        """Say how it stands, as the monitoring API does."""
        if not self.done.is_set():
            return {"id": self.query_id, "status": "RUNNING"}
        if self.answer.get("success"):
            return {"id": self.query_id, "status": "SUCCESS"}
        name = "ABORTED" if self.was_cancelled else "FAILED_WITH_ERROR"
        code, message = self.answer.get("code"), self.answer.get("message")
        return {"id": self.query_id, "status": name, "errorCode": code, "errorMessage": message}


Forward = Callable[[SnowflakeQuery, str], Json]


class Queries:
    """All statements since the last reset."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._lock = threading.Lock()
        self._split: Callable[[str], list[str]] = _split
        self.reset()

    def reset(self) -> None:
        """Forget them; those under way are cancelled."""
        for query in list(getattr(self, "all", [])):
            query.cancel.set()
        self.all: list[SnowflakeQuery] = []
        self.held = threading.Event()
        self.is_holding = False
        self.is_suspended = False
        self.refusals: list[tuple[re.Pattern[str], tuple[str, str, str]]] = []

    def find(self, query_id: str) -> SnowflakeQuery | None:
        """Find one by its ID."""
        return next((query for query in list(self.all) if query.query_id == query_id), None)

    def start(self, query: SnowflakeQuery) -> SnowflakeQuery:
        """Let a statement run. One whose request ID is known is the same one, sent again."""
        with self._lock:
            known = next((other for other in self.all if other.request_id == query.request_id), None)
            if known is not None:
                return known
            self.all.append(query)
        threading.Thread(target=self._run, args=(query,), name="snowflake-query", daemon=True).start()
        return query

    def stop(self, query: SnowflakeQuery, by: str) -> bool:
        """Cancel a statement, if it has not ended."""
        if query.done.is_set():
            return False
        query.was_cancelled, query.cancelled_by = True, by
        query.cancel.set()
        query.done.wait(10)
        return True

    def _run(self, query: SnowflakeQuery) -> None:
        try:
            query.answer = self._answer(query)
        except Exception as exc:  # noqa: BLE001 - the client is told, and the test sees it
            query.answer = failure("000603", "XX000", f"SQL execution internal error: {exc}")
        if query.was_cancelled:
            query.answer = failure(*CANCELLED, query.query_id)
        data = query.answer.get("data")
        if isinstance(data, dict):
            data["queryId"] = query.query_id
        query.done.set()

    def _answer(self, query: SnowflakeQuery) -> Json:
        wanted = query.parameters.get("MULTI_STATEMENT_COUNT")
        statements = self._split(query.sql) if wanted is not None and int(wanted) != 1 else [query.sql]
        if wanted is not None and int(wanted) > 1 and len(statements) != int(wanted):
            message = f"Actual statement count {len(statements)} did not match the desired statement count {wanted}."
            return failure("000008", "0A000", message)
        if wanted is None or int(wanted) == 1:
            return self._single(query, query.sql)
        ids: list[str] = []
        for statement in statements:
            child = SnowflakeQuery(statement, {}, str(uuid.uuid4()), query.session, is_async=False)
            child.cancel = query.cancel
            child.answer = self._single(child, statement)
            child.done.set()
            if not child.answer.get("success"):
                return child.answer
            child.answer["data"]["queryId"] = child.query_id
            with self._lock:
                self.all.append(child)
            ids.append(child.query_id)
        answer = text_result("multiple statement execution", "Multiple statements executed successfully.")
        answer["data"].update({"resultIds": ",".join(ids), "resultTypes": ",".join("4096" for _ in ids)})
        return answer

    def _single(self, query: SnowflakeQuery, sql: str) -> Json:
        for pattern, refusal in self.refusals:
            if pattern.search(sql):
                return failure(*refusal)
        if found := _RESULT_SCAN.match(sql):
            return self._result(found[1])
        if found := _CANCEL.match(sql):
            other = self.find(found[1])
            was = other is not None and self.stop(other, "sql")
            return text_result("SYSTEM$CANCEL_QUERY", "query terminated." if was else "invalid query ID.")
        if self.is_suspended and _USES_WAREHOUSE.match(sql):
            return failure(*NO_WAREHOUSE)
        if _ALTER_SESSION.match(sql):
            return text_result("status", "Statement executed successfully.")
        if found := _WAIT.match(sql):
            self.held.set()
            query.cancel.wait(int(found[1]))
            return text_result("SYSTEM$WAIT", f"waited {found[1]} seconds")
        while self.is_holding and _USES_WAREHOUSE.match(sql):
            self.held.set()
            if query.cancel.wait(0.01):
                break
        return {} if query.cancel.is_set() else self._forward(query, sql)

    def _result(self, query_id: str) -> Json:
        other = self.find(query_id)
        if other is None or not other.done.is_set():
            return failure("000709", "02000", f"Statement {query_id} not found")
        answer = {**other.answer}
        if isinstance(answer.get("data"), dict):
            answer["data"] = {**answer["data"], "statementTypeId": 4096}
        return answer


def _split(script: str) -> list[str]:
    from io import StringIO

    from snowflake.connector.util_text import split_statements

    return [statement for statement, _ in split_statements(StringIO(script)) if statement.strip("; \n\t")]
