"""Profiles of the Databricks CLI and SDKs, and their environment variables.

https://docs.databricks.com/dev-tools/auth/config-profiles, https://docs.databricks.com/dev-tools/auth/env-vars
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "databricks_instance": ("DATABRICKS_HOST",),
    "auth_type": ("DATABRICKS_AUTH_TYPE",),
    "profile": ("DATABRICKS_CONFIG_PROFILE",),
    "token": ("DATABRICKS_TOKEN",),
    "client_id": ("DATABRICKS_CLIENT_ID",),
    "client_secret": ("DATABRICKS_CLIENT_SECRET",),
    "token_audience": ("DATABRICKS_TOKEN_AUDIENCE",),
    "oidc_token_env": ("DATABRICKS_OIDC_TOKEN_ENV",),
    "oidc_token_filepath": ("DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE"),
    "azure_workspace_resource_id": ("DATABRICKS_AZURE_RESOURCE_ID",),
    "azure_environment": ("ARM_ENVIRONMENT",),
    "azure_use_msi": ("ARM_USE_MSI",),
    "azure_client_id": ("ARM_CLIENT_ID", "AZURE_CLIENT_ID"),
    "azure_client_secret": ("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
    "azure_tenant_id": ("ARM_TENANT_ID", "AZURE_TENANT_ID"),
}
"""By field, or name in a profile: the environment variables that the SDKs read."""

_RENAMED = {"host": "databricks_instance"}
_KNOWN = frozenset({*VARIABLES, *_RENAMED}) - {"profile"}
_SETTINGS = "__settings__"


def from_environment() -> dict[str, str]:
    """Read what the environment says, by field."""
    found: dict[str, str] = {}
    for name, variables in VARIABLES.items():
        for variable in variables:
            if value := os.environ.get(variable, "").strip():
                found[name] = value
                break
    return found


def config_path(config_file: str | None) -> Path:
    """Say which file the profiles are in.

    Args:
        config_file: The path that is given; by default that of `DATABRICKS_CONFIG_FILE`, or `~/.databrickscfg`.
    """
    return Path(config_file or os.environ.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg").expanduser()


def from_profile(profile: str | None, config_file: str | None) -> dict[str, str]:
    """Read a profile, by field.

    Args:
        profile: Its name; by default the one that the file names as its default, or `DEFAULT`, if there is one.
        config_file: Path of the file.

    Raises:
        ValueError: If the file cannot be read or has no such profile.
    """
    path = config_path(config_file)
    if profile is None and not path.exists():
        return {}
    # No name is special to this parser: values of DEFAULT are no defaults of other profiles.
    parser = configparser.ConfigParser(interpolation=None, default_section="\0", strict=False)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        raise ValueError(f"profile is {profile!r}, but there is no file {path}. Run `databricks configure`.") from None
    except (OSError, ValueError, configparser.Error, RuntimeError) as exc:
        # Not the error's own words: the parser repeats the line, which may hold a token.
        raise ValueError(f"config_file {str(path)!r} cannot be read ({type(exc).__name__}).") from None
    name = profile or parser.get(_SETTINGS, "default_profile", fallback="").strip() or "DEFAULT"
    if name == _SETTINGS or not parser.has_section(name):
        if profile is None:
            return {}
        known = ", ".join(section for section in parser.sections() if section != _SETTINGS) or "none"
        raise ValueError(f"profile is {profile!r}, which is not in {path}. Profiles there: {known}.")
    values = {key: value.strip() for key, value in parser.items(name) if value and value.strip()}
    found = {_RENAMED.get(key, key): value for key, value in values.items() if key in _KNOWN}
    return {**found, "profile": name}
