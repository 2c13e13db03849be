"""What keeps a release from being made."""

from __future__ import annotations

from scripts.workspace import WorkspaceError


class ReleaseError(WorkspaceError):
    """A release cannot be made as asked; the message says why and what to do. Nothing was changed."""
