"""Managed environments of Container Apps: every name is one, but for those that a test says are missing."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._server_clock import stamp
from .arm_errors import ArmError, Json, resource_not_found
from .arm_service import GROUP_PATH, Answer, ArmRequest, Provider, answers, resource_id

if TYPE_CHECKING:
    from .arm_server import ArmServer
    from .arm_settings import ArmSettings

WORKSPACE = "00000000-0000-0000-0000-00000000106a"
"""Id of the Log Analytics workspace that all environments write to."""

STREAM_TOKEN = "stream-token"
"""What streams of logs are asked with."""

KIND = "Microsoft.App/managedEnvironments"
_ENVIRONMENT = f"{GROUP_PATH}/providers/{KIND}/{{environmentName}}"
_ID = re.compile(
    r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.App/"
    r"(managedEnvironments|connectedEnvironments)/(?P<name>[^/]+)$",
    re.IGNORECASE,
)
_TOKEN_SECONDS = 3600


def check_environment(environment_id: str, settings: ArmSettings) -> None:
    """Check the environment of a job.

    Raises:
        ArmError: 400, if it is not there.
    """
    found = _ID.match(environment_id)
    if found is None:
        said = f"The environmentId '{environment_id}' is not the id of a managed environment."
        raise ArmError(400, "InvalidEnvironmentId", said)
    if found["name"].lower() in settings.missing_environments:
        raise ArmError(400, "ManagedEnvironmentNotFound", f"The environment '{environment_id}' is not found.")


def with_token(shown: Json, server: ArmServer) -> Json:
    """Give a token for the streams of logs of what is shown."""
    properties = {"token": STREAM_TOKEN, "expires": stamp(server.clock.seconds() + _TOKEN_SECONDS)}
    return {**{key: shown[key] for key in ("id", "name", "type", "location")}, "properties": properties}


class ManagedEnvironments(Provider):
    """All environments."""

    namespace = "Microsoft.App"
    version = "2026-07-01"

    def model(self, name: str) -> type[Any]:
        """Give a model class of azure-mgmt-appcontainers."""
        return getattr(import_module("azure.mgmt.appcontainers.models"), name)

    def reset(self) -> None:
        """There is nothing to forget."""

    @answers("ManagedEnvironments_Get", "GET", _ENVIRONMENT, answer="ManagedEnvironment")
    def get(self, request: ArmRequest) -> Answer:
        """Give an environment."""
        return Answer(self._find(request))

    @answers("ManagedEnvironments_GetAuthToken", "POST", _ENVIRONMENT + "/getAuthtoken", answer="EnvironmentAuthToken")
    def get_token(self, request: ArmRequest) -> Answer:
        """Give a token for the streams of logs of an environment."""
        return Answer(with_token(self._find(request), self.server))

    def _find(self, request: ArmRequest) -> Json:
        settings, name = self.server.settings, request.params["environmentName"]
        if name.lower() in settings.missing_environments:
            raise resource_not_found(KIND, name, request.group)
        logs = {"destination": "log-analytics", "logAnalyticsConfiguration": {"customerId": WORKSPACE}}
        return {
            "id": resource_id(request.subscription, request.group, KIND, name),
            "name": name,
            "type": KIND,
            "location": settings.location,
            "properties": {
                "provisioningState": "Succeeded",
                "defaultDomain": f"{name}.{settings.location}.azurecontainerapps.io",
                "appLogsConfiguration": logs,
                "workloadProfiles": [{"name": "Consumption", "workloadProfileType": "Consumption"}],
            },
        }
