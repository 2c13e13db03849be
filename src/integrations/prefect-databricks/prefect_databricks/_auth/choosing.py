"""Which of the ways to authenticate the fields of a block mean."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import DatabricksCredentialsError
from .auth_types import AUTH_TYPES
from .sources import (
    AzureDevOpsIdToken,
    ClientSecret,
    Entra,
    Federated,
    GitHubIdToken,
    IdTokenFile,
    IdTokenVariable,
    ManagedIdentity,
    Source,
    checked_authority,
)

_APPLICATION = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
"""The application that Databricks is in every cloud of Azure,
https://learn.microsoft.com/azure/databricks/dev-tools/auth/aad-token-manual."""

CLOUDS: Mapping[str, tuple[str, str]] = {
    "public": ("https://login.microsoftonline.com", "https://management.core.windows.net/"),
    "usgovernment": ("https://login.microsoftonline.us", "https://management.core.usgovcloudapi.net/"),
    "china": ("https://login.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/"),
}
"""Of each cloud of Azure the authority, and the resource that manages others."""

_HOSTS = {".azuredatabricks.net": "public", ".databricks.azure.us": "usgovernment", ".databricks.azure.cn": "china"}
_SECRETS = ("token", "client_secret", "azure_client_secret")
_OF_LOGIN = (*_SECRETS, "auth_type", "client_id", "azure_client_id", "oidc_token_env", "oidc_token_filepath")


@dataclass(frozen=True)
class Identity:
    """Where requests go, and what proves who sends them.

    Attributes:
        address: Address of the workspace.
        auth_type: The way that was chosen.
        token: A token that never changes; `None` where tokens are asked for.
        sources: Who issues the token of each header.
        headers: Further headers.
    """

    address: str
    auth_type: str
    token: str | None = field(default=None, repr=False)
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def identify(given: Mapping[str, Any]) -> Identity:
    """Say who asks, by the fields of a block, its profile, and where it says so the environment.

    Args:
        given: Fields that are set, secrets as text.

    Raises:
        DatabricksCredentialsError: If something is missing or malformed.
    """
    from .. import _address

    try:
        values = gather(given)
        address = _address.workspace_address(values.get("databricks_instance", ""))
    except DatabricksCredentialsError:
        raise
    except ValueError as exc:
        raise DatabricksCredentialsError(str(exc)) from None
    return _Chooser(address, values).choose()


def gather(given: Mapping[str, Any]) -> dict[str, str]:
    """Join the fields of a block with what its profile and the environment say; the fields come first.

    The environment is asked only where `auth_type` is given: a block that names its token must not become somebody else
    for a variable that is set where it is used.

    Raises:
        ValueError: If a profile is named that cannot be read.
    """
    from .profiles import from_environment, from_profile

    values = {name: str(value) for name, value in given.items() if value}
    auth_type, profile = values.get("auth_type"), values.get("profile")
    if auth_type == "default":
        del values["auth_type"]
    if profile:
        values = _below(values, from_profile(profile, values.get("config_file")))
    if auth_type:
        values = _below(values, from_environment())
        if auth_type == "default" and not profile and not _has_some(values):
            values = _below(values, from_profile(values.get("profile"), values.get("config_file")))
    return values


def _below(values: dict[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Add what is not there. Parts of one login stay together: a principal is not joined with another one's secret."""
    added = dict(others)
    client_id = values.get("client_id")
    if values.get("token") or (client_id and values.get("client_secret")):
        for name in _OF_LOGIN:
            added.pop(name, None)
    elif client_id:
        for name in ("client", "azure_client"):
            if added.get(f"{name}_id", client_id) != client_id:
                added.pop(f"{name}_secret", None)
        added.pop("azure_client_id", None)
    return {**added, **values}


def _has_some(values: Mapping[str, str]) -> bool:
    return any(values.get(name) for name in (*_SECRETS, "oidc_token_env", "oidc_token_filepath", "azure_use_msi"))


class _Chooser:
    def __init__(self, address: str, values: Mapping[str, str]) -> None:
        self._address = address
        self._values = values

    def choose(self) -> Identity:
        auth_type = self._values.get("auth_type") or "default"
        if auth_type not in AUTH_TYPES:
            raise DatabricksCredentialsError(
                f"auth_type is {auth_type!r}, which is not supported. Choose one of {', '.join(AUTH_TYPES)}."
            )
        if auth_type == "default":
            auth_type = next((name for name, is_possible in self._possible().items() if is_possible()), "")
            if not auth_type:
                raise DatabricksCredentialsError(
                    f"There is nothing to authenticate to {self._address} with: neither token nor client_secret, no "
                    "profile, no login of a CLI, no ID token. Set DATABRICKS_TOKEN or another variable of "
                    "https://docs.databricks.com/dev-tools/auth/unified-auth, or a field of the block."
                )
        return self._identity(auth_type)

    def _possible(self) -> dict[str, Callable[[], bool]]:
        """List the ways in the order of the SDKs, each with whether it can be gone here."""
        from .cli import has_login

        has = self._values.get
        return {
            "pat": lambda: bool(has("token")),
            "oauth-m2m": lambda: bool(has("client_id") and has("client_secret") and not has("tenant_id")),
            "env-oidc": lambda: bool(os.environ.get(self._variable())),
            "file-oidc": lambda: bool(has("oidc_token_filepath")),
            "github-oidc": lambda: bool(has("client_id") and os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL")),
            "azure-client-secret": lambda: bool(
                (has("azure_client_id") and has("azure_client_secret"))
                or (has("tenant_id") and has("client_id") and has("client_secret"))
            ),
            "azure-msi": lambda: has("azure_use_msi", "").lower() in ("true", "1", "yes"),
            "azure-workload-identity": lambda: bool(
                self._is_azure() and self._entra_id() and os.environ.get("AZURE_FEDERATED_TOKEN_FILE")
            ),
            "github-oidc-azure": lambda: bool(
                self._is_azure() and has("azure_client_id") and os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL")
            ),
            "azure-cli": lambda: self._is_azure() and shutil.which("az") is not None,
            "azure-devops-oidc": lambda: bool(has("client_id") and os.environ.get("SYSTEM_ACCESSTOKEN")),
            "databricks-cli": lambda: has_login(self._address, has("profile")),
        }

    def _identity(self, auth_type: str) -> Identity:
        from .cli import DatabricksCli

        if auth_type == "pat":
            return Identity(self._address, auth_type, token=checked_token(self._need("token", auth_type), "token"))
        makers: dict[str, Callable[[], Source]] = {
            "oauth-m2m": lambda: ClientSecret(
                self._address, self._need("client_id", auth_type), self._need("client_secret", auth_type)
            ),
            "databricks-cli": lambda: DatabricksCli(self._address, self._values.get("profile")),
            "env-oidc": lambda: self._federated(IdTokenVariable(self._variable())),
            "file-oidc": lambda: self._federated(IdTokenFile(self._need("oidc_token_filepath", auth_type))),
            "github-oidc": lambda: self._federated(GitHubIdToken()),
            "azure-devops-oidc": lambda: self._federated(AzureDevOpsIdToken()),
        }
        if make := makers.get(auth_type):
            return Identity(self._address, auth_type, sources={"Authorization": make()})
        return self._azure_identity(auth_type)

    def _federated(self, id_token: Any) -> Source:
        return Federated(self._address, self._values.get("client_id"), id_token, self._values.get("token_audience"))

    def _azure_identity(self, auth_type: str) -> Identity:
        authority, management = self._cloud()
        sources = {"Authorization": self._azure_source(auth_type, _APPLICATION, authority)}
        headers: dict[str, str] = {}
        # Who is not a user of the workspace yet may come in by a role at its resource:
        # https://learn.microsoft.com/azure/databricks/dev-tools/auth/aad-token-manual
        if resource_id := self._values.get("azure_workspace_resource_id"):
            headers["X-Databricks-Azure-Workspace-Resource-Id"] = resource_id
            sources["X-Databricks-Azure-SP-Management-Token"] = self._azure_source(auth_type, management, authority)
        return Identity(self._address, auth_type, sources=sources, headers=headers)

    def _azure_source(self, auth_type: str, resource: str, authority: str) -> Source:
        from .cli import AzureCli

        tenant = self._values.get("tenant_id") or self._values.get("azure_tenant_id")
        client_id = self._entra_id()
        if auth_type == "azure-msi":
            return ManagedIdentity(client_id, resource)
        if auth_type == "azure-cli":
            return AzureCli(resource, tenant)
        if not client_id:
            raise self._missing("client_id", auth_type, "ARM_CLIENT_ID")
        secret, id_token = None, None
        if auth_type == "azure-client-secret":
            secret = self._entra_secret()
            if not secret:
                raise self._missing("client_secret", auth_type, "ARM_CLIENT_SECRET")
        elif auth_type == "github-oidc-azure":
            id_token = GitHubIdToken()
        else:
            path = self._values.get("oidc_token_filepath") or os.environ.get("AZURE_FEDERATED_TOKEN_FILE")
            if not path:
                raise self._missing("oidc_token_filepath", auth_type, "AZURE_FEDERATED_TOKEN_FILE")
            id_token = IdTokenFile(path)
        return Entra(authority, tenant, client_id, secret, id_token, resource, self._address)

    def _entra_id(self) -> str | None:
        return self._values.get("azure_client_id") or self._values.get("client_id")

    def _entra_secret(self) -> str | None:
        return self._values.get("azure_client_secret") or self._values.get("client_secret")

    def _variable(self) -> str:
        return self._values.get("oidc_token_env") or "DATABRICKS_OIDC_TOKEN"

    def _is_azure(self) -> bool:
        return bool(self._values.get("azure_workspace_resource_id")) or self._cloud_by_host() is not None

    def _cloud_by_host(self) -> str | None:
        from .. import _address

        host = _address.hostname(self._address)
        return next((cloud for ending, cloud in _HOSTS.items() if host.endswith(ending)), None)

    def _cloud(self) -> tuple[str, str]:
        given = self._values.get("azure_environment", "").lower()
        cloud = given or self._cloud_by_host() or "public"
        if cloud not in CLOUDS:
            raise DatabricksCredentialsError(f"azure_environment is {given!r}; it must be one of {', '.join(CLOUDS)}.")
        authority, management = CLOUDS[cloud]
        if elsewhere := os.environ.get("AZURE_AUTHORITY_HOST"):
            address = elsewhere if "://" in elsewhere else f"https://{elsewhere}"
            authority = checked_authority(address)
        return authority, management

    def _need(self, name: str, auth_type: str) -> str:
        if value := self._values.get(name):
            return value
        raise self._missing(name, auth_type, f"DATABRICKS_{name.upper()}")

    @staticmethod
    def _missing(name: str, auth_type: str, variable: str) -> DatabricksCredentialsError:
        return DatabricksCredentialsError(f"{name} is missing for auth_type {auth_type}. Set it, or {variable}.")


def checked_token(token: str, name: str) -> str:
    """Refuse what cannot stand in a header. The message does not repeat it.

    Raises:
        DatabricksCredentialsError: If it cannot be a token.
    """
    text = token.strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        said = "is empty" if not text else "has characters that no token has, such as spaces or line breaks"
        raise DatabricksCredentialsError(f"{name} {said}. Copy it again from the developer settings of the workspace.")
    return text
