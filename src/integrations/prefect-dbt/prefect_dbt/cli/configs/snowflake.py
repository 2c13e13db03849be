"""A target in Snowflake, made of the connector block of prefect-snowflake."""

from __future__ import annotations

import base64
from typing import Any, Literal

from pydantic import Field, HttpUrl

from .._keys import pem_text
from .base import LOGO_URL, BaseTargetConfigs, MissingExtrasRequireError

try:
    from prefect_snowflake.database import SnowflakeConnector
except ModuleNotFoundError as error:
    raise MissingExtrasRequireError("Snowflake") from error

__all__ = ["BaseTargetConfigs", "MissingExtrasRequireError", "SnowflakeTargetConfigs"]


class SnowflakeTargetConfigs(BaseTargetConfigs):
    """A target in Snowflake.

    Keys that dbt knows besides are on [its page](https://docs.getdbt.com/docs/core/connect-data-platform/snowflake-setup);
    give them in `extras`.

    Example:
        Load a stored target:

        ```python
        from prefect_dbt.cli.configs import SnowflakeTargetConfigs

        snowflake_target_configs = SnowflakeTargetConfigs.load("BLOCK_NAME")
        ```

        Make one of a connector:

        ```python
        from prefect_dbt.cli.configs import SnowflakeTargetConfigs
        from prefect_snowflake.credentials import SnowflakeCredentials
        from prefect_snowflake.database import SnowflakeConnector

        credentials = SnowflakeCredentials(
            user="user",
            password="password",
            account="account.region.aws",
            role="role",
        )
        connector = SnowflakeConnector(
            schema="public",
            database="database",
            warehouse="warehouse",
            credentials=credentials,
        )
        target_configs = SnowflakeTargetConfigs(connector=connector, extras={"retry_on_database_errors": True})
        ```
    """

    _block_type_name = "dbt CLI Snowflake Target Configs"
    _logo_url = HttpUrl(LOGO_URL)

    type: Literal["snowflake"] = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default="snowflake", description="The type of the adapter."
    )
    schema_: str | None = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default=None,
        alias="schema",
        description="The schema that dbt builds into; that of the connector when not given.",
    )
    connector: SnowflakeConnector = Field(
        default=..., description="The connector: account, identity, database, warehouse and schema."
    )

    def get_configs(self) -> dict[str, Any]:
        """Get the target as it stands in `profiles.yml`.

        Returns:
            Keys and plain values, secrets among them, as dbt-snowflake takes them.

        Raises:
            ValueError: If two of this block, `extras` and the connector give the same key and `allow_field_overrides`
                is not set, or if the private key is none.
        """
        return self._merged([("the connector", _connection(self.connector)), ("extras", self.extras or {})])


def _connection(connector: SnowflakeConnector) -> dict[str, Any]:
    credentials = connector.credentials
    configs: dict[str, Any] = {
        "account": credentials.account,
        "user": credentials.user,
        "password": credentials.password,
        "role": credentials.role,
        "database": connector.database,
        "warehouse": connector.warehouse,
        "schema": connector.schema_,
        "authenticator": credentials.authenticator,
        "token": credentials.token,
    }
    if credentials.authenticator == "okta_endpoint":
        # dbt, as Snowflake's driver, takes the address of Okta in the place of a name
        configs["authenticator"] = credentials.endpoint
    if credentials.authenticator == "workload_identity":
        configs["workload_identity_provider"] = credentials.workload_identity_provider
    if credentials.private_key is not None:
        key = _private_key(credentials.private_key.get_secret_value())
        configs["private_key"] = key
        if "ENCRYPTED" in key or not key.startswith("-----BEGIN"):  # dbt's adapter refuses one that is not needed
            configs["private_key_passphrase"] = credentials.private_key_passphrase
    elif credentials.private_key_path is not None:
        configs["private_key_path"] = credentials.private_key_path.expanduser()
        configs["private_key_passphrase"] = credentials.private_key_passphrase
    return configs


def _private_key(key: bytes) -> str:
    """The key as dbt-snowflake takes it: a PEM text, or the base64 form of a DER key."""
    try:
        text = key.decode().strip()
    except UnicodeDecodeError:
        return base64.b64encode(key).decode()
    return pem_text(text, "private_key") if "-----BEGIN" in text else "".join(text.split())
