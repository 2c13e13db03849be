"""Errors of dbt that trying again, or the next node, would only meet again."""

from __future__ import annotations

from ..errors import DbtCompilationError, DbtDatabaseUnreachable, DbtProfileError, DbtProjectError, DbtUsageError

__all__ = ["is_hopeless", "is_permanent"]


def is_permanent(error: BaseException | None) -> bool:
    """Say whether trying again is of no use: how dbt was called, the project or the profile is wrong."""
    kinds = (DbtUsageError, DbtProjectError, DbtProfileError)
    return isinstance(error, kinds) and not isinstance(error, DbtCompilationError)  # that may be of one node


def is_hopeless(error: BaseException) -> bool:
    """Say whether an error of dbt's would meet every other node, too."""
    return is_permanent(error) or isinstance(error, DbtDatabaseUnreachable)
