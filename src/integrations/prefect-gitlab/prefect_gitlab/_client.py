"""Which client of GitLab's API there is: ours, or what a test has put in the place of the SDK's."""

from __future__ import annotations

import sys
from typing import Any

import gitlab

from prefect_integration_kit.replaced import is_replaced


def replaced_class() -> Any:
    """Find what a test has put in the place of the SDK's class in our module of credentials; `None` if nothing."""
    found: Any = vars(sys.modules[f"{__package__}.credentials"]).get("Gitlab")
    return None if found is None or getattr(found, "__module__", None) == "gitlab.client" else found


def build_client(**options: Any) -> gitlab.Gitlab:
    """Build a client; what a test puts in the place of the SDK's class is asked to log in at once.

    Args:
        options: Of `gitlab.Gitlab`.
    """
    if is_replaced(gitlab, "Gitlab", "gitlab.client"):
        client = gitlab.Gitlab(**options)
        client.auth()
        return client
    from ._known_client import KnownClient  # a subclass of what may be replaced

    return KnownClient(**options)
