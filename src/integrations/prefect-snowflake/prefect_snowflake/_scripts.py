"""Scripts of several statements, cut into single ones as Snowflake's own tools do."""

from __future__ import annotations

from io import StringIO

from ._running import first_words
from .errors import SnowflakeInvalidRequest


def statements_of(script: str) -> list[str]:
    """Cut a script at the semicolons that end its statements, not at those in texts, comments or `$$` bodies.

    Args:
        script: The statements; each ends with a semicolon, the last one may.

    Returns:
        The statements, without those that are empty or comments alone.

    Raises:
        SnowflakeInvalidRequest: If there is none.
    """
    from snowflake.connector.util_text import split_statements

    with StringIO(script) as text:
        found = [statement for statement, _ in split_statements(text) if statement]
    cut = [statement for statement in found if first_words(statement).strip("; \t\r\n")]
    if not cut:
        raise SnowflakeInvalidRequest("The script has no statement.")
    return cut
