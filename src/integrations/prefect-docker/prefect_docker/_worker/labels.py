"""Labels and names as Docker likes them.

Docker's labels have no slash: a namespace is a domain, reversed, with a dot behind it
(https://docs.docker.com/engine/manage-resources/labels/). `prefect.io/flow-run-id` becomes `io.prefect.flow-run-id`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

FLOW_RUN_ID = "io.prefect.flow-run-id"
WORK_POOL_NAME = "io.prefect.work-pool-name"
AUTO_REMOVE = "io.prefect.auto-remove"

_NOT_LEGAL = r"[^a-zA-Z0-9_.-]+"
_NAME_LENGTH = 250
"""Most characters of a container's name here. The engine sets no limit, but its host name service does."""


def docker_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Write labels as Docker likes them.

    Args:
        labels: As Prefect writes them. A key that has no slash stays as it is.

    Returns:
        The same values under legal keys. Where two keys become the same, the later one counts.
    """
    return {key: str(value) for name, value in labels.items() if (key := _key(name))}


def _key(name: str) -> str:
    namespace, slash, rest = name.partition("/")
    if not slash:
        return name.strip()
    reversed_namespace = ".".join(reversed(namespace.split(".")))
    return re.sub(r"[^a-z0-9._-]+", "-", f"{reversed_namespace}.{rest}".lower()).strip("-.")


def container_name(name: str | None) -> str | None:
    """Make a container's name legal: letters, digits, `_`, `.` and `-`, a letter or digit first.

    Args:
        name: Any text, such as a flow run's name.

    Returns:
        The name; `None` when nothing legal is left of it, so that the engine makes one up.
    """
    # The engine's own pattern: https://docs.docker.com/reference/api/engine/ (ContainerCreate)
    text = name or ""
    if not text.isascii():
        from prefect.utilities.slugify import slugify

        text = slugify(text, lowercase=False, regex_pattern=_NOT_LEGAL)  # `ß` is written as `ss`
    legal = re.sub(_NOT_LEGAL, "-", text).lstrip("_.-").rstrip("-")[:_NAME_LENGTH]
    return legal if len(legal) > 1 else None
