"""Ask the engine that the environment names for its version."""

from __future__ import annotations

from prefect import flow

from prefect_docker import DockerHost


@flow
def ask() -> bool:
    """Ask whether the engine is there."""
    with DockerHost().get_client() as client:
        return client.ping()


print(ask())
