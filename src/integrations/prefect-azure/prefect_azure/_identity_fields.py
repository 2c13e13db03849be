"""The fields and methods that all credentials blocks share: one identity, one cloud, the addresses of its services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from prefect.blocks.core import Block
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_serializer,
    model_validator,
)

from . import _identity
from ._endpoints import CloudName, check_endpoints, check_url

if TYPE_CHECKING:
    import logging

    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential
    from prefect.logging.loggers import LoggingAdapter
    from typing_extensions import Self

IdentityName = Literal["default", "service-principal", "managed", "workload", "cli", "key", "sas", "anonymous"]
"""Ways to prove who we are."""

# The fields that all blocks have after their own.
IdentityField = Annotated[
    IdentityName | None,
    Field(
        description=(
            "How to log in: default (DefaultAzureCredential), service-principal, managed (managed identity), workload "
            "(workload identity of Kubernetes), cli (az login); for Blob Storage also key, sas and anonymous. What the "
            "other fields say when not given, and without any of them default."
        )
    ),
]
CertificateField = Annotated[
    SecretStr | None,
    Field(
        description=(
            "Certificate of the service principal with its private key, instead of a client secret: the path of a PEM "
            "or PKCS #12 file where the flow runs, or the text in PEM format."
        )
    ),
]
CertificatePasswordField = Annotated[SecretStr | None, Field(description="Password of the certificate's private key.")]
FederatedTokenFileField = Annotated[
    str | None,
    Field(
        description=(
            "Path of a file with the workload's own token, for workload identity federation; "
            "AZURE_FEDERATED_TOKEN_FILE when not given."
        )
    ),
]
CloudField = Annotated[
    CloudName, Field(description="Azure's cloud: public, usgov (US Government) or china (operated by 21Vianet).")
]
AuthorityField = Annotated[
    str | None,
    Field(
        description=(
            "Address of Microsoft Entra ID (https://host[:port]), where it is neither the cloud's own nor "
            "AZURE_AUTHORITY_HOST."
        )
    ),
]
EndpointsField = Annotated[
    dict[str, str],
    Field(
        description=(
            "Addresses (https://host[:port]) to use instead of Azure's public ones, by service: arm, blob, cosmos, "
            "dfs, keyvault, loganalytics, ml, servicebus. For private links, proxies and emulators. Tokens and keys "
            "are sent over TLS or to this machine only."
        )
    ),
]
TenantIdField = Annotated[
    str | None, Field(title="Tenant ID", description="ID or domain of the Microsoft Entra tenant that we log in to.")
]
ClientIdField = Annotated[
    str | None,
    Field(
        title="Client ID",
        description="ID of the application (service principal), or of a user-assigned managed identity.",
    ),
]
ClientSecretField = Annotated[SecretStr | None, Field(description="Secret of the service principal.")]


class AzureIdentityFields(BaseModel):
    """What all blocks share that log in to Azure: one identity, one cloud, the addresses of its services."""

    model_config = ConfigDict(hide_input_in_errors=True)

    if TYPE_CHECKING:
        identity: IdentityName | None
        certificate: SecretStr | None
        certificate_password: SecretStr | None
        federated_token_file: str | None
        cloud: CloudName
        authority: str | None
        endpoints: dict[str, str]

    _own_credential: Any = PrivateAttr(default=None)

    @field_validator(
        "account_key",
        "account_url",
        "certificate",
        "certificate_password",
        "client_secret",
        "connection_string",
        "federated_token_file",
        "sas_token",
        "token",
        mode="before",
        check_fields=False,
    )
    @classmethod
    def _empty_is_not_given(cls, value: Any) -> Any:
        """Take an empty text, as forms send it, for nothing."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return None if text == "" else value

    @field_validator("endpoints", check_fields=False)
    @classmethod
    def _check_endpoints(cls, value: dict[str, str]) -> dict[str, str]:
        return check_endpoints(value)

    @field_validator("authority", check_fields=False)
    @classmethod
    def _check_authority(cls, value: str | None) -> str | None:
        if not value:
            return None
        value = value if "://" in value else f"https://{value}"
        if not value.startswith("https://"):
            raise ValueError("authority must begin with https://: secrets are sent there.")
        return check_url(value, "authority")

    @model_validator(mode="after")
    def _check_identity(self) -> Self:
        kind, who = self.identity_kind, self.principal()
        if self.certificate is not None and who.client_secret is not None:
            raise ValueError("client_secret and certificate are both given; a service principal has one of them.")
        if self.certificate_password is not None and self.certificate is None:
            raise ValueError("certificate_password is given without certificate.")
        if kind == "service-principal":
            missing = [
                name for name, value in (("tenant_id", who.tenant_id), ("client_id", who.client_id)) if not value
            ]
            if who.client_secret is None and self.certificate is None:
                missing.append("client_secret or certificate")
            if missing:
                raise ValueError(f"A service principal needs {' and '.join(missing)}, too.")
        elif kind == "default" and self.identity is None and who.tenant_id:
            raise ValueError(
                "tenant_id is given, but neither client_secret, certificate nor federated_token_file to log in with. "
                "Give one of them, or say by identity how to log in."
            )
        elif who.client_secret is not None or self.certificate is not None:
            name = "client_secret" if who.client_secret is not None else "certificate"
            raise ValueError(f"{name} is of a service principal; identity={kind!r} does not use it.")
        return self

    @property
    def logger(self) -> logging.Logger | LoggingAdapter:
        """The logger of the flow run or task run, else one of the block's own."""
        from prefect.exceptions import MissingContextError
        from prefect.logging import get_logger, get_run_logger

        try:
            return get_run_logger()
        except MissingContextError:
            return get_logger(type(self).__name__)

    @property
    def identity_kind(self) -> IdentityName:
        """How this block logs in: `identity`, or what the other fields say."""
        if self.identity is not None:
            return self.identity
        if self.certificate is not None or self.principal().client_secret is not None:
            return "service-principal"
        return "workload" if self.federated_token_file else "default"

    def principal(self) -> _identity.Principal:
        """Say which identity of Microsoft Entra ID this block names; nobody is asked."""
        return _identity.Principal(
            tenant_id=getattr(self, "tenant_id", None) or None,
            client_id=getattr(self, "client_id", None) or None,
            client_secret=getattr(self, "client_secret", None) or None,
        )

    @property
    def own_credential(self) -> Any:
        """The credential that `with_credential` was given, else `None`."""
        return self._own_credential

    @classmethod
    def from_token_credential(cls, credential: TokenCredential | AsyncTokenCredential, **fields: Any) -> Self:
        """Make a block that logs in by a credential of your own; it cannot be saved.

        Args:
            credential: Any `TokenCredential` of azure-identity or of your own.
            **fields: The block's other fields, such as `account_url`.

        Example:
            ```python
            from azure.identity import AzurePipelinesCredential
            from prefect_azure import AzureCredentials

            login = AzurePipelinesCredential(
                tenant_id="TENANT", client_id="CLIENT", service_connection_id="CONNECTION", system_access_token="TOKEN"
            )
            credentials = AzureCredentials.from_token_credential(login)
            ```
        """
        return cls(**fields).with_credential(credential)

    def with_credential(self, credential: TokenCredential | AsyncTokenCredential) -> Self:
        """Copy this block with a credential of your own, which replaces its identity. The copy cannot be saved.

        Args:
            credential: Any `TokenCredential` of azure-identity or of your own. An `AsyncTokenCredential` serves async
                clients of its event loop only.

        Raises:
            TypeError: If it is no credential.

        Example:
            ```python
            from azure.identity import AzureCliCredential

            from prefect_azure import AzureBlobStorageCredentials

            credentials = AzureBlobStorageCredentials.load("BLOCK_NAME").with_credential(AzureCliCredential())
            ```
        """
        if not callable(getattr(credential, "get_token", None)):
            raise TypeError(
                f"credential must have a method get_token, as those of azure.identity; got {type(credential).__name__}."
            )
        copy = self.model_copy()
        copy._own_credential = credential  # noqa: SLF001 - a copy of this block
        if isinstance(copy, Block):
            # A reference to the saved block would lose the credential.
            copy._block_document_id = None  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            copy._block_document_name = None  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        return copy

    def get_token_credential(self) -> TokenCredential:
        """Get the credential as Azure's SDKs take it.

        Equal blocks share one, and its tokens: they are renewed before they expire, once for all threads.

        Returns:
            A `TokenCredential` for synchronous clients.

        Raises:
            AzureCredentialsError: If the certificate cannot be read, or the identity gives no tokens.
        """
        return cast("TokenCredential", _identity.token_credential(self))

    def get_async_token_credential(self) -> AsyncTokenCredential:
        """Get the credential as Azure's async SDKs take it; it has the tokens of `get_token_credential`.

        Returns:
            An `AsyncTokenCredential` for clients of `….aio`, good in any event loop.

        Raises:
            AzureCredentialsError: If the certificate cannot be read, or the identity gives no tokens.
        """
        return cast("AsyncTokenCredential", _identity.async_token_credential(self))

    def get_access_token(self, scope: str = "https://management.azure.com/.default") -> str:
        """Get an access token that is good for some minutes at least.

        Args:
            scope: What it is for: the address of the service and `/.default`.

        Returns:
            The token, to be sent as `Authorization: Bearer TOKEN`.

        Raises:
            AzureCredentialsMissing: If there is no identity.
            AzureCredentialsRefused: If Microsoft Entra ID does not accept it.
            AzureUnavailable: If the token endpoint does not answer.

        Example:
            ```python
            from prefect_azure import AzureCredentials

            token = AzureCredentials.load("BLOCK_NAME").get_access_token("https://vault.azure.net/.default")
            ```
        """
        return _identity.access_token(self, scope)

    @model_serializer(mode="wrap")
    def ser_model(self, handler: Any, info: Any) -> Any:
        """Serialize the block, except to save it with a credential of one's own."""
        if self._own_credential is not None and info.context and info.context.get("include_secrets") is True:
            raise ValueError(_NOT_SAVED.format(type(self).__name__))
        return cast("Any", super()).ser_model(handler, info)


_NOT_SAVED = (
    "{} has a credential of your own (from_token_credential, with_credential), which lives in this process only and "
    "cannot be saved. Save a block without it, and add it with with_credential after loading."
)


def check_all_or_none(values: dict[str, Any], names: tuple[str, str, str]) -> None:
    """Refuse a service principal of which something is missing, unless another field says what the rest means.

    Args:
        values: The fields as they are given.
        names: Those of the service principal.

    Raises:
        ValueError: Naming what is missing.
    """
    given = [name for name in names if values.get(name)]
    if not given or len(given) == len(names):
        return
    if values.get("identity") or values.get("certificate") or values.get("federated_token_file"):
        return
    missing = " and ".join(name for name in names if name not in given)
    raise ValueError(
        "If any of `client_id`, `tenant_id`, or `client_secret` are provided, all must be provided; "
        f"{missing} {'is' if len(given) == 2 else 'are'} missing. To log in by a managed identity with this client_id, "
        "set identity='managed'."
    )
