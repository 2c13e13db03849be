"""The former place of `prefect_gcp.decorators`."""

from prefect_gcp.decorators import cloud_run, vertex_ai
from prefect_integration_kit.moved import warn_moved

__all__ = ["cloud_run", "vertex_ai"]

warn_moved("prefect_gcp.experimental.decorators", "prefect_gcp.decorators")
