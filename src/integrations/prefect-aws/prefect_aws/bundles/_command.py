"""The command line that the steps share."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import AbstractContextManager

from prefect_aws.errors import AwsError
from prefect_integration_kit import bundle_commands


def step_parser(module: str, description: str) -> ArgumentParser:
    """Make a parser of the options that say where the bundle is.

    Args:
        module: The module that is run.
        description: What it does.
    """
    return bundle_commands.step_parser(
        module,
        description,
        credentials_option="--aws-credentials-block-name",
        credentials_help=(
            "name of an AWS Credentials block; without it boto3 looks for credentials in its usual places"
        ),
    )


def plain_errors() -> AbstractContextManager[None]:
    """End the program with status 1 and one line on what failed."""
    return bundle_commands.plain_errors(AwsError)
