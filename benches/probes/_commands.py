"""Run a command of the `prefect` command line within a probe."""

import contextlib
import io
import sys


def prefect(*arguments: str) -> str:
    """Run it as `prefect` does, and return what it has printed.

    Raises:
        SystemExit: If it fails.
    """
    from prefect.cli import app

    sys.argv[:] = ["prefect", *arguments]
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            app()
    except SystemExit as end:
        if end.code:
            raise SystemExit(f"prefect {' '.join(arguments)} ended with {end.code}: {out.getvalue()[-1500:]}") from end
    return out.getvalue()
