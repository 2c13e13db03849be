"""The SQL Statement Execution API: statements by DuckDB, results in chunks, inline or behind links."""

from __future__ import annotations

import importlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .calls import ApiError, DatabricksCall, Json, invalid
from .checks import LIST, NUMBER, TEXT
from .plays import StatementPlay
from .sql_types import PARAMETER_TYPE, column, duckdb_type, written

_ids = itertools.count(1)
_KEPT_SECONDS = 3600
"""How long a result can be fetched."""

_FIELDS = {
    "statement": TEXT,
    "warehouse_id": TEXT,
    "catalog": TEXT,
    "schema": TEXT,
    "disposition": TEXT,
    "format": TEXT,
    "wait_timeout": TEXT,
    "on_wait_timeout": TEXT,
    "parameters": LIST,
    "query_tags": LIST,
    "row_limit": NUMBER,
    "byte_limit": NUMBER,
}
"""https://docs.databricks.com/api/workspace/statementexecution/executestatement."""

_MARKER = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/"""
    r"""|(?P<identifier>(?i:IDENTIFIER)\(\s*:(?P<part>\w+)\s*\))|(?<![:\w]):(?P<name>[A-Za-z_]\w*)""",
    re.DOTALL,
)


@dataclass
class Statement:
    """One statement, as it goes on."""

    statement_id: str
    body: Json
    play: StatementPlay
    created: float
    state: str = "PENDING"
    error: Json | None = None
    ended: float = 0.0
    columns: list[Json] = field(default_factory=list[Json])
    rows: list[Any] = field(default_factory=list[Any])
    table: Any = None
    is_truncated: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in ("PENDING", "RUNNING")


class Statements:
    """Statements of a workspace. The server's lock is held by whoever calls."""

    def __init__(self, seconds: Callable[[], float], warehouse: str, endpoint: Callable[[], str]) -> None:
        """Start with none.

        Args:
            seconds: The server's time.
            warehouse: Id of the warehouse that there is.
            endpoint: The workspace's address.
        """
        self._seconds = seconds
        self._endpoint = endpoint
        self._warehouse = warehouse
        self._connection: Any = None
        self.reset()

    def reset(self) -> None:
        """Forget everything, tables included."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self.statements: dict[str, Statement] = {}
        self.play = StatementPlay()
        self.plays: list[StatementPlay] = []
        self.rows_per_chunk = 1000
        self.inline_limit_bytes = 25 * 1024 * 1024
        self.link_seconds = 900.0
        self.executed: list[str] = []

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute SQL as a test wishes, to make tables and to look at them."""
        return self._cursor().execute(sql).fetchall()

    def _cursor(self) -> Any:
        if self._connection is None:
            import duckdb  # heavy, and needed by tests of SQL alone

            self._connection = duckdb.connect()
            self._connection.execute("SET TimeZone = 'UTC'")
        return self._connection.cursor()

    # What the API answers

    def execute_statement(self, call: DatabricksCall) -> Json:
        """POST sql/statements."""
        body = _checked(call.body)
        if body["warehouse_id"] != self._warehouse:
            raise invalid(f"{body['warehouse_id']} is not a valid endpoint id.")
        play = self.plays.pop(0) if self.plays else self.play
        statement = Statement(f"01ef-{next(_ids):08x}", body, play, self._seconds())
        self.statements[statement.statement_id] = statement
        wait = float(body.get("wait_timeout", "10s").rstrip("s"))
        duration = None if play.seconds is None else play.pending_seconds + play.seconds
        if wait and duration is not None and duration <= wait:
            self._finish(statement)
        elif wait and body.get("on_wait_timeout", "CONTINUE") == "CANCEL":
            statement.state, statement.ended = "CANCELED", self._seconds()
        return self._view(statement)

    def get_statement(self, call: DatabricksCall) -> Json:
        """GET sql/statements/{id}."""
        return self._view(self._find(call.ids[0]))

    def get_statement_chunk(self, call: DatabricksCall) -> Json:
        """GET sql/statements/{id}/result/chunks/{index}."""
        statement = self._find(call.ids[0])
        if statement.state != "SUCCEEDED":
            raise ApiError(
                404, f"The statement {statement.statement_id} has no result: {statement.state}.", "NOT_FOUND"
            )
        index = int(call.ids[1])
        if index >= len(self._chunks(statement)):
            raise invalid(f"The chunk {index} does not exist.")
        return self._result(statement, index)

    def cancel_statement(self, call: DatabricksCall) -> Json:
        """POST sql/statements/{id}/cancel."""
        statement = self._find(call.ids[0])
        if not statement.has_ended:
            statement.state, statement.ended = "CANCELED", self._seconds()
        return {}

    def get_warehouse(self, call: DatabricksCall) -> Json:
        """GET sql/warehouses/{id}."""
        if call.ids[0] != self._warehouse:
            raise invalid(f"{call.ids[0]} is not a valid endpoint id.")
        return {"id": self._warehouse, "name": "Tests", "state": "RUNNING", "warehouse_type": "PRO"}

    def list_warehouses(self, call: DatabricksCall) -> Json:
        """GET sql/warehouses."""
        del call
        return {"warehouses": [{"id": self._warehouse, "name": "Tests", "state": "RUNNING"}]}

    def fetch_external_link(self, call: DatabricksCall) -> bytes:
        """GET what a link leads to. Stores of clouds refuse a request that is signed and has a token, too."""
        if call.has_authorization:
            raise invalid(
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter should be specified."
            )
        if float(call.value("expires") or 0) < self._seconds():
            raise ApiError(403, "Request has expired", "AccessDenied")
        statement = self.statements[call.ids[0]]
        return self._content(statement, int(call.ids[1]))

    # Statements

    def _find(self, statement_id: str) -> Statement:
        statement = self.statements.get(statement_id)
        if statement is None:
            raise ApiError(404, f"The statement {statement_id} was not found.", "NOT_FOUND")
        self._advance(statement)
        return statement

    def _advance(self, statement: Statement) -> None:
        now, play = self._seconds(), statement.play
        if statement.has_ended:
            if statement.state == "SUCCEEDED" and now - statement.ended > _KEPT_SECONDS:
                statement.state = "CLOSED"
            return
        if now - statement.created >= play.pending_seconds:
            statement.state = "RUNNING"
        if play.seconds is not None and now - statement.created >= play.pending_seconds + play.seconds:
            self._finish(statement)

    def _finish(self, statement: Statement) -> None:
        statement.ended = self._seconds()
        if statement.play.error:
            statement.state = "FAILED"
            statement.error = {"error_code": statement.play.error_code, "message": statement.play.error}
            return
        try:
            self._run(statement)
            statement.state = "SUCCEEDED"
        except ApiError as exc:
            statement.state, statement.error = "FAILED", exc.body
        except Exception as exc:  # noqa: BLE001 - whatever DuckDB says is the statement's failure
            statement.state, statement.error = "FAILED", {"error_code": "BAD_REQUEST", "message": str(exc)}

    def _run(self, statement: Statement) -> None:
        body = statement.body
        cursor = self._cursor()
        if body.get("schema"):
            cursor.execute(f'SET schema = "{body["schema"]}"')
        sql, values = bound(body["statement"], body.get("parameters", []))
        self.executed.append(sql)
        cursor.execute(sql, values)
        described: list[Any] = cursor.description or []
        statement.columns = [column(each[0], at, str(each[1])) for at, each in enumerate(described)]
        rows: list[Any] = cursor.fetchall() if described else []
        limit = body.get("row_limit")
        statement.is_truncated = statement.play.is_truncated or (limit is not None and len(rows) > limit)
        statement.rows = rows if limit is None else rows[:limit]
        if body.get("disposition") != "EXTERNAL_LINKS":
            size = len(json.dumps([[written(value) for value in row] for row in statement.rows]))
            if size > self.inline_limit_bytes:
                raise invalid(
                    f"Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result "
                    f"size of at most {self.inline_limit_bytes} bytes. Please execute the statement with "
                    f"disposition=EXTERNAL_LINKS if you want to download the full result."
                )

    def _chunks(self, statement: Statement) -> list[list[Any]]:
        size = self.rows_per_chunk
        return [statement.rows[at : at + size] for at in range(0, len(statement.rows), size)] or [[]]

    def _view(self, statement: Statement) -> Json:
        self._advance(statement)
        status: Json = {"state": statement.state}
        if statement.error is not None:
            status["error"] = statement.error
        view: Json = {"statement_id": statement.statement_id, "status": status}
        if statement.state in ("SUCCEEDED", "CLOSED"):
            view["manifest"] = self._manifest(statement)
        if statement.state == "SUCCEEDED":
            view["result"] = self._result(statement, 0) if statement.rows else {}
        return view

    def _manifest(self, statement: Statement) -> Json:
        chunks = self._chunks(statement) if statement.rows else []
        size = self.rows_per_chunk
        columns = statement.columns
        return {
            "format": statement.body.get("format", "JSON_ARRAY"),
            "schema": {"column_count": len(columns), "columns": columns},
            "total_chunk_count": len(chunks),
            "chunks": [
                {"chunk_index": at, "row_offset": at * size, "row_count": len(rows)} for at, rows in enumerate(chunks)
            ],
            "total_row_count": len(statement.rows),
            "truncated": statement.is_truncated,
        }

    def _result(self, statement: Statement, index: int) -> Json:
        chunks = self._chunks(statement)
        rows = chunks[index]
        place: Json = {"chunk_index": index, "row_offset": index * self.rows_per_chunk, "row_count": len(rows)}
        if index + 1 < len(chunks):
            link = f"/api/2.0/sql/statements/{statement.statement_id}/result/chunks/{index + 1}?row_offset="
            place |= {"next_chunk_index": index + 1, "next_chunk_internal_link": f"{link}{self.rows_per_chunk}"}
        if statement.body.get("disposition") != "EXTERNAL_LINKS":
            return {**place, "data_array": [[written(value) for value in row] for row in rows]}
        expires = self._seconds() + self.link_seconds
        external: Json = {
            **place,
            "byte_count": len(self._content(statement, index)),
            "external_link": f"{self._endpoint()}/external/{statement.statement_id}/{index}?expires={expires}",
            "expiration": datetime.fromtimestamp(expires, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        return {"external_links": [external]}

    def _content(self, statement: Statement, index: int) -> bytes:
        rows = self._chunks(statement)[index]
        kind = statement.body.get("format", "JSON_ARRAY")
        if kind == "JSON_ARRAY":
            return json.dumps([[written(value) for value in row] for row in rows]).encode()
        if kind == "CSV":
            return "\n".join(",".join(written(value) or "" for value in row) for row in rows).encode()
        return _arrow([each["name"] for each in statement.columns], rows)


def _arrow(names: list[str], rows: list[Any]) -> bytes:
    pa: Any = importlib.import_module("pyarrow")  # heavy, and needed for this format alone
    table = pa.Table.from_arrays([pa.array(values) for values in zip(*rows, strict=True)], names=names)
    sink = pa.BufferOutputStream()
    with importlib.import_module("pyarrow.ipc").new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def bound(sql: str, parameters: list[Json]) -> tuple[str, Json]:
    """Write a statement as DuckDB takes it: `:name` is a value with a type, `IDENTIFIER(:name)` a name.

    Raises:
        ApiError: If a marker has no parameter, or one has a type that there is not.
    """
    given = {each["name"]: each for each in parameters}
    values: Json = {}

    def found(match: re.Match[str]) -> str:
        name = match["part"] or match["name"]
        if name is None:
            return match[0].replace("`", '"') if match[0].startswith("`") else match[0]
        if name not in given:
            raise ApiError(400, f"[UNBOUND_SQL_PARAMETER] Found the unbound parameter: {name}.", "BAD_REQUEST")
        if match["identifier"]:
            return ".".join('"' + part.strip('`"').replace('"', '""') + '"' for part in given[name]["value"].split("."))
        values[name] = given[name].get("value")
        return f"CAST(${name} AS {duckdb_type(given[name].get('type', 'STRING'))})"

    return _MARKER.sub(found, sql), values


def _checked(body: Json) -> Json:
    for name in ("statement", "warehouse_id"):
        if not body.get(name):
            raise invalid(f"{name} must be provided.")
    for name, types in _FIELDS.items():
        if body.get(name) is not None and not isinstance(body[name], types):
            raise ApiError(400, f"Could not parse request object: wrong type of {name}.", "MALFORMED_REQUEST")
    unknown = set(body) - set(_FIELDS)
    if unknown:
        raise invalid(f"Unknown fields: {sorted(unknown)}")
    wait = body.get("wait_timeout", "10s")
    if not re.fullmatch(r"(0|[5-9]|[1-4]\d|50)s", wait):
        raise invalid(f"wait_timeout must be 0s, or between 5s and 50s, not {wait}.")
    if wait == "0s" and body.get("on_wait_timeout") == "CANCEL":
        raise invalid("on_wait_timeout=CANCEL is not allowed with wait_timeout=0s.")
    disposition, kind = body.get("disposition", "INLINE"), body.get("format", "JSON_ARRAY")
    if disposition not in ("INLINE", "EXTERNAL_LINKS") or kind not in ("JSON_ARRAY", "ARROW_STREAM", "CSV"):
        raise invalid(f"{disposition} or {kind} is unknown.")
    if disposition == "INLINE" and kind != "JSON_ARRAY":
        raise invalid(f"The format {kind} is not supported with disposition INLINE.")
    for each in body.get("parameters", []):
        if not isinstance(each.get("name"), str) or not isinstance(each.get("value", ""), (str, type(None))):
            raise invalid(f"A parameter needs a name and a text as value, not {each}.")
        if not PARAMETER_TYPE.match(each.get("type", "STRING")):
            raise invalid(f"The type {each['type']} of the parameter {each['name']} is not supported.")
    return body
