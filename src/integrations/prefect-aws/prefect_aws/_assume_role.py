"""Credentials of an assumed role, renewed before they expire."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from ._sdk_logs import silent_sdk
from ._sessions import open_session
from .errors import AwsConnectionFailed, AwsCredentialsExpired, aws_errors

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
_CUT_OFF_ATTEMPTS = 3


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
    def duration_seconds(self) -> int:
        return int(self._parameters.get("DurationSeconds", _DEFAULT_DURATION_SECONDS))

    @property
    def can_renew(self) -> bool:
        return self._mfa_token_provider is not None or "TokenCode" not in self._parameters

    def _ask(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Ask STS, again when its answer is cut off. A code for MFA is good once."""
        from botocore.parsers import ResponseParserError

        for _ in range(1 if "TokenCode" in parameters else _CUT_OFF_ATTEMPTS):
            with contextlib.suppress(ResponseParserError):
                return self._sts.assume_role(RoleArn=self._role_arn, **parameters)
        # Not from the SDK's error, which quotes the answer, and so the keys in it.
        raise AwsConnectionFailed(
            f"Role {self._role_arn}: the answer of STS was cut off. {AwsConnectionFailed.remedy}",
            subject=f"Role {self._role_arn}",
            code="ResponseParserError",
        )

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
            answer = self._ask(parameters)["Credentials"]
        self._code_is_used = not self.can_renew
        return {
            "access_key": answer["AccessKeyId"],
            "secret_key": answer["SecretAccessKey"],
            "token": answer["SessionToken"],
            "expiry_time": _end_of(answer.get("Expiration"), self.duration_seconds),
        }


def _end_of(told: object, duration_seconds: int) -> str:
    """Write the end of a session as text. What stands in for STS in a test may not tell it."""
    if isinstance(told, str):
        told = datetime.fromisoformat(told.replace("Z", "+00:00"))
    end = told if isinstance(told, datetime) else datetime.now(timezone.utc) + timedelta(seconds=duration_seconds)
    return (end if end.tzinfo else end.replace(tzinfo=timezone.utc)).isoformat()


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
    return refreshable.create_from_metadata(
        role(),
        refresh_using=role,
        method="sts-assume-role",
        # A session of 900 seconds would be renewed on every request if the window were 900 seconds too.
        advisory_timeout=min(_ADVISORY_SECONDS, role.duration_seconds // 4) if role.can_renew else 0,
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
