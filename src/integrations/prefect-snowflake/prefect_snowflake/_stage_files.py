"""The methods of `SnowflakeConnector` that put files on a stage and copy their rows into tables."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect_integration_kit.dispatch import run_stoppable
from prefect_integration_kit.sql import Statement

from ._faces import paired
from ._statement_session import StatementSession
from .stages import CopiedFile, StagedFile


class StageFiles(StatementSession):
    """Puts files on a stage, and copies their rows into tables."""

    async def put_files_async(
        self,
        files: str | Path | Iterable[str | Path],
        stage: str,
        *,
        auto_compress: bool = True,
        overwrite: bool = False,
        parallel: int = 4,
    ) -> list[StagedFile]:
        """Async form of `put_files`."""
        return await run_stoppable(
            lambda stop: self._put_files(
                files, stage, stop, auto_compress=auto_compress, overwrite=overwrite, parallel=parallel
            )
        )

    @paired(put_files_async)
    def put_files(
        self,
        files: str | Path | Iterable[str | Path],
        stage: str,
        *,
        auto_compress: bool = True,
        overwrite: bool = False,
        parallel: int = 4,
    ) -> list[StagedFile]:
        """Put files of this machine on a stage, one after the other, in pieces: memory stays bounded.

        All are looked at before the first one is sent. Put again, those that are there already are skipped.

        Args:
            files: One or several; none is a pattern.
            stage: Where to: `@stage/folder`, `@~` of the user or `@%table` of a table.
            auto_compress: Whether files that are not compressed are, with gzip.
            overwrite: Whether a file takes the place of one that is there under its name.
            parallel: How many threads send the pieces of a large file, 99 at most
                (https://docs.snowflake.com/en/sql-reference/sql/put).

        Returns:
            What became of each.

        Raises:
            SnowflakeInvalidRequest: If a file is missing, or two have one name.
            SnowflakeError: If one was not put there; those before it were.

        Example:
            ```python
            from pathlib import Path

            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector:
                connector.put_files(Path("deliveries").glob("*.csv"), "@parcels/today")
                copied = connector.copy_into("parcels", "@parcels/today", file_format={"type": "csv", "skip_header": 1})
                print(sum(file.rows_loaded for file in copied))
            ```
        """
        return self._put_files(
            files, stage, threading.Event(), auto_compress=auto_compress, overwrite=overwrite, parallel=parallel
        )

    def _put_files(
        self, files: str | Path | Iterable[str | Path], stage: str, stop: threading.Event, **options: Any
    ) -> list[StagedFile]:
        from ._result_rows import all_rows
        from ._stage_statements import checked_files, checked_stage, put_statement, staged_files

        written = checked_stage(stage)
        statements = [put_statement(path, written, **options) for path in checked_files(files)]
        surroundings = self._surroundings()
        found: list[StagedFile] = []
        for statement in statements:
            cursor = self._executed(Statement(statement), stop, surroundings)
            found += staged_files(cursor, all_rows(cursor))
        return found

    async def copy_into_async(
        self,
        table: str,
        stage: str,
        *,
        columns: Sequence[str] | None = None,
        file_format: str | Mapping[str, Any] | None = None,
        files: Sequence[str] | None = None,
        pattern: str | None = None,
        match_by_column_name: str | None = None,
        on_error: str | None = None,
        purge: bool = False,
        force: bool = False,
        timeout: float | None = None,
    ) -> list[CopiedFile]:
        """Async form of `copy_into`."""
        from ._stage_statements import copy_statement

        statement = copy_statement(
            table,
            stage,
            columns=columns,
            file_format=file_format,
            files=files,
            pattern=pattern,
            match_by_column_name=match_by_column_name,
            on_error=on_error,
            purge=purge,
            force=force,
        )
        return await run_stoppable(lambda stop: self._copied(statement, timeout, stop))

    @paired(copy_into_async)
    def copy_into(
        self,
        table: str,
        stage: str,
        *,
        columns: Sequence[str] | None = None,
        file_format: str | Mapping[str, Any] | None = None,
        files: Sequence[str] | None = None,
        pattern: str | None = None,
        match_by_column_name: str | None = None,
        on_error: str | None = None,
        purge: bool = False,
        force: bool = False,
        timeout: float | None = None,
    ) -> list[CopiedFile]:
        """Copy the rows of files on a stage into a table: `COPY INTO table`.

        Snowflake remembers for 64 days which files a table has got, and leaves them out
        (https://docs.snowflake.com/en/sql-reference/sql/copy-into-table), so that a second try copies nothing twice.

        Args:
            table: The table, as SQL names it: `parcels`, or `sales.public."Parcels"`.
            stage: Where the files are: `@stage/folder`, `@~` or `@%table`.
            columns: The columns that get the fields, in their order; by default all.
            file_format: Name of a file format, or its options, such as `{"type": "csv", "skip_header": 1}`. By default
                that of the stage.
            files: Names of the files, relative to `stage`, 1,000 at most; by default all that are there.
            pattern: A regular expression that the names of the files match.
            match_by_column_name: `CASE_SENSITIVE` or `CASE_INSENSITIVE`: fields go by their names, not by their places.
            on_error: What a wrong row does: `ABORT_STATEMENT`, which is Snowflake's default, `CONTINUE`, `SKIP_FILE`,
                `SKIP_FILE_10` or `SKIP_FILE_10%`.
            purge: Whether files are removed once they are copied.
            force: Whether files are copied that the table has got already.
            timeout: Seconds after which the statement is cancelled.

        Returns:
            What became of each file; none if there is nothing new on the stage.

        Raises:
            SnowflakeInvalidRequest: If an argument is not what it must be.
            SnowflakeError: If a row is wrong, or the statement fails for another reason; then no row was copied.

        Example:
            ```python
            from prefect_snowflake import SnowflakeConnector

            with SnowflakeConnector.load("BLOCK_NAME") as connector:
                connector.copy_into(
                    "parcels", "@parcels", file_format={"type": "parquet"}, match_by_column_name="CASE_INSENSITIVE"
                )
            ```
        """
        from ._stage_statements import copy_statement

        statement = copy_statement(
            table,
            stage,
            columns=columns,
            file_format=file_format,
            files=files,
            pattern=pattern,
            match_by_column_name=match_by_column_name,
            on_error=on_error,
            purge=purge,
            force=force,
        )
        return self._copied(statement, timeout, threading.Event())

    def _copied(self, statement: str, timeout: float | None, stop: threading.Event) -> list[CopiedFile]:
        from ._result_rows import all_rows
        from ._stage_statements import copied_files

        options = {} if timeout is None else {"timeout": timeout}
        cursor = self._executed(Statement(statement, None, options), stop, self._surroundings())
        return copied_files(cursor, all_rows(cursor))
