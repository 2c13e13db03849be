"""Names in SQL that come from outside: quoted, so that they are names whatever they hold."""

from __future__ import annotations

__all__ = ["quote_identifier"]

_CLOSING = {'"': '"', "`": "`", "[": "]"}


def quote_identifier(*parts: str, quote: str = '"') -> str:
    """Quote a name of a table, column, schema or the like. Values are not quoted: bind them.

    A quoted name is taken literally, upper and lower case included.

    Args:
        parts: The name's parts, such as schema and table, each unquoted.
        quote: The mark of the database: `"` in standard SQL, a backtick in MySQL and BigQuery, `[` in SQL Server.

    Returns:
        The parts, quoted and joined by dots.

    Raises:
        ValueError: If there is no part, or one is empty or holds a null character, which no database allows.
        TypeError: If a part is not text.
    """
    if quote not in _CLOSING:
        raise ValueError(f"quote is {quote!r}; it must be one of {', '.join(_CLOSING)}.")
    if not parts:
        raise ValueError("No identifier was given.")
    return ".".join(_quoted(part, quote) for part in parts)


def _quoted(part: str, quote: str) -> str:
    if not isinstance(part, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError(f"{part!r} is no identifier; it must be text.")
    if not part or "\0" in part:
        raise ValueError(f"{part!r} is no identifier: it is empty or holds a null character.")
    closing = _CLOSING[quote]
    doubled = part.replace(closing, closing * 2)
    return f"{quote}{doubled}{closing}"
