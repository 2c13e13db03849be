"""Statements about files on stages, and their answers."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.sql import whole_number

from .errors import SnowflakeError, SnowflakeInvalidRequest
from .stages import CopiedFile, StagedFile

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

_NAME = r'(?:[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"]|"")+")'
_COLUMN = re.compile(_NAME)
_TABLE = re.compile(rf"{_NAME}(?:\.{_NAME}){{0,2}}")
# Others must be in quotes; so must what begins a comment: https://docs.snowflake.com/en/sql-reference/sql/put
_PLAIN_STAGE = re.compile(r"@(?!.*(?:--|//))[~%]?[A-Za-z0-9_$.=/-]*", re.ASCII)
_OPTION = re.compile(r"[A-Za-z_]+")
_ON_ERROR = re.compile(r"CONTINUE|ABORT_STATEMENT|SKIP_FILE(?:_\d+%?)?", re.IGNORECASE)
_MATCHES = ("CASE_SENSITIVE", "CASE_INSENSITIVE", "NONE")
_MOST_FILES = 1000
"""As many file names a COPY may list: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table"""
_MOST_THREADS = 99


def text_of(value: str) -> str:
    """Write a text as a literal of SQL.

    Args:
        value: The text.
    """
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def checked_stage(stage: object) -> str:
    """Write the name of a stage into SQL.

    Args:
        stage: `@stage`, `@database.schema.stage/folder`, `@~` or `@%table`.

    Raises:
        SnowflakeInvalidRequest: If it is none.
    """
    if not isinstance(stage, str) or len(stage) < 2 or not stage.startswith("@"):
        raise SnowflakeInvalidRequest(
            f"stage is {stage!r}; name a stage with its @, such as '@parcels/2026', '@~' or '@%table'."
        )
    return stage if _PLAIN_STAGE.fullmatch(stage) else text_of(stage)


def checked_files(files: str | Path | Iterable[str | Path]) -> list[Path]:
    """Look at the files that are to be put on a stage, before one of them is.

    Args:
        files: One or several.

    Raises:
        SnowflakeInvalidRequest: If one is missing or no file, or two have one name.
    """
    paths = [Path(each).absolute() for each in ([files] if isinstance(files, str | Path) else files)]
    names: dict[str, Path] = {}
    for path in paths:
        if not path.is_file():
            kind = "a folder; name the files in it" if path.is_dir() else "no file"
            raise SnowflakeInvalidRequest(f"files has {str(path)!r}, which is {kind}.")
        if (other := names.setdefault(path.name, path)) != path:
            raise SnowflakeInvalidRequest(
                f"files has {str(other)!r} and {str(path)!r}; on a stage one would replace the other. Put them into "
                "different folders of the stage."
            )
    return list(names.values())


def put_statement(path: Path, stage: str, *, auto_compress: bool, overwrite: bool, parallel: int) -> str:
    """Write the statement that puts a file on a stage.

    Args:
        path: The file.
        stage: The stage, as `checked_stage` has it.
        auto_compress: Whether Snowflake's connector compresses it on the way.
        overwrite: Whether it takes the place of one that is there.
        parallel: How many threads send a large file.

    Raises:
        SnowflakeInvalidRequest: If `parallel` is no such number.
    """
    threads = whole_number(parallel)
    if threads is None or not 1 <= threads <= _MOST_THREADS:
        raise SnowflakeInvalidRequest(f"parallel is {parallel!r}; it must be between 1 and {_MOST_THREADS}.")
    # The connector takes the name for a pattern.
    source = text_of(f"file://{glob.escape(path.as_posix())}")
    options = f"PARALLEL = {threads} AUTO_COMPRESS = {_word(auto_compress)} OVERWRITE = {_word(overwrite)}"
    return f"PUT {source} {stage} {options}"


def copy_statement(
    table: str,
    stage: str,
    *,
    columns: Sequence[str] | None,
    file_format: str | Mapping[str, Any] | None,
    files: Sequence[str] | None,
    pattern: str | None,
    match_by_column_name: str | None,
    on_error: str | None,
    purge: bool,
    force: bool,
) -> str:
    """Write the statement that copies files of a stage into a table; `SnowflakeConnector.copy_into` tells of each part.

    Raises:
        SnowflakeInvalidRequest: If a part is not what it must be.
    """
    if not isinstance(table, str) or not _TABLE.fullmatch(table):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SnowflakeInvalidRequest(
            f"table is {table!r}; it must be a name of SQL, such as 'parcels' or 'sales.public.\"Parcels\"'."
        )
    parts = [f"COPY INTO {table}"]
    if columns is not None:
        if wrong := [each for each in columns if not _COLUMN.fullmatch(each)]:
            raise SnowflakeInvalidRequest(f"columns has {wrong[0]!r}, which is no name of SQL.")
        parts.append(f"({', '.join(columns)})")
    parts.append(f"FROM {checked_stage(stage)}")
    if files is not None:
        if isinstance(files, str) or not 0 < len(files) <= _MOST_FILES:
            raise SnowflakeInvalidRequest(f"files must be a list of 1 to {_MOST_FILES:,} names; or give a `pattern`.")
        parts.append(f"FILES = ({', '.join(map(text_of, files))})")
    if pattern is not None:
        parts.append(f"PATTERN = {text_of(pattern)}")
    if file_format is not None:
        parts.append(f"FILE_FORMAT = ({_format(file_format)})")
    if match_by_column_name is not None:
        if match_by_column_name.upper() not in _MATCHES:
            raise SnowflakeInvalidRequest(
                f"match_by_column_name is {match_by_column_name!r}; it must be one of {', '.join(_MATCHES)}."
            )
        parts.append(f"MATCH_BY_COLUMN_NAME = {match_by_column_name.upper()}")
    if on_error is not None:
        if not _ON_ERROR.fullmatch(on_error):
            raise SnowflakeInvalidRequest(
                f"on_error is {on_error!r}; it must be CONTINUE, SKIP_FILE, SKIP_FILE_10, SKIP_FILE_10% or "
                "ABORT_STATEMENT."
            )
        parts.append(f"ON_ERROR = {text_of(on_error.upper())}")
    parts += [f"{name} = TRUE" for name, is_set in (("PURGE", purge), ("FORCE", force)) if is_set]
    return " ".join(parts)


def _format(file_format: str | Mapping[str, Any]) -> str:
    if isinstance(file_format, str):
        return f"FORMAT_NAME = {text_of(file_format)}"
    for name in file_format:
        if not _OPTION.fullmatch(name):
            raise SnowflakeInvalidRequest(f"file_format has {name!r}, which is no option of a file format.")
    return " ".join(f"{name.upper()} = {_value(name, value)}" for name, value in file_format.items())


def _value(name: str, value: Any) -> str:
    if value is None:
        return "NONE"
    if isinstance(value, bool):
        return _word(value)
    if (number := whole_number(value)) is not None:
        return str(number)
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, list | tuple):
        texts: list[object] = list(cast("Sequence[object]", value))
        if all(isinstance(each, str) for each in texts):
            return f"({', '.join(text_of(str(each)) for each in texts)})"
    raise SnowflakeInvalidRequest(
        f"file_format[{name!r}] is {value!r}; it must be a text, a number, true, false, none or a list of texts."
    )


def _word(is_set: bool) -> str:
    return "TRUE" if is_set else "FALSE"


def staged_files(cursor: SnowflakeCursor, rows: Iterable[Any]) -> list[StagedFile]:
    """Read what a PUT has answered.

    Args:
        cursor: It has executed the statement.
        rows: The answer.

    Raises:
        SnowflakeError: If a file was not put there.
    """
    answers = _by_name(cursor, rows)
    for answer in answers:
        if answer["status"] not in ("UPLOADED", "SKIPPED"):
            raise SnowflakeError(
                f"File {answer['source']!r} was not put on the stage: {answer['status']}: {answer.get('message')}"
            )
    return [
        StagedFile(answer["source"], answer["target"], int(answer["target_size"]), answer["status"])
        for answer in answers
    ]


def copied_files(cursor: SnowflakeCursor, rows: Iterable[Any]) -> list[CopiedFile]:
    """Read what a COPY has answered; nothing is in it when there was no file that the table has not got yet.

    Args:
        cursor: It has executed the statement.
        rows: The answer.
    """
    return [
        CopiedFile(
            file=answer["file"],
            status=answer["status"],
            rows_parsed=int(answer["rows_parsed"] or 0),
            rows_loaded=int(answer["rows_loaded"] or 0),
            errors_seen=int(answer["errors_seen"] or 0),
            first_error=answer["first_error"],
        )
        for answer in _by_name(cursor, rows)
        if "file" in answer
    ]


def _by_name(cursor: SnowflakeCursor, rows: Iterable[Any]) -> list[dict[str, Any]]:
    names = [column.name.lower() for column in cursor.description or ()]
    return [dict(zip(names, row, strict=False)) for row in rows]
