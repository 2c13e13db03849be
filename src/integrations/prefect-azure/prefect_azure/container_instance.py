"""Azure Container Instances: what its worker and its users share.

Flows run in container groups by the worker of `prefect_azure.workers.container_instance`:

```bash
prefect work-pool create --type azure-container-instance my-pool
prefect worker start --pool my-pool
```

A registry that an identity of Azure may pull from is named by `ACRManagedIdentity`, as the job variable
`image_registry` of a work pool or deployment:

```yaml
image_registry:
  registry_url: my-registry.azurecr.io
  identity: /subscriptions/.../providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME
```
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

ACI_DEFAULT_CPU: float = 1.0
"""Cores of a container."""
ACI_DEFAULT_MEMORY: float = 1.0
"""Gigabytes of a container."""
ACI_DEFAULT_GPU: float = 0.0
DEFAULT_CONTAINER_ENTRYPOINT: str = "/opt/prefect/entrypoint.sh"
"""Entry point of Prefect's images. A command of a container group replaces it, so it comes before the command."""
ENV_SECRETS: list[str] = ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"]
"""Variables of a run's environment that go out as secure values: Azure shows nobody what they hold. So do those whose
names speak of a password, token, key or the like."""
CONTAINER_GROUP_DELETION_TIMEOUT_SECONDS: int = 30

_REMOVED = (
    "`AzureContainerInstanceJob` was an infrastructure block for agents, and went with them in Prefect 3. Flow runs "
    "are started by the Container Instances worker now: `prefect work-pool create --type azure-container-instance "
    "POOL`, then `prefect worker start --pool POOL`; what its fields said are job variables of the work pool or "
    "the deployment, by the same names. A flow that is called from Python is sent there by the decorator "
    "`prefect_azure.decorators.azure_container_instance`."
)


def __getattr__(name: str) -> Any:
    """Say what became of what used to be here."""
    if name == "AzureContainerInstanceJob":
        raise ImportError(_REMOVED, name=__name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class ContainerGroupProvisioningState(str, Enum):
    """The states in which Azure is done with making a container group."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class ContainerRunState(str, Enum):
    """States of a container."""

    RUNNING = "Running"
    TERMINATED = "Terminated"


class ACRManagedIdentity(BaseModel):
    """A managed identity that may pull from a registry of Azure.

    It must be allowed to (role `AcrPull`). The container group gets it as one of its identities.
    """

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    registry_url: str = Field(
        title="Registry URL", description="The registry, such as my-registry.azurecr.io.", examples=["my.azurecr.io"]
    )
    identity: str = Field(
        description="Resource ID of the user-assigned managed identity: /subscriptions/.../userAssignedIdentities/NAME."
    )


class AzureContainerInstanceJobResult:
    """What a run of the block `AzureContainerInstanceJob` returned; workers return `AzureContainerWorkerResult`."""
