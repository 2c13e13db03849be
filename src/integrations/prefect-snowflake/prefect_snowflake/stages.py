"""What became of files that `SnowflakeConnector` has put on a stage, or copied into a table."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CopiedFile", "StagedFile"]


@dataclass(frozen=True)
class StagedFile:
    """A file that was put on a stage.

    Attributes:
        source: Its name here.
        target: Its name on the stage.
        size_bytes: How large it is there.
        status: `UPLOADED`, or `SKIPPED` because it was there already.
    """

    source: str
    target: str
    size_bytes: int
    status: str


@dataclass(frozen=True)
class CopiedFile:
    """A file whose rows were copied into a table.

    Attributes:
        file: Its name, with its folder on the stage.
        status: `LOADED`, `PARTIALLY_LOADED`, `LOAD_FAILED` or `LOAD_SKIPPED`.
        rows_parsed: How many rows it has.
        rows_loaded: How many of them the table has got.
        errors_seen: How many rows were wrong.
        first_error: What was wrong with the first one.
    """

    file: str
    status: str
    rows_parsed: int
    rows_loaded: int
    errors_seen: int
    first_error: str | None = None
