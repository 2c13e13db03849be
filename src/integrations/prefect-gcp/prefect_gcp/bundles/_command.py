"""The command line that the steps share."""

from __future__ import annotations

import sys
import warnings
from argparse import ArgumentParser
from collections.abc import Generator
from contextlib import contextmanager

from prefect_gcp.errors import GcpError


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
        "--gcp-credentials-block-name",
        help="name of a GCP Credentials block; without it Application Default Credentials are used",
    )
    return parser


def ignore_warnings_of_age() -> None:
    """Let Google's SDK be imported where warnings are errors: it warns of each Python that nears its end."""
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")


@contextmanager
def plain_errors() -> Generator[None, None, None]:
    """End the program with status 1 and one line on what failed.

    Prefect makes the message of a failed submission of all that the upload step prints to standard error.
    """
    try:
        yield
    except (GcpError, ValueError) as exc:
        sys.exit(f"{type(exc).__name__}: {exc}")
