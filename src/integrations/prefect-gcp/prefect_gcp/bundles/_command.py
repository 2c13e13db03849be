"""The command line that the steps share."""

from __future__ import annotations

import warnings
from argparse import ArgumentParser
from contextlib import AbstractContextManager

from prefect_gcp.errors import GcpError
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
        credentials_option="--gcp-credentials-block-name",
        credentials_help="name of a GCP Credentials block; without it Application Default Credentials are used",
    )


def ignore_warnings_of_age() -> None:
    """Let Google's SDK be imported where warnings are errors: it warns of each Python that nears its end."""
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")


def plain_errors() -> AbstractContextManager[None]:
    """End the program with status 1 and one line on what failed."""
    return bundle_commands.plain_errors(GcpError)
