"""The former place of `prefect_docker.decorators`."""

from prefect_docker.decorators import docker
from prefect_integration_kit.moved import warn_moved

__all__ = ["docker"]

warn_moved("prefect_docker.experimental.decorators", "prefect_docker.decorators")
