"""The command line that the steps share."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import AbstractContextManager

from prefect_azure.errors import AzureError
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
        bucket="container",
        credentials_option="--azure-blob-storage-credentials-block-name",
        credentials_help="name of an Azure Blob Storage Credentials block",
        needs_credentials=True,
    )


def plain_errors() -> AbstractContextManager[None]:
    """End the program with status 1 and one line on what failed."""
    return bundle_commands.plain_errors(AzureError, ImportError)
