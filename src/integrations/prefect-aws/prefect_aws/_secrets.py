"""What the block and the tasks of Secrets Manager have in common: its calls, and their errors."""

from collections.abc import Mapping
from typing import Any

from ._sdk_logs import silent_sdk
from .credentials import AwsCredentials
from .errors import AwsInvalidRequest, AwsSecretNotFound, aws_errors

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
_MIN_RECOVERY_DAYS, _MAX_RECOVERY_DAYS = 7, 30


def get(credentials: AwsCredentials, name: str, **request: Any) -> str | bytes:
    client = credentials.get_secrets_manager_client()
    given = {key: value for key, value in request.items() if value is not None}
    with aws_errors(f"Secret {name!r}", not_found=AwsSecretNotFound), silent_sdk():
        answer = client.get_secret_value(SecretId=name, **given)
    return str(answer["SecretString"]) if "SecretString" in answer else bytes(answer["SecretBinary"])


def refuse_empty(name: str, value: str | bytes) -> None:
    # AWS would: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
    if not value:
        raise AwsInvalidRequest(
            f"Secret {name!r}: the value is empty, which Secrets Manager does not store.",
            subject=f"Secret {name!r}",
        )


def delete(credentials: AwsCredentials, name: str, recovery_days: int, force: bool, **request: Any) -> dict[str, Any]:
    if force:
        request["ForceDeleteWithoutRecovery"] = True
    elif not _MIN_RECOVERY_DAYS <= recovery_days <= _MAX_RECOVERY_DAYS:
        raise AwsInvalidRequest(
            f"Secret {name!r}: recovery_window_in_days is {recovery_days}; it must be between {_MIN_RECOVERY_DAYS} "
            f"and {_MAX_RECOVERY_DAYS}. Nothing was deleted.",
            subject=f"Secret {name!r}",
        )
    else:
        request["RecoveryWindowInDays"] = recovery_days
    client = credentials.get_secrets_manager_client()
    with aws_errors(f"Secret {name!r}", not_found=AwsSecretNotFound):
        return without_metadata(client.delete_secret(SecretId=name, **request))


def without_metadata(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}
