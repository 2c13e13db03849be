"""The command lines of the two steps that carry bundles: options that say where one is, and errors in one line."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["add_deletion_option", "plain_errors", "step_parser"]


def step_parser(
    module: str,
    description: str,
    *,
    bucket: str = "bucket",
    credentials_option: str,
    credentials_help: str,
    needs_credentials: bool = False,
) -> ArgumentParser:
    """Make a parser of the options that say where a bundle is.

    Args:
        module: The module that is run.
        description: What it does.
        bucket: What the service calls a bucket, which is the name of its option, too.
        credentials_option: Option that names a block of credentials.
        credentials_help: Which block that is, and where credentials come from without it.
        needs_credentials: Whether that option must be given.
    """
    # Without abbreviations: a new option could change what a short one means, and Prefect writes all in full.
    parser = ArgumentParser(prog=f"python -m {module}", description=description, allow_abbrev=False)
    parser.add_argument(f"--{bucket}", required=True, help=f"name of the {bucket}")
    parser.add_argument("--key", required=True, help=f"key of the bundle in the {bucket}")
    parser.add_argument(credentials_option, required=needs_credentials, help=credentials_help)
    return parser


def add_deletion_option(parser: ArgumentParser) -> None:
    """Let a step be told to delete the bundle: `delete_after_run` is then `"true"` or `"false"`.

    Args:
        parser: Parser of the execute step.
    """
    parser.add_argument(
        "--delete-after-run",
        choices=["true", "false"],  # Prefect writes each option with a value
        default="false",
        help="whether to delete the bundle once the run has ended",
    )


@contextmanager
def plain_errors(*errors: type[Exception]) -> Generator[None, None, None]:
    """End the program with status 1 and one line on what failed.

    Prefect makes the message of a failed submission of all that the upload step prints to standard error.

    Args:
        errors: The package's errors; a `ValueError` is told in the same way.

    Raises:
        SystemExit: If one of them is raised.
    """
    try:
        yield
    except (*errors, ValueError) as exc:
        sys.exit(f"{type(exc).__name__}: {' '.join(str(exc).split())}")
