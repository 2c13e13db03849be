"""Entry point of the `prefect-kubernetes` command."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Annotated

import typer


class Format(str, Enum):
    """How findings are printed."""

    text = "text"
    json = "json"


# Without local variables in tracebacks, which may be secrets, and with help that never cuts an option's name.
app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Work with Prefect on Kubernetes."""


@app.command()
def version() -> None:
    """Print the version of prefect-kubernetes."""
    from prefect_kubernetes import __version__

    typer.echo(__version__)


@app.command()
def check(
    pool: Annotated[
        str | None, typer.Option("--pool", "-p", help="Work pool to check; without it, the cluster alone is checked.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Namespace of the jobs; that of the pool, else default, if not given."),
    ] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="Text for people, or JSON.")] = Format.text,
) -> None:
    """Check whether a worker here could run flows on the cluster: nothing is created.

    It looks at the connection, the worker's permissions verb by verb, the namespace, and for a work pool at the job
    that its template makes: service account, images, secrets and quotas. Run it as the worker runs, with the same
    kubeconfig or service account and the same PREFECT_* variables.

    Exits with code 1 when something would keep flow runs from starting.
    """
    from prefect_integration_kit.findings import show

    from .check import Inspection

    findings = asyncio.run(Inspection(pool, namespace).findings())
    if not show(findings, typer.echo, as_json=output is Format.json):
        raise typer.Exit(1)
