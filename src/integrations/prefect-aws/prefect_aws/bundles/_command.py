"""The command line that the steps share."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Generator
from contextlib import contextmanager

from prefect_aws.errors import AwsError


def step_parser(module: str, description: str) -> ArgumentParser:
    """Make a parser of the options that say where the bundle is.

    Args:
        module: The module that is run.
        description: What it does.
    """
    parser = ArgumentParser(prog=f"python -m {module}", description=description, allow_abbrev=False)
    parser.add_argument("--bucket", required=True, help="name of the bucket")
    parser.add_argument("--key", required=True, help="key of the bundle in the bucket")
    parser.add_argument(
        "--aws-credentials-block-name",
        help="name of an AWS Credentials block; without it boto3 looks for credentials in its usual places",
    )
    return parser


@contextmanager
def plain_errors() -> Generator[None, None, None]:
    """End the program with status 1 and one line on what failed.

    Prefect makes the message of a failed submission of all that the upload step prints to standard error.
    """
    try:
        yield
    except (AwsError, ValueError) as exc:
        sys.exit(f"{type(exc).__name__}: {exc}")
