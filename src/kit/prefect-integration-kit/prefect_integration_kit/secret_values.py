"""Values of secrets, as text and as JSON.

A fault is returned, not raised: the errors of Python's parsers hold all of the secret.
"""

from __future__ import annotations

import json
from typing import Any


def as_text(value: bytes) -> str | None:
    """The value as text; `None` if it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def parsed(value: bytes) -> tuple[Any, str]:
    """What the JSON of a value says, and what is wrong with it; empty when nothing is."""
    try:
        return json.loads(value), ""
    except UnicodeDecodeError:
        return None, "not UTF-8 text"
    except json.JSONDecodeError as exc:
        return None, f"{exc.msg} in line {exc.lineno}, column {exc.colno}"
    except RecursionError:
        return None, "nested too deeply"
    except ValueError:  # Python reads no number of more than some thousand digits
        return None, "a number with too many digits"
