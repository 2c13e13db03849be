"""Who we are at AWS or MinIO: the blocks that hand out sessions and clients."""

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from prefect.blocks.abstract import CredentialsBlock
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr

from prefect_integration_kit.blocks import QuickKey

from . import _assume_role, _clients
from ._sessions import open_session
from .assume_role_parameters import AssumeRoleParameters
from .client_parameters import AwsClientParameters
from .errors import AwsCredentialsMissing, aws_errors
from .utilities import hash_collection

if TYPE_CHECKING:
    import boto3.session

_LOGO_AWS = "https://cdn.sanity.io/images/3ugk85nk/production/d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"
_LOGO_MINIO = "https://cdn.sanity.io/images/3ugk85nk/production/676cb17bcbdff601f97e0a02ff8bcb480e91ff40-250x250.png"


class ClientType(Enum):
    """Services that have a name here; `get_client` takes the name of any other as text."""

    S3 = "s3"
    ECS = "ecs"
    BATCH = "batch"
    SECRETS_MANAGER = "secretsmanager"


class AwsCredentials(QuickKey, CredentialsBlock):
    """Authenticate to AWS by access key, profile, or whatever boto3 finds, and assume a role where one is named.

    What the block does not say is looked for
    [where boto3 looks](https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html): environment
    variables, profile files, web identity, single sign-on, container and instance roles. Temporary credentials from
    any of these, and those of an assumed role, are renewed before they expire; clients keep working meanwhile.

    Example:
        Load stored credentials and open a client:

        ```python
        from prefect_aws import AwsCredentials

        aws_credentials = AwsCredentials.load("BLOCK_NAME")
        ec2 = aws_credentials.get_client("ec2")
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)

    _logo_url = _LOGO_AWS  # pyright: ignore[reportAssignmentType]
    _block_type_name = "AWS Credentials"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-aws"  # pyright: ignore[reportAssignmentType]

    aws_access_key_id: str | None = Field(
        default=None,
        title="AWS Access Key ID",
        description="ID of an access key. Leave it empty to use boto3's other sources.",
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None,
        title="AWS Access Key Secret",
        description="The secret that belongs to the access key ID.",
    )
    aws_session_token: str | None = Field(
        default=None,
        title="AWS Session Token",
        repr=False,
        description="Token of temporary credentials; only with an access key that was issued with it.",
    )
    profile_name: str | None = Field(default=None, description="Profile of the AWS configuration files to use.")
    region_name: str | None = Field(
        default=None,
        description="Region that requests are sent to; that of the profile or the environment when not given.",
    )
    aws_client_parameters: AwsClientParameters = Field(
        default_factory=AwsClientParameters,
        title="AWS Client Parameters",
        description="Endpoint, TLS and configuration of the clients.",
    )
    assume_role_arn: str | None = Field(
        default=None,
        title="Assume Role ARN",
        description="ARN of a role to assume with the credentials above.",
    )
    assume_role_kwargs: AssumeRoleParameters = Field(
        default_factory=AssumeRoleParameters,
        title="Assume Role Parameters",
        description="Parameters of the assumed role's session.",
    )

    _mfa_token_provider: Callable[[], str] | None = PrivateAttr(default=None)

    def __hash__(self) -> int:
        return hash_collection(self)

    def set_mfa_token_provider(self, provider: Callable[[], str] | None) -> None:
        """Say where codes of the MFA device come from, so that a role that asks for them can be assumed again.

        The provider is not saved with the block. `SerialNumber` in `assume_role_kwargs` names the device.

        Args:
            provider: Called without arguments before each `AssumeRole`, returns a fresh code. `None` removes it.
        """
        self._mfa_token_provider = provider

    def get_boto3_session(self) -> "boto3.session.Session":
        """Open a session with these credentials.

        With `assume_role_arn` the role is assumed, once for all equal blocks, and the session's credentials renew
        themselves before they expire.

        Returns:
            A new boto3 session.

        Raises:
            AwsCredentialsMissing: If access key ID and secret are not both given, or the profile does not exist.
            AwsAccessDenied: If the role may not be assumed.
            AwsError: If the role cannot be assumed for another reason.

        Example:
            ```python
            from prefect_aws import AwsCredentials

            session = AwsCredentials.load("BLOCK_NAME").get_boto3_session()
            buckets = session.resource("s3").buckets.all()
            ```
        """
        base = self._base_session()
        if not self.assume_role_arn:
            return base
        role = _clients.kept_role(self, lambda: self._assume_role(base))
        return _assume_role.role_session(
            role, profile_name=self.profile_name or None, region_name=self.region_name or None
        )

    def _base_session(self) -> "boto3.session.Session":
        if bool(self.aws_access_key_id) != bool(self.aws_secret_access_key):
            missing = "aws_secret_access_key" if self.aws_access_key_id else "aws_access_key_id"
            raise AwsCredentialsMissing(
                f"AWS credentials: {missing} is missing. Give the access key ID and its secret together, or neither."
            )
        secret = self.aws_secret_access_key
        with aws_errors(f"Profile {self.profile_name!r}" if self.profile_name else "AWS credentials"):
            return open_session(
                aws_access_key_id=self.aws_access_key_id or None,
                aws_secret_access_key=(secret.get_secret_value() or None) if secret else None,
                aws_session_token=self.aws_session_token or None,
                profile_name=self.profile_name or None,
                region_name=self.region_name or None,
            )

    def _assume_role(self, base: Any) -> Any:
        parameters = _assume_role.sts_parameters(self.aws_client_parameters)
        return _assume_role.role_credentials(
            lambda: base.client("sts", **parameters),
            self.assume_role_arn or "",
            self.assume_role_kwargs.get_params_override(),
            self._mfa_token_provider,
        )

    def get_client(self, client_type: str | ClientType) -> Any:
        """Get a client of one service.

        Equal blocks share one client for each service; it can be used from many threads.

        Args:
            client_type: The service, as boto3 names it (`"s3"`, `"lambda"`) or as a `ClientType`.

        Returns:
            A boto3 client.

        Raises:
            AwsUnknownService: If boto3 has no such service. It is a `ValueError`.
            AwsRegionMissing: If the service needs a region and none is known. It is a `ValueError`.
            AwsCredentialsMissing: If the credentials are incomplete or their profile does not exist.

        Example:
            ```python
            from prefect_aws import AwsCredentials

            queue = AwsCredentials.load("BLOCK_NAME").get_client("sqs")
            ```
        """
        return _clients.kept_client(self, client_type, {})

    def get_s3_client(self) -> Any:
        """Get a client of S3.

        Returns:
            A boto3 client.
        """
        return self.get_client(ClientType.S3)

    def get_secrets_manager_client(self) -> Any:
        """Get a client of Secrets Manager.

        Returns:
            A boto3 client.
        """
        return self.get_client(ClientType.SECRETS_MANAGER)


class MinIOCredentials(QuickKey, CredentialsBlock):
    """Authenticate to MinIO, or another store that speaks S3, by user and password.

    Example:
        Load stored credentials and list buckets:

        ```python
        from prefect_aws import MinIOCredentials

        minio_credentials = MinIOCredentials.load("BLOCK_NAME")
        minio_credentials.get_s3_client().list_buckets()
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)

    _logo_url = _LOGO_MINIO  # pyright: ignore[reportAssignmentType]
    _block_type_name = "MinIO Credentials"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-aws"  # pyright: ignore[reportAssignmentType]

    minio_root_user: str = Field(default=..., description="Name of the user, or an access key.")
    minio_root_password: SecretStr = Field(
        default=..., description="Password of the user, or the secret of the access key."
    )
    region_name: str | None = Field(
        default=None, description="Region that the server is configured with, such as us-east-1."
    )
    aws_client_parameters: AwsClientParameters = Field(
        default_factory=AwsClientParameters,
        description="Endpoint, TLS and configuration of the clients. The endpoint_url is the server's address.",
    )

    def __hash__(self) -> int:
        return hash_collection(self)

    def get_boto3_session(self) -> "boto3.session.Session":
        """Open a session with these credentials.

        Returns:
            A new boto3 session.
        """
        return open_session(
            aws_access_key_id=self.minio_root_user,
            aws_secret_access_key=self.minio_root_password.get_secret_value(),
            region_name=self.region_name or None,
        )

    def get_client(self, client_type: str | ClientType) -> Any:
        """Get a client of one service, shared by equal blocks.

        Args:
            client_type: The service, as boto3 names it or as a `ClientType`; MinIO serves `"s3"` and `"sts"`.

        Returns:
            A boto3 client.

        Raises:
            AwsUnknownService: If boto3 has no such service. It is a `ValueError`.
        """
        return _clients.kept_client(self, client_type, {})

    def get_s3_client(self) -> Any:
        """Get a client of S3.

        Returns:
            A boto3 client.
        """
        return self.get_client(ClientType.S3)
