"""What tests of the local Azure server have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prefect_integration_kit.waiting import poll
from prefect_integration_tests.backends.azure_api import ENVIRONMENT, AzureApi

Json = dict[str, Any]
GROUP = "tests"
SCHEMA = "https://schema.management.azure.com/schemas/2019-08-01/deploymentTemplate.json#"


def group_body(**properties: Any) -> Json:
    """A container group of one container that is not restarted."""
    container = {
        "image": "flows:dev",
        "command": ["python", "-m", "flow"],
        "resources": {"requests": {"cpu": 1.0, "memoryInGB": 1.0}},
        **properties.pop("container", {}),
    }
    own: Json = {"containers": [{"name": "main", "properties": container}], "osType": "Linux", "restartPolicy": "Never"}
    return {"location": "eastus", "properties": {**own, **properties}}


def template_of(body: Json, name: str = "[parameters('name')]", **parts: Any) -> Json:
    """A template that makes a container group."""
    resource = {"type": "Microsoft.ContainerInstance/containerGroups", "apiVersion": "2023-05-01", "name": name, **body}
    parameters = {"name": {"type": "string", "defaultValue": "etl"}}
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "parameters": parameters, "resources": [resource], **parts}


def deployment_of(template: Json, **parameters: Any) -> Json:
    """A deployment with values of parameters."""
    values = {name: {"value": value} for name, value in parameters.items()}
    return {"properties": {"mode": "Incremental", "template": template, "parameters": values}}


def job_body(*, configuration: Json | None = None, **container: Any) -> Json:
    """A job of one container."""
    own: Json = {"triggerType": "Manual", "replicaTimeout": 600, "replicaRetryLimit": 0, **(configuration or {})}
    main = {"name": "main", "image": "flows:dev", "resources": {"cpu": 0.5, "memory": "1Gi"}, **container}
    properties = {"environmentId": ENVIRONMENT, "configuration": own, "template": {"containers": [main]}}
    return {"location": "eastus", "properties": properties}


def plain(model: Any) -> Json:
    """What a model of an SDK holds, in the API's form: old ones have attributes that the API nests."""
    return model.as_dict() if hasattr(model, "_is_model") else model.serialize(keep_readonly=True)


def wait(is_so: Callable[[], Any], subject: str = "the server", timeout_seconds: float = 20) -> Any:
    """What a function gives, when it is something."""
    return poll(lambda: is_so() or None, subject=subject, interval_seconds=0.005, timeout_seconds=timeout_seconds)


def new_group(api: AzureApi, name: str = "etl", body: Json | None = None) -> Any:
    """Create a container group, and wait until it is provisioned."""
    groups = api.container_instance_client().container_groups
    return groups.begin_create_or_update(GROUP, name, body or group_body()).result()


def state_of(api: AzureApi, name: str = "etl") -> Json:
    """The present state of the first container of a group."""
    return api.container_group(name)["properties"]["containers"][0]["properties"]["instanceView"]["currentState"]


def refused(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Status, code and message of a call that must be refused."""
    from azure.core.exceptions import HttpResponseError

    with pytest.raises(HttpResponseError) as caught:
        call()
    error = caught.value.error
    assert error is not None
    return caught.value.status_code or 0, error.code or "", error.message or ""
