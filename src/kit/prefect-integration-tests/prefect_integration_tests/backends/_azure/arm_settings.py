"""How the local Azure server behaves, where a test may want it otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


@dataclass
class ArmSettings:
    """Delays, limits, sizes. Assign to change one; a reset brings the defaults back. Times go by the server's clock."""

    create_seconds: float = 0.02
    """From the creation of a container group, or of a job, until it is provisioned."""

    start_seconds: float = 0.01
    """From there until its containers run; from the start of an execution until its containers run."""

    delete_seconds: float = 0.0
    """How long a deletion takes. With 0, container groups answer 200; else all answer 202 and a `Location`."""

    deployment_delete_seconds: float = 0.01
    """The same of a deployment's record, which is always 202 first."""

    stop_seconds: float = 0.01
    """From the order to stop an execution until it says that it has."""

    retry_after_seconds: float = 0.02
    """What answers of running operations ask for: `Retry-After` from 1 on, `x-ms-retry-after-ms` below."""

    page_size: int = 1000
    """Most items in an answer of a list."""

    list_shows_instance_view: bool = False
    """Whether lists of container groups show `instanceView`. Azure's do not: only `get` says whether one runs."""

    core_quota: float | None = None
    """Most cores of all container groups of a subscription and location; `None` for no limit."""

    group_quota: int | None = None
    """Most container groups of a subscription and location; `None` for no limit."""

    deployment_history: int = 800
    """Most deployments that a resource group keeps."""

    log_bytes: int = 4 << 20
    """How much of its end a container's log shows."""

    grace_seconds: float = 30.0
    """From SIGTERM to SIGKILL."""

    log_ingestion_seconds: float = 0.0
    """How long it takes until Log Analytics finds a line. In Azure: some minutes."""

    location: str = "eastus"
    """Where resource groups are."""

    missing_groups: set[str] = field(default_factory=set[str])
    """Resource groups that do not exist, in lower case; all others do."""

    missing_environments: set[str] = field(default_factory=set[str])
    """Managed environments that do not exist, in lower case; all others do."""

    unregistered: set[str] = field(default_factory=set[str])
    """Providers that the subscription has not registered, such as `Microsoft.App`."""

    def reset(self) -> None:
        """Bring the defaults back."""
        fresh = type(self)()
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))
