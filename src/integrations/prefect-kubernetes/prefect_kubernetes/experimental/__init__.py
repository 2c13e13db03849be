"""The former place of `prefect_kubernetes.decorators`."""

from prefect_integration_kit.moved import warn_moved
from prefect_kubernetes.decorators import kubernetes

__all__ = ["kubernetes"]

warn_moved("prefect_kubernetes.experimental", "prefect_kubernetes.decorators")
