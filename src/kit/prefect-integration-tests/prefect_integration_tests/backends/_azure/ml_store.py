"""The workspaces and datastores of a local Azure Machine Learning, in the shapes of both of its APIs."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

Json = dict[str, Any]


class MlRefused(Exception):
    """An answer other than success.

    Args:
        status: HTTP status.
        code: Azure's word for it.
        message: What it says.
        retry_after_seconds: Send `Retry-After`.
    """

    def __init__(self, status: int, code: str, message: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after_seconds = retry_after_seconds


@dataclass
class Datastore:
    """A blob container that a workspace knows by name.

    Attributes:
        credential: Of `credential_type`: the account's key or a shared access signature.
    """

    name: str
    account: str
    container: str
    endpoint: str = "core.windows.net"
    protocol: str = "https"
    credential_type: str = "AccountKey"
    credential: str = field(default="", repr=False)
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict[str, str])

    def as_resource(self, workspace: str, *, is_default: bool) -> Json:
        """As Azure Resource Manager shows it: without the secret.

        https://learn.microsoft.com/rest/api/azureml/datastores/get
        """
        known = {"AccountKey": "AccountKey", "Sas": "Sas"}.get(self.credential_type, "None")
        return {
            "id": f"{workspace}/datastores/{self.name}",
            "name": self.name,
            "type": "Microsoft.MachineLearningServices/workspaces/datastores",
            "properties": {
                "datastoreType": "AzureBlob",
                "isDefault": is_default,
                "accountName": self.account,
                "containerName": self.container,
                "endpoint": self.endpoint,
                "protocol": self.protocol,
                "credentials": {"credentialsType": known},
                "description": self.description,
                "tags": self.tags,
                "properties": {},
                "serviceDataAccessAuthIdentity": "None",
            },
        }

    def as_transfer(self, *, with_secret: bool) -> Json:
        """As the workspace's own API shows it, to azureml-core; a list is without the secrets."""
        is_key = self.credential_type == "AccountKey"
        secret = self.credential if with_secret else None
        return {
            "name": self.name,
            "dataStoreType": "AzureBlob",
            "hasBeenValidated": True,
            "tags": self.tags,
            "azureStorageSection": {
                "accountName": self.account,
                "containerName": self.container,
                "endpoint": self.endpoint,
                "protocol": self.protocol,
                "credentialType": self.credential_type,
                "credential": secret,
                "isSas": self.credential_type == "Sas",
                "accountKey": secret if is_key else None,
                "sasToken": secret if self.credential_type == "Sas" else None,
            },
        }


class Workspace:
    """One workspace and its datastores."""

    def __init__(self, subscription_id: str, resource_group: str, name: str) -> None:
        """Make one without datastores."""
        self.id = (
            f"/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{name}"
        )
        self.name = name
        self.workspace_id = str(uuid.uuid4())
        self.datastores: dict[str, Datastore] = {}
        self.default = ""
        self.lock = threading.RLock()

    def add(self, datastore: Datastore, *, default: bool = False) -> Datastore:
        """Add a datastore; the first is the default."""
        with self.lock:
            self.datastores[datastore.name] = datastore
            if default or not self.default:
                self.default = datastore.name
        return datastore

    def found(self, name: str) -> Datastore:
        """A datastore by name.

        Raises:
            MlRefused: 404.
        """
        found = self.datastores.get(name.lower())
        if found is None:
            raise MlRefused(404, "UserError", f"Could not find datastore with name: {name}")
        return found

    def as_resource(self) -> Json:
        """As Azure Resource Manager shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "location": "eastus",
            "tags": {},
            "sku": {"name": "Basic", "tier": "Basic"},
            "properties": {
                "friendlyName": self.name,
                "workspaceId": self.workspace_id,
                "discoveryUrl": "https://eastus.api.azureml.ms/discovery",
                "provisioningState": "Succeeded",
                "creationTime": "2026-01-01T00:00:00Z",
            },
        }


def from_resource(name: str, body: Mapping[str, Any]) -> Datastore:
    """Read what a client puts with Azure Resource Manager.

    Raises:
        MlRefused: If it is no blob datastore.
    """
    properties = cast("Json", body.get("properties") or {})
    if properties.get("datastoreType") != "AzureBlob":
        raise MlRefused(400, "UserError", "The local server has blob datastores only.")
    credentials = cast("Json", properties.get("credentials") or {})
    secrets = cast("Json", credentials.get("secrets") or {})
    kind = str(credentials.get("credentialsType", "None"))
    secret = secrets.get("key") if kind == "AccountKey" else secrets.get("sasToken")
    if kind in ("AccountKey", "Sas") and not secret:
        raise MlRefused(400, "UserError", "The credentials have no secret.")
    return Datastore(
        _checked_name(name),
        str(properties.get("accountName", "")),
        str(properties.get("containerName", "")),
        str(properties.get("endpoint") or "core.windows.net"),
        str(properties.get("protocol") or "https"),
        kind,
        str(secret or ""),
        str(properties.get("description") or ""),
        dict(cast("dict[str, str]", properties.get("tags") or {})),
    )


def from_transfer(body: Mapping[str, Any]) -> Datastore:
    """Read what azureml-core posts.

    Raises:
        MlRefused: If it is no blob datastore.
    """
    section = cast("Json", body.get("azureStorageSection") or {})
    if body.get("dataStoreType") != "AzureBlob":
        raise MlRefused(400, "UserError", "The local server has blob datastores only.")
    return Datastore(
        _checked_name(str(body.get("name", ""))),
        str(section.get("accountName", "")),
        str(section.get("containerName", "")),
        str(section.get("endpoint") or "core.windows.net"),
        str(section.get("protocol") or "https"),
        str(section.get("credentialType") or "None"),
        str(section.get("credential") or ""),
    )


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name, re.ASCII):
        raise MlRefused(400, "UserError", f"Datastore name {name} can contain only letters, digits, _ and -.")
    return name.lower()
