"""What a local Azure Machine Learning answers: Azure Resource Manager, and the API of the workspaces' own host."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .ml_store import Json, MlRefused, Workspace, from_resource, from_transfer

ARM = "management.azure.com"
OWN = "eastus.api.azureml.ms"

_WORKSPACE = (
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/(?P<workspace>[^/]+)"
)
# https://learn.microsoft.com/azure/role-based-access-control/permissions/ai-machine-learning
_ACTION = "Microsoft.MachineLearningServices/workspaces/"


@dataclass(frozen=True)
class _Route:
    method: str
    verb: str
    host: str
    path: re.Pattern[str]
    action: str = ""


def _route(method: str, verb: str, host: str, path: str, action: str = "") -> _Route:
    return _Route(method, verb, host, re.compile(path, re.IGNORECASE), action and _ACTION + action)


_ARM_STORES = _WORKSPACE + "/datastores"
_OWN_STORES = "/datastore/v1.0" + _WORKSPACE + "/datastores"
_OWN_DEFAULT = "/datastore/v1.0" + _WORKSPACE + "/default"
_ROUTES = (
    _route("Subscriptions_List", "GET", ARM, "/subscriptions"),
    _route("Workspaces_Get", "GET", ARM, _WORKSPACE, "read"),
    _route("Datastores_List", "GET", ARM, _ARM_STORES, "datastores/read"),
    _route("Datastores_Get", "GET", ARM, _ARM_STORES + "/(?P<name>[^/]+)", "datastores/read"),
    _route("Datastores_CreateOrUpdate", "PUT", ARM, _ARM_STORES + "/(?P<name>[^/]+)", "datastores/write"),
    _route("Datastores_Delete", "DELETE", ARM, _ARM_STORES + "/(?P<name>[^/]+)", "datastores/delete"),
    _route(
        "Datastores_ListSecrets",
        "POST",
        ARM,
        _ARM_STORES + "/(?P<name>[^/]+)/listSecrets",
        "datastores/listsecrets/action",
    ),
    _route("Discovery_Get", "GET", OWN, "/discovery.*"),
    _route("OwnDatastores_List", "GET", OWN, _OWN_STORES, "datastores/read"),
    _route("OwnDatastores_Create", "POST", OWN, _OWN_STORES, "datastores/write"),
    _route("OwnDatastores_Get", "GET", OWN, _OWN_STORES + "/(?P<name>[^/]+)", "datastores/read"),
    _route("OwnDatastores_Update", "PUT", OWN, _OWN_STORES + "/(?P<name>[^/]+)", "datastores/write"),
    _route("OwnDefault_Get", "GET", OWN, _OWN_DEFAULT, "datastores/read"),
    _route("OwnDefault_Set", "PUT", OWN, _OWN_DEFAULT + "/(?P<name>[^/]+)", "datastores/write"),
)


@dataclass
class MlCall:
    """One request."""

    method: str
    """What is asked for, such as `Workspaces_Get`, or `OwnDatastores_Get` of the workspaces' own host."""

    verb: str
    host: str
    path: str
    query: Mapping[str, str]
    body: Json = field(default_factory=dict[str, Any], repr=False)
    principal: str = ""
    status: int = 0


class MlService:
    """The workspaces, and answers about them."""

    def __init__(self) -> None:
        """Start without workspaces."""
        self.workspaces: dict[str, Workspace] = {}
        self.tenant_id = ""
        self.denied: set[str] = set()
        self._handlers: dict[str, Callable[[MlCall, dict[str, str]], Json | None]] = {
            "Subscriptions_List": self._subscriptions,
            "Workspaces_Get": lambda _, names: self._workspace(names).as_resource(),
            "Datastores_List": self._list,
            "Datastores_Get": lambda _, names: self._resource(names),
            "Datastores_CreateOrUpdate": self._put,
            "Datastores_Delete": self._delete,
            "Datastores_ListSecrets": self._secrets,
            "Discovery_Get": self._discovery,
            "OwnDatastores_List": self._list_own,
            "OwnDatastores_Create": self._create_own,
            "OwnDatastores_Get": lambda _, names: self._own(names, names["name"]),
            "OwnDatastores_Update": self._update_own,
            "OwnDefault_Get": self._default,
            "OwnDefault_Set": self._set_default,
        }

    def name(self, call: MlCall) -> dict[str, str]:
        """Find what a call asks for, and the names in its path.

        Raises:
            MlRefused: If the APIs have no such path, or this server does not.
        """
        for route in _ROUTES:
            found = route.path.fullmatch(call.path)
            if found and route.verb == call.verb and route.host == call.host:
                call.method = route.method
                return {**found.groupdict(), "action": route.action}
        raise MlRefused(404, "NotFound", f"The local server has no {call.verb} of https://{call.host}{call.path}")

    def answer(self, call: MlCall, names: dict[str, str]) -> Json | None:
        """Do what a call asks.

        Raises:
            MlRefused: The refusal.
        """
        action = names["action"]
        if action in self.denied:
            scope = call.path.split("/datastores")[0]
            raise MlRefused(
                403,
                "AuthorizationFailed",
                f"The client '{call.principal}' with object id '{call.principal}' does not have authorization to "
                f"perform action '{action}' over scope '{scope}' or the scope is invalid.",
            )
        return self._handlers[call.method](call, names)

    def _workspace(self, names: dict[str, str]) -> Workspace:
        wanted = (
            f"/subscriptions/{names['subscription']}/resourceGroups/{names['group']}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{names['workspace']}"
        )
        found = next((each for each in self.workspaces.values() if each.id.lower() == wanted.lower()), None)
        if found is None:
            raise MlRefused(
                404,
                "ResourceNotFound",
                f"The Resource 'Microsoft.MachineLearningServices/workspaces/{names['workspace']}' under "
                f"resource group '{names['group']}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return found

    def _subscriptions(self, call: MlCall, names: dict[str, str]) -> Json:
        del call, names
        ids = {each.id.split("/")[2] for each in self.workspaces.values()}
        return {
            "value": [
                {
                    "id": f"/subscriptions/{each}",
                    "subscriptionId": each,
                    "displayName": "Test",
                    "state": "Enabled",
                    "tenantId": self.tenant_id,
                }
                for each in sorted(ids)
            ]
        }

    # Azure Resource Manager

    def _resource(self, names: dict[str, str]) -> Json:
        workspace = self._workspace(names)
        datastore = workspace.found(names["name"])
        return datastore.as_resource(workspace.id, is_default=workspace.default == datastore.name)

    def _list(self, call: MlCall, names: dict[str, str]) -> Json:
        workspace = self._workspace(names)
        wants_default = call.query.get("isDefault", "").lower() == "true"
        found = [n for n in workspace.datastores if not wants_default or n == workspace.default]
        return {"value": [self._resource({**names, "name": name}) for name in found]}

    def _put(self, call: MlCall, names: dict[str, str]) -> Json:
        self._workspace(names).add(from_resource(names["name"], call.body))
        return self._resource(names)

    def _delete(self, call: MlCall, names: dict[str, str]) -> None:
        del call
        self._workspace(names).datastores.pop(names["name"].lower(), None)

    def _secrets(self, call: MlCall, names: dict[str, str]) -> Json:
        del call
        datastore = self._workspace(names).found(names["name"])
        if datastore.credential_type == "AccountKey":
            return {"secretsType": "AccountKey", "key": datastore.credential}
        if datastore.credential_type == "Sas":
            return {"secretsType": "Sas", "sasToken": datastore.credential}
        raise MlRefused(400, "UserError", "No secrets for credentials of type None.")

    # The workspaces' own host

    def _discovery(self, call: MlCall, names: dict[str, str]) -> Json:
        del call, names
        services = (
            "api",
            "experimentation",
            "history",
            "hyperdrive",
            "labeling",
            "modelmanagement",
            "pipelines",
            "studio",
        )
        return dict.fromkeys(services, f"https://{OWN}")

    def _own(self, names: dict[str, str], name: str) -> Json:
        return self._workspace(names).found(name).as_transfer(with_secret=True)

    def _list_own(self, call: MlCall, names: dict[str, str]) -> Json:
        del call
        found = self._workspace(names).datastores.values()
        return {"value": [each.as_transfer(with_secret=False) for each in found], "continuationToken": None}

    def _create_own(self, call: MlCall, names: dict[str, str]) -> Json | None:
        workspace, made = self._workspace(names), from_transfer(call.body)
        if made.name in workspace.datastores:
            raise MlRefused(400, "UserError", "Another datastore with the same name already exists.")
        workspace.add(made)
        return None

    def _update_own(self, call: MlCall, names: dict[str, str]) -> Json | None:
        self._workspace(names).add(from_transfer(call.body))
        return None

    def _default(self, call: MlCall, names: dict[str, str]) -> Json:
        del call
        workspace = self._workspace(names)
        return self._own(names, workspace.default)

    def _set_default(self, call: MlCall, names: dict[str, str]) -> None:
        del call
        workspace = self._workspace(names)
        workspace.default = workspace.found(names["name"]).name
