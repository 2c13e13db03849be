"""What an assumed role's session may be given."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from .utilities import hash_collection


class AssumeRoleParameters(BaseModel):
    """Parameters of STS `AssumeRole`.

    Names and meanings are those of the
    [boto3 reference](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/sts/client/assume_role.html).

    Example:
        Assume a role for two hours, in an account that asks for an external ID:

        ```python
        from prefect_aws import AwsCredentials
        from prefect_aws.assume_role_parameters import AssumeRoleParameters

        AwsCredentials(
            assume_role_arn="arn:aws:iam::123456789012:role/reporting",
            assume_role_kwargs=AssumeRoleParameters(ExternalId="partner-7", DurationSeconds=7200),
        )
        ```
    """

    model_config = ConfigDict(defer_build=True, hide_input_in_errors=True)

    RoleSessionName: str | None = Field(
        default=None,
        title="Role Session Name",
        description="Name of the session in AWS's audit log. A unique one is made when not given.",
    )
    DurationSeconds: int | None = Field(
        default=None,
        ge=900,
        le=43200,
        title="Duration Seconds",
        description="Seconds that one session lasts, from 900 to 43200 and at most the role's own maximum; an hour "
        "when not given. The block renews it before it ends.",
    )
    Policy: str | None = Field(
        default=None,
        title="Policy",
        description="An IAM policy as JSON text that narrows what the session may do.",
    )
    PolicyArns: list[dict[str, str]] | None = Field(
        default=None,
        title="Policy ARNs",
        description="Managed policies that narrow what the session may do, each as a dictionary with the key 'arn'.",
    )
    Tags: list[dict[str, str]] | None = Field(
        default=None,
        title="Tags",
        description="Session tags, each as a dictionary with the keys 'Key' and 'Value'.",
    )
    TransitiveTagKeys: list[str] | None = Field(
        default=None,
        title="Transitive Tag Keys",
        description="Keys of session tags that stay when this session assumes a further role.",
    )
    ExternalId: str | None = Field(
        default=None,
        title="External ID",
        description="Identifier that the owner of the role asks third parties for.",
    )
    SerialNumber: str | None = Field(
        default=None,
        title="Serial Number",
        description="Serial number or ARN of the MFA device of the identity that assumes the role.",
    )
    TokenCode: str | None = Field(
        default=None,
        title="Token Code",
        repr=False,
        description="Code that the MFA device shows. It works once, so such a session cannot be renewed; see "
        "AwsCredentials.set_mfa_token_provider for sessions that can.",
    )
    SourceIdentity: str | None = Field(
        default=None,
        title="Source Identity",
        description="Name of whoever is behind the session; it stays when a further role is assumed.",
    )
    ProvidedContexts: list[dict[str, str]] | None = Field(
        default=None,
        title="Provided Contexts",
        description="Context assertions, each as a dictionary with the keys 'ProviderArn' and 'ContextAssertion'.",
    )

    def __hash__(self) -> int:
        return hash_collection(self.model_dump())

    def get_params_override(self) -> dict[str, Any]:
        """Collect the parameters that are set.

        Returns:
            Keyword arguments of boto3's `assume_role`, without those that are `None`.
        """
        return self.model_dump(exclude_none=True)
