"""What a user can get wrong among the fields of the credentials, said before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from .auth_types import AUTH_TYPES
from .choosing import CLOUDS, gather

FIELDS = (
    "auth_type",
    "token",
    "client_id",
    "client_secret",
    "tenant_id",
    "profile",
    "config_file",
    "oidc_token_env",
    "oidc_token_filepath",
    "token_audience",
    "azure_workspace_resource_id",
    "azure_environment",
)
_OF_TYPES = {
    "token": {"pat", "default"},
    "client_secret": {"oauth-m2m", "azure-client-secret", "default"},
    "tenant_id": {"azure-client-secret", "azure-workload-identity", "github-oidc-azure", "azure-cli", "default"},
    "oidc_token_env": {"env-oidc", "default"},
    "oidc_token_filepath": {"file-oidc", "azure-workload-identity", "default"},
}
"""Fields that say what proves who asks: to which types each belongs."""

_WAYS = (
    "Set `token` for a personal access token; `client_id` and `client_secret` for a service principal, with "
    "`tenant_id` for one of Microsoft Entra ID; `profile` for a profile of the Databricks CLI; or `auth_type` for "
    "another way."
)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields that are set. A form sends empty texts for those that are not.

    Args:
        values: Fields, or what they shall be made of.
    """
    return {name: plain for name in FIELDS if (plain := _plain(values.get(name))) not in (None, "")}


def check_combination(values: Mapping[str, Any]) -> None:
    """Refuse fields that do not go together.

    Args:
        values: Fields, or what they shall be made of.

    Raises:
        ValueError: Naming the fields, and never what is in them.
    """
    has = given(values)
    if "azure_environment" in has and str(has["azure_environment"]).lower() not in CLOUDS:
        raise ValueError(f"azure_environment is {has['azure_environment']!r}; it must be one of {', '.join(CLOUDS)}.")
    auth_type = has.get("auth_type")
    if auth_type is not None:
        _check_type(auth_type, has)
        return
    if "token" in has and ("client_id" in has or "client_secret" in has):
        raise ValueError(
            "token and client_id/client_secret are both given, and only one way to authenticate can be used: leave out "
            "`token`, or `client_id` and `client_secret`."
        )
    if "token" in has or "oidc_token_filepath" in has or "oidc_token_env" in has or "profile" in has:
        if "client_secret" in has and "client_id" not in has:
            raise ValueError("client_id is missing: client_secret belongs to a service principal. Set `client_id`.")
        if "oidc_token_filepath" in has and "oidc_token_env" in has:
            raise ValueError("oidc_token_filepath and oidc_token_env are both given. Leave one of them out.")
        return
    if "client_id" in has and "client_secret" not in has:
        raise ValueError(
            "client_secret is missing: client_id alone proves nothing. Set `client_secret`, or `auth_type` for an "
            "identity without a secret (azure-msi, github-oidc, …)."
        )
    if "client_secret" in has and "client_id" not in has:
        raise ValueError("client_id is missing: client_secret belongs to a service principal. Set `client_id`.")
    if "client_id" not in has:
        about = "tenant_id alone proves nothing. " if "tenant_id" in has else ""
        raise ValueError(f"token is missing, and nothing else says how to authenticate. {about}{_WAYS}")
    if "azure_workspace_resource_id" in has and "tenant_id" not in has:
        raise ValueError(
            "tenant_id is missing: azure_workspace_resource_id is for identities of Azure. Set `tenant_id`, or "
            "`auth_type`."
        )


def _check_type(auth_type: Any, has: Mapping[str, Any]) -> None:
    if auth_type not in AUTH_TYPES:
        raise ValueError(f"auth_type is {auth_type!r}; it must be one of {', '.join(AUTH_TYPES)}.")
    for name, types in _OF_TYPES.items():
        if name in has and auth_type not in types:
            others = " or ".join(sorted(types - {"default"}))
            raise ValueError(f"{name} is given, but auth_type {auth_type} does not use it: it is for {others}.")
    if auth_type == "default" and "token" in has and "client_secret" in has:
        raise ValueError("token and client_secret are both given. Leave one of them out.")


def instance_elsewhere(values: Mapping[str, Any]) -> str | None:
    """Find the workspace where the block does not say it: in the profile, or with `auth_type` in the environment.

    Args:
        values: Fields, or what they shall be made of.

    Raises:
        ValueError: If a profile is named that cannot be read.
    """
    has = given(values)
    if not has.get("profile") and not has.get("auth_type"):
        return None
    return gather(has).get("databricks_instance")


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value.strip() if isinstance(value, str) else value
