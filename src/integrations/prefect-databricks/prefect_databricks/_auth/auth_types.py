"""The ways to authenticate, by the names that Databricks' own tools give them."""

from __future__ import annotations

from typing import Literal, get_args

AuthType = Literal[
    "default",
    "pat",
    "oauth-m2m",
    "databricks-cli",
    "env-oidc",
    "file-oidc",
    "github-oidc",
    "azure-devops-oidc",
    "azure-client-secret",
    "azure-msi",
    "azure-workload-identity",
    "github-oidc-azure",
    "azure-cli",
]
AUTH_TYPES: tuple[str, ...] = get_args(AuthType)
