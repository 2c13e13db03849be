"""Entry point of the `prefect-azure` command."""

from __future__ import annotations

from typing import Annotated

import typer

# Without local variables in tracebacks, which may be secrets, and with help that never cuts an option's name.
app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Work with Prefect on Microsoft Azure."""


@app.command()
def version() -> None:
    """Print the version of prefect-azure."""
    from prefect_azure import __version__

    typer.echo(__version__)


@app.command()
def check(
    work_pool: Annotated[
        str,
        typer.Argument(help="Name of the work pool, of type azure-container-instance or azure-container-app-job."),
    ],
    variables: Annotated[
        list[str] | None,
        typer.Option(
            "--variable", "-v", help="Job variable as name=value, as a deployment would set it; may be repeated."
        ),
    ] = None,
    ask_registries: Annotated[
        bool, typer.Option("--check-image-registry", help="Ask the image's registry whether it has the image, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check identity, permissions, resource group, image and all else that the flow runs of a work pool need.

    Nothing is started or changed. Run it as the worker runs, with the same credentials and PREFECT_* variables.
    The exit code is 1 when a check has failed, and 2 when the work pool cannot be read.
    """
    from prefect_integration_kit.findings import show
    from prefect_integration_kit.pool_checks import CommandFailed

    from .check import Inspection, read_job

    try:
        job = read_job(work_pool, variables or [])
    except CommandFailed as exc:
        typer.echo(f"Error: {exc}", err=True)
        raise typer.Exit(2) from None
    findings = Inspection(job, ask_registries=ask_registries).findings()
    if not show(findings, typer.echo, as_json=as_json):
        raise typer.Exit(1)
