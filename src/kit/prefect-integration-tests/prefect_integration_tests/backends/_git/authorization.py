"""How clients of a git host say who they are."""

from __future__ import annotations

import base64


def basic(username: str, password: str) -> str:
    """Write the `Authorization` header of a user name and a password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
