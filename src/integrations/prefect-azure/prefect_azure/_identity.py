"""Who we are: the SDK's credential of a block, made once for equal blocks and kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit import kept

from ._endpoints import CLOUDS
from ._stand_ins import CREDENTIALS, is_of_sdk, stand_in
from ._tokens import AsyncSharedTokenCredential, SharedTokenCredential, is_async
from .errors import AzureCredentialsError, azure_errors

if TYPE_CHECKING:
    from pydantic import SecretStr

    from .credentials import AzureIdentityFields

TOKEN_TIMEOUT_SECONDS = (10.0, 30.0)
"""For connecting to the token endpoint, and for each wait for its answer."""
TOKEN_RETRIES = 3
"""How often a request for a token is repeated within some 2 seconds; who calls may repeat the whole later."""
_MAX_IDENTITIES = 64
# What azure-identity reads: https://learn.microsoft.com/en-us/python/api/overview/azure/identity-readme
_LONGEST_NAMED = 256
_CREDENTIALS = ("ClientSecretCredential", "DefaultAzureCredential")

_ENVIRONMENT = (
    "AZURE_",
    "IDENTITY_",
    "IMDS_",
    "MSI_",
    "DEFAULT_IDENTITY_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_",
)

_identities: kept.SharedValues[SharedTokenCredential] = kept.SharedValues(_MAX_IDENTITIES)


def forget_identities() -> None:
    """Drop all kept credentials and their tokens; the next use makes new ones."""
    _identities.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_identities)


@dataclass(frozen=True)
class Principal:
    """Which identity of Microsoft Entra ID a block names.

    Attributes:
        tenant_id: Of the directory.
        client_id: Of the application or of the user-assigned managed identity.
        client_secret: Of the application.
        options: Further arguments of the SDK's credential.
    """

    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    options: dict[str, Any] | None = None


def fingerprint(block: AzureIdentityFields) -> Hashable:
    """Tell identities and addresses apart by content and by what the SDK would read besides: variables and files."""
    variables = sorted(item for item in os.environ.items() if item[0].upper().startswith(_ENVIRONMENT))
    files: list[str] = [block.federated_token_file] if block.federated_token_file else []
    if (path := certificate_path(block)) is not None:
        files.append(path)
    own = block.own_credential
    key = kept.fingerprint(block, variables, kept.changed_at(files), id(own) if own is not None else None)
    others = _stand_ins()
    return (key, *map(kept.Only, others)) if others else key


def _stand_ins() -> list[Any]:
    """What tests have put in the place of the SDK's credentials, here or in the SDK."""
    sdk: Any = sys.modules.get("azure.identity")
    given = [stand_in(name) or getattr(sdk, name, None) for name in _CREDENTIALS]
    return [each for each in given if each is not None and not is_of_sdk(each)]


def certificate_path(block: AzureIdentityFields) -> str | None:
    """The path of the certificate's file; `None` when there is none, or the block holds its text."""
    if block.certificate is None or "-----BEGIN" in (text := block.certificate.get_secret_value()):
        return None
    return str(Path(text.strip()).expanduser())


def token_credential(block: AzureIdentityFields) -> SharedTokenCredential:
    """The block's credential as the SDK's clients take it.

    Equal blocks share one; a token is renewed before it expires, once however many threads use it. Nobody is asked
    before the first token is needed.

    Args:
        block: Who we are.

    Raises:
        AzureCredentialsError: If the certificate cannot be read, or the environment lacks what the identity needs.
        ImportError: If azure-identity cannot be imported.
    """
    own = block.own_credential
    if own is not None and is_async(own):
        raise AzureCredentialsError(
            f"{describe(block)}: it is an async one, which belongs to one event loop. Give a synchronous credential of "
            "azure.identity; async clients can use it, too.",
            subject=describe(block),
        )
    return _identities.get((fingerprint(block), "token"), lambda: SharedTokenCredential(own or _build(block)))


def async_token_credential(block: AzureIdentityFields) -> Any:
    """The block's credential as the SDK's async clients take it; it has the tokens of `token_credential`.

    Args:
        block: Who we are.

    Raises:
        AzureCredentialsError: If the certificate cannot be read, or the environment lacks what the identity needs.
    """
    own = block.own_credential
    if own is not None and is_async(own):
        return own
    if own is None and (made := _from_stand_in(block, "A")) is not None:
        return made
    return AsyncSharedTokenCredential(token_credential(block))


def plain_credential(block: AzureIdentityFields, module: str = CREDENTIALS) -> Any:
    """The block's credential for a client that a test stands in for: where it stands in for the credential, that one.

    Args:
        block: Who we are.
        module: The module of ours that shows the credential's class.
    """
    if module != CREDENTIALS and (own := _from_stand_in(block, module=module)) is not None:
        return own
    shared = token_credential(block)
    return shared.source if _stand_ins() else shared


def _from_stand_in(block: AzureIdentityFields, prefix: str = "", module: str = CREDENTIALS) -> Any:
    """A credential of what a test has put in the place of the SDK's class; `None` where there is no such thing.

    Args:
        block: Who we are.
        prefix: `A` for the classes of the async SDK.
        module: The module of ours whose name for the class counts.
    """
    principal = block.principal()
    options = principal.options or {}
    kind = block.identity_kind
    if kind == "service-principal" and block.certificate is None:
        if (own := stand_in(f"{prefix}ClientSecretCredential", module)) is None:
            return None
        secret = principal.client_secret.get_secret_value() if principal.client_secret else ""
        return own(
            tenant_id=principal.tenant_id or "", client_id=principal.client_id or "", client_secret=secret, **options
        )
    own = stand_in(f"{prefix}DefaultAzureCredential", module) if kind == "default" else None
    return own(**options) if own is not None else None


def access_token(block: AzureIdentityFields, scope: str) -> str:
    """A token that is good for a while.

    Args:
        block: Who we are.
        scope: What it is for, such as `https://management.azure.com/.default`.

    Raises:
        AzureCredentialsError: If there is no identity, or Microsoft Entra ID does not accept it.
        AzureUnavailable: If the token endpoint does not answer.
    """
    with azure_errors(describe(block), identity=describe(block), secrets=secrets_of(block)):
        return str(token_credential(block).get_token(scope).token)


def secrets_of(block: AzureIdentityFields) -> list[SecretStr]:
    """The secret values of a block, for masking."""
    from pydantic import SecretStr

    return [value for _, value in block if isinstance(value, SecretStr)]


def describe(block: AzureIdentityFields) -> str:
    """Name the identity, without secrets, for messages."""
    principal = block.principal()
    if block.own_credential is not None:
        return f"Credential {type(block.own_credential).__name__}"
    client = f" {principal.client_id}" if principal.client_id else ""
    return {
        "service-principal": f"Service principal{client}",
        "managed": f"Managed identity{client}",
        "workload": f"Workload identity{client}",
        "cli": "Login of the Azure CLI",
        "key": "Account key",
        "sas": "Shared access signature",
        "anonymous": "Anonymous access",
    }.get(block.identity_kind, f"Default Azure credential{client}")


def _build(block: AzureIdentityFields) -> Any:
    with azure_errors(describe(block), secrets=secrets_of(block)):
        try:
            return _source(block)
        except (ValueError, OSError) as exc:
            if isinstance(exc, AzureCredentialsError):
                raise
            # The system's error repeats what it took for the name of a file.
            cause = None if isinstance(exc, OSError) and not _may_be_named(certificate_path(block)) else exc
            raise AzureCredentialsError(f"{describe(block)}: {_reason(block, exc)}", subject=describe(block)) from cause


def _may_be_named(path: str | None) -> bool:
    """Whether it is no secret: text of a certificate that lacks its first line is taken for a path as well."""
    return path is None or (len(path) < _LONGEST_NAMED and "\n" not in path and bool(Path(path).suffix))


def _reason(block: AzureIdentityFields, exc: Exception) -> str:
    path = certificate_path(block)
    if isinstance(exc, FileNotFoundError) and path and _may_be_named(path):
        return f"there is no certificate file {path!r} where the flow runs. Check certificate."
    if block.certificate is not None:
        return (
            "certificate is not a certificate with its private key in PEM or PKCS #12 format, nor the path of its file "
            f"where the flow runs, or certificate_password is wrong ({type(exc).__name__})."
        )
    if block.identity_kind == "workload":
        return (
            "set tenant_id, client_id and federated_token_file, or AZURE_TENANT_ID, AZURE_CLIENT_ID and "
            "AZURE_FEDERATED_TOKEN_FILE, which the webhook of workload identity sets in a pod."
        )
    return str(exc)


def _source(block: AzureIdentityFields) -> Any:
    """The SDK's credential; it asks nobody yet."""
    import azure.identity

    identity = cast("Any", azure.identity)
    principal = block.principal()
    options = {**_options(block), **(principal.options or {})}
    kind = block.identity_kind
    if kind in ("key", "sas", "anonymous"):
        raise AzureCredentialsError(
            f"{describe(block)} is for Blob Storage alone: it gives no tokens. Choose another identity.",
            subject=describe(block),
        )
    if (own := _from_stand_in(block)) is not None:
        return own
    if kind == "service-principal":
        tenant, client = principal.tenant_id or "", principal.client_id or ""
        if block.certificate is not None:
            password = block.certificate_password.get_secret_value() if block.certificate_password else None
            path = certificate_path(block)
            data = None if path else block.certificate.get_secret_value().encode()
            return identity.CertificateCredential(
                tenant, client, certificate_path=path, certificate_data=data, password=password, **options
            )
        secret = principal.client_secret.get_secret_value() if principal.client_secret else ""
        return identity.ClientSecretCredential(tenant_id=tenant, client_id=client, client_secret=secret, **options)
    if kind == "managed":
        return identity.ManagedIdentityCredential(client_id=principal.client_id, **options)
    if kind == "workload":
        given = {
            "tenant_id": principal.tenant_id,
            "client_id": principal.client_id,
            "token_file_path": block.federated_token_file,
        }
        return identity.WorkloadIdentityCredential(**{k: v for k, v in given.items() if v}, **options)
    if kind == "cli":
        return identity.AzureCliCredential(tenant_id=principal.tenant_id or "")
    if principal.client_id:
        options.setdefault("managed_identity_client_id", principal.client_id)
    if principal.tenant_id:
        options.setdefault("workload_identity_tenant_id", principal.tenant_id)
    return identity.DefaultAzureCredential(**options)


def _options(block: AzureIdentityFields) -> dict[str, Any]:
    kind = block.identity_kind
    options: dict[str, Any] = {"read_timeout": TOKEN_TIMEOUT_SECONDS[1]}  # the SDK would wait 300 seconds, each time
    if kind == "managed":
        return options  # the SDK's own patience fits what the endpoint of a virtual machine asks for
    options |= {"retry_total": TOKEN_RETRIES, "connection_timeout": TOKEN_TIMEOUT_SECONDS[0]}
    if kind != "default":
        options["retry_backoff_factor"] = 0.3
    authority = block.authority or os.environ.get("AZURE_AUTHORITY_HOST")
    if not authority and block.cloud != "public":
        authority = CLOUDS[block.cloud].authority
    if authority:
        options["authority"] = authority
        # Of an authority that is not Microsoft's own, Microsoft's discovery service knows nothing.
        if authority.removeprefix("https://").rstrip("/") not in {cloud.authority for cloud in CLOUDS.values()}:
            options["disable_instance_discovery"] = True
    return options
