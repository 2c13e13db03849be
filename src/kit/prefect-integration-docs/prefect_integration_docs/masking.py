"""Keep the values of secrets off the pages."""

from __future__ import annotations

import re

MASK = "'**********'"
_SECRET = re.compile(r"\b(Secret(?:Str|Bytes|Dict|Field)?(?:\[[^\]]*\])?)\((?!\))[^()]*\)")


def masked(text: str) -> str:
    """Take the values out of secrets that stand in a default."""
    return _SECRET.sub(rf"\1({MASK})", text)
