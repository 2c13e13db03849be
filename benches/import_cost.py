"""What importing an integration costs on top of Prefect, which every flow run pays for every installed integration."""

from __future__ import annotations

from benches import harness
from benches.harness import BASELINE, Case, Metric

ABOUT = (
    "`import prefect_<name>` in a fresh interpreter that has imported `flow`, `task` and `Block` from Prefect already:"
    " CPU time, resident memory and modules that come on top."
)
METRICS = (Metric("cpu_ms", "CPU ms", 1), Metric("rss_mib", "MiB", 1), Metric("modules", "modules", 0))


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = [
        Case(f"`import {module}`", variant, variant, (module,))
        for module in (package.replace("-", "_") for package in harness.PACKAGES)
        for variant in (BASELINE, "ours")
        if only is None or only in module
    ]
    samples = harness.alternate(cases, "import_cost", rounds or 9)
    return harness.save("import_cost", ABOUT, samples, METRICS, keep=only is None)
