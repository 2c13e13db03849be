"""What a user of the command is told when it fails: a sentence on stderr and an exit code, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

from prefect_integration_kit.pool_checks import CommandFailed

from ..errors import (
    AwsConnectionFailed,
    AwsCredentialsExpired,
    AwsCredentialsMissing,
    AwsError,
    AwsRegionMissing,
    AwsRegionWrong,
)

__all__ = ["CommandFailed", "describe", "plain_errors"]

P = ParamSpec("P")
R = TypeVar("R")


# The remedies of `errors` speak of a credentials block, which the command does not have.
_REMEDIES: dict[type[AwsError], str] = {
    AwsRegionMissing: "Give --region, set AWS_DEFAULT_REGION, or set region in the profile.",
    AwsRegionWrong: "Correct --region, AWS_DEFAULT_REGION or the profile's region.",
    AwsCredentialsMissing: "Give --profile, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in by "
    "`aws sso login` or `aws configure`.",
    AwsCredentialsExpired: "Sign in again, such as by `aws sso login`.",
    AwsConnectionFailed: "Check --region, AWS_ENDPOINT_URL, DNS, proxies and the network's way to AWS.",
}


def describe(error: Exception) -> str:
    """Put an error into words for somebody at a terminal."""
    text = str(error)
    for cls, remedy in _REMEDIES.items():
        if isinstance(error, cls):
            return text.replace(cls.remedy, remedy) if cls.remedy in text else f"{text} {remedy}"
    return text


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end with exit code 1 and a message where it would raise one of our errors."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (CommandFailed, AwsError) as exc:
            typer.echo(f"Error: {describe(exc)}", err=True)
            raise typer.Exit(1) from None

    return run
