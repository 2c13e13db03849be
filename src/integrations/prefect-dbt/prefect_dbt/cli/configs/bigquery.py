"""A target in BigQuery, made of the credentials block of prefect-gcp."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import Field, HttpUrl

from .base import LOGO_URL, BaseTargetConfigs, MissingExtrasRequireError

try:
    from prefect_gcp.credentials import GcpCredentials
except ModuleNotFoundError as error:
    raise MissingExtrasRequireError("BigQuery") from error

__all__ = ["BaseTargetConfigs", "BigQueryTargetConfigs", "MissingExtrasRequireError"]


class BigQueryTargetConfigs(BaseTargetConfigs):
    """A target in BigQuery.

    Keys that dbt knows besides are on [its page](https://docs.getdbt.com/docs/core/connect-data-platform/bigquery-setup);
    give them in `extras`.

    Example:
        Load a stored target:

        ```python
        from prefect_dbt.cli.configs import BigQueryTargetConfigs

        bigquery_target_configs = BigQueryTargetConfigs.load("BLOCK_NAME")
        ```

        Make one of credentials:

        ```python
        from prefect_dbt.cli.configs import BigQueryTargetConfigs
        from prefect_gcp.credentials import GcpCredentials

        credentials = GcpCredentials.load("BLOCK-NAME-PLACEHOLDER")
        target_configs = BigQueryTargetConfigs(
            schema="schema",  # also known as dataset
            credentials=credentials,
        )
        ```
    """

    _block_type_name = "dbt CLI BigQuery Target Configs"
    _logo_url = HttpUrl(LOGO_URL)

    type: Literal["bigquery"] = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default="bigquery", description="The type of the adapter."
    )
    project: str | None = Field(
        default=None, description="ID of the project to build in; that of the credentials when not given."
    )
    credentials: GcpCredentials = Field(
        default_factory=GcpCredentials,
        description="The identity; that of the environment when not given.",
    )

    def get_configs(self) -> dict[str, Any]:
        """Get the target as it stands in `profiles.yml`.

        A service account goes to dbt as its key or file. Without one, dbt uses Application Default Credentials itself.
        For an identity that dbt has no form for (workload identity federation, delegated impersonation), it gets an
        access token, which is good for an hour.

        Returns:
            Keys and plain values, secrets among them, as dbt-bigquery takes them.

        Raises:
            ValueError: If `extras` gives a key that this block or the credentials give, and `allow_field_overrides` is
                not set.
        """
        connection = _connection(self.credentials)
        if self.project is not None:
            connection.pop("project", None)
        return self._merged([("the credentials", connection), ("extras", self.extras or {})])


def _connection(credentials: GcpCredentials) -> dict[str, Any]:
    configs: dict[str, Any] = {"project": credentials.project, **_identity(credentials)}
    if "token" not in configs:
        configs["impersonate_service_account"] = _of(credentials, "impersonate_service_account")
    configs["quota_project"] = _of(credentials, "quota_project")
    configs["scopes"] = _of(credentials, "scopes")
    configs["api_endpoint"] = cast("dict[str, str]", _of(credentials, "api_endpoints") or {}).get("bigquery")
    return configs


def _identity(credentials: GcpCredentials) -> dict[str, Any]:
    federated = _of(credentials, "workload_identity_federation") or _of(
        credentials, "workload_identity_federation_file"
    )
    if federated or _of(credentials, "impersonate_delegates"):
        return {"method": "oauth-secrets", "token": credentials.get_access_token()}
    if credentials.service_account_info is not None:
        key: dict[str, Any] = credentials.service_account_info.get_secret_value()
        return {"method": "service-account-json", "keyfile_json": key}
    if credentials.service_account_file is not None:
        return {"method": "service-account", "keyfile": credentials.service_account_file.expanduser()}
    return {"method": "oauth"}


def _of(credentials: GcpCredentials, name: str) -> Any:
    """A field that earlier releases of prefect-gcp do not have; `None` also for what is empty."""
    return getattr(credentials, name, None) or None
