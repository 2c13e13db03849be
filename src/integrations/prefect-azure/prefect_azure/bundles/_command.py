"""The command line that the steps share."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Generator
from contextlib import contextmanager

from prefect_azure.errors import AzureError


def step_parser(module: str, description: str) -> ArgumentParser:
    """Make a parser of the options that say where the bundle is.

    Args:
        module: The module that is run.
        description: What it does.
    """
    parser = ArgumentParser(prog=f"python -m {module}", description=description, allow_abbrev=False)
    parser.add_argument("--container", required=True, help="name of the container")
    parser.add_argument("--key", required=True, help="key of the bundle in the container")
    parser.add_argument(
        "--azure-blob-storage-credentials-block-name",
        required=True,
        help="name of an Azure Blob Storage Credentials block",
    )
    return parser


@contextmanager
def plain_errors() -> Generator[None, None, None]:
    """End the program with status 1 and one line on what failed.

    Prefect makes the message of a failed submission of all that the upload step prints to standard error.
    """
    try:
        yield
    except (AzureError, ImportError, ValueError) as exc:
        sys.exit(f"{type(exc).__name__}: {' '.join(str(exc).split())}")
