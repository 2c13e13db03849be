"""Files on stages: what fakesnow cannot do of `write_pandas`, done with the files that its own PUT has stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .queries import SnowflakeQuery, table_result

_PUT = re.compile(r"\s*put\b", re.IGNORECASE)
_COPY = re.compile(
    r"\s*copy\s+into\s+identifier\(\?\)\s*(?:/\*.*?\*/)?\s*(\([^)]*\))?\s*from\s*\(?.*?'@([^']+)'.*type\s*=\s*parquet",
    re.IGNORECASE | re.DOTALL,
)
_INFER = re.compile(r"\s*select\s+column_name\s*,\s*type\s+from\s+table\(\s*infer_schema", re.IGNORECASE)
_FORMAT = re.compile(r"\s*create\s+temp\w*\s+file\s+format\b", re.IGNORECASE)
_TYPES = {
    "int": "NUMBER(38, 0)",
    "bool": "BOOLEAN",
    "float": "REAL",
    "double": "REAL",
    "timestamp": "TIMESTAMP_NTZ",
}

Forward = Callable[[SnowflakeQuery, str], dict[str, Any]]


class Stages:
    """Where the files of each stage lie."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def answer(self, query: SnowflakeQuery, sql: str, forward: Forward) -> dict[str, Any] | None:
        """Answer a statement about files; `None` for others."""
        if _PUT.match(sql):
            answer = forward(query, sql)
            data: Any = answer.get("data") or {}
            info: Any = data.get("stageInfo") or {}
            if info.get("locationType") == "LOCAL_FS":
                self._folders[_bound(query, 1) or ""] = str(info["location"])
            return answer
        if _FORMAT.match(sql):
            return table_result(["status"], [["File format successfully created."]])
        if _INFER.match(sql):
            return table_result(["COLUMN_NAME", "TYPE"], self._schema(_bound(query, 1) or ""))
        if found := _COPY.match(sql):
            return self._copy(query, found[1] or "", f"@{found[2]}", forward)
        return None

    def _files(self, stage: str) -> list[Path]:
        name = stage if stage in self._folders else next((each for each in self._folders if stage.startswith(each)), "")
        return sorted(path for path in Path(self._folders[name]).rglob("*") if path.is_file()) if name else []

    def _schema(self, stage: str) -> list[list[str | None]]:
        import pyarrow.parquet as pq

        parquet: Any = pq
        schema: Any = parquet.read_schema(self._files(stage)[0])
        return [[field.name, _sql_type(str(field.type))] for field in schema]

    def _copy(self, query: SnowflakeQuery, columns: str, stage: str, forward: Forward) -> dict[str, Any]:
        table = _bound(query, 1)
        names = columns.strip("()") or "*"
        rows: list[list[str | None]] = []
        for file in self._files(stage):
            plain = SnowflakeQuery(query.sql, {}, query.request_id, query.session, is_async=False)
            sql = f"INSERT INTO {table} {columns} SELECT {names} FROM read_parquet('{file}')"
            answer = forward(plain, sql)
            if not answer.get("success"):
                return answer
            count = str(answer["data"]["rowset"][0][0])
            rows.append([file.name, "LOADED", count, count, "1", "0", None, None, None, None])
        names_out = ["file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen", "first_error"]
        return table_result([*names_out, "first_error_line", "first_error_character", "first_error_column_name"], rows)


def _bound(query: SnowflakeQuery, place: int) -> str | None:
    bindings: Any = query.body.get("bindings") or {}
    value: Any = bindings.get(str(place), {}).get("value")
    return None if value is None else str(value)


def _sql_type(arrow: str) -> str:
    return next((sql for start, sql in _TYPES.items() if start in arrow), "TEXT")
