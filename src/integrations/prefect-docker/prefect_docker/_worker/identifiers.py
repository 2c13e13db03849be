"""What names a container in a flow run's `infrastructure_pid`: the engine's address, a colon, the container's ID."""

from __future__ import annotations

import re
from typing import NamedTuple

_ANY_ENGINE = frozenset({"http+docker://localhost", "http+docker://localnpipe", "http+docker://ssh"})
_ID = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z_.-]*")


class ContainerIdentifier(NamedTuple):
    """A container and the engine that it runs on."""

    base_url: str
    container_id: str

    def __str__(self) -> str:
        return f"{self.base_url}:{self.container_id}"

    @property
    def names_engine(self) -> bool:
        """Whether the engine can be told from it. Workers before 0.8 wrote the same for every socket."""
        return self.base_url not in _ANY_ENGINE


def parse_identifier(identifier: str) -> ContainerIdentifier:
    """Take an infrastructure identifier apart.

    Args:
        identifier: Such as `unix:///var/run/docker.sock:0f3a…`. Those that workers before 0.8 wrote
            (`http+docker://localhost:0f3a…`, `http://10.0.0.7:2375:0f3a…`) are read, too.

    Returns:
        Both parts.

    Raises:
        ValueError: If the text is not of that form.
    """
    base_url, colon, container_id = identifier.rpartition(":")
    if not colon or "://" not in base_url or not _ID.fullmatch(container_id):
        raise ValueError(
            f"{identifier!r} does not name a Docker container; expected '<engine address>:<container ID>'."
        )
    return ContainerIdentifier(base_url, container_id)


def same_engine(one: str, other: str) -> bool:
    """Say whether two addresses are of one engine, however they are written."""
    return _normal(one) == _normal(other)


def _normal(base_url: str) -> str:
    scheme, _, rest = base_url.rstrip("/").partition("://")
    if scheme in ("tcp", "http", "https"):
        return f"tcp://{rest.lower()}"
    return f"{scheme.removeprefix('http+')}://{rest}"
