"""Entry point of the `prefect-aws` command."""

import typer

from . import ecs_worker

# Without local variables in tracebacks, which may be secrets, and with help that never cuts an option's name.
app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False, rich_markup_mode=None)
app.add_typer(ecs_worker.app, name="ecs-worker")


@app.callback()
def group() -> None:
    """Work with Prefect on Amazon Web Services."""


@app.command()
def version() -> None:
    """Print the version of prefect-aws."""
    from prefect_aws import __version__

    typer.echo(__version__)
