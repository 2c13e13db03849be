"""Workspaces of Azure Machine Learning, opened with the identity of a block."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.kept import SharedValues

from .._clients import common_options
from .._identity import describe, fingerprint, secrets_of, token_credential
from .._repeating import repeated
from .._stand_ins import stand_in
from ..errors import AzureCredentialsError, azure_errors
from .sdk import azure_ai_ml, azureml_core

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azureml.core.workspace import Workspace

    from ..credentials import AzureMlCredentials

_CLOUDS = {"public": "AzureCloud", "usgov": "AzureUSGovernment", "china": "AzureChinaCloud"}
_MAX_CLIENTS = 16
_clients: SharedValues[Any] = SharedValues(_MAX_CLIENTS)


def forget_ml_clients() -> None:
    """Drop all kept clients; the next use makes new ones."""
    _clients.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_ml_clients)  # a child would share its parent's connections


def subject_of(block: AzureMlCredentials) -> str:
    """Name the workspace for messages.

    Args:
        block: Which workspace.
    """
    name = getattr(block, "workspace_name", None)
    return f"Azure ML workspace '{name}'" if isinstance(name, str) else "Azure ML workspace"


def failure_context(block: AzureMlCredentials) -> dict[str, Any]:
    """Say who asks and what must not be in messages, as arguments of `azure_errors`.

    Args:
        block: Who we are; an object of a user's own, with the block's methods only, gives none.
    """
    try:
        return {"identity": describe(block), "secrets": secrets_of(block)}
    except (AttributeError, TypeError, ValueError):
        return {}


def open_workspace(block: AzureMlCredentials) -> Workspace:
    """Open a workspace with azureml-core. It asks Azure Resource Manager for the workspace.

    Args:
        block: Who we are, and which workspace.

    Raises:
        ImportError: If the extra `ml-datastore` is not installed or azureml-core does not load on this Python.
        AzureNotFound: If there is no such workspace.
        AzureCredentialsError: If the identity is refused.
        AzureAccessDenied: If it may not read the workspace.
        AzureUnavailable: If Azure cannot be reached.
    """
    _check_endpoints(block)
    make: Any = stand_in("Workspace") or azureml_core().Workspace
    authentication = _authentication(block)

    def connect() -> Any:
        with azure_errors(subject_of(block), **failure_context(block)):
            return make(
                subscription_id=block.subscription_id,
                resource_group=block.resource_group,
                workspace_name=block.workspace_name,
                auth=authentication,
            )

    return repeated(connect)


def _check_endpoints(block: AzureMlCredentials) -> None:
    fixed = sorted({"arm", "ml"}.intersection(block.endpoints))
    if fixed:
        raise AzureCredentialsError(
            f"endpoints of the AzureML credentials: Azure's SDKs for machine learning take no other address for "
            f"{' and '.join(fixed)}. Leave it out, and lead them by `cloud`, private DNS or the variable HTTPS_PROXY.",
            subject="endpoints",
        )


def _authentication(block: AzureMlCredentials) -> Any:
    if (own := stand_in("ServicePrincipalAuthentication")) is not None:
        return own(
            tenant_id=block.tenant_id,
            service_principal_id=block.service_principal_id,
            service_principal_password=block.service_principal_password.get_secret_value(),
        )
    sdk: Any = azureml_core("azureml.core.authentication")
    credential = token_credential(block)

    def token_for(audience: str) -> str:
        return credential.get_token(f"{audience.rstrip('/')}/.default").token

    return sdk.TokenAuthentication(token_for, cloud=_CLOUDS[block.cloud])


def ml_client(block: AzureMlCredentials) -> MLClient:
    """The kept client of azure-ai-ml for a workspace; nothing is asked before it is used.

    Args:
        block: Who we are, and which workspace.

    Raises:
        ImportError: If the extra `machine-learning` is not installed.
        AzureCredentialsError: If `endpoints` has an address that the SDK cannot use.
    """
    _check_endpoints(block)
    sdk: Any = azure_ai_ml()

    def build() -> Any:
        return sdk.MLClient(
            token_credential(block),
            block.subscription_id,
            block.resource_group,
            block.workspace_name,
            cloud=_CLOUDS[block.cloud],
            show_progress=False,
            enable_telemetry=False,
            **common_options(),
        )

    return _clients.get(fingerprint(block), build)
