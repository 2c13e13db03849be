"""Entry point of the `prefect-aws` command."""

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Work with Prefect on Amazon Web Services."""


@app.command()
def version() -> None:
    """Print the version of prefect-aws."""
    from prefect_aws import __version__

    typer.echo(__version__)
