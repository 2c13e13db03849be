"""What the block and the tasks of the parameter store have in common: its calls, and their errors."""

from collections.abc import Sequence
from typing import Any, Literal

from prefect_integration_kit.logs import run_logger

from ._sdk_logs import silent_sdk
from .credentials import AwsCredentials
from .errors import AwsInvalidRequest, AwsParameterNotFound, aws_errors

ParameterType = Literal["String", "StringList", "SecureString"]


def client_of(credentials: AwsCredentials) -> Any:
    return credentials.get_client("ssm")


def subject_of(name: str) -> str:
    return f"Parameter {name!r}"


def read(name: str, credentials: AwsCredentials, version: int | None = None, label: str | None = None) -> str:
    if version is not None and label is not None:
        raise AwsInvalidRequest(f"{subject_of(name)}: give version or label, not both.", subject=subject_of(name))
    selector = version if version is not None else label
    full_name = name if selector is None else f"{name}:{selector}"
    client = client_of(credentials)
    with aws_errors(subject_of(full_name), not_found=AwsParameterNotFound), silent_sdk():
        answer = client.get_parameter(Name=full_name, WithDecryption=True)
    run_logger(__name__).info("Read parameter %s", full_name)
    return str(answer["Parameter"]["Value"])


def write(
    name: str,
    value: str | Sequence[str],
    credentials: AwsCredentials,
    parameter_type: ParameterType | None = None,
    overwrite: bool = True,
    **options: Any,
) -> int:
    kind = parameter_type or ("SecureString" if isinstance(value, str) else "StringList")
    text = value if isinstance(value, str) else _joined(name, value)
    if not text:
        raise AwsInvalidRequest(
            f"{subject_of(name)}: the value is empty, which the parameter store does not hold.",
            subject=subject_of(name),
        )
    client = client_of(credentials)
    secrets = [value] if isinstance(value, str) else list(value)
    with aws_errors(subject_of(name), secrets=secrets), silent_sdk():
        answer = client.put_parameter(Name=name, Value=text, Type=kind, Overwrite=overwrite, **options)
    run_logger(__name__).info("Wrote parameter %s as %s", name, kind)
    return int(answer["Version"])


def _joined(name: str, values: Sequence[str]) -> str:
    """Join a list as AWS stores it, which knows no way to write a comma inside an element."""
    if any("," in value for value in values):
        raise AwsInvalidRequest(
            f"{subject_of(name)}: an element of the list has a comma in it, and commas separate elements. "
            "Store the list as JSON text instead.",
            subject=subject_of(name),
        )
    return ",".join(values)


def delete(name: str, credentials: AwsCredentials) -> None:
    client = client_of(credentials)
    with aws_errors(subject_of(name), not_found=AwsParameterNotFound):
        client.delete_parameter(Name=name)
    run_logger(__name__).info("Deleted parameter %s", name)
