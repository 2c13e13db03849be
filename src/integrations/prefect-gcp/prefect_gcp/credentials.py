"""Who we are at Google Cloud: the block that hands out credentials, tokens and clients."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from prefect.blocks.abstract import CredentialsBlock
from prefect.types import SecretDict  # noqa: TC002 - pydantic reads annotations
from pydantic import ConfigDict, Field, HttpUrl, field_validator, model_validator

from prefect_integration_kit.blocks import QuickKey

from . import _clients, _endpoints, _identity, _service_accounts

if TYPE_CHECKING:
    from google.api_core.client_options import ClientOptions
    from google.cloud.aiplatform_v1.services.job_service import JobServiceAsyncClient, JobServiceClient
    from google.cloud.bigquery import Client as BigQueryClient
    from google.cloud.secretmanager import SecretManagerServiceClient
    from google.cloud.storage import Client as StorageClient
    from google.oauth2.service_account import Credentials

P = ParamSpec("P")
R = TypeVar("R")

# Names of the SDKs that can be imported from here, and where they are; importing them takes seconds.
_SDK_NAMES = {
    "BigQueryClient": ("google.cloud.bigquery", "Client"),
    "ClientOptions": ("google.api_core.client_options", "ClientOptions"),
    "Credentials": ("google.oauth2.service_account", "Credentials"),
    "JobServiceAsyncClient": ("google.cloud.aiplatform_v1.services.job_service", "JobServiceAsyncClient"),
    "JobServiceClient": ("google.cloud.aiplatform_v1.services.job_service", "JobServiceClient"),
    "SecretManagerServiceClient": ("google.cloud.secretmanager", "SecretManagerServiceClient"),
    "StorageClient": ("google.cloud.storage", "Client"),
    "from_dict": ("google.api_core.client_options", "from_dict"),
}


def __getattr__(name: str) -> Any:
    if name not in _SDK_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _SDK_NAMES[name]
    return getattr(importlib.import_module(module), attribute)


class ClientType(Enum):
    """Services that `get_client` opens a client of."""

    CLOUD_STORAGE = "cloud_storage"
    BIGQUERY = "bigquery"
    SECRET_MANAGER = "secret_manager"  # noqa: S105 - a name
    AIPLATFORM = "job_service"


def _raise_help_msg(extra: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Say which extra to install when the SDK that a method needs is missing.

    Args:
        extra: Name of the extra, as in `prefect-gcp[extra]`.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def with_help(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(*args, **kwargs)
            except ImportError as exc:
                raise ImportError(
                    f"{method.__name__} needs {exc.name or 'a package'}, which cannot be imported ({exc}). "
                    f'Install it: pip install "prefect-gcp[{extra}]"',
                    name=exc.name,
                ) from exc

        return with_help

    return decorate


# Prefect's server masks a secret mapping that is not set as text, `********`, and then checks the defaults of a work
# pool against this schema: without text, a pool could not have such a block as its default.
_MAY_BE_MASKED: dict[str, Any] = {
    "anyOf": [{"additionalProperties": True, "type": "object"}, {"type": "string"}, {"type": "null"}]
}


class GcpCredentials(QuickKey, CredentialsBlock):
    """Authenticate to Google Cloud by a service account's key, by federation, or by what the environment has.

    Give at most one of `service_account_file`, `service_account_info`, `workload_identity_federation` and
    `workload_identity_federation_file`. Without any of them,
    [Application Default Credentials](https://cloud.google.com/docs/authentication/application-default-credentials) are
    used: `GOOGLE_APPLICATION_CREDENTIALS`, the login of gcloud, the service account of the machine or the cluster, in
    that order. Each of these can impersonate another service account.

    Nothing is asked of Google when a block is made or loaded. Tokens are renewed before they expire, once for all
    threads; clients keep working meanwhile.

    Example:
        Load stored credentials and open a client:

        ```python
        from prefect_gcp import GcpCredentials

        gcp_credentials = GcpCredentials.load("BLOCK_NAME")
        client = gcp_credentials.get_cloud_storage_client()
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "GCP Credentials"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/10424e311932e31c477ac2b9ef3d53cefbaad708-250x250.png"
    )
    _documentation_url = HttpUrl("https://docs.prefect.io/integrations/prefect-gcp")

    service_account_file: Path | None = Field(
        default=None,
        description="Path of a service account's JSON key; `~` is the home folder. It must exist where the flow runs.",
    )
    service_account_info: SecretDict | None = Field(
        default=None,
        description="Content of a service account's JSON key.",
        json_schema_extra=_MAY_BE_MASKED,
    )
    project: str | None = Field(
        default=None,
        description="ID of the project to use; that of the key or of the environment when not given.",
    )
    impersonate_service_account: str | None = Field(
        default=None,
        description=(
            "E-mail address of a service account to act as. The identity above needs the role "
            "roles/iam.serviceAccountTokenCreator on it."
        ),
    )
    impersonate_delegates: list[str] = Field(
        default_factory=list[str],
        description="Service accounts between the identity and the impersonated one, each may impersonate the next.",
    )
    workload_identity_federation: SecretDict | None = Field(
        default=None,
        description=(
            "A configuration of workload identity federation (type external_account), for identities of AWS, Azure "
            "or an OpenID Connect or SAML provider."
        ),
        json_schema_extra=_MAY_BE_MASKED,
    )
    workload_identity_federation_file: Path | None = Field(
        default=None,
        description="Path of such a configuration as a JSON file.",
    )
    quota_project: str | None = Field(
        default=None,
        description="ID of the project that quota and costs of requests are counted for.",
    )
    universe_domain: str | None = Field(
        default=None,
        description="Domain of another universe than googleapis.com, such as that of a sovereign cloud.",
    )
    scopes: list[str] = Field(
        default_factory=list[str],
        description="OAuth scopes of tokens; https://www.googleapis.com/auth/cloud-platform when empty.",
    )
    api_endpoints: dict[str, str] = Field(
        default_factory=dict[str, str],
        description=(
            "Addresses (https://host[:port]) to use instead of Google's public ones, by service: aiplatform, batch, "
            "bigquery, bigquerystorage, dataproc, iamcredentials, logging, pubsub, run, secretmanager, storage. For "
            "Private Service Connect, regional endpoints, emulators. Tokens are sent over TLS or to this machine only."
        ),
    )

    @field_validator("service_account_file", "workload_identity_federation_file")
    @classmethod
    def _find_file(cls, path: Path | None, info: Any) -> Path | None:
        """Expand `~`, and refuse a path where no such file is."""
        if path is None:
            return None
        path = path.expanduser()
        content = _service_accounts.read_file(path, info.field_name)
        if info.field_name == "service_account_file":
            _identity.check_key(content, info.field_name)
        else:
            _service_accounts.check_federation(content, info.field_name)
        return path

    @field_validator("service_account_info", "workload_identity_federation", mode="before")
    @classmethod
    def _parse_text(cls, value: Any, info: Any) -> Any:
        """Take the JSON as text, too: it is what one copies out of a key's file."""
        return _service_accounts.parse(value, info.field_name) if isinstance(value, str) else value

    @field_validator("service_account_info", "workload_identity_federation")
    @classmethod
    def _check_content(cls, value: SecretDict | None, info: Any) -> SecretDict | None:
        if value is None:
            return None
        if info.field_name == "service_account_info":
            _identity.check_key(value.get_secret_value(), info.field_name)
        else:
            _service_accounts.check_federation(value.get_secret_value(), info.field_name)
        return value

    @field_validator("api_endpoints")
    @classmethod
    def _check_endpoints(cls, value: dict[str, str]) -> dict[str, str]:
        return _endpoints.check_endpoints(value)

    @model_validator(mode="after")
    def _check_one_identity(self) -> GcpCredentials:
        given = [
            name
            for name in (
                "service_account_file",
                "service_account_info",
                "workload_identity_federation",
                "workload_identity_federation_file",
            )
            if getattr(self, name) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"Only one of {' and '.join(given)} can be given: each is an identity of its own.")
        if self.impersonate_delegates and not self.impersonate_service_account:
            raise ValueError("impersonate_delegates are given without impersonate_service_account.")
        return self

    def block_initialization(self) -> None:
        """Take the project from the key, or for Application Default Credentials from the environment."""
        if self.project is None:
            self.project = _identity.offline_project(self)

    def get_credentials_from_service_account(self) -> Credentials:
        """Get the credentials as Google's SDKs take them; they renew themselves.

        Returns:
            `google.oauth2.service_account.Credentials` where the block has a key; other classes of `google.auth` for
            Application Default Credentials, federation and impersonation.

        Raises:
            GcpCredentialsMissing: If the block names no identity and the environment has none.
            GcpCredentialsError: If the key is malformed. It is a `ValueError`.
        """
        return cast("Credentials", _identity.named_credentials(self))

    def get_access_token(self) -> str:
        """Get an OAuth 2.0 access token that is good for some minutes at least.

        Returns:
            The token, to be sent as `Authorization: Bearer TOKEN`.

        Raises:
            GcpCredentialsMissing: If the block names no identity and the environment has none.
            GcpCredentialsRefused: If Google does not accept the credentials.
            GcpUnavailable: If the token endpoint does not answer.

        Example:
            ```python
            from prefect_gcp import GcpCredentials

            token = GcpCredentials.load("BLOCK_NAME").get_access_token()
            ```
        """
        return _identity.access_token(self)

    def get_client(self, client_type: str | ClientType, **get_client_kwargs: Any) -> Any:
        """Get a client of one service.

        Equal blocks share one client for each service and options; it can be used from many threads.

        Args:
            client_type: The service, as a `ClientType` or by its value; `"job_service_async"` is Vertex AI's async
                client.
            **get_client_kwargs: Arguments of the method of that service, such as `project` for Cloud Storage.

        Returns:
            A client of Google's SDK.

        Raises:
            ValueError: If the service is not known.
            ImportError: If the SDK of the service is not installed; it names the extra to install.

        Example:
            ```python
            from prefect_gcp import GcpCredentials

            client = GcpCredentials.load("BLOCK_NAME").get_client("bigquery", location="EU")
            ```
        """
        name = client_type.value if isinstance(client_type, ClientType) else client_type
        known = (*(member.value for member in ClientType), "job_service_async")
        if name not in known:
            raise ValueError(f"The client {client_type!r} is not supported. Known are: {', '.join(known)}.")
        return getattr(self, f"get_{name}_client")(**get_client_kwargs)

    @_raise_help_msg("cloud_storage")
    def get_cloud_storage_client(self, project: str | None = None) -> StorageClient:
        """Get a client of Cloud Storage.

        Args:
            project: ID of the project of new buckets and lists of buckets; that of the block when not given.

        Returns:
            A `google.cloud.storage.Client`.

        Raises:
            ImportError: If the SDK is not installed.
            GcpCredentialsMissing: If the block names no identity and the environment has none.

        Example:
            ```python
            from prefect_gcp import GcpCredentials

            client = GcpCredentials.load("BLOCK_NAME").get_cloud_storage_client()
            names = [bucket.name for bucket in client.list_buckets()]
            ```
        """
        return _clients.storage_client(self, project)

    @_raise_help_msg("bigquery")
    def get_bigquery_client(self, project: str | None = None, location: str | None = None) -> BigQueryClient:
        """Get a client of BigQuery.

        Args:
            project: ID of the project that jobs run in; that of the block when not given.
            location: Where jobs run and data sets are made, such as `"EU"`.

        Returns:
            A `google.cloud.bigquery.Client`.

        Raises:
            ImportError: If the SDK is not installed.
            ValueError: If no project is known.

        Example:
            ```python
            from prefect_gcp import GcpCredentials

            client = GcpCredentials.load("BLOCK_NAME").get_bigquery_client(location="EU")
            client.create_dataset("reports", exists_ok=True)
            ```
        """
        return _clients.bigquery_client(self, project, location)

    @_raise_help_msg("secret_manager")
    def get_secret_manager_client(self) -> SecretManagerServiceClient:
        """Get a client of Secret Manager.

        Returns:
            A `google.cloud.secretmanager.SecretManagerServiceClient`.

        Raises:
            ImportError: If the SDK is not installed.

        Example:
            ```python
            from prefect_gcp import GcpCredentials

            client = GcpCredentials.load("BLOCK_NAME").get_secret_manager_client()
            answer = client.access_secret_version(name="projects/PROJECT/secrets/NAME/versions/latest")
            ```
        """
        return _clients.secret_manager_client(self)

    @_raise_help_msg("aiplatform")
    def get_job_service_client(
        self, client_options: Mapping[str, Any] | ClientOptions | None = None
    ) -> JobServiceClient:
        """Get a client of Vertex AI's job service.

        Args:
            client_options: [Options of the client](https://googleapis.dev/python/google-api-core/latest/client_options.html),
                such as `{"api_endpoint": "europe-west1-aiplatform.googleapis.com"}`: jobs are served by the address of
                their region only.

        Returns:
            A `google.cloud.aiplatform.gapic.JobServiceClient`.

        Raises:
            ImportError: If the SDK is not installed.

        Example:
            ```python
            from prefect_gcp import GcpCredentials

            client = GcpCredentials.load("BLOCK_NAME").get_job_service_client(
                client_options={"api_endpoint": "europe-west1-aiplatform.googleapis.com"}
            )
            ```
        """
        return _clients.job_service_client(self, client_options)

    @_raise_help_msg("aiplatform")
    def get_job_service_async_client(
        self, client_options: Mapping[str, Any] | ClientOptions | None = None
    ) -> JobServiceAsyncClient:
        """Get an async client of Vertex AI's job service. It belongs to the event loop that it is made in.

        Args:
            client_options: Options of the client, as for `get_job_service_client`.

        Returns:
            A `google.cloud.aiplatform.gapic.JobServiceAsyncClient`.

        Raises:
            ImportError: If the SDK is not installed.

        Example:
            ```python
            from prefect_gcp import GcpCredentials

            client = GcpCredentials.load("BLOCK_NAME").get_job_service_async_client(
                client_options={"api_endpoint": "europe-west1-aiplatform.googleapis.com"}
            )
            ```
        """
        return _clients.job_service_async_client(self, client_options)
