"""The former place of `prefect_aws.decorators`."""

from prefect_aws.decorators import ecs
from prefect_integration_kit.moved import warn_moved

__all__ = ["ecs"]

warn_moved("prefect_aws.experimental.decorators", "prefect_aws.decorators")
