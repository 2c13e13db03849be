"""Who issues tokens, and what is sent there: one class for each way to prove who asks."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from prefect_integration_kit.endpoints import may_have_tokens

from ..errors import DatabricksCredentialsError
from .requests import MakeClient, ask, read_token
from .tokens import Token

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - no token
_JWT = "urn:ietf:params:oauth:token-type:jwt"
SCOPE = "all-apis"

# https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#retry-guidance
_PASSING_AT_IMDS = frozenset({404, 410})
_LOCAL_CONNECT_SECONDS = 3.0


class Source(ABC):
    """Asks for tokens of one identity. Equal ones share their tokens."""

    def key(self) -> tuple[Any, ...]:
        """Give what tells one source from another, secrets included."""
        parts = [getattr(self, each.name) for each in fields(self)]  # pyright: ignore[reportArgumentType]
        return (type(self).__qualname__, *(part.key() if isinstance(part, IdToken) else part for part in parts))

    @abstractmethod
    def fetch(self, make_client: MakeClient) -> Token:
        """Ask for a token.

        Args:
            make_client: Makes a client for it.

        Raises:
            DatabricksCredentialsError: If it is refused.
            DatabricksUnavailable: If there is no answer.
        """


@dataclass(frozen=True)
class ClientSecret(Source):
    """A service principal of Databricks with an OAuth secret, https://docs.databricks.com/dev-tools/auth/oauth-m2m."""

    address: str
    client_id: str
    client_secret: str = field(repr=False)

    def fetch(self, make_client: MakeClient) -> Token:
        """Ask the workspace."""
        subject = f"No token for service principal {self.client_id}"
        url = f"{self.address}/oidc/v1/token"
        body = ask(
            make_client,
            subject,
            "POST",
            url,
            secrets=[self.client_secret],
            remedy="Check `client_id` and `client_secret`, and that the principal may use the workspace.",
            data={"grant_type": "client_credentials", "scope": SCOPE},
            auth=(self.client_id, self.client_secret),
        )
        return read_token(body, subject, url)


class IdToken(ABC):
    """Where a token of another system comes from, which is exchanged for one of Databricks or Entra ID."""

    @abstractmethod
    def key(self) -> tuple[Any, ...]:
        """Give what tells one from another."""

    @abstractmethod
    def read(self, make_client: MakeClient, audience: str) -> str:
        """Give the token of now; it is short-lived, so it is read for each exchange.

        Raises:
            DatabricksCredentialsError: If there is none.
        """


@dataclass(frozen=True)
class IdTokenFile(IdToken):
    """A file that another system keeps up to date, such as a projected token of Kubernetes."""

    path: str
    field_name: str = "oidc_token_filepath"

    def key(self) -> tuple[Any, ...]:
        """Give the path."""
        return ("file", self.path)

    def read(self, make_client: MakeClient, audience: str) -> str:
        """Read the file."""
        try:
            text = Path(self.path).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError, RuntimeError) as exc:
            raise DatabricksCredentialsError(
                f"{self.field_name} {self.path!r} cannot be read ({type(exc).__name__}). Give the path of a file that "
                "holds an ID token."
            ) from exc
        if not text:
            raise DatabricksCredentialsError(f"{self.field_name} {self.path!r} is empty. It must hold an ID token.")
        return text


@dataclass(frozen=True)
class IdTokenVariable(IdToken):
    """An environment variable."""

    name: str

    def key(self) -> tuple[Any, ...]:
        """Give the name, and the token of now: another one belongs to somebody else."""
        return ("variable", self.name, os.environ.get(self.name))

    def read(self, make_client: MakeClient, audience: str) -> str:
        """Read the variable."""
        if value := os.environ.get(self.name, "").strip():
            return value
        raise DatabricksCredentialsError(
            f"The environment variable {self.name} is not set. It must hold an ID token (auth_type env-oidc)."
        )


@dataclass(frozen=True)
class GitHubIdToken(IdToken):
    """A job of GitHub Actions, https://docs.github.com/actions/concepts/security/openid-connect."""

    def key(self) -> tuple[Any, ...]:
        """Give the job, by the token that it may ask with."""
        return ("github", os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))

    def read(self, make_client: MakeClient, audience: str) -> str:
        """Ask GitHub."""
        url, bearer = (os.environ.get(f"ACTIONS_ID_TOKEN_REQUEST_{name}", "") for name in ("URL", "TOKEN"))
        if not url or not bearer:
            raise DatabricksCredentialsError(
                "GitHub gives this job no ID token. Grant it `permissions: id-token: write` in the workflow."
            )
        body = ask(
            make_client,
            "No ID token of GitHub",
            "GET",
            f"{url}{'&' if '?' in url else '?'}audience={quote(audience, safe='')}",
            secrets=[bearer],
            remedy="Grant the job `permissions: id-token: write` in the workflow.",
            headers={"Authorization": f"Bearer {bearer}"},
        )
        return _text(body, "value", "GitHub")


_OF_PIPELINES: Mapping[str, str] = {
    "token": "SYSTEM_ACCESSTOKEN",
    "collection": "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI",
    "project": "SYSTEM_TEAMPROJECTID",
    "hub": "SYSTEM_HOSTTYPE",
    "plan": "SYSTEM_PLANID",
    "job": "SYSTEM_JOBID",
}


@dataclass(frozen=True)
class AzureDevOpsIdToken(IdToken):
    """A job of Azure Pipelines, by its `System.AccessToken`."""

    def key(self) -> tuple[Any, ...]:
        """Give the job."""
        return ("azure-devops", *(os.environ.get(name) for name in _OF_PIPELINES.values()))

    def read(self, make_client: MakeClient, audience: str) -> str:
        """Ask Azure DevOps; its audience cannot be chosen."""
        given = {key: os.environ.get(name, "") for key, name in _OF_PIPELINES.items()}
        if missing := [_OF_PIPELINES[key] for key, value in given.items() if not value]:
            raise DatabricksCredentialsError(
                f"Azure DevOps gives this job no ID token: {', '.join(missing)} is not set. Map System.AccessToken "
                "into the environment of the step."
            )
        parts = {key: quote(value, safe="") for key, value in given.items() if key not in ("token", "collection")}
        body = ask(
            make_client,
            "No ID token of Azure DevOps",
            "POST",
            f"{given['collection'].rstrip('/')}/{parts['project']}/_apis/distributedtask/hubs/{parts['hub']}"
            f"/plans/{parts['plan']}/jobs/{parts['job']}/oidctoken",
            secrets=[given["token"]],
            remedy="Check that the pipeline may use its access token.",
            params={"api-version": "7.2-preview.1"},
            headers={"Authorization": f"Bearer {given['token']}", "Content-Type": "application/json"},
        )
        return _text(body, "oidcToken", "Azure DevOps")


@dataclass(frozen=True)
class Federated(Source):
    """A token of another system, exchanged at the workspace.

    https://docs.databricks.com/dev-tools/auth/oauth-federation
    """

    address: str
    client_id: str | None
    id_token: IdToken
    audience: str | None

    def fetch(self, make_client: MakeClient) -> Token:
        """Ask the workspace."""
        url = f"{self.address}/oidc/v1/token"
        subject = "The ID token could not be exchanged for one of Databricks"
        given = self.id_token.read(make_client, self.audience or url)
        data = {
            "grant_type": _TOKEN_EXCHANGE,
            "subject_token": given,
            "subject_token_type": _JWT,
            "scope": SCOPE,
            **({"client_id": self.client_id} if self.client_id else {}),
        }
        body = ask(
            make_client,
            subject,
            "POST",
            url,
            secrets=[given],
            remedy="Check `client_id`, `token_audience`, and the federation policy: its issuer, subject and audience.",
            data=data,
        )
        return read_token(body, subject, url)


@dataclass(frozen=True)
class Entra(Source):
    """A service principal of Microsoft Entra ID, by a secret or by a token of another system.

    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
    """

    authority: str
    tenant_id: str | None
    client_id: str
    client_secret: str | None = field(repr=False)
    id_token: IdToken | None
    resource: str
    address: str
    """The workspace, which knows the tenant where none is given."""

    def fetch(self, make_client: MakeClient) -> Token:
        """Ask Entra ID."""
        subject = f"No token of Entra ID for {self.client_id}"
        tenant = self.tenant_id or _tenant_of(make_client, self.address)
        url = f"{self.authority}/{quote(tenant, safe='')}/oauth2/v2.0/token"
        data = {"grant_type": "client_credentials", "client_id": self.client_id, "scope": f"{self.resource}/.default"}
        if self.id_token is not None:
            secret = self.id_token.read(make_client, "api://AzureADTokenExchange")
            data |= {"client_assertion_type": _JWT_BEARER, "client_assertion": secret}
            remedy = "Check `tenant_id`, `client_id`, and the federated credentials of the application."
        else:
            secret = self.client_secret or ""
            data["client_secret"] = secret
            remedy = "Check `tenant_id`, `client_id` and `client_secret`; secrets of Entra ID end."
        body = ask(make_client, subject, "POST", url, secrets=[secret], remedy=remedy, data=data)
        return read_token(body, subject, url)


@dataclass(frozen=True)
class ManagedIdentity(Source):
    """The identity of the Azure machine, app or container that this runs in."""

    client_id: str | None
    resource: str

    def fetch(self, make_client: MakeClient) -> Token:
        """Ask the machine's own service.

        It is never behind a proxy, so the credentials' client is not the one to ask with.
        """
        del make_client
        subject = "No token of the managed identity"
        params = {"resource": self.resource, **({"client_id": self.client_id} if self.client_id else {})}
        endpoint, header = os.environ.get("IDENTITY_ENDPOINT"), os.environ.get("IDENTITY_HEADER")
        if endpoint and header:
            # https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
            url, headers = endpoint, {"X-IDENTITY-HEADER": header}
            params["api-version"] = "2019-08-01"
        else:
            host = os.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or "http://169.254.169.254"
            url, headers = f"{host.rstrip('/')}/metadata/identity/oauth2/token", {"Metadata": "true"}
            params["api-version"] = "2018-02-01"
        body = ask(
            _local_client,
            subject,
            "GET",
            url,
            secrets=[header],
            remedy="Check that an identity is assigned to this machine, and `client_id` if it has several.",
            passing_statuses=_PASSING_AT_IMDS,
            if_unreachable="Managed identities are there in Azure only; elsewhere, choose another `auth_type`.",
            params=params,
            headers=headers,
        )
        return read_token(body, subject, url)


def _local_client() -> httpx.Client:
    return httpx.Client(trust_env=False, timeout=httpx.Timeout(30.0, connect=_LOCAL_CONNECT_SECONDS))


def _tenant_of(make_client: MakeClient, address: str) -> str:
    """Ask a workspace of Azure where its users log in: it redirects to `https://login…/TENANT/…`."""
    try:
        with make_client() as client:
            answer = client.get(f"{address}/aad/auth", follow_redirects=False)
    except httpx.HTTPError as exc:
        raise DatabricksCredentialsError(
            f"tenant_id is not given, and {address} did not say it ({type(exc).__name__}). Set `tenant_id`."
        ) from None
    tenant = urlsplit(str(answer.headers.get("Location", ""))).path.strip("/").partition("/")[0]
    if not tenant:
        raise DatabricksCredentialsError(f"tenant_id is not given, and {address} did not say it. Set `tenant_id`.")
    return tenant


def checked_authority(url: str) -> str:
    """Refuse an authority that would get a secret in the clear.

    Raises:
        DatabricksCredentialsError: If it is one.
    """
    if not may_have_tokens(url):
        raise DatabricksCredentialsError("AZURE_AUTHORITY_HOST must begin with https://.")
    return url.rstrip("/")


def _text(body: Mapping[str, Any], name: str, issuer: str) -> str:
    value = body.get(name)
    if isinstance(value, str) and value:
        return value
    raise DatabricksCredentialsError(f"{issuer} answered without an ID token (`{name}`).")
