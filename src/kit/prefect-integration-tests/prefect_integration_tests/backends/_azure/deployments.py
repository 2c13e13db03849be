"""Deployments of resource groups: templates that make container groups and jobs, and the records that they leave.

https://learn.microsoft.com/rest/api/resources/deployments
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from .arm_errors import ArmError, Json, object_of
from .arm_service import (
    GROUP_PATH,
    SUBSCRIPTION_PATH,
    Answer,
    ArmRequest,
    Provider,
    ResourceKey,
    answers,
    page,
)
from .deployment_record import KIND, Deployment, ResourceMaker
from .deployment_template import Place, PlannedResource, Template

if TYPE_CHECKING:
    from .arm_server import ArmServer

_DEPLOYMENTS = f"{GROUP_PATH}/providers/{KIND}"
_DEPLOYMENT = _DEPLOYMENTS + "/{deploymentName}"
_STATUS = _DEPLOYMENT + "/operationStatuses/{operationId}"
_NAME = re.compile(r"^[\w.()-]{1,64}$")
_FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for details. "
    "Please see https://aka.ms/arm-deployment-operations for usage details."
)


class Deployments(Provider):
    """All deployments of all resource groups."""

    namespace = "Microsoft.Resources"
    version = "2025-04-01"

    def __init__(self, server: ArmServer, makers: Mapping[str, ResourceMaker]) -> None:
        """Start with none.

        Args:
            server: Where they stand.
            makers: Who makes resources of a type, by its name in lower case.
        """
        super().__init__(server)
        self._makers = makers
        self.deployments: dict[ResourceKey, Deployment] = {}

    def model(self, name: str) -> type[Any]:
        """Give a model class of azure-mgmt-resource, whichever way that is laid out."""
        from importlib.util import find_spec

        new, old = "azure.mgmt.resource.deployments", "azure.mgmt.resource.resources"
        return getattr(import_module(f"{new if find_spec(new) else old}.models"), name)

    def reset(self) -> None:
        """Forget all."""
        self.deployments.clear()

    @answers("Deployments_CreateOrUpdate", "PUT", _DEPLOYMENT, body="Deployment", answer="DeploymentExtended")
    def create_or_update(self, request: ArmRequest) -> Answer:
        """Check a template, then make what it says."""
        name = request.params["deploymentName"]
        key = ResourceKey.of(request.subscription, request.group, name)
        known = self.deployments.get(key)
        if known is not None and known.is_active:
            said = f"Unable to edit or replace deployment '{name}': previous deployment from '{known.timestamp}' is "
            said = f"{said}still active. Please see https://aka.ms/arm-deploy for usage details."
            raise ArmError(409, "DeploymentActive", said)
        count = sum(each.subscription == key.subscription and each.group == key.group for each in self.deployments)
        limit = self.server.settings.deployment_history
        if known is None and count >= limit:
            raise ArmError(
                409,
                "DeploymentQuotaExceeded",
                f"Creating the deployment '{name}' would exceed the quota of '{limit}'. The current deployment count "
                f"is '{count}', please delete some deployments before creating a new one, or see "
                "https://aka.ms/800LimitFix for information on managing deployment limits.",
            )
        deployment = self._read(request, key)
        self.deployments[key] = deployment
        self.server.clock.later(0.001, lambda: self._begin(deployment))
        headers = self.server.operations.retry_after()
        path = _STATUS.format(**request.params, operationId=deployment.operation.id)
        headers["Azure-AsyncOperation"] = f"{self.server.endpoint}{path}?api-version={request.api_version}"
        return Answer(deployment.view, 200 if known else 201, headers)

    def _read(self, request: ArmRequest, key: ResourceKey) -> Deployment:
        name = request.params["deploymentName"]
        if not _NAME.match(name):
            said = f"The provided deployment name '{name}' has these invalid characters or is longer than 64. "
            raise ArmError(400, "InvalidDeploymentName", f"{said}Use letters, numbers, '-', '_', '(', ')', '.'.")
        properties: Json = request.body["properties"]
        if properties["mode"] not in ("Incremental", "Complete"):
            raise ArmError(400, "InvalidDeploymentMode", f"The deployment mode '{properties['mode']}' is not valid.")
        if request.body.get("location"):
            said = "The 'location' property is not allowed for a deployment at resource group scope."
            raise ArmError(400, "LocationNotAllowed", said)
        template: Any = properties.get("template")
        if not isinstance(template, dict):
            said = "The request content was invalid: the deployment has no 'template', or it is not an object."
            raise ArmError(400, "InvalidRequestContent", said)
        place = Place(request.subscription, request.group, self.server.settings.location, name)
        read = Template(cast("Json", template), object_of(properties, "parameters"), place)
        self._preflight(read)
        operation = self.server.operations.new(request.subscription, self.namespace)
        now = self.server.clock
        return Deployment(key, place, request.body, read, operation, timestamp=now.text(), started=now.seconds())

    def _preflight(self, template: Template) -> None:
        """Let providers check what can be known before anything is made."""
        for resource in template.resources:
            maker = self._makers.get(resource.kind.lower())
            if maker is None:
                said = f"The resource type '{resource.kind}' could not be found by the local server."
                raise ArmError(400, "InvalidResourceType", said)
            if _is_plain(resource.body):
                try:
                    maker.check(resource.name, resource.body)
                except ArmError as exc:
                    said = "The template deployment failed because of a validation error of the preflight: see details."
                    raise ArmError(400, "InvalidTemplateDeployment", said, details=[exc.error]) from exc

    def _begin(self, deployment: Deployment) -> None:
        with self.server.lock:
            if self.deployments.get(deployment.key) is deployment and deployment.is_active:
                deployment.state = "Running"
                self._go_on(deployment, list(deployment.template.resources))

    def _go_on(self, deployment: Deployment, left: list[PlannedResource]) -> None:
        """Make the next resource, and then those behind it."""
        if not deployment.is_active:
            return
        if not left:
            self._end(deployment, None)
            return
        resource, behind = left[0], left[1:]
        state = self._operation_of(deployment, resource)

        def done(error: Json | None) -> None:
            with self.server.lock:
                self._close(deployment, state, error)
                if error is None:
                    self._go_on(deployment, behind)
                else:
                    self._end(deployment, error)

        maker = self._makers[resource.kind.lower()]
        try:
            body = deployment.template.body_of(resource, self._reference(deployment))
            maker.make(deployment.place, resource.name, maker.check(resource.name, body), done)
        except ArmError as exc:
            state["statusCode"] = _STATUS_WORDS.get(exc.status, str(exc.status))
            done(exc.error)

    def _operation_of(self, deployment: Deployment, resource: PlannedResource) -> Json:
        target = {"id": resource.id, "resourceType": resource.kind, "resourceName": resource.name}
        state: Json = {
            "provisioningOperation": "Create",
            "provisioningState": "Running",
            "timestamp": self.server.clock.text(),
            "duration": "PT0S",
            "serviceRequestId": str(uuid.uuid4()),
            "statusCode": "Created",
            "targetResource": target,
        }
        deployment.made[resource.id] = state
        return state

    def _close(self, deployment: Deployment, state: Json, error: Json | None) -> None:
        state["provisioningState"] = "Failed" if error else "Succeeded"
        state["timestamp"] = self.server.clock.text()
        if error is None:
            state["statusCode"] = "OK"
        else:
            if state["statusCode"] == "Created":
                state["statusCode"] = "Conflict"
            state["statusMessage"] = {"status": "Failed", "error": error}

    def _reference(self, deployment: Deployment) -> Callable[[str, bool], Any]:
        def refer(name: str, is_full: bool) -> Any:
            for resource in deployment.template.resources:
                if name.lower() in (resource.name.lower(), resource.id.lower(), resource.symbol.lower()):
                    view = self._makers[resource.kind.lower()].view(deployment.place, resource.name)
                    return view if is_full else view.get("properties", {})
            said = f"The resource '{name}' is not defined in the template."
            raise ArmError(400, "InvalidTemplate", said)

        return refer

    def _end(self, deployment: Deployment, error: Json | None) -> None:
        if error is None:
            try:
                deployment.outputs = deployment.template.outputs(self._reference(deployment))
            except ArmError as exc:
                error = exc.error
        deployment.seconds = self.server.clock.seconds() - deployment.started
        deployment.timestamp = self.server.clock.text()
        deployment.state = "Failed" if error else "Succeeded"
        if error is not None:
            deployment.error = {"code": "DeploymentFailed", "message": _FAILED, "details": [error]}
        self.server.operations.end(deployment.operation, deployment.error)

    @answers("Deployments_OperationStatus", "GET", _STATUS)
    def operation_status(self, request: ArmRequest) -> Answer:
        """Say how a deployment stands."""
        deployment = self.deployments.get(self._key(request))
        if deployment is None or deployment.operation.id != request.params["operationId"]:
            raise self._missing(request)
        operation = deployment.operation
        headers = {} if operation.is_done else self.server.operations.retry_after()
        body: Json = {"status": operation.status if operation.is_done else deployment.state}
        if operation.error is not None:
            body["error"] = operation.error
        return Answer(body, 200, headers)

    @answers("Deployments_Get", "GET", _DEPLOYMENT, answer="DeploymentExtended")
    def get(self, request: ArmRequest) -> Answer:
        """Give the record of a deployment."""
        return Answer(self._find(request).view)

    @answers("Deployments_CheckExistence", "HEAD", _DEPLOYMENT)
    def check_existence(self, request: ArmRequest) -> Answer:
        """Say by the status whether there is one."""
        return Answer(None, 204 if self._key(request) in self.deployments else 404)

    @answers("Deployments_ListByResourceGroup", "GET", _DEPLOYMENTS, answer="DeploymentExtended[]")
    def list_deployments(self, request: ArmRequest) -> Answer:
        """Give the records of a resource group, the newest first: `$top` of them, by `$filter` of their state."""
        wanted = request.query.get("$filter", "")
        state = re.fullmatch(r"\s*provisioningState\s+eq\s+'(\w+)'\s*", wanted)
        if wanted and state is None:
            raise ArmError(400, "InvalidFilter", f"The filter '{wanted}' is not supported.")
        key = ResourceKey.of(request.subscription, request.group, "")
        found = [
            each.view
            for each in reversed(list(self.deployments.values()))
            if (each.key.subscription, each.key.group) == (key.subscription, key.group)
            and (state is None or each.state.lower() == state[1].lower())
        ]
        if top := request.query.get("$top"):
            found = found[: int(top)]
        size = self.server.settings.page_size
        path = request.operation.path.format(**request.params)
        return Answer(page(self.server.endpoint, path, request, found, size))

    @answers("Deployments_Delete", "DELETE", _DEPLOYMENT)
    def delete(self, request: ArmRequest) -> Answer:
        """Delete the record of a deployment, not what it made; 204 when there is none."""
        deployment = self.deployments.get(self._key(request))
        if deployment is None:
            return Answer(None, 204)
        if deployment.is_active:
            said = f"The deployment '{deployment.name}' cannot be deleted because it is active: cancel it first."
            raise ArmError(409, "DeploymentActive", said)
        operations = self.server.operations
        operation = operations.new(request.subscription, self.namespace)

        def gone() -> None:
            with self.server.lock:
                if self.deployments.get(deployment.key) is deployment:
                    del self.deployments[deployment.key]
                operations.end(operation)

        self.server.clock.later(self.server.settings.deployment_delete_seconds, gone)
        return Answer(None, 202, operations.headers(operation, request.api_version, status=False, location=True))

    @answers("Deployments_Cancel", "POST", _DEPLOYMENT + "/cancel")
    def cancel(self, request: ArmRequest) -> Answer:
        """Stop a deployment that is at work. What it has begun to make goes on."""
        deployment = self._find(request)
        if not deployment.is_active:
            said = f"The deployment '{deployment.name}' cannot be cancelled: its state is '{deployment.state}'."
            raise ArmError(409, "DeploymentCannotBeCancelled", said)
        deployment.state = "Canceled"
        deployment.operation.status = "Canceled"
        deployment.operation.ended = self.server.clock.text()
        return Answer(None, 204)

    @answers("Deployments_Validate", "POST", _DEPLOYMENT + "/validate", body="Deployment")
    def validate(self, request: ArmRequest) -> Answer:
        """Check a template, and make nothing."""
        try:
            deployment = self._read(request, self._key(request))
        except ArmError as exc:
            return Answer(exc.body, 400)
        deployment.state = "Succeeded"
        return Answer(deployment.view)

    @answers("Deployments_ExportTemplate", "POST", _DEPLOYMENT + "/exportTemplate")
    def export_template(self, request: ArmRequest) -> Answer:
        """Give the template of a deployment, as it came: what is written into it is in the history."""
        return Answer({"template": self._find(request).body["properties"]["template"]})

    @answers(
        "DeploymentOperations_List",
        "GET",
        GROUP_PATH + "/deployments/{deploymentName}/operations",
        answer="DeploymentOperation[]",
    )
    def list_operations(self, request: ArmRequest) -> Answer:
        """Give what a deployment did, with the error of what failed."""
        deployment = self._find(request)
        values = [
            {
                "id": f"{deployment.id}/operations/{index:016X}",
                "operationId": f"{index:016X}",
                "properties": dict(state),
            }
            for index, state in enumerate(deployment.made.values(), start=1)
        ]
        return Answer({"value": values})

    @answers("ResourceGroups_Get", "GET", GROUP_PATH, answer="ResourceGroup")
    def get_resource_group(self, request: ArmRequest) -> Answer:
        """Give a resource group."""
        return Answer(self._resource_group(request))

    @answers("ResourceGroups_CheckExistence", "HEAD", GROUP_PATH)
    def check_resource_group(self, request: ArmRequest) -> Answer:
        """Say by the status that there is one: a missing one is refused before."""
        return Answer(None, 204)

    @answers("Providers_Get", "GET", SUBSCRIPTION_PATH + "/providers/{resourceProviderNamespace}", answer="Provider")
    def get_provider(self, request: ArmRequest) -> Answer:
        """Say whether a subscription has registered a provider."""
        name = request.params["resourceProviderNamespace"]
        is_missing = name.lower() in {each.lower() for each in self.server.settings.unregistered}
        state = "NotRegistered" if is_missing else "Registered"
        return Answer(
            {
                "id": f"/subscriptions/{request.subscription}/providers/{name}",
                "namespace": name,
                "registrationState": state,
                "resourceTypes": [],
            }
        )

    def _resource_group(self, request: ArmRequest) -> Json:
        return {
            "id": f"/subscriptions/{request.subscription}/resourceGroups/{request.group}",
            "name": request.group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self.server.settings.location,
            "properties": {"provisioningState": "Succeeded"},
        }

    def _key(self, request: ArmRequest) -> ResourceKey:
        return ResourceKey.of(request.subscription, request.group, request.params["deploymentName"])

    def _find(self, request: ArmRequest) -> Deployment:
        deployment = self.deployments.get(self._key(request))
        if deployment is None:
            raise self._missing(request)
        return deployment

    def _missing(self, request: ArmRequest) -> ArmError:
        said = f"Deployment '{request.params['deploymentName']}' could not be found."
        return ArmError(404, "DeploymentNotFound", said)


_STATUS_WORDS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 429: "TooManyRequests"}


def _is_plain(body: Any) -> bool:
    return "reference(" not in json.dumps(body).lower()
