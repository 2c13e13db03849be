"""How fast much output comes through, and whether all of it does."""

from __future__ import annotations

from benches import harness
from benches.harness import BASELINE, Case, Metric

ABOUT = (
    "A command that prints lines of 100 bytes, read to the end. CPU is that of the Python process and the command."
    " Whether the result holds what came on stderr differs: see the lines read. `over 60 s` did not finish."
)
METRICS = (
    Metric("wall_s", "seconds"),
    Metric("cpu_s", "CPU s"),
    Metric("peak_mib", "peak MiB", 0),
    Metric("lines", "lines read", 0, compared=False),
)
WAYS = {
    "50 MB on stdout, `ShellOperation.run`, not logged": ("operation", "stdout", "50"),
    "50 MB on stderr, `ShellOperation.run`, not logged": ("operation", "stderr", "50"),
    "5 MB on stdout, `ShellOperation.run`, each line logged": ("logged", "stdout", "5"),
    "50 MB on stdout, `shell_run_command` in a flow": ("command", "stdout", "50"),
    "50 MB on stderr, `shell_run_command` in a flow": ("command", "stderr", "50"),
}


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = [
        Case(what, variant, variant, arguments)
        for what, arguments in WAYS.items()
        for variant in (BASELINE, "ours")
        if only is None or only in what
    ]
    samples = harness.alternate(cases, "shell_output", rounds or 5, timeout_seconds=60, warm_up=False)
    return harness.save("shell_output", ABOUT, samples, METRICS, keep=only is None)
