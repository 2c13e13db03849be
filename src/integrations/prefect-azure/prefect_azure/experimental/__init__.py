"""The former place of `prefect_azure.decorators` and `prefect_azure.bundles`."""

from prefect_azure.decorators import azure_container_instance
from prefect_integration_kit.moved import warn_moved

__all__ = ["azure_container_instance"]

warn_moved("prefect_azure.experimental", "prefect_azure.decorators")
