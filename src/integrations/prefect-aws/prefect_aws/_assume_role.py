"""Credentials of an assumed role, renewed before they expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from ._sdk_logs import silent_sdk
from ._sessions import open_session
from .errors import AwsCredentialsExpired, aws_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3.session
    from botocore.credentials import RefreshableCredentials

    from .client_parameters import AwsClientParameters

# From the first on one thread renews while the others go on with the old credentials, and a failure is only logged;
# from the second on all wait for the new ones. STS sessions last at least 900 seconds, an hour when nothing is said.
_DEFAULT_DURATION_SECONDS = 3600
_ADVISORY_SECONDS = 900
_MANDATORY_SECONDS = 60


class _RoleSession:
    """Asks STS for credentials of one role, each time it is called."""

    def __init__(
        self,
        open_sts: Callable[[], Any],
        role_arn: str,
        parameters: dict[str, Any],
        mfa_token_provider: Callable[[], str] | None,
    ) -> None:
        self._open_sts = open_sts
        self._role_arn = role_arn
        self._parameters = {"RoleSessionName": f"prefect-{uuid4().hex[:16]}", **parameters}
        self._mfa_token_provider = mfa_token_provider
        self._code_is_used = False
        self._sts: Any = None

    @property
    def can_renew(self) -> bool:
        return self._mfa_token_provider is not None or "TokenCode" not in self._parameters

    def __call__(self) -> dict[str, str]:
        subject = f"Role {self._role_arn}"
        parameters = dict(self._parameters)
        if self._mfa_token_provider is not None:
            parameters["TokenCode"] = self._mfa_token_provider()
        elif self._code_is_used:
            raise AwsCredentialsExpired(
                f"{subject}: the session has ended, and TokenCode {'*' * 6} worked only once. Raise DurationSeconds "
                "in assume_role_kwargs, or give the block a source of codes with set_mfa_token_provider.",
                subject=subject,
                code="ExpiredToken",
            )
        with aws_errors(subject, secrets=[parameters.get("TokenCode")]), silent_sdk():
            self._sts = self._sts or self._open_sts()
            answer = self._sts.assume_role(RoleArn=self._role_arn, **parameters)["Credentials"]
        self._code_is_used = not self.can_renew
        return {
            "access_key": answer["AccessKeyId"],
            "secret_key": answer["SecretAccessKey"],
            "token": answer["SessionToken"],
            "expiry_time": answer["Expiration"].isoformat(),
        }


def role_credentials(
    open_sts: Callable[[], Any],
    role_arn: str,
    parameters: dict[str, Any],
    mfa_token_provider: Callable[[], str] | None = None,
) -> RefreshableCredentials:
    """Assume a role now, and again each time before its session ends.

    botocore sees to it that threads that need new credentials at one time make one request.

    Args:
        open_sts: Makes the STS client of the identity that assumes the role.
        role_arn: The role.
        parameters: Further arguments of `assume_role`.
        mfa_token_provider: Called for a fresh MFA code before each request.

    Raises:
        AwsError: If the role cannot be assumed.
    """
    import botocore.credentials

    refreshable: Any = botocore.credentials.RefreshableCredentials
    role = _RoleSession(open_sts, role_arn, parameters, mfa_token_provider)
    duration = int(parameters.get("DurationSeconds", _DEFAULT_DURATION_SECONDS))
    return refreshable.create_from_metadata(
        role(),
        refresh_using=role,
        method="sts-assume-role",
        # A session of 900 seconds would be renewed on every request if the window were 900 seconds too.
        advisory_timeout=min(_ADVISORY_SECONDS, duration // 4) if role.can_renew else 0,
        mandatory_timeout=_MANDATORY_SECONDS if role.can_renew else 0,
    )


def role_session(
    credentials: RefreshableCredentials, *, profile_name: str | None, region_name: str | None
) -> boto3.session.Session:
    """Open a session that signs with a role's credentials and takes all else from profile and environment."""
    import botocore.session
    from botocore.credentials import CredentialProvider, CredentialResolver

    class _RoleProvider(CredentialProvider):
        METHOD = "sts-assume-role"

        def load(self) -> RefreshableCredentials:
            return credentials

    inner: Any = botocore.session.Session()
    inner.register_component("credential_provider", CredentialResolver([_RoleProvider()]))
    return open_session(inner=inner, profile_name=profile_name, region_name=region_name)


def sts_parameters(parameters: AwsClientParameters) -> dict[str, Any]:
    """Choose the client parameters that hold for STS too.

    An endpoint of AWS's own belongs to one service; any other (an emulator, a proxy, MinIO) is taken to serve STS as
    well.
    """
    chosen = parameters.get_params_override()
    chosen.pop("api_version", None)
    host = urlsplit(str(chosen.get("endpoint_url", ""))).hostname or ""
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")) and "sts" not in host:
        del chosen["endpoint_url"]
    return chosen
