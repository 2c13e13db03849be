"""What this worker sets for all its runs, whatever pool and deployment say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..host import DockerHost
    from .configuration import DockerWorkerJobConfiguration


def overridden(
    configuration: DockerWorkerJobConfiguration, overrides: Mapping[str, Any]
) -> DockerWorkerJobConfiguration:
    """Put a worker's overrides over what a run asks for.

    Args:
        configuration: What the run asks for. It is not changed.
        overrides: Job variables and their values.

    Raises:
        ValueError: If a value is not valid, or contradicts another variable.
    """
    if not overrides:
        return configuration
    own = type(configuration).model_validate({"image": configuration.image, **overrides})
    changed = configuration.model_copy(update={name: getattr(own, name) for name in overrides})
    # A copy is not validated: what goes with what is looked at once more, on plain values.
    type(configuration).model_validate(
        {"image": changed.image, "networks": changed.networks, "network_mode": changed.network_mode}
    )
    return changed


def block_of(overrides: Mapping[str, Any]) -> DockerHost | None:
    """The engine that a worker's overrides name.

    Raises:
        ValueError: If what they say is no Docker host.
    """
    from ..host import DockerHost

    named = overrides.get("docker_host")
    return None if named is None else DockerHost.model_validate(named)
