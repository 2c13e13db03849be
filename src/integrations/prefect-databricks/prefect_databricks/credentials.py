"""Who we are at Databricks: the credentials block, the only module that builds clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import httpx
from prefect.blocks.abstract import CredentialsBlock
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, field_validator, model_validator

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import async_dispatch

from ._auth.auth_types import AuthType

if TYPE_CHECKING:
    from ._auth.choosing import Identity

__all__ = ["AuthType", "DatabricksCredentials"]

_LOGO = HttpUrl(
    "https://images.ctfassets.net/gm98wzqotmnx/5GTHI1PH2dTiantfps6Fnc/1c750fab7f4c14ea1b93a62b9fea6a94/"
    "databricks_logo_icon_170295.png?h=250"
)
_FOR_TOKENS = ("verify", "cert", "proxy", "trust_env", "http1", "http2")
"""Of `client_kwargs`, those that hold for requests to who issues tokens, too."""

_KEEP_SECONDS = 120.0
"""How long a connection stays open unused; httpx closes it after five seconds, before most next looks at a job."""


def __getattr__(name: str) -> Any:
    """Give the class of httpx that tests of flows look for here, to put another in its place."""
    if name != "AsyncClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return httpx.AsyncClient


def _with_authorities(options: Mapping[str, Any]) -> dict[str, Any]:
    """Read the certificates that `verify` names; a block that is saved can hold no context."""
    from prefect_integration_kit.tls import tls_context

    read = dict(options)
    if isinstance(read.get("verify"), str):
        read["verify"] = tls_context(read["verify"], "client_kwargs.verify")
    elif read.get("verify") is True:
        del read["verify"]
    return read


class DatabricksCredentials(QuickKey, CredentialsBlock):
    """Authenticate to a Databricks workspace.

    Without `auth_type`, the fields that are set say how: `token` is a personal access token; `client_id` and
    `client_secret` are a service principal of Databricks, and with `tenant_id` one of Microsoft Entra ID; `profile` is
    a profile of the Databricks CLI. With `auth_type`, what the fields do not say is read from the environment variables
    of [unified authentication](https://docs.databricks.com/dev-tools/auth/unified-auth). Tokens that end are shared by
    all that runs in a process, and renewed five minutes before their end.

    Attributes:
        databricks_instance: Host of the workspace, such as `dbc-a1b2c3d4-e5f6.cloud.databricks.com`.
        token: Personal access token.
        client_id: Application ID of a service principal, or client ID of a managed identity.
        client_secret: Secret of the service principal.
        tenant_id: Tenant of Microsoft Entra ID that the service principal is in; `client_secret` is then one of Entra
            ID.
        client_kwargs: Further arguments of [`httpx.AsyncClient`](https://www.python-httpx.org/api/#asyncclient).
        auth_type: How to authenticate; see the guide for what each way needs.
        profile: Name of a profile in `config_file`.
        config_file: Path of the profiles; by default `DATABRICKS_CONFIG_FILE`, or `~/.databrickscfg`.
        oidc_token_env: Name of an environment variable that holds an ID token of another system.
        oidc_token_filepath: Path of a file that holds an ID token of another system.
        token_audience: Audience of the ID token that is asked for.
        azure_workspace_resource_id: Resource ID of the workspace in Azure.
        azure_environment: Cloud of Azure: `public`, `usgovernment` or `china`.

    Example:
        Load saved credentials:
        ```python
        from prefect_databricks import DatabricksCredentials

        databricks_credentials_block = DatabricksCredentials.load("BLOCK_NAME")
        ```

        A service principal:
        ```python
        from prefect_databricks import DatabricksCredentials

        credentials = DatabricksCredentials(
            databricks_instance="dbc-a1b2c3d4-e5f6.cloud.databricks.com",
            client_id="my-client-id",
            client_secret="my-client-secret",
        )
        client = credentials.get_client()
        ```
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    _block_type_name = "Databricks Credentials"
    _logo_url = _LOGO
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-databricks")

    databricks_instance: str = Field(
        description="Host of the workspace, such as dbc-a1b2c3d4-e5f6.cloud.databricks.com or "
        "adb-1234567890123456.7.azuredatabricks.net."
    )
    token: SecretStr | None = Field(default=None, description="Personal access token.")
    client_id: str | None = Field(
        default=None,
        title="Client ID",
        description="Application ID of a service principal, or client ID of a managed identity.",
    )
    client_secret: SecretStr | None = Field(
        default=None,
        description="Secret of the service principal: an OAuth secret of Databricks, or with a tenant ID one of "
        "Microsoft Entra ID.",
    )
    tenant_id: str | None = Field(
        default=None,
        title="Tenant ID",
        description="Tenant of Microsoft Entra ID, if the service principal is one of Azure.",
    )
    client_kwargs: dict[str, Any] | None = Field(
        default=None,
        description="Further arguments of httpx.AsyncClient, such as headers, timeout, proxy or verify.",
    )
    auth_type: AuthType | None = Field(
        default=None,
        description="How to authenticate. Without, the other fields say it. With default, the first way that the "
        "environment allows, in the order of Databricks's SDKs.",
    )
    profile: str | None = Field(default=None, description="Name of a profile of the Databricks CLI.")
    config_file: str | None = Field(
        default=None, description="Path of the file that profiles are in, if it is not ~/.databrickscfg."
    )
    oidc_token_env: str | None = Field(
        default=None,
        title="OIDC token variable",
        description="Name of an environment variable that holds an ID token, which is exchanged for one of Databricks.",
    )
    oidc_token_filepath: str | None = Field(
        default=None,
        title="OIDC token file",
        description="Path of a file that holds an ID token, which is exchanged for one of Databricks.",
    )
    token_audience: str | None = Field(
        default=None, description="Audience that an ID token is asked for, if the federation policy names another."
    )
    azure_workspace_resource_id: str | None = Field(
        default=None,
        title="Azure workspace resource ID",
        description="Resource ID of the workspace, for identities that Azure lets into it by a role.",
    )
    azure_environment: str | None = Field(
        default=None, description="Cloud of Azure, if the host does not tell: public, usgovernment or china."
    )

    @model_validator(mode="before")
    @classmethod
    def validate_auth_method(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Check that the fields go together, before anything is sent.

        Args:
            values: What the block is made of.

        Returns:
            The same; where it has no `databricks_instance`, that of the profile or the environment.

        Raises:
            ValueError: If nothing says how to authenticate, two ways are mixed, or a part of one is missing.
        """
        from ._auth.checking import check_combination, instance_elsewhere

        if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - pydantic hands on anything
            return values
        check_combination(values)
        if not values.get("databricks_instance") and (found := instance_elsewhere(values)):
            return {**values, "databricks_instance": found}
        return values

    @field_validator("databricks_instance")
    @classmethod
    def _is_host(cls, databricks_instance: str) -> str:
        from ._address import workspace_address

        workspace_address(databricks_instance)
        return databricks_instance

    def get_client(self) -> httpx.AsyncClient:
        """Make a client of the REST API; it connects when it is used, and the caller closes it.

        Its requests are signed with a token of the moment, so that the client outlives tokens. Addresses are relative
        to `https://HOST/api/`: `await client.get("/2.2/jobs/list")`. Answers of any status are returned, and nothing is
        repeated, which `execute_endpoint` does.

        Returns:
            The client.

        Raises:
            DatabricksCredentialsError: If something that the way to authenticate needs is missing.
        """
        from prefect_integration_kit.tls import httpx_context

        from ._auth.keeping import auth_of
        from ._connections import client_class, is_of_httpx
        from .settings import DatabricksSettings

        options = _with_authorities(self.client_kwargs or {})
        identity = self._identity()
        headers = httpx.Headers(options.pop("headers", None))
        if identity.token is not None:
            headers["Authorization"] = f"Bearer {identity.token}"
        else:
            options.setdefault("auth", auth_of(identity, self._token_client, self._token_options()))
        options.setdefault("base_url", f"{identity.address}/api/")
        make = client_class()
        if not is_of_httpx(make):  # it may take no more than it must
            return make(headers=headers, **options)
        settings = DatabricksSettings()
        # With transports or a proxy of one's own, the context is not used, but made it would be.
        options.setdefault("verify", httpx_context())
        options.setdefault("timeout", httpx.Timeout(settings.timeout_seconds, connect=settings.connect_timeout_seconds))
        options.setdefault("limits", httpx.Limits(max_keepalive_connections=20, keepalive_expiry=_KEEP_SECONDS))
        return make(headers=headers, **options)

    async def aget_token(self) -> str:
        """Async form of `get_token`."""
        identity = self._identity()
        if identity.token is not None:
            return identity.token
        return await self._keeper(identity).aget()

    @async_dispatch(aget_token)
    def get_token(self) -> str:
        """Give a token that is good for some minutes, for clients other than ours, such as Databricks's SDK.

        Returns:
            The token. It is a secret.

        Raises:
            DatabricksCredentialsError: If there is none to be had.
            DatabricksUnavailable: If who issues tokens does not answer.
        """
        identity = self._identity()
        return self._keeper(identity).get() if identity.token is None else identity.token

    def _identity(self) -> Identity:
        from ._auth.checking import FIELDS, given
        from ._auth.choosing import identify

        values = {name: getattr(self, name, None) for name in FIELDS}
        return identify({**given(values), "databricks_instance": self.databricks_instance})

    def _keeper(self, identity: Identity) -> Any:
        from ._auth.keeping import keeper_of

        return keeper_of(identity.sources["Authorization"], self._token_client, self._token_options())

    def _token_options(self) -> dict[str, Any]:
        return {name: value for name, value in (self.client_kwargs or {}).items() if name in _FOR_TOKENS}

    def _token_client(self) -> httpx.Client:
        """Make a client to ask for tokens with. Proxies of the environment hold, as for all requests."""
        from prefect_integration_kit.tls import httpx_context

        from .settings import DatabricksSettings

        options: dict[str, Any] = {"verify": httpx_context(), **_with_authorities(self._token_options())}
        settings = DatabricksSettings()
        timeout = httpx.Timeout(settings.timeout_seconds, connect=settings.connect_timeout_seconds)
        return httpx.Client(timeout=timeout, **cast("Any", options))
